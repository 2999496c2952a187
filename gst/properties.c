/* SPDX-License-Identifier: Apache-2.0 */
#include "properties.h"

#define DESCRIPTOR(id, the_kind, ...) \
    [GST_LLAVAOV_PROP_##id] = {.kind = GST_LLAVAOV_KIND_##the_kind, __VA_ARGS__},
#define NAMES(the_name, the_nick, the_blurb) \
    .name = the_name, .nick = the_nick, .blurb = the_blurb
#define AT(member, the_until) \
    .offset = G_STRUCT_OFFSET (GstLlavaovSettings, member), \
    .size = sizeof (((GstLlavaovSettings *) NULL)->member), \
    .until = GST_PARAM_MUTABLE_##the_until

#define STRING(id, member, name, nick, fallback, until, blurb) \
    DESCRIPTOR (id, STRING, NAMES (name, nick, blurb), AT (member, until), \
        .text = fallback)
#define UINT(id, member, name, nick, low, high, fallback, until, blurb) \
    DESCRIPTOR (id, UINT, NAMES (name, nick, blurb), AT (member, until), \
        .minimum = low, .maximum = high, .number = fallback)
#define UINT64(id, member, name, nick, low, high, fallback, until, blurb) \
    DESCRIPTOR (id, UINT64, NAMES (name, nick, blurb), AT (member, until), \
        .minimum = low, .maximum = high, .number = fallback)
#define DOUBLE(id, member, name, nick, low, high, fallback, until, blurb) \
    DESCRIPTOR (id, DOUBLE, NAMES (name, nick, blurb), AT (member, until), \
        .real_minimum = low, .real_maximum = high, .real = fallback)
#define BOOLEAN(id, member, name, nick, fallback, until, blurb) \
    DESCRIPTOR (id, BOOLEAN, NAMES (name, nick, blurb), AT (member, until), \
        .number = fallback)
#define ENUM(id, member, name, nick, c_type, get_type, fallback, until, blurb) \
    DESCRIPTOR (id, ENUM, NAMES (name, nick, blurb), AT (member, until), \
        .type = get_type, .number = fallback)
#define FLAGS(id, member, name, nick, get_type, fallback, until, blurb) \
    DESCRIPTOR (id, FLAGS, NAMES (name, nick, blurb), AT (member, until), \
        .type = get_type, .number = fallback)
#define READONLY_BOOLEAN(id, name, nick, blurb) \
    DESCRIPTOR (id, READONLY_BOOLEAN, NAMES (name, nick, blurb))
#define READONLY_STRING(id, name, nick, blurb) \
    DESCRIPTOR (id, READONLY_STRING, NAMES (name, nick, blurb))
#define READONLY_STRUCTURE(id, name, nick, blurb) \
    DESCRIPTOR (id, READONLY_STRUCTURE, NAMES (name, nick, blurb))

static const GstLlavaovDescriptor table[GST_LLAVAOV_N_PROPS] = {
#include "properties.inc"
};

static GParamSpec *
make_spec (const GstLlavaovDescriptor * d)
{
  const GParamFlags writable = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
      d->until;
  const GParamFlags readonly = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS |
      G_PARAM_EXPLICIT_NOTIFY;

  switch (d->kind) {
    case GST_LLAVAOV_KIND_STRING:
      return g_param_spec_string (d->name, d->nick, d->blurb, d->text,
          writable);
    case GST_LLAVAOV_KIND_UINT:
      return g_param_spec_uint (d->name, d->nick, d->blurb, d->minimum,
          d->maximum, d->number, writable);
    case GST_LLAVAOV_KIND_UINT64:
      return g_param_spec_uint64 (d->name, d->nick, d->blurb, d->minimum,
          d->maximum, d->number, writable);
    case GST_LLAVAOV_KIND_DOUBLE:
      return g_param_spec_double (d->name, d->nick, d->blurb, d->real_minimum,
          d->real_maximum, d->real, writable);
    case GST_LLAVAOV_KIND_BOOLEAN:
      return g_param_spec_boolean (d->name, d->nick, d->blurb, d->number,
          writable);
    case GST_LLAVAOV_KIND_ENUM:
      gst_type_mark_as_plugin_api (d->type (), 0);
      return g_param_spec_enum (d->name, d->nick, d->blurb, d->type (),
          d->number, writable);
    case GST_LLAVAOV_KIND_FLAGS:
      gst_type_mark_as_plugin_api (d->type (), 0);
      return g_param_spec_flags (d->name, d->nick, d->blurb, d->type (),
          d->number, writable);
    case GST_LLAVAOV_KIND_READONLY_BOOLEAN:
      return g_param_spec_boolean (d->name, d->nick, d->blurb, FALSE, readonly);
    case GST_LLAVAOV_KIND_READONLY_STRING:
      return g_param_spec_string (d->name, d->nick, d->blurb, NULL, readonly);
    case GST_LLAVAOV_KIND_READONLY_STRUCTURE:
      return g_param_spec_boxed (d->name, d->nick, d->blurb,
          GST_TYPE_STRUCTURE, readonly);
    case GST_LLAVAOV_KIND_NONE:
      break;
  }
  return NULL;
}

void
gst_llavaov_properties_install (GObjectClass * klass)
{
  guint id;

  for (id = 1; id < GST_LLAVAOV_N_PROPS; id++)
    g_object_class_install_property (klass, id, make_spec (&table[id]));
}

const GstLlavaovDescriptor *
gst_llavaov_property (guint id)
{
  return &table[id];
}

void
gst_llavaov_property_default (guint id, GValue * value)
{
  GParamSpec *spec = g_param_spec_ref_sink (make_spec (&table[id]));

  g_value_init (value, G_PARAM_SPEC_VALUE_TYPE (spec));
  g_param_value_set_default (spec, value);
  g_param_spec_unref (spec);
}
