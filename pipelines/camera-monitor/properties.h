/* SPDX-License-Identifier: Apache-2.0
 * Properties of llavaov as a configuration or a command line has them, as text.
 */
#ifndef PROPERTIES_H
#define PROPERTIES_H

#include <gst/gst.h>

typedef struct Property {
    gchar *name, *text; /* what gst_value_deserialize() takes; of a string the string */
    gchar *pointer;     /* JSON pointer of its place in the configuration; NULL: the command line */
} Property;

Property *property_new(const gchar *name, const gchar *text, const gchar *pointer);
Property *property_copy(const Property *property);
void property_free(Property *property);
/* Into the element. Returns what is wrong with it, or NULL; then it has been set. */
const gchar *property_set(GstElement *element, const gchar *name, const gchar *text);
/* The last of this name, or NULL. Properties: of Property. */
const gchar *properties_text(const GPtrArray *properties, const gchar *name);

#endif
