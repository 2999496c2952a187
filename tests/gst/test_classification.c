/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers as GstAnalytics classification; where the plugin is built without it, that there is none and nothing else changes. */
#include "support.h"

#ifdef HAVE_GST_ANALYTICS
#define GST_USE_UNSTABLE_API
#include <gst/analytics/analytics.h>
#endif

#include "classification.h"

/* "LABEL LABEL..." of each classification, with levels of two digits, between "; ". */
static gchar *
read_classes (GstBuffer * buffer)
{
  GString *text = g_string_new (NULL);
#ifdef HAVE_GST_ANALYTICS
  GstAnalyticsRelationMeta *meta =
      gst_buffer_get_analytics_relation_meta (buffer);
  GstAnalyticsMtd mtd;
  gpointer state = NULL;

  while (meta && gst_analytics_relation_meta_iterate (meta, &state,
          gst_analytics_cls_mtd_get_mtd_type (), &mtd)) {
    gsize i, n = gst_analytics_cls_mtd_get_length (&mtd);

    for (i = 0; i < n; i++)
      g_string_append_printf (text, "%s%s %.2f", i ? ", " :
          text->len ? "; " : "",
          g_quark_to_string (gst_analytics_cls_mtd_get_quark (&mtd, i)),
          gst_analytics_cls_mtd_get_level (&mtd, i));
  }
#endif
  return g_string_free (text, FALSE);
}

static GstStructure *
answer_of (const gchar * text)
{
  GstStructure *answer = gst_structure_from_string (text, NULL);

  fail_unless (answer != NULL, "%s", text);
  return answer;
}

static const struct
{
  const gchar *answer;
  guint made;                   /* labels before it */
  const gchar *classes;
  gboolean complete;
} rows[] = {
  {"a, text=(string)free", 0, "", TRUE},
  {"a, choices=(string)<c1, c2>, probabilities=(double)<0.75, 0.25>", 0,
      "c1 0.75, c2 0.25", TRUE},
  {"a, choices=(string)<c1, c2>, probabilities=(double)<0.75, 0.25>, "
        "alert=(string)raised, alert-confidence=(double)0.75", 0,
      "c1 0.75, c2 0.25; alert:raised 0.75", TRUE},
  /* Known labels cost nothing. */
  {"a, choices=(string)<c2, c1>, probabilities=(double)<0.5, 0.5>",
      GST_LLAVAOV_MAX_CLASS_LABELS, "c2 0.50, c1 0.50", TRUE},
  {"a, choices=(string)<c1, c3, c4>, probabilities=(double)<0.5, 0.25, 0.25>",
      GST_LLAVAOV_MAX_CLASS_LABELS - 1, "c1 0.50, c3 0.25", FALSE},
  {"a, choices=(string)<c5>, probabilities=(double)<1.0>",
      GST_LLAVAOV_MAX_CLASS_LABELS, "", FALSE},
};

GST_START_TEST (test_answers)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    GstStructure *answer = answer_of (rows[i].answer);
    GstBuffer *buffer = gst_buffer_new ();
    guint n_labels = rows[i].made;
    gboolean complete =
        gst_llavaov_classification_attach (answer, buffer, &n_labels);
    gchar *classes = read_classes (buffer);

#ifdef HAVE_GST_ANALYTICS
    fail_unless_equals_string (classes, rows[i].classes);
    fail_unless_equals_int (complete, rows[i].complete);
    fail_unless (n_labels <= GST_LLAVAOV_MAX_CLASS_LABELS);
#else
    fail_unless (complete && n_labels == rows[i].made);
    fail_unless_equals_string (classes, "");
#endif
    g_free (classes);
    gst_buffer_unref (buffer);
    gst_structure_free (answer);
  }
}

GST_END_TEST;

/* Questions with choices, and their alert, on the frames that leave the element; a detector's classification stays. */
GST_START_TEST (test_on_frames)
{
  Rig *rig = rig_new ("device=fake: frames=1 window=1000000000 meta-mode=once "
      "choices=\"yes|no\" alert-on=yes", FALSE);
  GstMessage *message;
  guint i, n = 0;

  rig_push_many (rig, 0, 11, 0, 100 * MS);
  message = rig_wait_answer (rig);
  gst_message_unref (message);
  rig_push_many (rig, 0, 1, 1200 * MS, 100 * MS);
  for (i = 0; i < 12; i++) {
    GstBuffer *out = gst_harness_pull (rig->h);
    gchar *classes = read_classes (out);

    if (*classes) {
      n++;
      fail_unless (g_str_has_prefix (classes, "yes 0."), "%s", classes);
      fail_unless (strstr (classes, ", no 0.") && strstr (classes,
              "; alert:raised 0."), "%s", classes);
    }
    g_free (classes);
    gst_buffer_unref (out);
  }
#ifdef HAVE_GST_ANALYTICS
  fail_unless_equals_int (n, 1);
#else
  fail_unless_equals_int (n, 0);
#endif
  rig_free (rig);
}

GST_END_TEST;

static Suite *
classification_suite (void)
{
  Suite *suite = suite_create ("classification");
  TCase *tests = tcase_create ("classification");

  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_answers);
  tcase_add_test (tests, test_on_frames);
#ifndef HAVE_GST_ANALYTICS
  g_print ("built without GstAnalytics\n");
#endif
  return suite;
}

GST_CHECK_MAIN (classification);
