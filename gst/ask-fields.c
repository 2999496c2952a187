/* SPDX-License-Identifier: Apache-2.0 */
#include "ask-fields.h"

#include "option-error.h"

typedef struct
{
  GstLlavaovAskFields *ask;
  json_t *own;                  /* what a question may have of its own */
  LlavaovError *error;
} Reader;

static json_t *value_to_json (const GValue * value);

static json_t *
list_to_json (const GValue * value, guint n,
    const GValue * (*get) (const GValue * value, guint index))
{
  json_t *list = json_array ();
  guint i;

  for (i = 0; i < n; i++)
    if (json_array_append_new (list, value_to_json (get (value, i))) != 0) {
      json_decref (list);
      return NULL;
    }
  return list;
}

/* NULL: no value that a property could have. */
static json_t *
value_to_json (const GValue * value)
{
  GValue number = G_VALUE_INIT;
  json_t *json = NULL;

  if (G_VALUE_HOLDS_STRING (value))
    return g_value_get_string (value) ?
        json_string (g_value_get_string (value)) : json_null ();
  if (G_VALUE_HOLDS_BOOLEAN (value))
    return json_boolean (g_value_get_boolean (value));
  if (G_VALUE_HOLDS_DOUBLE (value) || G_VALUE_HOLDS_FLOAT (value)) {
    g_value_init (&number, G_TYPE_DOUBLE);
    g_value_transform (value, &number);
    json = json_real (g_value_get_double (&number));
  } else if (G_VALUE_HOLDS_INT (value) || G_VALUE_HOLDS_UINT (value) ||
      G_VALUE_HOLDS_INT64 (value) || G_VALUE_HOLDS_LONG (value)) {
    g_value_init (&number, G_TYPE_INT64);
    g_value_transform (value, &number);
    json = json_integer (g_value_get_int64 (&number));
  } else if (G_VALUE_HOLDS_UINT64 (value) || G_VALUE_HOLDS_ULONG (value)) {
    g_value_init (&number, G_TYPE_UINT64);
    g_value_transform (value, &number);
    if (g_value_get_uint64 (&number) <= G_MAXINT64)
      json = json_integer ((json_int_t) g_value_get_uint64 (&number));
  } else if (GST_VALUE_HOLDS_ARRAY (value)) {
    json = list_to_json (value, gst_value_array_get_size (value),
        gst_value_array_get_value);
  } else if (GST_VALUE_HOLDS_LIST (value)) {
    json = list_to_json (value, gst_value_list_get_size (value),
        gst_value_list_get_value);
  }
  if (G_IS_VALUE (&number))
    g_value_unset (&number);
  return json;
}

static gboolean
read_from (Reader * reader, const GValue * value)
{
  const gchar *text = G_VALUE_HOLDS_STRING (value) ?
      g_value_get_string (value) : NULL;

  if (g_strcmp0 (text, "last") == 0)
    reader->ask->from = GST_LLAVAOV_ASK_LAST;
  else if (g_strcmp0 (text, "now") == 0)
    reader->ask->from = GST_LLAVAOV_ASK_NOW;
  else
    return gst_llavaov_option_error (reader->error, "ask",
        "from: last or now is wanted");
  return TRUE;
}

static gboolean
read_name (Reader * reader, const GValue * value)
{
  const gchar *text = G_VALUE_HOLDS_STRING (value) ?
      g_value_get_string (value) : NULL;

  if (text == NULL || !gst_llavaov_question_is_name (text))
    return gst_llavaov_option_error (reader->error, "ask",
        "question: a name of 1 to %d of a-z, 0-9, _ and - is wanted",
        GST_LLAVAOV_MAX_QUESTION_NAME);
  g_free (reader->ask->name);
  reader->ask->name = g_strdup (text);
  return TRUE;
}

static gboolean
read_history (Reader * reader, const GValue * value)
{
  if (!G_VALUE_HOLDS_BOOLEAN (value))
    return gst_llavaov_option_error (reader->error, "ask",
        "history: true or false is wanted");
  reader->ask->history = g_value_get_boolean (value);
  return TRUE;
}

static gboolean
read_follows (Reader * reader, const GValue * value)
{
  json_t *json = value_to_json (value);
  const json_int_t id = json_integer_value (json);

  json_decref (json);
  if (id <= 0)
    return gst_llavaov_option_error (reader->error, "ask",
        "follows: the id of a question is wanted");
  reader->ask->follows = id;
  return TRUE;
}

static gboolean
read_field (GQuark field, const GValue * value, gpointer data)
{
  const gchar *name = g_quark_to_string (field);
  Reader *reader = data;
  json_t *json;

  if (!strcmp (name, "from"))
    return read_from (reader, value);
  if (!strcmp (name, "question"))
    return read_name (reader, value);
  if (!strcmp (name, "history"))
    return read_history (reader, value);
  if (!strcmp (name, "follows"))
    return read_follows (reader, value);
  if (g_str_has_prefix (name, "alert-"))
    return gst_llavaov_option_error (reader->error, "ask",
        "%s: a question that is asked once raises no alert", name);
  json = value_to_json (value);
  if (json == NULL)
    return gst_llavaov_option_error (reader->error, "ask",
        "%s: a value of type %s means nothing here", name,
        G_VALUE_TYPE_NAME (value));
  return json_object_set_new (reader->own, name, json) == 0 ||
      gst_llavaov_option_error (reader->error, "ask", "%s: no UTF-8", name);
}

/* The question of `questions` that has this name. */
static gboolean
take_named (GstLlavaovAskFields * ask, const GstLlavaovSettings * settings,
    LlavaovError * error)
{
  GPtrArray *questions;
  gboolean found = FALSE;
  guint i;

  if (!gst_llavaov_questions_of (settings, &questions, error))
    return FALSE;
  for (i = 0; questions && i < questions->len; i++) {
    const GstLlavaovQuestion *question = g_ptr_array_index (questions, i);

    if (g_strcmp0 (question->name, ask->name) != 0)
      continue;
    gst_llavaov_settings_clear (&ask->settings);
    gst_llavaov_settings_copy (&question->settings, &ask->settings);
    found = TRUE;
  }
  g_clear_pointer (&questions, g_ptr_array_unref);
  return found || gst_llavaov_option_error (error, "ask",
      "there is no prompt, and questions has none%s%s", ask->name ?
      " of the name " : ": name one of its", ask->name ? ask->name : "");
}

/* What counts where no field says otherwise. */
static gboolean
take_settings (GstLlavaovAskFields * ask, const GstLlavaovSettings * settings,
    gboolean has_prompt, LlavaovError * error)
{
  static const guint never[] = {
    GST_LLAVAOV_PROP_ALERT_ON, GST_LLAVAOV_PROP_QUESTIONS,
    GST_LLAVAOV_PROP_QUESTIONS_FILE,
  };
  static const guint of_prompt[] = {
    GST_LLAVAOV_PROP_PROMPT_FILE, GST_LLAVAOV_PROP_CHOICES,
    GST_LLAVAOV_PROP_CHOICES_HINT, GST_LLAVAOV_PROP_JSON_SCHEMA,
    GST_LLAVAOV_PROP_JSON_SCHEMA_FILE,
  };

  gst_llavaov_settings_copy (settings, &ask->settings);
  if (has_prompt)
    gst_llavaov_settings_reset (&ask->settings, of_prompt,
        G_N_ELEMENTS (of_prompt));
  else if (settings->questions && !take_named (ask, settings, error))
    return FALSE;
  gst_llavaov_settings_reset (&ask->settings, never, G_N_ELEMENTS (never));
  return TRUE;
}

static gboolean
read_fields (Reader * reader, const GstStructure * fields,
    const GstLlavaovSettings * settings)
{
  GstLlavaovAskFields *ask = reader->ask;
  GstLlavaovQuestion question = { 0, };
  json_t *prompt;
  gboolean good;

  if (fields && !gst_structure_foreach (fields, read_field, reader))
    return FALSE;
  prompt = json_object_get (reader->own, "prompt");
  if (prompt && !json_is_string (prompt))
    return gst_llavaov_option_error (reader->error, "ask",
        "prompt: a string is wanted");
  if (!take_settings (ask, settings, prompt != NULL, reader->error))
    return FALSE;
  question.settings = ask->settings;
  good = gst_llavaov_question_set (&question, reader->own, reader->error) &&
      gst_llavaov_question_check (&question, reader->error);
  ask->settings = question.settings;
  return good;
}

gboolean
gst_llavaov_ask_fields_read (const GstStructure * fields,
    const GstLlavaovSettings * settings, GstLlavaovAskFields * ask,
    LlavaovError * error)
{
  Reader reader = { ask, json_object (), error };
  gboolean good;

  memset (ask, 0, sizeof (*ask));
  good = read_fields (&reader, fields, settings);
  json_decref (reader.own);
  if (!good)
    gst_llavaov_ask_fields_clear (ask);
  return good;
}

void
gst_llavaov_ask_fields_clear (GstLlavaovAskFields * ask)
{
  g_free (ask->name);
  gst_llavaov_settings_clear (&ask->settings);
  memset (ask, 0, sizeof (*ask));
}
