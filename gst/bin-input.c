/* SPDX-License-Identifier: Apache-2.0 */
#include "bin-input.h"

#include "bin-decoder.h"
#include "input-caps.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

static void
choose (GstLlavaov * self, gboolean raw)
{
  if (!gst_llavaov_bin_begin_choice (self))
    return;
  GST_DEBUG_OBJECT (self, "input is %s", raw ? "raw" : "to be decoded");
  if (raw)
    gst_llavaov_bin_set_target (self, self->inner);
  else
    gst_llavaov_bin_use_decoder (self);
}

static gboolean
peer_can_pull (GstLlavaov * self)
{
  GstQuery *query = gst_query_new_scheduling ();
  gboolean pull = gst_pad_peer_query (self->sinkpad, query) &&
      gst_query_has_scheduling_mode_with_flags (query, GST_PAD_MODE_PULL,
      GST_SCHEDULING_FLAG_SEEKABLE);

  gst_query_unref (query);
  return pull;
}

static gboolean
peer_may_send_anything (GstLlavaov * self)
{
  GstCaps *caps = gst_pad_peer_query_caps (self->sinkpad, NULL);
  gboolean any = gst_caps_is_any (caps);

  gst_caps_unref (caps);
  return any;
}

/* Raw only: straight through. No raw at all: decode. Both (cameras offer raw and jpeg) or anything (a queue that is not
 * linked yet): what arrives decides. A file must be decided about before the pads are activated, or the decoder could not pull
 * from it. */
void
gst_llavaov_bin_choose_by_peer (GstLlavaov * self)
{
  GstCaps *caps = gst_pad_peer_query_caps (self->sinkpad, NULL);
  guint i, raw = 0, size = gst_caps_get_size (caps);

  for (i = 0; i < size; i++)
    raw += gst_structure_has_name (gst_caps_get_structure (caps, i),
        "video/x-raw");
  if (gst_caps_is_any (caps) ? peer_can_pull (self) : raw == 0)
    choose (self, FALSE);
  else if (raw && raw == size)
    choose (self, TRUE);
  gst_caps_unref (caps);
}

static void
sink_linked (GstPad * pad, GstPad * peer, gpointer data)
{
  GstLlavaov *self = data;

  if (gst_llavaov_bin_is_chosen (self))
    gst_llavaov_bin_remove_decoder (self);
  /* In NULL more may still be linked upstream. */
  if (GST_STATE (self) > GST_STATE_NULL ||
      GST_STATE_PENDING (self) > GST_STATE_NULL)
    gst_llavaov_bin_choose_by_peer (self);
}

/* Replaces a CAPS event by a completed one; upstream's pad keeps its own. */
static void
complete_caps (GstPadProbeInfo * info)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info), *said;
  GstCaps *caps, *complete;

  gst_event_parse_caps (event, &caps);
  complete = gst_llavaov_input_caps_complete (caps);
  if (complete == NULL)
    return;
  said = gst_event_new_caps (complete);
  gst_event_set_seqnum (said, gst_event_get_seqnum (event));
  gst_caps_unref (complete);
  gst_event_unref (event);
  GST_PAD_PROBE_INFO_DATA (info) = said;
}

/* Of a CAPS event. */
static void
tell_of_raw (GstLlavaov * self, GstPadProbeInfo * info)
{
  GstCaps *caps;

  gst_event_parse_caps (GST_PAD_PROBE_INFO_EVENT (info), &caps);
  if (gst_structure_has_name (gst_caps_get_structure (caps, 0), "video/x-raw"))
    gst_llavaov_keyframe_filters_raw (&self->keyframe_filters);
}

static GstPadProbeReturn
sink_probe (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  GstLlavaov *self = data;
  GstEvent *event;
  GstCaps *caps;

  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM &&
      GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_CAPS) {
    complete_caps (info);
    tell_of_raw (self, info);
  }
  if (gst_llavaov_bin_is_chosen (self))
    return GST_PAD_PROBE_OK;
  if (!(GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM)) {
    /* Data without caps. */
    choose (self, FALSE);
    return GST_PAD_PROBE_OK;
  }
  event = GST_PAD_PROBE_INFO_EVENT (info);
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    gst_event_parse_caps (event, &caps);
    choose (self, gst_structure_has_name (gst_caps_get_structure (caps, 0),
            "video/x-raw"));
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    /* From a source of raw video this is a stream without frames; from one of anything it is an empty file, which the decoder
     * reports as such. */
    choose (self, !peer_may_send_anything (self));
  }
  return GST_PAD_PROBE_OK;
}

/* playbin holds its sink in READY outside of any pipeline while it asks which streams to leave encoded for it. The answer is
 * none: in a whole file the sound would come to us too. */
static gboolean
asked_by_playbin (GstLlavaov * self)
{
  GstObject *top = gst_object_ref (self), *parent;
  gboolean alone;

  while ((parent = gst_object_get_parent (top))) {
    gst_object_unref (top);
    top = parent;
  }
  alone = GST_STATE (self) == GST_STATE_READY && !GST_IS_PIPELINE (top);
  gst_object_unref (top);
  return alone;
}

/* Until the inside is chosen: of raw video what downstream takes, so that a converter upstream can adapt; all else as in the
 * template. */
static GstCaps *
caps_of_either (GstLlavaov * self)
{
  GstPad *inner = gst_element_get_static_pad (self->inner, "sink");
  GstCaps *caps = gst_caps_make_writable (gst_pad_query_caps (inner, NULL));
  GstCaps *all = gst_pad_get_pad_template_caps (self->sinkpad);
  guint i;

  for (i = 0; i < gst_caps_get_size (all) && !asked_by_playbin (self); i++) {
    GstStructure *structure = gst_caps_get_structure (all, i);

    if (!gst_structure_has_name (structure, "video/x-raw"))
      gst_caps_append_structure (caps, gst_structure_copy (structure));
  }
  gst_caps_unref (all);
  gst_object_unref (inner);
  return caps;
}

static gboolean sink_query (GstPad * pad, GstObject * parent, GstQuery * query);

/* Whether caps that say too little would be taken, completed. FALSE: they lack nothing. */
static gboolean
accepts_completed (GstPad * pad, GstObject * parent, GstQuery * query)
{
  GstCaps *asked, *complete;
  gboolean accepts = FALSE;
  GstQuery *other;

  gst_query_parse_accept_caps (query, &asked);
  complete = gst_llavaov_input_caps_complete (asked);
  if (complete == NULL)
    return FALSE;
  other = gst_query_new_accept_caps (complete);
  if (sink_query (pad, parent, other))
    gst_query_parse_accept_caps_result (other, &accepts);
  gst_query_set_accept_caps_result (query, accepts);
  gst_query_unref (other);
  gst_caps_unref (complete);
  return TRUE;
}

static gboolean
sink_query (GstPad * pad, GstObject * parent, GstQuery * query)
{
  GstLlavaov *self = GST_LLAVAOV (parent);
  GstCaps *caps, *asked, *common;

  if (GST_QUERY_TYPE (query) == GST_QUERY_ACCEPT_CAPS &&
      accepts_completed (pad, parent, query))
    return TRUE;
  if (gst_llavaov_bin_is_chosen (self)
      || (GST_QUERY_TYPE (query) != GST_QUERY_CAPS
          && GST_QUERY_TYPE (query) != GST_QUERY_ACCEPT_CAPS))
    return gst_pad_query_default (pad, parent, query);
  caps = caps_of_either (self);
  if (GST_QUERY_TYPE (query) == GST_QUERY_ACCEPT_CAPS) {
    gst_query_parse_accept_caps (query, &asked);
    gst_query_set_accept_caps_result (query, gst_caps_can_intersect (asked,
            caps));
  } else {
    gst_query_parse_caps (query, &asked);
    common = asked ? gst_caps_intersect_full (asked, caps,
        GST_CAPS_INTERSECT_FIRST) : gst_caps_ref (caps);
    gst_query_set_caps_result (query, common);
    gst_caps_unref (common);
  }
  gst_caps_unref (caps);
  return TRUE;
}

static GstFlowReturn
pull_when_plugged (GstPad * pad, GstObject * parent, guint64 offset,
    guint length, GstBuffer ** buffer)
{
  GstObject *self = gst_object_get_parent (parent);

  if (self == NULL)
    return GST_FLOW_FLUSHING;
  gst_llavaov_decoder_plugging_wait (&GST_LLAVAOV (self)->decoder_plugging);
  gst_object_unref (self);
  return gst_proxy_pad_getrange_default (pad, parent, offset, length, buffer);
}

void
gst_llavaov_bin_input_setup (GstLlavaov * self)
{
  GstProxyPad *inside =
      gst_proxy_pad_get_internal (GST_PROXY_PAD (self->sinkpad));

  gst_pad_set_getrange_function (GST_PAD (inside), pull_when_plugged);
  gst_object_unref (inside);
  g_signal_connect (self->sinkpad, "linked", G_CALLBACK (sink_linked), self);
  gst_pad_set_query_function (self->sinkpad, sink_query);
  gst_pad_add_probe (self->sinkpad, GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM,
      sink_probe, self, NULL);
}
