/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

#include <string.h>

#include <gst/video/video.h>
#ifdef HAVE_GST_ANALYTICS
#define GST_USE_UNSTABLE_API
#include <gst/analytics/analytics.h>
#endif

#include "option-error.h"

/* Classes stand between these, as labels do elsewhere and as DL Streamer writes them. */
#define SEPARATORS "|,"
#define MAX_CLASSES 64

typedef struct
{
  gchar **classes;              /* or NULL: any */
  gdouble min_confidence;
  guint64 found;                /* bit i: class i is there */
  gboolean any;
  GPtrArray *labels;            /* of those that count; not owned */
} Search;

static gchar **
classes_of (const gchar * text)
{
  gchar **classes = g_strsplit_set (text, SEPARATORS, MAX_CLASSES + 1);
  guint i;

  for (i = 0; classes[i]; i++)
    g_strstrip (classes[i]);
  return classes;
}

gboolean
gst_llavaov_classes_are_good (const gchar * text, LlavaovError * error)
{
  gchar **classes;
  gboolean good = TRUE;
  guint i;

  if (text == NULL || *text == '\0')
    return TRUE;
  classes = classes_of (text);
  for (i = 0; good && classes[i]; i++)
    if (*classes[i] == '\0')
      good = gst_llavaov_option_error (error, "trigger-classes",
          "a class is empty; classes stand between |");
  if (good && i > MAX_CLASSES)
    good = gst_llavaov_option_error (error, "trigger-classes",
        "more than %u classes", MAX_CLASSES);
  g_strfreev (classes);
  return good;
}

static void
add (Search * search, const gchar * label, gdouble confidence)
{
  guint i, k;

  /* Not a number is no confidence. */
  if (!(confidence >= search->min_confidence))
    return;
  if (label == NULL)
    label = "";
  for (i = 0; search->classes && search->classes[i]; i++)
    if (g_str_equal (search->classes[i], label))
      break;
  if (search->classes && search->classes[i] == NULL)
    return;
  search->any = TRUE;
  if (search->classes)
    search->found |= G_GUINT64_CONSTANT (1) << MIN (i, 63);
  for (k = 0; k < search->labels->len; k++)
    if (g_str_equal (g_ptr_array_index (search->labels, k), label))
      return;
  g_ptr_array_add (search->labels, (gpointer) label);
}

/* A number in a field of either name, of type double or float. */
static gboolean
get_confidence (const GstStructure * param, gdouble * confidence)
{
  static const gchar *const names[] = { "confidence", "score" };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    const GValue *value = gst_structure_get_value (param, names[i]);

    if (value && G_VALUE_HOLDS_DOUBLE (value)) {
      *confidence = g_value_get_double (value);
      return TRUE;
    }
    if (value && G_VALUE_HOLDS_FLOAT (value)) {
      *confidence = g_value_get_float (value);
      return TRUE;
    }
  }
  return FALSE;
}

/* DL Streamer: the type is the label, the parameter "detection" has the confidence; others are about classifications.
 * onnxobjectdetector: the parameter "extra-data" has both. Where nobody says how sure it is, it is. */
static void
add_region (Search * search, GstVideoRegionOfInterestMeta * region)
{
  const gchar *label = g_quark_to_string (region->roi_type);
  const GstStructure *param =
      gst_video_region_of_interest_meta_get_param (region, "detection");
  gdouble confidence = 1;
  GList *walk;

  if (param == NULL)
    param = gst_video_region_of_interest_meta_get_param (region, "extra-data");
  for (walk = region->params; walk && param == NULL; walk = walk->next)
    if (get_confidence (walk->data, &confidence))
      param = walk->data;
  if (param) {
    get_confidence (param, &confidence);
    if (gst_structure_get_string (param, "label"))
      label = gst_structure_get_string (param, "label");
  }
  add (search, label, confidence);
}

static void
add_regions (Search * search, GstBuffer * buffer)
{
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state,
              GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)))
    add_region (search, (GstVideoRegionOfInterestMeta *) meta);
}

static void
add_analytics (Search * search, GstBuffer * buffer)
{
#ifdef HAVE_GST_ANALYTICS
  GstAnalyticsRelationMeta *meta =
      gst_buffer_get_analytics_relation_meta (buffer);
  GstAnalyticsMtd mtd;
  gpointer state = NULL;

  while (meta && gst_analytics_relation_meta_iterate (meta, &state,
          gst_analytics_od_mtd_get_mtd_type (), &mtd)) {
    gint x, y, w, h;
    gfloat confidence = 1;

    if (gst_analytics_od_mtd_get_location (&mtd, &x, &y, &w, &h, &confidence))
      add (search, g_quark_to_string (gst_analytics_od_mtd_get_obj_type
              (&mtd)), confidence);
  }
#endif
}

static void
set_labels (GValue * labels, const GPtrArray * found)
{
  GValue label = G_VALUE_INIT;
  guint i;

  g_value_init (labels, GST_TYPE_ARRAY);
  g_value_init (&label, G_TYPE_STRING);
  for (i = 0; i < found->len; i++) {
    g_value_set_string (&label, g_ptr_array_index (found, i));
    gst_value_array_append_value (labels, &label);
  }
  g_value_unset (&label);
}

gboolean
gst_llavaov_objects_match (GstBuffer * buffer,
    const GstLlavaovSettings * settings, GValue * labels)
{
  Search search = {
    .min_confidence = settings->trigger_min_confidence,
    .classes = settings->trigger_classes && *settings->trigger_classes ?
        classes_of (settings->trigger_classes) : NULL,
    .labels = g_ptr_array_new (),
  };
  const guint n = search.classes ? MIN (g_strv_length (search.classes),
      MAX_CLASSES) : 0;
  gboolean matches;

  add_regions (&search, buffer);
  add_analytics (&search, buffer);
  matches = search.any;
  if (n && settings->trigger_match == GST_LLAVAOV_MATCH_ALL)
    matches = search.found == G_MAXUINT64 >> (64 - n);
  if (matches && labels)
    set_labels (labels, search.labels);
  g_ptr_array_unref (search.labels);
  g_strfreev (search.classes);
  return matches;
}
