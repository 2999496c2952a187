/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

/* A pipeline this deep is walked no further. */
#define MAX_ELEMENTS 256

/* The element that a source pad feeds, seen from inside any bins around it: their ghost pads are stepped over. */
static GstElement *
next_element (GstPad * src)
{
  GstPad *pad = gst_object_ref (src), *peer;
  GstObject *parent;

  while ((peer = gst_pad_get_peer (pad))) {
    gst_object_unref (pad);
    parent = gst_object_get_parent (GST_OBJECT (peer));
    if (parent && GST_IS_ELEMENT (parent)) {
      gst_object_unref (peer);
      return GST_ELEMENT (parent);
    }
    gst_object_unref (peer);
    /* The inner side of a ghost pad: go on from its outer side. */
    if (parent == NULL || !GST_IS_PAD (parent)) {
      gst_clear_object (&parent);
      return NULL;
    }
    pad = GST_PAD (parent);
  }
  gst_object_unref (pad);
  return NULL;
}

static gboolean
holds_everything (GstElement * element)
{
  GObjectClass *klass = G_OBJECT_GET_CLASS (element);
  guint buffers = 1, bytes = 1;
  guint64 time = 1;

  if (!g_object_class_find_property (klass, "max-size-buffers") ||
      !g_object_class_find_property (klass, "max-size-bytes") ||
      !g_object_class_find_property (klass, "max-size-time"))
    return FALSE;
  g_object_get (element, "max-size-buffers", &buffers, "max-size-bytes",
      &bytes, "max-size-time", &time, NULL);
  return buffers == 0 && bytes == 0 && time == 0;
}

static void
walk (GstPad * src, GHashTable * seen, gboolean * roomy)
{
  GstElement *element = next_element (src);
  GList *pads = NULL, *item;

  if (element == NULL)
    return;
  if (g_hash_table_size (seen) >= MAX_ELEMENTS ||
      g_hash_table_contains (seen, element)) {
    gst_object_unref (element);
    return;
  }
  g_hash_table_add (seen, element);
  if (roomy && holds_everything (element))
    *roomy = TRUE;
  GST_OBJECT_LOCK (element);
  for (item = element->srcpads; item; item = item->next)
    pads = g_list_prepend (pads, gst_object_ref (item->data));
  GST_OBJECT_UNLOCK (element);
  for (item = pads; item; item = item->next)
    walk (item->data, seen, roomy);
  g_list_free_full (pads, gst_object_unref);
}

gboolean
gst_llavaov_pads_meet (GstPad * video, GstPad * text)
{
  GHashTable *by_video = g_hash_table_new_full (NULL, NULL, gst_object_unref,
      NULL);
  GHashTable *by_text = g_hash_table_new_full (NULL, NULL, gst_object_unref,
      NULL);
  GHashTableIter iterator;
  gpointer element;
  gboolean roomy = FALSE, meet = FALSE;

  walk (video, by_video, &roomy);
  walk (text, by_text, NULL);
  g_hash_table_iter_init (&iterator, by_text);
  while (!meet && g_hash_table_iter_next (&iterator, &element, NULL))
    meet = g_hash_table_contains (by_video, element);
  g_hash_table_unref (by_video);
  g_hash_table_unref (by_text);
  return meet && !roomy;
}
