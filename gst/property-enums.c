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
