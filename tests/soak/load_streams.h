/* SPDX-License-Identifier: Apache-2.0
 * Many live streams in one process at little cost of their own: one thread pushes made-up pictures,
 * which are parts of one memory, straight into the elements' pads. No two are equal, as a camera's
 * are not, so that all windows cost the same; or each stream shows a few again and again. */
#ifndef LOAD_STREAMS_H
#define LOAD_STREAMS_H

#include "soak.h"

#define LOAD_WIDTH 640
#define LOAD_HEIGHT 360
#define LOAD_FPS 5
#define LOAD_WINDOW (4 * GST_SECOND)
#define LOAD_FRAMES 8

typedef struct LoadOptions {
    gint streams;
    gboolean together; /* all windows end together */
    gboolean unequal;  /* stream 0 samples 32 frames, stream 1 has long answers */
    guint pictures;    /* that a stream shows in turn; 0: none is shown twice */
    gsize leak;        /* bytes for each window that is told as dropped, to see that it is caught */
    gchar **properties; /* of every element, or NULL */
} LoadOptions;

typedef struct LoadCounts {
    gdouble seconds;
    guint answers, dropped; /* told while counting */
    guint fewest, most;     /* answers of one of the equal streams */
    gdouble longest;        /* that one of them had no answer, seconds */
    guint special[2];       /* answers of streams 0 and 1, if unequal */
    gdouble latency[2];     /* p50, p99, ms */
    gdouble pass[2];        /* p50, p99.9 of what a frame takes through the element, ms */
    gdouble feeder_late;    /* p99.9 of how late frames were fed, ms */
    gdouble cpu_engine, cpu_pictures, cpu_feeder, cpu_other; /* cores */
    guint64 frames_sampled, frames_encoded, windows, untold; /* since the start */
} LoadCounts;

typedef struct Load Load;

/* Opens the first stream alone and waits for its first answer, then the others. *base_kb: resident
 * when that answer had come. Ends the program when a stream fails. */
Load *load_start(const LoadOptions *options, gint64 *base_kb);
void load_count(Load *load, gboolean counting);
/* Ends all streams. */
void load_stop(Load *load, LoadCounts *counts);

#endif
