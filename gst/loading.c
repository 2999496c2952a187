/* SPDX-License-Identifier: Apache-2.0 */
#include "loading.h"

#include "choices.h"
#include "errors.h"
#include "host.h"
#include "json-schema.h"
#include "questions.h"
#include "window-queue.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

static void
post_progress (GstLlavaovElement * self, GstProgressType type, guint percent,
    const gchar * text)
{
  GstMessage *message =
      gst_message_new_progress (GST_OBJECT (self), type, "load", text);

  gst_structure_set (gst_message_writable_structure (message), "percent-done",
      G_TYPE_UINT, percent, NULL);
  gst_element_post_message (GST_ELEMENT (self), message);
}

/* All questions of the element as they are set now: one without a name, or those of questions. Settings that make none are refused
 * elsewhere. Of GstLlavaovQuestion. */
static GPtrArray *
all_questions (GstLlavaovElement * self)
{
  GstLlavaovSettings settings;
  LlavaovError error = { 0, };
  GPtrArray *questions;

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_settings_copy (&self->run, &settings);
  g_mutex_unlock (&self->windows.lock);
  questions = gst_llavaov_questions_or_prompt (&settings, &error);
  gst_llavaov_settings_clear (&settings);
  return questions;
}

typedef struct
{
  LlavaovPrompt prompt;
  LlavaovSession *session;
} Frames;

/* Whether the question fits the model with these frames. */
static LlavaovStatus
check_prompt (GstLlavaovElement * self, const Frames * frames,
    const GstLlavaovSettings * settings, LlavaovError * error)
{
  const LlavaovEngineInfo *info = llavaov_engine_info (self->model.engine);
  LlavaovPrompt asked = frames->prompt;
  LlavaovStatus status;
  guint32 tokens = 0;

  asked.system_prompt = settings->system_prompt;
  asked.text = settings->prompt;
  status = llavaov_session_prompt_tokens (frames->session, &asked, &tokens,
      error);
  if (status != LLAVAOV_OK || tokens < info->context_length)
    return status;
  error->about = LLAVAOV_ABOUT_PROMPT;
  g_strlcpy (error->subject, "prompt", sizeof (error->subject));
  g_snprintf (error->message, sizeof (error->message),
      "prompt=... with frames=%u makes %u tokens, and the model's context "
      "holds %u", (guint) asked.n_frames, tokens, info->context_length);
  return LLAVAOV_ERROR_CONTEXT_FULL;
}

/* Whether the checkpoint can do what it is asked for. */
static LlavaovStatus
check_generation (GstLlavaovElement * self,
    const GstLlavaovSettings * settings, LlavaovError * error)
{
  LlavaovGeneration asked = gst_llavaov_settings_generation (settings);
  LlavaovGeneration settled = {.size = sizeof (settled) };
  LlavaovStatus status = llavaov_engine_generation (self->model.engine, &asked,
      &settled, error);

  if (status == LLAVAOV_OK)
    gst_llavaov_loading_warn_generation (self, &asked);
  return status;
}

/* Whether the model's tokens fit the labels. */
static LlavaovStatus
check_choices (GstLlavaovElement * self, const GstLlavaovSettings * settings,
    LlavaovError * error)
{
  LlavaovChoices choices = gst_llavaov_choices_of (settings,
      settings->choices);

  return settings->choices ? llavaov_choices_check (self->model.engine,
      &choices, error) : LLAVAOV_OK;
}

/* Whether the longest answer is long enough for the schema. */
static LlavaovStatus
check_schema (GstLlavaovElement * self, guint index,
    const GstLlavaovSettings * settings, LlavaovError * error)
{
  LlavaovGeneration asked = gst_llavaov_settings_generation (settings);
  LlavaovGeneration settled = {.size = sizeof (settled) };
  LlavaovJsonSchema *schema = NULL;
  LlavaovStatus status;
  guint32 tokens = 0;
  gchar *number, *hint;

  status = gst_llavaov_json_schema_use (&self->json[index],
      settings->json_schema, &schema, error);
  if (schema == NULL)
    return status;
  status = llavaov_engine_json_tokens (self->model.engine, schema, &tokens,
      error);
  if (status == LLAVAOV_OK)
    status = llavaov_engine_generation (self->model.engine, &asked, &settled,
        error);
  if (status != LLAVAOV_OK || !settled.max_new_tokens ||
      settled.max_new_tokens >= tokens)
    return status;
  number = g_strdup_printf ("%u", settled.max_new_tokens);
  hint = g_strdup_printf ("the shortest document that the json-schema allows "
      "takes %u tokens", tokens);
  gst_llavaov_bad_value (error, "max-new-tokens", number, hint);
  g_free (hint);
  g_free (number);
  return error->status;
}

/* Whether the model can answer all questions; with `frames`, once they are known, whether these fit. FALSE: an ERROR has been
 * posted. */
static gboolean
check_questions (GstLlavaovElement * self, const Frames * frames)
{
  GPtrArray *questions = all_questions (self);
  LlavaovStatus status = LLAVAOV_OK;
  LlavaovError error = { 0, };
  guint i;

  for (i = 0; questions && status == LLAVAOV_OK && i < questions->len; i++) {
    const GstLlavaovQuestion *question = g_ptr_array_index (questions, i);
    const GstLlavaovSettings *settings = &question->settings;

    if (frames) {
      status = check_prompt (self, frames, settings, &error);
    } else {
      status = check_generation (self, settings, &error);
      if (status == LLAVAOV_OK)
        status = check_choices (self, settings, &error);
      if (status == LLAVAOV_OK)
        status = check_schema (self, i, settings, &error);
    }
    if (status != LLAVAOV_OK && question->name)
      gst_llavaov_question_blame (question->name, &error);
  }
  g_clear_pointer (&questions, g_ptr_array_unref);
  if (status == LLAVAOV_OK)
    return TRUE;
  error.status = status;
  gst_llavaov_host_fail (self, &error);
  return FALSE;
}

void
gst_llavaov_loading_warn_generation (GstLlavaovElement * self,
    const LlavaovGeneration * asked)
{
  const gchar *notice =
      llavaov_engine_info (self->model.engine)->generation_notice;
  LlavaovError error = { LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION,
    "generation", ""
  };
  gboolean tell;

  if (notice == NULL || !(asked->as_checkpoint & LLAVAOV_SETTING_RULES))
    return;
  g_mutex_lock (&self->windows.lock);
  tell = gst_llavaov_model_warn_generation (&self->model);
  g_mutex_unlock (&self->windows.lock);
  if (!tell)
    return;
  g_strlcpy (error.message, notice, sizeof (error.message));
  gst_llavaov_post_warning (GST_ELEMENT (self), &error,
      "generation=checkpoint");
}

/* On an engine thread: the engine holds one picture less, which a clip's streaming thread may wait for. */
static void
on_frame (void *data, void *frame_data, LlavaovFrameStage stage)
{
  GstLlavaovElement *self = data;

  if (stage == LLAVAOV_FRAME_ENCODED)
    return;
  g_mutex_lock (&self->windows.lock);
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP)
    g_cond_broadcast (&self->windows.cond);
  g_mutex_unlock (&self->windows.lock);
}

/* FALSE: an ERROR has been posted. */
static gboolean
open_session (GstLlavaovElement * self, LlavaovEngine * engine,
    LlavaovSession ** session)
{
  LlavaovSessionOptions options = {.size = sizeof (options) };
  Frames one = {.prompt = {.size = sizeof (LlavaovPrompt),.n_frames = 1,
      .layout = LLAVAOV_LAYOUT_VIDEO}
  };
  LlavaovError error = { 0, };
  LlavaovStatus status;

  options.chat_template = self->model.chat_template;
  options.on_frame = on_frame;
  options.data = self;
  options.prefill = (LlavaovPrefill) self->run.prefill;
  status = llavaov_session_open (engine, &options, session, &error);
  if (status != LLAVAOV_OK) {
    error.status = status;
    gst_llavaov_host_fail (self, &error);
    return FALSE;
  }
  one.session = *session;
  if (check_questions (self, &one))
    return TRUE;
  llavaov_session_close (*session);
  return FALSE;
}

/* Posts which template makes the prompts. gst-launch-1.0 prints the debug text only. */
static void
post_template (GstLlavaovElement * self)
{
  gchar *text;

  if (self->model.chat_template == NULL)
    return;
  text = g_strdup_printf ("Chat template: %s",
      llavaov_chat_template_origin (self->model.chat_template));
  GST_INFO_OBJECT (self, "%s", text);
  gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_INFO,
      GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, g_strdup (text), text,
      __FILE__, GST_FUNCTION, __LINE__);
}

static void
engine_ready (GstLlavaovElement * self, LlavaovEngine * engine)
{
  const LlavaovEngineInfo *info = llavaov_engine_info (engine);
  LlavaovSession *session = NULL;
  gchar *text;

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_model_set_engine (&self->model, engine);
  g_mutex_unlock (&self->windows.lock);
  gst_llavaov_output_set_engine (&self->output, info);

  if (!check_questions (self, NULL) || !open_session (self, engine, &session))
    return;

  text = g_strdup_printf ("%s is ready: %s, %s (%s)", info->model_name,
      info->device, info->precision, info->device_detail);
  GST_INFO_OBJECT (self, "%s", text);
  post_progress (self, GST_PROGRESS_TYPE_COMPLETE, 100, text);
  g_free (text);
  post_template (self);
  g_mutex_lock (&self->windows.lock);
  /* A callback may have stopped the worker. */
  gst_llavaov_model_set_session (&self->model, session,
      !gst_llavaov_worker_thread_is_stopping (&self->worker));
  gst_llavaov_window_queue_push_held_samples (self);
  g_cond_broadcast (&self->windows.cond);
  g_mutex_unlock (&self->windows.lock);
  gst_llavaov_host_notify (self, "ready");
}

void
gst_llavaov_loading_poll (GstLlavaovElement * self, guint * last_percent)
{
  GstLlavaovEngineState state;
  LlavaovEngine *engine = NULL;
  LlavaovError error = { 0, };
  guint percent = 0;
  gchar *text;

  if (self->model.engine || gst_llavaov_windows_have_failed (&self->windows))
    return;
  state = gst_llavaov_engine_poll (self->model.user, &percent, &engine, &error);
  switch (state) {
    case GST_LLAVAOV_ENGINE_LOADING:
      if (*last_percent == GST_LLAVAOV_LOADING_UNTOLD) {
        text = g_strdup_printf ("Loading %s", self->run.model_path);
        post_progress (self, GST_PROGRESS_TYPE_START, percent, text);
        g_free (text);
      } else if (percent / 10 != *last_percent / 10) {
        text = g_strdup_printf ("Loading: %u %%", percent);
        post_progress (self, GST_PROGRESS_TYPE_CONTINUE, percent, text);
        g_free (text);
      }
      *last_percent = percent;
      break;
    case GST_LLAVAOV_ENGINE_READY:
      engine_ready (self, engine);
      break;
    case GST_LLAVAOV_ENGINE_FAILED:
      if (*last_percent != GST_LLAVAOV_LOADING_UNTOLD)
        post_progress (self, GST_PROGRESS_TYPE_ERROR, percent, error.message);
      gst_llavaov_host_fail (self, &error);
      break;
  }
}

void
gst_llavaov_loading_end (GstLlavaovElement * self, guint percent)
{
  if (!self->model.engine && percent != GST_LLAVAOV_LOADING_UNTOLD &&
      !gst_llavaov_windows_have_failed (&self->windows))
    post_progress (self, GST_PROGRESS_TYPE_CANCELED, percent,
        "Loading was cancelled");
}

gboolean
gst_llavaov_loading_can_check_frames (GstLlavaovElement * self)
{
  guint width, height;

  return self->model.session && self->windows.layout_known &&
      !self->model.frames_checked && !self->windows.failed &&
      gst_llavaov_format_size (&self->format, &width, &height);
}

void
gst_llavaov_loading_check_frames (GstLlavaovElement * self)
{
  Frames frames = {.prompt = {.size = sizeof (LlavaovPrompt)}
  };
  guint width = 0, height = 0;

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_model_set_frames_checked (&self->model);
  frames.session = self->model.session;
  frames.prompt.layout = self->windows.layout;
  frames.prompt.n_frames =
      frames.prompt.layout == LLAVAOV_LAYOUT_IMAGE ? 1 : self->run.frames;
  gst_llavaov_format_size (&self->format, &width, &height);
  frames.prompt.width = width;
  frames.prompt.height = height;
  g_mutex_unlock (&self->windows.lock);
  check_questions (self, &frames);
}
