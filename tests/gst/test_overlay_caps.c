/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaovoverlay: which video it draws on, and what it leaves to whoever is downstream. */
#include "overlay.h"

#include <gst/check/gstcheck.h>

#define META_FEATURE "meta:GstVideoOverlayComposition"
#define DRAWN "memory:SystemMemory, " META_FEATURE
#define SIZE ", width=640, height=480, framerate=10/1"

static const struct
{
  const gchar *comes, *taken;
  gboolean draws;               /* whoever is downstream */
  const gchar *goes;            /* NULL: an error that names the way to main memory */
} memories[] = {
  {"video/x-raw, format=I420" SIZE, "video/x-raw", TRUE,
      "video/x-raw, format=I420" SIZE},
  {"video/x-raw, format=I420" SIZE, "video/x-raw(" DRAWN "); video/x-raw",
      FALSE, "video/x-raw, format=I420" SIZE},
  {"video/x-raw, format=I420" SIZE, "video/x-raw(" DRAWN "); video/x-raw", TRUE,
      "video/x-raw(" DRAWN "), format=I420" SIZE},
  {"video/x-raw(" DRAWN "), format=I420" SIZE,
        "video/x-raw(" DRAWN "); video/x-raw", TRUE,
      "video/x-raw(" DRAWN "), format=I420" SIZE},
  {"video/x-raw(memory:GLMemory), format=RGBA" SIZE,
        "video/x-raw(memory:GLMemory, " META_FEATURE ")", TRUE,
      "video/x-raw(memory:GLMemory, " META_FEATURE "), format=RGBA" SIZE},
  {"video/x-raw(memory:CUDAMemory), format=NV12" SIZE,
      "video/x-raw(memory:CUDAMemory)", TRUE, NULL},
};

static void
check_error (GstBus * bus)
{
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  GError *error;

  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_STREAM_ERROR,
          GST_STREAM_ERROR_FORMAT));
  fail_unless (strstr (error->message, "! cudadownload ! videoconvert !") != 0);
  g_error_free (error);
  gst_message_unref (message);
}

/* Compositions go with the frames where they are drawn downstream; without them frames outside main memory are refused. */
GST_START_TEST (test_memories)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (memories); i++) {
    GstHarness *h = gst_harness_new_parse ("llavaovoverlay");
    GstElement *overlay = gst_harness_find_element (h, "llavaovoverlay");
    GstBus *bus = gst_bus_new ();
    GstBuffer *out = NULL;
    GstCaps *caps, *expected;

    gst_element_set_bus (overlay, bus);
    gst_harness_set_sink_caps_str (h, memories[i].taken);
    if (memories[i].draws)
      gst_harness_add_propose_allocation_meta (h,
          GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
    gst_harness_set_src_caps (h, gst_caps_from_string (memories[i].comes));
    if (gst_harness_push (h, overlay_frame_new ("I420", 640, 480, 0,
                overlay_answer_new ("yes", NULL))) == GST_FLOW_OK)
      out = gst_harness_pull (h);
    fail_unless_equals_int (out != NULL, memories[i].goes != NULL);
    if (out) {
      GstVideoOverlayCompositionMeta *meta =
          gst_buffer_get_video_overlay_composition_meta (out);
      gboolean attached = strstr (memories[i].goes, META_FEATURE) != NULL;

      caps = gst_pad_get_current_caps (h->sinkpad);
      expected = gst_caps_from_string (memories[i].goes);
      gst_check_caps_equal (caps, expected);
      gst_caps_unref (expected);
      gst_caps_unref (caps);
      fail_unless_equals_int (meta != NULL, attached);
      fail_unless_equals_int (overlay_count_drawn (out) == 0, attached);
      gst_buffer_unref (out);
    } else
      check_error (bus);
    gst_element_set_bus (overlay, NULL);
    gst_object_unref (bus);
    gst_object_unref (overlay);
    gst_harness_teardown (h);
  }
}

GST_END_TEST;

/* Somebody else's composition stays, and the sink changes its mind. */
GST_START_TEST (test_compositions)
{
  GstHarness *h = gst_harness_new_parse ("llavaovoverlay name=a ! "
      "llavaovoverlay position=top");
  GstVideoOverlayCompositionMeta *meta;
  GstBuffer *out;
  guint n;

  gst_harness_set_sink_caps_str (h, "video/x-raw(" DRAWN "); video/x-raw");
  gst_harness_add_propose_allocation_meta (h,
      GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
  gst_harness_set_src_caps_str (h, "video/x-raw, format=RGB" SIZE);
  out = gst_harness_push_and_pull (h, overlay_frame_new ("RGB", 640, 480, 0,
          overlay_answer_new ("yes", NULL)));
  meta = gst_buffer_get_video_overlay_composition_meta (out);
  fail_unless (meta != NULL && overlay_count_drawn (out) == 0);
  n = gst_video_overlay_composition_n_rectangles (meta->overlay);
  fail_unless_equals_int (n, 2);
  gst_buffer_unref (out);
  gst_harness_set_sink_caps_str (h, "video/x-raw");
  out =
      gst_harness_push_and_pull (h, overlay_frame_new ("RGB", 640, 480, 1,
          NULL));
  meta = gst_buffer_get_video_overlay_composition_meta (out);
  fail_unless (meta == NULL && overlay_count_drawn (out) > 1000);
  gst_buffer_unref (out);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* A frame that is shorter than its caps say goes through. */
GST_START_TEST (test_short_frame)
{
  GstHarness *h = overlay_harness_new ("", "RGB", 640, 480, "");
  GstBuffer *in =
      overlay_frame_new ("RGB", 64, 48, 0, overlay_answer_new ("yes", NULL));
  GstBuffer *out = gst_harness_push_and_pull (h, in);

  fail_unless (out != NULL && overlay_count_drawn (out) == 0);
  gst_buffer_unref (out);
  gst_harness_teardown (h);
}

GST_END_TEST;

static Suite *
overlay_caps_suite (void)
{
  Suite *suite = suite_create ("overlay-caps");
  TCase *tests = tcase_create ("overlay-caps");

  suite_add_tcase (suite, tests);
  overlay_load_plugin ();
  tcase_add_test (tests, test_memories);
  tcase_add_test (tests, test_compositions);
  tcase_add_test (tests, test_short_frame);
  return suite;
}

GST_CHECK_MAIN (overlay_caps);
