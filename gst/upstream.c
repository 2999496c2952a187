/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream.h"

#include "ask.h"
#include "backpressure.h"
#include "cuda-memory.h"
#include "trigger.h"

/* Whether the engine runs on a CUDA device; before there is one, whether it is told to. */
static gboolean
runs_on_cuda (GstLlavaovElement * self)
{
  gboolean cuda, ready;

  GST_OBJECT_LOCK (self);
  cuda = self->settings.device && g_str_has_prefix (self->settings.device,
      "cuda");
  GST_OBJECT_UNLOCK (self);
  g_mutex_lock (&self->windows.lock);
  ready = self->model.ready;
  if (ready)
    cuda = g_str_has_prefix (llavaov_engine_info (self->model.engine)->device,
        "cuda");
  g_mutex_unlock (&self->windows.lock);
  return cuda;
}

/* Formats the engine reads come first, as a list in order of preference, those on its device before others; the rest only
 * when nothing else is offered. */
static GstCaps *
sink_query_caps (GstLlavaovElement * self, GstCaps * filter)
{
  const gchar *formats = runs_on_cuda (self) ? GST_LLAVAOV_CUDA_CAPS "; "
      GST_VIDEO_CAPS_MAKE (GST_LLAVAOV_RAW_FORMATS) :
      GST_VIDEO_CAPS_MAKE (GST_LLAVAOV_RAW_FORMATS);
  GstCaps *core = gst_caps_from_string (formats);
  GstCaps *all = gst_pad_get_pad_template_caps (self->sinkpad);
  GstCaps *peer = gst_pad_peer_query_caps (self->srcpad, NULL);
  GstCaps *preferred =
      gst_caps_intersect_full (core, peer, GST_CAPS_INTERSECT_FIRST);
  GstCaps *rest = gst_caps_intersect_full (all, peer, GST_CAPS_INTERSECT_FIRST);
  GstCaps *result;

  gst_caps_unref (core);
  gst_caps_unref (all);
  gst_caps_unref (peer);
  if (filter == NULL)
    return gst_caps_merge (preferred, rest);
  result = gst_caps_intersect_full (preferred, filter,
      GST_CAPS_INTERSECT_FIRST);
  if (gst_caps_is_empty (result)) {
    gst_caps_unref (result);
    result = gst_caps_intersect_full (filter, rest, GST_CAPS_INTERSECT_FIRST);
  }
  gst_caps_unref (preferred);
  gst_caps_unref (rest);
  return result;
}

gboolean
gst_llavaov_upstream_query (GstPad * pad, GstObject * parent, GstQuery * query)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);
  GstCaps *caps, *all;
  gboolean accepted;

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_CAPS:
      gst_query_parse_caps (query, &caps);
      caps = sink_query_caps (self, caps);
      gst_query_set_caps_result (query, caps);
      gst_caps_unref (caps);
      return TRUE;
    case GST_QUERY_ACCEPT_CAPS:
      gst_query_parse_accept_caps (query, &caps);
      all = gst_pad_get_pad_template_caps (pad);
      accepted = gst_caps_is_subset (caps, all) &&
          gst_pad_peer_query_accept_caps (self->srcpad, caps);
      gst_caps_unref (all);
      gst_query_set_accept_caps_result (query, accepted);
      return TRUE;
    default:
      /* ALLOCATION and the rest go through to the video's consumer. */
      return gst_pad_query_default (pad, parent, query);
  }
}

gboolean
gst_llavaov_upstream_event (GstPad * pad, GstObject * parent, GstEvent * event)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);
  gboolean ours, taken;

  if (gst_llavaov_ask_event (self, event))
    return TRUE;
  taken = gst_llavaov_trigger_event (self, event);
  if (pad != self->srcpad && GST_EVENT_TYPE (event) != GST_EVENT_SEEK) {
    /* What the text's consumer says about its lateness or its caps is not about the video. */
    gst_event_unref (event);
    return TRUE;
  }

  if (GST_EVENT_TYPE (event) == GST_EVENT_QOS) {
    /* Where the stream waits for answers, a sink that is late is late because of that: a decoder that skipped frames for
     * it would change what is sampled from run to run. */
    g_mutex_lock (&self->windows.lock);
    ours = gst_llavaov_backpressure_blocks (self);
    g_mutex_unlock (&self->windows.lock);
    if (ours) {
      gst_event_unref (event);
      return TRUE;
    }
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_LATENCY)
    gst_llavaov_input_forget_live (&self->input);
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEEK) {
    gst_llavaov_backpressure_release_waiters (self);
    /* Both source pads bring the same seek. */
    if (!gst_llavaov_input_is_new_seek (&self->input,
            gst_event_get_seqnum (event))) {
      gst_event_unref (event);
      return TRUE;
    }
  }
  return gst_pad_push_event (self->sinkpad, event) || taken;
}

/* Video goes to the video pad alone; without this the defaults would lead into the text pad too. */
GstIterator *
gst_llavaov_upstream_links (GstPad * pad, GstObject * parent)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);
  GstPad *other = pad == self->sinkpad ? self->srcpad : self->sinkpad;
  GValue value = G_VALUE_INIT;
  GstIterator *iterator;

  g_value_init (&value, GST_TYPE_PAD);
  g_value_set_object (&value, other);
  iterator = gst_iterator_new_single (GST_TYPE_PAD, &value);
  g_value_unset (&value);
  return iterator;
}
