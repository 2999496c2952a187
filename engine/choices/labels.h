/* SPDX-License-Identifier: Apache-2.0
 * The labels of a question with choices, from a text such as "yes|no". Of no model and no tokenizer.
 */
#ifndef LV_LABELS_H
#define LV_LABELS_H

#include "llavaov.h"

/* Labels are kept sorted by their bytes, and all arithmetic goes in that order, so that the order in
 * which they were written changes no bit of any result. */
typedef struct LvLabels {
    char *text;          /* of all of them; owned */
    const char **labels; /* sorted; owned */
    size_t *written;     /* the label that was written i-th is labels[written[i]]; owned */
    size_t n;
} LvLabels;

/* 2 to LV_MAX_CHOICES labels between '|', without the white space around them; each is UTF-8, not
 * empty and there once. *labels is empty after a failure. Errors: ARGUMENT about "choices", MEMORY.
 */
LlavaovStatus lv_labels_parse(const char *text, LvLabels *labels, LlavaovError *error);
/* From one label on, and errors are about this option. */
LlavaovStatus lv_labels_parse_some(
    const char *text, const char *option, LvLabels *labels, LlavaovError *error);
void lv_labels_free(LvLabels *labels);

/* "Answer with one of: no, yes." behind a prompt; a new text (lv_free), NULL without memory. */
char *lv_labels_hint(const LvLabels *labels, const char *prompt);

#endif
