/* SPDX-License-Identifier: Apache-2.0 */
#include "requests.h"

#include "choices.h"
#include "json-schema.h"
#include "loading.h"

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
  window->prompt_tokens = answer->prompt_tokens;
  window->new_tokens = answer->new_tokens;
  window->first_token_ns = answer->first_token_ns;
  window->encode_ns = answer->encode_ns;
  window->prefill_ns = answer->prefill_ns;
  window->decode_ns = answer->decode_ns;
  window->answered_at = g_get_monotonic_time ();
  window->state = answer->status == LLAVAOV_OK ? GST_LLAVAOV_WINDOW_ANSWERED :
      answer->status == LLAVAOV_ERROR_LATE ? GST_LLAVAOV_WINDOW_DROPPED :
      GST_LLAVAOV_WINDOW_FAILED;
  if (answer->status == LLAVAOV_ERROR_LATE)
    window->reason = "overload";
}

/* On an engine thread. */
static void
on_done (void *data, const LlavaovAnswer * answer)
{
  GstLlavaovWindow *window = data;
  GstLlavaovElement *self = window->owner;
  LlavaovTicket *ticket;

  keep_answer (window, answer);
  if (window->state == GST_LLAVAOV_WINDOW_DROPPED)
    gst_llavaov_output_count (&self->output, GST_LLAVAOV_COUNT_DROPPED_WINDOWS);
  g_mutex_lock (&self->windows.lock);
  ticket = gst_llavaov_windows_answered (&self->windows, window);
  g_mutex_unlock (&self->windows.lock);
  if (ticket)
    llavaov_ticket_unref (ticket);
}

void
gst_llavaov_request_send (GstLlavaovElement * self, GstLlavaovWindow * window)
{
  LlavaovFrame *frames[GST_LLAVAOV_MAX_FRAMES];
  LlavaovRequest request = {.size = sizeof (request) };
  LlavaovTicket *ticket = NULL;
  LlavaovError error = window->error;
  LlavaovStatus status = window->status;
  LlavaovSession *session = self->model.session;
  guint flushes = window->flushes;
  guint i;

  for (i = 0; i < window->samples->len; i++) {
    GstLlavaovSample *sample = g_ptr_array_index (window->samples, i);

    frames[i] = sample->frame;
    if (sample->frame == NULL && window->status == LLAVAOV_OK) {
      status = sample->failed ? sample->error.status : LLAVAOV_ERROR_INTERNAL;
      error = sample->error;
    }
  }
  window->owner = self;
  g_mutex_unlock (&self->windows.lock);

  if (status == LLAVAOV_OK) {
    request.layout = window->layout;
    request.frames = frames;
    request.n_frames = window->samples->len;
    request.system_prompt = window->system_prompt;
    request.prompt = window->prompt;
    if (window->labels) {
      request.choices = &window->choices;
    } else {
      request.generation = &window->generation;
      gst_llavaov_loading_warn_generation (self, request.generation);
    }
    status = gst_llavaov_json_schema_use (&self->json, window->json_schema,
        &request.json_schema, &error);
  }
  if (status == LLAVAOV_OK) {
    request.reservation = window->reservation;
    request.on_done = on_done;
    request.data = window;
    /* From here on the window belongs to on_done, and its reservation to the engine. */
    window->reservation = NULL;
    status = llavaov_session_ask (session, &request, &ticket, &error);
    if (status != LLAVAOV_OK)
      window->reservation = request.reservation;
  }

  g_mutex_lock (&self->windows.lock);
  if (status != LLAVAOV_OK) {
    window->status = status;
    window->error = error;
    window->state = GST_LLAVAOV_WINDOW_FAILED;
    gst_llavaov_windows_answered (&self->windows, window);
    return;
  }
  if (gst_llavaov_windows_set_ticket (&self->windows, window, flushes, ticket))
    return;
  g_mutex_unlock (&self->windows.lock);
  if (ticket) {
    llavaov_ticket_cancel (ticket);
    llavaov_ticket_unref (ticket);
  }
  g_mutex_lock (&self->windows.lock);
}
