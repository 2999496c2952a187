/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts.h"

void
gst_llavaov_alerts_init (GstLlavaovAlerts * alerts)
{
  g_mutex_init (&alerts->lock);
  g_queue_init (&alerts->owed);
}

static void
forget (GstLlavaovAlerts * alerts)
{
  GstStructure *owed;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (alerts->each); i++) {
    GstLlavaovAlert *alert = &alerts->each[i];

    gst_llavaov_alert_reset (&alert->machine);
    g_clear_pointer (&alert->question, g_free);
    g_clear_pointer (&alert->prompt, g_free);
    g_clear_pointer (&alert->choices, g_free);
    g_clear_pointer (&alert->label, g_free);
    alert->labels = 0;
  }
  g_clear_pointer (&alerts->name, g_free);
  g_clear_pointer (&alerts->last, g_free);
  while ((owed = g_queue_pop_head (&alerts->owed)))
    gst_structure_free (owed);
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
message (const GstLlavaovAlerts * alerts, const GstLlavaovAlert * alert,
    const gchar * state, const gchar * reason, guint64 until)
{
  const GstLlavaovAlertMachine *machine = &alert->machine;
  GstStructure *message = gst_structure_new (GST_LLAVAOV_ALERT_NAME,
      "stream", G_TYPE_STRING, alerts->name,
      "seq", G_TYPE_UINT64, alert->seq, NULL);

  if (alert->question)
    gst_structure_set (message, "question", G_TYPE_STRING, alert->question,
        NULL);
  gst_structure_set (message,
      "prompt", G_TYPE_STRING, alert->prompt,
      "state", G_TYPE_STRING, state,
      "reason", G_TYPE_STRING, reason,
      "label", G_TYPE_STRING, alert->label,
      "confidence", G_TYPE_DOUBLE, alert->confidence,
      "since", G_TYPE_UINT64, machine->since,
      "utc-since", G_TYPE_UINT64, (guint64) alert->utc_since,
      "duration", G_TYPE_UINT64, until - MIN (machine->since, until),
      "suppressed", G_TYPE_UINT64, machine->suppressed, NULL);
  return message;
}

/* The message that this brings, or NULL. */
static GstStructure *
reset (GstLlavaovAlerts * alerts, GstLlavaovAlert * alert, const gchar * reason)
{
  GstStructure *cleared = NULL;

  if (gst_llavaov_alert_is_on (&alert->machine))
    cleared = message (alerts, alert, "cleared", reason, alert->end);
  gst_llavaov_alert_reset (&alert->machine);
  return cleared;
}

void
gst_llavaov_alerts_flush (GstLlavaovAlerts * alerts, guint flushes)
{
  GstStructure *cleared;
  guint i;

  g_mutex_lock (&alerts->lock);
  alerts->flushes = flushes;
  for (i = 0; i < G_N_ELEMENTS (alerts->each); i++) {
    cleared = reset (alerts, &alerts->each[i], "flush");
    if (cleared)
      g_queue_push_tail (&alerts->owed, cleared);
  }
  g_mutex_unlock (&alerts->lock);
}

gboolean
gst_llavaov_alerts_owe (GstLlavaovAlerts * alerts)
{
  gboolean owe;

  g_mutex_lock (&alerts->lock);
  owe = alerts->owed.length > 0;
  g_mutex_unlock (&alerts->lock);
  return owe;
}

GstStructure *
gst_llavaov_alerts_take_owed (GstLlavaovAlerts * alerts)
{
  GstStructure *owed;

  g_mutex_lock (&alerts->lock);
  owed = g_queue_pop_head (&alerts->owed);
  alerts->n_cleared += owed != NULL;
  g_mutex_unlock (&alerts->lock);
  return owed;
}

/* Another question, or other labels, begin anew; other numbers do not. */
static GstStructure *
turn_to (GstLlavaovAlerts * alerts, GstLlavaovAlert * alert,
    const GstLlavaovWindow * window)
{
  const guint64 labels = window->alert.labels;
  const gchar *reason = NULL;
  GstStructure *cleared = NULL;

  if (window->stream != alert->stream)
    reason = "stream-start";
  else if (labels != alert->labels || (labels &&
          (g_strcmp0 (window->prompt, alert->prompt) != 0 ||
              g_strcmp0 (window->labels, alert->choices) != 0 ||
              g_strcmp0 (window->question, alert->question) != 0)))
    reason = "settings";
  if (reason == NULL)
    return NULL;
  cleared = reset (alerts, alert, reason);
  alerts->n_cleared += cleared != NULL;
  alert->stream = window->stream;
  alert->labels = labels;
  g_free (alert->question);
  g_free (alert->prompt);
  g_free (alert->choices);
  alert->question = g_strdup (window->question);
  alert->prompt = g_strdup (window->prompt);
  alert->choices = g_strdup (window->labels);
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
step (GstLlavaovAlerts * alerts, GstLlavaovAlert * alert,
    const GstLlavaovWindow * window, gdouble confidence, const gchar * label)
{
  GstLlavaovAlertMachine *machine = &alert->machine;
  const gboolean was_on = gst_llavaov_alert_is_on (machine);
  const guint64 suppressed = machine->suppressed;
  GstLlavaovAlertNews news;
  GstStructure *raised;

  alert->seq = window->seq;
  alert->confidence = confidence;
  alert->end = window->start + window->length;
  news = gst_llavaov_alert_take (machine, &window->alert,
      gst_llavaov_alert_level (&window->alert, confidence), window->start);
  if (machine->since == window->start)
    alert->utc_since = window->utc_start;
  if (!was_on) {
    g_free (alert->label);
    alert->label = g_strdup (label);
  }
  if (news == GST_LLAVAOV_ALERT_SAYS_NOTHING)
    return NULL;
  if (news == GST_LLAVAOV_ALERT_SAYS_CLEARED) {
    alerts->n_cleared++;
    alerts->n_suppressed += machine->suppressed - suppressed;
    return message (alerts, alert, "cleared", "window", machine->until);
  }
  alerts->n_raised++;
  raised = message (alerts, alert, "raised", "window", alert->end);
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
add_fields (const GstLlavaovAlert * alert, gdouble confidence,
    const GPtrArray * messages, GstStructure * answer)
{
  static const gchar *const copied[][2] = {
    {"state", "alert-event"}, {"reason", "alert-reason"},
    {"label", "alert-label"}, {"duration", "alert-duration"},
    {"suppressed", "alert-suppressed"},
  };
  const GstLlavaovAlertMachine *machine = &alert->machine;
  const GstStructure *latest;
  guint i;

  if (alert->labels)
    gst_structure_set (answer, "alert", G_TYPE_STRING,
        gst_llavaov_alert_state_name (machine->state), "alert-confidence",
        G_TYPE_DOUBLE, confidence, NULL);
  if (gst_llavaov_alert_is_on (machine))
    gst_structure_set (answer, "alert-since", G_TYPE_UINT64, machine->since,
        NULL);
  if (messages == NULL)
    return;
  latest = g_ptr_array_index (messages, messages->len - 1);
  if (g_strcmp0 (gst_structure_get_string (latest, "question"),
          alert->question) != 0)
    return;                     /* of a question that is not asked any more */
  for (i = 0; i < G_N_ELEMENTS (copied); i++)
    gst_structure_set_value (answer, copied[i][1],
        gst_structure_get_value (latest, copied[i][0]));
}

/* Questions that are not asked any more. */
static GPtrArray *
drop_others (GstLlavaovAlerts * alerts, const GstLlavaovWindow * window,
    GPtrArray * messages)
{
  guint i;

  for (i = MAX (window->n_questions, 1); i < G_N_ELEMENTS (alerts->each); i++) {
    GstStructure *cleared = reset (alerts, &alerts->each[i], "settings");

    alerts->n_cleared += cleared != NULL;
    messages = add (messages, cleared);
    alerts->each[i].labels = 0;
  }
  return messages;
}

GPtrArray *
gst_llavaov_alerts_take (GstLlavaovAlerts * alerts,
    const GstLlavaovWindow * window, const gchar * name, GstStructure * answer)
{
  GstLlavaovAlert *alert = &alerts->each[window->question_index];
  GPtrArray *messages = NULL;
  const gchar *label = NULL;
  gboolean valid = FALSE;
  gdouble confidence = 0;

  g_mutex_lock (&alerts->lock);
  if (window->flushes == alerts->flushes) {
    if (window->question_index == 0)
      messages = drop_others (alerts, window, messages);
    messages = add (messages, turn_to (alerts, alert, window));
    g_free (alerts->name);
    alerts->name = g_strdup (name);
    if (alert->labels) {
      confidence = weigh (window, &label);
      gst_structure_get_boolean (window->chosen, "valid", &valid);
      if (valid)
        messages = add (messages, step (alerts, alert, window, confidence,
                label));
    }
    add_fields (alert, confidence, messages, answer);
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
  const gchar *question = gst_structure_get_string (message, "question");
  GString *words = g_string_new (question);

  gst_structure_get (message, "confidence", G_TYPE_DOUBLE, &confidence,
      "duration", G_TYPE_UINT64, &duration, NULL);
  g_string_append_printf (words, "%s%s: %s (", question ? " " : "", state,
      gst_structure_get_string (message, "label"));
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
  GstStructure *states = gst_structure_new_empty ("alerts");
  const gchar *first;
  guint i;

  g_mutex_lock (&alerts->lock);
  first = gst_llavaov_alert_state_name (alerts->each[0].machine.state);
  for (i = 0; i < G_N_ELEMENTS (alerts->each); i++) {
    const GstLlavaovAlert *alert = &alerts->each[i];

    if (alert->question && alert->labels)
      gst_structure_set (states, alert->question, G_TYPE_STRING,
          gst_llavaov_alert_state_name (alert->machine.state), NULL);
  }
  if (gst_structure_n_fields (states))
    gst_structure_set (stats, "alerts", GST_TYPE_STRUCTURE, states, NULL);
  else
    gst_structure_set (stats, "alert", G_TYPE_STRING, first, NULL);
  gst_structure_free (states);
  gst_structure_set (stats,
      "alerts-raised", G_TYPE_UINT64, alerts->n_raised,
      "alerts-cleared", G_TYPE_UINT64, alerts->n_cleared,
      "alerts-suppressed", G_TYPE_UINT64, alerts->n_suppressed, NULL);
  g_mutex_unlock (&alerts->lock);
}
