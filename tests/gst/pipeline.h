/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs whole pipelines, as people type them, and collects their messages. */
#ifndef TESTS_GST_PIPELINE_H
#define TESTS_GST_PIPELINE_H

#include <gst/check/gstcheck.h>

/* The messages of a pipeline. */
typedef struct
{
  GPtrArray *answers;           /* text, in order */
  guint n_notified;             /* property-notify messages about last-answer */
  guint n_foreign;              /* answers whose source is not a llavaov */
  GError *error;
  gchar *error_source;
  GPtrArray *progress;          /* text of PROGRESS messages */
  GPtrArray *warnings;          /* text of WARNING messages */
  gboolean eos;
} Run;

void run_clear (Run * run);

/* Plays to the end of the stream or the first error, or to 40 s without a message. The pipeline is in NULL afterwards. */
void run_pipeline (GstElement * pipeline, Run * run);
/* The same, given up after ten seconds without a message in which stalled(data) holds. */
void run_pipeline_unless (GstElement * pipeline, Run * run,
    gboolean (*stalled) (gpointer data), gpointer data);
/* The same with the pipeline of a gst-launch line. */
void run_line (Run * run, const gchar * format, ...)
G_GNUC_PRINTF (2, 3);

/* The stream ended without an error after n answers; each was notified once, and all were llavaov's. */
void expect_answers (Run * run, guint n);
/* Answer number i, from 0. */
void expect_answer (Run * run, guint i, const gchar * text);

/* 3 s of white at 10 frames a second, and a question about each second, to the fake engine. */
#define RAW "videotestsrc pattern=white num-buffers=30 ! " \
    "video/x-raw, format=I420, width=64, height=48, framerate=10/1 ! "
#define ASK "llavaov device=fake: prompt=q frames=2 window=1000000000 "

/* A folder for one test's files. */
extern gchar *folder;
void make_folder (void);
void remove_folder (void);

/* The frames of RAW through a chain of elements into a file in the folder. */
void make_file (const gchar * name, const gchar * chain);
/* The content of a file in the folder; size may be NULL. Free it. */
gchar *read_text (const gchar * name, gsize * size);

#endif
