/* SPDX-License-Identifier: Apache-2.0
 *
 * trigger=objects: what detectors attach, and the windows that come of it.
 *
 * Objects are "LABEL:CONFIDENCE/WAY", between blanks. Ways: dl (DL Streamer: the label is the region's type, the confidence in the
 * parameter "detection"), class (the same, and a classification beside it), onnx (gst-plugins-bad's onnxobjectdetector of 1.22), other
 * (a parameter of another name, in single precision), none (a region alone), od (GstAnalytics, where it is built in). */
#include "support.h"

#include <gst/video/video.h>
#ifdef HAVE_GST_ANALYTICS
#define GST_USE_UNSTABLE_API
#include <gst/analytics/analytics.h>
#endif

#include "objects.h"

static void
attach_region (GstBuffer * buffer, const gchar * label, gdouble confidence,
    const gchar * way)
{
  const gboolean onnx = g_str_equal (way, "onnx");
  GstVideoRegionOfInterestMeta *region =
      gst_buffer_add_video_region_of_interest_meta (buffer,
      onnx ? "onnx-object_detector" : label, 1, 2, 3, 4);
  GstStructure *param = NULL;

  if (g_str_equal (way, "class"))
    gst_video_region_of_interest_meta_add_param (region,
        gst_structure_new ("colour", "label", G_TYPE_STRING, "red",
            "confidence", G_TYPE_DOUBLE, 0.99, NULL));
  if (g_str_equal (way, "dl") || g_str_equal (way, "class"))
    param = gst_structure_new ("detection", "label_id", G_TYPE_INT, 1,
        "confidence", G_TYPE_DOUBLE, confidence, NULL);
  else if (onnx)
    param = gst_structure_new ("extra-data", "label", G_TYPE_STRING, label,
        "score", G_TYPE_DOUBLE, confidence, NULL);
  else if (g_str_equal (way, "other"))
    param = gst_structure_new ("mine", "confidence", G_TYPE_FLOAT, confidence,
        NULL);
  if (param)
    gst_video_region_of_interest_meta_add_param (region, param);
}

/* FALSE: not built in. */
static gboolean
attach (GstBuffer * buffer, const gchar * object)
{
  gchar **parts = g_strsplit_set (object, ":/", 3);
  gdouble confidence = g_ascii_strtod (parts[1], NULL);
  gboolean known = TRUE;

  if (!g_str_equal (parts[2], "od")) {
    attach_region (buffer, parts[0], confidence, parts[2]);
  } else {
#ifdef HAVE_GST_ANALYTICS
    GstAnalyticsRelationMeta *meta =
        gst_buffer_get_analytics_relation_meta (buffer);
    GstAnalyticsODMtd od;

    if (meta == NULL)
      meta = gst_buffer_add_analytics_relation_meta (buffer);
    fail_unless (gst_analytics_relation_meta_add_od_mtd (meta,
            g_quark_from_string (parts[0]), 1, 2, 3, 4, confidence, &od));
#else
    known = FALSE;
#endif
  }
  g_strfreev (parts);
  return known;
}

/* FALSE: one of them is not built in. */
static gboolean
attach_all (GstBuffer * buffer, const gchar * text)
{
  gchar **objects = g_strsplit (text, " ", 0);
  gboolean known = TRUE;
  guint i;

  for (i = 0; objects[i]; i++)
    if (*objects[i])
      known &= attach (buffer, objects[i]);
  g_strfreev (objects);
  return known;
}

static gchar *
join (const GValue * labels)
{
  GString *text = g_string_new (NULL);
  guint i;

  for (i = 0; i < gst_value_array_get_size (labels); i++)
    g_string_append_printf (text, "%s%s", i ? " " : "",
        g_value_get_string (gst_value_array_get_value (labels, i)));
  return g_string_free (text, FALSE);
}

GST_START_TEST (test_matches)
{
  static const struct
  {
    const gchar *objects, *classes;
    GstLlavaovMatch match;
    gdouble least;
    const gchar *labels;        /* NULL: it does not trigger */
  } table[] = {
    {"", NULL, 0, 0, NULL},
    {"", "person", GST_LLAVAOV_MATCH_ALL, 0, NULL},
    /* each way of attaching */
    {"person:0.9/dl", "person", 0, 0.5, "person"},
    {"person:0.9/onnx", "person", 0, 0.5, "person"},
    {"person:0.9/other", "person", 0, 0.5, "person"},
    {"person:0/none", "person", 0, 1, "person"},
    {"person:0.9/od", "person", 0, 0.5, "person"},
    {"person:0.9/class", "person", 0, 0.5, "person"},
    {"person:0.9/class", "red", 0, 0.5, NULL},
    /* confidence: at least */
    {"person:0.5/dl", "person", 0, 0.5, "person"},
    {"person:0.49/dl", "person", 0, 0.5, NULL},
    {"person:0.49/onnx", "person", 0, 0.5, NULL},
    {"person:0.25/other", "person", 0, 0.5, NULL},
    {"person:0.25/od", "person", 0, 0.5, NULL},
    {"person:0.25/od", "person", 0, 0.25, "person"},
    {"person:0.3/class", "person", 0, 0.5, NULL},
    {"person:nan/dl", "person", 0, 0, NULL},
    {"person:0/dl", "person", 0, 0, "person"},
    {"person:0.2/dl person:0.8/dl", "person", 0, 0.5, "person"},
    /* classes */
    {"cat:0.9/dl", NULL, 0, 0.5, "cat"},
    {"cat:0.9/dl", "person", 0, 0.5, NULL},
    {"cat:0.9/dl", "person|cat", 0, 0.5, "cat"},
    {"cat:0.9/dl", " person , cat ", 0, 0.5, "cat"},
    {"Cat:0.9/dl", "cat", 0, 0.5, NULL},
    {"cat:0.9/dl cat:0.8/od dog:0.9/onnx", NULL, 0, 0.5, "cat dog"},
    {"cat:0.9/dl person:0.9/od", "person", 0, 0.5, "person"},
    {":0.9/dl", NULL, 0, 0.5, ""},
    /* all */
    {"cat:0.9/dl", "person|cat", GST_LLAVAOV_MATCH_ALL, 0.5, NULL},
    {"cat:0.9/dl person:0.9/onnx", "person|cat", GST_LLAVAOV_MATCH_ALL, 0.5,
        "cat person"},
    {"cat:0.9/dl person:0.4/dl", "person|cat", GST_LLAVAOV_MATCH_ALL, 0.5,
        NULL},
    {"cat:0.9/dl cat:0.9/dl", "person|cat", GST_LLAVAOV_MATCH_ALL, 0.5, NULL},
    {"cat:0.9/dl dog:0.9/dl person:0.9/od", "person|cat",
        GST_LLAVAOV_MATCH_ALL, 0.5, "cat person"},
    {"cat:0.9/dl", NULL, GST_LLAVAOV_MATCH_ALL, 0.5, "cat"},
  };
  guint i, skipped = 0;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    GstBuffer *buffer = gst_buffer_new ();
    GstLlavaovSettings settings = {
      .trigger_classes = (gchar *) table[i].classes,
      .trigger_match = table[i].match,
      .trigger_min_confidence = table[i].least
    };
    GValue labels = G_VALUE_INIT;
    gchar *text = NULL;

    if (!attach_all (buffer, table[i].objects)) {
      skipped++;
    } else {
      if (gst_llavaov_objects_match (buffer, &settings, &labels)) {
        text = join (&labels);
        g_value_unset (&labels);
      }
      fail_unless (g_strcmp0 (text, table[i].labels) == 0,
          "\"%s\" for \"%s\": %s", table[i].objects, table[i].classes, text);
      fail_unless_equals_int (gst_llavaov_objects_match (buffer, &settings,
              NULL), table[i].labels != NULL);
    }
    g_free (text);
    gst_buffer_unref (buffer);
  }
  if (skipped)
    g_print ("without GstAnalytics: %u rows not tried\n", skipped);
}

GST_END_TEST;

/* Frames every 100 ms, windows of a second with two frames; `script`: N frames without objects, or N=OBJECTS. */
GST_START_TEST (test_windows)
{
  static const struct
  {
    const gchar *properties, *script, *said;
  } table[] = {
    {"", "20 1=person:0.9/dl 30", "22 27 person@20"},
    {"trigger-classes=cat", "20 1=person:0.9/dl 30", ""},
    {"trigger-min-confidence=0.95", "20 1=person:0.9/dl 30", ""},
    {"trigger=periodic", "1=person:0.9/dl 9", "2 7 (null)"},
    /* what stays: one window after another */
    {"", "20 25=person:0.9/dl 20",
        "22 27 person@20, 32 37 person@20, 42 47 person@20"},
    {"lookback=500000000", "20 25=person:0.9/dl 20",
        "15 20 person@20, 20 25 person@20, 30 35 person@20, "
          "40 45 person@20"},
    {"min-interval=2000000000", "20 25=person:0.9/dl 20",
        "22 27 person@20, 42 47 person@20"},
    {"max-interval=2000000000", "25 1=person:0.9/dl 22",
        "22 27 (null)@20, 42 47 (null)@40"},
    {"max-interval=3000000000", "20 1=person:0.9/dl 45",
        "22 27 person@20, 52 57 (null)@50"},
    /* a detector that looks at every fifth frame; one that has lost sight for longer */
    {"", "20 1=person:0.9/dl 4 1=person:0.9/dl 4 1=person:0.9/dl 20",
        "22 27 person@20, 32 37 person@20"},
    {"", "20 1=person:0.9/dl 14 1=person:0.9/dl 20",
        "22 27 person@20, 37 42 person@35"},
    {"trigger=objects+event trigger-classes=\"person|cat\" trigger-match=all",
          "20 5=person:0.9/dl 1=person:0.9/dl+cat:0.7/onnx 30",
        "27 32 person cat@25"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *properties = g_strconcat ("device=fake: prompt=\"\" frames=2 "
        "window=1000000000 trigger=objects ", table[i].properties, NULL);
    Rig *rig = rig_new (properties, FALSE);
    gchar **words = g_strsplit (table[i].script, " ", 0);
    GString *said = g_string_new (NULL);
    GstMessage *message;
    guint k, n = 0;

    for (k = 0; words[k]; k++) {
      guint count = (guint) g_ascii_strtoull (words[k], NULL, 10);
      gchar *objects = strchr (words[k], '=');

      if (objects)
        g_strdelimit (objects, "=+", ' ');
      for (; count; count--, n++) {
        GstBuffer *buffer = rig_buffer (n, n * 100 * MS, 100 * MS);

        if (objects)
          attach_all (buffer, objects);
        gst_harness_push (rig->h, buffer);
      }
    }
    gst_harness_push_event (rig->h, gst_event_new_eos ());
    while ((message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 0))) {
      const GstStructure *answer = gst_message_get_structure (message);
      const GValue *labels = gst_structure_get_value (answer, "objects");
      gchar *text = labels ? join (labels) : g_strdup ("(null)");
      guint64 time;

      g_string_append_printf (said, "%s%s %s", said->len ? ", " : "",
          gst_structure_get_string (answer, "text") + 1, text);
      if (gst_structure_get_uint64 (answer, "trigger-time", &time))
        g_string_append_printf (said, "@%u", (guint) (time / (100 * MS)));
      g_free (text);
      gst_message_unref (message);
    }
    fail_unless (g_str_equal (said->str, table[i].said),
        "%s: %s\n  said   %s\n  wanted %s", table[i].properties,
        table[i].script, said->str, table[i].said);
    g_string_free (said, TRUE);
    g_strfreev (words);
    rig_free (rig);
    g_free (properties);
  }
}

GST_END_TEST;

GST_START_TEST (test_classes_that_are_none)
{
  static const gchar *const bad[] = { "a||b", "a|", " , " };
  LlavaovError error = { 0, };
  GString *many = g_string_new ("a");
  guint i;

  for (i = 0; i < G_N_ELEMENTS (bad); i++)
    fail_unless (!gst_llavaov_classes_are_good (bad[i], &error), "%s", bad[i]);
  fail_unless_equals_string (error.subject, "trigger-classes");
  fail_unless (gst_llavaov_classes_are_good ("a, b|c", &error));
  fail_unless (gst_llavaov_classes_are_good (NULL, &error));
  fail_unless (gst_llavaov_classes_are_good ("", &error));
  for (i = 0; i < 64; i++)
    g_string_append (many, "|a");
  fail_unless (!gst_llavaov_classes_are_good (many->str, &error));
  g_string_free (many, TRUE);
}

GST_END_TEST;

static Suite *
objects_suite (void)
{
  Suite *suite = suite_create ("objects");
  TCase *tc = tcase_create ("objects");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, test_matches);
  tcase_add_test (tc, test_windows);
  tcase_add_test (tc, test_classes_that_are_none);
  return suite;
}

GST_CHECK_MAIN (objects);
