/* SPDX-License-Identifier: Apache-2.0 */
#include "timer.h"

void
gst_llavaov_timer_set_playing (GstLlavaovTimer * timer, gboolean playing)
{
  timer->playing = playing;
  timer->stale = TRUE;
}

gboolean
gst_llavaov_timer_is_playing (const GstLlavaovTimer * timer)
{
  return timer->playing;
}

void
gst_llavaov_timer_invalidate (GstLlavaovTimer * timer)
{
  timer->stale = TRUE;
}

gboolean
gst_llavaov_timer_is_stale (const GstLlavaovTimer * timer)
{
  return timer->stale;
}

GstClockID
gst_llavaov_timer_clear (GstLlavaovTimer * timer)
{
  timer->stale = timer->fired = FALSE;
  timer->until = 0;
  return g_steal_pointer (&timer->id);
}

void
gst_llavaov_timer_set (GstLlavaovTimer * timer, GstClockID id)
{
  timer->id = gst_clock_id_ref (id);
}

void
gst_llavaov_timer_set_until (GstLlavaovTimer * timer, gint64 until)
{
  timer->until = until;
}

void
gst_llavaov_timer_wait (GstLlavaovTimer * timer, gint64 sooner, GCond * cond,
    GMutex * lock)
{
  gint64 until = timer->until;

  if (sooner && (until == 0 || sooner < until)) {
    g_cond_wait_until (cond, lock, sooner);
  } else if (until == 0) {
    g_cond_wait (cond, lock);
  } else if (!g_cond_wait_until (cond, lock, until) && timer->until == until) {
    timer->until = 0;
    timer->fired = TRUE;
  }
}

gboolean
gst_llavaov_timer_fire (GstLlavaovTimer * timer, GstClockID id)
{
  if (timer->id != id)
    return FALSE;
  timer->fired = TRUE;
  return TRUE;
}

gboolean
gst_llavaov_timer_take_fired (GstLlavaovTimer * timer)
{
  gboolean fired = timer->fired;

  timer->fired = FALSE;
  return fired;
}
