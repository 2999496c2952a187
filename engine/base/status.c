/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* snprintf may cut in the middle of a character: drop the incomplete tail. */
static void trim_utf8_tail(char *text)
{
    size_t n = strlen(text);
    size_t back = 0;
    while (back < n && back < 4 && ((unsigned char)text[n - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back >= n)
        return;
    unsigned char lead = (unsigned char)text[n - 1 - back];
    size_t want = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (back < want)
        text[n - 1 - back] = '\0';
}

void lv_error_clear(LlavaovError *error)
{
    if (error)
        memset(error, 0, sizeof *error);
}

static void fill(LlavaovError *error, LlavaovStatus status, LlavaovAbout about, const char *subject,
    const char *format, va_list arguments)
{
    if (!error)
        return;
    error->status = status;
    error->about = about;
    snprintf(error->subject, sizeof error->subject, "%s", subject ? subject : "");
    trim_utf8_tail(error->subject);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    trim_utf8_tail(error->message);
}

LlavaovStatus lv_fail(
    LlavaovError *error, LlavaovStatus status, const char *subject, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, subject ? LLAVAOV_ABOUT_FILE : LLAVAOV_ABOUT_NOTHING, subject, format,
        arguments);
    va_end(arguments);
    return status;
}

LlavaovStatus lv_fail_about(LlavaovError *error, LlavaovStatus status, LlavaovAbout about,
    const char *subject, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, about, subject, format, arguments);
    va_end(arguments);
    return status;
}

const char *llavaov_status_name(LlavaovStatus status)
{
    switch (status) {
    case LLAVAOV_OK:
        return "ok";
    case LLAVAOV_ERROR_NOT_FOUND:
        return "not-found";
    case LLAVAOV_ERROR_IO:
        return "io";
    case LLAVAOV_ERROR_FORMAT:
        return "format";
    case LLAVAOV_ERROR_UNSUPPORTED:
        return "unsupported";
    case LLAVAOV_ERROR_ARGUMENT:
        return "argument";
    case LLAVAOV_ERROR_MEMORY:
        return "memory";
    case LLAVAOV_ERROR_DEVICE:
        return "device";
    case LLAVAOV_ERROR_CONTEXT_FULL:
        return "context-full";
    case LLAVAOV_ERROR_CANCELLED:
        return "cancelled";
    case LLAVAOV_ERROR_NUMERIC:
        return "numeric";
    case LLAVAOV_ERROR_LATE:
        return "late";
    case LLAVAOV_ERROR_REMOTE:
        return "remote";
    case LLAVAOV_ERROR_REMOTE_DOWN:
        return "remote-down";
    case LLAVAOV_ERROR_REMOTE_UNFIT:
        return "remote-unfit";
    case LLAVAOV_ERROR_INTERNAL:
        return "internal";
    }
    return "unknown";
}

const char *llavaov_version(void)
{
    return LLAVAOV_VERSION;
}
