/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as labels that an alert is about: the first line has the choices, the rest the labels of
 * the alert. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "choices/labels.h"

/* The set that `labels` names, or 0 after an error, which must be whole. */
static uint64_t chosen(const char *choices, const char *labels, size_t *n)
{
    LlavaovError error = {0};
    uint64_t selected;
    const LlavaovStatus status =
        llavaov_choices_select(choices, labels, "alert-on", &selected, n, &error);
    FUZZ_CHECK(status == error.status && (status != LLAVAOV_OK) == (selected == 0));
    FUZZ_CHECK(status == LLAVAOV_OK || (*error.message && error.about == LLAVAOV_ABOUT_OPTION));
    FUZZ_CHECK(status == LLAVAOV_OK || !strcmp(error.subject, *n ? "alert-on" : "choices"));
    return selected;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *choices = malloc(size + 1);
    memcpy(choices, size ? data : (const uint8_t *)"", size);
    choices[size] = '\0';
    char *line = strchr(choices, '\n');
    const char *labels = line ? line + 1 : "";
    if (line)
        *line = '\0';
    size_t n;
    const uint64_t selected = chosen(choices, labels, &n);
    FUZZ_CHECK(n <= LV_MAX_CHOICES && (selected == 0 || n == 64 || selected >> n == 0));
    /* Each label of the choices is itself, and they are all of them. */
    LvLabels all, some;
    if (n > 0 && lv_labels_parse(choices, &all, NULL) == LLAVAOV_OK) {
        FUZZ_CHECK(all.n == n && chosen(choices, choices, &n) == UINT64_MAX >> (64 - n));
        for (size_t i = 0; i < n; i++)
            FUZZ_CHECK(chosen(choices, all.labels[all.written[i]], &n) == UINT64_C(1) << i);
        lv_labels_free(&all);
    }
    /* What is selected are the labels of the second text and no others. */
    uint64_t together = 0;
    if (selected && lv_labels_parse_some(labels, "alert-on", &some, NULL) == LLAVAOV_OK) {
        for (size_t i = 0; i < some.n; i++)
            together |= chosen(choices, some.labels[i], &n);
        FUZZ_CHECK(together == selected);
        FUZZ_CHECK((size_t)__builtin_popcountll(selected) == some.n);
        lv_labels_free(&some);
    }
    free(choices);
    return 0;
}
