/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes out: counts, the latest answer, and the answers that buffers are to carry as metas.
 *
 * The lock rule: the members are read and written by the functions of output.c alone, each of which takes the lock. Any
 * thread. The lock is a leaf: nothing else is locked and nothing posted with it held.
 */
#ifndef GST_LLAVAOV_OUTPUT_H
#define GST_LLAVAOV_OUTPUT_H

#include "questions.h"
#include "stats.h"
#include "window.h"

G_BEGIN_DECLS

typedef struct _GstLlavaovOutput
{
  GMutex lock;
  GstLlavaovStats stats;
  guint device_failures;        /* in a row */
  gchar *last_answer;
  guint doubts[GST_LLAVAOV_MAX_QUESTIONS];      /* answers with choices in a row that were not valid, of each question */
  guint64 failed_seq;           /* of the window that failed last */
  guint flushes;                /* as in the windows: answers from before a flush become no meta */
  gboolean text_meets;          /* one consumer reads text and video side by side */
  guint n_labels;               /* GQuarks made of labels; they outlive the element */
  GQueue metas;                 /* of GstStructure: for the next buffer */
  GstStructure *sticky;
  GPtrArray *together;          /* of GstStructure: answers of a window whose other questions are still to be answered */
} GstLlavaovOutput;

void gst_llavaov_output_init (GstLlavaovOutput * output);
void gst_llavaov_output_clear (GstLlavaovOutput * output);
/* From READY to PAUSED: counts begin anew. */
void gst_llavaov_output_start (GstLlavaovOutput * output);
/* Back in READY: buffers carry no answers any more. */
void gst_llavaov_output_stop (GstLlavaovOutput * output);
/* flushes: how many there have been. */
void gst_llavaov_output_flush (GstLlavaovOutput * output, guint flushes);

void gst_llavaov_output_set_text_meets (GstLlavaovOutput * output,
    gboolean meets);
gboolean gst_llavaov_output_text_meets (GstLlavaovOutput * output);

/* Adds one to a count. */
void gst_llavaov_output_count (GstLlavaovOutput * output,
    GstLlavaovCount count);
guint64 gst_llavaov_output_read (GstLlavaovOutput * output,
    GstLlavaovCount count);
void gst_llavaov_output_set_engine (GstLlavaovOutput * output,
    const LlavaovEngineInfo * info);
/* Keeps the notice (NULL: none) of what the device does without. TRUE: it is the first. */
gboolean gst_llavaov_output_notice (GstLlavaovOutput * output,
    const gchar * notice);
/* Counts a window that failed, once for all its questions; returns how many the device has failed in a row. */
guint gst_llavaov_output_count_failure (GstLlavaovOutput * output,
    const GstLlavaovWindow * window);
/* An answer with choices; returns how many of this question in a row were not valid. */
guint gst_llavaov_output_count_doubt (GstLlavaovOutput * output,
    guint question_index, gboolean valid);
GstStructure *gst_llavaov_output_stats (GstLlavaovOutput * output,
    const LlavaovSessionStats * session);

/* The answer of a window: counts it and keeps its text. */
void gst_llavaov_output_answer (GstLlavaovOutput * output,
    const GstLlavaovWindow * window);
/* Free it. */
gchar *gst_llavaov_output_last_answer (GstLlavaovOutput * output);
/* Keeps the answer of a window for a buffer to carry, unless it is from before a flush; those of several questions as one, once the
 * last is there. Takes the structure; NULL: the question has no answer. */
void gst_llavaov_output_add_meta (GstLlavaovOutput * output,
    const GstLlavaovWindow * window, GstStructure * answer);
/* Attaches what was kept. Takes the buffer and returns it, or a writable copy. */
GstBuffer *gst_llavaov_output_attach (GstLlavaovOutput * output,
    GstLlavaovMetaMode mode, GstBuffer * buffer);

G_END_DECLS

#endif
