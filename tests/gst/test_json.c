/* SPDX-License-Identifier: Apache-2.0
 *
 * json-schema and json-schema-file: what the element says with them, and what is refused. */
#include "support.h"

#include <glib/gstdio.h>
#include <jansson.h>

#define BOOLEAN "{\"type\": \"boolean\"}"
#define OBJECT "{\"type\": \"object\", \"properties\": {\"moving\": " BOOLEAN "}}"

/* Until an ERROR or WARNING comes; its text. Free it. */
static gchar *
complaint (Rig * rig, GstMessageType type, gint code)
{
  GstMessage *message = rig_wait (rig, type, NULL, 5000);
  GError *error = NULL;
  gchar *text;

  fail_unless (message != NULL);
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR, code), "%s",
      error->message);
  text = g_strdup (error->message);
  g_error_free (error);
  gst_message_unref (message);
  return text;
}

static void
expect_words (gchar * text, const gchar * words)
{
  fail_unless (strstr (text, words), "%s: %s", words, text);
  g_free (text);
}

static Rig *
new_rig (const gchar * schema)
{
  Rig *rig = rig_new_null ("device=fake: frames=2 window=1000000000", FALSE);

  g_object_set (rig->element, "json-schema", schema, NULL);
  return rig;
}

static void
expect_json (Rig * rig, const gchar * json, gboolean truncated)
{
  GstMessage *message = rig_wait_answer (rig);
  const GstStructure *answer = gst_message_get_structure (message);
  gboolean value;

  fail_unless_equals_string (gst_structure_get_string (answer, "json"), json);
  fail_unless_equals_string (gst_structure_get_string (answer, "text"), json);
  fail_unless (gst_structure_get_boolean (answer, "truncated", &value));
  fail_unless_equals_int (value, truncated);
  gst_message_unref (message);
}

GST_START_TEST (test_answers_are_documents)
{
  Rig *rig = new_rig (OBJECT);
  GstHarness *lines = gst_harness_new_with_element (rig->element, NULL, "text");
  GstBuffer *line;
  GstMapInfo map;
  json_t *object;
  char *values;

  gst_harness_set_sink_caps_str (lines, "application/x-json");
  rig_start (rig);
  rig_push_window (rig, 0);
  rig_push_window (rig, 1);
  expect_json (rig, "{\"moving\": true}", FALSE);
  line = gst_harness_pull (lines);
  fail_unless (gst_buffer_map (line, &map, GST_MAP_READ));
  object = json_loadb ((const char *) map.data, map.size, 0, NULL);
  fail_unless_equals_string (json_string_value (json_object_get (object,
              "json")), "{\"moving\": true}");
  fail_unless (json_is_false (json_object_get (object, "truncated")));
  values = json_dumps (json_object_get (object, "json-values"),
      JSON_PRESERVE_ORDER);
  fail_unless_equals_string (values,
      "[{\"path\": \"/moving\", \"value\": \"true\", "
      "\"confidence\": 0.75, \"label-mass\": 0.5, "
      "\"values\": [\"false\", \"true\"], "
      "\"probabilities\": [0.25, 0.75], \"logprobs\": [-2.0, -1.0]}]");
  free (values);
  json_decref (object);
  gst_buffer_unmap (line, &map);
  gst_buffer_unref (line);
  gst_harness_teardown (lines);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_truncated_is_told)
{
  Rig *rig = new_rig (OBJECT);

  g_object_set (rig->element, "prompt", "truncated", NULL);
  rig_start (rig);
  rig_push_window (rig, 0);
  rig_push_window (rig, 1);
  expect_json (rig, "{\"moving\": true}", TRUE);
  rig_free (rig);
}

GST_END_TEST;

/* A change takes effect with the next window; a broken schema costs windows until it is mended. */
GST_START_TEST (test_changes_while_playing)
{
  Rig *rig = new_rig (OBJECT);
  GstMessage *message;

  rig_start (rig);
  rig_push_window (rig, 0);
  g_object_set (rig->element, "json-schema", BOOLEAN, NULL);
  rig_push_window (rig, 1);
  expect_json (rig, "{\"moving\": true}", FALSE);
  g_object_set (rig->element, "json-schema", "{\"type\": \"strange\"}", NULL);
  rig_push_window (rig, 2);
  expect_json (rig, "true", FALSE);
  g_object_set (rig->element, "json-schema",
      "{\"type\": \"string\", \"minLength\": 100}", NULL);
  rig_push_window (rig, 3);
  expect_words (complaint (rig, GST_MESSAGE_WARNING,
          GST_RESOURCE_ERROR_SETTINGS), "#/type");
  g_object_set (rig->element, "json-schema", NULL, NULL);
  rig_push_window (rig, 4);
  rig_push_window (rig, 5);
  message = rig_wait_answer (rig);
  gst_message_unref (message);
  message = rig_wait_answer (rig);
  fail_if (gst_structure_has_field (gst_message_get_structure (message),
          "json"));
  fail_if (gst_structure_has_field (gst_message_get_structure (message),
          "truncated"));
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

static const struct
{
  const gchar *schema, *file, *content;
  guint max_new_tokens;
  gint code;
  const gchar *words;
} refused[] = {
  {"{\"type\": \"object\", \"properties\": {\"a\": {\"pattern\": \"x\"}}}",
        NULL,
      NULL, 64, GST_RESOURCE_ERROR_SETTINGS, "#/properties/a/pattern"},
  {"", NULL, NULL, 64, GST_RESOURCE_ERROR_SETTINGS, "json-schema: broken JSON"},
  {"moving or not", NULL, NULL, 64, GST_RESOURCE_ERROR_SETTINGS, "line 1"},
  {"{\"const\": \"\xFF\"}", NULL, NULL, 64, GST_RESOURCE_ERROR_SETTINGS,
      "json-schema: broken JSON"},
  {OBJECT, NULL, NULL, 10, GST_RESOURCE_ERROR_SETTINGS,
      "max-new-tokens=\"10\": the shortest document that the json-schema allows takes 16"},
  {NULL, "/nonexistent/s", NULL, 64, GST_RESOURCE_ERROR_NOT_FOUND,
      "json-schema-file=\"/nonexistent/s\""},
  {NULL, "/dev/zero", NULL, 64, GST_RESOURCE_ERROR_SETTINGS,
      "json-schema-file=\"/dev/zero\""},
  {NULL, "", NULL, 64, GST_RESOURCE_ERROR_NOT_FOUND, "json-schema-file=\"\""},
  {NULL, NULL, "{\"type\": \"nothing\"}", 64, GST_RESOURCE_ERROR_SETTINGS,
      "#/type"},
  {NULL, NULL, "\xFF", 64, GST_RESOURCE_ERROR_SETTINGS, "UTF-8"},
  {OBJECT, NULL, OBJECT, 64, GST_RESOURCE_ERROR_SETTINGS, "set one"},
};

static gchar *
write_file (const gchar * content)
{
  gchar *path = NULL;
  gint fd = g_file_open_tmp ("schema-XXXXXX", &path, NULL);

  fail_unless (fd >= 0);
  g_close (fd, NULL);
  fail_unless (g_file_set_contents (path, content, -1, NULL));
  return path;
}

GST_START_TEST (test_refused)
{
  Rig *rig = new_rig (refused[__i__].schema);
  gchar *path = refused[__i__].content ? write_file (refused[__i__].content)
      : g_strdup (refused[__i__].file);

  g_object_set (rig->element, "json-schema-file", path, "max-new-tokens",
      refused[__i__].max_new_tokens, NULL);
  gst_element_set_state (rig->element, GST_STATE_PAUSED);
  expect_words (complaint (rig, GST_MESSAGE_ERROR, refused[__i__].code),
      refused[__i__].words);
  if (refused[__i__].content)
    g_unlink (path);
  g_free (path);
  rig_free (rig);
}

GST_END_TEST;

/* Read when the element starts; json-schema does not replace it while it plays. */
GST_START_TEST (test_file)
{
  gchar *path = write_file (OBJECT "\n");
  Rig *rig = new_rig (NULL);

  g_object_set (rig->element, "json-schema-file", path, NULL);
  rig_start (rig);
  g_object_set (rig->element, "json-schema", BOOLEAN, NULL);
  rig_push_window (rig, 0);
  rig_push_window (rig, 1);
  rig_push_window (rig, 2);
  expect_json (rig, "{\"moving\": true}", FALSE);
  expect_json (rig, "{\"moving\": true}", FALSE);
  g_unlink (path);
  g_free (path);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
json_suite (void)
{
  Suite *s = suite_create ("json");
  TCase *tc = tcase_create ("json");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_answers_are_documents);
  tcase_add_test (tc, test_truncated_is_told);
  tcase_add_test (tc, test_changes_while_playing);
  tcase_add_loop_test (tc, test_refused, 0, G_N_ELEMENTS (refused));
  tcase_add_test (tc, test_file);
  return s;
}

GST_CHECK_MAIN (json);
