/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler.h"

#include "triggers.h"

/* The duration of a live frame is trusted when it is longer than this: to wait for the next frame, and be sure, would cost more
 * than an occasional second-best choice. */
#define TRUSTED_DURATION (100 * GST_MSECOND)

/* A live window that is cut short without a frame is reported when it was this long. */
#define SHORTEST_SILENCE GST_SECOND
/* More windows in a row without a frame than these are reported as one. */
#define MAX_REPORTED_SINGLY 4

/* NONE, which is later than everything, where the sum does not fit: windows and intervals may be 292 years long. */
static GstClockTime
add (GstClockTime time, GstClockTime duration)
{
  return duration > GST_CLOCK_TIME_NONE - time ? GST_CLOCK_TIME_NONE :
      time + duration;
}

static GstClockTime
window_end (const GstLlavaovWindow * window)
{
  return add (window->start, window->length);
}

static GstClockTime
interval_of (const GstLlavaovSettings * settings)
{
  GstClockTime interval = settings->interval ? settings->interval :
      settings->window;

  return MAX (interval,
      (settings->window + GST_LLAVAOV_MAX_OPEN_WINDOWS - 1) /
      GST_LLAVAOV_MAX_OPEN_WINDOWS);
}

gboolean
gst_llavaov_sampler_is_asked (const GstLlavaovSettings * settings)
{
  return settings->enabled && settings->trigger & GST_LLAVAOV_TRIGGER_PERIODIC;
}

static GstLlavaovWindow *
new_window (GstLlavaovSampler * sampler, GstClockTime start)
{
  const GstLlavaovSettings *settings = sampler->settings;
  GstLlavaovWindow *window = gst_llavaov_window_new (start,
      settings->window, settings, &sampler->segment, settings->frames);

  if (settings->layout == GST_LLAVAOV_LAYOUT_IMAGE)
    window->n_points = 1;
  window->utc_start =
      gst_llavaov_window_utc (sampler->utc_offset, window->start);
  return window;
}

static void
set_refused (GstLlavaovSampler * sampler, GstLlavaovWindow * window,
    GstClockTime now, GstClockTime next)
{
  if (sampler->live && sampler->reserve)
    window->refused = !sampler->reserve (sampler->data, window, now, next);
}

static void
open_window (GstLlavaovSampler * sampler)
{
  const GstLlavaovSettings *settings = sampler->settings;
  GstLlavaovWindow *window = new_window (sampler, sampler->next_start);

  window->idle = !gst_llavaov_sampler_is_asked (settings);
  g_queue_push_tail (&sampler->open, window);
  sampler->next_start = add (sampler->next_start, interval_of (settings));
  if (window->idle)
    return;
  window->triggered = gst_structure_new ("trigger", "trigger", G_TYPE_STRING,
      "periodic", NULL);
  set_refused (sampler, window, window->start, sampler->next_start);
}

static gint
by_start (gconstpointer a, gconstpointer b, gpointer data)
{
  const GstLlavaovWindow *one = a, *other = b;

  return one->start < other->start ? -1 : one->start > other->start;
}

static void
offer (GstLlavaovSampler * sampler, GstLlavaovWindow * window,
    GstLlavaovSample * last, GstLlavaovSample * sample, gboolean trust)
{
  window->n_seen++;
  gst_llavaov_points_offer (window, last, sample, trust, sampler->chosen,
      sampler->data);
}

GstLlavaovWindow *
gst_llavaov_sampler_open (GstLlavaovSampler * sampler, GstClockTime start,
    GstClockTime now, GstStructure * triggered, const GQueue * kept)
{
  GstLlavaovWindow *window = new_window (sampler, start);
  GstLlavaovSample *last = NULL;
  GList *walk;

  window->triggered = triggered;
  g_queue_insert_sorted (&sampler->open, window, by_start, NULL);
  set_refused (sampler, window, now, window_end (window));
  for (walk = kept->head; walk; walk = walk->next) {
    GstLlavaovSample *sample = walk->data;

    if (sample->running < start || sample->running >= window_end (window))
      continue;
    offer (sampler, window, last, sample, FALSE);
    last = sample;
  }
  if (sampler->last && sampler->last->running >= start &&
      sampler->last->running < window_end (window) &&
      (last == NULL || sampler->last->running > last->running))
    offer (sampler, window, last, sampler->last, FALSE);
  return window;
}

void
gst_llavaov_sampler_tell_motion (GstLlavaovSampler * sampler, gdouble level)
{
  GList *walk;

  for (walk = sampler->open.head; walk; walk = walk->next) {
    GstLlavaovWindow *window = walk->data;

    window->motion_level = MAX (window->motion_level, level);
  }
}

GstClockTime
gst_llavaov_sampler_position (const GstLlavaovSampler * sampler)
{
  return sampler->last ? sampler->last->running : GST_CLOCK_TIME_NONE;
}

guint64
gst_llavaov_sampler_take_idle (GstLlavaovSampler * sampler)
{
  guint64 n = sampler->n_idle;

  sampler->n_idle = 0;
  return n;
}

/* Windows that were asked for, and are not any more. */
static void
lie_idle (GstLlavaovSampler * sampler)
{
  GList *walk;

  for (walk = sampler->open.head; walk; walk = walk->next) {
    GstLlavaovWindow *window = walk->data;

    window->idle = TRUE;
    g_ptr_array_set_size (window->samples, 0);
    llavaov_reservation_free (g_steal_pointer (&window->reservation));
  }
  g_clear_pointer (&sampler->last, gst_llavaov_sample_unref);
}

static gboolean
free_idle (GstLlavaovSampler * sampler)
{
  GList *walk, *next;
  gboolean found = FALSE;

  for (walk = sampler->open.head; walk; walk = next) {
    GstLlavaovWindow *window = walk->data;

    next = walk->next;
    if (!window->idle)
      continue;
    found = TRUE;
    g_queue_delete_link (&sampler->open, walk);
    gst_llavaov_window_free (window);
  }
  return found;
}

void
gst_llavaov_sampler_init (GstLlavaovSampler * sampler)
{
  memset (sampler, 0, sizeof (*sampler));
  g_queue_init (&sampler->open);
  gst_segment_init (&sampler->segment, GST_FORMAT_TIME);
  sampler->utc_offset = G_MININT64;
}

void
gst_llavaov_sampler_setup (GstLlavaovSampler * sampler,
    const GstLlavaovSettings * settings, GstLlavaovReserveFunc reserve,
    GstLlavaovPointFunc chosen, gpointer data)
{
  sampler->settings = settings;
  sampler->reserve = reserve;
  sampler->chosen = chosen;
  sampler->data = data;
}

void
gst_llavaov_sampler_set_live (GstLlavaovSampler * sampler, gboolean live,
    gboolean early)
{
  sampler->live = live;
  sampler->early = early;
}

void
gst_llavaov_sampler_set_segment (GstLlavaovSampler * sampler,
    const GstSegment * segment)
{
  sampler->segment = *segment;
}

void
gst_llavaov_sampler_set_utc_offset (GstLlavaovSampler * sampler, gint64 offset)
{
  sampler->utc_offset = offset;
}

gint64
gst_llavaov_sampler_utc_offset (const GstLlavaovSampler * sampler)
{
  return sampler->utc_offset;
}

void
gst_llavaov_sampler_reset (GstLlavaovSampler * sampler)
{
  GstLlavaovWindow *window;

  while ((window = g_queue_pop_head (&sampler->open)))
    gst_llavaov_window_free (window);
  g_clear_pointer (&sampler->last, gst_llavaov_sample_unref);
  sampler->started = sampler->seen_frame = FALSE;
}

void
gst_llavaov_sampler_start (GstLlavaovSampler * sampler, GstClockTime now)
{
  if (sampler->started)
    return;
  sampler->started = TRUE;
  sampler->next_start = now;
}

static void
set_closed (GstLlavaovWindow * window)
{
  window->state = window->refused ? GST_LLAVAOV_WINDOW_DROPPED :
      GST_LLAVAOV_WINDOW_WAITING;
  if (window->refused)
    window->reason = "overload";
}

/* The window's end has passed: no frame can come into it any more. */
static void
close_window (GstLlavaovSampler * sampler, GstLlavaovWindow * window,
    GQueue * closed)
{
  if (window->n_seen == 0 || window->idle) {
    sampler->n_idle += window->n_seen > 0;
    if (!sampler->live || window->n_seen) {
      gst_llavaov_window_free (window);
      return;
    }
    window->state = GST_LLAVAOV_WINDOW_EMPTY;
    window->reason = "silence";
  } else {
    gst_llavaov_points_fill (window, sampler->last, GST_CLOCK_TIME_NONE,
        sampler->chosen, sampler->data);
    set_closed (window);
  }
  g_queue_push_tail (closed, window);
}

/* Windows that began and ended unseen, when they are many, are reported as one. */
static void
skip_silence (GstLlavaovSampler * sampler, GstClockTime now, GQueue * closed)
{
  GstClockTime interval = interval_of (sampler->settings);
  GstClockTime window = sampler->settings->window;
  guint64 ended;

  if (now < add (sampler->next_start, window))
    return;
  ended = (now - sampler->next_start - window) / interval + 1;
  if (ended <= MAX_REPORTED_SINGLY)
    return;
  if (sampler->live)
    g_queue_push_tail (closed, gst_llavaov_window_new_empty
        (sampler->next_start, (ended - 1) * interval + window,
            sampler->settings, &sampler->segment, sampler->utc_offset,
            "silence"));
  sampler->next_start += ended * interval;
}

void
gst_llavaov_sampler_advance (GstLlavaovSampler * sampler, GstClockTime now,
    GQueue * closed)
{
  GstLlavaovWindow *window;

  if (!sampler->started)
    return;
  if (!sampler->settings->enabled)
    lie_idle (sampler);

  while ((window = g_queue_peek_head (&sampler->open)) &&
      window_end (window) <= now)
    close_window (sampler, g_queue_pop_head (&sampler->open), closed);

  if (sampler->next_start <= now)
    skip_silence (sampler, now, closed);
  while (sampler->next_start <= now) {
    open_window (sampler);
    while ((window = g_queue_peek_head (&sampler->open)) &&
        window_end (window) <= now)
      close_window (sampler, g_queue_pop_head (&sampler->open), closed);
  }
}

void
gst_llavaov_sampler_frame (GstLlavaovSampler * sampler,
    GstLlavaovSample * sample, GQueue * closed)
{
  GstClockTime time = sample->running;
  gboolean trust = sampler->early &&
      GST_CLOCK_TIME_IS_VALID (sample->duration) &&
      sample->duration > TRUSTED_DURATION;
  GList *walk, *next;

  if (!sampler->seen_frame) {
    /* The grid begins at the first frame, also when the clock came first. */
    sampler->seen_frame = TRUE;
    while (!g_queue_is_empty (&sampler->open))
      gst_llavaov_window_free (g_queue_pop_head (&sampler->open));
    sampler->started = TRUE;
    sampler->next_start = time;
    gst_llavaov_sampler_advance (sampler, time, closed);
  }
  /* Asked for again: at once. */
  if (gst_llavaov_sampler_is_asked (sampler->settings) && free_idle (sampler)) {
    sampler->next_start = time;
    gst_llavaov_sampler_advance (sampler, time, closed);
  }

  for (walk = sampler->open.head; walk; walk = next) {
    GstLlavaovWindow *window = walk->data;

    next = walk->next;
    if (time < window->start || time >= window_end (window))
      continue;
    if (window->idle) {
      window->n_seen++;
      continue;
    }
    offer (sampler, window, sampler->last, sample, trust);
    if (sampler->early && gst_llavaov_points_are_decided (window)) {
      window->early = TRUE;
      window->state = GST_LLAVAOV_WINDOW_WAITING;
      g_queue_delete_link (&sampler->open, walk);
      g_queue_push_tail (closed, window);
    }
  }

  if (sampler->last)
    gst_llavaov_sample_unref (sampler->last);
  sampler->last = sampler->settings->enabled ?
      gst_llavaov_sample_ref (sample) : NULL;
}

static void
cut_window (GstLlavaovSampler * sampler, GstLlavaovWindow * window,
    GstClockTime end, GQueue * closed)
{
  gst_llavaov_points_fill (window, sampler->last, end, sampler->chosen,
      sampler->data);
  window->length = end - MIN (window->start, end);
  set_closed (window);
  g_queue_push_tail (closed, window);
}

void
gst_llavaov_sampler_finish (GstLlavaovSampler * sampler, GstClockTime end,
    GstClockTime now, const gchar * reason, GQueue * closed)
{
  GstLlavaovWindow *window;

  gst_llavaov_sampler_advance (sampler, end, closed);
  while ((window = g_queue_pop_head (&sampler->open))) {
    if (window->n_seen && window->idle) {
      gst_llavaov_window_free (window);
    } else if (window->n_seen) {
      cut_window (sampler, window, end, closed);
    } else if (sampler->live && GST_CLOCK_TIME_IS_VALID (now) &&
        now >= window->start + SHORTEST_SILENCE) {
      window->length = MIN (window->length, now - window->start);
      window->state = GST_LLAVAOV_WINDOW_EMPTY;
      window->reason = reason;
      g_queue_push_tail (closed, window);
    } else {
      gst_llavaov_window_free (window);
    }
  }
  gst_llavaov_sampler_reset (sampler);
}

void
gst_llavaov_sampler_foreach_sample (GstLlavaovSampler * sampler,
    GstLlavaovSampleFunc function, gpointer data, LlavaovLayout layout)
{
  GList *walk;
  guint i;

  for (walk = sampler->open.head; walk; walk = walk->next) {
    GstLlavaovWindow *window = walk->data;

    for (i = 0; i < window->samples->len; i++)
      function (data, g_ptr_array_index (window->samples, i), layout);
  }
}

gboolean
gst_llavaov_sampler_has_frames (GstLlavaovSampler * sampler)
{
  GList *walk;

  for (walk = sampler->open.head; walk; walk = walk->next)
    if (((GstLlavaovWindow *) walk->data)->n_seen &&
        !((GstLlavaovWindow *) walk->data)->idle)
      return TRUE;
  return FALSE;
}

gboolean
gst_llavaov_sampler_now (GstLlavaovSampler * sampler,
    GstLlavaovWindow * question)
{
  GstLlavaovSample *last = sampler->last;
  GstLlavaovWindow *open = NULL;
  GList *walk;

  if (last == NULL)
    return FALSE;
  for (walk = sampler->open.head; walk && open == NULL; walk = walk->next)
    if (((GstLlavaovWindow *) walk->data)->n_seen &&
        !((GstLlavaovWindow *) walk->data)->idle)
      open = walk->data;
  if (open)
    gst_llavaov_window_set_frames (question, open);
  else
    question->start = last->running;
  question->segment = sampler->segment;
  question->utc_start =
      gst_llavaov_window_utc (sampler->utc_offset, question->start);
  question->length = add (last->running, GST_CLOCK_TIME_IS_VALID
      (last->duration) ? last->duration : 0) - question->start;
  if (question->samples->len == 0 ||
      g_ptr_array_index (question->samples, question->samples->len - 1) != last)
    gst_llavaov_window_take (question, last);
  if (question->samples->len > GST_LLAVAOV_MAX_FRAMES)
    g_ptr_array_remove_index (question->samples, 0);
  return TRUE;
}

GstClockTime
gst_llavaov_sampler_deadline (GstLlavaovSampler * sampler)
{
  GstLlavaovWindow *window = g_queue_peek_head (&sampler->open);

  if (!sampler->started)
    return GST_CLOCK_TIME_NONE;
  if (window)
    return window_end (window);
  return add (sampler->next_start, sampler->settings->window);
}

GstClockTime
gst_llavaov_sampler_earliest (GstLlavaovSampler * sampler)
{
  const GstLlavaovSettings *settings = sampler->settings;
  GstClockTime start = sampler->next_start, back;
  GList *walk;

  if (!sampler->started)
    return GST_CLOCK_TIME_NONE;
  /* What triggers next may look back from the last frame. */
  if (sampler->last && settings->trigger != GST_LLAVAOV_TRIGGER_PERIODIC) {
    back = gst_llavaov_triggers_lookback (settings) +
        gst_llavaov_triggers_pitch (settings) + GST_LLAVAOV_TRIGGER_DELAY;
    start = MIN (start, sampler->last->running -
        MIN (sampler->last->running, back));
  }
  for (walk = sampler->open.head; walk; walk = walk->next) {
    const GstLlavaovWindow *window = walk->data;

    if (!window->idle)
      start = MIN (start, window->start);
  }
  return start;
}
