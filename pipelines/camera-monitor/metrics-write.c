/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics-internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "unknown"
#endif

typedef struct TimeFamily {
    MetricsTime time;
    const gchar *name, *help;
} TimeFamily;

static const TimeFamily stream_times[] = {
    {METRICS_FIRST_TOKEN, "llavaov_time_to_first_token_seconds",
        "From the question to the first token of the answer."},
    {METRICS_ANSWER, "llavaov_answer_latency_seconds",
        "From the last frame of the window to the answer."},
    {METRICS_ENCODE, "llavaov_encode_time_seconds",
        "Computing the embeddings of the frames of an answer."},
    {METRICS_PREFILL, "llavaov_request_prefill_time_seconds", "Computing the prompt of an answer."},
    {METRICS_DECODE, "llavaov_request_decode_time_seconds", "Computing the tokens of an answer."},
};

static const TimeFamily vllm_times[] = {
    {METRICS_FIRST_TOKEN, "vllm:time_to_first_token_seconds",
        "From the question to the first token."},
    {METRICS_BETWEEN_TOKENS, "vllm:inter_token_latency_seconds",
        "From token to token, on average over each answer."},
    {METRICS_REQUEST, "vllm:e2e_request_latency_seconds", "From the question to the answer."},
    {METRICS_QUEUE, "vllm:request_queue_time_seconds",
        "Before the prompt is computed; frames are encoded meanwhile."},
    {METRICS_INFERENCE, "vllm:request_inference_time_seconds", "Computing prompt and tokens."},
    {METRICS_PREFILL, "vllm:request_prefill_time_seconds", "Computing the prompt."},
    {METRICS_DECODE, "vllm:request_decode_time_seconds", "Computing the tokens."},
};

static const MetricsOfStream *stream_at(const Metrics *metrics, guint i)
{
    return metrics->streams->pdata[i];
}

/* A sample a stream: FAMILY(name, type, help, expression of `stream`). */
#define FAMILY(name, type, help, expression)                                                       \
    do {                                                                                           \
        metrics_text_family(out, name, type, help);                                                \
        for (guint i = 0; i < metrics->streams->len; i++) {                                        \
            const MetricsOfStream *stream = stream_at(metrics, i);                                 \
                                                                                                   \
            metrics_text_count(out, name, stream->labels, (expression));                           \
        }                                                                                          \
    } while (0)

static void write_by_word(const Metrics *metrics, GString *out, const gchar *name,
    const gchar *label, const gchar *const *words, guint n, gsize offset)
{
    for (guint i = 0; i < metrics->streams->len; i++) {
        const MetricsOfStream *stream = stream_at(metrics, i);
        const guint64 *counts = (const guint64 *)((const gchar *)stream + offset);

        for (guint k = 0; k < n; k++) {
            gchar *labels = g_strdup_printf("%s,%s=\"%s\"", stream->labels, label, words[k]);

            metrics_text_count(out, name, labels, counts[k]);
            g_free(labels);
        }
    }
}

static void write_counts(const Metrics *metrics, GString *out)
{
    FAMILY("llavaov_stream_up", "gauge", "1 while frames come.", stream->up);
    FAMILY("llavaov_stream_enabled", "gauge",
        "0 while the camera is switched off: nothing is asked.", stream->enabled);
    FAMILY("llavaov_stream_reconnects_total", "counter", "How often the camera has been away.",
        stream->reconnects);
    for (guint k = 0; k < METRICS_N_STATS; k++)
        FAMILY(metrics_stats[k].name, "counter", metrics_stats[k].help, stream->stats[k]);
    FAMILY("llavaov_prompt_tokens_total", "counter", "Tokens of prompts.",
        stream->counts.prompt_tokens);
    FAMILY("llavaov_generation_tokens_total", "counter", "Tokens of answers.",
        stream->counts.new_tokens);
    FAMILY("llavaov_requests_running", "gauge", "Questions that the engine works on.",
        stream->requests_running);
    FAMILY("llavaov_requests_waiting", "gauge", "Windows and questions that wait for the engine.",
        stream->requests_waiting);
    metrics_text_family(out, "llavaov_answers_total", "counter", "Answers, by what ended them.");
    write_by_word(metrics, out, "llavaov_answers_total", "finish_reason", metrics_finish_reasons,
        METRICS_N_FINISHES, G_STRUCT_OFFSET(MetricsOfStream, counts.answers));
    metrics_text_family(
        out, "llavaov_dropped_windows_total", "counter", "Windows without an answer, by cause.");
    write_by_word(metrics, out, "llavaov_dropped_windows_total", "reason", metrics_drop_reasons,
        METRICS_N_DROPS, G_STRUCT_OFFSET(MetricsOfStream, drops));
    metrics_text_family(out, "llavaov_last_answer_timestamp_seconds", "gauge",
        "When the latest answer came, in seconds since 1970.");
    for (guint i = 0; i < metrics->streams->len; i++)
        if (stream_at(metrics, i)->answered_at)
            metrics_text_number(out, "llavaov_last_answer_timestamp_seconds",
                stream_at(metrics, i)->labels, (gdouble)stream_at(metrics, i)->answered_at / 1e6);
}

static void write_times(const Metrics *metrics, GString *out)
{
    for (guint k = 0; k < G_N_ELEMENTS(stream_times); k++) {
        metrics_text_family(out, stream_times[k].name, "histogram", stream_times[k].help);
        for (guint i = 0; i < metrics->streams->len; i++)
            metrics_text_histogram(out, stream_times[k].name, stream_at(metrics, i)->labels,
                &stream_at(metrics, i)->times[stream_times[k].time]);
    }
}

typedef void (*WriteQuestion)(const MetricsQuestion *question, GString *out);

static void write_alert_state(const MetricsQuestion *question, GString *out)
{
    if (question->has_alert)
        metrics_text_count(out, "llavaov_alert_state", question->labels, question->alert);
}

static void write_alerts(const MetricsQuestion *question, GString *out)
{
    const struct {
        const gchar *state;
        guint64 count;
    } each[] = {{"raised", question->raised}, {"cleared", question->cleared}};

    for (guint i = 0; question->has_alert && i < G_N_ELEMENTS(each); i++) {
        gchar *labels = g_strdup_printf("%s,state=\"%s\"", question->labels, each[i].state);

        metrics_text_count(out, "llavaov_alerts_total", labels, each[i].count);
        g_free(labels);
    }
}

static void write_probabilities(const MetricsQuestion *question, GString *out)
{
    for (guint i = 0; question->choices && i < question->choices->len; i++) {
        const MetricsChoice *choice = &g_array_index(question->choices, MetricsChoice, i);

        metrics_text_number(out, "llavaov_choice_probability", choice->labels, choice->probability);
    }
}

static void write_label_mass(const MetricsQuestion *question, GString *out)
{
    if (question->choices)
        metrics_text_number(out, "llavaov_label_mass", question->labels, question->label_mass);
}

static void write_questions(const Metrics *metrics, GString *out)
{
    const struct {
        const gchar *name, *type, *help;
        WriteQuestion write;
    } families[] = {
        {"llavaov_alert_state", "gauge", "1 while the alert is raised.", write_alert_state},
        {"llavaov_alerts_total", "counter", "Alerts that were raised and cleared.", write_alerts},
        {"llavaov_choice_probability", "gauge",
            "How probable each label was in the latest answer, among all labels.",
            write_probabilities},
        {"llavaov_label_mass", "gauge",
            "How probable it was that the latest answer begins with any label.", write_label_mass},
    };

    for (guint k = 0; k < G_N_ELEMENTS(families); k++) {
        metrics_text_family(out, families[k].name, families[k].type, families[k].help);
        for (guint i = 0; i < metrics->streams->len; i++)
            for (guint q = 0; q < stream_at(metrics, i)->questions->len; q++)
                families[k].write(stream_at(metrics, i)->questions->pdata[q], out);
    }
}

void metrics_write(const Metrics *metrics, GString *out)
{
    gchar *labels = metrics_text_labels(
        "version", VERSION, "model", metrics->model ? metrics->model : "", NULL);

    metrics_text_family(out, "llavaov_build_info", "gauge",
        "Always 1; the version of the program, and the model of the latest answer.");
    metrics_text_count(out, "llavaov_build_info", labels, 1);
    g_free(labels);
    write_counts(metrics, out);
    write_times(metrics, out);
    write_questions(metrics, out);
}

void metrics_write_vllm(const Metrics *metrics, GString *out)
{
    gchar *labels = metrics_text_labels(
        "model_name", metrics->model ? metrics->model : "", "engine", "0", NULL);
    guint64 running = 0, waiting = 0;

    for (guint i = 0; i < metrics->streams->len; i++) {
        running += stream_at(metrics, i)->requests_running;
        waiting += stream_at(metrics, i)->requests_waiting;
    }
    metrics_text_family(
        out, "vllm:num_requests_running", "gauge", "Questions that the engine works on.");
    metrics_text_count(out, "vllm:num_requests_running", labels, running);
    metrics_text_family(
        out, "vllm:num_requests_waiting", "gauge", "Windows and questions that wait.");
    metrics_text_count(out, "vllm:num_requests_waiting", labels, waiting);
    metrics_text_family(out, "vllm:prompt_tokens_total", "counter", "Tokens of prompts.");
    metrics_text_count(out, "vllm:prompt_tokens_total", labels, metrics->counts.prompt_tokens);
    metrics_text_family(out, "vllm:generation_tokens_total", "counter", "Tokens of answers.");
    metrics_text_count(out, "vllm:generation_tokens_total", labels, metrics->counts.new_tokens);
    metrics_text_family(
        out, "vllm:request_success_total", "counter", "Answers, by what ended them.");
    for (guint i = 0; i < METRICS_N_FINISHES; i++) {
        gchar *more =
            g_strdup_printf("%s,finished_reason=\"%s\"", labels, metrics_finish_reasons[i]);

        metrics_text_count(out, "vllm:request_success_total", more, metrics->counts.answers[i]);
        g_free(more);
    }
    for (guint i = 0; i < G_N_ELEMENTS(vllm_times); i++) {
        metrics_text_family(out, vllm_times[i].name, "histogram", vllm_times[i].help);
        metrics_text_histogram(
            out, vllm_times[i].name, labels, &metrics->times[vllm_times[i].time]);
    }
    g_free(labels);
}

static guint64 open_files(void)
{
    GDir *folder = g_dir_open("/proc/self/fd", 0, NULL);
    guint64 n = 0;

    while (folder && g_dir_read_name(folder))
        n++;
    if (folder)
        g_dir_close(folder);
    return n;
}

/* Under the names that all of Prometheus' own clients have. */
void metrics_write_process(GString *out)
{
    struct timespec cpu = {0, 0};
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    metrics_text_family(out, "process_cpu_seconds_total", "counter", "Time on processors.");
    metrics_text_number(
        out, "process_cpu_seconds_total", NULL, (gdouble)cpu.tv_sec + (gdouble)cpu.tv_nsec / 1e9);
    metrics_text_family(out, "process_resident_memory_bytes", "gauge", "Memory that is resident.");
    metrics_text_count(
        out, "process_resident_memory_bytes", NULL, pages * (guint64)sysconf(_SC_PAGESIZE));
    metrics_text_family(out, "process_open_fds", "gauge", "Open files and connections.");
    metrics_text_count(out, "process_open_fds", NULL, open_files());
}
