/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics-internal.h"

#include <string.h>

#define MOST_CHOICES 64

typedef struct FamilyWriter {
    MetricsSource write;
    gpointer data;
} FamilyWriter;

const gchar *const metrics_finish_reasons[] = {"stop", "length", "cancelled", "other"};
const gchar *const metrics_drop_reasons[] = {
    "overload", "flush", "stopped", "remote-down", "failed", "other"};
G_STATIC_ASSERT(G_N_ELEMENTS(metrics_finish_reasons) == METRICS_N_FINISHES);
G_STATIC_ASSERT(G_N_ELEMENTS(metrics_drop_reasons) == METRICS_N_DROPS);

const MetricsStat metrics_stats[] = {
    {"windows", "llavaov_windows_total", "Windows of video that were to be answered."},
    {"failed-windows", "llavaov_failed_windows_total", "Windows whose answer failed."},
    {"empty-windows", "llavaov_empty_windows_total", "Live windows without a frame."},
    {"idle-windows", "llavaov_idle_windows_total", "Windows in which nothing triggered."},
    {"frames-seen", "llavaov_frames_seen_total", "Frames that came."},
    {"frames-sampled", "llavaov_frames_sampled_total", "Frames that were chosen for a window."},
    {"frames-encoded", "llavaov_frames_encoded_total",
        "Frames that went through the vision tower."},
    {"frames-reused", "llavaov_frames_reused_total",
        "Frames that took the embeddings of another one."},
};
G_STATIC_ASSERT(G_N_ELEMENTS(metrics_stats) == METRICS_N_STATS);

static void clear_choices(MetricsQuestion *question)
{
    for (guint i = 0; question->choices && i < question->choices->len; i++)
        g_free(g_array_index(question->choices, MetricsChoice, i).labels);
    if (question->choices)
        g_array_unref(question->choices);
    question->choices = NULL;
}

static void free_question(gpointer data)
{
    MetricsQuestion *question = data;

    clear_choices(question);
    g_free(question->name);
    g_free(question->labels);
    g_free(question);
}

static void free_stream(gpointer data)
{
    MetricsOfStream *stream = data;

    g_ptr_array_unref(stream->questions);
    g_free(stream->name);
    g_free(stream->labels);
    g_free(stream);
}

static void begin_times(Histogram *times, guint n)
{
    for (guint i = 0; i < n; i++)
        times[i].buckets =
            i == METRICS_FIRST_TOKEN || i == METRICS_ENCODE
                ? &histogram_first_token
                : (i == METRICS_BETWEEN_TOKENS ? &histogram_between_tokens : &histogram_latency);
}

Metrics *metrics_new(gboolean vllm)
{
    Metrics *metrics = g_new0(Metrics, 1);

    g_mutex_init(&metrics->lock);
    metrics->vllm = vllm;
    metrics->streams = g_ptr_array_new_with_free_func(free_stream);
    metrics->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    metrics->sources = g_array_new(FALSE, FALSE, sizeof(FamilyWriter));
    begin_times(metrics->times, METRICS_N_TIMES);
    return metrics;
}

void metrics_add_source(Metrics *metrics, MetricsSource source, gpointer data)
{
    FamilyWriter new = {source, data};

    g_array_append_val(metrics->sources, new);
}

static MetricsOfStream *find(Metrics *metrics, const gchar *name)
{
    return name ? g_hash_table_lookup(metrics->by_name, name) : NULL;
}

static MetricsOfStream *add_stream(Metrics *metrics, const gchar *name)
{
    MetricsOfStream *stream = g_new0(MetricsOfStream, 1);

    stream->name = g_strdup(name);
    stream->labels = metrics_text_labels("stream", name, NULL);
    stream->questions = g_ptr_array_new_with_free_func(free_question);
    begin_times(stream->times, METRICS_N_STREAM_TIMES);
    g_ptr_array_add(metrics->streams, stream);
    g_hash_table_insert(metrics->by_name, stream->name, stream);
    return stream;
}

static MetricsQuestion *find_question(const MetricsOfStream *stream, const gchar *name)
{
    for (guint i = 0; i < stream->questions->len; i++) {
        MetricsQuestion *question = stream->questions->pdata[i];

        if (g_strcmp0(question->name, name) == 0)
            return question;
    }
    return NULL;
}

static gboolean still_asked(const MetricsStream *what, const MetricsQuestion *question)
{
    for (guint i = 0; i < what->n_questions; i++)
        if (g_strcmp0(what->questions[i], question->name) == 0)
            return TRUE;
    return FALSE;
}

static void set_questions(MetricsOfStream *stream, const MetricsStream *what)
{
    for (guint i = stream->questions->len; i-- > 0;)
        if (!still_asked(what, stream->questions->pdata[i]))
            g_ptr_array_remove_index(stream->questions, i);
    for (guint i = 0; i < what->n_questions; i++) {
        const gchar *name = what->questions[i];
        MetricsQuestion *question;

        if (find_question(stream, name))
            continue;
        question = g_new0(MetricsQuestion, 1);
        question->name = g_strdup(name);
        question->labels =
            metrics_text_labels("stream", stream->name, "question", name ? name : "", NULL);
        g_ptr_array_add(stream->questions, question);
    }
}

void metrics_set_stream(Metrics *metrics, const gchar *name, const MetricsStream *what)
{
    MetricsOfStream *stream;

    g_mutex_lock(&metrics->lock);
    stream = find(metrics, name);
    if (!stream)
        stream = add_stream(metrics, name);
    stream->up = what->up;
    stream->enabled = what->enabled;
    stream->reconnects = what->reconnects;
    set_questions(stream, what);
    g_mutex_unlock(&metrics->lock);
}

void metrics_remove_stream(Metrics *metrics, const gchar *name)
{
    MetricsOfStream *stream;

    g_mutex_lock(&metrics->lock);
    stream = find(metrics, name);
    if (stream) {
        g_hash_table_remove(metrics->by_name, name);
        g_ptr_array_remove(metrics->streams, stream);
    }
    g_mutex_unlock(&metrics->lock);
}

static guint word(const gchar *const *words, guint n, const gchar *text)
{
    guint i = 0;

    while (i < n - 1 && g_strcmp0(words[i], text) != 0)
        i++;
    return i;
}

static const gchar *text_of(const json_t *record, const char *field)
{
    return json_string_value(json_object_get(record, field));
}

static guint64 count_of(const json_t *record, const char *field)
{
    return (guint64)MAX(json_integer_value(json_object_get(record, field)), 0);
}

static gdouble seconds_of(const json_t *record, const char *field)
{
    return (gdouble)count_of(record, field) / 1e9;
}

static void take_choices(MetricsOfStream *stream, MetricsQuestion *question, const json_t *record)
{
    const json_t *choices = json_object_get(record, "choices");
    const json_t *probabilities = json_object_get(record, "probabilities");
    size_t n = MIN(MIN(json_array_size(choices), json_array_size(probabilities)), MOST_CHOICES);

    clear_choices(question);
    if (n == 0)
        return;
    question->label_mass = json_number_value(json_object_get(record, "label-mass"));
    question->choices = g_array_new(FALSE, FALSE, sizeof(MetricsChoice));
    for (size_t i = 0; i < n; i++) {
        const gchar *choice = json_string_value(json_array_get(choices, i));
        MetricsChoice new = {.probability = json_number_value(json_array_get(probabilities, i))};

        new.labels = metrics_text_labels("stream", stream->name, "question",
            question->name ? question->name : "", "choice", choice ? choice : "", NULL);
        g_array_append_val(question->choices, new);
    }
}

/* `raised` and `falling` are on (docs/alerts.md). */
static void take_alert_state(MetricsQuestion *question, const gchar *state)
{
    question->has_alert = state != NULL;
    question->alert = g_strcmp0(state, "raised") == 0 || g_strcmp0(state, "falling") == 0;
}

static void count_answer(MetricsCounts *counts, const json_t *record)
{
    counts->answers[word(
        metrics_finish_reasons, METRICS_N_FINISHES, text_of(record, "finish-reason"))]++;
    counts->prompt_tokens += count_of(record, "prompt-tokens");
    counts->new_tokens += count_of(record, "new-tokens");
}

static void take_answer(Metrics *metrics, MetricsOfStream *stream, const json_t *record)
{
    gdouble prefill = seconds_of(record, "prefill-time"),
            decode = seconds_of(record, "decode-time");
    gdouble first = seconds_of(record, "time-to-first-token");
    guint64 tokens = count_of(record, "new-tokens");
    const gdouble times[METRICS_N_TIMES] = {
        [METRICS_FIRST_TOKEN] = first,
        [METRICS_ANSWER] = seconds_of(record, "answer-latency"),
        [METRICS_ENCODE] = seconds_of(record, "encode-time"),
        [METRICS_PREFILL] = prefill,
        [METRICS_DECODE] = decode,
        [METRICS_REQUEST] = first + decode,
        [METRICS_QUEUE] = MAX(first - prefill, 0),
        [METRICS_INFERENCE] = prefill + decode,
        [METRICS_BETWEEN_TOKENS] = tokens > 1 ? decode / (gdouble)(tokens - 1) : 0,
    };
    const gchar *model = text_of(record, "model");

    count_answer(&stream->counts, record);
    count_answer(&metrics->counts, record);
    for (guint i = 0; i < METRICS_N_STREAM_TIMES; i++)
        histogram_observe(&stream->times[i], times[i]);
    for (guint i = 0; i < METRICS_N_TIMES; i++)
        if (i != METRICS_BETWEEN_TOKENS || tokens > 1)
            histogram_observe(&metrics->times[i], times[i]);
    stream->answered_at = g_get_real_time();
    if (model && g_strcmp0(model, metrics->model) != 0) {
        g_free(metrics->model);
        metrics->model = g_strdup(model);
    }
}

void metrics_take_record(Metrics *metrics, const gchar *name, const json_t *record)
{
    const gchar *state = text_of(record, "state");
    MetricsOfStream *stream;
    MetricsQuestion *question = NULL;

    g_mutex_lock(&metrics->lock);
    stream = find(metrics, name);
    /* What somebody asked in between is counted, and is no question of the camera. */
    if (stream && !json_object_get(record, "ask-id"))
        question = find_question(stream, text_of(record, "question"));
    if (stream && !state)
        take_answer(metrics, stream, record);
    if (question && !state) {
        take_choices(stream, question, record);
        take_alert_state(question, text_of(record, "alert"));
    } else if (question) {
        question->raised += strcmp(state, "raised") == 0;
        question->cleared += strcmp(state, "cleared") == 0;
        take_alert_state(question, state);
    }
    g_mutex_unlock(&metrics->lock);
}

void metrics_take_stats(Metrics *metrics, const gchar *name, const GstStructure *stats)
{
    MetricsOfStream *stream;

    g_mutex_lock(&metrics->lock);
    stream = find(metrics, name);
    for (guint i = 0; stream && i < METRICS_N_STATS; i++) {
        guint64 now = 0;

        gst_structure_get_uint64(stats, metrics_stats[i].field, &now);
        stream->stats[i] += now >= stream->seen[i] ? now - stream->seen[i] : now;
        stream->seen[i] = now;
    }
    if (stream) {
        gst_structure_get_uint(stats, "requests-running", &stream->requests_running);
        gst_structure_get_uint(stats, "requests-waiting", &stream->requests_waiting);
    }
    g_mutex_unlock(&metrics->lock);
}

void metrics_begin_stats(Metrics *metrics, const gchar *name)
{
    MetricsOfStream *stream;

    g_mutex_lock(&metrics->lock);
    stream = find(metrics, name);
    if (stream) {
        memset(stream->seen, 0, sizeof(stream->seen));
        stream->requests_running = stream->requests_waiting = 0;
        for (guint i = 0; i < stream->questions->len; i++)
            ((MetricsQuestion *)stream->questions->pdata[i])->alert = FALSE;
    }
    g_mutex_unlock(&metrics->lock);
}

void metrics_take_drop(Metrics *metrics, const gchar *name, const gchar *reason)
{
    MetricsOfStream *stream;

    g_mutex_lock(&metrics->lock);
    stream = find(metrics, name);
    if (stream)
        stream->drops[word(metrics_drop_reasons, METRICS_N_DROPS, reason)]++;
    g_mutex_unlock(&metrics->lock);
}

gchar *metrics_text(Metrics *metrics, gsize *length)
{
    GString *out;

    g_mutex_lock(&metrics->lock);
    out = g_string_sized_new(metrics->last_length + 4096);
    metrics_write(metrics, out);
    if (metrics->vllm)
        metrics_write_vllm(metrics, out);
    g_mutex_unlock(&metrics->lock);
    metrics_write_process(out);
    for (guint i = 0; i < metrics->sources->len; i++) {
        const FamilyWriter *source = &g_array_index(metrics->sources, FamilyWriter, i);

        source->write(source->data, out);
    }
    g_mutex_lock(&metrics->lock);
    metrics->last_length = out->len;
    g_mutex_unlock(&metrics->lock);
    *length = out->len;
    return g_string_free(out, FALSE);
}

void metrics_free(Metrics *metrics)
{
    g_hash_table_unref(metrics->by_name);
    g_ptr_array_unref(metrics->streams);
    g_array_unref(metrics->sources);
    g_free(metrics->model);
    g_mutex_clear(&metrics->lock);
    g_free(metrics);
}
