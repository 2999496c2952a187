/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaovelement: raw video in, the same raw video out, and answers about it.
 *
 *   streaming thread   stream.c        the video's pads: buffers, events, queries
 *                      frame-check.c   which of them can be read (frame-layout.c)
 *                      frames.c        what they mean for windows (window.c) and clips (clip.c); takes references only
 *                      drain.c         closes windows early: discontinuities, segments, EOS
 *                      text-stream.c   how the text stream follows the video
 *                      window-queue.c  queues closed windows for the worker; who waits for whom
 *   worker thread      worker.c        everything slow or public, in turn:
 *                      loading.c       follows the model's load
 *                      requests.c      sends a window to the engine
 *                      reports.c       messages, notifications, text, metas
 *                      clock.c         closes live windows on the clock
 *   engine threads     requests.c      on_done: keeps the answer and wakes the worker
 *                      sample.c        map (frame-map.c, convert.c) and release pictures
 *   text pad's task    text-pad.c      pushes answers and gaps
 *
 * One lock guards all that they share. No message is posted, no pad pushed and no request made with it held.
 */
#ifndef GST_LLAVAOV_ELEMENT_H
#define GST_LLAVAOV_ELEMENT_H

#include <gst/gst.h>
#include <gst/video/video.h>

#include "clip.h"
#include "engine-registry.h"
#include "llavaov.h"
#include "orientation.h"
#include "settings.h"
#include "stats.h"
#include "text-pad.h"
#include "window.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (gst_llavaov_debug);

#define GST_TYPE_LLAVAOV_ELEMENT (gst_llavaov_element_get_type ())
G_DECLARE_FINAL_TYPE (GstLlavaovElement, gst_llavaov_element, GST,
    LLAVAOV_ELEMENT, GstElement)

#define GST_LLAVAOV_RAW_FORMATS "{ I420, NV12, RGB, BGR, RGBA, BGRA, RGBx, BGRx }"
#define GST_LLAVAOV_RAW_CAPS \
    GST_VIDEO_CAPS_MAKE (GST_LLAVAOV_RAW_FORMATS) "; " \
    GST_VIDEO_CAPS_MAKE_WITH_FEATURES ("ANY", GST_VIDEO_FORMATS_ALL)
#define GST_LLAVAOV_TEXT_CAPS \
    "text/x-raw, format = (string) utf8; application/x-json"

struct _GstLlavaovElement
{
  GstElement parent;

  GstPad *sinkpad, *srcpad;

  /* object lock */
  GstLlavaovSettings settings;
  GstElement *host;             /* the bin around this element, which speaks for it; not owned */
  GstLlavaovTextPad *text;      /* owned by the element's pad list */

  GMutex lock;
  GCond cond;

  /* under the lock, from here on */
  GstLlavaovSettings run;       /* settings as of READY to PAUSED; those mutable in PLAYING are refreshed for each window */
  gboolean running;             /* PAUSED or PLAYING, and not on the way out */
  gboolean flushing;
  gboolean failed;              /* an ERROR has been posted: nothing goes on */
  gint64 failed_at;             /* then, on the monotonic clock */
  guint device_failures;        /* windows in a row that the device failed */
  gboolean eos;
  guint flushes;                /* so far */

  GstVideoInfo info;
  gboolean have_info, unsupported;
  GstLlavaovOrientation orientation;    /* as the tags say */
  LlavaovOrientation turn;      /* of the frames that come, once it is known */
  gboolean turn_known;
  gboolean unreadable;          /* the frame at hand: its buffer does not hold what the caps say; the streaming thread's */
  gboolean unreadable_told;     /* of these caps */
  GstSegment segment;
  gboolean live, live_known;
  gboolean arrives;             /* live by its source alone: frames without timestamps out of a network */
  guint n_untimed;              /* frames of a file with neither timestamp nor rate */
  GstClockTime upstream_latency;
  GstClockTime lag, lag_before, lag_since;      /* clock.c: how late frames come */
  gboolean have_time;           /* a frame has been seen in this segment */
  GstClockTime last_running, last_end;
  guint n_late;                 /* frames out of order since the last in order */
  GstClockTime silence;         /* video since a window was last handed over */
  gboolean text_meets;          /* both streams go into one consumer, side by side */

  GstLlavaovSampler sampler;
  GstLlavaovClip clip;
  GstClockTime clip_start, clip_end;
  gint64 clip_utc;
  GstSegment clip_segment;
  gint *backlog;                /* clip frames the engine has not resized yet; atomic, g_atomic_rc_box */
  gboolean layout_known;
  LlavaovLayout layout;
  guint64 n_frames;             /* since the stream began */

  guint64 next_seq;
  GQueue waiting;               /* of GstLlavaovWindow, to be asked */
  GstLlavaovWindow *asked;
  LlavaovTicket *ticket;
  GQueue outbox;                /* of GstLlavaovWindow, to be told about */
  GstLlavaovWindow *reporting;    /* being told about */
  gint64 reporting_since;         /* monotonic microseconds */
  guint undelivered;            /* windows handed over and not yet told about */

  LlavaovChatTemplate *chat_template;   /* NULL until it is known; owned */
  GstLlavaovEngineUser *engine_user;
  LlavaovEngine *engine;        /* once loaded; the user's */
  LlavaovSession *session;
  gboolean engine_changed;
  gboolean generation_told;     /* what of the checkpoint's generation settings has no effect */
  gboolean frames_checked;      /* that the question fits with all its frames */

  GstLlavaovStats stats;
  gchar *last_answer;
  gboolean ready;

  GQueue metas;                 /* of GstStructure: for the next buffer */
  GstStructure *sticky;

  GThread *worker;              /* only the thread that changes the state sets it */
  gboolean stop;
  gboolean ended;               /* it has done its last call */
  gboolean left_alone;          /* nobody waits for its end: it lets go of the engine itself */
  gboolean let_pass;            /* a callback in it needs the streaming threads */
  gboolean clock_fired, clock_stale, playing;
  GstClockID clock_id;
  guint32 seek_seqnum, stream_seqnum;
};

GST_ELEMENT_REGISTER_DECLARE (llavaovelement);

/* Properties of both elements, by the ids of settings.h. FALSE: there is none of this id. */
gboolean gst_llavaov_element_set (GstLlavaovElement * self, guint id,
    const GValue * value);
gboolean gst_llavaov_element_get (GstLlavaovElement * self, guint id,
    GValue * value);

G_END_DECLS

#endif
