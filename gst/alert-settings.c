/* SPDX-License-Identifier: Apache-2.0 */
#include "alert-settings.h"

#include "option-error.h"

static gboolean
read_labels (const GstLlavaovSettings * settings, GstLlavaovAlertRule * rule,
    LlavaovError * error)
{
  gsize n;

  if (settings->choices == NULL)
    return gst_llavaov_option_error (error, "alert-on",
        "there are no choices: an alert is about "
        "labels, as in choices=\"yes|no\" alert-on=yes");
  error->status = llavaov_choices_select (settings->choices,
      settings->alert_on, "alert-on", &rule->labels, &n, error);
  if (error->status != LLAVAOV_OK)
    return FALSE;
  if (rule->labels == G_MAXUINT64 >> (64 - n))
    return gst_llavaov_option_error (error, "alert-on",
        "these are all labels of choices, so every window would raise it");
  return TRUE;
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
