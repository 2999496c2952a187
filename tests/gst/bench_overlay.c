/* SPDX-License-Identifier: Apache-2.0
 *
 * What llavaovoverlay costs: milliseconds of the processor for each frame, and for each new answer. The least of some runs, as
 * whatever disturbs adds. Frames are written anew before each, as a decoder would have done.
 *
 *     OVERLAY_PLUGIN=FILE bench-overlay        a table
 */
#include "overlay.h"

#include <time.h>

#define FRAMES 40
#define RUNS 5
#define LONG "The camera shows a road with several cars, a lorry that waits at " \
    "the crossing, two people on the pavement and a dog. "

static const struct
{
  const gchar *name;
  gint width, height;
} sizes[] = {
  {"640x480", 640, 480},
  {"1920x1080", 1920, 1080},
  {"3840x2160", 3840, 2160},
};

static gdouble
processor_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* ms */
typedef struct
{
  gdouble first, later;
} Cost;

static Cost
measure (GstHarness * h, const gchar * format, guint size, const gchar * text)
{
  Cost cost = { 0 };
  guint i;

  for (i = 0; i < FRAMES; i++) {
    GstBuffer *frame = overlay_frame_new (format, sizes[size].width,
        sizes[size].height, i * 100 * GST_MSECOND,
        i == 0 && text ? overlay_answer_new (text, "clear") : NULL);
    gdouble before = processor_ms ();

    gst_buffer_unref (gst_harness_push_and_pull (h, frame));
    before = processor_ms () - before;
    if (i == 0)
      cost.first = before;
    else
      cost.later += before / (FRAMES - 1);
  }
  return cost;
}

static Cost
least (const gchar * format, guint size, const gchar * text)
{
  Cost best = { G_MAXDOUBLE, G_MAXDOUBLE };
  guint i;

  for (i = 0; i < RUNS; i++) {
    GstHarness *h = overlay_harness_new ("", format, sizes[size].width,
        sizes[size].height, "");
    Cost one = measure (h, format, size, text);

    best.first = MIN (best.first, one.first);
    best.later = MIN (best.later, one.later);
    gst_harness_teardown (h);
  }
  return best;
}

int
main (int argc, char **argv)
{
  static const gchar *const formats[] = { "I420", "NV12", "BGRx" };
  GString *longest = g_string_new (NULL);
  guint i, j;

  gst_init (&argc, &argv);
  overlay_load_plugin ();
  while (longest->len < 3000)
    g_string_append (longest, LONG);
  g_print ("| size | format | no answer | one line | a third of the picture | "
      "a new line | a new third |\n|---|---|---|---|---|---|---|\n");
  for (i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (j = 0; j < G_N_ELEMENTS (formats); j++) {
      Cost none = least (formats[j], i, NULL);
      Cost line = least (formats[j], i, "The picture shows a ball.");
      Cost third = least (formats[j], i, longest->str);

      g_print ("| %s | %s | %.3f | %.2f | %.2f | %.2f | %.2f |\n",
          sizes[i].name, formats[j], none.later, line.later, third.later,
          line.first - line.later, third.first - third.later);
    }
  g_string_free (longest, TRUE);
  return 0;
}
