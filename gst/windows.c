/* SPDX-License-Identifier: Apache-2.0 */
#include "windows.h"

#include "option-error.h"

void
gst_llavaov_windows_init (GstLlavaovWindows * windows)
{
  g_mutex_init (&windows->lock);
  g_cond_init (&windows->cond);
  gst_llavaov_sampler_init (&windows->sampler);
  gst_llavaov_triggers_reset (&windows->triggers);
  gst_llavaov_clip_init (&windows->clip);
  gst_llavaov_asks_init (&windows->asks);
  gst_llavaov_histories_init (&windows->histories);
  windows->backlog = g_atomic_rc_box_new0 (gint);
  g_queue_init (&windows->waiting);
  g_queue_init (&windows->asked);
  g_queue_init (&windows->outbox);
}

void
gst_llavaov_windows_clear (GstLlavaovWindows * windows)
{
  gst_llavaov_sampler_reset (&windows->sampler);
  gst_llavaov_lookback_clear (&windows->lookback);
  gst_llavaov_motion_watch_clear (&windows->motion);
  gst_llavaov_clip_clear (&windows->clip);
  gst_llavaov_asks_clear (&windows->asks);
  gst_llavaov_histories_clear (&windows->histories);
  g_atomic_rc_box_release (windows->backlog);
  g_mutex_clear (&windows->lock);
  g_cond_clear (&windows->cond);
}

void
gst_llavaov_windows_start (GstLlavaovWindows * windows)
{
  windows->failed = windows->flushing = FALSE;
  windows->next_seq = 0;
  gst_llavaov_triggers_start (&windows->triggers);
  gst_llavaov_motion_watch_start (&windows->motion);
  windows->running = TRUE;
}

void
gst_llavaov_windows_stop (GstLlavaovWindows * windows)
{
  windows->running = FALSE;
}

/* The question of the application has no answer: that is reported. */
static void
leave_unanswered (GstLlavaovWindows * windows, GstLlavaovWindow * window,
    const gchar * reason)
{
  window->state = GST_LLAVAOV_WINDOW_DROPPED;
  window->reason = reason;
  window->flushes = windows->flushes;
  g_ptr_array_set_size (window->samples, 0);
  g_queue_push_tail (&windows->outbox, window);
}

static void
leave_waiting_unanswered (GstLlavaovWindows * windows, const gchar * reason)
{
  GstLlavaovWindow *window;

  while ((window = gst_llavaov_asks_pop (&windows->asks)))
    leave_unanswered (windows, window, reason);
}

/* Why a flush leaves questions unanswered. */
static const gchar *
reason_of_flush (const GstLlavaovWindows * windows)
{
  return windows->running ? "flush" : "stopped";
}

void
gst_llavaov_windows_fail (GstLlavaovWindows * windows)
{
  g_mutex_lock (&windows->lock);
  windows->failed = TRUE;
  leave_waiting_unanswered (windows, "error");
  windows->failed_at = g_get_monotonic_time ();
  g_cond_broadcast (&windows->cond);
  g_mutex_unlock (&windows->lock);
}

gboolean
gst_llavaov_windows_have_failed (GstLlavaovWindows * windows)
{
  gboolean failed;

  g_mutex_lock (&windows->lock);
  failed = windows->failed;
  g_mutex_unlock (&windows->lock);
  return failed;
}

void
gst_llavaov_windows_set_flushing (GstLlavaovWindows * windows,
    gboolean flushing)
{
  windows->flushing = flushing;
}

GstFlowReturn
gst_llavaov_windows_flow (const GstLlavaovWindows * windows)
{
  if (!windows->running || windows->flushing)
    return GST_FLOW_FLUSHING;
  return windows->failed ? GST_FLOW_ERROR : GST_FLOW_OK;
}

/* A flush drops it. */
static void
drop (GstLlavaovWindows * windows, GstLlavaovWindow * window)
{
  if (window->ask_id && !window->disowned)
    leave_unanswered (windows, window, reason_of_flush (windows));
  else
    gst_llavaov_window_free (window);
}

/* Questions that the engine has are reported at once, before those that wait behind them. */
static void
disown_asked (GstLlavaovWindows * windows)
{
  const GList *walk;

  for (walk = windows->asked.head; walk; walk = walk->next) {
    GstLlavaovWindow *window = walk->data, *left;

    if (window->ask_id == 0 || window->disowned)
      continue;
    left = gst_llavaov_window_copy_frames (window);
    left->ask_id = window->ask_id;
    left->prompt = g_strdup (window->prompt);
    left->question = g_strdup (window->question);
    window->disowned = TRUE;
    leave_unanswered (windows, left, reason_of_flush (windows));
  }
}

static void
drop_all (GstLlavaovWindows * windows, GQueue * queue)
{
  GQueue all = *queue;
  GstLlavaovWindow *window;

  g_queue_init (queue);         /* which may be the outbox */
  while ((window = g_queue_pop_head (&all)))
    drop (windows, window);
}

/* Those of `asked` that have been answered. */
static void
drop_answered (GstLlavaovWindows * windows)
{
  GQueue *asked = &windows->asked;
  GList *walk, *next;

  for (walk = asked->head; walk; walk = next) {
    GstLlavaovWindow *window = walk->data;

    next = walk->next;
    if (!window->returned)
      continue;
    g_queue_delete_link (asked, walk);
    drop (windows, window);
  }
}

LlavaovTicket *
gst_llavaov_windows_flush (GstLlavaovWindows * windows)
{
  LlavaovTicket *ticket = g_steal_pointer (&windows->ticket);

  windows->flushes++;
  windows->undelivered = 0;
  drop_all (windows, &windows->waiting);
  drop_all (windows, &windows->outbox);
  drop_answered (windows);
  disown_asked (windows);
  leave_waiting_unanswered (windows, reason_of_flush (windows));
  gst_llavaov_asks_clear (&windows->asks);
  gst_llavaov_histories_clear (&windows->histories);
  gst_llavaov_sampler_reset (&windows->sampler);
  gst_llavaov_windows_forget_triggers (windows);
  gst_llavaov_clip_reset (&windows->clip);
  g_cond_broadcast (&windows->cond);
  return ticket;
}

void
gst_llavaov_windows_reset (GstLlavaovWindows * windows, LlavaovLayout layout,
    gboolean layout_known)
{
  gst_llavaov_sampler_reset (&windows->sampler);
  gst_llavaov_windows_forget_triggers (windows);
  gst_llavaov_clip_reset (&windows->clip);
  windows->silence = 0;
  windows->streams++;
  windows->layout = layout;
  windows->layout_known = layout_known;
}

void
gst_llavaov_windows_set_layout (GstLlavaovWindows * windows,
    LlavaovLayout layout)
{
  windows->layout = layout;
  windows->layout_known = TRUE;
  g_cond_broadcast (&windows->cond);
}

GstClockTime
gst_llavaov_windows_add_silence (GstLlavaovWindows * windows,
    GstClockTime duration)
{
  windows->silence += duration;
  return windows->silence;
}

void
gst_llavaov_windows_end_silence (GstLlavaovWindows * windows)
{
  windows->silence = 0;
}

void
gst_llavaov_windows_forget_triggers (GstLlavaovWindows * windows)
{
  gst_llavaov_triggers_reset (&windows->triggers);
  gst_llavaov_lookback_clear (&windows->lookback);
  gst_llavaov_motion_watch_reset (&windows->motion);
}

void
gst_llavaov_windows_foreach_sample (GstLlavaovWindows * windows,
    GstLlavaovSampleFunc function, gpointer data)
{
  GList *walk;
  guint i;

  for (walk = windows->waiting.head; walk; walk = walk->next) {
    GstLlavaovWindow *window = walk->data;

    for (i = 0; i < window->samples->len; i++)
      function (data, g_ptr_array_index (window->samples, i), window->layout);
  }
  if (!windows->layout_known)
    return;
  for (walk = windows->lookback.samples.head; walk; walk = walk->next)
    function (data, walk->data, windows->layout);
  gst_llavaov_sampler_foreach_sample (&windows->sampler, function, data,
      windows->layout);
  gst_llavaov_clip_foreach_sample (&windows->clip, function, data,
      windows->layout);
}

/* No frames are kept for questions about a window that the engine does not come to. */
static void
forget_dropped (GstLlavaovWindows * windows, const GstLlavaovWindow * window)
{
  gst_llavaov_asks_drop (&windows->asks, window);
  gst_llavaov_histories_yield (&windows->histories, g_get_monotonic_time ());
}

void
gst_llavaov_windows_add (GstLlavaovWindows * windows, GstLlavaovWindow * window)
{
  windows->silence = 0;
  windows->undelivered++;
  window->flushes = windows->flushes;
  window->stream = windows->streams;
  if (window->state != GST_LLAVAOV_WINDOW_EMPTY)
    window->seq = windows->next_seq++;
  if (window->state == GST_LLAVAOV_WINDOW_WAITING)
    gst_llavaov_asks_keep (&windows->asks, window);
  else if (window->state == GST_LLAVAOV_WINDOW_DROPPED)
    forget_dropped (windows, window);
  g_queue_push_tail (window->state == GST_LLAVAOV_WINDOW_WAITING ?
      &windows->waiting : &windows->outbox, window);
  g_cond_broadcast (&windows->cond);
}

guint
gst_llavaov_windows_drop (GstLlavaovWindows * windows, guint room)
{
  guint n = 0;

  for (; windows->waiting.length > room; n++) {
    GstLlavaovWindow *window = g_queue_pop_head (&windows->waiting);

    window->state = GST_LLAVAOV_WINDOW_DROPPED;
    window->reason = "overload";
    forget_dropped (windows, window);
    g_ptr_array_set_size (window->samples, 0);
    llavaov_reservation_free (g_steal_pointer (&window->reservation));
    g_queue_push_tail (&windows->outbox, window);
  }
  return n;
}

guint
gst_llavaov_windows_n_waiting (const GstLlavaovWindows * windows)
{
  return windows->waiting.length + gst_llavaov_asks_n_waiting (&windows->asks);
}

gboolean
gst_llavaov_windows_ask (GstLlavaovWindows * windows)
{
  GstLlavaovWindow *ask;

  if (windows->asked.length || windows->failed)
    return FALSE;
  ask = gst_llavaov_asks_next (&windows->asks, windows->waiting.length > 0);
  if (ask) {
    if (ask->follows && !ask->history &&
        !gst_llavaov_histories_follow (&windows->histories, ask)) {
      gst_llavaov_option_error (&ask->error, "ask", "question %"
          G_GUINT64_FORMAT ", which it follows, has no answer",
          ask->follows_id);
      ask->status = ask->error.status;
    }
    g_queue_push_tail (&windows->asked, ask);
  }
  if (ask || !windows->waiting.length)
    return ask != NULL;
  gst_llavaov_window_split (g_queue_pop_head (&windows->waiting),
      &windows->asked);
  windows->undelivered += windows->asked.length - 1;
  return TRUE;
}

gboolean
gst_llavaov_windows_set_ticket (GstLlavaovWindows * windows, guint flushes,
    LlavaovTicket * ticket)
{
  /* All may have come back meanwhile. */
  if (windows->asked.length == 0 || windows->flushes != flushes)
    return FALSE;
  windows->ticket = ticket;
  return TRUE;
}

/* An answered window; one that was dropped is so with all its questions, and is reported once. */
static void
deliver (GstLlavaovWindows * windows, GstLlavaovWindow * window)
{
  if (window->state == GST_LLAVAOV_WINDOW_DROPPED)
    forget_dropped (windows, window);
  if (window->state != GST_LLAVAOV_WINDOW_DROPPED ||
      window->question_index == 0) {
    g_queue_push_tail (&windows->outbox, window);
  } else {
    windows->undelivered--;
    gst_llavaov_window_free (window);
  }
}

LlavaovTicket *
gst_llavaov_windows_answered (GstLlavaovWindows * windows,
    GstLlavaovWindow * window)
{
  GQueue *asked = &windows->asked;

  window->returned = TRUE;
  if (window->flushes != windows->flushes) {
    g_queue_remove (asked, window);
    drop (windows, window);
  } else {
    gst_llavaov_histories_take (&windows->histories, window,
        g_get_monotonic_time ());
    while (asked->length && ((GstLlavaovWindow *)
            g_queue_peek_head (asked))->returned)
      deliver (windows, g_queue_pop_head (asked));
  }
  g_cond_broadcast (&windows->cond);
  return asked->length ? NULL : g_steal_pointer (&windows->ticket);
}

void
gst_llavaov_windows_abandon (GstLlavaovWindows * windows)
{
  drop_all (windows, &windows->asked);
}

GstLlavaovWindow *
gst_llavaov_windows_report (GstLlavaovWindows * windows)
{
  windows->reporting = g_queue_pop_head (&windows->outbox);
  if (windows->reporting) {
    windows->reporting_since = g_get_monotonic_time ();
    g_cond_broadcast (&windows->cond);
  }
  return windows->reporting;
}

void
gst_llavaov_windows_reported (GstLlavaovWindows * windows)
{
  if (windows->reporting->flushes == windows->flushes &&
      !windows->reporting->ask_id)
    windows->undelivered--;
  g_clear_pointer (&windows->reporting, gst_llavaov_window_free);
  windows->let_pass = FALSE;
  g_cond_broadcast (&windows->cond);
}

void
gst_llavaov_windows_let_pass (GstLlavaovWindows * windows)
{
  windows->let_pass = windows->reporting != NULL;
  g_cond_broadcast (&windows->cond);
}

gboolean
gst_llavaov_windows_follow (GstLlavaovWindows * windows,
    GstLlavaovWindow * question, guint64 id)
{
  const GstLlavaovWindow *asked = g_queue_peek_head (&windows->asked);
  const guint64 under_way = asked && !asked->disowned ? asked->ask_id : 0;
  const guint64 waits = gst_llavaov_asks_newest (&windows->asks);
  const guint64 newest = waits ? waits : under_way ? under_way :
      gst_llavaov_histories_newest (&windows->histories);

  question->follows_id = id ? id : newest;
  question->follows = question->follows_id != 0;
  if (!question->follows)
    question->follows =
        gst_llavaov_histories_follow_window (&windows->histories, question);
  return id == 0 || gst_llavaov_histories_have (&windows->histories, id) ||
      id == under_way || gst_llavaov_asks_waits (&windows->asks, id);
}

static gboolean
owes (const GList * list, guint64 id)
{
  for (; list; list = list->next) {
    const GstLlavaovWindow *window = list->data;

    if (window->ask_id && window->ask_id <= id && !window->disowned)
      return TRUE;
  }
  return FALSE;
}

gboolean
gst_llavaov_windows_owe_ask (const GstLlavaovWindows * windows, guint64 id)
{
  return gst_llavaov_asks_wait_up_to (&windows->asks, id) ||
      owes (windows->asked.head, id) || owes (windows->outbox.head, id) ||
      (windows->reporting && windows->reporting->ask_id &&
      windows->reporting->ask_id <= id);
}

/* Questions of the application are answered when they are. */
static GstClockTime
earlier (GstClockTime start, const GstLlavaovWindow * window)
{
  return window && !window->ask_id ? MIN (start, window->start) : start;
}

GstClockTime
gst_llavaov_windows_earliest (GstLlavaovWindows * windows)
{
  GstClockTime start = gst_llavaov_sampler_earliest (&windows->sampler);
  GList *walk;

  for (walk = windows->waiting.head; walk; walk = walk->next)
    start = earlier (start, walk->data);
  for (walk = windows->outbox.head; walk; walk = walk->next)
    if (((GstLlavaovWindow *) walk->data)->state == GST_LLAVAOV_WINDOW_ANSWERED)
      start = earlier (start, walk->data);
  start = earlier (start, g_queue_peek_head (&windows->asked));
  return earlier (start, windows->reporting);
}
