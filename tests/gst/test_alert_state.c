/* SPDX-License-Identifier: Apache-2.0
 *
 * When alerts are raised and cleared, against the table of docs/alerts.md, which is read here, and against a model that keeps no state
 * but looks back over all windows. */
#include <gst/check/gstcheck.h>

#include "alert-state.h"

#define N_STATES 6
#define N_LEVELS 4
#define MOST 24                 /* windows of a sequence */
#define SEQUENCES 1000000

static const gchar *const states[N_STATES] =
    { "clear", "rising", "raised", "falling", "muted", "fading" };
static const gchar *const levels[N_LEVELS] =
    { "none", "high", "between", "low" };

/* ---- the table ---- */

/* What a row's conditions are about; all of them may hold or not. */
static const gchar *const conditions[] =
    { "confirm reached", "clear reached", "in cooldown" };
#define N_CONDITIONS G_N_ELEMENTS (conditions)

typedef struct
{
  gboolean states[N_STATES], levels[N_LEVELS];
  gint wanted[N_CONDITIONS];    /* 1, 0, or -1: whatever */
  gint next;                    /* -1: the same */
  GstLlavaovAlertNews news;
  guint used;
} Row;

static GArray *table;

static gint
find (const gchar * word, const gchar * const *words, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    if (g_str_equal (word, words[i]))
      return i;
  return -1;
}

static void
read_words (const gchar * cell, const gchar * const *words, guint n,
    gboolean * found)
{
  gchar **parts = g_strsplit (cell, ", ", 0);
  guint i;

  for (i = 0; i < n; i++)
    found[i] = g_str_equal (cell, "any");
  for (i = 0; parts[i] && !g_str_equal (cell, "any"); i++) {
    gint at = find (parts[i], words, n);

    fail_unless (at >= 0, "what is \"%s\"?", parts[i]);
    found[at] = TRUE;
  }
  g_strfreev (parts);
}

static void
read_conditions (const gchar * cell, Row * row)
{
  gchar **parts = g_strsplit (cell, ", ", 0);
  guint i, k;

  for (k = 0; k < N_CONDITIONS; k++)
    row->wanted[k] = -1;
  for (i = 0; parts[i] && *cell; i++) {
    gchar **words = g_strsplit (parts[i], "not ", 2);
    gchar *plain = g_strjoinv ("", words);
    gint at = find (plain, conditions, N_CONDITIONS);

    fail_unless (at >= 0, "what is \"%s\"?", parts[i]);
    row->wanted[at] = words[1] == NULL;
    g_free (plain);
    g_strfreev (words);
  }
  g_strfreev (parts);
}

static void
read_row (gchar ** cells)
{
  static const gchar *const news[] = { "", "raised", "cleared" };
  gint said;
  Row row;

  memset (&row, 0, sizeof (row));
  read_words (cells[1], states, N_STATES, row.states);
  read_words (cells[2], levels, N_LEVELS, row.levels);
  read_conditions (cells[3], &row);
  row.next = find (cells[4], states, N_STATES);
  fail_unless (row.next >= 0 || g_str_equal (cells[4], "the same"), "%s",
      cells[4]);
  said = find (cells[5], news, G_N_ELEMENTS (news));
  fail_unless (said >= 0, "what is \"%s\"?", cells[5]);
  row.news = said;
  g_array_append_val (table, row);
}

static void
read_table (void)
{
  gchar *text, **lines;
  gboolean inside = FALSE;
  guint i, k;

  fail_unless (g_file_get_contents (ALERTS_MD, &text, NULL, NULL));
  table = g_array_new (FALSE, FALSE, sizeof (Row));
  lines = g_strsplit (text, "\n", 0);
  for (i = 0; lines[i]; i++) {
    gchar **cells = g_strsplit (lines[i], "|", 0);

    for (k = 0; cells[k]; k++)
      g_strstrip (cells[k]);
    if (inside && k == 7 && !g_str_has_prefix (cells[1], "---"))
      read_row (cells);
    inside = k == 7 && (inside || (g_str_equal (cells[1], "state") &&
            g_str_equal (cells[2], "window")));
    g_strfreev (cells);
  }
  g_strfreev (lines);
  g_free (text);
  fail_unless (table->len >= 10, "%u rows", table->len);
}

/* The one row that speaks of this. */
static Row *
look_up (guint state, guint level, const gboolean * holds)
{
  Row *found = NULL;
  guint i, k;

  for (i = 0; i < table->len; i++) {
    Row *row = &g_array_index (table, Row, i);
    gboolean fits = row->states[state] && row->levels[level];

    for (k = 0; k < N_CONDITIONS; k++)
      fits = fits && (row->wanted[k] < 0 || row->wanted[k] == holds[k]);
    if (!fits)
      continue;
    fail_unless (found == NULL, "two rows for %s, %s", states[state],
        levels[level]);
    found = row;
  }
  fail_unless (found != NULL, "no row for %s, %s", states[state],
      levels[level]);
  found->used++;
  return found;
}

/* Every state with every window under every condition: the machine does what the one row says, and no row is left over. */
GST_START_TEST (test_every_row)
{
  static const guint64 starts[] = { 0, 99, 100, 109, 110, 1000 };
  guint state, level, confirm, clear, row_length, told, cooldown, s, i;

  read_table ();
  for (state = 0; state < N_STATES; state++) {
    fail_unless_equals_string (gst_llavaov_alert_state_name (state),
        states[state]);
    for (level = 0; level < N_LEVELS; level++)
      for (confirm = 1; confirm <= 3; confirm++)
        for (clear = 1; clear <= 3; clear++)
          for (row_length = 0; row_length < 3; row_length++)
            for (told = 0; told < 2; told++)
              for (cooldown = 0; cooldown <= 10; cooldown += 10)
                for (s = 0; s < G_N_ELEMENTS (starts); s++) {
                  const GstLlavaovAlertRule rule = { 1, 0.5, 0.4, confirm,
                    clear, cooldown
                  };
                  GstLlavaovAlertMachine machine = {.state = state,
                    .in_a_row = row_length,.told = told,.told_at = 100
                  };
                  gboolean holds[] = { row_length + 1 >= confirm,
                    row_length + 1 >= clear,
                    told && starts[s] >= 100 && starts[s] - 100 < cooldown
                  };
                  gboolean half = state == GST_LLAVAOV_ALERT_RISING ||
                      state == GST_LLAVAOV_ALERT_FALLING ||
                      state == GST_LLAVAOV_ALERT_FADING;
                  const Row *row;

                  if (half != (row_length > 0))
                    continue;   /* such a machine there is not */
                  row = look_up (state, level, holds);
                  fail_unless_equals_int (gst_llavaov_alert_take (&machine,
                          &rule, level, starts[s]), row->news);
                  fail_unless_equals_int (machine.state,
                      row->next < 0 ? state : (guint) row->next);
                }
  }
  for (i = 0; i < table->len; i++)
    fail_unless (g_array_index (table, Row, i).used > 0, "row %u says nothing",
        i + 1);
  g_array_unref (table);
}

GST_END_TEST;

/* ---- the model ---- */

typedef struct
{
  gboolean high, low;
  guint64 start;
} Past;

/* All windows since the last reset that counted, and when the alert went on and off. */
typedef struct
{
  Past past[MOST];
  guint n;
  gboolean on;
  guint turned;                 /* the first window that a row may begin with: the one that turned it on, or behind the one that turned it off */
  guint64 told[MOST];           /* starts of the windows that were told as raised */
  guint n_told;
  guint told_on;                /* n_told when it went on */
  guint64 since, until, suppressed;
} Model;

/* How many windows up to the last one are high, or low, in a row. */
static guint
length_of_row (const Model * model, gboolean high)
{
  guint i = model->n;

  while (i > model->turned
      && (high ? model->past[i - 1].high : model->past[i - 1].low))
    i--;
  return model->n - i;
}

static gboolean
was_told_within (const Model * model, guint64 cooldown)
{
  guint64 now = model->past[model->n - 1].start, then;

  if (model->n_told == 0)
    return FALSE;
  then = model->told[model->n_told - 1];
  return now >= then && now - then < cooldown;
}

static GstLlavaovAlertNews
model_take (Model * model, const GstLlavaovAlertRule * rule,
    gdouble probability, guint64 start)
{
  guint row;

  model->past[model->n++] = (Past) {
  probability >= rule->threshold, probability < rule->clear_threshold, start};
  if (!model->on && (row = length_of_row (model, TRUE)) >= rule->confirm) {
    model->on = TRUE;
    model->turned = model->n - 1;
    model->told_on = model->n_told;
    model->since = model->past[model->n - row].start;
  }
  if (model->on && model->told_on == model->n_told &&
      length_of_row (model, TRUE) && !was_told_within (model, rule->cooldown)) {
    model->told[model->n_told++] = start;
    return GST_LLAVAOV_ALERT_SAYS_RAISED;
  }
  if (model->on && (row = length_of_row (model, FALSE)) >= rule->clear) {
    model->on = FALSE;
    model->turned = model->n;
    model->until = model->past[model->n - row].start;
    if (model->told_on == model->n_told)
      model->suppressed++;
    return GST_LLAVAOV_ALERT_SAYS_CLEARED;
  }
  return GST_LLAVAOV_ALERT_SAYS_NOTHING;
}

static const gchar *
model_state (const Model * model)
{
  gboolean told = model->n_told > model->told_on;

  if (!model->on)
    return model->n && length_of_row (model, TRUE) ? "rising" : "clear";
  if (length_of_row (model, FALSE))
    return told ? "falling" : "fading";
  return told ? "raised" : "muted";
}

/* ---- random sequences ---- */

static guint64 seed = 88172645463325252u;

static guint
draw (guint n)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (guint) (seed >> 33) % n;
}

static void
draw_numbers (GstLlavaovAlertRule * rule)
{
  static const gdouble thresholds[][2] =
      { {0.5, 0.4}, {0.5, 0.5}, {1, 0.25}, {0.125, 0.0625} };
  guint i = draw (G_N_ELEMENTS (thresholds));

  rule->threshold = thresholds[i][0];
  rule->clear_threshold = thresholds[i][1];
  rule->confirm = 1 + draw (4);
  rule->clear = 1 + draw (4);
  rule->cooldown = draw (2) * draw (40);
}

static gdouble
draw_probability (const GstLlavaovAlertRule * rule)
{
  switch (draw (7)) {
    case 0:
      return rule->threshold;
    case 1:
      return rule->clear_threshold;
    case 2:
      return (rule->threshold + rule->clear_threshold) / 2;
    case 3:
    case 4:
      return rule->clear_threshold / 2;
    default:
      return (1 + rule->threshold) / 2;
  }
}

/* fail_unless() writes to a pipe each time, which 10 million of them have no time for. */
static void
expect (gboolean holds, guint sequence, guint window, const gchar * what)
{
  if (!holds)
    fail ("sequence %u, window %u: %s", sequence, window, what);
}

GST_START_TEST (test_random_sequences)
{
  guint64 news[3] = { 0, }, seen[N_STATES] = { 0, };
  guint sequence, i, n;

  for (sequence = 0; sequence < SEQUENCES; sequence++) {
    GstLlavaovAlertMachine machine = { 0, };
    GstLlavaovAlertRule rule = {.labels = 1 };
    guint64 start = draw (5);
    Model model;

    memset (&model, 0, sizeof (model));
    draw_numbers (&rule);
    for (i = 0, n = 1 + draw (MOST); i < n; i++) {
      gdouble probability = draw_probability (&rule);
      GstLlavaovAlertNews said, wanted;

      start = draw (50) ? start + draw (4) : draw (5);
      if (draw (20) == 0)
        draw_numbers (&rule);
      if (draw (40) == 0) {
        expect (gst_llavaov_alert_reset (&machine) == (model.on ?
                GST_LLAVAOV_ALERT_SAYS_CLEARED :
                GST_LLAVAOV_ALERT_SAYS_NOTHING), sequence, i, "reset");
        memset (&model, 0, sizeof (model));
      } else if (draw (5) == 0) {
        /* the model never hears of a window that was dropped or failed */
        said = gst_llavaov_alert_take (&machine, &rule,
            GST_LLAVAOV_ALERT_NONE, start);
        expect (said == GST_LLAVAOV_ALERT_SAYS_NOTHING, sequence, i, "none");
      } else {
        said = gst_llavaov_alert_take (&machine, &rule,
            gst_llavaov_alert_level (&rule, probability), start);
        wanted = model_take (&model, &rule, probability, start);
        expect (said == wanted, sequence, i, "message");
        expect (machine.suppressed == model.suppressed, sequence, i,
            "suppressed");
        if (said == GST_LLAVAOV_ALERT_SAYS_RAISED)
          machine.suppressed = model.suppressed = 0;
        if (said == GST_LLAVAOV_ALERT_SAYS_CLEARED)
          expect (machine.until == model.until, sequence, i, "until");
        if (model.on)
          expect (machine.since == model.since, sequence, i, "since");
        news[said]++;
      }
      expect (g_str_equal (states[machine.state], model_state (&model)),
          sequence, i, "state");
      seen[machine.state]++;
    }
  }
  for (i = 0; i < N_STATES; i++)
    fail_unless (seen[i] > SEQUENCES / 100, "%s: %" G_GUINT64_FORMAT,
        states[i], seen[i]);
  g_print ("%u sequences: %" G_GUINT64_FORMAT " raised, %" G_GUINT64_FORMAT
      " cleared\n", SEQUENCES, news[GST_LLAVAOV_ALERT_SAYS_RAISED],
      news[GST_LLAVAOV_ALERT_SAYS_CLEARED]);
}

GST_END_TEST;

static Suite *
alert_state_suite (void)
{
  Suite *s = suite_create ("alert-state");
  TCase *tc = tcase_create ("alert-state");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_every_row);
  tcase_add_test (tc, test_random_sequences);
  return s;
}

GST_CHECK_MAIN (alert_state);
