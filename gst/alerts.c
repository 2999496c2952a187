/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts.h"

void
gst_llavaov_alerts_init (GstLlavaovAlerts * alerts)
{
  g_mutex_init (&alerts->lock);
}

static void
forget (GstLlavaovAlerts * alerts)
{
  gst_llavaov_alert_reset (&alerts->machine);
  g_clear_pointer (&alerts->prompt, g_free);
  g_clear_pointer (&alerts->choices, g_free);
  g_clear_pointer (&alerts->name, g_free);
  g_clear_pointer (&alerts->label, g_free);
  g_clear_pointer (&alerts->last, g_free);
  gst_clear_structure (&alerts->owed);
  alerts->labels = 0;
  alerts->n_raised = alerts->n_cleared = alerts->n_suppressed = 0;
}

void
gst_llavaov_alerts_clear (GstLlavaovAlerts * alerts)
{
  forget (alerts);
  g_mutex_clear (&alerts->lock);
}

void
gst_llavaov_alerts_start (GstLlavaovAlerts * alerts)
{
  g_mutex_lock (&alerts->lock);
  forget (alerts);
  g_mutex_unlock (&alerts->lock);
}

/* until: when the alert ended, or where it has got to. With the lock, as all that follow. */
static GstStructure *
message (const GstLlavaovAlerts * alerts, const gchar * state,
    const gchar * reason, guint64 until)
{
  const GstLlavaovAlertMachine *machine = &alerts->machine;

  return gst_structure_new (GST_LLAVAOV_ALERT_NAME,
      "stream", G_TYPE_STRING, alerts->name,
      "seq", G_TYPE_UINT64, alerts->seq,
      "prompt", G_TYPE_STRING, alerts->prompt,
      "state", G_TYPE_STRING, state,
      "reason", G_TYPE_STRING, reason,
      "label", G_TYPE_STRING, alerts->label,
      "confidence", G_TYPE_DOUBLE, alerts->confidence,
      "since", G_TYPE_UINT64, machine->since,
      "utc-since", G_TYPE_UINT64, (guint64) alerts->utc_since,
      "duration", G_TYPE_UINT64, until - MIN (machine->since, until),
      "suppressed", G_TYPE_UINT64, machine->suppressed, NULL);
}

/* The message that this brings, or NULL. */
static GstStructure *
reset (GstLlavaovAlerts * alerts, const gchar * reason)
{
  GstStructure *cleared = NULL;

  if (gst_llavaov_alert_is_on (&alerts->machine))
    cleared = message (alerts, "cleared", reason, alerts->end);
  gst_llavaov_alert_reset (&alerts->machine);
  return cleared;
}

void
gst_llavaov_alerts_flush (GstLlavaovAlerts * alerts, guint flushes)
{
  GstStructure *cleared;

  g_mutex_lock (&alerts->lock);
  alerts->flushes = flushes;
  cleared = reset (alerts, "flush");
  if (cleared) {
    gst_clear_structure (&alerts->owed);
    alerts->owed = cleared;
  }
  g_mutex_unlock (&alerts->lock);
}

gboolean
gst_llavaov_alerts_owe (GstLlavaovAlerts * alerts)
{
  gboolean owe;

  g_mutex_lock (&alerts->lock);
  owe = alerts->owed != NULL;
  g_mutex_unlock (&alerts->lock);
  return owe;
}

GstStructure *
gst_llavaov_alerts_take_owed (GstLlavaovAlerts * alerts)
{
  GstStructure *owed;

  g_mutex_lock (&alerts->lock);
  owed = g_steal_pointer (&alerts->owed);
  alerts->n_cleared += owed != NULL;
  g_mutex_unlock (&alerts->lock);
  return owed;
}

/* Another question, or other labels, begin anew; other numbers do not. */
static GstStructure *
turn_to (GstLlavaovAlerts * alerts, const GstLlavaovWindow * window)
{
  const guint64 labels = window->alert.labels;
  const gchar *reason = NULL;
  GstStructure *cleared = NULL;

  if (window->stream != alerts->stream)
    reason = "stream-start";
  else if (labels != alerts->labels || (labels &&
          (g_strcmp0 (window->prompt, alerts->prompt) != 0 ||
              g_strcmp0 (window->labels, alerts->choices) != 0)))
    reason = "settings";
  if (reason == NULL)
    return NULL;
  cleared = reset (alerts, reason);
  alerts->n_cleared += cleared != NULL;
  alerts->stream = window->stream;
  alerts->labels = labels;
  g_free (alerts->prompt);
  g_free (alerts->choices);
  alerts->prompt = g_strdup (window->prompt);
  alerts->choices = g_strdup (window->labels);
  return cleared;
}

/* How probable the alert's labels are together, and the likeliest of them. */
static gdouble
weigh (const GstLlavaovWindow * window, const gchar ** label)
{
  const GValue *labels = gst_structure_get_value (window->chosen, "choices");
  const GValue *probabilities = gst_structure_get_value (window->chosen,
      "probabilities");
  gdouble sum = 0, most = -1;
  guint i;

  for (i = 0; i < gst_value_array_get_size (labels) && i < 64; i++) {
    gdouble probability =
        g_value_get_double (gst_value_array_get_value (probabilities, i));

    if (!(window->alert.labels & G_GUINT64_CONSTANT (1) << i))
      continue;
    sum += probability;
    if (probability > most) {
      most = probability;
      *label = g_value_get_string (gst_value_array_get_value (labels, i));
    }
  }
  return MIN (sum, 1);
}

/* The message of a window that counts, or NULL. */
static GstStructure *
step (GstLlavaovAlerts * alerts, const GstLlavaovWindow * window,
    gdouble confidence, const gchar * label)
{
  GstLlavaovAlertMachine *machine = &alerts->machine;
  const gboolean was_on = gst_llavaov_alert_is_on (machine);
  const guint64 suppressed = machine->suppressed;
  GstLlavaovAlertNews news;
  GstStructure *raised;

  alerts->seq = window->seq;
  alerts->confidence = confidence;
  alerts->end = window->start + window->length;
  news = gst_llavaov_alert_take (machine, &window->alert,
      gst_llavaov_alert_level (&window->alert, confidence), window->start);
  if (machine->since == window->start)
    alerts->utc_since = window->utc_start;
  if (!was_on) {
    g_free (alerts->label);
    alerts->label = g_strdup (label);
  }
  if (news == GST_LLAVAOV_ALERT_SAYS_NOTHING)
    return NULL;
  if (news == GST_LLAVAOV_ALERT_SAYS_CLEARED) {
    alerts->n_cleared++;
    alerts->n_suppressed += machine->suppressed - suppressed;
    return message (alerts, "cleared", "window", machine->until);
  }
  alerts->n_raised++;
  raised = message (alerts, "raised", "window", alerts->end);
  machine->suppressed = 0;
  return raised;
}

static GPtrArray *
add (GPtrArray * messages, GstStructure * message)
{
  if (message == NULL)
    return messages;
  if (messages == NULL)
    messages = g_ptr_array_new_with_free_func ((GDestroyNotify)
        gst_structure_free);
  g_ptr_array_add (messages, message);
  return messages;
}

/* What the latest message says goes into the answer as well, but for what the answer has already. */
static void
add_fields (const GstLlavaovAlerts * alerts, gdouble confidence,
    const GPtrArray * messages, GstStructure * answer)
{
  static const gchar *const copied[][2] = {
    {"state", "alert-event"}, {"reason", "alert-reason"},
    {"label", "alert-label"}, {"duration", "alert-duration"},
    {"suppressed", "alert-suppressed"},
  };
  const GstLlavaovAlertMachine *machine = &alerts->machine;
  const GstStructure *latest;
  guint i;

  if (alerts->labels)
    gst_structure_set (answer, "alert", G_TYPE_STRING,
        gst_llavaov_alert_state_name (machine->state), "alert-confidence",
        G_TYPE_DOUBLE, confidence, NULL);
  if (gst_llavaov_alert_is_on (machine))
    gst_structure_set (answer, "alert-since", G_TYPE_UINT64, machine->since,
        NULL);
  if (messages == NULL)
    return;
  latest = g_ptr_array_index (messages, messages->len - 1);
  for (i = 0; i < G_N_ELEMENTS (copied); i++)
    gst_structure_set_value (answer, copied[i][1],
        gst_structure_get_value (latest, copied[i][0]));
}

GPtrArray *
gst_llavaov_alerts_take (GstLlavaovAlerts * alerts,
    const GstLlavaovWindow * window, const gchar * name, GstStructure * answer)
{
  GPtrArray *messages = NULL;
  const gchar *label = NULL;
  gboolean valid = FALSE;
  gdouble confidence = 0;

  g_mutex_lock (&alerts->lock);
  if (window->flushes == alerts->flushes) {
    messages = add (NULL, turn_to (alerts, window));
    g_free (alerts->name);
    alerts->name = g_strdup (name);
    if (alerts->labels) {
      confidence = weigh (window, &label);
      gst_structure_get_boolean (window->chosen, "valid", &valid);
      if (valid)
        messages = add (messages, step (alerts, window, confidence, label));
    }
    add_fields (alerts, confidence, messages, answer);
  }
  g_mutex_unlock (&alerts->lock);
  return messages;
}

/* In every locale with a point. */
static void
append_number (GString * words, const gchar * format, gdouble number)
{
  gchar text[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append (words, g_ascii_formatd (text, sizeof (text), format,
          number));
}

/* "raised: yes (0.98)", "cleared: yes (0.02) after 12.5 s" */
void
gst_llavaov_alerts_set_last (GstLlavaovAlerts * alerts,
    const GstStructure * message)
{
  const gchar *state = gst_structure_get_string (message, "state");
  const gchar *reason = gst_structure_get_string (message, "reason");
  gdouble confidence = 0;
  guint64 duration = 0;
  GString *words = g_string_new (state);

  gst_structure_get (message, "confidence", G_TYPE_DOUBLE, &confidence,
      "duration", G_TYPE_UINT64, &duration, NULL);
  g_string_append_printf (words, ": %s (", gst_structure_get_string (message,
          "label"));
  append_number (words, "%.2f", confidence);
  g_string_append_c (words, ')');
  if (g_str_equal (state, "cleared")) {
    g_string_append (words, " after ");
    append_number (words, "%.1f", duration / 1e9);
    g_string_append (words, " s");
  }
  if (!g_str_equal (reason, "window"))
    g_string_append_printf (words, ", by %s", reason);
  g_mutex_lock (&alerts->lock);
  g_free (alerts->last);
  alerts->last = g_string_free (words, FALSE);
  g_mutex_unlock (&alerts->lock);
}

gchar *
gst_llavaov_alerts_last (GstLlavaovAlerts * alerts)
{
  gchar *last;

  g_mutex_lock (&alerts->lock);
  last = g_strdup (alerts->last);
  g_mutex_unlock (&alerts->lock);
  return last;
}

void
gst_llavaov_alerts_add_stats (GstLlavaovAlerts * alerts, GstStructure * stats)
{
  g_mutex_lock (&alerts->lock);
  gst_structure_set (stats, "alert", G_TYPE_STRING,
      gst_llavaov_alert_state_name (alerts->machine.state),
      "alerts-raised", G_TYPE_UINT64, alerts->n_raised,
      "alerts-cleared", G_TYPE_UINT64, alerts->n_cleared,
      "alerts-suppressed", G_TYPE_UINT64, alerts->n_suppressed, NULL);
  g_mutex_unlock (&alerts->lock);
}
