/* SPDX-License-Identifier: Apache-2.0 */

/**
 * SECTION:element-llavaov
 * @title: llavaov
 * @see_also: llavaovelement
 *
 * Answers questions about video with a LLaVA-OneVision model, whatever the video comes as: raw, from an RTSP camera, from
 * a file. What is not raw goes through a decoder of its own choice. The src pad carries the video untouched; only decoded
 * video is converted, where the next element takes another format.
 *
 * ## Examples
 * |[
 * gst-launch-1.0 -v rtspsrc location=rtsp://camera/stream ! llavaov prompt="Is the door open?" ! fakesink
 * gst-launch-1.0 -v filesrc location=clip.mp4 ! llavaov ! fakesink
 * ]|
 */
#include "gstllavaov.h"

#include "ask.h"
#include "bin-decoder.h"
#include "bin-input.h"
#include "host.h"
#include "properties.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* Not ANY: delayed links pick the first pad that fits, and of a camera's pads that must be the video. */
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

G_DEFINE_TYPE (GstLlavaov, gst_llavaov, GST_TYPE_BIN);
GST_ELEMENT_REGISTER_DEFINE (llavaov, "llavaov", GST_RANK_NONE,
    GST_TYPE_LLAVAOV);

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
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    GstElement *decoder = gst_llavaov_bin_decoder_without_video (self);

    if (decoder && gst_object_has_as_ancestor (GST_MESSAGE_SRC (message),
            GST_OBJECT (decoder)))
      message = gst_llavaov_decoder_errors_explain (&self->decoder_errors,
          decoder, GST_OBJECT (self), message);
    gst_clear_object (&decoder);
  }
  GST_BIN_CLASS (gst_llavaov_parent_class)->handle_message (bin, message);
}

static void
deep_element_added (GstBin * bin, GstBin * sub_bin, GstElement * element)
{
  GstLlavaov *self = GST_LLAVAOV (bin);

  if (sub_bin != bin)
    gst_llavaov_keyframe_filters_add (&self->keyframe_filters, element);
  GST_BIN_CLASS (gst_llavaov_parent_class)->deep_element_added (bin, sub_bin,
      element);
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
  else if (id == GST_LLAVAOV_PROP_STATS)
    gst_llavaov_keyframe_filters_add_stats (&self->keyframe_filters,
        g_value_get_boxed (value));
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

/* The bin starts its children in the order of their links, and the decoder is not linked yet: if it were first, its video could
 * reach elements that are not active. */
static gboolean
start_inside (GstLlavaov * self)
{
  GstElement *converter = gst_llavaov_bin_converter (self);
  gboolean started =
      gst_element_set_state (self->inner, GST_STATE_PAUSED) !=
      GST_STATE_CHANGE_FAILURE && (converter == NULL
      || gst_element_set_state (converter,
          GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE);

  gst_clear_object (&converter);
  return started;
}

static GstStateChangeReturn
change_state (GstElement * element, GstStateChange transition)
{
  GstLlavaov *self = GST_LLAVAOV (element);
  GstStateChangeReturn result;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY &&
      !gst_llavaov_bin_is_chosen (self) && gst_pad_is_linked (self->sinkpad))
    gst_llavaov_bin_choose_by_peer (self);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    gst_llavaov_keyframe_filters_start (&self->keyframe_filters);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start_inside (self))
    return GST_STATE_CHANGE_FAILURE;

  result = GST_ELEMENT_CLASS (gst_llavaov_parent_class)->change_state (element,
      transition);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED &&
      result == GST_STATE_CHANGE_FAILURE)
    gst_element_set_state (self->inner, GST_STATE_READY);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL)
    gst_llavaov_bin_remove_decoder (self);
  return result;
}

static guint64
ask (GstElement * element, const GstStructure * fields)
{
  return gst_llavaov_ask (GST_LLAVAOV_ELEMENT (GST_LLAVAOV (element)->inner),
      fields);
}

static gboolean
send_event (GstElement * element, GstEvent * event)
{
  GstLlavaov *self = GST_LLAVAOV (element);

  return gst_llavaov_ask_event (GST_LLAVAOV_ELEMENT (self->inner), event) ||
      GST_ELEMENT_CLASS (gst_llavaov_parent_class)->send_event (element, event);
}

static void
finalize (GObject * object)
{
  GstLlavaov *self = GST_LLAVAOV (object);

  gst_llavaov_keyframe_filters_free (&self->keyframe_filters);
  gst_llavaov_decoder_plugging_free (&self->decoder_plugging);
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
    gst_llavaov_bin_detach_nothing (self);
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
  gst_llavaov_ask_install (G_TYPE_FROM_CLASS (klass), G_CALLBACK (ask));

  element_class->change_state = change_state;
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;
  element_class->send_event = send_event;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_add_static_pad_template (element_class, &text_template);
  gst_element_class_set_static_metadata (element_class,
      "LLaVA-OneVision for video", "Filter/Analyzer/Video",
      "Answers questions about video, raw or encoded, with a LLaVA-OneVision "
      "model", "The llavaov authors");
  GST_BIN_CLASS (klass)->handle_message = handle_message;
  GST_BIN_CLASS (klass)->deep_element_added = deep_element_added;
}

static void
gst_llavaov_init (GstLlavaov * self)
{
  GstPadTemplate *templ;
  GstPad *pad;

  g_mutex_init (&self->lock);
  gst_llavaov_decoder_errors_init (&self->decoder_errors);
  gst_llavaov_decoder_plugging_init (&self->decoder_plugging);
  self->inner = g_object_new (GST_TYPE_LLAVAOV_ELEMENT, "name", "element",
      NULL);
  gst_object_ref_sink (self->inner);
  gst_llavaov_keyframe_filters_init (&self->keyframe_filters,
      GST_LLAVAOV_ELEMENT (self->inner));
  gst_llavaov_host_set (GST_LLAVAOV_ELEMENT (self->inner), GST_ELEMENT (self));
  gst_bin_add (GST_BIN (self), self->inner);

  templ = gst_static_pad_template_get (&sink_template);
  self->sinkpad = gst_ghost_pad_new_no_target_from_template ("sink", templ);
  gst_object_unref (templ);
  gst_llavaov_bin_input_setup (self);
  self->nothing = gst_pad_new ("nothing", GST_PAD_SRC);
  gst_llavaov_bin_attach_nothing (self);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);

  templ = gst_static_pad_template_get (&src_template);
  pad = gst_element_get_static_pad (self->inner, "src");
  self->srcpad = gst_ghost_pad_new_from_template ("src", pad, templ);
  gst_object_unref (pad);
  gst_object_unref (templ);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}
