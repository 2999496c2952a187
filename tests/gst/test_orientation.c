/* SPDX-License-Identifier: Apache-2.0
 *
 * Which frames the tag image-orientation turns: tags of the stream and global ones, in front of and between frames, streams
 * and flushes after each other, elements upstream that turn frames themselves. */
#include <glib/gstdio.h>
#include <gst/video/video.h>

#include "support.h"

static const gchar *const names[] = { "rotate-0", "flip-rotate-0",
  "rotate-180", "flip-rotate-180", "flip-rotate-270", "rotate-90",
  "flip-rotate-90", "rotate-270"
};

/* Steps: "." a frame; "s" and "g" a tag list of the stream or a global one, with an orientation as a number of EXIF, or
 * without one ("-"), or with an unknown one ("?"); "S" and "R" STREAM_START of a new stream and of the same; "C" the
 * caps again; "F" a flush; "P" to READY and back. What is seen: numbers of frames, from 0, with "@" and the number of EXIF.
 * A flush drops the frames that have not been asked about. */
static const struct
{
  const gchar *steps, *seen;
} rows[] = {
  /* *INDENT-OFF* */
  {"...", "0 1 2"},
  {"s1...", "0 1 2"},
  {"s2.", "0@2"},
  {"s3.", "0@3"},
  {"s4.", "0@4"},
  {"s5.", "0@5"},
  {"s6.", "0@6"},
  {"s7.", "0@7"},
  {"s8.", "0@8"},
  {"g6..", "0@6 1@6"},
  {"s6g3..", "0@6 1@6"},
  {"g3s6..", "0@6 1@6"},
  {"g3s6.s-.", "0@6 1@3"},
  {"g3.g-.", "0@3 1"},
  {"s8.g3.g-.", "0@8 1@8 2@8"},
  {"s6.s8.s1.", "0@6 1@8 2"},
  {".s6..", "0 1@6 2@6"},
  {"s6.s-.", "0@6 1"},
  {"s6.s?.", "0@6 1"},
  {"s?.", "0"},
  {"s6.S..", "0@6 1 2"},
  {"s6.Ss3..", "0@6 1@3 2@3"},
  {"g6.S.", "0@6 1"},
  {"s6.R..", "0@6 1@6 2@6"},
  {"s6.C.", "0@6 1@6"},
  {"s6..F..", "0@6 2@6 3@6"},
  {"s6.P..", "1 2"},
  {"s6.Ps3..", "1@3 2@3"},
  /* *INDENT-ON* */
};

static void
push_tags (GstHarness * h, gboolean global, gchar what)
{
  GstTagList *tags = gst_tag_list_new (GST_TAG_TITLE, "a title", NULL);

  gst_tag_list_set_scope (tags, global ? GST_TAG_SCOPE_GLOBAL :
      GST_TAG_SCOPE_STREAM);
  if (what == '?')
    gst_tag_list_add (tags, GST_TAG_MERGE_REPLACE, GST_TAG_IMAGE_ORIENTATION,
        "sideways", NULL);
  else if (what != '-')
    gst_tag_list_add (tags, GST_TAG_MERGE_REPLACE, GST_TAG_IMAGE_ORIENTATION,
        names[what - '1'], NULL);
  gst_harness_push_event (h, gst_event_new_tag (tags));
}

static void
push_segment (GstHarness * h)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
}

static void
begin_stream (Rig * rig, const gchar * id)
{
  gst_harness_push_event (rig->h, gst_event_new_stream_start (id));
  gst_harness_push_event (rig->h, gst_event_new_caps (gst_caps_from_string
          ("video/x-raw, format=GRAY8, width=16, height=16, "
              "framerate=10/1")));
  push_segment (rig->h);
}

static void
run_steps (Rig * rig, const gchar * steps)
{
  guint8 n = 0;

  for (; *steps; steps++) {
    switch (*steps) {
      case '.':
        rig_push (rig, n, n * 100 * MS, 100 * MS);
        n++;
        break;
      case 's':
      case 'g':
        push_tags (rig->h, *steps == 'g', steps[1]);
        steps++;
        break;
      case 'S':
        begin_stream (rig, "another");
        break;
      case 'R':
        begin_stream (rig, "one");
        break;
      case 'C':
        gst_harness_push_event (rig->h,
            gst_event_new_caps (gst_caps_from_string
                ("video/x-raw, format=GRAY8, width=16, height=16, "
                    "framerate=20/1")));
        break;
      case 'F':
        gst_harness_push_event (rig->h, gst_event_new_flush_start ());
        gst_harness_push_event (rig->h, gst_event_new_flush_stop (TRUE));
        push_segment (rig->h);
        break;
      case 'P':
        /* Elements upstream go to READY as well, and forget their events. */
        gst_element_set_state (rig->element, GST_STATE_READY);
        gst_pad_set_active (rig->h->srcpad, FALSE);
        gst_pad_set_active (rig->h->srcpad, TRUE);
        gst_element_set_state (rig->element, GST_STATE_PLAYING);
        begin_stream (rig, "one");
        break;
    }
  }
  gst_harness_push_event (rig->h, gst_event_new_eos ());
}

/* Of all answers that have come: "q|1 2" and "q|3" make "1 2 3". */
static gchar *
collect (Rig * rig)
{
  GString *text = g_string_new (NULL);
  GstMessage *message;

  while ((message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 0))) {
    const gchar *answer = gst_structure_get_string (gst_message_get_structure
        (message), "text");

    g_string_append_printf (text, text->len ? " %s" : "%s", answer + 2);
    gst_message_unref (message);
  }
  return g_string_free (text, FALSE);
}

static void
check_row (guint row, const gchar * properties)
{
  Rig *rig = rig_new (properties, FALSE);
  gchar *seen;

  begin_stream (rig, "one");
  run_steps (rig, rows[row].steps);
  seen = collect (rig);
  fail_unless (!strcmp (seen, rows[row].seen), "%s: %s, not %s",
      rows[row].steps, seen, rows[row].seen);
  g_free (seen);
  rig_free (rig);
}

GST_START_TEST (test_tags_turn_frames)
{
  check_row (__i__, "device=fake: prompt=q frames=1 window=100000000");
}

GST_END_TEST;

/* One window of frames that are turned differently. */
GST_START_TEST (test_a_change_within_a_window)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=4 window=400000000", FALSE);

  run_steps (rig, "..s6.s3.s-.");
  rig_expect (rig, "q|0 1 2@6 3@3");
  rig_expect (rig, "q|4");
  rig_free (rig);
}

GST_END_TEST;

/* The video goes on as it is, with its tag. */
GST_START_TEST (test_the_video_is_not_turned)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=1 window=100000000", FALSE);
  GstBuffer *buffer;
  GstEvent *event;
  GstTagList *tags = NULL;
  gchar *name = NULL;

  run_steps (rig, "s6.");
  while ((event = gst_harness_pull_event (rig->h))) {
    gboolean is_tag = GST_EVENT_TYPE (event) == GST_EVENT_TAG;

    if (is_tag) {
      gst_event_parse_tag (event, &tags);
      fail_unless (gst_tag_list_get_string (tags, GST_TAG_IMAGE_ORIENTATION,
              &name));
    }
    gst_event_unref (event);
    if (is_tag)
      break;
  }
  fail_unless_equals_string (name, "rotate-90");
  g_free (name);
  buffer = gst_harness_pull (rig->h);
  fail_unless_equals_int (gst_buffer_get_size (buffer), 16 * 16);
  gst_buffer_unref (buffer);
  rig_free (rig);
}

GST_END_TEST;

/* Elements upstream, and what is seen of frames behind them. */
static const struct
{
  const gchar *chain, *seen;
} chains[] = {
  /* *INDENT-OFF* */
  {"taginject tags=image-orientation=rotate-90", "9@6"},
  {"taginject tags=image-orientation=rotate-90 ! queue", "9@6"},
  {"taginject tags=image-orientation=rotate-90 ! videoconvert ! videoscale ! tee ! queue", "9@6"},
  {"taginject tags=image-orientation=rotate-90 ! videoflip video-direction=auto", "9"},
  {"taginject tags=image-orientation=rotate-90 ! videoflip video-direction=auto ! queue", "9"},
  {"taginject tags=image-orientation=rotate-90 ! videoflip video-direction=90r", "9"},
  {"taginject tags=image-orientation=rotate-90 ! videoflip video-direction=identity", "9@6"},
  {"taginject tags=image-orientation=rotate-90 ! videoflip", "9@6"},
  {"videoflip video-direction=90l ! taginject tags=image-orientation=rotate-90", "9@6"},
  {"videoflip video-direction=auto ! taginject tags=image-orientation=flip-rotate-0", "9@2"},
  {"taginject tags=image-orientation=rotate-90 ! bin.( videoflip video-direction=auto )", "9"},
  {"taginject tags=image-orientation=rotate-180 ! videoflip video-direction=auto ! videoconvert ! "
    "taginject tags=image-orientation=rotate-270", "9@8"},
  {"videoflip video-direction=180", "9"},
  /* *INDENT-ON* */
};

/* The text of the first answer. Free it. */
static gchar *
run_pipeline (const gchar * line)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  GstMessage *message;
  gchar *text = NULL;
  GstBus *bus;

  fail_unless (pipeline != NULL, "%s", line);
  bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (text == NULL && (message = gst_bus_timed_pop_filtered (bus,
              10 * GST_SECOND, GST_MESSAGE_ELEMENT | GST_MESSAGE_EOS |
              GST_MESSAGE_ERROR))) {
    if (gst_message_has_name (message, "llavaov-answer"))
      text = g_strdup (gst_structure_get_string (gst_message_get_structure
              (message), "text"));
    else if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ELEMENT)
      text = g_strdup (GST_MESSAGE_TYPE_NAME (message));
    gst_message_unref (message);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  return text;
}

GST_START_TEST (test_elements_upstream)
{
  gchar *line = g_strdup_printf ("videotestsrc pattern=solid-color "
      "foreground-color=0xff090909 num-buffers=1 ! "
      "video/x-raw, format=RGB, width=16, height=16 ! %s ! "
      "llavaov device=fake: prompt=q frames=1 ! fakesink", chains[__i__].chain);
  gchar *text = run_pipeline (line);

  fail_unless (text && !strcmp (text + 2, chains[__i__].seen), "%s: %s, not %s",
      line, text, chains[__i__].seen);
  g_free (text);
  g_free (line);
}

GST_END_TEST;

/* Photographs and clips that say in their files which way up they are. */
static const struct
{
  const gchar *name, *chain;
  guint exif;
} files[] = {
  /* *INDENT-OFF* */
  {"1.jpg", "jpegenc ! taginject tags=image-orientation=rotate-0 ! jifmux", 1},
  {"2.jpg", "jpegenc ! taginject tags=image-orientation=flip-rotate-0 ! jifmux", 2},
  {"3.jpg", "jpegenc ! taginject tags=image-orientation=rotate-180 ! jifmux", 3},
  {"5.jpg", "jpegenc ! taginject tags=image-orientation=flip-rotate-270 ! jifmux", 5},
  {"6.jpg", "jpegenc ! taginject tags=image-orientation=rotate-90 ! jifmux", 6},
  {"7.jpg", "jpegenc ! taginject tags=image-orientation=flip-rotate-90 ! jifmux", 7},
  {"8.jpg", "jpegenc ! taginject tags=image-orientation=rotate-270 ! jifmux", 8},
  {"plain.jpg", "jpegenc", 1},
  {"1.mov", "jpegenc ! qtmux", 1},
  {"3.mov", "jpegenc ! qtmux", 3},
  {"6.mov", "jpegenc ! qtmux", 6},
  {"8.mov", "jpegenc ! qtmux", 8},
  /* *INDENT-ON* */
};

/* Into the matrix of the track's header, as phones do. */
static void
write_matrix (const gchar * path, guint exif)
{
  static const gint32 sines[] = {[3] = 0,[6] = 1,[8] = -1 };
  gint32 sine = sines[exif] * 65536, cosine = exif == 3 ? -65536 : 0;
  const gint32 matrix[] = { cosine, sine, 0, -sine, cosine };
  gchar *bytes, *header;
  gsize size;
  guint i;

  fail_unless (g_file_get_contents (path, &bytes, &size, NULL));
  for (header = bytes; memcmp (header, "tkhd", 4); header++)
    fail_unless (header < bytes + size - 80);
  for (i = 0; i < G_N_ELEMENTS (matrix); i++)
    GST_WRITE_UINT32_BE (header + 44 + 4 * i, (guint32) matrix[i]);
  fail_unless (g_file_set_contents (path, bytes, size, NULL));
  g_free (bytes);
}

GST_START_TEST (test_files)
{
  gchar *folder = g_dir_make_tmp ("orientation-XXXXXX", NULL), *line, *text;
  gchar *path = g_build_filename (folder, files[__i__].name, NULL);
  gchar *seen = files[__i__].exif == 1 ? g_strdup ("q|16") :
      g_strdup_printf ("q|16@%u", files[__i__].exif);

  line = g_strdup_printf ("videotestsrc pattern=black num-buffers=3 ! "
      "video/x-raw, width=16, height=16 ! identity eos-after=%d ! %s ! "
      "filesink location=%s", g_str_has_suffix (path, ".jpg") ? 2 : 3,
      files[__i__].chain, path);
  text = run_pipeline (line);
  fail_unless_equals_string (text, "eos");
  g_free (text);
  g_free (line);
  if (g_str_has_suffix (path, ".mov") && files[__i__].exif != 1)
    write_matrix (path, files[__i__].exif);
  line = g_strdup_printf ("filesrc location=%s ! llavaov device=fake: prompt=q "
      "frames=1 ! fakesink", path);
  text = run_pipeline (line);
  fail_unless (text && !strcmp (text, seen), "%s: %s", files[__i__].name, text);
  g_free (text);
  g_free (line);
  g_free (seen);
  g_unlink (path);
  g_rmdir (folder);
  g_free (path);
  g_free (folder);
}

GST_END_TEST;

static Suite *
orientation_suite (void)
{
  Suite *s = suite_create ("orientation");
  TCase *tc = tcase_create ("orientation");

  suite_add_tcase (s, tc);
  tcase_add_loop_test (tc, test_tags_turn_frames, 0, G_N_ELEMENTS (rows));
  tcase_add_test (tc, test_a_change_within_a_window);
  tcase_add_test (tc, test_the_video_is_not_turned);
  tcase_add_loop_test (tc, test_elements_upstream, 0, G_N_ELEMENTS (chains));
  tcase_add_loop_test (tc, test_files, 0, G_N_ELEMENTS (files));
  return s;
}

GST_CHECK_MAIN (orientation);
