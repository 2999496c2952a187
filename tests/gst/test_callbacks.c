/* SPDX-License-Identifier: Apache-2.0
 *
 * What applications do in callbacks, from every thread that calls them: it works, or is refused with a warning as GstTask
 * does. Nothing hangs (the test's time limit), nothing aborts, and the pipeline goes to NULL from outside afterwards. */
#include <gst/check/gstcheck.h>

typedef struct
{
  GstElement *pipeline, *llavaov;
  void (*act) (GstElement * pipeline, GstElement * llavaov);
  gint calls;                   /* atomic */
  gint returned;                /* atomic */
} Scene;

/* ---- what applications do ---- */

static void
to_null (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

static void
to_ready (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_set_state (pipeline, GST_STATE_READY);
}

static void
to_paused (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
}

static void
null_and_up (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
}

static void
element_null (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_set_state (llavaov, GST_STATE_NULL);
}

static void
properties (GstElement * pipeline, GstElement * llavaov)
{
  GstStructure *stats;
  gchar *answer;
  gboolean ready;

  g_object_set (llavaov, "prompt", "p", "window", (guint64) GST_SECOND / 2,
      "frames", 3, "stream-name", "s", "meta-mode", 2, NULL);
  g_object_get (llavaov, "stats", &stats, "last-answer", &answer, "ready",
      &ready, NULL);
  gst_structure_free (stats);
  g_free (answer);
}

static void
flush_seek (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_seek_simple (pipeline, GST_FORMAT_TIME,
      GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, GST_SECOND);
}

static void
seek (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_seek_simple (pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_NONE,
      GST_SECOND);
}

static void
segment_seek (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_seek (pipeline, 1, GST_FORMAT_TIME, GST_SEEK_FLAG_SEGMENT,
      GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_SET, 2 * GST_SECOND);
}

static void
queries (GstElement * pipeline, GstElement * llavaov)
{
  GstQuery *query = gst_query_new_latency ();
  GstPad *pad = gst_element_get_static_pad (llavaov, "sink");
  gint64 value;

  gst_element_query (pipeline, query);
  gst_query_unref (query);
  gst_element_query_position (pipeline, GST_FORMAT_TIME, &value);
  gst_caps_unref (gst_pad_query_caps (pad, NULL));
  gst_object_unref (pad);
}

static void
eos (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_send_event (pipeline, gst_event_new_eos ());
}

static void
element_eos (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_send_event (llavaov, gst_event_new_eos ());
}

static void
release_text (GstElement * pipeline, GstElement * llavaov)
{
  GstPad *pad = gst_element_get_static_pad (llavaov, "text");

  gst_element_release_request_pad (llavaov, pad);
  gst_object_unref (pad);
}

static void
text_again (GstElement * pipeline, GstElement * llavaov)
{
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "t");

  release_text (pipeline, llavaov);
  gst_element_link_pads (llavaov, "text", sink, "sink");
  gst_object_unref (sink);
}

/* The callback has the last references. */
static void
unref (GstElement * pipeline, GstElement * llavaov)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

typedef void (*Act) (GstElement *, GstElement *);

static const struct
{
  const gchar *name;
  Act act;
} acts[] = {
  {"pipeline to NULL", to_null}, {"pipeline to READY", to_ready},
  {"to PAUSED and back", to_paused}, {"to NULL and up", null_and_up},
  {"element to NULL", element_null}, {"properties", properties},
  {"flushing seek", flush_seek}, {"seek", seek},
  {"segment seek", segment_seek}, {"queries", queries},
  {"EOS", eos}, {"EOS to the element", element_eos},
  {"release of the text pad", release_text}, {"text pad anew", text_again},
  {"last reference", unref},
};

/* ---- the callbacks in which they do it ---- */

static void
enter (Scene * scene)
{
  /* The second time: the first call of a stream may find it just begun. */
  if (g_atomic_int_add (&scene->calls, 1) != 1)
    return;
  scene->act (scene->pipeline, scene->llavaov);
  g_atomic_int_set (&scene->returned, 1);
}

static void
notified (GObject * object, GParamSpec * pspec, gpointer data)
{
  enter (data);
}

static GstBusSyncReply
posted (GstBus * bus, GstMessage * message, gpointer data)
{
  if (gst_message_has_name (message, "llavaov-answer"))
    enter (data);
  gst_message_unref (message);
  return GST_BUS_DROP;
}

static GstBusSyncReply
alerted (GstBus * bus, GstMessage * message, gpointer data)
{
  if (gst_message_has_name (message, "llavaov-alert"))
    enter (data);
  gst_message_unref (message);
  return GST_BUS_DROP;
}

static GstBusSyncReply
swallow (GstBus * bus, GstMessage * message, gpointer data)
{
  gst_message_unref (message);
  return GST_BUS_DROP;
}

static GstPadProbeReturn
probed (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  enter (data);
  return GST_PAD_PROBE_OK;
}

typedef enum
{ NOTIFY, SYNC_HANDLER, ALERT, SINK_PROBE, SRC_PROBE, TEXT_PROBE,
  N_PLACES
} Place;

static void
listen_at (Scene * scene, Place place)
{
  static const gchar *pads[] = { NULL, NULL, NULL, "sink", "src", "text" };
  GstBus *bus = gst_element_get_bus (scene->pipeline);

  gst_bus_set_sync_handler (bus, place == SYNC_HANDLER ? posted :
      place == ALERT ? alerted : swallow, scene, NULL);
  gst_object_unref (bus);
  if (place == NOTIFY)
    g_signal_connect (scene->llavaov, "notify::last-answer",
        G_CALLBACK (notified), scene);
  if (pads[place]) {
    GstPad *pad = gst_element_get_static_pad (scene->llavaov, pads[place]);

    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, probed, scene, NULL);
    gst_object_unref (pad);
  }
}

#define ELEMENT "device=fake:answer-ms=2 frames=2 name=l ! " \
    "fakesink name=v  l.text ! fakesink name=t"
static const gchar *lines[] = {
  "videotestsrc num-buffers=4000 ! "
      "video/x-raw, width=64, height=48, framerate=10/1 ! llavaov "
      "window=2000000000 " ELEMENT,
  "videotestsrc is-live=true ! "
      "video/x-raw, width=64, height=48, framerate=50/1 ! llavaovelement "
      "window=60000000 " ELEMENT,
};

static void
play (const gchar * line, Place place, guint act)
{
  Scene scene = { gst_parse_launch (line, NULL), NULL, acts[act].act, 0, 0 };
  gboolean last = acts[act].act == unref;
  guint tries;

  fail_unless (scene.pipeline != NULL);
  scene.llavaov = gst_bin_get_by_name (GST_BIN (scene.pipeline), "l");
  gst_object_unref (scene.llavaov);
  listen_at (&scene, place);
  if (place == ALERT) {
    scene.calls = 1;            /* it is raised once */
    g_object_set (scene.llavaov, "choices", "yes|no", "alert-on", "yes", NULL);
  }
  gst_element_set_state (scene.pipeline, GST_STATE_PLAYING);
  for (tries = 0; tries < 20000 && !g_atomic_int_get (&scene.returned); tries++)
    g_usleep (1000);
  fail_unless (g_atomic_int_get (&scene.returned), "%s at %d hangs in %s",
      acts[act].name, place, line);
  if (last) {
    g_usleep (20000);
    return;
  }
  /* It ends, even if it was refused. */
  g_usleep (5000);
  gst_element_set_state (scene.pipeline, GST_STATE_NULL);
  fail_unless_equals_int (gst_element_get_state (scene.pipeline, NULL, NULL,
          GST_CLOCK_TIME_NONE), GST_STATE_CHANGE_SUCCESS);
  gst_object_unref (scene.pipeline);
}

GST_START_TEST (test_callback)
{
  guint place;

  _gst_check_expecting_log = TRUE;
  for (place = 0; place < N_PLACES; place++) {
    /* A source cannot be disposed of in its own thread, nor a pad in its task. */
    if (acts[__i__].act == unref && place > ALERT)
      continue;
    play (lines[0], place, __i__);
    play (lines[1], place, __i__);
  }
}

GST_END_TEST;

static Suite *
callbacks_suite (void)
{
  Suite *s = suite_create ("callbacks");
  TCase *tc = tcase_create ("callbacks");

  suite_add_tcase (s, tc);
  tcase_add_loop_test (tc, test_callback, 0, G_N_ELEMENTS (acts));
  return s;
}

GST_CHECK_MAIN (callbacks);
