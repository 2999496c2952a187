/* SPDX-License-Identifier: Apache-2.0
 *
 * SECTION:element-llavaovoverlay
 *
 * gst-launch-1.0 videotestsrc pattern=ball num-buffers=300 ! llavaov ! llavaovoverlay ! autovideosink
 */
#include "gstllavaovoverlay.h"

#include "overlay-caps.h"
#include "overlay-frame.h"

GST_DEBUG_CATEGORY (gst_llavaov_overlay_debug);
#define GST_CAT_DEFAULT gst_llavaov_overlay_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_LLAVAOV_OVERLAY_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_LLAVAOV_OVERLAY_CAPS));

G_DEFINE_TYPE (GstLlavaovOverlay, gst_llavaov_overlay, GST_TYPE_ELEMENT);
GST_ELEMENT_REGISTER_DEFINE (llavaovoverlay, "llavaovoverlay", GST_RANK_NONE,
    GST_TYPE_LLAVAOV_OVERLAY);

static void
forget_picture (GstLlavaovOverlay * self)
{
  self->is_drawn = FALSE;
  g_clear_pointer (&self->drawn, gst_video_overlay_composition_unref);
}

static void
forget_answer (GstLlavaovOverlay * self)
{
  gst_llavaov_overlay_answer_forget (&self->answer);
  forget_picture (self);
}

/* Draws what there is to see at this time, unless that is drawn already. */
static void
update (GstLlavaovOverlay * self, GstBuffer * buffer)
{
  GstClockTime now = gst_segment_to_running_time (&self->segment,
      GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  gboolean another, counts, missing;
  GstLlavaovOverlaySettings settings;
  GPtrArray *lines;

  another = gst_llavaov_overlay_answer_take (&self->answer, buffer, now);
  GST_OBJECT_LOCK (self);
  another |= self->changed;
  self->changed = FALSE;
  settings = self->settings;
  settings.style.font = g_strdup (settings.style.font);
  GST_OBJECT_UNLOCK (self);
  counts = gst_llavaov_overlay_answer_counts (&self->answer, now,
      settings.hold_time);
  if (another || !counts)
    forget_picture (self);
  if (counts && !self->is_drawn) {
    lines = gst_llavaov_overlay_lines (self->answer.latest, settings.show);
    self->drawn = gst_llavaov_overlay_draw (self->fonts, lines,
        &settings.style, &self->info, &missing);
    if (!self->attach)
      self->drawn = gst_llavaov_overlay_recolour (self->drawn, &self->info);
    self->is_drawn = TRUE;
    GST_LOG_OBJECT (self, "drew %u answers", lines->len);
    g_ptr_array_unref (lines);
    if (missing && !self->told_missing) {
      self->told_missing = TRUE;
      GST_ELEMENT_WARNING (self, RESOURCE, NOT_FOUND,
          ("No font has some of the answer's characters: they are drawn as "
              "boxes. On Debian, Chinese is in fonts-noto-cjk or "
              "fonts-wqy-microhei."), (NULL));
    }
  }
  gst_llavaov_overlay_settings_clear (&settings);
}

static gboolean
negotiate (GstLlavaovOverlay * self, GstCaps * caps)
{
  GstVideoInfo info;
  GstCaps *out;
  gboolean sent, attached = self->attach;

  self->negotiated = FALSE;
  if (!gst_video_info_from_caps (&info, caps))
    return FALSE;
  out = gst_llavaov_overlay_decide (self->srcpad, caps, &self->attach);
  if (out == NULL) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("llavaovoverlay cannot draw on this video, nor does an element behind "
            "it draw overlays: bring it to main memory first, for example by "
            "\"! cudadownload ! videoconvert ! llavaovoverlay\" or "
            "\"! gldownload ! videoconvert ! llavaovoverlay\"."),
        ("%" GST_PTR_FORMAT, caps));
    return FALSE;
  }
  if (attached != self->attach || !gst_video_info_is_equal (&info, &self->info))
    forget_picture (self);
  self->info = info;
  GST_DEBUG_OBJECT (self, "%s: %" GST_PTR_FORMAT,
      self->attach ? "attaches" : "blends", out);
  sent = gst_pad_push_event (self->srcpad, gst_event_new_caps (out));
  gst_caps_unref (out);
  self->negotiated = sent;
  return sent;
}

/* Somebody downstream may draw now what nobody did, or the other way round. */
static gboolean
renegotiate (GstLlavaovOverlay * self)
{
  GstCaps *caps = gst_pad_get_current_caps (self->sinkpad);
  gboolean done = caps && negotiate (self, caps);

  gst_clear_caps (&caps);
  return done;
}

static GstFlowReturn
chain (GstPad * pad, GstObject * parent, GstBuffer * buffer)
{
  GstLlavaovOverlay *self = GST_LLAVAOV_OVERLAY (parent);

  if (gst_pad_check_reconfigure (self->srcpad) && !renegotiate (self))
    gst_pad_mark_reconfigure (self->srcpad);
  if (!self->negotiated) {
    GstFlowReturn why = GST_PAD_IS_FLUSHING (self->srcpad) ?
        GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;

    gst_buffer_unref (buffer);
    return why;
  }
  update (self, buffer);
  if (self->drawn)
    buffer = self->attach ? gst_llavaov_overlay_attach (self->drawn, buffer) :
        gst_llavaov_overlay_blend (self->drawn, &self->info, buffer);
  return gst_pad_push (self->srcpad, buffer);
}

static gboolean
sink_event (GstPad * pad, GstObject * parent, GstEvent * event)
{
  GstLlavaovOverlay *self = GST_LLAVAOV_OVERLAY (parent);
  GstCaps *caps;
  gboolean done;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      gst_pad_check_reconfigure (self->srcpad);
      done = negotiate (self, caps);
      gst_event_unref (event);
      return done;
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment (event, &self->segment);
      break;
    case GST_EVENT_STREAM_START:
      forget_answer (self);
      break;
    case GST_EVENT_FLUSH_STOP:
      gst_segment_init (&self->segment, GST_FORMAT_TIME);
      forget_answer (self);
      break;
    default:
      break;
  }
  return gst_pad_event_default (pad, parent, event);
}

static gboolean
query (GstPad * pad, GstObject * parent, GstQuery * query)
{
  GstLlavaovOverlay *self = GST_LLAVAOV_OVERLAY (parent);
  GstCaps *filter, *caps;
  gboolean accepted;

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_CAPS:
      gst_query_parse_caps (query, &filter);
      caps = gst_llavaov_overlay_get_caps (pad,
          pad == self->sinkpad ? self->srcpad : self->sinkpad, filter);
      gst_query_set_caps_result (query, caps);
      gst_caps_unref (caps);
      return TRUE;
    case GST_QUERY_ACCEPT_CAPS:
      if (!gst_pad_query_default (pad, parent, query))
        return FALSE;
      gst_query_parse_accept_caps_result (query, &accepted);
      gst_query_parse_accept_caps (query, &caps);
      /* The caps event says with a sentence what is wrong with them. */
      if (!accepted && pad == self->sinkpad
          && gst_llavaov_overlay_foreign (caps))
        gst_query_set_accept_caps_result (query, TRUE);
      return TRUE;
    default:
      return gst_pad_query_default (pad, parent, query);
  }
}

static GstStateChangeReturn
change_state (GstElement * element, GstStateChange transition)
{
  GstLlavaovOverlay *self = GST_LLAVAOV_OVERLAY (element);
  GstStateChangeReturn result;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY) {
    self->fonts = gst_llavaov_overlay_fonts ();
    if (self->fonts == NULL) {
      GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
          ("This system has no fonts to draw an answer with: install some, on "
              "Debian for example fonts-dejavu-core."), (NULL));
      return GST_STATE_CHANGE_FAILURE;
    }
  }
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    gst_segment_init (&self->segment, GST_FORMAT_TIME);
    self->told_missing = FALSE;
  }
  result = GST_ELEMENT_CLASS (gst_llavaov_overlay_parent_class)->change_state
      (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    forget_answer (self);
    self->negotiated = FALSE;
  }
  if (transition == GST_STATE_CHANGE_READY_TO_NULL)
    g_clear_object (&self->fonts);
  return result;
}

static void
set_property (GObject * object, guint id, const GValue * value,
    GParamSpec * pspec)
{
  GstLlavaovOverlay *self = GST_LLAVAOV_OVERLAY (object);
  gboolean known;

  GST_OBJECT_LOCK (self);
  known = gst_llavaov_overlay_settings_set (&self->settings, id, value);
  self->changed = TRUE;
  GST_OBJECT_UNLOCK (self);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  GstLlavaovOverlay *self = GST_LLAVAOV_OVERLAY (object);
  gboolean known;

  GST_OBJECT_LOCK (self);
  known = gst_llavaov_overlay_settings_get (&self->settings, id, value);
  GST_OBJECT_UNLOCK (self);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
finalize (GObject * object)
{
  GstLlavaovOverlay *self = GST_LLAVAOV_OVERLAY (object);

  forget_answer (self);
  g_clear_object (&self->fonts);
  gst_llavaov_overlay_settings_clear (&self->settings);
  G_OBJECT_CLASS (gst_llavaov_overlay_parent_class)->finalize (object);
}

static void
gst_llavaov_overlay_class_init (GstLlavaovOverlayClass * klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_llavaov_overlay_debug, "llavaovoverlay", 0,
      "answers drawn on video");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  gst_llavaov_overlay_settings_install (object_class);
  element_class->change_state = change_state;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class,
      "LLaVA-OneVision answers on the video", "Filter/Editor/Video",
      "Draws the answers of llavaov on the video", "llavaov");
}

static void
gst_llavaov_overlay_init (GstLlavaovOverlay * self)
{
  gst_llavaov_overlay_settings_init (&self->settings);
  gst_video_info_init (&self->info);
  gst_segment_init (&self->segment, GST_FORMAT_TIME);
  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sinkpad, chain);
  gst_pad_set_event_function (self->sinkpad, sink_event);
  gst_pad_set_query_function (self->sinkpad, query);
  GST_PAD_SET_PROXY_ALLOCATION (self->sinkpad);
  GST_PAD_SET_ACCEPT_INTERSECT (self->sinkpad);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);
  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_query_function (self->srcpad, query);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}
