/* SPDX-License-Identifier: Apache-2.0 */
#include "choices/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "text/unicode.h"
#include "text/utf8.h"

static LlavaovStatus bad(LlavaovError *error, const char *option, const char *text)
{
    return lv_fail_about(
        error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, option, "%s: %s", option, text);
}

/* The first character that is no white space, or end. */
static const char *skip_space(const char *text, const char *end)
{
    while (text < end) {
        const unsigned char *next = (const unsigned char *)text;
        if (!lv_python_space(lv_utf8_next(&next)))
            break;
        text = (const char *)next;
    }
    return text;
}

/* Without the white space at the end. */
static const char *trim_end(const char *text, const char *end)
{
    while (end > text) {
        const char *last = end - 1;
        while (last > text && ((unsigned char)*last & 0xC0) == 0x80)
            last--;
        const unsigned char *at = (const unsigned char *)last;
        if (!lv_python_space(lv_utf8_next(&at)))
            break;
        end = last;
    }
    return end;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Cuts the copy in place; the labels come in the order in which they are written. */
static LlavaovStatus cut(LvLabels *l, const char *text, const char *option, LlavaovError *error)
{
    char *out = l->text;
    for (const char *at = text;; l->n++) {
        const char *end = at + strcspn(at, "|");
        const char *begin = skip_space(at, end), *stop = trim_end(begin, end);
        if (begin == stop)
            return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, option,
                "%s: label %zu is empty; labels stand between |, as in yes|no", option, l->n + 1);
        if (l->n == LV_MAX_CHOICES)
            return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, option,
                "%s: more than %u labels", option, LV_MAX_CHOICES);
        l->labels[l->n] = out;
        memcpy(out, begin, (size_t)(stop - begin));
        out += stop - begin;
        *out++ = '\0';
        if (!*end) {
            l->n++;
            return LLAVAOV_OK;
        }
        at = end + 1;
    }
}

/* Sorts, and finds each written label again. */
static LlavaovStatus sort(LvLabels *l, const char *option, LlavaovError *error)
{
    const char *written[LV_MAX_CHOICES];
    memcpy(written, l->labels, l->n * sizeof *written);
    qsort(l->labels, l->n, sizeof *l->labels, by_bytes);
    for (size_t i = 0; i + 1 < l->n; i++)
        if (strcmp(l->labels[i], l->labels[i + 1]) == 0)
            return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, option,
                "%s: a label is there twice: \"%s\"", option, l->labels[i]);
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->n; k++)
            if (l->labels[k] == written[i])
                l->written[i] = k;
    return LLAVAOV_OK;
}

LlavaovStatus lv_labels_parse_some(
    const char *text, const char *option, LvLabels *l, LlavaovError *error)
{
    *l = (LvLabels){0};
    const size_t bytes = text ? strlen(text) : 0;
    if (bytes == 0)
        return bad(error, option, "there is no label; labels stand between |, as in yes|no");
    if (bytes > LV_MAX_CHOICES_BYTES)
        return bad(error, option, "the text is longer than 64 KiB");
    if (lv_utf8_valid_prefix(text, bytes) != bytes)
        return bad(error, option, "not valid UTF-8");
    l->text = lv_alloc(bytes + 1, 1);
    l->labels = lv_alloc(LV_MAX_CHOICES, sizeof *l->labels);
    l->written = lv_alloc(LV_MAX_CHOICES, sizeof *l->written);
    LlavaovStatus status = l->text && l->labels && l->written
                               ? cut(l, text, option, error)
                               : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for labels");
    if (status == LLAVAOV_OK)
        status = sort(l, option, error);
    if (status != LLAVAOV_OK)
        lv_labels_free(l);
    return status;
}

LlavaovStatus lv_labels_parse(const char *text, LvLabels *l, LlavaovError *error)
{
    LlavaovStatus status = lv_labels_parse_some(text, "choices", l, error);
    if (status == LLAVAOV_OK && l->n < 2) {
        lv_labels_free(l);
        status =
            bad(error, "choices", "one label is no choice; labels stand between |, as in yes|no");
    }
    return status;
}

/* The bit of a label, or 0. */
static uint64_t bit_of(const LvLabels *choices, const char *label)
{
    for (size_t i = 0; i < choices->n; i++)
        if (strcmp(choices->labels[choices->written[i]], label) == 0)
            return UINT64_C(1) << i;
    return 0;
}

_Static_assert(LV_MAX_CHOICES <= 64, "a bit for each");

LlavaovStatus llavaov_choices_select(const char *choices, const char *labels, const char *option,
    uint64_t *selected, size_t *n, LlavaovError *error)
{
    LvLabels all, some = {0};
    *selected = *n = 0;
    LlavaovStatus status = lv_labels_parse(choices, &all, error);
    if (status == LLAVAOV_OK)
        status = lv_labels_parse_some(labels, option, &some, error);
    for (size_t i = 0; i < some.n && status == LLAVAOV_OK; i++) {
        const char *label = some.labels[some.written[i]];
        const uint64_t bit = bit_of(&all, label);
        if (!bit)
            status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, option,
                "%s: there is no label \"%s\" in choices; write it as it stands there", option,
                label);
        *selected |= bit;
    }
    *selected = status == LLAVAOV_OK ? *selected : 0;
    *n = all.n;
    lv_labels_free(&some);
    lv_labels_free(&all);
    return status;
}

void lv_labels_free(LvLabels *l)
{
    lv_free(l->text);
    lv_free(l->labels);
    lv_free(l->written);
    *l = (LvLabels){0};
}

char *lv_labels_hint(const LvLabels *l, const char *prompt)
{
    static const char before[] = "\nAnswer with one of: ";
    size_t bytes = strlen(prompt) + sizeof before + 2;
    for (size_t i = 0; i < l->n; i++)
        bytes += strlen(l->labels[i]) + 2;
    char *text = lv_alloc(bytes, 1);
    if (!text)
        return NULL;
    char *out = stpcpy(stpcpy(text, prompt), before);
    for (size_t i = 0; i < l->n; i++)
        out = stpcpy(stpcpy(out, i ? ", " : ""), l->labels[i]);
    strcpy(out, ".");
    return text;
}
