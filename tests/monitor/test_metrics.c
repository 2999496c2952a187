/* SPDX-License-Identifier: Apache-2.0
 * Metrics without cameras: what is counted, what becomes a label, and that no text does.
 *
 *   test-metrics               the tests
 *   test-metrics --text N      the text of N streams, for promtool and others
 *   test-metrics --time N      how much of a processor it takes to make
 */
#include "metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const gchar *const one[] = {NULL};
static const gchar *const two[] = {"person", "what"};

static void take(Metrics *metrics, const gchar *stream, const gchar *record)
{
    json_error_t error;
    json_t *json = json_loads(record, 0, &error);

    assert_non_null(json);
    metrics_take_record(metrics, stream, json);
    json_decref(json);
}

static void add(Metrics *metrics, const gchar *stream, const gchar *const *questions, guint n)
{
    metrics_set_stream(metrics, stream, &(MetricsStream){TRUE, TRUE, 3, questions, n});
}

static const gchar answer[] =
    "{\"seq\":1,\"prompt\":\"PROMPT\",\"text\":\"TEXT\",\"finish-reason\":\"stop\",\"choices\":["
    "\"yes\",\"no "
    "\\\"not\\\"\\\\\\n\"],\"probabilities\":[0.25,0.75],\"label-mass\":0.5,\"alert\":\"falling\","
    "\"prompt-tokens\":100,"
    "\"new-tokens\":5,\"time-to-first-token\":200000000,\"answer-latency\":700000000,\"encode-"
    "time\":50000000,\"prefill-"
    "time\":150000000,\"decode-time\":400000000,\"model\":\"camera-check\"}";

static gchar *text_of(Metrics *metrics)
{
    gsize length;

    return metrics_text(metrics, &length);
}

static void assert_has(const gchar *text, const gchar *line)
{
    gchar *whole = g_strdup_printf("\n%s\n", line);

    if (!strstr(text, whole))
        fail_msg("%s is not in\n%s", line, text);
    g_free(whole);
}

static void test_counts(void **state)
{
    static const gchar *const lines[] = {
        "llavaov_stream_up{stream=\"gate\"} 1",
        "llavaov_stream_reconnects_total{stream=\"gate\"} 3",
        "llavaov_answers_total{stream=\"gate\",finish_reason=\"stop\"} 2",
        "llavaov_answers_total{stream=\"gate\",finish_reason=\"other\"} 1",
        "llavaov_prompt_tokens_total{stream=\"gate\"} 200",
        "llavaov_generation_tokens_total{stream=\"gate\"} 10",
        "llavaov_windows_total{stream=\"gate\"} 15",
        "llavaov_requests_waiting{stream=\"gate\"} 2",
        "llavaov_requests_running{stream=\"gate\"} 1",
        "llavaov_dropped_windows_total{stream=\"gate\",reason=\"overload\"} 2",
        "llavaov_dropped_windows_total{stream=\"gate\",reason=\"other\"} 1",
        "llavaov_alert_state{stream=\"gate\",question=\"\"} 1",
        "llavaov_alerts_total{stream=\"gate\",question=\"\",state=\"raised\"} 1",
        "llavaov_choice_probability{stream=\"gate\",question=\"\",choice=\"yes\"} 0.25",
        "llavaov_choice_probability{stream=\"gate\",question=\"\",choice=\"no "
        "\\\"not\\\"\\\\\\n\"} 0.75",
        "llavaov_label_mass{stream=\"gate\",question=\"\"} 0.5",
        "llavaov_answer_latency_seconds_bucket{stream=\"gate\",le=\"0.5\"} 1",
        "llavaov_answer_latency_seconds_bucket{stream=\"gate\",le=\"0.8\"} 3",
        "llavaov_answer_latency_seconds_bucket{stream=\"gate\",le=\"+Inf\"} 3",
        "llavaov_answer_latency_seconds_count{stream=\"gate\"} 3",
        "llavaov_time_to_first_token_seconds_bucket{stream=\"gate\",le=\"0.25\"} 3",
        "vllm:prompt_tokens_total{model_name=\"camera-check\",engine=\"0\"} 200",
        "vllm:inter_token_latency_seconds_bucket{model_name=\"camera-check\",engine=\"0\",le=\"0."
        "1\"} 2",
        "vllm:inter_token_latency_seconds_count{model_name=\"camera-check\",engine=\"0\"} 2",
        "vllm:e2e_request_latency_seconds_bucket{model_name=\"camera-check\",engine=\"0\",le=\"0."
        "8\"} 3",
        "vllm:request_success_total{model_name=\"camera-check\",engine=\"0\",finished_reason="
        "\"stop\"} 2",
    };
    Metrics *metrics = metrics_new(TRUE);
    GstStructure *stats = gst_structure_new("s", "windows", G_TYPE_UINT64, (guint64)10,
        "requests-waiting", G_TYPE_UINT, 2, "requests-running", G_TYPE_UINT, 1, NULL);
    gchar *text;

    add(metrics, "gate", one, 1);
    take(metrics, "gate", answer);
    take(metrics, "gate", answer);
    take(metrics, "gate",
        "{\"finish-reason\":\"else\",\"alert\":\"raised\",\"choices\":[\"yes\",\"no "
        "\\\"not\\\"\\\\\\n\"],\"probabilities\":[0.25,0.75],\"label-mass\":0.5}");
    take(metrics, "gate", "{\"state\":\"raised\"}");
    metrics_take_stats(metrics, "gate", stats);
    metrics_take_stats(metrics, "gate", stats);
    metrics_begin_stats(metrics, "gate");
    gst_structure_set(stats, "windows", G_TYPE_UINT64, (guint64)5, NULL);
    metrics_take_stats(metrics, "gate", stats);
    take(metrics, "gate", "{\"state\":\"raised\",\"ask-id\":1}");
    metrics_take_drop(metrics, "gate", "overload");
    metrics_take_drop(metrics, "gate", "overload");
    metrics_take_drop(metrics, "gate", NULL);
    gst_structure_free(stats);
    /* The alert is clear after a new start, until an answer says otherwise. */
    text = text_of(metrics);
    assert_has(text, "llavaov_alert_state{stream=\"gate\",question=\"\"} 0");
    g_free(text);
    metrics_free(metrics);

    metrics = metrics_new(TRUE);
    add(metrics, "gate", one, 1);
    stats = gst_structure_new("s", "windows", G_TYPE_UINT64, (guint64)10, "requests-waiting",
        G_TYPE_UINT, 2, "requests-running", G_TYPE_UINT, 1, NULL);
    metrics_take_stats(metrics, "gate", stats);
    metrics_begin_stats(metrics, "gate");
    gst_structure_set(stats, "windows", G_TYPE_UINT64, (guint64)5, NULL);
    metrics_take_stats(metrics, "gate", stats);
    gst_structure_free(stats);
    take(metrics, "gate", "{\"finish-reason\":\"else\"}");
    take(metrics, "gate", "{\"state\":\"raised\"}");
    take(metrics, "gate", answer);
    take(metrics, "gate", answer);
    metrics_take_drop(metrics, "gate", "overload");
    metrics_take_drop(metrics, "gate", "overload");
    metrics_take_drop(metrics, "gate", "<script>");
    text = text_of(metrics);
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
        assert_has(text, lines[i]);
    assert_null(strstr(text, "PROMPT"));
    assert_null(strstr(text, "TEXT"));
    assert_null(strstr(text, "script"));
    g_free(text);
    metrics_free(metrics);
}

static guint lines_in(const gchar *text)
{
    guint n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Thousands of texts, names and streams that nobody configured: not a line more. */
static void test_no_label_grows(void **state)
{
    Metrics *metrics = metrics_new(TRUE);
    gchar *text, *record;
    guint lines;

    add(metrics, "gate", two, 2);
    take(metrics, "gate",
        "{\"question\":\"what\",\"text\":\"x\",\"finish-reason\":\"stop\",\"model\":\"m\"}");
    text = text_of(metrics);
    lines = lines_in(text);
    g_free(text);
    for (guint i = 0; i < 2000; i++) {
        record = g_strdup_printf("{\"ask-id\":%u,\"question\":\"%s\",\"prompt\":\"prompt "
                                 "%u\",\"text\":\"text %u\",\"finish-reason\":\"r%u\","
                                 "\"choices\":[\"a%u\",\"b\"],\"probabilities\":[0.5,0.5],"
                                 "\"alert\":\"raised\",\"model\":\"m\"}",
            i, i % 2 ? "what" : "invented", i, i, i, i);
        take(metrics, "gate", record);
        g_free(record);
        record = g_strdup_printf(
            "{\"question\":\"q%u\",\"text\":\"text %u\",\"state\":\"s%u\",\"model\":\"m\"}", i, i,
            i);
        take(metrics, "gate", record);
        take(metrics, "invented", record);
        g_free(record);
    }
    text = text_of(metrics);
    assert_int_equal(lines_in(text), lines);
    assert_null(strstr(text, "invented"));
    g_free(text);
    /* Other choices replace those before. */
    for (guint i = 0; i < 100; i++) {
        record = g_strdup_printf("{\"question\":\"what\",\"choices\":[\"a%u\",\"b\"],"
                                 "\"probabilities\":[0.5,0.5],\"model\":\"m\"}",
            i);
        take(metrics, "gate", record);
        g_free(record);
    }
    text = text_of(metrics);
    assert_int_equal(lines_in(text), lines + 3);
    g_free(text);
    /* What is gone is gone. */
    metrics_remove_stream(metrics, "gate");
    text = text_of(metrics);
    assert_null(strstr(text, "gate"));
    g_free(text);
    metrics_free(metrics);
}

static void test_questions_change(void **state)
{
    Metrics *metrics = metrics_new(FALSE);
    gchar *text;

    add(metrics, "a \"b\"\\c\xff", two, 2);
    take(metrics, "a \"b\"\\c\xff", "{\"question\":\"person\",\"alert\":\"clear\"}");
    text = text_of(metrics);
    assert_has(
        text, "llavaov_alert_state{stream=\"a \\\"b\\\"\\\\c\357\277\275\",question=\"person\"} 0");
    assert_null(strstr(text, "vllm:"));
    g_free(text);
    add(metrics, "a \"b\"\\c\xff", two + 1, 1);
    text = text_of(metrics);
    assert_null(strstr(text, "person"));
    g_free(text);
    metrics_free(metrics);
}

static Metrics *many(guint n)
{
    Metrics *metrics = metrics_new(TRUE);

    for (guint i = 0; i < n; i++) {
        gchar *name = g_strdup_printf("camera \"%u\"\\", i);

        add(metrics, name, one, 1);
        for (guint k = 0; k < 50; k++)
            take(metrics, name, answer);
        g_free(name);
    }
    return metrics;
}

/* Others may be busy. */
static gdouble processor_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (gdouble)now.tv_sec * 1e3 + (gdouble)now.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_no_label_grows),
        cmocka_unit_test(test_questions_change),
    };

    gst_init(NULL, NULL);
    if (argc == 3) {
        Metrics *metrics = many((guint)atoi(argv[2]));
        gboolean time = strcmp(argv[1], "--time") == 0;
        gchar *text = text_of(metrics);
        gdouble start = processor_ms();

        for (guint i = 0; time && i < 100; i++) {
            g_free(text);
            text = text_of(metrics);
        }

        if (time)
            printf("%u lines, %zu bytes: %.2f ms on average\n", lines_in(text), strlen(text),
                (processor_ms() - start) / 100);
        else
            fputs(text, stdout);
        g_free(text);
        metrics_free(metrics);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
