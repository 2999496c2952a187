/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaovelement: raw video in, the same raw video out, and answers about it.
 *
 *   streaming thread   stream.c        the video's pads: buffers, events, queries
 *                      liveness.c      whether the stream is live
 *                      frame-check.c   whether a buffer can be read (frame-layout.c)
 *                      frames.c        what it means for windows (sampler.c) and clips (clip.c); takes references only
 *                      drain.c         closes windows early: discontinuities, segments, EOS
 *                      text-stream.c   how the text stream follows the video
 *                      window-queue.c  queues closed windows for the worker
 *                      backpressure.c  waits for their answers
 *   worker thread      worker.c        everything slow or public, in turn:
 *                      loading.c       follows the model's load
 *                      requests.c      sends a window to the engine
 *                      reports.c       messages, notifications, text, metas
 *                      clock.c         closes live windows on the clock
 *   engine threads     requests.c      on_done: keeps the answer and wakes the worker
 *                      frame-source.c  maps (frame-map.c, convert.c) and releases pictures
 *   text pad's task    text-pad.c      pushes answers and gaps
 *
 * What threads share is in three structs, each with a lock and the rule for it: input.h, windows.h, output.h. Locks are taken
 * in the order windows, object lock, input or output. No message is posted, no pad pushed and no request made with one held.
 */
#ifndef GST_LLAVAOV_ELEMENT_H
#define GST_LLAVAOV_ELEMENT_H

#include <gst/gst.h>
#include <gst/video/video.h>

#include "engine-registry.h"
#include "input.h"
#include "llavaov.h"
#include "output.h"
#include "settings.h"
#include "text-pad.h"
#include "windows.h"

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

/* The engine, as far as it is there; loading.c. */
typedef struct
{
  LlavaovChatTemplate *chat_template;   /* NULL until it is known; owned; the worker's */
  GstLlavaovEngineUser *user;   /* the worker's */
  LlavaovEngine *engine;        /* once loaded; the user's; the worker's */
  LlavaovSession *session;
  gboolean ready;
  gboolean warned_generation;   /* of generation settings of the checkpoint that have no effect */
  gboolean frames_checked;      /* that the question fits with all its frames */
} GstLlavaovModel;

/* The thread of worker.c, and what wakes it. */
typedef struct
{
  GThread *thread;              /* set by the thread that changes the state */
  gboolean stop;
  gboolean ended;               /* it has done its last call */
  gboolean left_alone;          /* nobody waits for its end: it releases the engine itself */
  gboolean engine_changed;
} GstLlavaovWorker;

/* The timer of live windows; clock.c. */
typedef struct
{
  GstClockID id;
  gboolean playing;
  gboolean fired;
  gboolean stale;               /* to be set anew */
} GstLlavaovTimer;

struct _GstLlavaovElement
{
  GstElement parent;

  GstPad *sinkpad, *srcpad;

  /* object lock */
  GstLlavaovSettings settings;
  GstElement *host;             /* the bin around this element, which speaks for it; not owned */
  GstLlavaovTextPad *text;      /* owned by the element's pad list */

  GstLlavaovInput input;        /* the stream; its lock: input.h */
  GstLlavaovWindows windows;    /* its windows; the main lock: windows.h */
  GstLlavaovOutput output;      /* what goes out; its lock: output.h */

  /* under windows.lock, except what only the worker uses while it runs */
  GstLlavaovSettings run;       /* settings as of READY to PAUSED; those mutable in PLAYING are refreshed for each window */
  GstLlavaovModel model;
  GstLlavaovWorker worker;
  GstLlavaovTimer timer;
};

GST_ELEMENT_REGISTER_DECLARE (llavaovelement);

/* Properties of both elements, by the ids of settings.h. FALSE: there is none of this id. */
gboolean gst_llavaov_element_set (GstLlavaovElement * self, guint id,
    const GValue * value);
gboolean gst_llavaov_element_get (GstLlavaovElement * self, guint id,
    GValue * value);

G_END_DECLS

#endif
