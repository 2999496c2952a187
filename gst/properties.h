/* SPDX-License-Identifier: Apache-2.0
 *
 * What follows from the rows of properties.inc and property-enums.inc: the types of choices, the ids, the struct of values and
 * a constant table of descriptors.
 */
#ifndef GST_LLAVAOV_PROPERTIES_H
#define GST_LLAVAOV_PROPERTIES_H

#include <gst/gst.h>

#include "llavaov.h"

G_BEGIN_DECLS

#define GST_LLAVAOV_MAX_FRAMES 128

#define TYPE(type, prefix) typedef enum {
#define VALUE(value, nick, text) value,
#define END(type) } type;
#include "property-enums.inc"

#define TYPE(type, prefix) GType prefix##_get_type (void);
#define VALUE(value, nick, text)
#define END(type)
#include "property-enums.inc"

/* What opens a window; bits, and names in property-enums.c. */
typedef enum
{
  GST_LLAVAOV_TRIGGER_PERIODIC = 1 << 0,
  GST_LLAVAOV_TRIGGER_MOTION = 1 << 1,
  GST_LLAVAOV_TRIGGER_OBJECTS = 1 << 2,
  GST_LLAVAOV_TRIGGER_EVENT = 1 << 3
} GstLlavaovTrigger;
GType gst_llavaov_trigger_get_type (void);

/* Of LlavaovVariant. */
GType gst_llavaov_variants_get_type (void);

#define STRING(id, ...) GST_LLAVAOV_PROP_##id,
#define UINT(id, ...) GST_LLAVAOV_PROP_##id,
#define UINT64(id, ...) GST_LLAVAOV_PROP_##id,
#define DOUBLE(id, ...) GST_LLAVAOV_PROP_##id,
#define BOOLEAN(id, ...) GST_LLAVAOV_PROP_##id,
#define ENUM(id, ...) GST_LLAVAOV_PROP_##id,
#define FLAGS(id, ...) GST_LLAVAOV_PROP_##id,
#define READONLY_BOOLEAN(id, ...) GST_LLAVAOV_PROP_##id,
#define READONLY_STRING(id, ...) GST_LLAVAOV_PROP_##id,
#define READONLY_STRUCTURE(id, ...) GST_LLAVAOV_PROP_##id,
typedef enum
{
  GST_LLAVAOV_PROP_NONE,
#include "properties.inc"
  GST_LLAVAOV_N_PROPS
} GstLlavaovProperty;

#define STRING(id, member, ...) gchar *member;
#define UINT(id, member, ...) guint member;
#define UINT64(id, member, ...) guint64 member;
#define DOUBLE(id, member, ...) gdouble member;
#define BOOLEAN(id, member, ...) gboolean member;
#define ENUM(id, member, name, nick, type, ...) type member;
#define FLAGS(id, member, ...) guint member;
#define READONLY_BOOLEAN(id, ...)
#define READONLY_STRING(id, ...)
#define READONLY_STRUCTURE(id, ...)
/* Functions: settings.h. */
typedef struct _GstLlavaovSettings
{
#include "properties.inc"
  guint8 set[GST_LLAVAOV_N_PROPS];      /* by id: the property has been set, to any value */
  guint changes;                /* that were made, by setting properties */
} GstLlavaovSettings;

typedef enum
{
  GST_LLAVAOV_KIND_NONE,
  GST_LLAVAOV_KIND_STRING,
  GST_LLAVAOV_KIND_UINT,
  GST_LLAVAOV_KIND_UINT64,
  GST_LLAVAOV_KIND_DOUBLE,
  GST_LLAVAOV_KIND_BOOLEAN,
  GST_LLAVAOV_KIND_ENUM,
  GST_LLAVAOV_KIND_FLAGS,
  /* without a value in the settings */
  GST_LLAVAOV_KIND_READONLY_BOOLEAN,
  GST_LLAVAOV_KIND_READONLY_STRING,
  GST_LLAVAOV_KIND_READONLY_STRUCTURE
} GstLlavaovPropertyKind;

typedef struct
{
  GstLlavaovPropertyKind kind;
  const gchar *name, *nick, *blurb;
  gsize offset, size;           /* of the member of GstLlavaovSettings, in bytes */
  GParamFlags until;            /* the last state in which it may be set */
  guint64 minimum, maximum, number;     /* number: the default, also of BOOLEAN, ENUM and FLAGS */
  gdouble real_minimum, real_maximum, real;
  const gchar *text;
  GType (*type) (void);         /* ENUM and FLAGS */
} GstLlavaovDescriptor;

/* Installs every property on a class. */
void gst_llavaov_properties_install (GObjectClass * klass);

/* The descriptor of an id from 1 to GST_LLAVAOV_N_PROPS - 1. */
const GstLlavaovDescriptor *gst_llavaov_property (guint id);
/* Its default, into a value that is all zero. Unset it. */
void gst_llavaov_property_default (guint id, GValue * value);

G_END_DECLS

#endif
