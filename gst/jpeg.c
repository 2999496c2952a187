/* SPDX-License-Identifier: Apache-2.0 */
#include "jpeg.h"

/* Whether the pad carries what was given to decodebin: the typefind at its front has it, all other pads are behind a
 * demuxer. */
static gboolean
is_whole_input (GstPad * pad)
{
  GstPad *inner = GST_IS_GHOST_PAD (pad) ?
      gst_ghost_pad_get_target (GST_GHOST_PAD (pad)) : gst_object_ref (pad);
  GstElement *element = inner ? gst_pad_get_parent_element (inner) : NULL;
  GstElementFactory *factory = element ? gst_element_get_factory (element) :
      NULL;
  gboolean found = factory &&
      !g_strcmp0 (GST_OBJECT_NAME (factory), "typefind");

  gst_clear_object (&element);
  gst_clear_object (&inner);
  return found;
}

static gboolean
is_live (GstPad * pad)
{
  GstQuery *query = gst_query_new_latency ();
  gboolean live = FALSE;

  if (gst_pad_query (pad, query))
    gst_query_parse_latency (query, &live, NULL, NULL);
  gst_query_unref (query);
  return live;
}

GValueArray *
gst_llavaov_jpeg_sort (GstElement * decoder, GstPad * pad, GstCaps * caps,
    GValueArray * factories, gpointer unused)
{
  GstElementFactory *parser;
  GValueArray *sorted;
  GValue value = G_VALUE_INIT;

  if (caps == NULL || gst_caps_get_size (caps) != 1 ||
      !gst_structure_has_name (gst_caps_get_structure (caps, 0), "image/jpeg")
      || !is_whole_input (pad) || is_live (pad))
    return NULL;
  parser = gst_element_factory_find ("jpegparse");
  if (parser == NULL)
    return NULL;
  g_value_init (&value, G_TYPE_OBJECT);
  g_value_take_object (&value, parser);
  /* The signal's own type. */
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
      sorted = g_value_array_prepend (g_value_array_copy (factories), &value);
  G_GNUC_END_IGNORE_DEPRECATIONS g_value_unset (&value);
  return sorted;
}
