/* SPDX-License-Identifier: Apache-2.0 */
#include "keyframe-filter.h"

#include <gst/video/gstvideodecoder.h>

#include "errors.h"
#include "h264.h"
#include "keyframes.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* Distances of keyframes that are enough for motion, which looks at four pictures a second. */
#define MOTION_GAP (250 * GST_MSECOND)
/* A keyframe that continues what was left out, this far behind it at most, is no break. */
#define CONTINUES (GST_SECOND)

/* One decoder. The lock guards what both of its pads use; the rest is the sink pad's streaming thread's. */
typedef struct
{
  gint refs;
  GstLlavaovKeyframeFilters *filters;

  GMutex lock;
  GstLlavaovKeyframes keyframes;
  gboolean backwards;           /* played so: all is decoded */
  guint32 still;                /* seqnum of the latest still-frame event of our own */
  gboolean healing;             /* decoded from the middle on: broken pictures are left out */
  gboolean marked;              /* ... which the decoder marks; else it is all until `healed` */
  GstClockTime healed;          /* ... until then at most */

  GstSegment segment;
  gboolean passing;             /* a keyframe is on its way through sink_buffer() */
  gboolean h264;
  guint length_size;            /* as in h264.h */
  gboolean by_unit;             /* a picture is in several buffers, the last with a MARKER */
  gboolean undrained;           /* a keyframe is in the decoder that no still-frame event follows yet */
  GstClockTime position;        /* up to which there were frames and gaps, or NONE */
  GstFlowReturn flow;           /* what came of the latest unit that was decoded */

  const gchar *told;            /* the source pad's alone: the latest word behind the decoder */
} Filter;

static void
filter_unref (gpointer data)
{
  Filter *filter = data;

  if (!g_atomic_int_dec_and_test (&filter->refs))
    return;
  g_mutex_clear (&filter->lock);
  g_free (filter);
}

static void
warn (GstLlavaovKeyframeFilters * filters, GstLlavaovDecode decode,
    const gchar * text)
{
  LlavaovError error = { LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "decode",
    ""
  };

  g_strlcpy (error.message, text, sizeof (error.message));
  gst_llavaov_post_warning (GST_ELEMENT (filters->element), &error,
      decode == GST_LLAVAOV_DECODE_AUTO ? "decode=auto" : "decode=keyframes");
}

static void
find_limits (GstLlavaovElement * element, GstLlavaovKeyframeLimits * limits)
{
  const GstLlavaovSettings *settings = &element->settings;

  GST_OBJECT_LOCK (element);
  limits->patience = settings->window <= G_MAXINT64 / 2 ? 2 * settings->window :
      G_MAXINT64;
  limits->longest_gap = settings->window / settings->frames;
  if (settings->trigger & GST_LLAVAOV_TRIGGER_MOTION)
    limits->longest_gap = MIN (limits->longest_gap, MOTION_GAP);
  if (settings->sampling == GST_LLAVAOV_SAMPLING_CLIP)
    limits->longest_gap = 0;    /* how long it is, its end says */
  GST_OBJECT_UNLOCK (element);
}

static void
send_still_frame (Filter * filter, GstPad * pad)
{
  GstEvent *event = gst_video_event_new_still_frame (TRUE);

  g_mutex_lock (&filter->lock);
  filter->still = gst_event_get_seqnum (event);
  g_mutex_unlock (&filter->lock);
  filter->undrained = FALSE;
  gst_pad_send_event (pad, event);
}

static GstClockTime
end_of (GstBuffer * buffer)
{
  GstClockTime end = GST_BUFFER_PTS (buffer);

  if (GST_CLOCK_TIME_IS_VALID (end) && GST_BUFFER_DURATION_IS_VALID (buffer))
    end += MIN (GST_BUFFER_DURATION (buffer), GST_SECOND);
  return end;
}

/* In place of a unit that is left out: no frame comes up to its end. */
static void
send_gap (Filter * filter, GstPad * pad, GstClockTime end)
{
  GstClockTime from = filter->position;

  if (!GST_CLOCK_TIME_IS_VALID (from) || !GST_CLOCK_TIME_IS_VALID (end) ||
      end <= from || filter->segment.format != GST_FORMAT_TIME)
    return;
  filter->position = end;
  gst_pad_send_event (pad, gst_event_new_gap (from, end - from));
}

/* Takes the buffer. */
static void
decode_keyframe (Filter * filter, GstPad * pad, GstBuffer * buffer)
{
  gboolean complete = !filter->by_unit ||
      GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_MARKER);
  GstClockTime start = GST_BUFFER_PTS (buffer), end = end_of (buffer);

  if (GST_BUFFER_IS_DISCONT (buffer) && GST_CLOCK_TIME_IS_VALID (start) &&
      GST_CLOCK_TIME_IS_VALID (filter->position) &&
      start < filter->position + CONTINUES
      && start + CONTINUES > filter->position) {
    buffer = gst_buffer_make_writable (buffer);
    GST_BUFFER_FLAG_UNSET (buffer, GST_BUFFER_FLAG_DISCONT);
  }
  filter->passing = TRUE;
  filter->flow = gst_pad_chain (pad, buffer);
  filter->passing = FALSE;
  /* Where nobody says how long it lasts, the gap begins right behind its start. */
  filter->position = GST_CLOCK_TIME_IS_VALID (end) && end == start ? end + 1 :
      end;
  filter->undrained = TRUE;
  if (complete)
    send_still_frame (filter, pad);
}

static void
skip (Filter * filter, GstPad * pad, GstBuffer * buffer)
{
  if (filter->undrained)
    send_still_frame (filter, pad);
  g_mutex_lock (&filter->filters->lock);
  filter->filters->n_skipped++;
  g_mutex_unlock (&filter->filters->lock);
  send_gap (filter, pad, end_of (buffer));
}

/* There has been no keyframe for too long. */
static void
fall_back (Filter * filter)
{
  GstLlavaovKeyframeFilters *filters = filter->filters;
  gboolean tell;

  g_mutex_lock (&filters->lock);
  tell = !filters->warned_lacking;
  filters->warned_lacking = TRUE;
  g_mutex_unlock (&filters->lock);
  if (tell)
    warn (filters, filter->keyframes.mode,
        "there was no keyframe for the length of "
        "two windows, so all frames are decoded. Keyframes may be set further "
        "apart than that, or the camera refreshes its pictures bit by bit "
        "(intra refresh)");
}

/* Whether a unit depends on no other one. */
static gboolean
is_whole (const Filter * filter, GstBuffer * buffer)
{
  gboolean whole = !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  GstMapInfo map;

  if (!whole || !filter->h264 || !gst_buffer_map (buffer, &map, GST_MAP_READ))
    return whole;
  whole = gst_llavaov_h264_is_intra (map.data, map.size, filter->length_size);
  gst_buffer_unmap (buffer, &map);
  return whole;
}

/* In front of the decoder. */
static GstPadProbeReturn
sink_buffer (Filter * filter, GstPad * pad, GstPadProbeInfo * info)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  gboolean is_keyframe;
  GstClockTime time = GST_BUFFER_PTS_IS_VALID (buffer) ?
      GST_BUFFER_PTS (buffer) : GST_BUFFER_DTS (buffer);
  GstLlavaovKeyframeLimits limits;
  gboolean decoded, lacking, before, only;

  if (filter->passing || filter->backwards)
    return GST_PAD_PROBE_OK;
  if (filter->by_unit &&
      GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER))
    return GST_PAD_PROBE_OK;
  is_keyframe = is_whole (filter, buffer);
  find_limits (filter->filters->element, &limits);
  g_mutex_lock (&filter->lock);
  before = filter->keyframes.only;
  decoded = gst_llavaov_keyframes_take (&filter->keyframes, is_keyframe, time,
      &limits, &lacking);
  only = filter->keyframes.only;
  filter->healing &= !is_keyframe;
  if (before && decoded && !is_keyframe) {
    filter->healing = GST_CLOCK_TIME_IS_VALID (time);
    filter->marked = filter->h264;
    filter->healed = time + (filter->marked ? limits.patience :
        limits.patience / 2);
  }
  g_mutex_unlock (&filter->lock);

  if (lacking)
    fall_back (filter);
  if (decoded && !only) {
    filter->position = GST_CLOCK_TIME_NONE;
    return GST_PAD_PROBE_OK;
  }
  if (decoded) {
    if (!before)
      send_still_frame (filter, pad);   /* frames so far are the last of all */
    decode_keyframe (filter, pad, buffer);
  } else {
    skip (filter, pad, buffer);
    gst_buffer_unref (buffer);
  }
  GST_PAD_PROBE_INFO_FLOW_RETURN (info) = filter->flow;
  return GST_PAD_PROBE_HANDLED;
}

static void
sink_caps (Filter * filter, GstEvent * event)
{
  const GstStructure *structure;
  const GValue *value;
  GstBuffer *data = NULL;
  guint8 sizes = 3;
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  structure = gst_caps_get_structure (caps, 0);
  filter->by_unit = !g_strcmp0 (gst_structure_get_string (structure,
          "alignment"), "nal");
  filter->h264 = gst_structure_has_name (structure, "video/x-h264");
  filter->length_size = 0;
  if (!filter->h264 || !g_strcmp0 (gst_structure_get_string (structure,
              "stream-format"), "byte-stream"))
    return;
  value = gst_structure_get_value (structure, "codec_data");
  if (value && GST_VALUE_HOLDS_BUFFER (value))
    data = gst_value_get_buffer (value);
  if (data)
    gst_buffer_extract (data, 4, &sizes, 1);
  filter->length_size = (sizes & 3) + 1;
}

static GstPadProbeReturn
sink_probe (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  Filter *filter = data;
  GstEvent *event;

  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER)
    return sink_buffer (filter, pad, info);
  event = GST_PAD_PROBE_INFO_EVENT (info);
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      sink_caps (filter, event);
      break;
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment (event, &filter->segment);
      g_mutex_lock (&filter->lock);
      filter->backwards = filter->segment.rate < 0;
      g_mutex_unlock (&filter->lock);
      break;
    case GST_EVENT_FLUSH_STOP:
    case GST_EVENT_STREAM_START:
      filter->flow = GST_FLOW_OK;
      filter->position = GST_CLOCK_TIME_NONE;
      filter->undrained = FALSE;
      g_mutex_lock (&filter->lock);
      gst_llavaov_keyframes_jump (&filter->keyframes);
      g_mutex_unlock (&filter->lock);
      break;
    default:
      break;
  }
  return GST_PAD_PROBE_OK;
}

/* Frames come as they come. They keep what they last; what is between them is in no frame. */
static void
vary_framerate (GstPadProbeInfo * info)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info), *said;
  gint numerator = 0, denominator = 1;
  GstStructure *structure;
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  caps = gst_caps_copy (caps);
  structure = gst_caps_get_structure (caps, 0);
  gst_structure_get_fraction (structure, "framerate", &numerator, &denominator);
  if (numerator)
    gst_structure_set (structure, "framerate", GST_TYPE_FRACTION, 0, 1,
        "max-framerate", GST_TYPE_FRACTION, numerator, denominator, NULL);
  said = gst_event_new_caps (caps);
  gst_event_set_seqnum (said, gst_event_get_seqnum (event));
  gst_caps_unref (caps);
  gst_event_unref (event);
  GST_PAD_PROBE_INFO_DATA (info) = said;
}

/* Behind the decoder. */
static GstPadProbeReturn
src_buffer (Filter * filter, GstPad * pad, GstBuffer * buffer)
{
  const gchar *word;
  gboolean broken;

  g_mutex_lock (&filter->lock);
  word = filter->keyframes.only && !filter->backwards ? "keyframes" : "all";
  filter->healing &= GST_BUFFER_PTS_IS_VALID (buffer) &&
      GST_BUFFER_PTS (buffer) < filter->healed && (!filter->marked ||
      GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_CORRUPTED));
  broken = filter->healing;
  g_mutex_unlock (&filter->lock);
  if (broken)
    return GST_PAD_PROBE_DROP;
  if (filter->told != word) {
    filter->told = word;
    gst_pad_push_event (pad, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
            gst_structure_new (GST_LLAVAOV_DECODED_EVENT_NAME, "decoded",
                G_TYPE_STRING, word, NULL)));
  }
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
src_probe (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  Filter *filter = data;
  GstEvent *event;
  gboolean in_still, ours;

  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER)
    return src_buffer (filter, pad, GST_PAD_PROBE_INFO_BUFFER (info));
  event = GST_PAD_PROBE_INFO_EVENT (info);
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS)
    vary_framerate (info);
  if (!gst_video_event_parse_still_frame (event, &in_still))
    return GST_PAD_PROBE_OK;
  g_mutex_lock (&filter->lock);
  ours = filter->still == gst_event_get_seqnum (event);
  g_mutex_unlock (&filter->lock);
  return ours ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

/* Pictures that are all keyframes: there is nothing to leave out. */
static gboolean
is_intra_only (GstPad * sink)
{
  GstCaps *caps = gst_pad_get_pad_template_caps (sink);
  guint i, n = gst_caps_get_size (caps), intra = 0;

  for (i = 0; i < n; i++)
    intra += g_str_has_prefix (gst_structure_get_name (gst_caps_get_structure
            (caps, i)), "image/");
  gst_caps_unref (caps);
  return intra == n;
}

static void
add_probes (GstLlavaovKeyframeFilters * filters, GstLlavaovDecode decode,
    GstVideoDecoder * decoder)
{
  GstPad *sink = GST_VIDEO_DECODER_SINK_PAD (decoder);
  GstPad *src = GST_VIDEO_DECODER_SRC_PAD (decoder);
  Filter *filter;

  if (is_intra_only (sink))
    return;
  filter = g_new0 (Filter, 1);
  filter->refs = 2;
  filter->filters = filters;
  g_mutex_init (&filter->lock);
  gst_llavaov_keyframes_init (&filter->keyframes, decode);
  gst_segment_init (&filter->segment, GST_FORMAT_UNDEFINED);
  filter->position = GST_CLOCK_TIME_NONE;
  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_BUFFER |
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH,
      sink_probe, filter, filter_unref);
  gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_BUFFER |
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, src_probe, filter, filter_unref);
}

void
gst_llavaov_keyframe_filters_init (GstLlavaovKeyframeFilters * filters,
    GstLlavaovElement * element)
{
  memset (filters, 0, sizeof (*filters));
  g_mutex_init (&filters->lock);
  filters->element = element;
}

void
gst_llavaov_keyframe_filters_free (GstLlavaovKeyframeFilters * filters)
{
  g_mutex_clear (&filters->lock);
}

void
gst_llavaov_keyframe_filters_start (GstLlavaovKeyframeFilters * filters)
{
  GstLlavaovDecode decode;

  GST_OBJECT_LOCK (filters->element);
  decode = filters->element->settings.decode;
  GST_OBJECT_UNLOCK (filters->element);
  g_mutex_lock (&filters->lock);
  filters->decode = decode;
  filters->n_decoders = 0;
  filters->n_skipped = 0;
  filters->warned_lacking = filters->warned_useless = FALSE;
  g_mutex_unlock (&filters->lock);
}

void
gst_llavaov_keyframe_filters_add (GstLlavaovKeyframeFilters * filters,
    GstElement * element)
{
  GstLlavaovDecode decode;

  if (!GST_IS_VIDEO_DECODER (element))
    return;
  g_mutex_lock (&filters->lock);
  filters->n_decoders++;
  decode = filters->decode;
  g_mutex_unlock (&filters->lock);
  if (decode != GST_LLAVAOV_DECODE_ALL)
    add_probes (filters, decode, GST_VIDEO_DECODER (element));
}

/* Whether this is to be told, which it is once. */
static gboolean
is_useless (GstLlavaovKeyframeFilters * filters, gboolean raw,
    GstLlavaovDecode * decode)
{
  gboolean tell;

  g_mutex_lock (&filters->lock);
  tell = filters->decode != GST_LLAVAOV_DECODE_ALL && !filters->warned_useless
      && (raw || filters->n_decoders == 0);
  filters->warned_useless |= tell;
  *decode = filters->decode;
  g_mutex_unlock (&filters->lock);
  return tell;
}

void
gst_llavaov_keyframe_filters_raw (GstLlavaovKeyframeFilters * filters)
{
  GstLlavaovDecode decode;

  if (is_useless (filters, TRUE, &decode))
    warn (filters, decode, "the video comes decoded, so this does "
        "nothing. Give llavaov what is encoded, without a decoder in front");
}

void
gst_llavaov_keyframe_filters_video (GstLlavaovKeyframeFilters * filters)
{
  GstLlavaovDecode decode;

  if (is_useless (filters, FALSE, &decode))
    warn (filters, decode, "nothing is known of the decoder that was "
        "found, so all frames are decoded");
}

void
gst_llavaov_keyframe_filters_add_stats (GstLlavaovKeyframeFilters * filters,
    GstStructure * stats)
{
  g_mutex_lock (&filters->lock);
  gst_structure_set (stats, "skipped-units", G_TYPE_UINT64, filters->n_skipped,
      NULL);
  g_mutex_unlock (&filters->lock);
}
