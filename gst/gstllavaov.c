/* SPDX-License-Identifier: Apache-2.0 */

/**
 * SECTION:element-llavaov
 * @title: llavaov
 * @see_also: llavaovelement
 *
 * Answers questions about video with a LLaVA-OneVision model, whatever the video comes as: raw, from an RTSP camera, from
 * a file. What is not raw goes through a decoder of its own choice. The src pad carries the video untouched, but that what
 * was decoded is converted where what follows takes another format.
 *
 * ## Examples
 * |[
 * gst-launch-1.0 -v rtspsrc location=rtsp://camera/stream ! llavaov prompt="Is the door open?" ! fakesink
 * gst-launch-1.0 -v filesrc location=clip.mp4 ! llavaov ! fakesink
 * ]|
 */
#include "gstllavaov.h"

#include "decoder-errors.h"
#include "input-caps.h"
#include "host.h"
#include "jpeg.h"
#include "properties.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* No ANY: delayed links pick the first pad that fits, and of a camera's pads that must be the video. */
#define SINK_CAPS GST_LLAVAOV_RAW_CAPS "; " \
    "application/x-rtp, media = (string) video; video/x-h264; video/x-h265; " \
    "video/x-h266; video/x-av1; video/x-vp8; video/x-vp9; image/jpeg; " \
    "image/png; video/mpeg, systemstream = (boolean) false; video/mpegts; " \
    "video/quicktime; video/x-matroska; video/webm; video/x-flv; " \
    "video/x-msvideo"

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (SINK_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_LLAVAOV_RAW_CAPS));
static GstStaticPadTemplate text_template = GST_STATIC_PAD_TEMPLATE ("text",
    GST_PAD_SRC, GST_PAD_REQUEST, GST_STATIC_CAPS (GST_LLAVAOV_TEXT_CAPS));

struct _GstLlavaov
{
  GstBin parent;

  GstElement *inner;            /* llavaovelement, always there */
  GstPad *sinkpad, *srcpad;
  GstPad *nothing;              /* upstream of inner while nothing else is */

  GMutex lock;                  /* around the choice of the inside */
  GstElement *decoder, *converter;
  GList *swallowed;             /* sinks for streams that are not the video */
  GstLlavaovDecoderErrors decoder_errors;       /* what the decoder found instead of video */
  gboolean chosen, linked_video;
};

G_DEFINE_TYPE (GstLlavaov, gst_llavaov, GST_TYPE_BIN);
GST_ELEMENT_REGISTER_DEFINE (llavaov, "llavaov", GST_RANK_NONE,
    GST_TYPE_LLAVAOV);

/* The inner sink pad is never without a peer: it would be taken for the bin's own by whoever looks for a pad to link in a bin
 * around us (gst_bin_find_unlinked_pad: all pipelines made from descriptions do). */
static void
attach_nothing (GstLlavaov * self)
{
  GstPad *inner = gst_element_get_static_pad (self->inner, "sink");

  if (!gst_pad_is_linked (inner))
    gst_pad_link_full (self->nothing, inner, GST_PAD_LINK_CHECK_NOTHING);
  gst_object_unref (inner);
}

static void
detach_nothing (GstLlavaov * self)
{
  GstPad *inner = gst_pad_get_peer (self->nothing);

  if (inner)
    gst_pad_unlink (self->nothing, inner);
  gst_clear_object (&inner);
}

static void
set_target (GstLlavaov * self, GstElement * element)
{
  GstPad *pad = NULL;

  if (element)
    pad = gst_element_get_static_pad (element, "sink");
  if (element == self->inner)
    detach_nothing (self);
  gst_ghost_pad_set_target (GST_GHOST_PAD (self->sinkpad), pad);
  gst_clear_object (&pad);
}

/* ---- the decoder ---- */

static void
post_no_video (GstLlavaov * self, GstElement * decoder)
{
  GError *error;

  gst_llavaov_decoder_errors_add_unlinked (&self->decoder_errors, decoder);
  error = gst_llavaov_decoder_errors_no_video (&self->decoder_errors, NULL);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_error (GST_OBJECT (self), error, NULL));
  g_error_free (error);
}

/* Audio of a file, say: decodebin must not stall on a pad that nobody reads. */
static void
swallow (GstLlavaov * self, GstPad * pad)
{
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstPad *target;

  if (sink == NULL)
    return;
  g_object_set (sink, "sync", FALSE, "async", FALSE, NULL);
  /* It must neither hold back EOS nor answer for the bin. */
  gst_bin_add (GST_BIN (self), sink);
  g_mutex_lock (&self->lock);
  self->swallowed = g_list_prepend (self->swallowed, sink);
  g_mutex_unlock (&self->lock);
  gst_element_sync_state_with_parent (sink);
  target = gst_element_get_static_pad (sink, "sink");
  gst_pad_link (pad, target);
  gst_object_unref (target);
}

static void
decoder_pad_added (GstElement * decoder, GstPad * pad, gpointer data)
{
  GstLlavaov *self = data;
  GstCaps *caps = gst_pad_get_current_caps (pad);
  gboolean video = FALSE;

  if (caps == NULL)
    caps = gst_pad_query_caps (pad, NULL);
  if (gst_caps_get_size (caps))
    video = gst_structure_has_name (gst_caps_get_structure (caps, 0),
        "video/x-raw");
  if (!video)
    gst_llavaov_decoder_errors_add_stream (&self->decoder_errors, caps);
  gst_caps_unref (caps);

  if (video) {
    GstPad *target = gst_element_get_static_pad (self->converter ?
        self->converter : self->inner, "sink");

    video = !gst_pad_is_linked (target) &&
        gst_pad_link (pad, target) == GST_PAD_LINK_OK;
    gst_object_unref (target);
    if (video) {
      self->linked_video = TRUE;
      return;
    }
  }
  swallow (self, pad);
}

static void
decoder_no_more_pads (GstElement * decoder, gpointer data)
{
  GstLlavaov *self = data;

  if (!self->linked_video)
    post_no_video (self, decoder);
}

static void
decoder_unknown_type (GstElement * decoder, GstPad * pad, GstCaps * caps,
    gpointer data)
{
  GstLlavaov *self = data;

  gst_llavaov_decoder_errors_add_undecodable (&self->decoder_errors, caps);
}

/* Decoding what is thrown away would be a waste: other streams come out as they are. */
static gboolean
decoder_autoplug_continue (GstElement * decoder, GstPad * pad, GstCaps * caps,
    gpointer data)
{
  const gchar *name;

  if (caps == NULL || gst_caps_is_any (caps) || gst_caps_is_empty (caps))
    return TRUE;
  name = gst_structure_get_name (gst_caps_get_structure (caps, 0));
  return !(g_str_has_prefix (name, "audio/") || g_str_has_prefix (name,
          "text/") || g_str_has_prefix (name, "subpicture/"));
}

static void
remove_children (GstLlavaov * self)
{
  GList *swallowed, *walk;
  GstElement *decoder, *converter;

  g_mutex_lock (&self->lock);
  decoder = g_steal_pointer (&self->decoder);
  converter = g_steal_pointer (&self->converter);
  swallowed = g_steal_pointer (&self->swallowed);
  self->chosen = self->linked_video = FALSE;
  g_mutex_unlock (&self->lock);

  gst_llavaov_decoder_errors_clear (&self->decoder_errors);
  set_target (self, NULL);
  if (decoder) {
    gst_element_set_locked_state (decoder, TRUE);
    gst_element_set_state (decoder, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (self), decoder);
  }
  if (converter) {
    gst_element_set_locked_state (converter, TRUE);
    gst_element_set_state (converter, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (self), converter);
  }
  for (walk = swallowed; walk; walk = walk->next) {
    gst_element_set_locked_state (walk->data, TRUE);
    gst_element_set_state (walk->data, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (self), walk->data);
  }
  g_list_free (swallowed);
  attach_nothing (self);
}

/* What decodes knows nothing of what follows, which may take less than was decoded (a window on an X server takes RGB alone).
 * Where it takes that, frames go through untouched here too. */
static void
use_converter (GstLlavaov * self)
{
  self->converter = gst_element_factory_make ("videoconvert", NULL);
  if (self->converter == NULL)
    return;
  gst_bin_add (GST_BIN (self), self->converter);
  gst_element_link_pads (self->converter, "src", self->inner, "sink");
  gst_element_sync_state_with_parent (self->converter);
}

static void
use_decoder (GstLlavaov * self)
{
  GstElement *decoder = gst_element_factory_make ("decodebin", NULL);

  if (decoder == NULL) {
    GST_ELEMENT_ERROR (self, CORE, MISSING_PLUGIN,
        ("The element decodebin is missing."), (NULL));
    return;
  }
  g_signal_connect (decoder, "pad-added", G_CALLBACK (decoder_pad_added), self);
  g_signal_connect (decoder, "no-more-pads",
      G_CALLBACK (decoder_no_more_pads), self);
  g_signal_connect (decoder, "autoplug-continue",
      G_CALLBACK (decoder_autoplug_continue), self);
  g_signal_connect (decoder, "autoplug-sort",
      G_CALLBACK (gst_llavaov_jpeg_sort), NULL);
  g_signal_connect (decoder, "unknown-type",
      G_CALLBACK (decoder_unknown_type), self);
  detach_nothing (self);
  use_converter (self);
  self->decoder = decoder;
  gst_bin_add (GST_BIN (self), decoder);
  set_target (self, decoder);
  gst_element_sync_state_with_parent (decoder);
}

/* ---- choosing the inside ---- */

static void
choose (GstLlavaov * self, gboolean raw)
{
  g_mutex_lock (&self->lock);
  if (self->chosen) {
    g_mutex_unlock (&self->lock);
    return;
  }
  self->chosen = TRUE;
  g_mutex_unlock (&self->lock);
  GST_DEBUG_OBJECT (self, "input is %s", raw ? "raw" : "to be decoded");
  if (raw)
    set_target (self, self->inner);
  else
    use_decoder (self);
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
 * linked yet): what arrives will tell, but for a file, which must be decided before the pads are activated: it would find
 * pull mode already refused to it. */
static void
choose_by_peer (GstLlavaov * self)
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

  if (self->chosen)
    remove_children (self);
  /* Before that more may be linked upstream, and a description in which we stand is looked through for pads. */
  if (GST_STATE (self) > GST_STATE_NULL ||
      GST_STATE_PENDING (self) > GST_STATE_NULL)
    choose_by_peer (self);
}

/* Upstream keeps the caps that it said. */
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

static GstPadProbeReturn
sink_probe (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  GstLlavaov *self = data;
  GstEvent *event;
  GstCaps *caps;

  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM &&
      GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_CAPS)
    complete_caps (info);
  if (self->chosen)
    return GST_PAD_PROBE_OK;
  if (!(GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM)) {
    /* Data that nobody described. */
    choose (self, FALSE);
    return GST_PAD_PROBE_OK;
  }
  event = GST_PAD_PROBE_INFO_EVENT (info);
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    gst_event_parse_caps (event, &caps);
    choose (self, gst_structure_has_name (gst_caps_get_structure (caps, 0),
            "video/x-raw"));
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    /* Frames that never came are a stream of nothing; an empty file is no video, and the decoder says so. */
    choose (self, !peer_may_send_anything (self));
  }
  return GST_PAD_PROBE_OK;
}

/* playbin holds its sink in READY outside of every pipeline while it asks which streams to leave encoded for it. None: with a
 * whole file, its sound would come to us too. */
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

/* Until the inside is chosen: raw video as what follows can take it, so that a converter in front of us knows; all else as
 * the template says. */
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
  if (self->chosen || (GST_QUERY_TYPE (query) != GST_QUERY_CAPS &&
          GST_QUERY_TYPE (query) != GST_QUERY_ACCEPT_CAPS))
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

/* ---- speaking for the inner element ---- */

static void
handle_message (GstBin * bin, GstMessage * message)
{
  GstLlavaov *self = GST_LLAVAOV (bin);

  if (GST_MESSAGE_SRC (message) == GST_OBJECT (self->inner)) {
    switch (GST_MESSAGE_TYPE (message)) {
      case GST_MESSAGE_ELEMENT:
      case GST_MESSAGE_PROGRESS:
      case GST_MESSAGE_QOS:
      case GST_MESSAGE_ERROR:
      case GST_MESSAGE_WARNING:
      case GST_MESSAGE_INFO:
        message = gst_message_make_writable (message);
        gst_object_replace (&GST_MESSAGE_SRC (message), GST_OBJECT (self));
        break;
      default:
        break;
    }
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR
      && !self->linked_video && self->decoder
      && gst_object_has_as_ancestor (GST_MESSAGE_SRC (message),
          GST_OBJECT (self->decoder))) {
    message =
        gst_llavaov_decoder_errors_explain (&self->decoder_errors,
        self->decoder, GST_OBJECT (self), message);
  }
  GST_BIN_CLASS (gst_llavaov_parent_class)->handle_message (bin, message);
}

static void
set_property (GObject * object, guint id, const GValue * value,
    GParamSpec * pspec)
{
  GstLlavaov *self = GST_LLAVAOV (object);

  if (!gst_llavaov_element_set (GST_LLAVAOV_ELEMENT (self->inner), id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  GstLlavaov *self = GST_LLAVAOV (object);

  if (!gst_llavaov_element_get (GST_LLAVAOV_ELEMENT (self->inner), id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static GstPad *
request_new_pad (GstElement * element, GstPadTemplate * templ,
    const gchar * name, const GstCaps * caps)
{
  GstLlavaov *self = GST_LLAVAOV (element);
  GstPad *inner = gst_element_get_static_pad (self->inner, "text"), *pad;

  if (inner) {                  /* there is one text pad */
    gst_object_unref (inner);
    return NULL;
  }
  inner = gst_element_request_pad_simple (self->inner, "text");
  if (inner == NULL)
    return NULL;
  pad = gst_ghost_pad_new_from_template ("text", inner, templ);
  gst_object_unref (inner);
  if (GST_STATE (element) > GST_STATE_READY ||
      GST_STATE_TARGET (element) > GST_STATE_READY)
    gst_pad_set_active (pad, TRUE);
  gst_element_add_pad (element, pad);
  return pad;
}

static void
release_pad (GstElement * element, GstPad * pad)
{
  GstLlavaov *self = GST_LLAVAOV (element);
  GstPad *inner = gst_ghost_pad_get_target (GST_GHOST_PAD (pad));

  gst_pad_set_active (pad, FALSE);
  gst_element_remove_pad (element, pad);
  if (inner) {
    gst_element_release_request_pad (self->inner, inner);
    gst_object_unref (inner);
  }
}

static GstStateChangeReturn
change_state (GstElement * element, GstStateChange transition)
{
  GstLlavaov *self = GST_LLAVAOV (element);
  GstStateChangeReturn result;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !self->chosen &&
      gst_pad_is_linked (self->sinkpad))
    choose_by_peer (self);

  /* The bin brings its children up in the order of their links, and the decoder is not linked yet: were it first, its
   * video could find those behind it asleep. */
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED &&
      (gst_element_set_state (self->inner, GST_STATE_PAUSED) ==
          GST_STATE_CHANGE_FAILURE || (self->converter
              && gst_element_set_state (self->converter,
                  GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE)))
    return GST_STATE_CHANGE_FAILURE;

  result = GST_ELEMENT_CLASS (gst_llavaov_parent_class)->change_state (element,
      transition);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED &&
      result == GST_STATE_CHANGE_FAILURE)
    gst_element_set_state (self->inner, GST_STATE_READY);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL)
    remove_children (self);
  return result;
}

static void
finalize (GObject * object)
{
  GstLlavaov *self = GST_LLAVAOV (object);

  gst_llavaov_decoder_errors_free (&self->decoder_errors);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (gst_llavaov_parent_class)->finalize (object);
}

static void
dispose (GObject * object)
{
  GstLlavaov *self = GST_LLAVAOV (object);

  if (self->inner)
    gst_llavaov_host_set (GST_LLAVAOV_ELEMENT (self->inner), NULL);
  if (self->nothing)
    detach_nothing (self);
  gst_clear_object (&self->nothing);
  gst_clear_object (&self->inner);
  G_OBJECT_CLASS (gst_llavaov_parent_class)->dispose (object);
}

static void
gst_llavaov_class_init (GstLlavaovClass * klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->dispose = dispose;
  object_class->finalize = finalize;
  gst_llavaov_properties_install (object_class);

  element_class->change_state = change_state;
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_add_static_pad_template (element_class, &text_template);
  gst_element_class_set_static_metadata (element_class,
      "LLaVA-OneVision for video", "Filter/Analyzer/Video",
      "Answers questions about video, raw or encoded, with a LLaVA-OneVision "
      "model", "The llavaov authors");
  GST_BIN_CLASS (klass)->handle_message = handle_message;
}

static void
gst_llavaov_init (GstLlavaov * self)
{
  GstPadTemplate *templ;
  GstPad *pad;

  g_mutex_init (&self->lock);
  gst_llavaov_decoder_errors_init (&self->decoder_errors);
  self->inner = g_object_new (GST_TYPE_LLAVAOV_ELEMENT, "name", "element",
      NULL);
  gst_object_ref_sink (self->inner);
  gst_llavaov_host_set (GST_LLAVAOV_ELEMENT (self->inner), GST_ELEMENT (self));
  gst_bin_add (GST_BIN (self), self->inner);

  templ = gst_static_pad_template_get (&sink_template);
  self->sinkpad = gst_ghost_pad_new_no_target_from_template ("sink", templ);
  gst_object_unref (templ);
  g_signal_connect (self->sinkpad, "linked", G_CALLBACK (sink_linked), self);
  gst_pad_set_query_function (self->sinkpad, sink_query);
  gst_pad_add_probe (self->sinkpad, GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM,
      sink_probe, self, NULL);
  self->nothing = gst_pad_new ("nothing", GST_PAD_SRC);
  attach_nothing (self);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);

  templ = gst_static_pad_template_get (&src_template);
  pad = gst_element_get_static_pad (self->inner, "src");
  self->srcpad = gst_ghost_pad_new_from_template ("src", pad, templ);
  gst_object_unref (pad);
  gst_object_unref (templ);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}
