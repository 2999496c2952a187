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
 *   worker thread      worker.c        all that is slow and all that calls the application, in turn:
 *                      loading.c       follows the model's load
 *                      requests.c      sends a window, or a question of the application (ask.c), to the engine
 *                      reports.c       messages, notifications, text, metas; alerts (alerts.c)
 *                      clock.c         closes live windows on the clock
 *   engine threads     requests.c      on_done: keeps the answer and wakes the worker
 *                      frame-source.c  maps (frame-map.c, convert.c) and releases pictures
 *   text pad's task    text-pad.c      pushes answers and gaps
 *
 * What threads share is in structs that one file each writes, with a lock and the rule for it in its header: format.h, input.h,
 * windows.h, output.h, alerts.h, and model.h, partials.h, timer.h and worker-thread.h under the lock of the windows. Locks are taken in the order
 * windows, object lock, one of the others. No message is posted, no pad pushed and no request made with one held.
 */
#ifndef GST_LLAVAOV_ELEMENT_H
#define GST_LLAVAOV_ELEMENT_H

#include <gst/gst.h>
#include <gst/video/video.h>

#include "alerts.h"
#include "format.h"
#include "input.h"
#include "json-schema.h"
#include "llavaov.h"
#include "model.h"
#include "output.h"
#include "partials.h"
#include "questions.h"
#include "settings.h"
#include "text-pad.h"
#include "timer.h"
#include "windows.h"
#include "worker-thread.h"

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
  GstLlavaovSettings settings;  /* written by gstllavaovelement.c */
  GstElement *host;             /* the bin around this element, which speaks for it; not owned; written by host.c */
  GstLlavaovTextPad *text;      /* owned by the element's pad list; written by gstllavaovelement.c */

  GstLlavaovFormat format;      /* what frames are; its lock: format.h */
  GstLlavaovInput input;        /* where the stream stands; its lock: input.h */
  GstLlavaovWindows windows;    /* the main lock: windows.h */
  GstLlavaovOutput output;      /* what goes out; its lock: output.h */

  GstLlavaovAlerts alerts;      /* what is raised; its lock: alerts.h */

  /* under windows.lock */
  GstLlavaovSettings run;       /* settings as of READY to PAUSED. Those mutable in PLAYING are refreshed for each window
                                 * (window-queue.c); the others stay, and the worker reads them without the lock. */
  GstLlavaovModel model;        /* model.h */
  GstLlavaovPartials partials;  /* partials.h */
  GstLlavaovJsonSchema json[GST_LLAVAOV_MAX_QUESTIONS + 1];     /* of each question, and of the application's; the worker's alone */
  GstLlavaovWorkerThread worker;        /* worker-thread.h */
  GstLlavaovTimer timer;        /* timer.h */
};

GST_ELEMENT_REGISTER_DECLARE (llavaovelement);

/* Properties of both elements, by the ids of settings.h. FALSE: there is none of this id. */
gboolean gst_llavaov_element_set (GstLlavaovElement * self, guint id,
    const GValue * value);
gboolean gst_llavaov_element_get (GstLlavaovElement * self, guint id,
    GValue * value);

G_END_DECLS

#endif
