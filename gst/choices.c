/* SPDX-License-Identifier: Apache-2.0 */
#include "choices.h"

LlavaovChoices
gst_llavaov_choices_of (const GstLlavaovSettings * settings,
    const gchar * labels)
{
  LlavaovChoices choices = {
    .size = sizeof (LlavaovChoices),
    .labels = labels,
    .variants = settings->choices_variants,
    .hint = settings->choices_hint,
    .temperature = settings->choices_temperature,
    .min_mass = settings->choices_min_mass,
  };

  return choices;
}

gboolean
gst_llavaov_choices_check (const GstLlavaovSettings * settings,
    LlavaovError * error)
{
  LlavaovChoices choices = gst_llavaov_choices_of (settings,
      settings->choices);

  if (settings->choices == NULL)
    return TRUE;
  error->status = llavaov_choices_check (NULL, &choices, error);
  if (error->status != LLAVAOV_OK)
    return FALSE;
  return gst_llavaov_choices_agree (settings, error);
}

static gboolean
contradicted (const gchar * property, LlavaovError * error)
{
  error->status = LLAVAOV_ERROR_ARGUMENT;
  error->about = LLAVAOV_ABOUT_OPTION;
  g_strlcpy (error->subject, property, sizeof (error->subject));
  g_snprintf (error->message, sizeof (error->message),
      "%s is set, and so is choices: nothing is generated with choices, so %s "
      "has no meaning; leave it at its default", property, property);
  return FALSE;
}

gboolean
gst_llavaov_choices_agree (const GstLlavaovSettings * settings,
    LlavaovError * error)
{
  static const guint ids[] = {
    GST_LLAVAOV_PROP_GENERATION,
    GST_LLAVAOV_PROP_MAX_NEW_TOKENS,
    GST_LLAVAOV_PROP_TEMPERATURE,
    GST_LLAVAOV_PROP_TOP_K,
    GST_LLAVAOV_PROP_TOP_P,
    GST_LLAVAOV_PROP_REPETITION_PENALTY,
    GST_LLAVAOV_PROP_SEED,
    GST_LLAVAOV_PROP_JSON_SCHEMA_FILE,
    GST_LLAVAOV_PROP_JSON_SCHEMA,
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (ids); i++)
    if (gst_llavaov_settings_differs (settings, ids[i]))
      return contradicted (gst_llavaov_property (ids[i])->name, error);
  return TRUE;
}

static void
take_array (GstStructure * structure, const gchar * field, GType type,
    const LlavaovChosen * chosen, const double *numbers)
{
  GValue array = G_VALUE_INIT, value = G_VALUE_INIT;
  gsize i;

  g_value_init (&array, GST_TYPE_ARRAY);
  g_value_init (&value, type);
  for (i = 0; i < chosen->n; i++) {
    if (numbers)
      g_value_set_double (&value, numbers[i]);
    else
      g_value_set_string (&value, chosen->labels[i]);
    gst_value_array_append_value (&array, &value);
  }
  g_value_unset (&value);
  gst_structure_take_value (structure, field, &array);
}

GstStructure *
gst_llavaov_chosen_to_structure (const LlavaovChosen * chosen)
{
  GstStructure *structure = gst_structure_new ("chosen",
      "confidence", G_TYPE_DOUBLE, chosen->confidence,
      "label-mass", G_TYPE_DOUBLE, chosen->label_mass,
      "valid", G_TYPE_BOOLEAN, (gboolean) chosen->valid,
      "argmax-is-label", G_TYPE_BOOLEAN, (gboolean) chosen->argmax_is_label,
      "wanted", G_TYPE_STRING, chosen->wanted, NULL);

  take_array (structure, "choices", G_TYPE_STRING, chosen, NULL);
  take_array (structure, "probabilities", G_TYPE_DOUBLE, chosen,
      chosen->probabilities);
  take_array (structure, "choice-logprobs", G_TYPE_DOUBLE, chosen,
      chosen->logprobs);
  return structure;
}
