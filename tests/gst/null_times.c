/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a state change to NULL takes while the model loads, encodes, prefills and decodes.
 *
 *   null-times MODEL [TRIES]      50 tries a phase unless told otherwise
 *
 * Prints a line a phase: tries, median, 95th percentile and maximum in milliseconds; exits 1 when more than 5 % take over
 * 100 ms or one takes over 250 ms. */
#include <gst/gst.h>
#include <stdlib.h>

#define N_FRAMES 2

typedef enum
{
  LOAD,
  ENCODE,
  PREFILL,
  DECODE,
  N_PHASES
} Phase;

static const gchar *names[] = { "load", "encode", "prefill", "decode" };

static guint64
stat_of (GstElement * element, const gchar * field)
{
  GstStructure *stats;
  guint64 value = 0;

  g_object_get (element, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, field, &value);
  gst_structure_free (stats);
  return value;
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  gdouble x = *(const gdouble *) a, y = *(const gdouble *) b;

  return (x > y) - (x < y);
}

/* How long the phases last on this machine, from one whole answer. */
typedef struct
{
  gdouble load, encode, prefill;
} Times;

static GstElement *
start (const gchar * model, guint new_tokens, GstElement ** element)
{
  GstElement *pipeline = gst_parse_launch ("videotestsrc num-buffers=2000 ! "
      "video/x-raw, width=640, height=480, framerate=25/1 ! llavaov name=l "
      "window=1000000000 frames=2 ! fakesink", NULL);

  *element = gst_bin_get_by_name (GST_BIN (pipeline), "l");
  g_object_set (*element, "model-path", model, "max-new-tokens", new_tokens,
      NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  return pipeline;
}

/* Until the model is loaded, `encoded` frames are encoded and `answers` are there. FALSE on an error. */
static gboolean
wait_for (GstElement * pipeline, GstElement * element, guint64 encoded,
    guint64 answers)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  gboolean ready = FALSE, failed = FALSE;

  while (!failed) {
    GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);

    if (message) {
      GError *error;

      gst_message_parse_error (message, &error, NULL);
      g_printerr ("%s\n", error->message);
      g_error_free (error);
      gst_message_unref (message);
      failed = TRUE;
    }
    g_object_get (element, "ready", &ready, NULL);
    if (ready && stat_of (element, "frames-encoded") >= encoded &&
        stat_of (element, "answers") >= answers)
      break;
    g_usleep (1000);
  }
  gst_object_unref (bus);
  return !failed;
}

static gboolean
calibrate (const gchar * model, Times * times)
{
  GstElement *element, *pipeline = start (model, 1, &element);
  gboolean done = wait_for (pipeline, element, 1, 1);

  times->load = stat_of (element, "load-time") / 1e9;
  times->encode = stat_of (element, "encode-time") / 1e9;
  times->prefill = stat_of (element, "prefill-time") / 1e9;
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (element);
  gst_object_unref (pipeline);
  g_print ("load %.2f s, encode %.2f s, prefill %.2f s\n", times->load,
      times->encode, times->prefill);
  return done;
}

/* Milliseconds that NULL takes when it comes `fraction` of the way through the phase; negative on an error. */
static gdouble
try_phase (const gchar * model, Phase phase, gdouble fraction,
    const Times * times)
{
  GstElement *element, *pipeline = start (model, 2000, &element);
  gboolean good = TRUE;
  gint64 begin;

  switch (phase) {
    case LOAD:
      g_usleep (fraction * times->load * 1e6);
      break;
    case ENCODE:
      good = wait_for (pipeline, element, 0, 0);
      g_usleep (fraction * times->encode * 1e6);
      break;
    case PREFILL:
      good = wait_for (pipeline, element, N_FRAMES, 0);
      g_usleep (fraction * times->prefill * 1e6);
      break;
    default:
      good = wait_for (pipeline, element, N_FRAMES, 0);
      g_usleep ((1.5 + fraction) * times->prefill * 1e6);
      break;
  }
  begin = g_get_monotonic_time ();
  gst_element_set_state (pipeline, GST_STATE_NULL);
  begin = g_get_monotonic_time () - begin;
  gst_object_unref (element);
  gst_object_unref (pipeline);
  return good ? begin / 1000.0 : -1;
}

int
main (int argc, char **argv)
{
  guint tries, i, phase;
  gdouble *took;
  Times times;
  int failed = 0;

  gst_init (&argc, &argv);
  if (argc < 2)
    return 2;
  tries = argc > 2 ? MAX (atoi (argv[2]), 1) : 50;
  if (!calibrate (argv[1], &times))
    return 1;
  took = g_new (gdouble, tries);
  for (phase = 0; phase < N_PHASES; phase++) {
    guint slow = 0;

    for (i = 0; i < tries; i++) {
      took[i] = try_phase (argv[1], phase, (i + 0.5) / tries, &times);
      if (took[i] < 0)
        return 1;
      slow += took[i] > 100;
    }
    qsort (took, tries, sizeof (*took), compare);
    g_print ("%-8s %u tries: median %.1f ms, 95 %% %.1f ms, max %.1f ms\n",
        names[phase], tries, took[tries / 2],
        took[MIN (tries - 1, tries * 95 / 100)], took[tries - 1]);
    failed |= slow * 20 > tries || took[tries - 1] > 250;
  }
  g_free (took);
  return failed;
}
