/* SPDX-License-Identifier: Apache-2.0
 *
 * An error about a property whose value is a text of several parts.
 */
#ifndef GST_LLAVAOV_OPTION_ERROR_H
#define GST_LLAVAOV_OPTION_ERROR_H

#include <glib.h>

#include "llavaov.h"

G_BEGIN_DECLS

/* Fills error with "PROPERTY: TEXT", cut to what fits in whole characters; returns FALSE. Any thread. */
gboolean gst_llavaov_option_error (LlavaovError * error,
    const gchar * property, const gchar * format, ...) G_GNUC_PRINTF (3, 4);

G_END_DECLS

#endif
