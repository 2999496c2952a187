/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/outcome.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/status.h"

#define SECOND UINT64_C(1000000000)
#define LONGEST_PAUSE 60

/* A server may say back what it was told. */
static void hide_key(char *text, const char *key)
{
    const size_t n = key ? strlen(key) : 0;
    char *at = text;
    while (n > 0 && (at = strstr(at, key)))
        memset(at, '*', n);
    /* A key that was cut off at the end. */
    const size_t length = strlen(text);
    for (size_t k = n < length ? n : length; k >= 4; k--)
        if (!memcmp(text + length - k, key, k)) {
            memset(text + length - k, '*', k);
            break;
        }
}

static LlavaovStatus fail(const LvOutcome *o, LlavaovError *error, const char *what)
{
    char why[512];
    snprintf(why, sizeof why, "%s", what);
    hide_key(why, o->key);
    return lv_fail_about(error, LLAVAOV_ERROR_REMOTE, LLAVAOV_ABOUT_OPTION, "remote-url",
        "%.200s: %s (attempt %u)", o->url, why, o->attempts);
}

static LlavaovStatus judge_transfer(LvOutcome *o, LlavaovError *error)
{
    const bool certificate =
        o->transfer == CURLE_PEER_FAILED_VERIFICATION || o->transfer == CURLE_SSL_CACERT_BADFILE;
    char plain[300], what[400];
    o->health = LV_HEALTH_ILL;
    o->again = !certificate && o->transfer != CURLE_OUT_OF_MEMORY;
    lv_plain_line(o->why, strlen(o->why), plain, sizeof plain);
    snprintf(what, sizeof what, "%s%s",
        certificate ? "the server's certificate cannot be verified: " : "", plain);
    return fail(o, error, what);
}

static LlavaovStatus judge_status(LvOutcome *o, LvChatReply *reply, LlavaovError *error)
{
    char what[400];
    lv_chat_reply_refusal(reply);
    o->again = o->http == 408 || o->http == 429 || (o->http >= 502 && o->http <= 504);
    o->health = o->http == 429   ? LV_HEALTH_UNKNOWN
                : o->http >= 500 ? LV_HEALTH_ILL
                : o->http == 408 ? LV_HEALTH_ILL
                                 : LV_HEALTH_WELL;
    const char *hint = o->http >= 300 && o->http < 400
                           ? " (redirects are not followed: give the address that it leads to)"
                       : o->http == 401 || o->http == 403
                           ? " (remote-api-key-env names the variable with the key)"
                       : o->http == 404 ? " (remote-url ends in /v1; remote-model names the model)"
                                        : "";
    snprintf(what, sizeof what, "HTTP %ld%s%s%s", o->http, hint, reply->refusal[0] ? ": " : "",
        reply->refusal);
    return fail(o, error, what);
}

LlavaovStatus lv_outcome_judge(
    LvOutcome *o, LvChatReply *reply, LlavaovStatus reading, LlavaovError *error)
{
    LlavaovError why;
    o->again = false;
    o->health = LV_HEALTH_ILL;
    if (reading == LLAVAOV_ERROR_MEMORY)
        return reading;
    if (reading == LLAVAOV_OK && o->transfer == CURLE_OK && o->http == 200) {
        reading = lv_chat_reply_end(reply, error);
        o->again = reading != LLAVAOV_OK && reply->stream && !reply->ended; /* it was cut off */
        if (reading == LLAVAOV_OK)
            o->health = LV_HEALTH_WELL;
        if (reading == LLAVAOV_OK || reading == LLAVAOV_ERROR_MEMORY)
            return reading;
    }
    if (reading != LLAVAOV_OK) {
        why = *error;
        return fail(o, error, why.message);
    }
    return o->transfer != CURLE_OK ? judge_transfer(o, error) : judge_status(o, reply, error);
}

uint64_t lv_outcome_retry_after(const char *line, size_t n, uint64_t before)
{
    static const char name[] = "retry-after:";
    const size_t length = sizeof name - 1;
    uint64_t seconds = 0;
    if (n <= length || strncasecmp(line, name, length) != 0)
        return before;
    size_t at = length;
    while (at < n && line[at] == ' ')
        at++;
    if (at == n || line[at] < '0' || line[at] > '9')
        return before; /* a date: the usual pause */
    for (; at < n && line[at] >= '0' && line[at] <= '9' && seconds <= LONGEST_PAUSE; at++)
        seconds = 10 * seconds + (uint64_t)(line[at] - '0');
    return (seconds > LONGEST_PAUSE ? LONGEST_PAUSE : seconds) * SECOND;
}
