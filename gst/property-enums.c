/* SPDX-License-Identifier: Apache-2.0 */
#include "properties.h"

#define TYPE(enum_type, prefix) \
    GType \
    prefix##_get_type (void) \
    { \
      static const gchar *name = #enum_type; \
      static gsize type = 0; \
      static const GEnumValue values[] = {
#define VALUE(value, nick, text) {value, text, nick},
#define END(enum_type) \
        {0, NULL, NULL} \
      }; \
      if (g_once_init_enter (&type)) \
        g_once_init_leave (&type, g_enum_register_static (name, values)); \
      return type; \
    }
#include "property-enums.inc"

GType
gst_llavaov_variants_get_type (void)
{
  static gsize type = 0;
  static const GFlagsValue values[] = {
    {0, "The labels as they are", "none"},
    {LLAVAOV_VARIANT_CASE,
        "With the case of the first character changed: Yes for yes", "case"},
    {LLAVAOV_VARIANT_SPACE, "Behind a space", "space"},
    {0, NULL, NULL}
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_flags_register_static ("GstLlavaovVariants",
            values));
  return type;
}

GType
gst_llavaov_trigger_get_type (void)
{
  static gsize type = 0;
  static const GFlagsValue values[] = {
    {0, "Nothing", "none"},
    {GST_LLAVAOV_TRIGGER_PERIODIC, "One after another, every interval",
        "periodic"},
    {GST_LLAVAOV_TRIGGER_MOTION, "Something moves", "motion"},
    {GST_LLAVAOV_TRIGGER_OBJECTS, "A detector upstream has found something",
        "objects"},
    {GST_LLAVAOV_TRIGGER_EVENT, "The event llavaov/trigger", "event"},
    {0, NULL, NULL}
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_flags_register_static ("GstLlavaovTrigger",
            values));
  return type;
}
