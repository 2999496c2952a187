/* SPDX-License-Identifier: Apache-2.0
 *
 * decode: which units reach the decoder, and what comes out of llavaov then. 4 s at 25 frames a second, a keyframe every second. */
#include "pipeline.h"

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include "../../gst/h264.h"
#include "../../gst/keyframes.h"

#define FRAME (40 * GST_MSECOND)
#define MS GST_MSECOND
#define VIDEO "videotestsrc num-buffers=100 ! " \
    "video/x-raw, format=I420, width=64, height=48, framerate=25/1 ! "
#define X264(bframes) "x264enc key-int-max=25 speed-preset=ultrafast " \
    "b-adapt=false bframes=" #bframes " option-string=scenecut=0 ! h264parse"
#define X265(bframes) "x265enc key-int-max=25 speed-preset=ultrafast " \
    "option-string=scenecut=0:b-adapt=0:open-gop=0:bframes=" #bframes " ! h265parse"
#define KEYFRAMES "llavaov name=l device=fake: prompt=q frames=2 " \
    "window=1000000000 decode=keyframes "

/* What a pad has seen. */
typedef struct
{
  GArray *times;                /* of frames, GstClockTime */
  GPtrArray *units;             /* the buffers, if they are wanted */
  GstCaps *caps;                /* the latest */
  guint n_caps;
  GstClockTime end;             /* of the latest frame or gap */
  guint n_gaps, n_holes;        /* n_holes: times at which neither a frame nor a gap began where the latest ended */
  gboolean still_frames;
  gchar *decoded;               /* the field of the latest answer's meta */
} Seen;

static void
seen_init (Seen * seen)
{
  memset (seen, 0, sizeof (*seen));
  seen->times = g_array_new (FALSE, FALSE, sizeof (GstClockTime));
  seen->units =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  seen->end = GST_CLOCK_TIME_NONE;
}

static void
seen_clear (Seen * seen)
{
  g_array_unref (seen->times);
  g_ptr_array_unref (seen->units);
  gst_clear_caps (&seen->caps);
  g_free (seen->decoded);
}

static void
see_time (Seen * seen, GstClockTime start, GstClockTime duration)
{
  /* Containers round. */
  if (GST_CLOCK_TIME_IS_VALID (seen->end) &&
      ABS (GST_CLOCK_DIFF (seen->end, start)) > (gint64) FRAME)
    seen->n_holes++;
  seen->end = start + duration;
}

static GstPadProbeReturn
see (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  Seen *seen = data;
  GstClockTime start, duration;
  gboolean in_still;
  GstEvent *event;
  GstCaps *caps;

  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER) {
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
    GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, "GstLlavaovMeta");

    if (meta) {
      g_free (seen->decoded);
      seen->decoded = g_strdup (gst_structure_get_string
          (gst_custom_meta_get_structure (meta), "decoded"));
    }
    g_array_append_val (seen->times, GST_BUFFER_PTS (buffer));
    g_ptr_array_add (seen->units, gst_buffer_ref (buffer));
    see_time (seen, GST_BUFFER_PTS (buffer), GST_BUFFER_DURATION (buffer));
    return GST_PAD_PROBE_OK;
  }
  event = GST_PAD_PROBE_INFO_EVENT (info);
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    gst_event_parse_caps (event, &caps);
    gst_caps_replace (&seen->caps, caps);
    seen->n_caps++;
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_GAP) {
    gst_event_parse_gap (event, &start, &duration);
    seen->n_gaps++;
    see_time (seen, start, duration);
  }
  seen->still_frames |= gst_video_event_parse_still_frame (event, &in_still);
  return GST_PAD_PROBE_OK;
}

/* Runs a line that ends in the fakesink s, and looks at what comes there. The element l's stats, if there is one. */
static GstStructure *
run_and_see (Run * run, Seen * seen, const gchar * line)
{
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);
  GstElement *sink, *l;
  GstStructure *stats = NULL;
  GstPad *pad;

  fail_unless (error == NULL, "%s: %s", line, error ? error->message : "");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  l = gst_bin_get_by_name (GST_BIN (pipeline), "l");
  pad = gst_element_get_static_pad (sink, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER |
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, see, seen, NULL);
  run_pipeline (pipeline, run);
  if (l)
    g_object_get (l, "stats", &stats, NULL);
  gst_object_unref (pad);
  gst_object_unref (sink);
  gst_clear_object (&l);
  gst_object_unref (pipeline);
  return stats;
}

static guint64
count_of (const GstStructure * stats, const gchar * field)
{
  guint64 n = G_MAXUINT64;

  gst_structure_get_uint64 (stats, field, &n);
  return n;
}

static GstClockTime
time_of (const Seen * seen, guint i)
{
  return g_array_index (seen->times, GstClockTime, i);
}

/* Every second one; tsdemux moves the times of what is pushed to it. */
static void
expect_keyframes (const Seen * seen, guint n, const gchar * what)
{
  const gint64 tolerance = strstr (what, "ts") ? 100 * MS : MS;
  guint i;

  fail_unless (seen->times->len == n, "%s: %u of %u", what, seen->times->len,
      n);
  for (i = 0; i < n; i++)
    fail_unless (ABS (GST_CLOCK_DIFF (time_of (seen, 0) + i * GST_SECOND,
                time_of (seen, i))) <= tolerance, "%s: frame %u at %"
        GST_TIME_FORMAT, what, i, GST_TIME_ARGS (time_of (seen, i)));
}

/* codec x B-frames x container x transport */
static const struct
{
  const gchar *name, *encoder, *way;    /* a way that begins with ":" is a file of that name behind the muxer */
  guint n_skipped;
} streams[] = {
  {"h264 mp4", X264 (0), ":a.mp4 mp4mux", 96},
  {"h264 B mp4", X264 (3), ":a.mp4 mp4mux", 96},
  {"h264 B mkv", X264 (3), ":a.mkv matroskamux", 96},
  {"h264 B ts file", X264 (3), ":a.ts mpegtsmux", 96},
  {"h264 ts", X264 (0), "mpegtsmux", 96},
  {"h264 B ts", X264 (3), "mpegtsmux", 96},
  {"h264 rtp", X264 (0), "rtph264pay config-interval=1", 96},
  {"h264 B rtp", X264 (3), "rtph264pay config-interval=1", 96},
  {"h264 B avc", X264 (3), "video/x-h264, stream-format=avc", 96},
  {"h265 mp4", X265 (0), ":a.mp4 mp4mux", 96},
  {"h265 B mp4", X265 (3), ":a.mp4 mp4mux", 96},
  {"h265 B mkv", X265 (3), ":a.mkv matroskamux", 96},
  {"h265 ts", X265 (0), "mpegtsmux", 96},
  {"h265 B ts", X265 (3), "mpegtsmux", 96},
  {"h265 rtp", X265 (0), "rtph265pay config-interval=1", 96},
  {"h265 B rtp", X265 (3), "rtph265pay config-interval=1", 96},
  {"h264 open ts",
      "x264enc key-int-max=25 speed-preset=ultrafast b-adapt=false bframes=3 "
        "option-string=scenecut=0:open-gop=1 ! h264parse", "mpegtsmux", 96},
  {"h264 slices",
      "x264enc key-int-max=25 speed-preset=ultrafast "
        "option-string=scenecut=0:slices=3 ! h264parse", ":a.mp4 mp4mux", 96},
  {"vp8", "vp8enc keyframe-max-dist=25 deadline=1", ":a.webm webmmux", 96},
  /* vp9enc of GStreamer 1.22 forgets the last 13 frames. */
  {"vp9", "vp9enc keyframe-max-dist=25 deadline=1 cpu-used=8 ! vp9parse",
      ":a.webm webmmux", 83},
  {"av1", "av1enc keyframe-max-dist=25 cpu-used=8 usage-profile=realtime ! "
        "av1parse", ":a.mkv matroskamux", 96},
  {"mpeg2 B", "mpeg2enc max-gop-size=25 min-gop-size=25 ! mpegvideoparse",
      ":a.mkv matroskamux", 96},
};

static gchar *
line_of (guint i, const gchar * behind)
{
  const gchar *way = streams[i].way, *muxer = strchr (way, ' ');
  gchar *name, *line;
  Run run;

  if (*way != ':')
    return g_strconcat (VIDEO, streams[i].encoder, " ! ", way, " ! ", behind,
        NULL);
  name = g_strndup (way + 1, muxer - way - 1);
  run_line (&run, VIDEO "%s ! %s ! filesink location=%s/%s",
      streams[i].encoder, muxer + 1, folder, name);
  fail_unless (run.error == NULL, "%s", streams[i].name);
  run_clear (&run);
  line = g_strdup_printf ("filesrc location=%s/%s ! %s", folder, name, behind);
  g_free (name);
  return line;
}

GST_START_TEST (test_streams)
{
  const gchar *name = streams[__i__].name;
  gchar *line = line_of (__i__, KEYFRAMES "! fakesink name=s");
  gint numerator = -1, denominator = -1;
  GstStructure *caps, *stats;
  Seen seen;
  Run run;

  seen_init (&seen);
  stats = run_and_see (&run, &seen, line);
  fail_unless (run.eos && run.error == NULL, "%s: %s", name, run.error ?
      run.error->message : "");
  fail_unless_equals_int (run.warnings->len, 0);
  expect_keyframes (&seen, 4, name);
  fail_unless_equals_int (count_of (stats, "skipped-units"),
      streams[__i__].n_skipped);
  fail_unless (run.answers->len == 4 || (run.answers->len == 3
          && strstr (name, "ts")));
  fail_unless (seen.n_gaps > 0
      && seen.n_holes == 0, "%s: %u gaps, %u holes", name, seen.n_gaps,
      seen.n_holes);
  fail_unless (!seen.still_frames);
  fail_unless_equals_string (seen.decoded, "keyframes");
  caps = gst_caps_get_structure (seen.caps, 0);
  fail_unless_equals_int (seen.n_caps, 1);
  gst_structure_get_fraction (caps, "framerate", &numerator, &denominator);
  fail_unless_equals_int (numerator, 0);
  gst_structure_get_fraction (caps, "max-framerate", &numerator, &denominator);
  fail_unless_equals_int (numerator, 25 * denominator);
  gst_structure_free (stats);
  seen_clear (&seen);
  run_clear (&run);
  g_free (line);
}

GST_END_TEST;

/* A keyframe leaves before anything comes behind it. */
GST_START_TEST (test_at_once)
{
  static const gchar *const encoders[] = {
    X264 (0) " ! video/x-h264, stream-format=byte-stream, alignment=au",
    X264 (3) " ! video/x-h264, stream-format=byte-stream, alignment=au",
    X265 (0) " ! video/x-h265, stream-format=byte-stream, alignment=au",
    X265 (3) " ! video/x-h265, stream-format=byte-stream, alignment=au"
  };
  gchar *line = g_strconcat (VIDEO, encoders[__i__], " ! fakesink name=s",
      NULL);
  GstHarness *h;
  guint i, n = 0;
  Seen seen;
  Run run;

  seen_init (&seen);
  run_and_see (&run, &seen, line);
  run_clear (&run);
  h = gst_harness_new_parse ("llavaov device=fake: enabled=false "
      "decode=keyframes");
  gst_harness_set_src_caps (h, gst_caps_ref (seen.caps));
  for (i = 0; i < seen.units->len; i++) {
    GstBuffer *unit = g_ptr_array_index (seen.units, i);

    n += !GST_BUFFER_FLAG_IS_SET (unit, GST_BUFFER_FLAG_DELTA_UNIT);
    fail_unless_equals_int (gst_harness_push (h, gst_buffer_ref (unit)),
        GST_FLOW_OK);
    fail_unless (gst_harness_buffers_received (h) == n,
        "%s: %u frames behind unit %u", encoders[__i__],
        gst_harness_buffers_received (h), i);
  }
  fail_unless_equals_int (n, 4);
  gst_harness_teardown (h);
  seen_clear (&seen);
  g_free (line);
}

GST_END_TEST;

/* What stands behind src: encoders and muxers make files of it that have the times of the keyframes. */
GST_START_TEST (test_muxers)
{
  static const struct
  {
    const gchar *muxer, *demuxer;
  } ways[] = {
    {"x264enc bframes=0 ! h264parse ! mp4mux", "qtdemux"},
    {"x264enc ! h264parse ! mp4mux", "qtdemux"},
    {"x264enc tune=zerolatency ! h264parse ! flvmux", "flvdemux"},
    {"x264enc ! h264parse ! matroskamux", "matroskademux"},
    {"jpegenc ! matroskamux", "matroskademux"},
    {"textoverlay text=a ! x264enc ! h264parse ! matroskamux",
        "matroskademux"},
  };
  gchar *behind = g_strdup_printf (KEYFRAMES "! videoconvert ! %s ! "
      "filesink location=%s/out", ways[__i__].muxer, folder);
  gchar *line = line_of (1, behind), *back;
  GArray *sorted;
  guint i, j;
  Seen seen;
  Run run;

  run_line (&run, "%s", line);
  fail_unless (run.eos && run.error == NULL, "%s: %s", ways[__i__].muxer,
      run.error ? run.error->message : "");
  run_clear (&run);
  back = g_strdup_printf ("filesrc location=%s/out ! %s ! fakesink name=s",
      folder, ways[__i__].demuxer);
  seen_init (&seen);
  run_and_see (&run, &seen, back);
  fail_unless (run.eos && run.error == NULL);
  /* In the order in which they are shown. */
  sorted = seen.times;
  for (i = 0; i < sorted->len; i++)
    for (j = i; j > 0 && time_of (&seen, j) < time_of (&seen, j - 1); j--) {
      GstClockTime time = time_of (&seen, j);

      g_array_index (sorted, GstClockTime, j) = time_of (&seen, j - 1);
      g_array_index (sorted, GstClockTime, j - 1) = time;
    }
  expect_keyframes (&seen, 4, ways[__i__].muxer);
  run_clear (&run);
  seen_clear (&seen);
  g_free (back);
  g_free (line);
  g_free (behind);
}

GST_END_TEST;

/* Streams without keyframes but the first are decoded as a whole after two windows, and one WARNING says so. */
GST_START_TEST (test_intra_refresh)
{
  static const struct
  {
    const gchar *encoder, *mode;
    guint n_skipped;
  } ways[] = {
    {"x264enc key-int-max=25 intra-refresh=true ! h264parse ! mpegtsmux",
        "keyframes", 49},
    {"x265enc key-int-max=25 option-string=intra-refresh=1:bframes=0 ! "
          "h265parse ! mpegtsmux", "keyframes", 49},
    {"x264enc key-int-max=25 intra-refresh=true ! h264parse ! mpegtsmux",
        "auto", 0},
  };
  gchar *line = g_strdup_printf (VIDEO "%s ! " KEYFRAMES "decode=%s ! "
      "fakesink name=s", ways[__i__].encoder, ways[__i__].mode);
  GstStructure *stats;
  Seen seen;
  Run run;

  seen_init (&seen);
  stats = run_and_see (&run, &seen, line);
  fail_unless (run.eos && run.error == NULL);
  fail_unless_equals_int (run.warnings->len, 1);
  fail_unless (strstr (g_ptr_array_index (run.warnings, 0), "no keyframe"));
  fail_unless (ABS ((gint64) count_of (stats, "skipped-units") -
          (gint64) ways[__i__].n_skipped) <= 6, "%s: %" G_GUINT64_FORMAT,
      ways[__i__].encoder, count_of (stats, "skipped-units"));
  fail_unless (seen.times->len > 20, "%u", seen.times->len);
  gst_structure_free (stats);
  seen_clear (&seen);
  run_clear (&run);
  g_free (line);
}

GST_END_TEST;

/* auto changes at keyframes: 25 frames until five distances are known, then one of five. Every frame of them is whole and in its place. */
GST_START_TEST (test_auto)
{
  static const gchar *const encoders[] = {
    "x264enc key-int-max=5 speed-preset=ultrafast b-adapt=false bframes=2 "
        "option-string=scenecut=0 ! h264parse",
    "x265enc key-int-max=5 speed-preset=ultrafast "
        "option-string=scenecut=0:b-adapt=0:open-gop=0:bframes=2 ! h265parse"
  };
  gchar *line = g_strconcat (VIDEO, encoders[__i__], " ! " KEYFRAMES
      "decode=auto ! fakesink name=s", NULL);
  GstStructure *stats;
  Seen seen;
  Run run;
  guint i;

  seen_init (&seen);
  stats = run_and_see (&run, &seen, line);
  fail_unless (run.eos && run.error == NULL);
  fail_unless_equals_int (run.warnings->len, 0);
  fail_unless_equals_int (count_of (stats, "skipped-units"), 60);
  fail_unless_equals_int (seen.times->len, 40);
  for (i = 0; i < 40; i++)
    fail_unless (ABS (GST_CLOCK_DIFF (time_of (&seen, 0) + FRAME * (i < 25 ? i :
                    25 + (i - 25) * 5), time_of (&seen, i))) <= (gint64) MS,
        "frame %u at %" GST_TIME_FORMAT, i, GST_TIME_ARGS (time_of (&seen, i)));
  fail_unless_equals_int (seen.n_holes, 0);
  fail_unless_equals_int (seen.n_caps, 1);
  fail_unless_equals_string (seen.decoded, "keyframes");
  gst_structure_free (stats);
  seen_clear (&seen);
  run_clear (&run);
  g_free (line);
}

GST_END_TEST;

/* A seek in a file, `decode` set while it plays, and the same pipeline once more. */
GST_START_TEST (test_seek_and_set)
{
  gchar *line = line_of (1, KEYFRAMES "! fakesink name=s"), *decoded;
  GstElement *pipeline = gst_parse_launch (line, NULL);
  GstElement *l = gst_bin_get_by_name (GST_BIN (pipeline), "l");
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  Seen seen;
  Run run;

  seen_init (&seen);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, see, &seen, NULL);
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  fail_unless_equals_int (gst_element_get_state (pipeline, NULL, NULL,
          20 * GST_SECOND), GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_int (seen.times->len, 1);
  g_array_set_size (seen.times, 0);
  fail_unless (gst_element_seek_simple (pipeline, GST_FORMAT_TIME,
          GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT, 2100 * MS));
  fail_unless_equals_int (gst_element_get_state (pipeline, NULL, NULL,
          20 * GST_SECOND), GST_STATE_CHANGE_SUCCESS);
  g_object_set (l, "decode", GST_LLAVAOV_DECODE_ALL, NULL);
  run_pipeline (pipeline, &run);
  fail_unless (run.eos && run.error == NULL);
  expect_keyframes (&seen, 2, "behind a seek");
  run_clear (&run);

  /* It counts now. */
  g_array_set_size (seen.times, 0);
  run_pipeline (pipeline, &run);
  fail_unless (run.eos && run.error == NULL);
  fail_unless_equals_int (seen.times->len, 100);
  decoded = seen.decoded;
  fail_unless (decoded == NULL, "%s", decoded);
  run_clear (&run);
  seen_clear (&seen);
  gst_object_unref (pad);
  gst_object_unref (sink);
  gst_object_unref (l);
  gst_object_unref (pipeline);
  g_free (line);
}

GST_END_TEST;

/* Where there is nothing to choose. */
GST_START_TEST (test_without_effect)
{
  static const struct
  {
    const gchar *line;
    guint n_frames, n_warnings;
  } ways[] = {
    {VIDEO KEYFRAMES "! fakesink name=s", 100, 1},
    {VIDEO KEYFRAMES "decode=auto ! fakesink name=s", 100, 1},
    {VIDEO X264 (3) " ! avdec_h264 ! " KEYFRAMES "! fakesink name=s", 100, 1},
    {VIDEO "llavaovelement device=fake: window=1000000000 decode=keyframes ! "
          "fakesink name=s", 100, 1},
    {VIDEO "jpegenc ! " KEYFRAMES "! fakesink name=s", 100, 0},
    {VIDEO "jpegenc ! matroskamux ! " KEYFRAMES "! fakesink name=s", 100, 0},
    {VIDEO X264 (3) " ! " KEYFRAMES "decode=all ! fakesink name=s", 100, 0},
    {VIDEO X264 (3) " ! " KEYFRAMES "decode=auto ! fakesink name=s", 100, 0},
  };
  Seen seen;
  Run run;
  GstStructure *stats;

  seen_init (&seen);
  stats = run_and_see (&run, &seen, ways[__i__].line);
  fail_unless (run.eos && run.error == NULL);
  fail_unless (seen.times->len == ways[__i__].n_frames, "%s: %u",
      ways[__i__].line, seen.times->len);
  fail_unless (run.warnings->len == ways[__i__].n_warnings, "%s: %u %s",
      ways[__i__].line, run.warnings->len, run.warnings->len ?
      (gchar *) g_ptr_array_index (run.warnings, 0) : "");
  gst_clear_structure (&stats);
  seen_clear (&seen);
  run_clear (&run);
}

GST_END_TEST;

/* auto, and keyframes that are too far apart. "K9" is a keyframe and nine units that depend on it, 100 ms each; what is wanted is how many of
 * these are decoded, "!" for the WARNING in front. Two windows are 2 s. */
GST_START_TEST (test_decisions)
{
  static const struct
  {
    GstLlavaovDecode mode;
    const gchar *units, *wanted;
    GstClockTime longest_gap;
  } cases[] = {
    {GST_LLAVAOV_DECODE_ALL, "K9 K30 K9", "9 30 9 ", GST_SECOND},
    {GST_LLAVAOV_DECODE_KEYFRAMES, "K9 K9 K0 K0 K9", "0 0 0 0 0 ", GST_SECOND},
    {GST_LLAVAOV_DECODE_KEYFRAMES, "K30 K9", "!10 9 ", GST_SECOND},
    {GST_LLAVAOV_DECODE_KEYFRAMES, "K30 K30 K9", "!10 30 9 ", GST_SECOND},
    {GST_LLAVAOV_DECODE_KEYFRAMES, "K30 K9 K9 K9 K9 K9 K9 K30",
        "!10 9 9 9 9 9 0 10 ", GST_SECOND},
    {GST_LLAVAOV_DECODE_AUTO, "K9 K9 K9 K9 K9 K9 K9", "9 9 9 9 9 0 0 ",
        GST_SECOND},
    {GST_LLAVAOV_DECODE_AUTO, "K10 K10 K10 K10 K10 K10 K10",
        "10 10 10 10 10 10 10 ", GST_SECOND},
    {GST_LLAVAOV_DECODE_AUTO, "K9 K9 K9 K9 K9 K9 K14 K9 K9 K9 K9 K9 K9",
        "9 9 9 9 9 0 0 9 9 9 9 9 0 ", GST_SECOND},
    {GST_LLAVAOV_DECODE_AUTO, "K9 K9 K9 K9 K9 K30 K9", "9 9 9 9 9 !10 9 ",
        GST_SECOND},
    {GST_LLAVAOV_DECODE_AUTO, "K40 K40", "!40 40 ", GST_SECOND},
    {GST_LLAVAOV_DECODE_AUTO, "K9 K9 K9 K9 K9 K9", "9 9 9 9 9 0 ", 950 * MS},
    {GST_LLAVAOV_DECODE_AUTO, "K9 K9 K9 K9 K9 K9", "9 9 9 9 9 9 ", 949 * MS},
  };
  GstLlavaovKeyframeLimits limits = { GST_SECOND, 2 * GST_SECOND };
  GstLlavaovKeyframes keyframes;
  GstClockTime time = 0;
  gboolean lacking;
  guint i, j, k;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    gchar **groups = g_strsplit (cases[i].units, " ", -1);
    GString *got = g_string_new (NULL);

    limits.longest_gap = cases[i].longest_gap;
    gst_llavaov_keyframes_init (&keyframes, cases[i].mode);
    for (j = 0; groups[j]; j++) {
      guint n = atoi (groups[j] + 1), decoded = 0;

      fail_unless (gst_llavaov_keyframes_take (&keyframes, TRUE, time, &limits,
              &lacking));
      time += 100 * MS;
      for (k = 0; k < n; k++, time += 100 * MS) {
        decoded += gst_llavaov_keyframes_take (&keyframes, FALSE, time, &limits,
            &lacking);
        if (lacking)
          g_string_append (got, "!");
      }
      g_string_append_printf (got, "%u ", decoded);
    }
    fail_unless (!strcmp (got->str, cases[i].wanted), "%u: %s is %s", i,
        cases[i].units, got->str);
    g_string_free (got, TRUE);
    g_strfreev (groups);
  }
}

GST_END_TEST;

/* Access units by hand: first_mb_in_slice 0 is the bit 1; slice types 0 (P) 1, 2 (I) 011, 5 (P) 00110, 7 (I) 0001000. */
GST_START_TEST (test_h264)
{
  static const struct
  {
    guint length_size;
    guint8 data[16];
    gsize size;
    gboolean intra;
  } cases[] = {
    {0, {0, 0, 0, 1, 0x65, 0x88}, 6, TRUE},
    {0, {0, 0, 1, 0x41, 0xc0}, 5, FALSE},
    {0, {0, 0, 1, 0x41, 0xb0}, 5, TRUE},
    {0, {0, 0, 1, 0x41, 0x98}, 5, FALSE},
    {0, {0, 0, 1, 0x41, 0x88}, 5, TRUE},
    {0, {0, 0, 1, 0x41, 0xb0, 0, 0, 1, 0x41, 0xc0}, 10, FALSE},
    {0, {0, 0, 1, 0x06, 0x06, 0, 0, 1, 0x41, 0xc0}, 10, FALSE},
    {0, {0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1}, 10, TRUE},
    {0, {0}, 0, TRUE},
    {0, {0, 0, 1}, 3, TRUE},
    {4, {0, 0, 0, 2, 0x41, 0xc0}, 6, FALSE},
    {4, {0, 0, 0, 2, 0x41, 0xb0, 0, 0, 0, 2, 0x41, 0xc0}, 12, FALSE},
    {4, {0, 0, 0, 2, 0x65, 0xb0}, 6, TRUE},
    {2, {0, 1, 6, 0, 2, 0x41, 0xc0}, 7, FALSE},
    {1, {255, 0x41, 0xc0}, 3, FALSE},
    {4, {255, 255, 255, 255, 0x41, 0xc0}, 6, FALSE},
    {4, {0, 0, 0}, 3, TRUE},
    {4, {0, 0, 0, 0, 0, 0, 0, 0}, 8, TRUE},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    fail_unless (gst_llavaov_h264_is_intra (cases[i].data, cases[i].size,
            cases[i].length_size) == cases[i].intra, "%u", i);
}

GST_END_TEST;

static Suite *
keyframes_suite (void)
{
  Suite *s = suite_create ("keyframes");
  TCase *tc = tcase_create ("keyframes");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, make_folder, remove_folder);
  tcase_add_test (tc, test_decisions);
  tcase_add_test (tc, test_h264);
  tcase_add_loop_test (tc, test_streams, 0, G_N_ELEMENTS (streams));
  tcase_add_loop_test (tc, test_at_once, 0, 4);
  tcase_add_loop_test (tc, test_muxers, 0, 6);
  tcase_add_loop_test (tc, test_intra_refresh, 0, 3);
  tcase_add_loop_test (tc, test_auto, 0, 2);
  tcase_add_test (tc, test_seek_and_set);
  tcase_add_loop_test (tc, test_without_effect, 0, 8);
  return s;
}

GST_CHECK_MAIN (keyframes);
