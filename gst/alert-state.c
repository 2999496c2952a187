/* SPDX-License-Identifier: Apache-2.0 */
#include "alert-state.h"

GstLlavaovAlertLevel
gst_llavaov_alert_level (const GstLlavaovAlertRule * rule, gdouble probability)
{
  if (probability >= rule->threshold)
    return GST_LLAVAOV_ALERT_HIGH;
  return probability < rule->clear_threshold ? GST_LLAVAOV_ALERT_LOW :
      GST_LLAVAOV_ALERT_BETWEEN;
}

gboolean
gst_llavaov_alert_is_on (const GstLlavaovAlertMachine * machine)
{
  return machine->state != GST_LLAVAOV_ALERT_CLEAR &&
      machine->state != GST_LLAVAOV_ALERT_RISING;
}

static gboolean
is_muted (const GstLlavaovAlertMachine * machine)
{
  return machine->state == GST_LLAVAOV_ALERT_MUTED ||
      machine->state == GST_LLAVAOV_ALERT_FADING;
}

/* Where times have gone back nobody knows how long ago it was, so it is long enough. */
static gboolean
is_cooling (const GstLlavaovAlertMachine * machine, guint64 cooldown,
    guint64 start)
{
  return machine->told && start >= machine->told_at &&
      start - machine->told_at < cooldown;
}

static GstLlavaovAlertNews
take_high (GstLlavaovAlertMachine * machine, const GstLlavaovAlertRule * rule,
    guint64 start)
{
  if (machine->state == GST_LLAVAOV_ALERT_CLEAR) {
    machine->since = start;
    machine->in_a_row = 0;
  }
  if (!gst_llavaov_alert_is_on (machine) && ++machine->in_a_row < rule->confirm) {
    machine->state = GST_LLAVAOV_ALERT_RISING;
    return GST_LLAVAOV_ALERT_SAYS_NOTHING;
  }
  machine->in_a_row = 0;
  if (gst_llavaov_alert_is_on (machine) && !is_muted (machine)) {
    machine->state = GST_LLAVAOV_ALERT_RAISED;
    return GST_LLAVAOV_ALERT_SAYS_NOTHING;
  }
  if (is_cooling (machine, rule->cooldown, start)) {
    machine->state = GST_LLAVAOV_ALERT_MUTED;
    return GST_LLAVAOV_ALERT_SAYS_NOTHING;
  }
  machine->state = GST_LLAVAOV_ALERT_RAISED;
  machine->told = TRUE;
  machine->told_at = start;
  return GST_LLAVAOV_ALERT_SAYS_RAISED;
}

static void
take_between (GstLlavaovAlertMachine * machine)
{
  machine->in_a_row = 0;
  if (!gst_llavaov_alert_is_on (machine))
    machine->state = GST_LLAVAOV_ALERT_CLEAR;
  else
    machine->state = is_muted (machine) ? GST_LLAVAOV_ALERT_MUTED :
        GST_LLAVAOV_ALERT_RAISED;
}

static GstLlavaovAlertNews
take_low (GstLlavaovAlertMachine * machine, const GstLlavaovAlertRule * rule,
    guint64 start)
{
  gboolean muted = is_muted (machine);

  if (!gst_llavaov_alert_is_on (machine)) {
    take_between (machine);
    return GST_LLAVAOV_ALERT_SAYS_NOTHING;
  }
  if (machine->in_a_row == 0)
    machine->until = start;
  if (++machine->in_a_row < rule->clear) {
    machine->state = muted ? GST_LLAVAOV_ALERT_FADING :
        GST_LLAVAOV_ALERT_FALLING;
    return GST_LLAVAOV_ALERT_SAYS_NOTHING;
  }
  machine->in_a_row = 0;
  machine->state = GST_LLAVAOV_ALERT_CLEAR;
  machine->suppressed += muted;
  return GST_LLAVAOV_ALERT_SAYS_CLEARED;
}

GstLlavaovAlertNews
gst_llavaov_alert_take (GstLlavaovAlertMachine * machine,
    const GstLlavaovAlertRule * rule, GstLlavaovAlertLevel level, guint64 start)
{
  switch (level) {
    case GST_LLAVAOV_ALERT_HIGH:
      return take_high (machine, rule, start);
    case GST_LLAVAOV_ALERT_BETWEEN:
      take_between (machine);
      break;
    case GST_LLAVAOV_ALERT_LOW:
      return take_low (machine, rule, start);
    case GST_LLAVAOV_ALERT_NONE:
      break;
  }
  return GST_LLAVAOV_ALERT_SAYS_NOTHING;
}

GstLlavaovAlertNews
gst_llavaov_alert_reset (GstLlavaovAlertMachine * machine)
{
  gboolean on = gst_llavaov_alert_is_on (machine);

  *machine = (GstLlavaovAlertMachine) {
  0,};
  return on ? GST_LLAVAOV_ALERT_SAYS_CLEARED : GST_LLAVAOV_ALERT_SAYS_NOTHING;
}

const gchar *
gst_llavaov_alert_state_name (GstLlavaovAlertState state)
{
  static const gchar *const names[] = {
    "clear", "rising", "raised", "falling", "muted", "fading"
  };

  return names[state];
}
