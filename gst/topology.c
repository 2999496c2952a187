/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

#include <gst/video/video.h>

#include "orientation.h"

/* A pipeline this deep is walked no further. */
#define MAX_ELEMENTS 256

/* The element on the other side of a pad's link, seen from inside any bins around it: their ghost pads are stepped over. */
static GstElement *
next_element (GstPad * from)
{
  GstPad *pad = gst_object_ref (from), *peer;
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

static GList *
copy_pads (GstElement * element, GstPadDirection direction)
{
  GList *pads = NULL, *item;

  GST_OBJECT_LOCK (element);
  item = direction == GST_PAD_SRC ? element->srcpads : element->sinkpads;
  for (; item; item = item->next)
    pads = g_list_prepend (pads, gst_object_ref (item->data));
  GST_OBJECT_UNLOCK (element);
  return pads;
}

static void
walk (GstPad * src, GHashTable * seen, gboolean * roomy)
{
  GstElement *element = next_element (src);
  GList *pads, *item;

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
  pads = copy_pads (element, GST_PAD_SRC);
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

static gboolean
is_network_source (GstElement * element, gconstpointer unused)
{
  GList *pads, *item;
  GstSchedulingFlags flags;
  gboolean found = FALSE;

  if (element->numsinkpads)
    return FALSE;
  pads = copy_pads (element, GST_PAD_SRC);
  for (item = pads; item && !found; item = item->next) {
    GstQuery *query = gst_query_new_scheduling ();

    if (gst_pad_query (item->data, query)) {
      gst_query_parse_scheduling (query, &flags, NULL, NULL, NULL);
      found = (flags & GST_SCHEDULING_FLAG_BANDWIDTH_LIMITED) != 0;
    }
    gst_query_unref (query);
  }
  g_list_free_full (pads, gst_object_unref);
  return found;
}

typedef gboolean (*Test) (GstElement * element, gconstpointer data);

/* The element, or one in a bin like uridecodebin. */
static gboolean
holds (GstElement * element, Test test, gconstpointer data)
{
  GValue value = G_VALUE_INIT;
  gboolean found = FALSE;
  GstIterator *inside;

  if (!GST_IS_BIN (element))
    return test (element, data);
  inside = gst_bin_iterate_recurse (GST_BIN (element));
  while (!found && gst_iterator_next (inside, &value) == GST_ITERATOR_OK) {
    GstElement *child = g_value_get_object (&value);

    found = !GST_IS_BIN (child) && test (child, data);
    g_value_reset (&value);
  }
  if (G_IS_VALUE (&value))
    g_value_unset (&value);
  gst_iterator_free (inside);
  return found;
}

/* What is said of the way up on a pad's stream. FALSE: nothing. */
static gboolean
read_orientation (GstElement * element, const gchar * name,
    LlavaovOrientation * orientation)
{
  GstPad *pad = gst_element_get_static_pad (element, name);
  GstLlavaovOrientation said = { 0, };
  GstEvent *event;
  guint i;

  if (pad == NULL)
    return FALSE;
  for (i = 0; (event = gst_pad_get_sticky_event (pad, GST_EVENT_TAG, i)); i++) {
    gst_llavaov_orientation_event (&said, event);
    gst_event_unref (event);
  }
  gst_object_unref (pad);
  *orientation = gst_llavaov_orientation_get (&said);
  gst_llavaov_orientation_clear (&said);
  return i > 0;
}

/* Newer versions of videoflip change the tag themselves. A tag that is set behind it is about what comes out of it. */
static gboolean
turns_beside_tag (GstElement * element, gconstpointer data)
{
  const LlavaovOrientation *wanted = data;
  GstVideoOrientationMethod method = GST_VIDEO_ORIENTATION_IDENTITY;
  LlavaovOrientation before, after;

  if (!g_type_is_a (G_OBJECT_TYPE (element), GST_TYPE_VIDEO_DIRECTION))
    return FALSE;
  g_object_get (element, "video-direction", &method, NULL);
  return method != GST_VIDEO_ORIENTATION_IDENTITY &&
      read_orientation (element, "sink", &before) && before == *wanted &&
      read_orientation (element, "src", &after) && after == before;
}

static gboolean
walk_up (GstPad * sink, GHashTable * seen, Test test, gconstpointer data)
{
  GstElement *element = next_element (sink);
  gboolean found = FALSE;
  GList *pads, *item;

  if (element == NULL)
    return FALSE;
  if (g_hash_table_size (seen) >= MAX_ELEMENTS ||
      g_hash_table_contains (seen, element)) {
    gst_object_unref (element);
    return FALSE;
  }
  g_hash_table_add (seen, element);
  found = holds (element, test, data);
  pads = copy_pads (element, GST_PAD_SINK);
  for (item = pads; item && !found; item = item->next)
    found = walk_up (item->data, seen, test, data);
  g_list_free_full (pads, gst_object_unref);
  return found;
}

static gboolean
is_upstream (GstPad * sink, Test test, gconstpointer data)
{
  GHashTable *seen = g_hash_table_new_full (NULL, NULL, gst_object_unref, NULL);
  gboolean found = walk_up (sink, seen, test, data);

  g_hash_table_unref (seen);
  return found;
}

gboolean
gst_llavaov_comes_over_network (GstPad * sink)
{
  return is_upstream (sink, is_network_source, NULL);
}

gboolean
gst_llavaov_turned_upstream (GstPad * sink, LlavaovOrientation orientation)
{
  return is_upstream (sink, turns_beside_tag, &orientation);
}
