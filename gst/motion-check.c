/* SPDX-License-Identifier: Apache-2.0 */
#include "motion-check.h"

#include <sys/resource.h>

#include "backpressure.h"
#include "errors.h"
#include "frame-source.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

#define NICE 10                 /* as the engine's own threads */

typedef struct
{
  GstLlavaovElement *self;
  LlavaovFrameSource source;
  GstClockTime time;
  gdouble min_change;
  gboolean reset;
  gchar *mask;                  /* or NULL */
  guint flushes, stream;
  GstLlavaovMotionFunc function;
} Check;

/* Releases the frame. */
static LlavaovStatus
look (Check * check, LlavaovMotionSeen * seen, LlavaovError * error)
{
  LlavaovMotion *detector = check->self->windows.motion.detector;
  LlavaovImage image = { 0, };
  LlavaovStatus status;

  if (check->reset)
    llavaov_motion_reset (detector);
  status = check->source.map (check->source.data, &image, error);
  if (status == LLAVAOV_OK) {
    status = llavaov_motion_look (detector, &image, check->time,
        check->min_change, seen, error);
    check->source.unmap (check->source.data);
  }
  check->source.release (check->source.data);
  return status;
}

static void
set_mask (Check * check)
{
  LlavaovError error = { 0, };

  if (check->mask == NULL)
    return;
  error.status = llavaov_motion_set_mask
      (check->self->windows.motion.detector, check->mask, &error);
  if (error.status != LLAVAOV_OK)
    gst_llavaov_post_warning (GST_ELEMENT (check->self), &error,
        "The mask stays as it was");
}

static void
run (Check * check)
{
  GstLlavaovElement *self = check->self;
  LlavaovMotionSeen seen = {.size = sizeof (seen) };
  LlavaovError error = { 0, };
  LlavaovStatus status;

  set_mask (check);
  status = look (check, &seen, &error);
  if (status != LLAVAOV_OK)
    GST_WARNING_OBJECT (self, "no motion in a frame: %s", error.message);

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_motion_watch_end (&self->windows.motion,
      status == LLAVAOV_OK ? &seen : NULL);
  if (status == LLAVAOV_OK && check->flushes == self->windows.flushes &&
      check->stream == self->windows.streams)
    check->function (self, &seen, check->time);
  g_cond_broadcast (&self->windows.cond);
  g_mutex_unlock (&self->windows.lock);
  g_free (check->mask);
  g_free (check);
  gst_object_unref (self);
}

static void
run_behind (gpointer check, gpointer unused)
{
  static gboolean lowered = FALSE;      /* this thread's alone */

  if (!lowered)
    setpriority (PRIO_PROCESS, 0, NICE);
  lowered = TRUE;
  run (check);
}

static GThreadPool *
get_pool (void)
{
  static GThreadPool *pool = NULL;

  if (g_once_init_enter (&pool))
    g_once_init_leave (&pool, g_thread_pool_new (run_behind, NULL, 1, TRUE,
            NULL));
  return pool;
}

GstFlowReturn
gst_llavaov_motion_check (GstLlavaovElement * self, GstBuffer * buffer,
    const GstLlavaovSample * sample, GstLlavaovMotionFunc function)
{
  GstLlavaovMotionWatch *watch = &self->windows.motion;
  const guint flushes = self->windows.flushes;
  GstLlavaovSample *own;
  gboolean reset;
  gchar *mask;
  Check *check;

  if (!gst_llavaov_motion_watch_begin (watch, &self->run, sample->running,
          &reset, &mask))
    return GST_FLOW_OK;
  check = g_new0 (Check, 1);
  check->self = gst_object_ref (self);
  check->time = sample->running;
  check->min_change = self->run.min_change;
  check->reset = reset;
  check->mask = mask;
  check->flushes = flushes;
  check->stream = self->windows.streams;
  check->function = function;
  /* Its buffer, which the engine may have taken from the other one. */
  own = gst_llavaov_sample_new (buffer, &sample->info, sample->running,
      sample->duration);
  gst_llavaov_frame_source_init (&check->source, own, NULL);
  gst_llavaov_sample_unref (own);
  if (!gst_llavaov_backpressure_blocks (self)) {
    g_thread_pool_push (get_pool (), check, NULL);
    return GST_FLOW_OK;
  }
  g_mutex_unlock (&self->windows.lock);
  run (check);
  g_mutex_lock (&self->windows.lock);
  return flushes != self->windows.flushes ? GST_FLOW_FLUSHING :
      gst_llavaov_windows_flow (&self->windows);
}
