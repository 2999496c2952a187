/* SPDX-License-Identifier: Apache-2.0
 *
 * One window: a stretch of the stream, the frames that stand for it, the question, and its answer. sampler.c makes those of
 * sampling=window, clip.c that of sampling=clip. Times are running times in nanoseconds.
 *
 * Not thread-safe: the lock of the windows is held around every call, or the window is the caller's alone.
 */
#ifndef GST_LLAVAOV_WINDOW_H
#define GST_LLAVAOV_WINDOW_H

#include "alert-state.h"
#include "sample.h"
#include "settings.h"

G_BEGIN_DECLS

typedef enum
{
  GST_LLAVAOV_WINDOW_OPEN,
  GST_LLAVAOV_WINDOW_WAITING,   /* closed, to be answered */
  GST_LLAVAOV_WINDOW_ANSWERED,
  GST_LLAVAOV_WINDOW_FAILED,
  GST_LLAVAOV_WINDOW_DROPPED,
  GST_LLAVAOV_WINDOW_EMPTY
} GstLlavaovWindowState;

typedef struct _GstLlavaovWindow
{
  GstLlavaovWindowState state;
  guint64 seq;
  guint flushes;                /* how many flushes came before it */
  guint stream;                 /* number of the stream that it is of */
  gboolean idle;                /* nothing has triggered it: it takes no samples, and is not asked about */
  gboolean quiet;               /* EMPTY, although frames came: nothing triggered, or it was off */
  gdouble motion_level;         /* the greatest while it was open; negative: nobody looked */
  GstStructure *triggered;      /* fields of the answer about what opened it, or NULL */
  gboolean early;               /* closed before its end, since all its points were decided */

  GstClockTime start, length;
  GstSegment segment;
  gint64 utc_start;             /* ns since 1970 */
  /* of the settings, as they were when it opened */
  gchar *prompt, *system_prompt, *json_schema;
  LlavaovGeneration generation; /* not with choices */
  LlavaovChoices choices;       /* of `labels`; labels NULL: the answer is free text */
  gchar *labels;
  GstLlavaovAlertRule alert;
  /* one of several questions about the same frames: */
  gchar *question;              /* its name, or NULL */
  guint question_index, n_questions;    /* n_questions 0: it has no name */
  GPtrArray *others;            /* of GstLlavaovWindow: its other questions, until it is asked; or NULL */
  /* a question that the application asked: */
  guint64 ask_id;               /* or 0 */
  const gchar *ask_from;        /* which frames it is about; a static word */
  gboolean follows;             /* it goes on from an earlier answer: */
  guint64 follows_id;           /* to this question; 0: of the window that `history` is of */
  LlavaovHistory *history;      /* where it goes on, once that is known; a reference */
  guint n_before;               /* of its samples: those that the history has */
  GstClockTime full_length;     /* before it was cut short */
  GstClockTime interval;        /* to the start of the next */

  guint n_points;
  guint next_point;             /* the first point without a sample */
  GPtrArray *samples;           /* of GstLlavaovSample, a reference for every point */
  guint64 n_seen;               /* frames inside it */
  gboolean refused;             /* the engine would not come to it in time: it takes no samples */
  LlavaovReservation *reservation;      /* until it is asked about; or NULL */
  gint64 last_arrival;          /* of the last frame sampled, monotonic microseconds */
  const gchar *reason;          /* of EMPTY and DROPPED: why there is no answer; a static word */

  /* the question to the engine, and its answer */
  LlavaovLayout layout;
  gpointer owner;               /* the element while a request is under way */
  gboolean streamed;            /* its text is told while it is being written */
  gboolean returned;            /* the request is over; windows.c */
  gboolean disowned;            /* it has been reported, although its request is not over; likewise */
  LlavaovStatus status;         /* also of the settings, before it is asked: no question can be made of them */
  LlavaovError error;
  LlavaovFinishReason finish_reason;
  gchar *text;
  gboolean is_json;             /* text is a document of the schema */
  gboolean truncated;           /* ... that was closed early */
  GstStructure *chosen;         /* fields of an answer with choices, or NULL */
  GstStructure *json_values;    /* ... of a document's listed values, or NULL */
  guint frames_reused;          /* with the embeddings of another frame */
  guint prompt_tokens, new_tokens;
  guint64 first_token_ns, encode_ns, prefill_ns, decode_ns;
  gint64 answered_at;           /* monotonic microseconds */
  LlavaovHistory *made;         /* to go on from this answer, until windows.c takes it; a reference, or NULL */
} GstLlavaovWindow;

/* Copies the segment, and what is needed of the settings. */
GstLlavaovWindow *gst_llavaov_window_new (GstClockTime start,
    GstClockTime length, const GstLlavaovSettings * settings,
    const GstSegment * segment, guint n_points);
/* A stretch of a stream in which no window held a frame, to be reported. utc_offset as in the sampler. */
GstLlavaovWindow *gst_llavaov_window_new_empty (GstClockTime start,
    GstClockTime length, const GstLlavaovSettings * settings,
    const GstSegment * segment, gint64 utc_offset, const gchar * reason);
/* Wall clock at a running time, ns since 1970. */
gint64 gst_llavaov_window_utc (gint64 utc_offset, GstClockTime running);
void gst_llavaov_window_free (GstLlavaovWindow * window);
/* The same stretch and frames without a question. */
GstLlavaovWindow *gst_llavaov_window_copy_frames (const GstLlavaovWindow *
    window);
/* Gives a question the stretch and the frames of another window. */
void gst_llavaov_window_set_frames (GstLlavaovWindow * window,
    const GstLlavaovWindow * from);
/* A window for each of its questions, itself the first, goes to the tail of `windows`. */
void gst_llavaov_window_split (GstLlavaovWindow * window, GQueue * windows);
/* Takes a new reference of the sample. */
void gst_llavaov_window_take (GstLlavaovWindow * window,
    GstLlavaovSample * sample);

G_END_DECLS

#endif
