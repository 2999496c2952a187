/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"

#include <jansson.h>

void
gst_llavaov_answers_register_meta (void)
{
  static gsize once = 0;
  static const gchar *tags[] = { NULL };

  if (g_once_init_enter (&once)) {
    gst_meta_register_custom (GST_LLAVAOV_META_NAME, tags, NULL, NULL, NULL);
    g_once_init_leave (&once, 1);
  }
}

GstClockTime
gst_llavaov_window_timestamp (const GstLlavaovWindow * window)
{
  GstClockTime timestamp, length = window->length;
  const GstSegment *segment = &window->segment;

  if (segment->format != GST_FORMAT_TIME)
    return window->start;
  timestamp = gst_segment_position_from_running_time (segment,
      GST_FORMAT_TIME, window->start);
  /* Played backwards, a window begins with its last timestamp. */
  if (segment->rate < 0 && GST_CLOCK_TIME_IS_VALID (timestamp)) {
    if (segment->rate != -1)
      length *= -segment->rate;
    timestamp -= MIN (timestamp, length);
    timestamp = MAX (timestamp, segment->start);
  }
  return timestamp;
}

static GstClockTime
stream_time (const GstLlavaovWindow * window)
{
  GstClockTime timestamp = gst_llavaov_window_timestamp (window);

  if (window->segment.format != GST_FORMAT_TIME ||
      !GST_CLOCK_TIME_IS_VALID (timestamp))
    return timestamp;
  return gst_segment_to_stream_time (&window->segment, GST_FORMAT_TIME,
      timestamp);
}

static gboolean
copy_field (GQuark field, const GValue * value, gpointer structure)
{
  gst_structure_id_set_value (structure, field, value);
  return TRUE;
}

static void
set_times (GstStructure * structure, const GstLlavaovWindow * window)
{
  gst_structure_set (structure,
      "timestamp", G_TYPE_UINT64, gst_llavaov_window_timestamp (window),
      "stream-time", G_TYPE_UINT64, stream_time (window),
      "running-time", G_TYPE_UINT64, window->start,
      "duration", G_TYPE_UINT64, window->length, NULL);
}

static const gchar *
finish_reason (LlavaovFinishReason reason)
{
  switch (reason) {
    case LLAVAOV_FINISH_STOP:
      return "stop";
    case LLAVAOV_FINISH_LENGTH:
      return "length";
    default:
      return "cancelled";
  }
}

/* "keyframes" where one of its frames is from a time when no others were decoded; NULL where nobody chose. */
static const gchar *
decoded (const GstLlavaovWindow * window)
{
  const gchar *word = NULL;
  guint i;

  for (i = 0; i < window->samples->len; i++) {
    const GstLlavaovSample *sample = g_ptr_array_index (window->samples, i);

    if (sample->decoded && (word == NULL ||
            !strcmp (sample->decoded, "keyframes")))
      word = sample->decoded;
  }
  return word;
}

GstStructure *
gst_llavaov_answer_to_structure (const GstLlavaovWindow * window,
    const gchar * stream, guint64 dropped, const gchar * model,
    const gchar * device)
{
  GstStructure *structure = gst_structure_new (GST_LLAVAOV_ANSWER_NAME,
      "stream", G_TYPE_STRING, stream,
      "seq", G_TYPE_UINT64, window->seq,
      "prompt", G_TYPE_STRING, window->prompt,
      "text", G_TYPE_STRING, window->text,
      "finish-reason", G_TYPE_STRING, finish_reason (window->finish_reason),
      NULL);
  GValue times = G_VALUE_INIT, time = G_VALUE_INIT;
  gint64 latency = window->answered_at - window->last_arrival;
  guint i;

  if (window->question)
    gst_structure_set (structure, "question", G_TYPE_STRING, window->question,
        "n-questions", G_TYPE_UINT, MAX (window->n_questions, 1), NULL);
  if (window->ask_id)
    gst_structure_set (structure, "ask-id", G_TYPE_UINT64, window->ask_id,
        "from", G_TYPE_STRING, window->ask_from, "history", G_TYPE_BOOLEAN,
        window->follows, NULL);
  if (window->follows && window->follows_id)
    gst_structure_set (structure, "follows", G_TYPE_UINT64,
        window->follows_id, NULL);
  if (window->triggered)
    gst_structure_foreach (window->triggered, copy_field, structure);
  if (window->motion_level >= 0)
    gst_structure_set (structure, "motion-level", G_TYPE_DOUBLE,
        window->motion_level, NULL);
  if (window->chosen)
    gst_structure_foreach (window->chosen, copy_field, structure);
  if (window->is_json)
    gst_structure_set (structure, "json", G_TYPE_STRING, window->text,
        "truncated", G_TYPE_BOOLEAN, window->truncated, NULL);
  if (window->json_values)
    gst_structure_foreach (window->json_values, copy_field, structure);
  set_times (structure, window);
  g_value_init (&times, GST_TYPE_ARRAY);
  g_value_init (&time, G_TYPE_UINT64);
  for (i = 0; i < window->samples->len; i++) {
    GstLlavaovSample *sample = g_ptr_array_index (window->samples, i);

    g_value_set_uint64 (&time, sample->running);
    gst_value_array_append_value (&times, &time);
  }
  g_value_unset (&time);
  gst_structure_set (structure, "n-frames", G_TYPE_UINT, window->samples->len,
      NULL);
  gst_structure_take_value (structure, "frame-times", &times);
  if (decoded (window))
    gst_structure_set (structure, "decoded", G_TYPE_STRING, decoded (window),
        NULL);
  gst_structure_set (structure,
      "frames-reused", G_TYPE_UINT, window->frames_reused,
      "utc-start", G_TYPE_UINT64, (guint64) window->utc_start,
      "prompt-tokens", G_TYPE_UINT, window->prompt_tokens,
      "new-tokens", G_TYPE_UINT, window->new_tokens,
      "time-to-first-token", G_TYPE_UINT64, window->first_token_ns,
      "answer-latency", G_TYPE_UINT64, (guint64) MAX (latency, 0) * 1000,
      "encode-time", G_TYPE_UINT64, window->encode_ns,
      "prefill-time", G_TYPE_UINT64, window->prefill_ns,
      "decode-time", G_TYPE_UINT64, window->decode_ns,
      "dropped-windows", G_TYPE_UINT64, dropped,
      "model", G_TYPE_STRING, model, "device", G_TYPE_STRING, device, NULL);
  return structure;
}

GstStructure *
gst_llavaov_no_frames_to_structure (const GstLlavaovWindow * window,
    const gchar * stream)
{
  GstStructure *structure = gst_structure_new (window->quiet ?
      GST_LLAVAOV_QUIET_NAME : GST_LLAVAOV_NO_FRAMES_NAME, "stream",
      G_TYPE_STRING, stream, NULL);

  set_times (structure, window);
  gst_structure_set (structure,
      "utc-start", G_TYPE_UINT64, (guint64) window->utc_start,
      "reason", G_TYPE_STRING, window->reason, NULL);
  return structure;
}

GstStructure *
gst_llavaov_no_answer_to_structure (guint64 id, const gchar * stream,
    const gchar * question, const gchar * prompt, const gchar * reason,
    const gchar * text)
{
  GstStructure *structure = gst_structure_new (GST_LLAVAOV_NO_ANSWER_NAME,
      "stream", G_TYPE_STRING, stream, "ask-id", G_TYPE_UINT64, id,
      "reason", G_TYPE_STRING, reason, NULL);

  if (question)
    gst_structure_set (structure, "question", G_TYPE_STRING, question, NULL);
  if (prompt)
    gst_structure_set (structure, "prompt", G_TYPE_STRING, prompt, NULL);
  if (text)
    gst_structure_set (structure, "message", G_TYPE_STRING, text, NULL);
  return structure;
}

static gboolean add_field (GQuark field, const GValue * value, gpointer object);

static json_t *
value_to_json (const GValue * value)
{
  if (GST_VALUE_HOLDS_STRUCTURE (value)) {
    json_t *object = json_object ();

    gst_structure_foreach (gst_value_get_structure (value), add_field, object);
    return object;
  }
  if (G_VALUE_HOLDS_STRING (value)) {
    const gchar *text = g_value_get_string (value);

    return text ? json_string (text) : json_null ();
  }
  if (G_VALUE_HOLDS_UINT (value))
    return json_integer (g_value_get_uint (value));
  if (G_VALUE_HOLDS_UINT64 (value)) {
    guint64 number = g_value_get_uint64 (value);

    return number > G_MAXINT64 ? json_null () :
        json_integer ((json_int_t) number);
  }
  if (G_VALUE_HOLDS_BOOLEAN (value))
    return json_boolean (g_value_get_boolean (value));
  if (G_VALUE_HOLDS_DOUBLE (value)) {
    /* NULL where it is not finite. */
    json_t *number = json_real (g_value_get_double (value));

    return number ? number : json_null ();
  }
  if (GST_VALUE_HOLDS_ARRAY (value)) {
    json_t *array = json_array ();
    guint i;

    for (i = 0; i < gst_value_array_get_size (value); i++)
      json_array_append_new (array,
          value_to_json (gst_value_array_get_value (value, i)));
    return array;
  }
  return json_null ();
}

static gboolean
add_field (GQuark field, const GValue * value, gpointer object)
{
  json_object_set_new (object, g_quark_to_string (field),
      value_to_json (value));
  return TRUE;
}

gchar *
gst_llavaov_answer_to_json (const GstStructure * answer)
{
  json_t *object = json_object ();
  char *line;
  gchar *copy;

  gst_structure_foreach (answer, add_field, object);
  line = json_dumps (object, JSON_COMPACT | JSON_PRESERVE_ORDER);
  json_decref (object);
  copy = g_strdup (line ? line : "{}");
  free (line);
  return copy;
}

void
gst_llavaov_answer_attach (const GstStructure * answer, GstBuffer * buffer)
{
  GstCustomMeta *meta =
      gst_buffer_add_custom_meta (buffer, GST_LLAVAOV_META_NAME);

  if (meta)
    gst_structure_foreach (answer, copy_field,
        gst_custom_meta_get_structure (meta));
}
