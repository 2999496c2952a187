/* SPDX-License-Identifier: Apache-2.0
 *
 * trigger=motion over half an hour of rendered scenes (tests/picture/scenes.h), with the windows that come of it. The first pixel
 * of a picture is the number of the passage that it shows, or 0, which the answers then tell. */
#include "support.h"

#include <math.h>

#include "../picture/scenes.h"

#define FPS 8
#define MINUTES 30
#define WINDOW 4

#define MOTION "device=fake: prompt=\"\" layout=video window=4000000000 frames=8 " \
    "lookback=1000000000 trigger=motion "

typedef struct
{
  Rig *rig;
  guint shown[256];             /* by passage: the most frames of it in one window */
  guint answers, scene_changes;
} Film;

static void
note (Film * film, GstMessage * message)
{
  const GstStructure *answer = gst_message_get_structure (message);
  gchar **frames = g_strsplit (gst_structure_get_string (answer, "text") + 1,
      " ", 0);
  guint count[256] = { 0, }, i;
  gdouble level = -1;

  for (i = 0; frames[i]; i++)
    count[g_ascii_strtoull (frames[i], NULL, 10) & 255]++;
  for (i = 1; i < 256; i++)
    film->shown[i] = MAX (film->shown[i], count[i]);
  film->answers++;
  film->scene_changes += gst_structure_has_field (answer, "scene-change");
  fail_unless_equals_string (gst_structure_get_string (answer, "trigger"),
      "motion");
  fail_unless (gst_structure_get_double (answer, "motion-level", &level));
  fail_unless (level >= 0 && level <= 1);
  g_strfreev (frames);
}

static void
listen (Film * film)
{
  GstMessage *message;

  while ((message = rig_wait (film->rig, GST_MESSAGE_ELEMENT,
              "llavaov-answer", 0))) {
    note (film, message);
    gst_message_unref (message);
  }
}

static GstBuffer *
picture (guint scene, gdouble time, const Ball * ball, guint passage)
{
  const gsize luma = SCENE_WIDTH * SCENE_HEIGHT;
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, luma * 3 / 2, NULL);
  GstMapInfo map;

  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_WRITE));
  scene_render (scene, time, ball, map.data);
  memset (map.data + luma, 128, luma / 2);
  map.data[0] = ball->shown ? passage : 0;
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_PTS (buffer) = (GstClockTime) (time * GST_SECOND);
  GST_BUFFER_DURATION (buffer) = GST_SECOND / FPS;
  return buffer;
}

/* Passages: one every `every` seconds (0: none), at any time between two checks. */
static void
play (Film * film, guint scene, guint seconds, guint every)
{
  guint i;

  film->rig->h = gst_harness_new_with_element (film->rig->element, "sink",
      "src");
  rig_set_file (film->rig);
  gst_harness_set_src_caps_str (film->rig->h, "video/x-raw, format=I420, "
      "width=320, height=240, framerate=8/1");
  for (i = 0; i < seconds * FPS; i++) {
    gdouble time = (gdouble) i / FPS;
    guint passage = every ? (guint) time / every : 0;
    /* not while a scene change settles, nor in the first second */
    gdouble begin = passage * every + 2 + fmod (passage * 0.137, 1);
    Ball ball = scene_ball (passage, begin, time);

    if (every == 0)
      ball.shown = FALSE;
    fail_unless_equals_int (gst_harness_push (film->rig->h, picture (scene,
                time, &ball, passage + 1)), GST_FLOW_OK);
    listen (film);
  }
  gst_harness_push_event (film->rig->h, gst_event_new_eos ());
  listen (film);
}

/* Half an hour in which nothing happens: what it costs, by cause. */
GST_START_TEST (test_still)
{
  static const struct
  {
    const gchar *cause;
    guint scene;
    const gchar *mask;
    guint changes;              /* of the scene */
  } table[] = {
    {"noise", SCENE_NOISE, NULL, 0},
    {"much noise", SCENE_MUCH_NOISE, NULL, 0},
    {"flicker", SCENE_FLICKER | SCENE_NOISE, NULL, 0},
    {"clock, masked", SCENE_CLOCK | SCENE_NOISE, SCENE_CLOCK_MASK, 0},
    {"slow light", SCENE_SLOW_LIGHT | SCENE_NOISE, NULL, 0},
    {"day and night", SCENE_DAY_AND_NIGHT | SCENE_NOISE, NULL, 2},
  };
  const guint seconds = MINUTES * 60 / G_N_ELEMENTS (table);
  guint i, answers = 0;
  guint64 encoded = 0;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    Film film = {.rig = rig_new_null (MOTION, FALSE) };

    g_object_set (film.rig->element, "motion-mask", table[i].mask, NULL);
    play (&film, table[i].scene, seconds, 0);
    g_print ("%s: %u windows in %u s, of a scene change %u\n",
        table[i].cause, film.answers, seconds, film.scene_changes);
    fail_unless_equals_int (film.answers, table[i].changes);
    fail_unless_equals_int (film.scene_changes, table[i].changes);
    fail_unless_equals_uint64 (rig_stat (film.rig, "scene-changes"),
        table[i].changes);
    fail_unless_equals_uint64 (rig_stat (film.rig, "motion-checks"),
        seconds * 4);
    fail_unless_equals_uint64 (rig_stat (film.rig, "frames-sampled"),
        film.answers * 8);
    answers += film.answers;
    encoded += rig_stat (film.rig, "frames-sampled");
    rig_free (film.rig);
  }
  /* Nine tenths of what windows one after another would cost. */
  fail_unless (encoded * 10 <= MINUTES * 60 / WINDOW * 8);
}

GST_END_TEST;

/* Each passage of a second, in whatever light, is in a window with two frames of it at least. */
GST_START_TEST (test_passages)
{
  static const struct
  {
    guint scene;
    const gchar *mask;
  } table[] = {
    {SCENE_NOISE, NULL},
    {SCENE_FLICKER | SCENE_NOISE, NULL},
    {SCENE_CLOCK | SCENE_NOISE, SCENE_CLOCK_MASK},
    {SCENE_SLOW_LIGHT | SCENE_NOISE, NULL},
    {SCENE_DAY_AND_NIGHT | SCENE_NOISE, NULL},
  };
  const guint seconds = 180;
  guint i, k, least = G_MAXUINT;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    /* far apart, and so near that one begins while the window of the one before ends */
    guint every = i % 2 ? 20 : 4;
    Film film = {.rig = rig_new_null (MOTION, FALSE) };

    g_object_set (film.rig->element, "motion-mask", table[i].mask, NULL);
    play (&film, table[i].scene, seconds, every);
    for (k = 1; k < seconds / every; k++) {
      least = MIN (least, film.shown[k]);
      fail_unless (film.shown[k] >= 2, "scene %u, passage %u: %u frames", i, k,
          film.shown[k]);
    }
    /* far apart: one window each */
    if (every == 20)
      fail_unless_equals_int (film.answers, seconds / every);
    rig_free (film.rig);
  }
  g_print ("frames of a passage in a window: %u at least\n", least);
}

GST_END_TEST;

/* A live stream, whose pictures are looked at on another thread while it goes on. */
GST_START_TEST (test_live)
{
  Film film = {.rig = rig_new_null (MOTION, TRUE) };
  gint64 until = g_get_monotonic_time () + 30 * G_TIME_SPAN_SECOND;
  gboolean ready = FALSE;
  guint i;

  film.rig->h = gst_harness_new_with_element (film.rig->element, "sink", "src");
  gst_harness_set_src_caps_str (film.rig->h, "video/x-raw, format=I420, "
      "width=320, height=240, framerate=8/1");
  while (!ready)
    g_object_get (film.rig->element, "ready", &ready, NULL);
  for (i = 0; i < 12 * FPS; i++) {
    gdouble time = (gdouble) i / FPS;
    Ball ball = scene_ball (1, 5.1, time);

    gst_harness_push (film.rig->h, picture (SCENE_NOISE, time, &ball, 1));
    while (rig_stat (film.rig, "motion-checks") < i / 2 + 1 &&
        g_get_monotonic_time () < until)
      g_usleep (200);
  }
  fail_unless_equals_uint64 (rig_stat (film.rig, "motion-checks"), 48);
  note (&film, rig_wait_answer (film.rig));
  fail_unless (film.shown[1] >= 2);
  fail_unless_equals_uint64 (rig_stat (film.rig, "triggered-windows"), 1);
  rig_free (film.rig);
}

GST_END_TEST;

/* A bad mask while PLAYING: a WARNING, and the one before stays. */
GST_START_TEST (test_mask_in_playing)
{
  Film film = {.rig = rig_new_null (MOTION "motion-mask=\"0,0,500,500\"", FALSE)
  };
  GstMessage *warning;

  play (&film, SCENE_NOISE, 1, 0);
  g_object_set (film.rig->element, "motion-mask", "1,2,3", NULL);
  gst_harness_push_event (film.rig->h, gst_event_new_stream_start ("next"));
  gst_harness_push (film.rig->h, picture (SCENE_NOISE, 2, &(Ball) {
          FALSE}
          , 0));
  warning = rig_wait (film.rig, GST_MESSAGE_WARNING, NULL, 5000);
  fail_unless (warning != NULL);
  gst_message_unref (warning);
  rig_free (film.rig);
}

GST_END_TEST;

static Suite *
motion_suite (void)
{
  Suite *suite = suite_create ("motion");
  TCase *tc = tcase_create ("motion");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 300);
  tcase_add_test (tc, test_still);
  tcase_add_test (tc, test_passages);
  tcase_add_test (tc, test_live);
  tcase_add_test (tc, test_mask_in_playing);
  return suite;
}

GST_CHECK_MAIN (motion);
