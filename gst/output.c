/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include "answers.h"
#include "classification.h"

GST_DEBUG_CATEGORY_EXTERN (gst_llavaov_debug);
#define GST_CAT_DEFAULT gst_llavaov_debug

/* Answers that may wait for a buffer to carry them. */
#define MAX_METAS 64

void
gst_llavaov_output_init (GstLlavaovOutput * output)
{
  g_mutex_init (&output->lock);
  g_queue_init (&output->metas);
  output->together = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_structure_free);
}

static void
clear_metas (GstLlavaovOutput * output)
{
  GstStructure *meta;

  while ((meta = g_queue_pop_head (&output->metas)))
    gst_structure_free (meta);
  g_ptr_array_set_size (output->together, 0);
}

void
gst_llavaov_output_clear (GstLlavaovOutput * output)
{
  clear_metas (output);
  g_ptr_array_unref (output->together);
  gst_clear_structure (&output->sticky);
  g_free (output->last_answer);
  g_mutex_clear (&output->lock);
}

void
gst_llavaov_output_start (GstLlavaovOutput * output)
{
  g_mutex_lock (&output->lock);
  memset (&output->stats, 0, sizeof (output->stats));
  memset (output->doubts, 0, sizeof (output->doubts));
  output->device_failures = 0;
  output->failed_seq = G_MAXUINT64;
  g_mutex_unlock (&output->lock);
}

void
gst_llavaov_output_stop (GstLlavaovOutput * output)
{
  g_mutex_lock (&output->lock);
  gst_clear_structure (&output->sticky);
  g_mutex_unlock (&output->lock);
}

void
gst_llavaov_output_flush (GstLlavaovOutput * output, guint flushes)
{
  g_mutex_lock (&output->lock);
  output->flushes = flushes;
  clear_metas (output);
  g_mutex_unlock (&output->lock);
}

void
gst_llavaov_output_set_text_meets (GstLlavaovOutput * output, gboolean meets)
{
  g_mutex_lock (&output->lock);
  output->text_meets = meets;
  g_mutex_unlock (&output->lock);
}

gboolean
gst_llavaov_output_text_meets (GstLlavaovOutput * output)
{
  gboolean meets;

  g_mutex_lock (&output->lock);
  meets = output->text_meets;
  g_mutex_unlock (&output->lock);
  return meets;
}

void
gst_llavaov_output_count (GstLlavaovOutput * output, GstLlavaovCount count)
{
  g_mutex_lock (&output->lock);
  output->stats.count[count]++;
  g_mutex_unlock (&output->lock);
}

guint64
gst_llavaov_output_read (GstLlavaovOutput * output, GstLlavaovCount count)
{
  guint64 value;

  g_mutex_lock (&output->lock);
  value = output->stats.count[count];
  g_mutex_unlock (&output->lock);
  return value;
}

void
gst_llavaov_output_set_engine (GstLlavaovOutput * output,
    const LlavaovEngineInfo * info)
{
  GstLlavaovStats *stats = &output->stats;

  g_mutex_lock (&output->lock);
  stats->load_ns = info->load_ns;
  g_strlcpy (stats->device, info->device, sizeof (stats->device));
  g_strlcpy (stats->precision, info->precision, sizeof (stats->precision));
  g_mutex_unlock (&output->lock);
}

gboolean
gst_llavaov_output_notice (GstLlavaovOutput * output, const gchar * notice)
{
  GstLlavaovStats *stats = &output->stats;
  gboolean first;

  if (notice == NULL)
    return FALSE;
  g_mutex_lock (&output->lock);
  first = stats->notice[0] == '\0';
  if (first)
    g_strlcpy (stats->notice, notice, sizeof (stats->notice));
  g_mutex_unlock (&output->lock);
  return first;
}

guint
gst_llavaov_output_count_failure (GstLlavaovOutput * output,
    const GstLlavaovWindow * window)
{
  guint failures;

  g_mutex_lock (&output->lock);
  if (output->failed_seq != window->seq) {
    output->stats.count[GST_LLAVAOV_COUNT_FAILED_WINDOWS]++;
    if (window->status == LLAVAOV_ERROR_DEVICE)
      output->device_failures++;
    else
      output->device_failures = 0;
  }
  output->failed_seq = window->seq;
  failures = output->device_failures;
  g_mutex_unlock (&output->lock);
  return failures;
}

guint
gst_llavaov_output_count_doubt (GstLlavaovOutput * output,
    guint question_index, gboolean valid)
{
  guint *count = &output->doubts[question_index];
  guint doubts;

  g_mutex_lock (&output->lock);
  doubts = *count = valid ? 0 : *count + 1;
  g_mutex_unlock (&output->lock);
  return doubts;
}

GstStructure *
gst_llavaov_output_stats (GstLlavaovOutput * output,
    const LlavaovSessionStats * session)
{
  GstStructure *structure;

  g_mutex_lock (&output->lock);
  structure = gst_llavaov_stats_to_structure (&output->stats, session);
  g_mutex_unlock (&output->lock);
  return structure;
}

void
gst_llavaov_output_answer (GstLlavaovOutput * output,
    const GstLlavaovWindow * window)
{
  GstLlavaovStats *stats = &output->stats;

  g_mutex_lock (&output->lock);
  output->device_failures = 0;
  stats->count[GST_LLAVAOV_COUNT_ANSWERS]++;
  stats->prompt_tokens += window->prompt_tokens;
  stats->new_tokens += window->new_tokens;
  stats->encode_ns += window->encode_ns;
  stats->prefill_ns += window->prefill_ns;
  stats->decode_ns += window->decode_ns;
  g_free (output->last_answer);
  if (window->question)
    output->last_answer =
        g_strdup_printf ("%s: %s", window->question, window->text);
  else if (window->ask_id)
    output->last_answer = g_strdup_printf ("ask %" G_GUINT64_FORMAT ": %s",
        window->ask_id, window->text);
  else
    output->last_answer = g_strdup (window->text);
  g_mutex_unlock (&output->lock);
}

gchar *
gst_llavaov_output_last_answer (GstLlavaovOutput * output)
{
  gchar *text;

  g_mutex_lock (&output->lock);
  text = g_strdup (output->last_answer);
  g_mutex_unlock (&output->lock);
  return text;
}

/* The answers of one window as one: what they have in common, and the list `answers`. */
static GstStructure *
join (const GPtrArray * together)
{
  static const gchar *const common[] = {
    "stream", "seq", "n-questions", "trigger", "trigger-time",
    "motion-level", "scene-change", "objects", "timestamp", "stream-time",
    "running-time", "duration", "n-frames", "frame-times", "decoded",
    "utc-start",
    "dropped-windows", "model", "device"
  };
  const GstStructure *first = g_ptr_array_index (together, 0);
  GstStructure *joined = gst_structure_new_empty (GST_LLAVAOV_ANSWER_NAME);
  GValue answers = G_VALUE_INIT, answer = G_VALUE_INIT;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (common); i++)
    if (gst_structure_has_field (first, common[i]))
      gst_structure_set_value (joined, common[i],
          gst_structure_get_value (first, common[i]));
  g_value_init (&answers, GST_TYPE_ARRAY);
  g_value_init (&answer, GST_TYPE_STRUCTURE);
  for (i = 0; i < together->len; i++) {
    gst_value_set_structure (&answer, g_ptr_array_index (together, i));
    gst_value_array_append_value (&answers, &answer);
  }
  g_value_unset (&answer);
  gst_structure_take_value (joined, "answers", &answers);
  return joined;
}

/* What is complete with this answer, or NULL. Takes it. */
static GstStructure *
complete (GstLlavaovOutput * output, const GstLlavaovWindow * window,
    GstStructure * answer)
{
  GPtrArray *together = output->together;

  if (window->n_questions <= 1)
    return answer;
  if (window->question_index == 0)
    g_ptr_array_set_size (together, 0);
  if (answer)
    g_ptr_array_add (together, answer);
  if (window->question_index + 1 < window->n_questions || together->len == 0)
    return NULL;
  answer = join (together);
  g_ptr_array_set_size (together, 0);
  return answer;
}

void
gst_llavaov_output_add_meta (GstLlavaovOutput * output,
    const GstLlavaovWindow * window, GstStructure * answer)
{
  g_mutex_lock (&output->lock);
  if (window->flushes == output->flushes && !window->ask_id)
    answer = complete (output, window, answer);
  if (answer && window->flushes == output->flushes) {
    g_queue_push_tail (&output->metas, gst_structure_copy (answer));
    if (output->metas.length > MAX_METAS)
      gst_structure_free (g_queue_pop_head (&output->metas));
    if (!window->ask_id) {
      gst_clear_structure (&output->sticky);
      output->sticky = g_steal_pointer (&answer);
    }
  }
  g_mutex_unlock (&output->lock);
  gst_clear_structure (&answer);
}

static GstBuffer *
attach (GstLlavaovOutput * output, const GstStructure * answer,
    GstBuffer * buffer)
{
  buffer = gst_buffer_make_writable (buffer);
  gst_llavaov_answer_attach (answer, buffer);
  if (!gst_llavaov_classification_attach (answer, buffer, &output->n_labels))
    GST_WARNING ("more than %d labels: some are in no classification",
        GST_LLAVAOV_MAX_CLASS_LABELS);
  return buffer;
}

GstBuffer *
gst_llavaov_output_attach (GstLlavaovOutput * output, GstLlavaovMetaMode mode,
    GstBuffer * buffer)
{
  GstStructure *answer;

  g_mutex_lock (&output->lock);
  while ((answer = g_queue_pop_head (&output->metas))) {
    if (mode == GST_LLAVAOV_META_ONCE)
      buffer = attach (output, answer, buffer);
    gst_structure_free (answer);
  }
  if (mode == GST_LLAVAOV_META_STICKY && output->sticky)
    buffer = attach (output, output->sticky, buffer);
  g_mutex_unlock (&output->lock);
  return buffer;
}
