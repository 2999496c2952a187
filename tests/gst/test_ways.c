/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways in which applications build llavaov into pipelines, and the errors where it cannot work. */
#include "pipeline.h"

#include "decoder-plugging.h"

/* ---- bins made from descriptions ---- */

static GstElement *
describe (const gchar * description, gboolean ghost)
{
  GError *error = NULL;
  GstElement *bin = gst_parse_bin_from_description_full (description, ghost,
      NULL, GST_PARSE_FLAG_NO_SINGLE_ELEMENT_BINS, &error);

  fail_unless (error == NULL, "%s: %s", description,
      error ? error->message : "");
  return gst_object_ref_sink (bin);
}

static gchar *
behind (GstElement * bin, const gchar * name)
{
  GstPad *pad = gst_element_get_static_pad (bin, name), *target;
  gchar *element;

  if (pad == NULL)
    return NULL;
  target = gst_ghost_pad_get_target (GST_GHOST_PAD (pad));
  if (target == NULL) {
    element = g_strdup ("nothing");
  } else {
    element = gst_object_get_name (GST_OBJECT_PARENT (target));
    gst_object_unref (target);
  }
  gst_object_unref (pad);
  return element;
}

GST_START_TEST (test_ghost_pads_of_descriptions)
{
  /* a bin, what must be behind its sink and src pads; the names are given */
  static const gchar *bins[][3] = {
    {"queue name=q ! llavaov name=l", "q", "l"},
    {"llavaov name=l ! queue name=q", "l", "q"},
    {"queue name=q ! llavaov name=l ! fakesink", "q", NULL},
    {"llavaov name=l ! fakesink", "l", NULL},
    {"identity name=i ! llavaov name=l ! videoconvert ! fakesink", "i", NULL},
    {"videoconvert name=c ! video/x-raw, format=RGB ! llavaov name=l", "c",
        "l"},
    {"h264parse name=p ! llavaov name=l", "p", "l"},
    {"queue name=q ! llavaov ! queue ! llavaov name=l", "q", "l"},
    {"tee name=t t. ! queue ! fakesink t. ! llavaov ! fakesink", "t", NULL},
    {"videotestsrc ! llavaov name=l", NULL, "l"},
    {"filesrc ! llavaov name=l", NULL, "l"},
    {"llavaov name=l l.text ! fakesink", "l", "l"},
    {"bin.( queue name=q ! llavaov name=l )", "q", "l"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (bins); i++) {
    GstElement *bin = describe (bins[i][0], TRUE);
    gchar *sink = behind (bin, "sink"), *src = behind (bin, "src");

    fail_unless (!g_strcmp0 (sink, bins[i][1]), "%s: sink of %s", bins[i][0],
        sink);
    fail_unless (!g_strcmp0 (src, bins[i][2]), "%s: src of %s", bins[i][0],
        src);
    g_free (sink);
    g_free (src);
    gst_object_unref (bin);

    bin = describe (bins[i][0], FALSE);
    fail_unless_equals_int (g_list_length (bin->pads), 0);
    gst_object_unref (bin);
  }

  /* Alone it is its own bin, with its own pads. */
  for (i = 0; i < 2; i++) {
    GstElement *bin = describe ("llavaov", i);

    fail_unless_equals_string (G_OBJECT_TYPE_NAME (bin), "GstLlavaov");
    fail_unless_equals_int (g_list_length (bin->pads), 2);
    gst_object_unref (bin);
  }
}

GST_END_TEST;

/* ---- in other people's bins ---- */

static void
count_buffer (GstElement * sink, GstBuffer * buffer, GstPad * pad, gint * n)
{
  g_atomic_int_inc (n);
}

static GstPadProbeReturn
note_buffer (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  g_atomic_int_set ((gint *) data, TRUE);
  return GST_PAD_PROBE_OK;
}

static gboolean
not_seen (gpointer seen)
{
  return !g_atomic_int_get ((gint *) seen);
}

static gboolean
not_heard (gpointer heard)
{
  return g_atomic_int_get ((gint *) heard) == 0;
}

/* Runs the line with playbin or playbin3. A start in which playbin3 gives nothing to a sink is made again: under load that of
 * GStreamer 1.22 and 1.26 stalls once in about fifty starts, with nothing but fakesinks too, when decodebin3 gets a stream
 * while its own input is flushing. */
static void
run_playbin (const gchar * line, gboolean sound, Run * run)
{
  gboolean newer = g_str_has_prefix (line, "playbin3"), stalled;
  guint starts = 0;

  do {
    GstElement *playbin = gst_parse_launch (line, NULL), *video, *audio;
    gint seen = FALSE, heard = 0;
    GstPad *pad;

    g_object_get (playbin, "video-sink", &video, "audio-sink", &audio, NULL);
    pad = gst_element_get_static_pad (video, "sink");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, note_buffer,
        &seen, NULL);
    if (sound)
      g_signal_connect (audio, "handoff", G_CALLBACK (count_buffer), &heard);
    run_pipeline_unless (playbin, run, newer ? sound ? not_heard : not_seen :
        NULL, sound ? &heard : &seen);
    stalled = newer && !run->eos && !run->error &&
        (!seen || (sound && heard == 0)) && ++starts < 4;
    fail_unless (!sound || !run->eos || heard > 100, "%s: %d", line, heard);
    gst_object_unref (pad);
    gst_object_unref (video);
    g_clear_object (&audio);
    gst_object_unref (playbin);
    if (stalled) {
      g_printerr ("stalled, and started again: %s\n", line);
      run_clear (run);
    }
  } while (stalled);
}

GST_START_TEST (test_playbin)
{
  static const gchar *playbins[] = { "playbin", "playbin3" };
  static const gchar *sinks[] = {
    ASK "! fakesink",
    "queue ! " ASK "! fakesink",
    "queue ! " ASK "! queue ! videoconvert ! fakesink",
    "identity ! " ASK "! fakesink",
    /* the sink does not take what is decoded: playbin converts */
    ASK "! video/x-raw, format=RGB ! fakesink",
    "queue ! " ASK "! video/x-raw, format=RGB ! fakesink",
    "tee name=t t. ! queue ! fakesink t. ! queue ! " ASK "! fakesink",
    ASK "name=l l.text ! queue ! fakesink async=false l.src ! fakesink",
  };
  static const gchar *filters[] = {
    ASK, "queue ! " ASK, ASK "! queue", "identity ! " ASK "! identity",
  };
  guint i, k;
  Run run;

  make_file ("a.mkv", "x264enc ! h264parse ! matroskamux");
  for (k = 0; k < G_N_ELEMENTS (playbins); k++) {
    for (i = 0; i < G_N_ELEMENTS (sinks); i++) {
      gchar *line = g_strdup_printf ("%s uri=file://%s/a.mkv flags=video "
          "video-sink=\"%s\"", playbins[k], folder, sinks[i]);

      run_playbin (line, FALSE, &run);
      expect_answers (&run, 3);
      run_clear (&run);
      g_free (line);
    }
    for (i = 0; i < G_N_ELEMENTS (filters); i++) {
      gchar *line = g_strdup_printf ("%s uri=file://%s/a.mkv flags=video "
          "video-sink=fakesink video-filter=\"%s\"", playbins[k], folder,
          filters[i]);

      run_playbin (line, FALSE, &run);
      expect_answers (&run, 3);
      run_clear (&run);
      g_free (line);
    }
  }
}

GST_END_TEST;

/* A sink that took whole files would take their sound too. */
GST_START_TEST (test_playbin_keeps_its_sound)
{
  static const gchar *playbins[] = { "playbin", "playbin3" };
  static const gchar *sinks[] = { "", "queue ! " };
  guint i;
  Run run;

  run_line (&run, RAW "x264enc ! h264parse ! mp4mux name=m ! filesink "
      "location=%s/av.mp4 audiotestsrc num-buffers=130 ! avenc_aac ! m.",
      folder);
  run_clear (&run);
  for (i = 0; i < 4; i++) {
    gchar *line = g_strdup_printf ("%s uri=file://%s/av.mp4 flags=video+audio "
        "video-sink=\"%s" ASK "! fakesink\" audio-sink=\"fakesink "
        "signal-handoffs=true\"", playbins[i / 2], folder, sinks[i % 2]);

    run_playbin (line, TRUE, &run);
    expect_answers (&run, 3);
    run_clear (&run);
    g_free (line);
  }
}

GST_END_TEST;

/* The same for a line with decodebin3 in it, and with a llavaov named l: that may stall as playbin3's does. */
static void
run_decodebin (const gchar * line, Run * run)
{
  gboolean newer = strstr (line, "decodebin3") != NULL, stalled;
  guint starts = 0;

  do {
    GstElement *pipeline = gst_parse_launch (line, NULL), *element;
    gint seen = FALSE;
    GstPad *pad;

    element = gst_bin_get_by_name (GST_BIN (pipeline), "l");
    pad = gst_element_get_static_pad (element, "sink");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, note_buffer,
        &seen, NULL);
    run_pipeline_unless (pipeline, run, newer ? not_seen : NULL, &seen);
    stalled = newer && !run->eos && !run->error && !seen && ++starts < 4;
    gst_object_unref (pad);
    gst_object_unref (element);
    gst_object_unref (pipeline);
    if (stalled) {
      g_printerr ("stalled, and started again: %s\n", line);
      run_clear (run);
    }
  } while (stalled);
}

GST_START_TEST (test_decoding_bins)
{
  static const gchar *sources[] = {
    "uridecodebin uri=file://%s/a.mp4 ! ",
    "uridecodebin uri=file://%s/a.mp4 ! queue ! ",
    "uridecodebin3 uri=file://%s/a.mp4 ! ",
    "uridecodebin3 uri=file://%s/a.mp4 ! queue ! ",
    "urisourcebin uri=file://%s/a.mp4 ! ",
    "filesrc location=%s/a.mp4 ! decodebin ! queue ! ",
    "filesrc location=%s/a.mp4 ! decodebin3 ! ",
    "filesrc location=%s/a.mp4 ! decodebin3 ! queue ! ",
    "filesrc location=%s/a.mp4 ! parsebin ! ",
    "filesrc location=%s/a.mp4 ! qtdemux ! queue ! ",
    "filesrc location=%s/a.mp4 ! typefind ! ",
    "filesrc location=%s/a.mp4 ! identity ! ",
    "filesrc location=%s/a.mp4 ! queue ! ",
    "pushfilesrc location=%s/a.mp4 ! ",
  };
  gchar *path;
  guint i;
  Run run;

  make_file ("a.mp4", "x264enc ! video/x-h264, profile=high ! h264parse ! "
      "mp4mux");
  path = folder;
  for (i = 0; i < G_N_ELEMENTS (sources); i++) {
    gchar **parts = g_strsplit (sources[i], "%s", 2);
    gchar *line = g_strconcat (parts[0], path, parts[1],
        ASK "name=l ! fakesink", NULL);

    run_decodebin (line, &run);
    expect_answers (&run, 3);
    run_clear (&run);
    g_free (line);
    g_strfreev (parts);
  }
}

GST_END_TEST;

GST_START_TEST (test_coding_bins)
{
  static const gchar *filters[] = { ASK, "queue ! " ASK, ASK "! queue" };
  static const gchar *profile = "video/quicktime, variant=iso:video/x-h264";
  guint i;
  Run run;

  make_file ("a.mkv", "x264enc ! h264parse ! matroskamux");
  for (i = 0; i < G_N_ELEMENTS (filters); i++) {
    run_line (&run, "filesrc location=%s/a.mkv ! decodebin ! transcodebin "
        "profile=\"%s\" video-filter=\"%s\" ! fakesink", folder, profile,
        filters[i]);
    expect_answers (&run, 3);
    run_clear (&run);
  }
  run_line (&run, RAW ASK "! encodebin profile=\"%s\" ! fakesink", profile);
  expect_answers (&run, 3);
  run_clear (&run);
}

GST_END_TEST;

/* Input without data: a stream without frames ends, an empty file is an error. */
GST_START_TEST (test_nothing_comes)
{
  static const gchar *sources[][2] = {
    {"videotestsrc num-buffers=0 ! ", NULL},
    {"videotestsrc num-buffers=0 ! queue ! ", NULL},
    {"filesrc location=", " ! "},
    {"filesrc location=", " ! queue ! "},
  };
  gchar *path = g_build_filename (folder, "empty", NULL);
  guint i;
  Run run;

  fail_unless (g_file_set_contents (path, "", 0, NULL));
  for (i = 0; i < G_N_ELEMENTS (sources); i++) {
    gboolean file = sources[i][1] != NULL;

    run_line (&run, "%s%s%s" ASK "! fakesink", sources[i][0],
        file ? path : "", file ? sources[i][1] : "");
    fail_unless (file ? run.error != NULL : run.eos, "%s", sources[i][0]);
    fail_unless_equals_int (run.answers->len, 0);
    run_clear (&run);
  }
  g_free (path);
}

GST_END_TEST;

/* GStreamer's own error says that something is not linked, but not what. */
GST_START_TEST (test_video_that_goes_nowhere)
{
  static const gchar *lines[] = { RAW ASK, RAW ASK "! identity",
    RAW ASK "name=l l.text ! fakesink",
    RAW "x264enc ! " ASK "name=l l.text ! fakesink",
    RAW "llavaovelement device=fake:"
  };
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (lines); i++) {
    run_line (&run, "%s", lines[i]);
    fail_unless (run.error || run.eos, "%s", lines[i]);
    fail_unless_equals_int (run.warnings->len, 1);
    fail_unless (strstr (g_ptr_array_index (run.warnings, 0), "fakesink"));
    run_clear (&run);
  }
}

GST_END_TEST;

/* Makes it as if no decoder were installed; each test is a process of its own. */
static void
forget_decoders (const gchar * caps_text)
{
  GList *all = gst_element_factory_list_get_elements
      (GST_ELEMENT_FACTORY_TYPE_DECODABLE, GST_RANK_NONE);
  GstCaps *caps = gst_caps_from_string (caps_text);
  GList *some = gst_element_factory_list_filter (all, caps, GST_PAD_SINK,
      FALSE), *walk;

  for (walk = some; walk; walk = walk->next)
    if (!gst_element_factory_list_is_type (walk->data,
            GST_ELEMENT_FACTORY_TYPE_PARSER))
      gst_plugin_feature_set_rank (walk->data, GST_RANK_NONE);
  gst_plugin_feature_list_free (some);
  gst_plugin_feature_list_free (all);
  gst_caps_unref (caps);
}

/* What was found, what is wanted, what to do. */
GST_START_TEST (test_no_video_is_explained)
{
  static const struct
  {
    const gchar *name, *made, *source, *without, *says[2];
  } files[] = {
    {"a.wav", "audiotestsrc num-buffers=5 ! wavenc", "filesrc location=%s ! ",
        NULL, {"only audio/x-wav.", "wants video"}},
    {"a.m4a", "audiotestsrc num-buffers=5 ! avenc_aac ! mp4mux",
        "filesrc location=%s ! ", NULL, {"only audio/mpeg.", "wants video"}},
    {"a.m4a", NULL, "filesrc location=%s ! queue ! ", NULL,
        {"only audio/mpeg.", "wants video"}},
    {"a.bin", NULL, "filesrc location=%s ! ", NULL,
        {"type of stream", "wants video"}},
    {"a.mp4", RAW "x264enc ! video/x-h264, profile=high ! mp4mux",
          "filesrc location=%s ! ", "video/x-h264",
        {"decodes video/x-h264.", "gstreamer1.0-libav"}},
    {"a.mp4", NULL, "filesrc location=%s ! queue ! ", NULL,
        {"decodes video/x-h264.", "gstreamer1.0-libav"}},
    {"a.mp4", NULL, "filesrc location=%s ! qtdemux ! ", NULL,
        {"decodes video/x-h264.", "gstreamer1.0-libav"}},
    {"a.mp4", NULL, "filesrc location=%s ! qtdemux ! h264parse ! queue ! ",
        NULL, {"decodes video/x-h264.", "gstreamer1.0-libav"}},
  };
  guint i, k;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (files); i++) {
    gchar *path = g_build_filename (folder, files[i].name, NULL);
    gchar **parts = g_strsplit (files[i].source, "%s", 2);

    if (files[i].made) {
      run_line (&run, "%s ! filesink location=%s", files[i].made, path);
      run_clear (&run);
    } else if (g_str_has_suffix (path, ".bin")) {
      g_file_set_contents (path, "\1\2\3\4\5\6\7", -1, NULL);
    }
    if (files[i].without)
      forget_decoders (files[i].without);
    run_line (&run, "%s%s%s" ASK "name=l ! fakesink", parts[0], path, parts[1]);
    fail_unless (run.error != NULL, "%s: no error", files[i].name);
    fail_unless_equals_string (run.error_source, "l");
    for (k = 0; k < 2; k++)
      fail_unless (strstr (run.error->message, files[i].says[k]),
          "%s: %s", files[i].name, run.error->message);
    run_clear (&run);
    g_strfreev (parts);
    g_free (path);
  }
}

GST_END_TEST;

typedef struct
{
  GstLlavaovDecoderPlugging plugging;
  GThread *thread;
  gint returned;
} Pull;

static gpointer
wait_for_plugging (gpointer data)
{
  Pull *pull = data;

  gst_llavaov_decoder_plugging_wait (&pull->plugging);
  g_atomic_int_set (&pull->returned, TRUE);
  return NULL;
}

/* In the place of decodebin's handler, which plugs. */
static void
plug (GstElement * typefind, guint probability, GstCaps * caps, gpointer data)
{
  Pull *pull = data;

  gst_llavaov_decoder_plugging_wait (&pull->plugging);
  pull->thread = g_thread_new ("pull", wait_for_plugging, pull);
  g_usleep (20000);
  fail_if (g_atomic_int_get (&pull->returned));
}

/* decodebin throws away the errors of a demuxer that runs ahead of it. */
GST_START_TEST (test_pulls_wait_for_plugging)
{
  GstElement *decoder = gst_element_factory_make ("decodebin", NULL);
  GstElement *typefind = gst_bin_get_by_name (GST_BIN (decoder), "typefind");
  GstCaps *caps = gst_caps_new_empty_simple ("video/quicktime");
  Pull pull = { 0 };

  gst_llavaov_decoder_plugging_init (&pull.plugging);
  gst_llavaov_decoder_plugging_watch (&pull.plugging, decoder);
  g_signal_connect (typefind, "have-type", G_CALLBACK (plug), &pull);
  gst_llavaov_decoder_plugging_wait (&pull.plugging);
  g_signal_emit_by_name (typefind, "have-type", 100, caps);
  fail_unless (pull.plugging.thread == NULL);
  g_thread_join (pull.thread);
  fail_unless (pull.returned);
  gst_caps_unref (caps);
  gst_object_unref (typefind);
  gst_object_unref (decoder);
  gst_llavaov_decoder_plugging_free (&pull.plugging);
}

GST_END_TEST;

/* The beginning of a file, or of a stream: an ERROR or a WARNING says that nothing came of it, and of a file that begins well
 * there are answers. */
GST_START_TEST (test_cut_files_are_explained)
{
  static const struct
  {
    const gchar *chain;
    gint bytes;                 /* kept; negative: cut off */
    const gchar *says;          /* the ERROR; NULL: there is none */
  } files[] = {
    {"x264enc ! video/x-h264, profile=high ! mp4mux", 1200, "cut short"},
    {"x264enc ! video/x-h264, profile=high ! mp4mux", -100, "cut short"},
    {"x264enc ! video/x-h264, profile=high ! mp4mux fragment-duration=1000",
        700, "cut short"},
    {"x264enc ! h264parse ! matroskamux", 300, "cut short"},
    {"x264enc ! h264parse ! matroskamux", -100, NULL},
    {"x264enc ! h264parse ! mpegtsmux", 3 * 188, "wants video"},
    {"x264enc ! h264parse ! mpegtsmux", 6 * 188, "cut short"},
    {"x264enc ! h264parse ! mpegtsmux", -188, NULL},
    {"x264enc ! h264parse ! flvmux", 400, "cut short"},
    {"x264enc ! video/x-h264, stream-format=byte-stream", 60, "cut short"},
    {"jpegenc ! avimux", -2000, NULL},
    {"jpegenc ! identity eos-after=2", 300, "cut short"},
    {"videoconvert ! pngenc snapshot=true", 60, "cut short"},
    {"vp8enc deadline=1 ! webmmux", 600, NULL},
    {"identity", 0, "no video"},
  };
  gchar *path = g_build_filename (folder, "cut", NULL), *data;
  gsize size;
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (files); i++) {
    run_line (&run, RAW "%s ! filesink location=%s", files[i].chain, path);
    run_clear (&run);
    fail_unless (g_file_get_contents (path, &data, &size, NULL));
    fail_unless (size > (gsize) ABS (files[i].bytes));
    fail_unless (g_file_set_contents (path, data, files[i].bytes < 0 ?
            (gssize) size + files[i].bytes : files[i].bytes, NULL));
    g_free (data);

    run_line (&run, "filesrc location=%s ! " ASK "name=l ! fakesink", path);
    fail_unless ((run.error != NULL) == (files[i].says != NULL),
        "%s, %d: %s", files[i].chain, files[i].bytes,
        run.error ? run.error->message : "no error");
    if (run.error) {
      fail_unless (strstr (run.error->message, files[i].says) != NULL,
          "%s, %d: %s", files[i].chain, files[i].bytes, run.error->message);
      fail_unless_equals_string (run.error_source, "l");
    }
    run_clear (&run);
  }
  g_free (path);
}

GST_END_TEST;

/* Caps that were typed by hand: fields with only one possible value are added, others cannot be guessed. */
GST_START_TEST (test_caps_that_say_little)
{
  static const struct
  {
    const gchar *made, *caps, *says;
  } table[] = {
    {"x264enc ! mpegtsmux", "video/mpegts", NULL},
    {"x264enc ! mpegtsmux", "video/mpegts, packetsize=188", NULL},
    {"x264enc ! rtph264pay config-interval=1",
        "application/x-rtp, encoding-name=H264", NULL},
    {"x264enc ! rtph264pay config-interval=1",
        "application/x-rtp, media=video, encoding-name=H264, payload=96", NULL},
    {"vp8enc deadline=1 ! rtpvp8pay", "application/x-rtp, encoding-name=VP8",
        NULL},
    {"jpegenc ! rtpjpegpay", "application/x-rtp, encoding-name=JPEG", NULL},
    {"jpegenc ! rtpjpegpay", "application/x-rtp, payload=26", NULL},
    {"x264enc ! rtph264pay", "application/x-rtp", "encoding-name=H264"},
    {"x264enc ! rtph264pay", "application/x-rtp, payload=96",
        "do not say what it carries. "},
    {"x264enc ! rtph264pay", "application/x-rtp, encoding-name=X-NOBODYS",
        "decodes RTP of X-NOBODYS."},
  };
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    run_line (&run, RAW "%s ! capssetter replace=true caps=\"%s\" ! " ASK
        "name=l ! fakesink", table[i].made, table[i].caps);
    if (table[i].says == NULL) {
      fail_unless (run.error == NULL, "%s: %s", table[i].caps,
          run.error ? run.error->message : "");
      fail_unless (run.answers->len > 0, "%s", table[i].caps);
    } else {
      fail_unless (run.error != NULL, "%s", table[i].caps);
      fail_unless (strstr (run.error->message, table[i].says), "%s: %s",
          table[i].caps, run.error->message);
    }
    run_clear (&run);
  }
}

GST_END_TEST;

typedef struct
{
  GMutex lock;
  GCond changed;
  gboolean failed;
} Race;

/* Holds the thread of decodebin that is about to say which stream it gave up on, until another of its threads has said that
 * none is left; for a moment only, since the other may have been first or be the same. */
static GstBusSyncReply
hold_what_is_missing (GstBus * bus, GstMessage * message, gpointer data)
{
  gint64 until = g_get_monotonic_time () + G_TIME_SPAN_SECOND / 2;
  Race *race = data;

  g_mutex_lock (&race->lock);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    race->failed = TRUE;
    g_cond_broadcast (&race->changed);
  } else if (gst_message_has_name (message, "missing-plugin")) {
    while (!race->failed &&
        g_cond_wait_until (&race->changed, &race->lock, until));
  }
  g_mutex_unlock (&race->lock);
  return GST_BUS_PASS;
}

/* The same whichever of decodebin's threads comes first, with sound or without. */
GST_START_TEST (test_no_video_is_explained_at_once)
{
  gchar *path = g_build_filename (folder, "a.mp4", NULL);
  guint sound;
  Run run;

  for (sound = 0; sound < 2; sound++) {
    Race race = { 0, };
    GstElement *pipeline;
    gchar *line;
    GstBus *bus;

    run_line (&run,
        "%smp4mux name=m ! filesink location=%s " RAW "x264enc ! m.",
        sound ? "audiotestsrc num-buffers=50 ! avenc_aac ! " : "", path);
    fail_unless (run.error == NULL);
    run_clear (&run);
    forget_decoders ("video/x-h264");
    line = g_strdup_printf ("filesrc location=%s ! " ASK "! fakesink", path);
    pipeline = gst_parse_launch (line, NULL);
    bus = gst_element_get_bus (pipeline);
    gst_bus_set_sync_handler (bus, hold_what_is_missing, &race, NULL);
    run_pipeline (pipeline, &run);
    fail_unless (run.error != NULL);
    fail_unless (strstr (run.error->message, "decodes video/x-h264."),
        "sound %u: %s", sound, run.error->message);
    run_clear (&run);
    gst_object_unref (bus);
    gst_object_unref (pipeline);
    g_free (line);
  }
  g_free (path);
}

GST_END_TEST;

/* Decoded video is converted where the next element takes another format, and only there. */
GST_START_TEST (test_decoded_fits_what_follows)
{
  static const gchar *lines[] = {
    RAW "jpegenc ! " ASK "! video/x-raw, format=I420 ! fakesink",
    RAW "jpegenc ! " ASK "! video/x-raw, format=BGRx ! fakesink",
    RAW "jpegenc ! " ASK "! video/x-raw, format=RGB ! fakesink",
    RAW "x264enc ! " ASK "! video/x-raw, format=GRAY8 ! fakesink",
    RAW "x264enc ! queue ! " ASK "! queue ! video/x-raw, format=RGB ! fakesink",
  };
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (lines); i++) {
    run_line (&run, "%s", lines[i]);
    expect_answers (&run, 3);
    run_clear (&run);
  }
  /* Raw video is never converted. */
  run_line (&run, RAW ASK "! video/x-raw, format=RGB ! fakesink");
  fail_unless (run.error != NULL);
  run_clear (&run);
}

GST_END_TEST;

static Suite *
ways_suite (void)
{
  Suite *s = suite_create ("ways");
  TCase *tc = tcase_create ("ways");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, make_folder, remove_folder);
  tcase_add_test (tc, test_ghost_pads_of_descriptions);
  tcase_add_test (tc, test_playbin);
  tcase_add_test (tc, test_playbin_keeps_its_sound);
  tcase_add_test (tc, test_decoding_bins);
  tcase_add_test (tc, test_coding_bins);
  tcase_add_test (tc, test_nothing_comes);
  tcase_add_test (tc, test_video_that_goes_nowhere);
  tcase_add_test (tc, test_no_video_is_explained);
  tcase_add_test (tc, test_pulls_wait_for_plugging);
  tcase_add_test (tc, test_cut_files_are_explained);
  tcase_add_test (tc, test_caps_that_say_little);
  tcase_add_test (tc, test_no_video_is_explained_at_once);
  tcase_add_test (tc, test_decoded_fits_what_follows);
  return s;
}

GST_CHECK_MAIN (ways);
