/* SPDX-License-Identifier: Apache-2.0
 *
 * Which frames of a stream stand for which stretch of it, and for how long they are kept behind it: sampler.c, clip.c and
 * histories.c by themselves. */
#include <gst/check/gstcheck.h>

#include "clip.h"
#include "histories.h"
#include "sampler.h"
#include "window.h"

#define MS GST_MSECOND

static GstLlavaovSettings settings;
static GstLlavaovSampler sampler;
static GQueue closed = G_QUEUE_INIT;
static guint n_chosen;

static void
count_chosen (gpointer data, GstLlavaovSample * sample)
{
  if (!sample->chosen)
    n_chosen++;
  sample->chosen = TRUE;
}

static void
setup (void)
{
  gst_llavaov_settings_init (&settings);
  gst_llavaov_sampler_init (&sampler);
  gst_llavaov_sampler_setup (&sampler, &settings, NULL, count_chosen, NULL);
  n_chosen = 0;
}

static void
teardown (void)
{
  GstLlavaovWindow *window;

  while ((window = g_queue_pop_head (&closed)))
    gst_llavaov_window_free (window);
  gst_llavaov_sampler_reset (&sampler);
  gst_llavaov_settings_clear (&settings);
}

static GstLlavaovSample *
make_sample (GstClockTime time, GstClockTime duration)
{
  GstBuffer *buffer = gst_buffer_new ();
  GstVideoInfo info;
  GstLlavaovSample *sample;

  gst_video_info_init (&info);
  sample = gst_llavaov_sample_new (buffer, &info, time, duration);
  gst_buffer_unref (buffer);
  return sample;
}

static void
frame_for (GstClockTime time, GstClockTime duration)
{
  GstLlavaovSample *sample = make_sample (time, duration);

  gst_llavaov_sampler_advance (&sampler, time, &closed);
  gst_llavaov_sampler_frame (&sampler, sample, &closed);
  gst_llavaov_sample_unref (sample);
}

static void
frame (GstClockTime time)
{
  frame_for (time, GST_CLOCK_TIME_NONE);
}

/* The next closed window holds exactly these frames (ms). */
static void
expect (guint64 start, guint64 length, const gchar * times)
{
  GstLlavaovWindow *window = g_queue_pop_head (&closed);
  GString *text = g_string_new (NULL);
  guint i;

  fail_unless (window != NULL);
  fail_unless_equals_uint64 (window->start, start * MS);
  fail_unless_equals_uint64 (window->length, length * MS);
  for (i = 0; i < window->samples->len; i++) {
    GstLlavaovSample *sample = g_ptr_array_index (window->samples, i);

    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT, i ? " " : "",
        (guint64) (sample->running / MS));
  }
  fail_unless_equals_string (text->str, times);
  g_string_free (text, TRUE);
  gst_llavaov_window_free (window);
}

static void
set (guint window, guint interval, guint frames)
{
  settings.window = window * MS;
  settings.interval = interval * MS;
  settings.frames = frames;
}

GST_START_TEST (test_points_take_the_nearest_frame)
{
  guint i;

  set (1000, 0, 4);
  for (i = 0; i <= 20; i++)
    frame (i * 100 * MS);
  /* points 125, 375, 625, 875 */
  expect (0, 1000, "100 400 600 900");
  expect (1000, 1000, "1100 1400 1600 1900");
  fail_unless (g_queue_is_empty (&closed));
}

GST_END_TEST;

GST_START_TEST (test_ties_take_the_earlier_frame)
{
  set (1000, 0, 1);
  frame (0);
  frame (400 * MS);
  frame (600 * MS);
  frame (1000 * MS);
  expect (0, 1000, "400");
  /* a frame exactly at the point */
  frame (1499 * MS);
  frame (1500 * MS);
  frame (2000 * MS);
  expect (1000, 1000, "1500");
}

GST_END_TEST;

GST_START_TEST (test_irregular_frames)
{
  /* Against the definition itself, on many random streams. */
  GRand *random = g_rand_new_with_seed (7);
  guint round;

  for (round = 0; round < 200; round++) {
    guint times[200], n = 0, t = 0, i, k, points = g_rand_int_range (random, 1,
        12);

    set (1000, 0, points);
    while (t < 3000 && n < 200) {
      times[n++] = t;
      frame (t * MS);
      t += g_rand_int_range (random, 1, 150);
    }
    for (i = 0; i + 1 < 3 && !g_queue_is_empty (&closed); i++) {
      GstLlavaovWindow *window = g_queue_pop_head (&closed);

      fail_unless_equals_int (window->samples->len, points);
      for (k = 0; k < points; k++) {
        GstLlavaovSample *sample = g_ptr_array_index (window->samples, k);
        GstClockTime point = window->start +
            window->length * (2 * k + 1) / (2 * points);
        GstClockTime best = GST_CLOCK_TIME_NONE, distance = G_MAXUINT64;
        guint j;

        for (j = 0; j < n; j++) {
          GstClockTime time = times[j] * MS;
          GstClockTime d = time > point ? time - point : point - time;

          if (time < window->start || time >= window->start + window->length)
            continue;
          if (d < distance) {
            distance = d;
            best = time;
          }
        }
        fail_unless_equals_uint64 (sample->running, best);
      }
      gst_llavaov_window_free (window);
    }
    teardown ();
    setup ();
  }
  g_rand_free (random);
}

GST_END_TEST;

GST_START_TEST (test_sparse_frames_stand_for_several_points)
{
  set (4000, 0, 4);
  frame (0);
  frame (2000 * MS);
  frame (4000 * MS);
  /* points 500, 1500, 2500, 3500 */
  expect (0, 4000, "0 2000 2000 2000");
  fail_unless_equals_int (n_chosen, 2);
}

GST_END_TEST;

GST_START_TEST (test_overlap_shares_frames)
{
  guint i;

  set (1000, 500, 4);
  for (i = 0; i <= 20; i++)
    frame (i * 100 * MS);
  expect (0, 1000, "100 400 600 900");
  expect (500, 1000, "600 900 1100 1400");
  expect (1000, 1000, "1100 1400 1600 1900");
  /* windows at 0, 500, 1000, 1500: eight frames, and one of the open fourth */
  fail_unless_equals_int (n_chosen, 8);
}

GST_END_TEST;

GST_START_TEST (test_interval_longer_than_window)
{
  guint i;

  set (500, 2000, 2);
  for (i = 0; i <= 45; i++)
    frame (i * 100 * MS);
  expect (0, 500, "100 400");
  expect (2000, 500, "2100 2400");
  expect (4000, 500, "4100 4400");
  fail_unless (g_queue_is_empty (&closed));
}

GST_END_TEST;

GST_START_TEST (test_tiny_interval_is_bounded)
{
  guint i;

  set (1000, 0, 1);
  settings.interval = 1;
  for (i = 0; i <= 10; i++)
    frame (i * 100 * MS);
  fail_unless (sampler.open.length <= GST_LLAVAOV_MAX_OPEN_WINDOWS + 1);
  fail_unless (closed.length <= GST_LLAVAOV_MAX_OPEN_WINDOWS + 1);
}

GST_END_TEST;

GST_START_TEST (test_grid_starts_at_the_first_frame)
{
  set (1000, 0, 1);
  frame (5300 * MS);
  frame (5800 * MS);
  frame (6300 * MS);
  expect (5300, 1000, "5800");
}

GST_END_TEST;

GST_START_TEST (test_partial_window_at_the_end)
{
  set (8000, 0, 8);
  frame (0);
  frame (600 * MS);
  frame (1400 * MS);
  gst_llavaov_sampler_finish (&sampler, 1700 * MS, GST_CLOCK_TIME_NONE, "eos",
      &closed);
  /* points 500 and 1500 lie before the end */
  expect (0, 1700, "600 1400");

  /* at least one */
  frame (0);
  gst_llavaov_sampler_finish (&sampler, 40 * MS, GST_CLOCK_TIME_NONE, "eos",
      &closed);
  expect (0, 40, "0");

  /* nothing from nothing */
  gst_llavaov_sampler_finish (&sampler, 40 * MS, GST_CLOCK_TIME_NONE, "eos",
      &closed);
  fail_unless (g_queue_is_empty (&closed));
}

GST_END_TEST;

GST_START_TEST (test_silence_of_a_file_leaves_no_windows)
{
  set (1000, 0, 2);
  frame (0);
  frame (7300 * MS);
  expect (0, 1000, "0 0");
  frame (8000 * MS);
  expect (7000, 1000, "7300 7300");
  fail_unless (g_queue_is_empty (&closed));
}

GST_END_TEST;

GST_START_TEST (test_silence_of_a_live_stream_is_told)
{
  GstLlavaovWindow *window;

  set (1000, 0, 2);
  gst_llavaov_sampler_set_live (&sampler, TRUE, FALSE);
  gst_llavaov_sampler_start (&sampler, 0);
  fail_unless_equals_uint64 (gst_llavaov_sampler_deadline (&sampler),
      1000 * MS);
  gst_llavaov_sampler_advance (&sampler, 1000 * MS, &closed);
  window = g_queue_pop_head (&closed);
  fail_unless_equals_int (window->state, GST_LLAVAOV_WINDOW_EMPTY);
  gst_llavaov_window_free (window);
  fail_unless_equals_uint64 (gst_llavaov_sampler_deadline (&sampler),
      2000 * MS);
  /* The first frame sets the grid. */
  frame (1300 * MS);
  fail_unless_equals_uint64 (gst_llavaov_sampler_deadline (&sampler),
      2300 * MS);
}

GST_END_TEST;

GST_START_TEST (test_live_window_goes_out_when_decided)
{
  set (8000, 0, 2);
  gst_llavaov_sampler_set_live (&sampler, TRUE, TRUE);
  frame_for (0, 40 * MS);
  frame_for (1980 * MS, 40 * MS);
  frame_for (2020 * MS, 40 * MS);
  frame_for (5990 * MS, 40 * MS);
  fail_unless (g_queue_is_empty (&closed));
  frame_for (6030 * MS, 40 * MS);
  expect (0, 8000, "1980 5990");
  frame_for (8010 * MS, 40 * MS);
  fail_unless (g_queue_is_empty (&closed));

  /* The duration of a slow camera's frame is trusted. */
  teardown ();
  setup ();
  set (48000, 0, 8);
  gst_llavaov_sampler_set_live (&sampler, TRUE, TRUE);
  guint i;
  for (i = 0; i < 8; i++) {
    fail_unless (g_queue_is_empty (&closed));
    frame_for (i * 6000 * MS, 6000 * MS);
  }
  expect (0, 48000, "0 6000 12000 18000 24000 30000 36000 42000");
}

GST_END_TEST;

GST_START_TEST (test_clip_index_is_linspace)
{
  /* numpy.linspace (0, total - 1, n, dtype = int) */
  static const guint64 of_300[] = { 0, 42, 85, 128, 170, 213, 256, 299 };
  static const guint64 of_3[] = { 0, 0, 0, 0, 1, 1, 1, 2 };
  static const guint64 of_1000_by_32[] = { 0, 32, 64, 96, 128, 161, 193, 225,
    257, 290, 322, 354, 386, 418, 451, 483, 515, 547, 580, 612, 644, 676, 708,
    741, 773, 805, 837, 870, 902, 934, 966, 999
  };
  guint k;

  for (k = 0; k < 8; k++) {
    fail_unless_equals_uint64 (gst_llavaov_clip_index (300, 8, k), of_300[k]);
    fail_unless_equals_uint64 (gst_llavaov_clip_index (3, 8, k), of_3[k]);
    fail_unless_equals_uint64 (gst_llavaov_clip_index (1, 8, k), 0);
  }
  for (k = 0; k < 32; k++)
    fail_unless_equals_uint64 (gst_llavaov_clip_index (1000, 32, k),
        of_1000_by_32[k]);
  fail_unless_equals_uint64 (gst_llavaov_clip_index (300, 1, 0), 0);
}

GST_END_TEST;

static void
check_clip (guint64 total, guint n)
{
  GstLlavaovClip clip;
  GstLlavaovWindow *window;
  GstSegment segment;
  guint64 i, previous = 0;
  guint k;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_llavaov_clip_init (&clip);
  for (i = 0; i < total; i++) {
    GstLlavaovSample *sample = make_sample (i, GST_CLOCK_TIME_NONE);

    gst_llavaov_clip_frame (&clip, sample, i, &segment, 0);
    gst_llavaov_sample_unref (sample);
    fail_unless (gst_llavaov_clip_n_kept (&clip) <= GST_LLAVAOV_CLIP_KEPT);
  }
  {
    guint64 stride = clip.stride;

    fail_unless ((total + stride - 1) / stride <= GST_LLAVAOV_CLIP_KEPT);
    window = gst_llavaov_clip_finish (&clip, &settings, n);
    fail_unless_equals_int (window->samples->len, n);
    for (k = 0; k < n; k++) {
      GstLlavaovSample *sample = g_ptr_array_index (window->samples, k);
      guint64 index = gst_llavaov_clip_index (total, n, k);
      guint64 taken = sample->running;

      if (total <= GST_LLAVAOV_CLIP_KEPT)
        fail_unless_equals_uint64 (taken, index);
      fail_unless ((taken > index ? taken - index : index - taken) < stride);
      fail_unless (taken >= previous);
      previous = taken;
    }
  }
  gst_llavaov_window_free (window);
  gst_llavaov_clip_clear (&clip);
}

GST_START_TEST (test_clip_keeps_at_most_1024)
{
  check_clip (1, 8);
  check_clip (7, 8);
  check_clip (1023, 32);
  check_clip (1024, 32);
  check_clip (1025, 32);
  check_clip (2049, 8);
  check_clip (10000, 128);
}

GST_END_TEST;

GST_START_TEST (test_answered_frames_give_way_to_other_windows)
{
  static const struct
  {
    gint64 dropped;             /* seconds behind the answer */
    gboolean kept;
  } table[] = { {0, TRUE}, {19, TRUE}, {20, FALSE}, {3600, FALSE} };
  const gint64 answered = 7 * G_TIME_SPAN_SECOND;
  GstLlavaovHistories histories;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    GstSegment segment;

    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_llavaov_histories_init (&histories);
    histories.window.window = gst_llavaov_window_new_empty (0, GST_SECOND,
        &settings, &segment, 0, "none");
    histories.window_until = answered + GST_LLAVAOV_HISTORY_LEAST;
    gst_llavaov_histories_yield (&histories,
        answered + table[i].dropped * G_TIME_SPAN_SECOND);
    fail_unless_equals_int (histories.window.window != NULL, table[i].kept);
    gst_llavaov_histories_clear (&histories);
  }
}

GST_END_TEST;

static Suite *
sampling_suite (void)
{
  Suite *s = suite_create ("sampling");
  TCase *tc = tcase_create ("sampling");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_points_take_the_nearest_frame);
  tcase_add_test (tc, test_ties_take_the_earlier_frame);
  tcase_add_test (tc, test_irregular_frames);
  tcase_add_test (tc, test_sparse_frames_stand_for_several_points);
  tcase_add_test (tc, test_overlap_shares_frames);
  tcase_add_test (tc, test_interval_longer_than_window);
  tcase_add_test (tc, test_tiny_interval_is_bounded);
  tcase_add_test (tc, test_grid_starts_at_the_first_frame);
  tcase_add_test (tc, test_partial_window_at_the_end);
  tcase_add_test (tc, test_silence_of_a_file_leaves_no_windows);
  tcase_add_test (tc, test_silence_of_a_live_stream_is_told);
  tcase_add_test (tc, test_live_window_goes_out_when_decided);
  tcase_add_test (tc, test_clip_index_is_linspace);
  tcase_add_test (tc, test_clip_keeps_at_most_1024);
  tcase_add_test (tc, test_answered_frames_give_way_to_other_windows);
  return s;
}

GST_CHECK_MAIN (sampling);
