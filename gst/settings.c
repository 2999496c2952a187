/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

static gpointer
member_of (const GstLlavaovSettings * settings, guint id)
{
  return G_STRUCT_MEMBER_P (settings, gst_llavaov_property (id)->offset);
}

void
gst_llavaov_settings_init (GstLlavaovSettings * settings)
{
  guint id;

  memset (settings, 0, sizeof (*settings));
  for (id = 1; id < GST_LLAVAOV_N_PROPS; id++)
    gst_llavaov_settings_reset (settings, &id, 1);
  memset (settings->set, 0, sizeof (settings->set));
}

void
gst_llavaov_settings_clear (GstLlavaovSettings * settings)
{
  guint id;

  for (id = 1; id < GST_LLAVAOV_N_PROPS; id++)
    if (gst_llavaov_property (id)->kind == GST_LLAVAOV_KIND_STRING)
      g_free (*(gchar **) member_of (settings, id));
  memset (settings, 0, sizeof (*settings));
}

void
gst_llavaov_settings_copy (const GstLlavaovSettings * settings,
    GstLlavaovSettings * copy)
{
  guint id;

  *copy = *settings;
  for (id = 1; id < GST_LLAVAOV_N_PROPS; id++)
    if (gst_llavaov_property (id)->kind == GST_LLAVAOV_KIND_STRING)
      *(gchar **) member_of (copy, id) =
          g_strdup (*(gchar **) member_of (settings, id));
}

static void
replace_string (gchar ** where, const gchar * text)
{
  if (g_strcmp0 (*where, text) == 0)
    return;
  g_free (*where);
  *where = g_strdup (text);
}

static gboolean
must_stay (const GstLlavaovSettings * run,
    const GstLlavaovSettings * settings, guint id)
{
  if (id == GST_LLAVAOV_PROP_PROMPT)
    return run->prompt_file != NULL;
  if (id == GST_LLAVAOV_PROP_JSON_SCHEMA)
    return run->json_schema_file != NULL;
  if (id == GST_LLAVAOV_PROP_QUESTIONS)
    return run->questions_file != NULL;
  return id == GST_LLAVAOV_PROP_FRAMES &&
      run->layout == GST_LLAVAOV_LAYOUT_IMAGES &&
      (run->frames == 1) != (settings->frames == 1);
}

void
gst_llavaov_settings_refresh (GstLlavaovSettings * run,
    const GstLlavaovSettings * settings)
{
  guint id;

  if (run->changes == settings->changes)        /* asked at every frame */
    return;
  run->changes = settings->changes;
  for (id = 1; id < GST_LLAVAOV_N_PROPS; id++) {
    if (gst_llavaov_property (id)->until != GST_PARAM_MUTABLE_PLAYING ||
        must_stay (run, settings, id))
      continue;
    if (gst_llavaov_property (id)->kind == GST_LLAVAOV_KIND_STRING)
      replace_string (member_of (run, id),
          *(gchar **) member_of (settings, id));
    else
      memcpy (member_of (run, id), member_of (settings, id),
          gst_llavaov_property (id)->size);
  }
  memcpy (run->set, settings->set, sizeof (run->set));
}

gboolean
gst_llavaov_settings_set (GstLlavaovSettings * settings, guint id,
    const GValue * v)
{
  const GstLlavaovDescriptor *d = gst_llavaov_property (id);
  gpointer member = member_of (settings, id);
  const gchar *text;

  switch (d->kind) {
    case GST_LLAVAOV_KIND_STRING:
      text = g_value_get_string (v);
      replace_string (member, text ? text : d->text);
      break;
    case GST_LLAVAOV_KIND_UINT:
      *(guint *) member = g_value_get_uint (v);
      break;
    case GST_LLAVAOV_KIND_UINT64:
      *(guint64 *) member = g_value_get_uint64 (v);
      break;
    case GST_LLAVAOV_KIND_DOUBLE:
      *(gdouble *) member = g_value_get_double (v);
      break;
    case GST_LLAVAOV_KIND_BOOLEAN:
      *(gboolean *) member = g_value_get_boolean (v);
      break;
    case GST_LLAVAOV_KIND_ENUM:
      *(gint *) member = g_value_get_enum (v);
      break;
    case GST_LLAVAOV_KIND_FLAGS:
      *(guint *) member = g_value_get_flags (v);
      break;
    default:
      return FALSE;
  }
  settings->set[id] = TRUE;
  settings->changes++;
  return TRUE;
}

void
gst_llavaov_settings_reset (GstLlavaovSettings * settings, const guint * ids,
    guint n)
{
  guint i;

  for (i = 0; i < n; i++) {
    GValue usual = G_VALUE_INIT;

    gst_llavaov_property_default (ids[i], &usual);
    gst_llavaov_settings_set (settings, ids[i], &usual);
    g_value_unset (&usual);
  }
}

gboolean
gst_llavaov_settings_get (const GstLlavaovSettings * settings, guint id,
    GValue * v)
{
  gpointer member = member_of (settings, id);

  switch (gst_llavaov_property (id)->kind) {
    case GST_LLAVAOV_KIND_STRING:
      g_value_set_string (v, *(gchar **) member);
      return TRUE;
    case GST_LLAVAOV_KIND_UINT:
      g_value_set_uint (v, *(guint *) member);
      return TRUE;
    case GST_LLAVAOV_KIND_UINT64:
      g_value_set_uint64 (v, *(guint64 *) member);
      return TRUE;
    case GST_LLAVAOV_KIND_DOUBLE:
      g_value_set_double (v, *(gdouble *) member);
      return TRUE;
    case GST_LLAVAOV_KIND_BOOLEAN:
      g_value_set_boolean (v, *(gboolean *) member);
      return TRUE;
    case GST_LLAVAOV_KIND_ENUM:
      g_value_set_enum (v, *(gint *) member);
      return TRUE;
    case GST_LLAVAOV_KIND_FLAGS:
      g_value_set_flags (v, *(guint *) member);
      return TRUE;
    default:
      return FALSE;
  }
}

gboolean
gst_llavaov_settings_differs (const GstLlavaovSettings * settings, guint id)
{
  GValue usual = G_VALUE_INIT, value = G_VALUE_INIT;
  gboolean differs;

  gst_llavaov_property_default (id, &usual);
  g_value_init (&value, G_VALUE_TYPE (&usual));
  gst_llavaov_settings_get (settings, id, &value);
  differs = gst_value_compare (&usual, &value) != GST_VALUE_EQUAL;
  g_value_unset (&value);
  g_value_unset (&usual);
  return differs;
}

LlavaovGeneration
gst_llavaov_settings_generation (const GstLlavaovSettings * settings)
{
  static const struct
  {
    guint id;
    guint setting;
  } own[] = {
    {GST_LLAVAOV_PROP_MAX_NEW_TOKENS, LLAVAOV_SETTING_MAX_NEW_TOKENS},
    {GST_LLAVAOV_PROP_TEMPERATURE, LLAVAOV_SETTING_TEMPERATURE},
    {GST_LLAVAOV_PROP_TOP_K, LLAVAOV_SETTING_TOP_K},
    {GST_LLAVAOV_PROP_TOP_P, LLAVAOV_SETTING_TOP_P},
    {GST_LLAVAOV_PROP_REPETITION_PENALTY, LLAVAOV_SETTING_REPETITION_PENALTY},
  };
  LlavaovGeneration generation = {
    .size = sizeof (LlavaovGeneration),
    .max_new_tokens = settings->max_new_tokens,
    .temperature = settings->temperature,
    .top_k = settings->top_k,
    .top_p = settings->top_p,
    .repetition_penalty = settings->repetition_penalty,
    .seed = settings->seed,
    .without_drafts = !settings->speculate,
  };
  guint i;

  if (settings->generation == GST_LLAVAOV_GENERATION_GREEDY)
    return generation;
  generation.as_checkpoint = LLAVAOV_SETTING_ALL;
  for (i = 0; i < G_N_ELEMENTS (own); i++)
    if (settings->set[own[i].id])
      generation.as_checkpoint &= ~own[i].setting;
  return generation;
}
