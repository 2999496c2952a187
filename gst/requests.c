/* SPDX-License-Identifier: Apache-2.0 */
#include "requests.h"

#include "choices.h"
#include "json-schema.h"
#include "loading.h"
#include "window-queue.h"

static void
keep_answer (GstLlavaovWindow * window, const LlavaovAnswer * answer)
{
  window->status = answer->status;
  window->error = answer->error;
  window->error.status = answer->status;
  window->finish_reason = answer->finish_reason;
  window->is_json = answer->json != NULL;
  window->truncated = answer->truncated;
  window->text = g_strndup (answer->text ? answer->text : "",
      answer->text ? answer->text_bytes : 0);
  if (answer->chosen)
    window->chosen = gst_llavaov_chosen_to_structure (answer->chosen);
  if (answer->json)
    window->json_values = gst_llavaov_json_values_to_structure (answer);
  window->frames_reused = answer->frames_reused;
  window->prompt_tokens = answer->prompt_tokens;
  window->new_tokens = answer->new_tokens;
  window->first_token_ns = answer->first_token_ns;
  window->encode_ns = answer->encode_ns;
  window->prefill_ns = answer->prefill_ns;
  window->decode_ns = answer->decode_ns;
  window->answered_at = g_get_monotonic_time ();
  if (answer->history)
    window->made = llavaov_history_ref (answer->history);
  /* Nobody may ever ask on; without the lock, as it takes a moment on some devices. */
  if (answer->history && !window->ask_id)
    llavaov_history_trim (window->made);
  window->state = answer->status == LLAVAOV_OK ? GST_LLAVAOV_WINDOW_ANSWERED :
      answer->status == LLAVAOV_ERROR_LATE ||
      answer->status == LLAVAOV_ERROR_REMOTE_DOWN ?
      GST_LLAVAOV_WINDOW_DROPPED : GST_LLAVAOV_WINDOW_FAILED;
  if (answer->status == LLAVAOV_ERROR_LATE)
    window->reason = "overload";
  else if (answer->status == LLAVAOV_ERROR_REMOTE_DOWN)
    window->reason = "remote-down";
}

/* On an engine thread. */
static void
on_done (void *data, const LlavaovAnswer * answer)
{
  GstLlavaovWindow *window = data;
  GstLlavaovElement *self = window->owner;
  LlavaovTicket *ticket;

  keep_answer (window, answer);
  if (window->state == GST_LLAVAOV_WINDOW_DROPPED &&
      window->question_index == 0)
    gst_llavaov_output_count (&self->output, GST_LLAVAOV_COUNT_DROPPED_WINDOWS);
  g_mutex_lock (&self->windows.lock);
  gst_llavaov_partials_end (&self->partials, window);
  ticket = gst_llavaov_windows_answered (&self->windows, window);
  g_mutex_unlock (&self->windows.lock);
  if (ticket)
    llavaov_ticket_unref (ticket);
}

/* On an engine thread, before on_done. */
static void
on_text (void *data, const char *text, size_t bytes)
{
  GstLlavaovWindow *window = data;
  GstLlavaovElement *self = window->owner;

  g_mutex_lock (&self->windows.lock);
  if (window->flushes == self->windows.flushes &&
      gst_llavaov_partials_add (&self->partials, window, text, bytes))
    g_cond_broadcast (&self->windows.cond);
  g_mutex_unlock (&self->windows.lock);
}

/* The frames of all questions; their error where there is one. */
static LlavaovStatus
take_frames (const GstLlavaovWindow * window, LlavaovFrame ** frames,
    LlavaovError * error)
{
  LlavaovStatus status = LLAVAOV_OK;
  guint i;

  for (i = window->n_before; i < window->samples->len; i++) {
    GstLlavaovSample *sample = g_ptr_array_index (window->samples, i);

    *frames++ = sample->frame;
    if (sample->frame == NULL) {
      status = sample->failed ? sample->error.status : LLAVAOV_ERROR_INTERNAL;
      *error = sample->error;
    }
  }
  return status;
}

/* What a window asks, in its own memory. FALSE: its status and error say why not. */
static gboolean
make_question (GstLlavaovElement * self, GstLlavaovWindow * window,
    LlavaovQuestion * question)
{
  *question = (LlavaovQuestion) {
  .size = sizeof (*question),.prompt = window->prompt,.on_done =
        on_done,.on_text = window->labels ||
        !window->streamed ? NULL : on_text,.data = window};
  if (window->status != LLAVAOV_OK)
    return FALSE;
  if (window->labels) {
    question->choices = &window->choices;
  } else {
    question->generation = &window->generation;
    gst_llavaov_loading_warn_generation (self, question->generation);
  }
  window->status =
      gst_llavaov_json_schema_use (&self->json[window->question_index],
      window->json_schema, &question->json_schema, &window->error);
  return window->status == LLAVAOV_OK;
}

/* With the lock. */
static void
fail (GstLlavaovElement * self, GstLlavaovWindow * window)
{
  window->state = GST_LLAVAOV_WINDOW_FAILED;
  gst_llavaov_windows_answered (&self->windows, window);
}

/* A window without `questions` asks in the request itself, so that errors name no question. */
static void
put_questions (LlavaovRequest * request, const LlavaovQuestion * questions,
    guint n, gboolean named)
{
  if (named) {
    request->questions = questions;
    request->n_questions = n;
    return;
  }
  request->prompt = questions->prompt;
  request->generation = questions->generation;
  request->choices = questions->choices;
  request->json_schema = questions->json_schema;
  request->on_done = questions->on_done;
  request->on_text = questions->on_text;
  request->data = questions->data;
}

/* Makes one request of what can be asked of `windows`, which are the questions of one window; afterwards `windows` are those that
 * cannot, each with its error. Without the lock. */
static LlavaovTicket *
ask (GstLlavaovElement * self, GPtrArray * windows)
{
  GstLlavaovWindow *first = g_ptr_array_index (windows, 0), *window;
  LlavaovFrame *frames[GST_LLAVAOV_MAX_FRAMES];
  LlavaovQuestion questions[GST_LLAVAOV_MAX_QUESTIONS];
  LlavaovRequest request = {
    .size = sizeof (request),
    .system_prompt = first->history ? NULL : first->system_prompt,
    .frames = frames,
    .n_frames = first->samples->len - first->n_before,
    .history = first->history,
    .keep_history = 1,
    .layout = first->layout,
    .reservation = g_steal_pointer (&first->reservation),
  };
  LlavaovTicket *ticket = NULL;
  LlavaovError error = { 0, };
  LlavaovStatus status = take_frames (first, frames, &error);
  GPtrArray *asked = g_ptr_array_new ();
  guint i;

  for (i = 0; status == LLAVAOV_OK && i < windows->len; i++)
    if (make_question (self, g_ptr_array_index (windows, i),
            &questions[asked->len]))
      g_ptr_array_add (asked, g_ptr_array_index (windows, i));
  if (asked->len) {
    put_questions (&request, questions, asked->len, first->n_questions > 0);
    for (i = 0; i < asked->len; i++)
      g_ptr_array_remove (windows, g_ptr_array_index (asked, i));
    /* From here on they belong to on_done, and the reservation to the engine. */
    status = llavaov_session_ask (self->model.session, &request, &ticket,
        &error);
    for (i = 0; status != LLAVAOV_OK && i < asked->len; i++)
      g_ptr_array_add (windows, g_ptr_array_index (asked, i));
  }
  if (status != LLAVAOV_OK || asked->len == 0)
    llavaov_reservation_free (request.reservation);
  for (i = 0; i < windows->len; i++) {
    window = g_ptr_array_index (windows, i);
    if (window->status == LLAVAOV_OK) {
      window->status = status;
      window->error = error;
    }
  }
  g_ptr_array_unref (asked);
  return ticket;
}

void
gst_llavaov_request_send (GstLlavaovElement * self)
{
  GPtrArray *windows = g_ptr_array_new ();
  LlavaovTicket *ticket;
  guint flushes = self->windows.flushes;
  GList *walk;
  guint i;

  for (walk = self->windows.asked.head; walk; walk = walk->next) {
    GstLlavaovWindow *window = walk->data;

    window->owner = self;
    window->streamed = self->run.stream_tokens;
    for (i = 0; window->ask_id && i < window->samples->len; i++)
      gst_llavaov_window_queue_push_for (self,
          g_ptr_array_index (window->samples, i), window->layout);
    g_ptr_array_add (windows, window);
  }
  gst_llavaov_partials_set_interval (&self->partials,
      self->run.partial_interval);
  g_mutex_unlock (&self->windows.lock);
  ticket = ask (self, windows);
  g_mutex_lock (&self->windows.lock);
  for (i = 0; i < windows->len; i++)
    fail (self, g_ptr_array_index (windows, i));
  g_ptr_array_unref (windows);
  if (ticket == NULL ||
      gst_llavaov_windows_set_ticket (&self->windows, flushes, ticket))
    return;
  g_mutex_unlock (&self->windows.lock);
  llavaov_ticket_cancel (ticket);
  llavaov_ticket_unref (ticket);
  g_mutex_lock (&self->windows.lock);
}
