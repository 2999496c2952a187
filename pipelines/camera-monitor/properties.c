/* SPDX-License-Identifier: Apache-2.0 */
#include "properties.h"

#include <string.h>

Property *property_new(const gchar *name, const gchar *text, const gchar *pointer)
{
    Property *property = g_new(Property, 1);

    *property = (Property){g_strdup(name), g_strdup(text), g_strdup(pointer)};
    return property;
}

Property *property_copy(const Property *property)
{
    return property_new(property->name, property->text, property->pointer);
}

void property_free(Property *property)
{
    g_free(property->name);
    g_free(property->text);
    g_free(property->pointer);
    g_free(property);
}

const gchar *property_set(GstElement *element, const gchar *name, const gchar *text)
{
    GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
    GValue value = G_VALUE_INIT;
    const gchar *wrong = NULL;

    if (!spec || !(spec->flags & G_PARAM_WRITABLE))
        return "llavaov has no such property to be set";
    g_value_init(&value, G_PARAM_SPEC_VALUE_TYPE(spec));
    if (G_VALUE_HOLDS_STRING(&value))
        g_value_set_string(&value, text);
    else if (!gst_value_deserialize(&value, text))
        wrong = "not a value of this property";
    if (!wrong && g_param_value_validate(spec, &value))
        wrong = "outside of this property's range";
    if (!wrong)
        g_object_set_property(G_OBJECT(element), name, &value);
    g_value_unset(&value);
    return wrong;
}

const gchar *properties_text(const GPtrArray *properties, const gchar *name)
{
    const gchar *text = NULL;

    for (guint i = 0; i < properties->len; i++) {
        const Property *property = properties->pdata[i];

        if (strcmp(property->name, name) == 0)
            text = property->text;
    }
    return text;
}
