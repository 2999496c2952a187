/* SPDX-License-Identifier: Apache-2.0
 * Filling a LlavaovError. */
#ifndef LV_STATUS_H
#define LV_STATUS_H

#include "llavaov.h"

/* Fills *error (if not NULL) and returns status, so that a caller can write
 *     return lv_fail(error, LLAVAOV_ERROR_FORMAT, path, "%s: header is cut short", path);
 * subject is a file of the checkpoint or a field in one, or NULL. Over-long text is cut at a whole
 * UTF-8 character. */
LlavaovStatus lv_fail(LlavaovError *error, LlavaovStatus status, const char *subject,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same for anything other than a file; here, too, subject may be NULL. */
LlavaovStatus lv_fail_about(LlavaovError *error, LlavaovStatus status, LlavaovAbout about,
    const char *subject, const char *format, ...) __attribute__((format(printf, 5, 6)));

void lv_error_clear(LlavaovError *error);

#endif
