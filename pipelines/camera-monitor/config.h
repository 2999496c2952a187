/* SPDX-License-Identifier: Apache-2.0
 * The file of cameras: a JSON list with an object for each.
 *
 *   [{"uri": "rtsp://...", "prompt": "Is there a person?", "name": "gate",
 *     "choices": ["yes", "no"], "alert-on": "yes", "alert-confirm": 2, "window": 2000000000},
 *    {"uri": "rtsp://...", "prompt": "What is there?", "json-schema": {"type": "object", ...}}]
 *
 * Beside uri, prompt and name, which may be left out, every key is a property of llavaov, of which
 * "properties" may hold more. A list of texts stands for the texts between '|', an object for its
 * JSON, null for the property's default.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <glib.h>

/* A camera of the file. properties: name=value, those of `common` first; the callee's to free. */
typedef gboolean (*ConfigAdd)(
    gpointer data, const gchar *uri, const gchar *prompt, const gchar *name, gchar **properties);

/* Calls add for each camera. FALSE: something was wrong, and has been said on standard error; all
 * that is right has been added. */
gboolean config_read(const gchar *path, gchar **common, ConfigAdd add, gpointer data);

#endif
