/* SPDX-License-Identifier: Apache-2.0
 * A list of reasons why a folder cannot be used: each with a status, a subject and one sentence
 * that says what to do. */
#ifndef LV_REASONS_H
#define LV_REASONS_H

#include <stddef.h>

#include "llavaov.h"

#define LV_MAX_REASONS 64u

/* Zero-initialise; free with lv_reasons_free. Reasons that do not fit, or for which there is no
 * memory, are only counted. */
typedef struct LvReasons {
    LlavaovError *reason;
    size_t n, lost;
} LvReasons;

/* As lv_fail; message is kept once. */
void lv_reason(LvReasons *reasons, LlavaovStatus status, const char *subject, const char *format,
    ...) __attribute__((format(printf, 4, 5)));
/* A copy of an error that someone filled. */
void lv_reason_add(LvReasons *reasons, const LlavaovError *error);
/* The first reason into *error, and its status; OK for none. */
LlavaovStatus lv_reasons_first(const LvReasons *reasons, LlavaovError *error);
void lv_reasons_free(LvReasons *reasons);

#endif
