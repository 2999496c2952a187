/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/chat_reply.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "text/utf8.h"

#define NAME "the server's reply"
/* Servers that are told to name tokens by their ids (return_tokens_as_token_ids) put this before. */
#define ID_PREFIX "token_id:"

static LlavaovStatus bad(LlavaovError *error, const char *what)
{
    return lv_fail(error, LLAVAOV_ERROR_REMOTE, NULL, NAME " %s", what);
}

/* Room for n more bytes and a NUL. */
static LlavaovStatus reserve(char **buffer, size_t *capacity, size_t used, size_t n, size_t most,
    const char *what, LlavaovError *error)
{
    if (n > most || used > most - n)
        return bad(error, what);
    if (used + n + 1 <= *capacity)
        return LLAVAOV_OK;
    const size_t wanted = used + n + 1 + used / 2;
    char *grown = lv_realloc(*buffer, wanted, 1);
    if (!grown)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a server's reply");
    *buffer = grown;
    *capacity = wanted;
    return LLAVAOV_OK;
}

void lv_plain_line(const char *text, size_t bytes, char *line, size_t n)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + bytes;
    size_t used = 0;
    while (at < end) {
        size_t wrong = 1, length = lv_utf8_length(at, end, NULL, &wrong);
        const bool control = length == 1 && (*at < 0x20 || *at == 0x7F);
        const char *piece = length == 0 ? "?" : control ? " " : (const char *)at;
        const size_t size = length > 1 ? length : 1;
        if (used + size >= n)
            break;
        memcpy(line + used, piece, size);
        used += size;
        at += length ? length : wrong;
    }
    line[used] = '\0';
}

/* ---- members of a reply ---- */

static LlavaovStatus add_text(LvChatReply *r, const json_t *content, LlavaovError *error)
{
    if (!json_is_string(content))
        return content && !json_is_null(content) ? bad(error, "has content that is no text")
                                                 : LLAVAOV_OK;
    const size_t n = json_string_length(content); /* valid UTF-8: jansson sees to that */
    LlavaovStatus status = reserve(&r->text, &r->text_capacity, r->n_text, n, LV_MAX_REMOTE_TEXT,
        "is longer than any answer", error);
    if (status != LLAVAOV_OK)
        return status;
    if (memchr(json_string_value(content), 0, n))
        return bad(error, "has a zero byte in its text");
    memcpy(r->text + r->n_text, json_string_value(content), n);
    r->n_text += n;
    r->text[r->n_text] = '\0';
    return LLAVAOV_OK;
}

static LlavaovStatus take_finish(LvChatReply *r, const json_t *reason, LlavaovError *error)
{
    if (!reason || json_is_null(reason))
        return LLAVAOV_OK;
    const char *text = json_string_value(reason);
    if (!text)
        return bad(error, "has a finish_reason that is no text");
    r->finish = !strcmp(text, "stop")     ? LV_REPLY_STOP
                : !strcmp(text, "length") ? LV_REPLY_LENGTH
                                          : LV_REPLY_OTHER;
    return LLAVAOV_OK;
}

static bool take_count(const json_t *usage, const char *name, uint64_t *count)
{
    const json_t *value = json_object_get(usage, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > UINT32_MAX)
        return false;
    *count = (uint64_t)json_integer_value(value);
    return true;
}

static LlavaovStatus take_usage(LvChatReply *r, const json_t *usage, LlavaovError *error)
{
    if (!usage || json_is_null(usage))
        return LLAVAOV_OK;
    if (!take_count(usage, "prompt_tokens", &r->prompt_tokens))
        return bad(error, "counts its prompt's tokens with no number");
    /* Some leave it out until there is one. */
    if (!take_count(usage, "completion_tokens", &r->completion_tokens))
        r->completion_tokens = 0;
    r->has_usage = true;
    return LLAVAOV_OK;
}

static void take_prompt_ids(LvChatReply *r, const json_t *ids)
{
    const size_t n = json_array_size(ids);
    const size_t first = n > LV_MAX_SPELLING_TOKENS ? n - LV_MAX_SPELLING_TOKENS : 0;
    for (size_t i = first; i < n; i++) {
        const json_t *id = json_array_get(ids, i);
        const bool good = json_is_integer(id) && json_integer_value(id) >= 0 &&
                          json_integer_value(id) <= INT32_MAX;
        r->last_ids[i - first] = good ? (int32_t)json_integer_value(id) : -1;
    }
    r->n_last_ids = n - first;
}

static int32_t token_of(const json_t *entry)
{
    const char *text = json_string_value(json_object_get(entry, "token"));
    if (!text || strncmp(text, ID_PREFIX, strlen(ID_PREFIX)) != 0)
        return -1;
    text += strlen(ID_PREFIX);
    char *end;
    errno = 0;
    const long id = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
    return id < 0 || *end || errno || id > INT32_MAX ? -1 : (int32_t)id;
}

static LlavaovStatus add_logprob(
    LvChatReply *r, const json_t *entry, bool written, LlavaovError *error)
{
    const json_t *value = json_object_get(entry, "logprob");
    const double logprob = json_number_value(value);
    if (!json_is_number(value) || !isfinite(logprob) || logprob > 0.001)
        return bad(error, "has a logprob that is no logarithm of a probability");
    if (r->n_logprobs == LV_MAX_REMOTE_LOGPROBS)
        return bad(error, "has more logprobs than any answer");
    if (r->n_logprobs == r->logprobs_capacity) {
        const size_t wanted = 2 * r->logprobs_capacity + 32;
        LvReplyLogprob *grown = lv_realloc(r->logprobs, wanted, sizeof *grown);
        if (!grown)
            return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a server's reply");
        r->logprobs = grown;
        r->logprobs_capacity = wanted;
    }
    r->logprobs[r->n_logprobs++] =
        (LvReplyLogprob){r->n_positions, token_of(entry), written, logprob > 0 ? 0 : logprob};
    return LLAVAOV_OK;
}

static LlavaovStatus take_logprobs(LvChatReply *r, const json_t *logprobs, LlavaovError *error)
{
    const json_t *content = json_object_get(logprobs, "content"), *position, *other;
    size_t i, k;
    json_array_foreach(content, i, position)
    {
        LlavaovStatus status = add_logprob(r, position, true, error);
        const json_t *top = json_object_get(position, "top_logprobs");
        json_array_foreach(top, k, other)
        {
            if (status == LLAVAOV_OK)
                status = add_logprob(r, other, false, error);
        }
        if (status != LLAVAOV_OK)
            return status;
        r->n_positions++;
    }
    return LLAVAOV_OK;
}

static bool take_refusal(LvChatReply *r, const json_t *root)
{
    const json_t *refusal = json_object_get(root, "error");
    if (!refusal)
        refusal = json_object_get(root, "detail"); /* FastAPI's */
    if (!refusal || json_is_null(refusal))
        return false;
    const json_t *inner = json_object_get(refusal, "message");
    if (inner)
        refusal = inner;
    if (json_is_string(refusal)) {
        lv_plain_line(
            json_string_value(refusal), json_string_length(refusal), r->refusal, sizeof r->refusal);
        return true;
    }
    char *text = json_dumps(refusal, JSON_COMPACT | JSON_ENCODE_ANY);
    lv_plain_line(text ? text : "an error", text ? strlen(text) : 8, r->refusal, sizeof r->refusal);
    free(text);
    return true;
}

static LlavaovStatus take(LvChatReply *r, const json_t *root, LlavaovError *error)
{
    if (take_refusal(r, root))
        return lv_fail(error, LLAVAOV_ERROR_REMOTE, NULL, "the server refused: %s", r->refusal);
    const json_t *choices = json_object_get(root, "choices");
    if (!json_is_array(choices))
        return bad(error, "is no chat completion");
    const json_t *choice = json_array_get(choices, 0);
    if (choice && !json_is_object(choice))
        return bad(error, "is no chat completion");
    const json_t *message = json_object_get(choice, r->stream ? "delta" : "message");
    take_prompt_ids(r, json_object_get(root, "prompt_token_ids"));
    LlavaovStatus status = add_text(r, json_object_get(message, "content"), error);
    if (status == LLAVAOV_OK)
        status = take_logprobs(r, json_object_get(choice, "logprobs"), error);
    if (status == LLAVAOV_OK)
        status = take_finish(r, json_object_get(choice, "finish_reason"), error);
    return status == LLAVAOV_OK ? take_usage(r, json_object_get(root, "usage"), error) : status;
}

static LlavaovStatus take_document(LvChatReply *r, const char *text, size_t n, LlavaovError *error)
{
    json_t *root;
    LlavaovStatus status = lv_json_parse(text, n, NAME, false, &root, error);
    if (status == LLAVAOV_ERROR_MEMORY)
        return status;
    if (status != LLAVAOV_OK)
        return bad(error, "is no JSON");
    status = take(r, root, error);
    json_decref(root);
    return status;
}

/* ---- lines ---- */

/* Without its end. Fields of events other than data, and comments, do not count. */
static LlavaovStatus take_line(LvChatReply *r, const char *line, size_t n, LlavaovError *error)
{
    if (n > 0 && line[n - 1] == '\r')
        n--;
    if (r->ended || n < 5 || memcmp(line, "data:", 5) != 0)
        return LLAVAOV_OK;
    line += 5;
    n -= 5;
    while (n > 0 && *line == ' ') {
        line++;
        n--;
    }
    if (n == 6 && !memcmp(line, "[DONE]", 6)) {
        r->ended = true;
        return LLAVAOV_OK;
    }
    return n == 0 ? LLAVAOV_OK : take_document(r, line, n, error);
}

static LlavaovStatus keep(
    LvChatReply *r, const char *bytes, size_t n, size_t most, LlavaovError *error)
{
    LlavaovStatus status = reserve(
        &r->line, &r->line_capacity, r->n_line, n, most, "has a line that is too long", error);
    if (status != LLAVAOV_OK || n == 0)
        return status;
    memcpy(r->line + r->n_line, bytes, n);
    r->n_line += n;
    return LLAVAOV_OK;
}

LlavaovStatus lv_chat_reply_feed(LvChatReply *r, const char *bytes, size_t n, LlavaovError *error)
{
    LlavaovStatus status = LLAVAOV_OK;
    if (n > LV_MAX_REMOTE_REPLY || r->bytes > LV_MAX_REMOTE_REPLY - n)
        return bad(error, "has no end");
    r->bytes += n;
    if (!r->stream)
        return keep(r, bytes, n, LV_MAX_REMOTE_REPLY, error);
    while (n > 0 && status == LLAVAOV_OK) {
        const char *end = memchr(bytes, '\n', n);
        const size_t length = end ? (size_t)(end - bytes) : n;
        status = keep(r, bytes, length, LV_MAX_REMOTE_LINE, error);
        if (status == LLAVAOV_OK && end) {
            status = take_line(r, r->line, r->n_line, error);
            r->n_line = 0;
        }
        bytes += length + (end != NULL);
        n -= length + (end != NULL);
    }
    return status;
}

LlavaovStatus lv_chat_reply_end(LvChatReply *r, LlavaovError *error)
{
    if (!r->stream) {
        LlavaovStatus status = take_document(r, r->line ? r->line : "", r->n_line, error);
        if (status != LLAVAOV_OK)
            return status;
        r->ended = true;
    }
    /* Some servers (transformers serve) end behind the usage without "[DONE]". */
    if (!r->ended && r->finish != LV_REPLY_UNFINISHED && r->has_usage && r->n_line == 0)
        r->ended = true;
    if (!r->ended)
        return bad(error, "was cut off");
    if (r->finish == LV_REPLY_UNFINISHED)
        return bad(error, "gives no reason for its end");
    if (r->finish == LV_REPLY_OTHER)
        return bad(error, "ended for a reason that an answer does not have");
    return LLAVAOV_OK;
}

void lv_chat_reply_refusal(LvChatReply *r)
{
    json_t *root;
    LlavaovError ignored;
    if (lv_json_parse(r->line ? r->line : "", r->n_line, NAME, false, &root, &ignored) ==
        LLAVAOV_OK) {
        if (!take_refusal(r, root) && json_is_string(json_object_get(root, "message")))
            lv_plain_line(json_string_value(json_object_get(root, "message")),
                json_string_length(json_object_get(root, "message")), r->refusal,
                sizeof r->refusal);
        json_decref(root);
    } else {
        lv_plain_line(r->line ? r->line : "", r->n_line, r->refusal, sizeof r->refusal);
    }
}

void lv_chat_reply_free(LvChatReply *r)
{
    lv_free(r->line);
    lv_free(r->text);
    lv_free(r->logprobs);
    *r = (LvChatReply){0};
}

bool lv_chat_reply_logprob(const LvChatReply *r, uint32_t position, int32_t token, double *logprob)
{
    for (size_t i = 0; i < r->n_logprobs; i++)
        if (r->logprobs[i].position == position && r->logprobs[i].token == token) {
            *logprob = r->logprobs[i].logprob;
            return true;
        }
    return false;
}
