/* SPDX-License-Identifier: Apache-2.0 */
#include "classification.h"

#ifdef HAVE_GST_ANALYTICS
#define GST_USE_UNSTABLE_API
#include <gst/analytics/analytics.h>

/* Alerts are told from labels by it; there are as many as states. */
#define ALERT "alert:"

typedef struct
{
  GstBuffer *buffer;
  GstAnalyticsRelationMeta *meta;       /* made with the first classification */
  guint *n_labels;
  gboolean complete;
} Attachment;

/* 0: it would be one too many. */
static GQuark
quark_of (Attachment * a, const gchar * label)
{
  GQuark quark = g_quark_try_string (label);

  if (quark == 0 && *a->n_labels < GST_LLAVAOV_MAX_CLASS_LABELS) {
    quark = g_quark_from_string (label);
    ++*a->n_labels;
  }
  return quark;
}

static void
add (Attachment * a, gsize n, gfloat * levels, GQuark * labels)
{
  GstAnalyticsClsMtd mtd;

  if (a->meta == NULL)
    a->meta = gst_buffer_get_analytics_relation_meta (a->buffer);
  if (a->meta == NULL)
    a->meta = gst_buffer_add_analytics_relation_meta (a->buffer);
  if (a->meta)
    gst_analytics_relation_meta_add_cls_mtd (a->meta, n, levels, labels, &mtd);
}

static void
add_choices (Attachment * a, const GstStructure * answer)
{
  const GValue *choices = gst_structure_get_value (answer, "choices");
  const GValue *probabilities =
      gst_structure_get_value (answer, "probabilities");
  GQuark *labels;
  gfloat *levels;
  guint i, n, kept = 0;

  if (choices == NULL || probabilities == NULL)
    return;
  n = MIN (gst_value_array_get_size (choices),
      gst_value_array_get_size (probabilities));
  labels = g_new (GQuark, n);
  levels = g_new (gfloat, n);
  for (i = 0; i < n; i++) {
    labels[kept] = quark_of (a,
        g_value_get_string (gst_value_array_get_value (choices, i)));
    levels[kept] =
        g_value_get_double (gst_value_array_get_value (probabilities, i));
    if (labels[kept])
      kept++;
  }
  a->complete &= kept == n;
  if (kept)
    add (a, kept, levels, labels);
  g_free (levels);
  g_free (labels);
}

static void
add_alert (Attachment * a, const GstStructure * answer)
{
  const gchar *state = gst_structure_get_string (answer, "alert");
  gdouble confidence = 1;
  gfloat level;
  GQuark label;
  gchar *name;

  if (state == NULL)
    return;
  gst_structure_get_double (answer, "alert-confidence", &confidence);
  level = confidence;
  name = g_strconcat (ALERT, state, NULL);
  label = quark_of (a, name);
  g_free (name);
  if (label)
    add (a, 1, &level, &label);
  a->complete &= label != 0;
}

static void
add_answer (Attachment * a, const GstStructure * answer)
{
  add_choices (a, answer);
  add_alert (a, answer);
}

gboolean
gst_llavaov_classification_attach (const GstStructure * answer,
    GstBuffer * buffer, guint * n_labels)
{
  const GValue *answers = gst_structure_get_value (answer, "answers");
  Attachment a = { buffer, NULL, n_labels, TRUE };
  guint i;

  if (answers == NULL)
    add_answer (&a, answer);
  else
    for (i = 0; i < gst_value_array_get_size (answers); i++)
      add_answer (&a,
          gst_value_get_structure (gst_value_array_get_value (answers, i)));
  return a.complete;
}

#else
gboolean
gst_llavaov_classification_attach (const GstStructure * answer,
    GstBuffer * buffer, guint * n_labels)
{
  return TRUE;
}
#endif
