/* SPDX-License-Identifier: Apache-2.0
 *
 * questions and questions-file: an answer for each question of a window, and what is refused. */
#include "support.h"

#include <glib/gstdio.h>
#include <jansson.h>

#define THREE "{\"person\": {\"prompt\": \"Is somebody there?\", \"choices\": [\"yes\", \"no\"], " \
    "\"alert-on\": \"yes\"}, \"what\": {\"prompt\": \"generation\", \"max-new-tokens\": 5}, " \
    "\"fields\": {\"prompt\": \"In fields?\", \"json-schema\": {\"type\": \"boolean\"}}}"

static Rig *
new_rig (const gchar * questions)
{
  Rig *rig = rig_new_null ("device=fake: frames=2 window=1000000000", FALSE);

  g_object_set (rig->element, "questions", questions, NULL);
  return rig;
}

static void
expect_answer (Rig * rig, guint64 seq, const gchar * question,
    const gchar * text)
{
  GstMessage *message = rig_wait_answer (rig);
  const GstStructure *answer = gst_message_get_structure (message);
  guint n = 0;
  guint64 number = 99;

  fail_unless_equals_string (gst_structure_get_string (answer, "question"),
      question);
  fail_unless_equals_string (gst_structure_get_string (answer, "text"), text);
  fail_unless (gst_structure_get_uint (answer, "n-questions", &n));
  fail_unless (gst_structure_get_uint64 (answer, "seq", &number));
  fail_unless_equals_int (n, 3);
  fail_unless_equals_uint64 (number, seq);
  fail_unless_equals_int (gst_structure_has_field (answer, "confidence"),
      !strcmp (question, "person"));
  fail_unless_equals_int (gst_structure_has_field (answer, "json"),
      !strcmp (question, "fields"));
  gst_message_unref (message);
}

GST_START_TEST (test_each_question_has_its_answer)
{
  Rig *rig = new_rig (THREE);
  guint i;

  rig_start (rig);
  for (i = 0; i < 3; i++)
    rig_push_window (rig, i);
  for (i = 0; i < 2; i++) {
    expect_answer (rig, i, "person", "yes");
    expect_answer (rig, i, "what", "5 0 0 1 1 0");
    expect_answer (rig, i, "fields", "true");
  }
  rig_free (rig);
}

GST_END_TEST;

/* Until an ERROR comes; its text. Free it. */
static gchar *
complaint (Rig * rig, GstMessageType type)
{
  GstMessage *message = rig_wait (rig, type, NULL, 5000);
  GError *error = NULL;
  gchar *text;

  fail_unless (message != NULL);
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
          GST_RESOURCE_ERROR_SETTINGS), "%s", error->message);
  text = g_strdup (error->message);
  g_error_free (error);
  gst_message_unref (message);
  return text;
}

/* The next meta that a buffer carries, or that of the buffer. Free it. */
static GstStructure *
meta_of (Rig * rig)
{
  GstStructure *structure = NULL;
  GstBuffer *buffer;
  GstCustomMeta *meta;

  while (structure == NULL && (buffer = gst_harness_try_pull (rig->h))) {
    meta = gst_buffer_get_custom_meta (buffer, "GstLlavaovMeta");
    if (meta)
      structure = gst_structure_copy (gst_custom_meta_get_structure (meta));
    gst_buffer_unref (buffer);
  }
  fail_unless (structure != NULL);
  return structure;
}

GST_START_TEST (test_one_meta_holds_them_all)
{
  static const gchar *const names[] = { "person", "what", "fields" };
  Rig *rig = new_rig (THREE);
  GstStructure *meta;
  const GValue *answers;
  guint i;

  rig_start (rig);
  rig_push_window (rig, 0);
  rig_push_window (rig, 1);
  rig_push_window (rig, 2);
  meta = meta_of (rig);
  answers = gst_structure_get_value (meta, "answers");
  fail_unless (GST_VALUE_HOLDS_ARRAY (answers));
  fail_unless_equals_int (gst_value_array_get_size (answers), 3);
  fail_unless (!gst_structure_has_field (meta, "text"));
  for (i = 0; i < 3; i++) {
    const GstStructure *answer =
        gst_value_get_structure (gst_value_array_get_value (answers, i));

    fail_unless_equals_string (gst_structure_get_string (answer, "question"),
        names[i]);
    fail_unless (gst_structure_has_field (answer, "text"));
  }
  gst_structure_free (meta);
  rig_free (rig);
}

GST_END_TEST;

/* One that fails has a WARNING in its place, and the others their answers, in the order of the questions; the meta holds those. */
GST_START_TEST (test_one_that_fails)
{
  Rig *rig = new_rig (THREE);
  GString *order = g_string_new (NULL);
  const GValue *answers;
  GstMessage *message;
  GstStructure *meta;

  g_object_set (rig->element, "device", "fake:ask-error=numeric;every=2", NULL);
  rig_start (rig);
  rig_push_window (rig, 0);
  rig_push_window (rig, 1);
  while (order->len < 3) {
    message = gst_bus_timed_pop_filtered (rig->bus, 5 * GST_SECOND,
        GST_MESSAGE_ELEMENT | GST_MESSAGE_WARNING);
    fail_unless (message != NULL);
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING)
      g_string_append_c (order, '!');
    else if (gst_message_has_name (message, "llavaov-answer"))
      g_string_append_c (order, *gst_structure_get_string
          (gst_message_get_structure (message), "question"));
    gst_message_unref (message);
  }
  fail_unless_equals_string (order->str, "p!f");
  rig_push_window (rig, 2);
  meta = meta_of (rig);
  answers = gst_structure_get_value (meta, "answers");
  fail_unless_equals_int (gst_value_array_get_size (answers), 2);
  gst_structure_free (meta);
  g_string_free (order, TRUE);
  rig_free (rig);
}

GST_END_TEST;

/* A file of questions; another one, while it plays, that makes no sense, and then one that does. */
GST_START_TEST (test_changed_while_playing)
{
  Rig *rig = new_rig ("{\"a\": {\"prompt\": \"x\"}}");
  gchar *text;

  rig_start (rig);
  rig_push_window (rig, 0);
  g_object_set (rig->element, "questions", "{\"b\": 1}", NULL);
  rig_push_window (rig, 1);
  gst_message_unref (rig_wait_answer (rig));
  rig_push_window (rig, 2);
  text = complaint (rig, GST_MESSAGE_WARNING);
  fail_unless (strstr (text, "questions: \"b\": an object of properties"), "%s",
      text);
  g_free (text);
  g_object_set (rig->element, "questions", THREE, NULL);
  rig_push_window (rig, 3);
  rig_push_window (rig, 4);
  text = complaint (rig, GST_MESSAGE_WARNING);
  g_free (text);
  expect_answer (rig, 3, "person", "yes");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_file)
{
  gchar *path = g_build_filename (g_get_tmp_dir (), "llavaov-questions.json",
      NULL);
  Rig *rig = rig_new_null ("device=fake: frames=2 window=1000000000", FALSE);
  gchar *text;

  fail_unless (g_file_set_contents (path, THREE, -1, NULL));
  g_object_set (rig->element, "questions-file", path, NULL);
  rig_start (rig);
  rig_push_window (rig, 0);
  rig_push_window (rig, 1);
  expect_answer (rig, 0, "person", "yes");
  rig_free (rig);
  rig = new_rig (THREE);
  g_object_set (rig->element, "questions-file", path, NULL);
  fail_unless_equals_int (gst_element_set_state (rig->element,
          GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  text = complaint (rig, GST_MESSAGE_ERROR);
  fail_unless (strstr (text, "questions is set, too"), "%s", text);
  g_free (text);
  rig_free (rig);
  rig = new_rig (THREE);
  g_object_set (rig->element, "prompt", "What?", NULL);
  fail_unless_equals_int (gst_element_set_state (rig->element,
          GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  text = complaint (rig, GST_MESSAGE_ERROR);
  fail_unless (strstr (text, "prompt is set, too"), "%s", text);
  g_free (text);
  rig_free (rig);
  g_remove (path);
  g_free (path);
}

GST_END_TEST;

/* An object of 33 questions. Free it. */
static gchar *
too_many (void)
{
  GString *text = g_string_new ("{");
  guint i;

  for (i = 0; i < 33; i++)
    g_string_append_printf (text, "%s\"q%u\": {\"prompt\": \"?\"}",
        i ? ", " : "", i);
  g_string_append_c (text, '}');
  return g_string_free (text, FALSE);
}

static const struct
{
  const gchar *questions, *words;
} refused[] = {
  {"", "no JSON"},
  {"{", "no JSON: line 1"},
  {"[]", "an object of 1 to 32 questions is wanted"},
  {"{}", "an object of 1 to 32 questions is wanted"},
  {NULL, "an object of 1 to 32 questions is wanted"},
  {"{\"a\": {\"prompt\": \"x\"}, \"a\": {\"prompt\": \"y\"}}", "duplicate"},
  {"{\"A\": {\"prompt\": \"x\"}}", "\"A\" is no name"},
  {"{\"\": {\"prompt\": \"x\"}}", "\"\" is no name"},
  {"{\"a b\": {\"prompt\": \"x\"}}", "\"a b\" is no name"},
  {"{\"a\": \"x\"}", "\"a\": an object of properties is wanted"},
  {"{\"a\": {}}", "\"a\": there is no prompt"},
  {"{\"a\": {\"prompt\": 3}}", "\"a\": there is no prompt"},
  {"{\"a\": {\"prompt\": \"x\", \"frames\": 3}}",
      "\"a\": frames is no property of a question"},
  {"{\"a\": {\"prompt\": \"x\", \"temprature\": 3}}",
      "temprature is no property of a question"},
  {"{\"a\": {\"prompt\": \"x\", \"max-new-tokens\": 0}}",
      "\"a\": max-new-tokens: a whole number from 1 to 32768 is wanted"},
  {"{\"a\": {\"prompt\": \"x\", \"max-new-tokens\": 1.5}}", "a whole number"},
  {"{\"a\": {\"prompt\": \"x\", \"temperature\": \"1\"}}",
      "a number from 0 to 100 is wanted"},
  {"{\"a\": {\"prompt\": \"x\", \"choices-hint\": 1}}", "true or false"},
  {"{\"a\": {\"prompt\": \"x\", \"choices-variants\": \"all\"}}",
      "one of its names"},
  {"{\"a\": {\"prompt\": \"x\", \"choices\": [\"a|b\", \"c\"]}}",
      "a list of labels"},
  {"{\"a\": {\"prompt\": \"x\", \"choices\": \"yes\"}}", "\"a\": choices"},
  {"{\"a\": {\"prompt\": \"x\", \"alert-on\": \"yes\"}}", "\"a\": alert-on"},
  {"{\"a\": {\"prompt\": \"x\", \"choices\": \"y|n\", \"temperature\": 1}}",
      "\"a\": temperature is set, and so is choices"},
  {"{\"a\": {\"prompt\": \"x\", \"json-schema\": {\"type\": \"strin\"}}}",
      "\"a\": json-schema"},
};

GST_START_TEST (test_refused)
{
  gchar *questions = refused[__i__].questions ?
      g_strdup (refused[__i__].questions) : too_many ();
  Rig *rig = new_rig (questions);
  gchar *text;

  fail_unless_equals_int (gst_element_set_state (rig->element,
          GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  text = complaint (rig, GST_MESSAGE_ERROR);
  fail_unless (g_str_has_prefix (text, "questions: "), "%s", text);
  fail_unless (strstr (text, refused[__i__].words), "%s: %s",
      refused[__i__].words, text);
  g_free (text);
  g_free (questions);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
questions_suite (void)
{
  Suite *suite = suite_create ("questions");
  TCase *tests = tcase_create ("questions");

  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_each_question_has_its_answer);
  tcase_add_test (tests, test_one_meta_holds_them_all);
  tcase_add_test (tests, test_one_that_fails);
  tcase_add_test (tests, test_changed_while_playing);
  tcase_add_test (tests, test_file);
  tcase_add_loop_test (tests, test_refused, 0, G_N_ELEMENTS (refused));
  return suite;
}

GST_CHECK_MAIN (questions);
