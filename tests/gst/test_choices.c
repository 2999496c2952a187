/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions with choices: what an answer holds, what is refused and how, what changes while playing. */
#include "support.h"

#include <jansson.h>

#define WINDOWS "device=fake: frames=1 window=1000000000 "

static void
assert_array (const GstStructure * answer, const json_t * object,
    const gchar * field, const gchar * wanted)
{
  const GValue *array = gst_structure_get_value (answer, field);
  const json_t *list = json_object_get (object, field);
  GString *text = g_string_new (NULL);
  guint i;

  fail_unless (array != NULL && GST_VALUE_HOLDS_ARRAY (array), "%s", field);
  fail_unless_equals_int (json_array_size (list),
      gst_value_array_get_size (array));
  for (i = 0; i < gst_value_array_get_size (array); i++) {
    const GValue *value = gst_value_array_get_value (array, i);
    const json_t *item = json_array_get (list, i);

    if (G_VALUE_HOLDS_STRING (value)) {
      g_string_append_printf (text, "%s ", g_value_get_string (value));
      fail_unless_equals_string (json_string_value (item),
          g_value_get_string (value));
    } else {
      g_string_append_printf (text, "%.4f ", g_value_get_double (value));
      fail_unless (json_real_value (item) == g_value_get_double (value));
    }
  }
  fail_unless_equals_string (text->str, wanted);
  g_string_free (text, TRUE);
}

GST_START_TEST (test_fields_of_an_answer)
{
  Rig *rig = rig_new_null (WINDOWS "choices=\"yes|no|no person\"", FALSE);
  GstHarness *json = gst_harness_new_with_element (rig->element, NULL, "text");
  GstMessage *message;
  const GstStructure *answer;
  GstBuffer *line;
  GstMapInfo map;
  json_t *object;
  gdouble confidence, mass;
  gboolean valid, is_label;
  guint tokens;

  gst_harness_set_sink_caps_str (json, "application/x-json");
  rig_start (rig);
  rig_push_many (rig, 0, 11, 0, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 5000);
  fail_unless (message != NULL);
  answer = gst_message_get_structure (message);
  fail_unless (gst_structure_get (answer, "confidence", G_TYPE_DOUBLE,
          &confidence, "label-mass", G_TYPE_DOUBLE, &mass, "valid",
          G_TYPE_BOOLEAN, &valid, "argmax-is-label", G_TYPE_BOOLEAN, &is_label,
          "new-tokens", G_TYPE_UINT, &tokens, NULL));
  fail_unless (confidence == 0.5 && mass == 0.75 && valid && is_label);
  fail_unless_equals_int (tokens, 0);
  fail_unless_equals_string (gst_structure_get_string (answer, "text"), "yes");
  fail_unless_equals_string (gst_structure_get_string (answer, "wanted"),
      "yes");

  line = gst_harness_pull (json);
  fail_unless (gst_buffer_map (line, &map, GST_MAP_READ));
  object = json_loadb ((const char *) map.data, map.size, 0, NULL);
  fail_unless_equals_string (json_string_value (json_object_get (object,
              "text")), "yes");
  fail_unless (json_real_value (json_object_get (object, "confidence")) == 0.5);
  fail_unless (json_is_true (json_object_get (object, "valid")));
  assert_array (answer, object, "choices", "yes no no person ");
  assert_array (answer, object, "probabilities", "0.5000 0.2500 0.2500 ");
  assert_array (answer, object, "choice-logprobs", "-0.9808 -1.6740 -1.6740 ");
  json_decref (object);
  gst_buffer_unmap (line, &map);
  gst_buffer_unref (line);
  gst_message_unref (message);
  gst_harness_teardown (json);
  rig_free (rig);
}

GST_END_TEST;

/* Before there is a model, or once there is one: an ERROR (SETTINGS) that begins with the property. */
GST_START_TEST (test_bad_settings_at_the_start)
{
  static const struct
  {
    const gchar *properties, *begins;
    gboolean starts;            /* only the model can tell */
  } table[] = {
    {"choices=yes", "choices", FALSE},
    {"choices=\"yes|long\"", "choices", TRUE},
    {"choices=\"yes|no\" max-new-tokens=9", "max-new-tokens", FALSE},
    {"choices=\"yes|no\" temperature=0.5", "temperature", FALSE},
    {"choices=\"yes|no\" top-k=5", "top-k", FALSE},
    {"choices=\"yes|no\" top-p=0.5", "top-p", FALSE},
    {"choices=\"yes|no\" repetition-penalty=2", "repetition-penalty", FALSE},
    {"choices=\"yes|no\" seed=5", "seed", FALSE},
    {"choices=\"yes|no\" generation=checkpoint", "generation", FALSE},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *line = g_strconcat (WINDOWS, table[i].properties, NULL);
    Rig *rig = rig_new_null (line, FALSE);
    GstStateChangeReturn result =
        gst_element_set_state (rig->element, GST_STATE_PLAYING);
    GstMessage *message = rig_wait (rig, GST_MESSAGE_ERROR, NULL, 5000);
    GError *error = NULL;

    fail_unless ((result != GST_STATE_CHANGE_FAILURE) == table[i].starts);
    fail_unless (message != NULL, "%s", line);
    gst_message_parse_error (message, &error, NULL);
    fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
            GST_RESOURCE_ERROR_SETTINGS), "%s", error->message);
    fail_unless (g_str_has_prefix (error->message, table[i].begins), "%s",
        error->message);
    g_error_free (error);
    gst_message_unref (message);
    rig_free (rig);
    g_free (line);
  }
}

GST_END_TEST;

/* Out of its range a property stays as it was, as GObject has it; without choices the others wait for them. */
/* GObject refuses what its property's range excludes; with a warning, or a critical one, as its version has it. */
static void
expect_out_of_range (GstElement * element, const gchar * name, gdouble number)
{
  GParamSpec *spec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (element), name);
  GValue value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_DOUBLE);
  g_value_set_double (&value, number);
  fail_unless (g_param_value_validate (spec, &value), "%s", name);
  g_value_unset (&value);
}

GST_START_TEST (test_values_out_of_range_are_not_taken)
{
  Rig *rig = rig_new (WINDOWS "prompt=p choices-temperature=2 "
      "choices-min-mass=1 choices-hint=true choices-variants=space", FALSE);
  gdouble temperature, mass;
  guint variants;

  expect_out_of_range (rig->element, "choices-temperature", 0.0);
  expect_out_of_range (rig->element, "choices-min-mass", 1.5);
  g_object_get (rig->element, "choices-temperature", &temperature,
      "choices-min-mass", &mass, "choices-variants", &variants, NULL);
  fail_unless (temperature == 2 && mass == 1 && variants == 2);
  rig_push_many (rig, 3, 11, 0, 100 * MS);
  rig_expect (rig, "p|8");
  rig_free (rig);
}

GST_END_TEST;

/* From the next window on; what no question can be made of is a WARNING (SETTINGS) for each window, and later ones go on. */
GST_START_TEST (test_changes_while_playing)
{
  static const struct
  {
    const gchar *property, *value, *answer, *warning;
  } table[] = {
    {"choices", "yes|no", "yes", NULL},
    {"choices", "a|b", "a", NULL},
    {"choices", "alone", NULL, "choices"},
    {"choices", "no|yes", "no", NULL},
    {"max-new-tokens", "5", NULL, "max-new-tokens"},
    {"max-new-tokens", "64", "no", NULL},
    {"choices", "", NULL, "choices"},
  };
  Rig *rig = rig_new (WINDOWS "prompt=p", FALSE);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    GstMessage *message;
    GError *error = NULL;

    gst_util_set_object_arg (G_OBJECT (rig->element), table[i].property,
        table[i].value);
    /* the window that is open, then one with the new value */
    rig_push_many (rig, 0, 20, i * 2000 * MS, 100 * MS);
    if (table[i].warning) {
      message = rig_wait (rig, GST_MESSAGE_WARNING, NULL, 5000);
      fail_unless (message != NULL, "%s", table[i].value);
      gst_message_parse_warning (message, &error, NULL);
      fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
              GST_RESOURCE_ERROR_SETTINGS));
      fail_unless (strstr (error->message, table[i].warning) != NULL, "%s",
          error->message);
      g_error_free (error);
      gst_message_unref (message);
    } else {
      gchar *answer = rig_answer (rig);

      while (g_strcmp0 (answer, table[i].answer) != 0) {
        fail_unless (*answer != '\0', "no %s", table[i].answer);
        g_free (answer);
        answer = rig_answer (rig);
      }
      g_free (answer);
    }
  }
  rig_free (rig);
}

GST_END_TEST;

/* With too little on the labels, one WARNING for three windows and more in a row. */
GST_START_TEST (test_a_doubt_is_told_once)
{
  Rig *rig = rig_new (WINDOWS "prompt=doubt choices=\"yes|no\"", FALSE);
  GstMessage *message;
  GError *error = NULL;
  gboolean valid = TRUE;

  rig_push_many (rig, 0, 25, 0, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 5000);
  fail_unless (message != NULL);
  fail_unless (gst_structure_get_boolean (gst_message_get_structure (message),
          "valid", &valid) && !valid);
  gst_message_unref (message);
  fail_unless (rig_wait (rig, GST_MESSAGE_WARNING, NULL, 100) == NULL);
  rig_push_many (rig, 0, 40, 2500 * MS, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_WARNING, NULL, 5000);
  fail_unless (message != NULL);
  gst_message_parse_warning (message, &error, NULL);
  fail_unless (g_str_has_prefix (error->message, "choices=\"yes|no\": "));
  fail_unless (strstr (error->message, "\"Perhaps\"") != NULL);
  g_error_free (error);
  gst_message_unref (message);
  fail_unless (rig_wait (rig, GST_MESSAGE_WARNING, NULL, 100) == NULL);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
choices_suite (void)
{
  Suite *s = suite_create ("choices");
  TCase *tc = tcase_create ("choices");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_fields_of_an_answer);
  tcase_add_test (tc, test_bad_settings_at_the_start);
  tcase_add_test (tc, test_values_out_of_range_are_not_taken);
  tcase_add_test (tc, test_changes_while_playing);
  tcase_add_test (tc, test_a_doubt_is_told_once);
  return s;
}

GST_CHECK_MAIN (choices);
