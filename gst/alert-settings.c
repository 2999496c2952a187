/* SPDX-License-Identifier: Apache-2.0 */
#include "alert-settings.h"

#include <string.h>

#include "option-error.h"

#define MOST_LABELS 64

/* What the engine takes for white space around a label. */
static gboolean
is_space (gunichar c)
{
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 ||
      g_unichar_isspace (c);
}

/* A label without the white space around it. */
static gchar *
trimmed (const gchar * begin, const gchar * end)
{
  while (begin < end && is_space (g_utf8_get_char (begin)))
    begin = g_utf8_next_char (begin);
  while (begin < end && is_space (g_utf8_get_char (g_utf8_prev_char (end))))
    end = g_utf8_prev_char (end);
  return g_strndup (begin, end - begin);
}

/* Of UTF-8. */
static GPtrArray *
labels_of (const gchar * text)
{
  GPtrArray *labels = g_ptr_array_new_with_free_func (g_free);
  const gchar *end;

  for (;; text = end + 1) {
    end = text + strcspn (text, "|");
    g_ptr_array_add (labels, trimmed (text, end));
    if (*end == '\0')
      return labels;
  }
}

static gboolean
add_label (GstLlavaovAlertRule * rule, const GPtrArray * choices,
    const gchar * label, LlavaovError * error)
{
  guint i;

  if (*label == '\0')
    return gst_llavaov_option_error (error, "alert-on",
        "a label is empty; labels stand between |");
  if (!g_ptr_array_find_with_equal_func ((GPtrArray *) choices, label,
          g_str_equal, &i))
    return gst_llavaov_option_error (error, "alert-on",
        "there is no label \"%s\" in choices; write " "it as it stands there",
        label);
  if (i >= MOST_LABELS)
    return TRUE;                /* so many choices are refused for themselves */
  if (rule->labels & G_GUINT64_CONSTANT (1) << i)
    return gst_llavaov_option_error (error, "alert-on",
        "a label is there twice: \"%s\"", label);
  rule->labels |= G_GUINT64_CONSTANT (1) << i;
  return TRUE;
}

static gboolean
read_labels (const GstLlavaovSettings * settings, GstLlavaovAlertRule * rule,
    LlavaovError * error)
{
  GPtrArray *choices, *labels;
  gboolean good = TRUE;
  guint i;

  if (settings->choices == NULL)
    return gst_llavaov_option_error (error, "alert-on",
        "there are no choices: an alert is about "
        "labels, as in choices=\"yes|no\" alert-on=yes");
  if (!g_utf8_validate (settings->alert_on, -1, NULL))
    return gst_llavaov_option_error (error, "alert-on", "not valid UTF-8");
  if (!g_utf8_validate (settings->choices, -1, NULL))
    return gst_llavaov_option_error (error, "choices", "not valid UTF-8");
  choices = labels_of (settings->choices);
  labels = labels_of (settings->alert_on);
  for (i = 0; good && i < labels->len; i++)
    good = add_label (rule, choices, g_ptr_array_index (labels, i), error);
  if (good && labels->len == choices->len)
    good =
        gst_llavaov_option_error (error, "alert-on",
        "these are all labels of choices, so every " "window would raise it");
  g_ptr_array_unref (labels);
  g_ptr_array_unref (choices);
  return good;
}

gboolean
gst_llavaov_alert_rule (const GstLlavaovSettings * settings,
    GstLlavaovAlertRule * rule, LlavaovError * error)
{
  const gdouble threshold = settings->alert_threshold;
  const gdouble clear = settings->alert_clear_threshold;

  rule->labels = 0;
  if (settings->alert_on == NULL)
    return TRUE;
  if (!read_labels (settings, rule, error))
    return FALSE;
  if (!(threshold > 0 && threshold <= 1))
    return gst_llavaov_option_error (error, "alert-threshold",
        "%g: above 0 and up to 1 is wanted", threshold);
  if (!(clear >= 0 && clear <= threshold))
    return gst_llavaov_option_error (error, "alert-clear-threshold",
        "%g: from 0 to alert-threshold " "(%g) is wanted", clear, threshold);
  if (settings->sampling == GST_LLAVAOV_SAMPLING_CLIP
      && settings->alert_confirm > 1)
    return gst_llavaov_option_error (error, "alert-confirm",
        "%u windows are never reached: "
        "sampling=clip has one answer for each stream",
        settings->alert_confirm);
  rule->threshold = threshold;
  /* A tenth below, which for 0.8 is 0.7 and not a bit more; but never so low that nothing is below it. */
  rule->clear_threshold = clear > 0 ? clear :
      MAX ((threshold * 10 - 1) / 10, threshold / 2);
  rule->confirm = settings->alert_confirm;
  rule->clear = settings->alert_clear;
  rule->cooldown = settings->alert_cooldown;
  return TRUE;
}
