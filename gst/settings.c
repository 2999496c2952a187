/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#define DEFAULT_WINDOW (8 * GST_SECOND)
#define DEFAULT_FRAMES 8
#define DEFAULT_MAX_NEW_TOKENS 64
#define DEFAULT_MAX_PENDING 1

void
gst_llavaov_settings_install (GObjectClass * klass)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
      GST_PARAM_MUTABLE_READY;
  const GParamFlags playing = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
      GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags readonly = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS |
      G_PARAM_EXPLICIT_NOTIFY;

  g_object_class_install_property (klass, GST_LLAVAOV_PROP_PROMPT,
      g_param_spec_string ("prompt", "Prompt",
          "The question; a change takes effect with the next window",
          GST_LLAVAOV_DEFAULT_PROMPT, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_PROMPT_FILE,
      g_param_spec_string ("prompt-file", "Prompt file",
          "Text file to read the question from, instead of prompt", NULL,
          ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_SYSTEM_PROMPT,
      g_param_spec_string ("system-prompt", "System prompt",
          "Text of the system's turn (NULL = none)", NULL, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_MODEL_PATH,
      g_param_spec_string ("model-path", "Model path",
          "Checkpoint folder (NULL = environment LLAVAOV_MODEL, else the "
          "bundled demo model)", NULL, ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_DEVICE,
      g_param_spec_string ("device", "Device",
          "Where the model runs: auto, cpu, cuda or cuda:N", "auto", ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_PRECISION,
      g_param_spec_string ("precision", "Precision",
          "What weights are held in: auto, f32, bf16 or f16", "auto", ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_ENGINE_ID,
      g_param_spec_string ("engine-id", "Engine id",
          "Name of the engine to share (NULL = shared by model, device and "
          "precision)", NULL, ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_CHAT_TEMPLATE,
      g_param_spec_string ("chat-template", "Chat template",
          "What makes the prompt: hub, conversion, qwen_1_5, one of the "
          "checkpoint's by name, or a file (NULL = the checkpoint's own)",
          NULL, ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_WINDOW,
      g_param_spec_uint64 ("window", "Window",
          "Length of video that one answer covers (ns)", GST_MSECOND,
          G_MAXINT64, DEFAULT_WINDOW, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_INTERVAL,
      g_param_spec_uint64 ("interval", "Interval",
          "From the start of one window to the start of the next (ns, 0 = "
          "window; at least 1/64 of window)", 0, G_MAXINT64, 0, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_FRAMES,
      g_param_spec_uint ("frames", "Frames",
          "Frames sampled per window, evenly over it", 1,
          GST_LLAVAOV_MAX_FRAMES, DEFAULT_FRAMES, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_SAMPLING,
      g_param_spec_enum ("sampling", "Sampling",
          "What one answer covers: a window, or the whole stream",
          gst_llavaov_sampling_get_type (), GST_LLAVAOV_SAMPLING_WINDOW,
          ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_LAYOUT,
      g_param_spec_enum ("layout", "Layout", "How frames become tokens",
          gst_llavaov_layout_get_type (), GST_LLAVAOV_LAYOUT_AUTO, ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_GENERATION,
      g_param_spec_enum ("generation", "Generation",
          "Whose generation settings count where no property of their own was "
          "set", gst_llavaov_generation_mode_get_type (),
          GST_LLAVAOV_GENERATION_GREEDY, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_MAX_NEW_TOKENS,
      g_param_spec_uint ("max-new-tokens", "Maximum new tokens",
          "Longest answer in tokens (not set, and generation=checkpoint: the "
          "checkpoint's, else 256)", 1, 32768, DEFAULT_MAX_NEW_TOKENS,
          playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_TEMPERATURE,
      g_param_spec_double ("temperature", "Temperature",
          "0 = greedy decoding (not set, and generation=checkpoint: the "
          "checkpoint's)", 0.0, 100.0, 0.0, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_TOP_K,
      g_param_spec_uint ("top-k", "Top k",
          "Draw from the k likeliest tokens, 0 = all (not set, and "
          "generation=checkpoint: the checkpoint's, else 50)", 0, G_MAXINT, 0,
          playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_TOP_P,
      g_param_spec_double ("top-p", "Top p",
          "Draw from the likeliest tokens that make up this probability (not "
          "set, and generation=checkpoint: the checkpoint's)",
          0.0, 1.0, 1.0, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_REPETITION_PENALTY,
      g_param_spec_double ("repetition-penalty", "Repetition penalty",
          "Divides the scores of tokens that have occurred, 1 = off (not set, "
          "and generation=checkpoint: the checkpoint's)", 0.01,
          100.0, 1.0, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_SEED,
      g_param_spec_uint64 ("seed", "Seed",
          "Start of the random numbers of each answer", 0, G_MAXUINT64, 0,
          playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_OVERLOAD,
      g_param_spec_enum ("overload", "Overload",
          "What happens when windows close faster than they are answered",
          gst_llavaov_overload_get_type (), GST_LLAVAOV_OVERLOAD_AUTO, ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_MAX_PENDING,
      g_param_spec_uint ("max-pending", "Maximum pending",
          "Whole windows that may wait for the engine with overload=newest",
          1, 64, DEFAULT_MAX_PENDING, ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_POST_MESSAGES,
      g_param_spec_boolean ("post-messages", "Post messages",
          "Post a llavaov-answer message for each answer", TRUE, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_META_MODE,
      g_param_spec_enum ("meta-mode", "Meta mode",
          "Which buffers carry a GstLlavaovMeta with the answer",
          gst_llavaov_meta_mode_get_type (), GST_LLAVAOV_META_ONCE, playing));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_TEXT_TIMING,
      g_param_spec_enum ("text-timing", "Text timing",
          "Timestamps of the buffers on the text pad",
          gst_llavaov_text_timing_get_type (), GST_LLAVAOV_TEXT_AUTO, ready));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_STREAM_NAME,
      g_param_spec_string ("stream-name", "Stream name",
          "Goes into every answer (NULL = name of the element)", NULL,
          playing));

  g_object_class_install_property (klass, GST_LLAVAOV_PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Counts and times since the element went to PAUSED",
          GST_TYPE_STRUCTURE, readonly));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_LAST_ANSWER,
      g_param_spec_string ("last-answer", "Last answer",
          "Text of the latest answer", NULL, readonly));
  g_object_class_install_property (klass, GST_LLAVAOV_PROP_READY,
      g_param_spec_boolean ("ready", "Ready",
          "Whether the model is loaded", FALSE, readonly));

  gst_type_mark_as_plugin_api (gst_llavaov_sampling_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_llavaov_layout_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_llavaov_overload_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_llavaov_meta_mode_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_llavaov_text_timing_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_llavaov_generation_mode_get_type (), 0);
}

void
gst_llavaov_settings_init (GstLlavaovSettings * settings)
{
  memset (settings, 0, sizeof (*settings));
  settings->prompt = g_strdup (GST_LLAVAOV_DEFAULT_PROMPT);
  settings->device = g_strdup ("auto");
  settings->precision = g_strdup ("auto");
  settings->window = DEFAULT_WINDOW;
  settings->frames = DEFAULT_FRAMES;
  settings->generation.max_new_tokens = DEFAULT_MAX_NEW_TOKENS;
  settings->generation.top_p = 1.0;
  settings->generation.repetition_penalty = 1.0;
  settings->max_pending = DEFAULT_MAX_PENDING;
  settings->post_messages = TRUE;
  settings->meta_mode = GST_LLAVAOV_META_ONCE;
}

void
gst_llavaov_settings_clear (GstLlavaovSettings * settings)
{
  g_free (settings->prompt);
  g_free (settings->prompt_file);
  g_free (settings->system_prompt);
  g_free (settings->model_path);
  g_free (settings->device);
  g_free (settings->precision);
  g_free (settings->engine_id);
  g_free (settings->chat_template);
  g_free (settings->stream_name);
  memset (settings, 0, sizeof (*settings));
}

void
gst_llavaov_settings_copy (const GstLlavaovSettings * settings,
    GstLlavaovSettings * copy)
{
  *copy = *settings;
  copy->prompt = g_strdup (settings->prompt);
  copy->prompt_file = g_strdup (settings->prompt_file);
  copy->system_prompt = g_strdup (settings->system_prompt);
  copy->model_path = g_strdup (settings->model_path);
  copy->device = g_strdup (settings->device);
  copy->precision = g_strdup (settings->precision);
  copy->engine_id = g_strdup (settings->engine_id);
  copy->chat_template = g_strdup (settings->chat_template);
  copy->stream_name = g_strdup (settings->stream_name);
}

static void
replace_string (gchar ** where, const GValue * value, const gchar * fallback)
{
  g_free (*where);
  *where = g_value_dup_string (value);
  if (*where == NULL)
    *where = g_strdup (fallback);
}

/* The user has set these. */
static void
own (GstLlavaovSettings * s, guint settings)
{
  s->own |= settings;
  s->generation.as_checkpoint =
      s->generation_mode == GST_LLAVAOV_GENERATION_CHECKPOINT ?
      LLAVAOV_SETTING_ALL & ~s->own : 0;
}

gboolean
gst_llavaov_settings_set (GstLlavaovSettings * s, guint id, const GValue * v)
{
  switch (id) {
    case GST_LLAVAOV_PROP_PROMPT:
      replace_string (&s->prompt, v, GST_LLAVAOV_DEFAULT_PROMPT);
      break;
    case GST_LLAVAOV_PROP_PROMPT_FILE:
      replace_string (&s->prompt_file, v, NULL);
      break;
    case GST_LLAVAOV_PROP_SYSTEM_PROMPT:
      replace_string (&s->system_prompt, v, NULL);
      break;
    case GST_LLAVAOV_PROP_MODEL_PATH:
      replace_string (&s->model_path, v, NULL);
      break;
    case GST_LLAVAOV_PROP_DEVICE:
      replace_string (&s->device, v, "auto");
      break;
    case GST_LLAVAOV_PROP_PRECISION:
      replace_string (&s->precision, v, "auto");
      break;
    case GST_LLAVAOV_PROP_ENGINE_ID:
      replace_string (&s->engine_id, v, NULL);
      break;
    case GST_LLAVAOV_PROP_CHAT_TEMPLATE:
      replace_string (&s->chat_template, v, NULL);
      break;
    case GST_LLAVAOV_PROP_WINDOW:
      s->window = g_value_get_uint64 (v);
      break;
    case GST_LLAVAOV_PROP_INTERVAL:
      s->interval = g_value_get_uint64 (v);
      break;
    case GST_LLAVAOV_PROP_FRAMES:
      s->frames = g_value_get_uint (v);
      break;
    case GST_LLAVAOV_PROP_SAMPLING:
      s->sampling = g_value_get_enum (v);
      break;
    case GST_LLAVAOV_PROP_LAYOUT:
      s->layout = g_value_get_enum (v);
      break;
    case GST_LLAVAOV_PROP_GENERATION:
      s->generation_mode = g_value_get_enum (v);
      own (s, 0);
      break;
    case GST_LLAVAOV_PROP_MAX_NEW_TOKENS:
      s->generation.max_new_tokens = g_value_get_uint (v);
      own (s, LLAVAOV_SETTING_MAX_NEW_TOKENS);
      break;
    case GST_LLAVAOV_PROP_TEMPERATURE:
      s->generation.temperature = g_value_get_double (v);
      own (s, LLAVAOV_SETTING_TEMPERATURE);
      break;
    case GST_LLAVAOV_PROP_TOP_K:
      s->generation.top_k = g_value_get_uint (v);
      own (s, LLAVAOV_SETTING_TOP_K);
      break;
    case GST_LLAVAOV_PROP_TOP_P:
      s->generation.top_p = g_value_get_double (v);
      own (s, LLAVAOV_SETTING_TOP_P);
      break;
    case GST_LLAVAOV_PROP_REPETITION_PENALTY:
      s->generation.repetition_penalty = g_value_get_double (v);
      own (s, LLAVAOV_SETTING_REPETITION_PENALTY);
      break;
    case GST_LLAVAOV_PROP_SEED:
      s->generation.seed = g_value_get_uint64 (v);
      break;
    case GST_LLAVAOV_PROP_OVERLOAD:
      s->overload = g_value_get_enum (v);
      break;
    case GST_LLAVAOV_PROP_MAX_PENDING:
      s->max_pending = g_value_get_uint (v);
      break;
    case GST_LLAVAOV_PROP_POST_MESSAGES:
      s->post_messages = g_value_get_boolean (v);
      break;
    case GST_LLAVAOV_PROP_META_MODE:
      s->meta_mode = g_value_get_enum (v);
      break;
    case GST_LLAVAOV_PROP_TEXT_TIMING:
      s->text_timing = g_value_get_enum (v);
      break;
    case GST_LLAVAOV_PROP_STREAM_NAME:
      replace_string (&s->stream_name, v, NULL);
      break;
    default:
      return FALSE;
  }
  return TRUE;
}

gboolean
gst_llavaov_settings_get (const GstLlavaovSettings * s, guint id, GValue * v)
{
  switch (id) {
    case GST_LLAVAOV_PROP_PROMPT:
      g_value_set_string (v, s->prompt);
      break;
    case GST_LLAVAOV_PROP_PROMPT_FILE:
      g_value_set_string (v, s->prompt_file);
      break;
    case GST_LLAVAOV_PROP_SYSTEM_PROMPT:
      g_value_set_string (v, s->system_prompt);
      break;
    case GST_LLAVAOV_PROP_MODEL_PATH:
      g_value_set_string (v, s->model_path);
      break;
    case GST_LLAVAOV_PROP_DEVICE:
      g_value_set_string (v, s->device);
      break;
    case GST_LLAVAOV_PROP_PRECISION:
      g_value_set_string (v, s->precision);
      break;
    case GST_LLAVAOV_PROP_ENGINE_ID:
      g_value_set_string (v, s->engine_id);
      break;
    case GST_LLAVAOV_PROP_CHAT_TEMPLATE:
      g_value_set_string (v, s->chat_template);
      break;
    case GST_LLAVAOV_PROP_WINDOW:
      g_value_set_uint64 (v, s->window);
      break;
    case GST_LLAVAOV_PROP_INTERVAL:
      g_value_set_uint64 (v, s->interval);
      break;
    case GST_LLAVAOV_PROP_FRAMES:
      g_value_set_uint (v, s->frames);
      break;
    case GST_LLAVAOV_PROP_SAMPLING:
      g_value_set_enum (v, s->sampling);
      break;
    case GST_LLAVAOV_PROP_LAYOUT:
      g_value_set_enum (v, s->layout);
      break;
    case GST_LLAVAOV_PROP_GENERATION:
      g_value_set_enum (v, s->generation_mode);
      break;
    case GST_LLAVAOV_PROP_MAX_NEW_TOKENS:
      g_value_set_uint (v, s->generation.max_new_tokens);
      break;
    case GST_LLAVAOV_PROP_TEMPERATURE:
      g_value_set_double (v, s->generation.temperature);
      break;
    case GST_LLAVAOV_PROP_TOP_K:
      g_value_set_uint (v, s->generation.top_k);
      break;
    case GST_LLAVAOV_PROP_TOP_P:
      g_value_set_double (v, s->generation.top_p);
      break;
    case GST_LLAVAOV_PROP_REPETITION_PENALTY:
      g_value_set_double (v, s->generation.repetition_penalty);
      break;
    case GST_LLAVAOV_PROP_SEED:
      g_value_set_uint64 (v, s->generation.seed);
      break;
    case GST_LLAVAOV_PROP_OVERLOAD:
      g_value_set_enum (v, s->overload);
      break;
    case GST_LLAVAOV_PROP_MAX_PENDING:
      g_value_set_uint (v, s->max_pending);
      break;
    case GST_LLAVAOV_PROP_POST_MESSAGES:
      g_value_set_boolean (v, s->post_messages);
      break;
    case GST_LLAVAOV_PROP_META_MODE:
      g_value_set_enum (v, s->meta_mode);
      break;
    case GST_LLAVAOV_PROP_TEXT_TIMING:
      g_value_set_enum (v, s->text_timing);
      break;
    case GST_LLAVAOV_PROP_STREAM_NAME:
      g_value_set_string (v, s->stream_name);
      break;
    default:
      return FALSE;
  }
  return TRUE;
}
