/* SPDX-License-Identifier: Apache-2.0
 *
 * stream-tokens: the messages llavaov-partial, over a fake that writes a character every text-ms. */
#include "partials.h"
#include "support.h"

#define SLOW "device=\"fake:text-ms=10\" frames=1 window=1000000000 "

typedef struct
{
  GPtrArray *partials;          /* of GstMessage, before the answer */
  GstMessage *answer;
} Heard;

/* All messages up to the answer. */
static Heard
hear (Rig * rig)
{
  Heard heard = { g_ptr_array_new_with_free_func ((GDestroyNotify)
        gst_message_unref), NULL
  };
  GstMessage *message;

  while ((message = rig_wait (rig, GST_MESSAGE_ELEMENT, NULL, 10000))) {
    if (gst_message_has_name (message, "llavaov-answer")) {
      heard.answer = message;
      return heard;
    }
    fail_unless (gst_message_has_name (message, "llavaov-partial"));
    g_ptr_array_add (heard.partials, message);
  }
  fail ("no answer");
  return heard;
}

static const gchar *
text_of (GstMessage * message)
{
  return gst_structure_get_string (gst_message_get_structure (message), "text");
}

static void
heard_clear (Heard * heard)
{
  g_ptr_array_unref (heard->partials);
  gst_message_unref (heard->answer);
}

/* The parts of one answer, in order: whole characters, each more than the one before, of the answer. */
static void
check_parts (const Heard * heard)
{
  gsize before = 0;
  guint i;

  for (i = 0; i < heard->partials->len; i++) {
    GstMessage *message = g_ptr_array_index (heard->partials, i);
    const GstStructure *part = gst_message_get_structure (message);
    const gchar *text = text_of (message);
    gboolean begins = 2;
    guint64 seq = 99;

    fail_unless (g_utf8_validate (text, -1, NULL));
    fail_unless (strlen (text) > before, "%s", text);
    fail_unless (g_str_has_prefix (text_of (heard->answer), text), "%s", text);
    fail_unless (gst_structure_get_boolean (part, "first", &begins));
    fail_unless_equals_int (begins, i == 0);
    fail_unless (gst_structure_get_uint64 (part, "seq", &seq));
    fail_unless_equals_uint64 (seq, 0);
    fail_unless_equals_string (gst_structure_get_string (part, "stream"),
        "gate");
    before = strlen (text);
  }
}

/* On a clock of its own, in microseconds: at most one message an interval, of the newest text, in turns. */
GST_START_TEST (test_due)
{
  GstLlavaovPartials partials = { 0, };
  GstLlavaovWindow a = {.question = (gchar *) "a",.seq = 7 };
  GstLlavaovWindow b = {.question = (gchar *) "b",.question_index = 1 };
  static const struct
  {
    gint64 at;
    const gchar *said;
  } table[] = {
    {1000, "a: a!"}, {1999, NULL}, {2000, "b: b!b!b!"}, {2999, NULL},
    {3000, "a: a!a!a!a!a!"}, {3999, NULL}, {9000, "b: b!b!b!b!b!b!b!"},
    {9500, NULL},
  };
  guint i;

  gst_llavaov_partials_set_interval (&partials, 1000 * GST_USECOND);
  fail_unless (gst_llavaov_partials_due (&partials) == 0);
  fail_unless (gst_llavaov_partials_take (&partials, 1, "s") == NULL);
  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    GstStructure *part;
    gchar *last;

    /* only the first of those that wait is to wake somebody */
    fail_unless_equals_int (gst_llavaov_partials_add (&partials, &a, "a!", 2),
        i == 0);
    fail_unless (!gst_llavaov_partials_add (&partials, &b, "b!", 2));
    part = gst_llavaov_partials_take (&partials, table[i].at, "s");
    fail_unless_equals_int (part != NULL, table[i].said != NULL);
    if (part == NULL)
      continue;
    last = gst_llavaov_partials_last (&partials);
    fail_unless_equals_string (last, table[i].said);
    fail_unless (g_str_has_suffix (last, gst_structure_get_string (part,
                "text")));
    g_free (last);
    gst_structure_free (part);
  }
  fail_unless (gst_llavaov_partials_due (&partials) == 10000);
  gst_llavaov_partials_end (&partials, &a);
  fail_unless (gst_llavaov_partials_last (&partials) == NULL);
  gst_llavaov_partials_end (&partials, &b);
  fail_unless (gst_llavaov_partials_due (&partials) == 0);
  gst_llavaov_partials_clear (&partials);
}

GST_END_TEST;

static void
count_notify (GObject * object, GParamSpec * spec, gint * count)
{
  g_atomic_int_inc (count);
}

GST_START_TEST (test_parts_and_intervals)
{
  static const struct
  {
    guint64 interval_ms;
    guint fewest, most;
  } table[] = {
    {0, 5, 50},
    {100, 2, 50},
    {60000, 1, 1},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    Rig *rig = rig_new_null (SLOW "stream-tokens=true stream-name=gate "
        "prompt=\"\346\230\257\344\273\200\344\271\210\357\274\237 "
        "\303\244\303\266\303\274 wwwwwwwwwwwwwwwwwwww\"", FALSE);
    gint notified = 0;
    gchar *last;
    Heard heard;

    g_object_set (rig->element, "partial-interval", table[i].interval_ms * MS,
        NULL);
    g_signal_connect (rig->element, "notify::last-partial",
        G_CALLBACK (count_notify), &notified);
    rig_start (rig);
    rig_push_window (rig, 0);
    gst_harness_push_event (rig->h, gst_event_new_eos ());
    heard = hear (rig);
    check_parts (&heard);
    fail_unless (heard.partials->len >= table[i].fewest &&
        heard.partials->len <= table[i].most, "%u", heard.partials->len);
    fail_unless_equals_int (notified, heard.partials->len);
    g_object_get (rig->element, "last-partial", &last, NULL);
    fail_unless (last == NULL);
    /* None after the final one, nor too many. */
    fail_unless (rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-partial",
            300) == NULL);
    heard_clear (&heard);
    rig_free (rig);
  }
}

GST_END_TEST;

/* Off by default; labels have no parts; what is set while PLAYING counts for the next question. */
GST_START_TEST (test_where_there_are_none)
{
  Rig *rig = rig_new (SLOW "prompt=\"0123456789\"", FALSE);
  guint i;

  for (i = 0; i < 3; i++) {
    Heard heard;

    if (i == 1)
      g_object_set (rig->element, "stream-tokens", TRUE, "choices", "yes|no",
          NULL);
    if (i == 2)
      g_object_set (rig->element, "choices", NULL, NULL);
    rig_push_window (rig, i);
    gst_harness_push_event (rig->h, gst_event_new_stream_start ("next"));
    heard = hear (rig);
    fail_unless_equals_int (heard.partials->len > 0, i == 2);
    heard_clear (&heard);
  }
  rig_free (rig);
}

GST_END_TEST;

/* All questions together have one interval, and take turns. */
GST_START_TEST (test_questions_take_turns)
{
  Rig *rig = rig_new_null ("device=\"fake:text-ms=20\" frames=1 "
      "window=1000000000 stream-tokens=true partial-interval=0", FALSE);
  GstMessage *message;
  guint a = 0, b = 0, answers = 0;

  g_object_set (rig->element, "questions", "{\"a\": {\"prompt\": \"first\"}, "
      "\"b\": {\"prompt\": \"second\"}}", NULL);
  rig_start (rig);
  rig_push_window (rig, 0);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  while (answers < 2) {
    const GstStructure *said;
    const gchar *question;

    message = rig_wait (rig, GST_MESSAGE_ELEMENT, NULL, 10000);
    fail_unless (message != NULL);
    said = gst_message_get_structure (message);
    question = gst_structure_get_string (said, "question");
    if (gst_structure_has_name (said, "llavaov-answer")) {
      answers++;
    } else if (g_str_equal (question, "a")) {
      fail_unless (g_str_has_prefix (text_of (message), "f"));
      fail_unless_equals_int (answers, 0);
      a++;
    } else {
      fail_unless (g_str_has_prefix (text_of (message), "s"));
      b++;
    }
    gst_message_unref (message);
  }
  fail_unless (a > 1 && b > 1, "%u %u", a, b);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_flush_ends_them)
{
  Rig *rig = rig_new ("device=\"fake:text-ms=10\" frames=1 "
      "window=1000000000 stream-tokens=true overload=newest "
      "prompt=\"01234567890123456789012345678901234567890123456789\"", FALSE);
  GstMessage *message;

  rig_push_window (rig, 0);
  rig_push (rig, 0, GST_SECOND, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-partial", 5000);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_harness_push_event (rig->h, gst_event_new_flush_start ());
  while ((message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-partial", 0)))
    gst_message_unref (message);
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, NULL, 1000);
  fail_unless (message == NULL);
  rig_free (rig);
}

GST_END_TEST;

/* Subtitles and lines of JSON have whole answers alone. */
GST_START_TEST (test_text_pad_has_none)
{
  Rig *rig = rig_new_null (SLOW "stream-tokens=true partial-interval=0 "
      "prompt=\"0123456789\"", FALSE);
  GstHarness *text;
  GstBuffer *buffer;
  guint n = 0;

  rig_prepare (rig);
  text = gst_harness_new_with_element (rig->element, NULL, "text");
  rig_play (rig);
  rig_push_window (rig, 0);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  while ((buffer = gst_harness_pull (text))) {
    n++;
    gst_buffer_unref (buffer);
    if (n == 1)
      break;
  }
  g_usleep (200000);
  while ((buffer = gst_harness_try_pull (text))) {
    n++;
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_int (n, 1);
  gst_harness_teardown (text);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
partials_suite (void)
{
  Suite *suite = suite_create ("partials");
  TCase *tc = tcase_create ("partials");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, test_due);
  tcase_add_test (tc, test_parts_and_intervals);
  tcase_add_test (tc, test_where_there_are_none);
  tcase_add_test (tc, test_questions_take_turns);
  tcase_add_test (tc, test_flush_ends_them);
  tcase_add_test (tc, test_text_pad_has_none);
  return suite;
}

GST_CHECK_MAIN (partials);
