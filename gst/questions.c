/* SPDX-License-Identifier: Apache-2.0 */
#include "questions.h"

#include <string.h>

#include <jansson.h>

#include "alert-settings.h"
#include "choices.h"
#include "errors.h"
#include "json-schema.h"
#include "option-error.h"

#define MAX_BYTES (1u << 20)

/* What a question may have of its own. The other properties are about all of a window. */
static const guint own[] = {
  GST_LLAVAOV_PROP_PROMPT,
  GST_LLAVAOV_PROP_CHOICES,
  GST_LLAVAOV_PROP_CHOICES_VARIANTS,
  GST_LLAVAOV_PROP_CHOICES_HINT,
  GST_LLAVAOV_PROP_CHOICES_TEMPERATURE,
  GST_LLAVAOV_PROP_CHOICES_MIN_MASS,
  GST_LLAVAOV_PROP_ALERT_ON,
  GST_LLAVAOV_PROP_ALERT_THRESHOLD,
  GST_LLAVAOV_PROP_ALERT_CLEAR_THRESHOLD,
  GST_LLAVAOV_PROP_ALERT_CONFIRM,
  GST_LLAVAOV_PROP_ALERT_CLEAR,
  GST_LLAVAOV_PROP_ALERT_COOLDOWN,
  GST_LLAVAOV_PROP_JSON_SCHEMA,
  GST_LLAVAOV_PROP_GENERATION,
  GST_LLAVAOV_PROP_MAX_NEW_TOKENS,
  GST_LLAVAOV_PROP_TEMPERATURE,
  GST_LLAVAOV_PROP_TOP_K,
  GST_LLAVAOV_PROP_TOP_P,
  GST_LLAVAOV_PROP_REPETITION_PENALTY,
  GST_LLAVAOV_PROP_SEED,
};

void
gst_llavaov_question_blame (const gchar * name, LlavaovError * error)
{
  gchar *message = g_strdup (error->message);

  gst_llavaov_option_error (error, "questions", "\"%s\": %s", name, message);
  g_free (message);
}

/* The same for what is wrong with the question itself. Returns FALSE. */
static gboolean
complain (const GstLlavaovQuestion * question,
    LlavaovError * error, const gchar * format, ...)
G_GNUC_PRINTF (3, 4);

     static gboolean
         complain (const GstLlavaovQuestion * question, LlavaovError * error,
    const gchar * format, ...)
{
  va_list arguments;
  gchar *text;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  if (question->name)
    gst_llavaov_option_error (error, "questions", "\"%s\": %s",
        question->name, text);
  else
    gst_llavaov_option_error (error, "ask", "%s", text);
  g_free (text);
  return FALSE;
}

static void
question_free (gpointer data)
{
  GstLlavaovQuestion *question = data;

  g_free (question->name);
  gst_llavaov_settings_clear (&question->settings);
  g_free (question);
}

/* ---- values ---- */

/* A string, or a list of strings, which are put between "|". NULL: neither. */
static gchar *
labels_from_json (json_t * json)
{
  GString *text;
  json_t *label;
  size_t i;

  if (!json_is_array (json))
    return g_strdup (json_string_value (json));
  text = g_string_new (NULL);
  json_array_foreach (json, i, label) {
    const gchar *value = json_string_value (label);

    if (value == NULL || strchr (value, '|')) {
      g_string_free (text, TRUE);
      return NULL;
    }
    g_string_append_printf (text, i ? "|%s" : "%s", value);
  }
  return g_string_free (text, FALSE);
}

/* A string, or the schema itself. */
static gchar *
schema_from_json (json_t * json)
{
  char *text;
  gchar *copy;

  if (json_is_string (json))
    return g_strdup (json_string_value (json));
  text = json_dumps (json, JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);
  copy = g_strdup (text);
  free (text);
  return copy;
}

static gchar *
string_from_json (guint id, json_t * json)
{
  if (id == GST_LLAVAOV_PROP_CHOICES || id == GST_LLAVAOV_PROP_ALERT_ON)
    return labels_from_json (json);
  if (id == GST_LLAVAOV_PROP_JSON_SCHEMA)
    return schema_from_json (json);
  return g_strdup (json_string_value (json));
}

static gboolean
set_number (const GstLlavaovDescriptor * d, json_t * json, GValue * value)
{
  const json_int_t n = json_integer_value (json);
  const gdouble x = json_number_value (json);

  if (d->kind == GST_LLAVAOV_KIND_DOUBLE) {
    if (!json_is_number (json) || !(x >= d->real_minimum &&
            x <= d->real_maximum))
      return FALSE;
    g_value_set_double (value, x);
    return TRUE;
  }
  if (!json_is_integer (json) || n < 0 || (guint64) n < d->minimum ||
      (guint64) n > d->maximum)
    return FALSE;
  if (d->kind == GST_LLAVAOV_KIND_UINT)
    g_value_set_uint (value, n);
  else
    g_value_set_uint64 (value, n);
  return TRUE;
}

/* FALSE: it is not of the property's type, or out of its range. */
static gboolean
set_value (guint id, json_t * json, GValue * value)
{
  switch (gst_llavaov_property (id)->kind) {
    case GST_LLAVAOV_KIND_STRING:
      g_value_take_string (value, string_from_json (id, json));
      return g_value_get_string (value) != NULL;
    case GST_LLAVAOV_KIND_BOOLEAN:
      g_value_set_boolean (value, json_is_true (json));
      return json_is_boolean (json);
    case GST_LLAVAOV_KIND_ENUM:
    case GST_LLAVAOV_KIND_FLAGS:
      return json_is_string (json) &&
          gst_value_deserialize (value, json_string_value (json));
    default:
      return set_number (gst_llavaov_property (id), json, value);
  }
}

/* What a value must be, in words. Free it. */
static gchar *
wanted (guint id)
{
  const GstLlavaovDescriptor *d = gst_llavaov_property (id);
  char low[G_ASCII_DTOSTR_BUF_SIZE], high[G_ASCII_DTOSTR_BUF_SIZE];

  switch (d->kind) {
    case GST_LLAVAOV_KIND_STRING:
      return g_strdup (id == GST_LLAVAOV_PROP_CHOICES ||
          id == GST_LLAVAOV_PROP_ALERT_ON ?
          "a string of labels between |, or a list of labels" : "a string");
    case GST_LLAVAOV_KIND_BOOLEAN:
      return g_strdup ("true or false");
    case GST_LLAVAOV_KIND_ENUM:
    case GST_LLAVAOV_KIND_FLAGS:
      return g_strdup ("one of its names, as a string");
    case GST_LLAVAOV_KIND_DOUBLE:
      return g_strdup_printf ("a number from %s to %s",
          g_ascii_formatd (low, sizeof (low), "%g", d->real_minimum),
          g_ascii_formatd (high, sizeof (high), "%g", d->real_maximum));
    default:
      return g_strdup_printf ("a whole number from %" G_GUINT64_FORMAT " to %"
          G_GUINT64_FORMAT, d->minimum, d->maximum);
  }
}

/* ---- questions ---- */

static guint
find_own (const gchar * name)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (own); i++)
    if (!strcmp (gst_llavaov_property (own[i])->name, name))
      return own[i];
  return GST_LLAVAOV_PROP_NONE;
}

/* Properties in which the element's value gives way to a question's own choices, or a question's own schema. */
static void
give_way (GstLlavaovSettings * settings, json_t * object)
{
  static const guint generated[] = {
    GST_LLAVAOV_PROP_JSON_SCHEMA, GST_LLAVAOV_PROP_JSON_SCHEMA_FILE,
    GST_LLAVAOV_PROP_GENERATION, GST_LLAVAOV_PROP_MAX_NEW_TOKENS,
    GST_LLAVAOV_PROP_TEMPERATURE, GST_LLAVAOV_PROP_TOP_K,
    GST_LLAVAOV_PROP_TOP_P, GST_LLAVAOV_PROP_REPETITION_PENALTY,
    GST_LLAVAOV_PROP_SEED,
  };
  static const guint chosen[] = {
    GST_LLAVAOV_PROP_CHOICES, GST_LLAVAOV_PROP_ALERT_ON,
  };
  const gboolean chooses = json_object_get (object, "choices") &&
      !json_is_null (json_object_get (object, "choices"));
  const gboolean writes = json_object_get (object, "json-schema") &&
      !json_is_null (json_object_get (object, "json-schema"));
  const guint *ids = chooses ? generated : chosen;
  const guint n = chooses ? G_N_ELEMENTS (generated) : writes ?
      G_N_ELEMENTS (chosen) : 0;

  gst_llavaov_settings_reset (settings, ids, n);
}

static gboolean
read_key (GstLlavaovQuestion * question, const gchar * key, json_t * json,
    LlavaovError * error)
{
  const guint id = find_own (key);
  GValue value = G_VALUE_INIT;
  gboolean good = TRUE;
  gchar *text;

  if (id == GST_LLAVAOV_PROP_NONE)
    return complain (question, error, "%s is no property of a question", key);
  gst_llavaov_property_default (id, &value);
  if (!json_is_null (json))
    good = set_value (id, json, &value);
  if (good) {
    gst_llavaov_settings_set (&question->settings, id, &value);
  } else {
    text = wanted (id);
    complain (question, error, "%s: %s is wanted", key, text);
    g_free (text);
  }
  g_value_unset (&value);
  return good;
}

gboolean
gst_llavaov_question_is_name (const gchar * name)
{
  const gsize n = strlen (name);

  return n > 0 && n <= GST_LLAVAOV_MAX_QUESTION_NAME &&
      strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

gboolean
gst_llavaov_question_set (GstLlavaovQuestion * question, json_t * object,
    LlavaovError * error)
{
  const char *key;
  json_t *value;

  give_way (&question->settings, object);
  json_object_foreach (object, key, value) {
    if (!read_key (question, key, value, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_question (GstLlavaovQuestion * question, json_t * object,
    LlavaovError * error)
{
  if (!gst_llavaov_question_is_name (question->name))
    return gst_llavaov_option_error (error, "questions",
        "\"%s\" is no name: 1 to %d of a-z, 0-9, _ and - are " "wanted",
        question->name, GST_LLAVAOV_MAX_QUESTION_NAME);
  if (!json_is_object (object))
    return gst_llavaov_option_error (error, "questions",
        "\"%s\": an object of properties is wanted, such as "
        "{\"prompt\": \"...\"}", question->name);
  if (!json_is_string (json_object_get (object, "prompt")))
    return gst_llavaov_option_error (error, "questions",
        "\"%s\": there is no prompt", question->name);
  return gst_llavaov_question_set (question, object, error);
}

static gboolean
read_questions (const GstLlavaovSettings * settings, json_t * root,
    GPtrArray * questions, LlavaovError * error)
{
  const char *key;
  json_t *value;

  if (!json_is_object (root) || json_object_size (root) == 0 ||
      json_object_size (root) > GST_LLAVAOV_MAX_QUESTIONS)
    return gst_llavaov_option_error (error, "questions",
        "an object of 1 to %d questions is wanted", GST_LLAVAOV_MAX_QUESTIONS);
  if (settings->prompt_file
      || gst_llavaov_settings_differs (settings, GST_LLAVAOV_PROP_PROMPT))
    return gst_llavaov_option_error (error, "questions",
        "%s is set, too: each question has its own prompt",
        settings->prompt_file ? "prompt-file" : "prompt");
  json_object_foreach (root, key, value) {
    GstLlavaovQuestion *question = g_new0 (GstLlavaovQuestion, 1);

    g_ptr_array_add (questions, question);
    question->name = g_strdup (key);
    gst_llavaov_settings_copy (settings, &question->settings);
    if (!read_question (question, value, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
gst_llavaov_questions_of (const GstLlavaovSettings * settings,
    GPtrArray ** questions, LlavaovError * error)
{
  json_error_t where;
  json_t *root;
  gboolean good;

  *questions = NULL;
  if (settings->questions == NULL)
    return TRUE;
  if (strlen (settings->questions) > MAX_BYTES)
    return gst_llavaov_option_error (error, "questions", "longer than %u KiB",
        MAX_BYTES / 1024);
  root = json_loads (settings->questions, JSON_REJECT_DUPLICATES, &where);
  if (root == NULL)
    return gst_llavaov_option_error (error, "questions",
        "no JSON: line %d, column %d: %s", where.line, where.column,
        where.text);
  *questions = g_ptr_array_new_with_free_func (question_free);
  good = read_questions (settings, root, *questions, error);
  json_decref (root);
  if (!good)
    g_clear_pointer (questions, g_ptr_array_unref);
  return good;
}

GPtrArray *
gst_llavaov_questions_or_prompt (const GstLlavaovSettings * settings,
    LlavaovError * error)
{
  GPtrArray *questions;
  GstLlavaovQuestion *prompt;

  if (!gst_llavaov_questions_of (settings, &questions, error) || questions)
    return questions;
  prompt = g_new0 (GstLlavaovQuestion, 1);
  gst_llavaov_settings_copy (settings, &prompt->settings);
  questions = g_ptr_array_new_with_free_func (question_free);
  g_ptr_array_add (questions, prompt);
  return questions;
}

gboolean
gst_llavaov_questions_read (GstLlavaovSettings * settings, LlavaovError * error)
{
  if (settings->questions_file == NULL)
    return TRUE;
  if (settings->questions)
    return gst_llavaov_bad_value (error, "questions-file",
        settings->questions_file, "questions is set, too: set one");
  settings->questions = gst_llavaov_read_file ("questions-file",
      settings->questions_file, MAX_BYTES, error);
  return settings->questions != NULL;
}

gboolean
gst_llavaov_question_check (const GstLlavaovQuestion * question,
    LlavaovError * error)
{
  const GstLlavaovSettings *settings = &question->settings;
  GstLlavaovAlertRule rule;

  if (gst_llavaov_choices_check (settings, error) &&
      gst_llavaov_json_schema_check (settings, error) &&
      gst_llavaov_alert_rule (settings, &rule, error))
    return TRUE;
  if (question->name)
    gst_llavaov_question_blame (question->name, error);
  return FALSE;
}

gboolean
gst_llavaov_questions_check (const GstLlavaovSettings * settings,
    LlavaovError * error)
{
  GPtrArray *questions;
  gboolean good = gst_llavaov_questions_of (settings, &questions, error);
  guint i;

  for (i = 0; good && questions && i < questions->len; i++)
    good = gst_llavaov_question_check (g_ptr_array_index (questions, i), error);
  g_clear_pointer (&questions, g_ptr_array_unref);
  return good;
}
