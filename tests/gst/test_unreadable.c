/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames whose buffers do not hold what the caps say: the video goes through, one WARNING says so, the others are counted,
 * and what can be read is answered. */
#include "support.h"

#include <gst/video/video.h>

static void
push_bytes (Rig * rig, guint8 value, gsize bytes, GstClockTime pts)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, bytes, NULL);

  gst_buffer_memset (buffer, 0, value, bytes);
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = 100 * MS;
  fail_unless_equals_int (gst_harness_push (rig->h, buffer), GST_FLOW_OK);
}

/* Counts the WARNINGs of ours so far, of which the first must contain `text`. */
static guint
count_warnings (Rig * rig, const gchar * expected)
{
  GstMessage *message;
  guint n = 0;

  while ((message = gst_bus_pop_filtered (rig->bus, GST_MESSAGE_WARNING))) {
    GError *error;

    gst_message_parse_warning (message, &error, NULL);
    if (n++ == 0)
      fail_unless (strstr (error->message, expected) != NULL, "%s",
          error->message);
    g_error_free (error);
    gst_message_unref (message);
  }
  return n;
}

GST_START_TEST (test_some_frames_cannot_be_read)
{
  Rig *rig = rig_new ("window=400000000 frames=4 prompt=p", FALSE);

  push_bytes (rig, 1, 256, 0);
  push_bytes (rig, 2, 255, 100 * MS);
  fail_unless_equals_int (count_warnings (rig, "Frames of this video are not "
          "sampled: a buffer has 255 bytes, and GRAY8 of 16x16 needs 256"), 1);
  push_bytes (rig, 3, 256, 200 * MS);
  push_bytes (rig, 4, 0, 300 * MS);
  fail_unless_equals_int (count_warnings (rig, ""), 0);
  push_bytes (rig, 5, 256, 400 * MS);
  rig_expect (rig, "p|1 3 3 3");
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  rig_expect (rig, "p|5");
  fail_unless_equals_int (gst_harness_buffers_received (rig->h), 5);
  fail_unless_equals_uint64 (rig_stat (rig, "frames-unreadable"), 2);
  fail_unless_equals_uint64 (rig_stat (rig, "frames-seen"), 5);
  fail_unless_equals_uint64 (rig_stat (rig, "failed-windows"), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_no_frame_can_be_read)
{
  Rig *rig = rig_new ("window=400000000 frames=4 prompt=p", FALSE);
  GstMessage *message;
  guint i;

  /* More than a minute: silence is reported. */
  for (i = 0; i < 620; i++)
    push_bytes (rig, 1, 200, i * 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-no-frames", 10000);
  fail_unless (message != NULL);
  fail_unless_equals_string (gst_structure_get_string
      (gst_message_get_structure (message), "reason"), "unreadable-frames");
  gst_message_unref (message);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  fail_unless_equals_int (gst_harness_buffers_received (rig->h), 620);
  fail_unless_equals_uint64 (rig_stat (rig, "frames-unreadable"), 620);
  fail_unless_equals_uint64 (rig_stat (rig, "windows"), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_other_caps_are_told_about_again)
{
  Rig *rig = rig_new ("window=400000000 frames=4 prompt=p", FALSE);

  push_bytes (rig, 1, 200, 0);
  fail_unless_equals_int (count_warnings (rig, "16x16 needs 256"), 1);
  gst_harness_set_src_caps_str (rig->h, "video/x-raw, format=GRAY8, width=16, "
      "height=16, framerate=10/1");
  push_bytes (rig, 1, 200, 100 * MS);
  fail_unless_equals_int (count_warnings (rig, ""), 0);
  /* The buffers came first, then the caps that they are of. */
  gst_harness_set_src_caps_str (rig->h, "video/x-raw, format=GRAY8, width=20, "
      "height=10, framerate=10/1");
  push_bytes (rig, 7, 200, 200 * MS);
  fail_unless_equals_int (count_warnings (rig, ""), 0);
  push_bytes (rig, 1, 199, 300 * MS);
  fail_unless_equals_int (count_warnings (rig, "20x10 needs 200"), 1);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  rig_expect (rig, "p|7");      /* a picture by itself */
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_clip)
{
  Rig *rig = rig_new ("sampling=clip frames=2 prompt=p", FALSE);

  push_bytes (rig, 1, 256, 0);
  push_bytes (rig, 2, 1, 100 * MS);
  push_bytes (rig, 3, 256, 200 * MS);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  rig_expect (rig, "p|1 3");
  fail_unless_equals_uint64 (rig_stat (rig, "frames-unreadable"), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_memory_that_is_elsewhere)
{
  Rig *rig = rig_new_null ("window=400000000 frames=4 prompt=p", FALSE);

  rig_prepare (rig);
  gst_harness_set_src_caps_str (rig->h, "video/x-raw(memory:NVMM), "
      "format=NV12, width=64, height=64, framerate=10/1");
  push_bytes (rig, 1, 64, 0);
  fail_unless_equals_int (count_warnings (rig, "Their memory is memory:NVMM"),
      1);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
unreadable_suite (void)
{
  Suite *s = suite_create ("unreadable");
  TCase *tc = tcase_create ("unreadable");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_some_frames_cannot_be_read);
  tcase_add_test (tc, test_no_frame_can_be_read);
  tcase_add_test (tc, test_other_caps_are_told_about_again);
  tcase_add_test (tc, test_a_clip);
  tcase_add_test (tc, test_memory_that_is_elsewhere);
  return s;
}

GST_CHECK_MAIN (unreadable);
