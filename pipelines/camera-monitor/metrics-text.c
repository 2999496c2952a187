/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics-text.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

void metrics_text_family(GString *out, const gchar *name, const gchar *type, const gchar *help)
{
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_escaped(GString *out, const gchar *value)
{
    gchar *valid = g_utf8_make_valid(value, -1);

    for (const gchar *c = valid; *c; c++) {
        if (*c == '\n')
            g_string_append(out, "\\n");
        else if (*c == '\\' || *c == '"')
            g_string_append_printf(out, "\\%c", *c);
        else
            g_string_append_c(out, *c);
    }
    g_free(valid);
}

gchar *metrics_text_labels(const gchar *name, ...)
{
    GString *labels = g_string_new(NULL);
    va_list rest;

    va_start(rest, name);
    for (; name; name = va_arg(rest, const gchar *)) {
        g_string_append_printf(labels, "%s%s=\"", labels->len ? "," : "", name);
        append_escaped(labels, va_arg(rest, const gchar *));
        g_string_append_c(labels, '"');
    }
    va_end(rest);
    return g_string_free(labels, FALSE);
}

/* With the end of the line. A scrape has thousands of these: no printf. */
static void append_count(GString *out, guint64 count)
{
    gchar digits[24], *end = digits + sizeof(digits), *digit = end;

    *--digit = '\n';
    do {
        *--digit = (gchar)('0' + count % 10);
        count /= 10;
    } while (count);
    g_string_append_len(out, digit, end - digit);
}

static void append_number(GString *out, gdouble value)
{
    gchar text[G_ASCII_DTOSTR_BUF_SIZE];

    if (isnan(value))
        g_string_append(out, "NaN");
    else if (isinf(value))
        g_string_append(out, value > 0 ? "+Inf" : "-Inf");
    else
        g_string_append(out, g_ascii_dtostr(text, sizeof(text), value));
}

static void append_name(GString *out, const gchar *name, const gchar *suffix, const gchar *labels)
{
    g_string_append(out, name);
    g_string_append(out, suffix);
    if (labels && *labels) {
        g_string_append_c(out, '{');
        g_string_append(out, labels);
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ' ');
}

void metrics_text_count(GString *out, const gchar *name, const gchar *labels, guint64 count)
{
    append_name(out, name, "", labels);
    append_count(out, count);
}

void metrics_text_number(GString *out, const gchar *name, const gchar *labels, gdouble value)
{
    append_name(out, name, "", labels);
    append_number(out, value);
    g_string_append_c(out, '\n');
}

/* Most of a scrape are these lines: what they have in common is written once. */
void metrics_text_histogram(
    GString *out, const gchar *name, const gchar *labels, const Histogram *histogram)
{
    const HistogramBuckets *buckets = histogram->buckets;
    gboolean some = labels && *labels;
    gchar *start =
        g_strconcat(name, "_bucket{", some ? labels : "", some ? "," : "", "le=\"", NULL);
    gsize length = strlen(start);
    guint64 below = 0;

    for (guint i = 0; i <= buckets->n; i++) {
        below += histogram->counts[i];
        g_string_append_len(out, start, (gssize)length);
        g_string_append(out, i < buckets->n ? buckets->labels[i] : "+Inf");
        g_string_append_len(out, "\"} ", 3);
        append_count(out, below);
    }
    g_free(start);
    append_name(out, name, "_sum", labels);
    append_number(out, histogram->sum);
    g_string_append_c(out, '\n');
    append_name(out, name, "_count", labels);
    append_count(out, histogram->count);
}
