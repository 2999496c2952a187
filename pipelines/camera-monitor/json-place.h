/* SPDX-License-Identifier: Apache-2.0
 * In which line of a JSON text something stands, which jansson does not keep.
 */
#ifndef JSON_PLACE_H
#define JSON_PLACE_H

#include <glib.h>

/* The line, from 1, of the value at a JSON pointer (RFC 6901): of a member that of its name. Of what is not there that of
 * the innermost value around it that is. The text is valid JSON, in which no object has a name twice. */
guint json_place_line(const gchar *text, const gchar *pointer);
/* The pointer with a member's name, or an item's index, behind it. */
gchar *json_place_member(const gchar *pointer, const gchar *name);
gchar *json_place_item(const gchar *pointer, gsize index);

#endif
