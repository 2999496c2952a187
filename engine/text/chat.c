/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

LlavaovStatus lv_chat_prepare(
    LvTokenizer *tokenizer, LvPlaceholders placeholders, LlavaovError *error)
{
    LlavaovStatus status =
        lv_tokenizer_add_placeholder(tokenizer, "<image>", placeholders.image, error);
    if (status == LLAVAOV_OK)
        status = lv_tokenizer_add_placeholder(tokenizer, "<video>", placeholders.video, error);
    return status;
}

LlavaovStatus lv_chat_tokenize(const LvTokenizer *tokenizer,
    const LlavaovChatTemplate *chat_template, const LvJinjaText *text, LvTokens *ids,
    LlavaovError *error)
{
    const bool whole = lv_chat_template_begins(chat_template, text);
    const size_t n_before = ids->n;
    LvTextRun *runs = lv_alloc(text->n_spans, sizeof *runs);
    if (!runs)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
    for (size_t i = 0; i < text->n_spans; i++)
        runs[i] = (LvTextRun){text->spans[i].bytes, text->spans[i].user};
    LlavaovStatus status = whole ? LLAVAOV_OK : lv_tokenizer_begin(tokenizer, ids, error);
    if (status == LLAVAOV_OK)
        status = lv_tokenizer_encode_runs(tokenizer, text->text, runs, text->n_spans, ids, error);
    if (status == LLAVAOV_OK && !whole)
        status = lv_tokenizer_end(tokenizer, ids, error);
    lv_free(runs);
    if (status != LLAVAOV_OK)
        ids->n = n_before;
    return status;
}

static bool adds_nothing_behind(
    const LvTokenizer *tokenizer, LlavaovStatus *status, LlavaovError *error)
{
    LvTokens end = {0};
    *status = lv_tokenizer_end(tokenizer, &end, error);
    const bool nothing = *status == LLAVAOV_OK && end.n == 0;
    lv_tokens_free(&end);
    return nothing;
}

/* The runs of a text behind `from`; returns how many. */
static size_t rest_of(const LvJinjaText *text, size_t from, LvTextRun *runs)
{
    size_t n = 0;
    for (size_t i = 0; i < text->n_spans; i++) {
        const LvJinjaSpan *span = &text->spans[i];
        const size_t end = span->start + span->bytes;
        if (end > from)
            runs[n++] = (LvTextRun){end - (span->start > from ? span->start : from), span->user};
    }
    return n;
}

LlavaovStatus lv_chat_tokenize_rest(const LvTokenizer *tokenizer, const LvJinjaText *text,
    size_t from, const LvTokens *before, LvTokens *ids, bool *cut, LlavaovError *error)
{
    LvTokens rest = {0};
    size_t bytes;
    bool special = false;
    LlavaovStatus status;
    *cut = false;
    if (!adds_nothing_behind(tokenizer, &status, error))
        return status;
    LvTextRun *runs = lv_alloc(text->n_spans, sizeof *runs);
    if (!runs)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
    const size_t n_runs = rest_of(text, from, runs);
    status = lv_tokenizer_encode_runs(tokenizer, text->text + from, runs, n_runs, &rest, error);
    if (status == LLAVAOV_OK && rest.n > 0)
        lv_tokenizer_token_bytes(tokenizer, rest.ids[0], &bytes, &special);
    *cut = special && n_runs > 0 && !runs[0].user;
    for (size_t i = 0; *cut && i < before->n && status == LLAVAOV_OK; i++)
        status = lv_tokens_append(ids, before->ids[i], error);
    for (size_t i = 0; *cut && i < rest.n && status == LLAVAOV_OK; i++)
        status = lv_tokens_append(ids, rest.ids[i], error);
    lv_tokens_free(&rest);
    lv_free(runs);
    return status;
}

static LlavaovStatus check_counts(const LvTokens *ids, LvPlaceholders placeholders,
    const LvChatVisual *visuals, size_t n_visuals, uint64_t *total, LlavaovError *error)
{
    static const char *const words[2] = {"<image>", "<video>"};
    static const char *const things[2] = {"picture", "clip"};
    size_t wanted[2] = {0}, given[2] = {0};
    *total = ids->n;
    for (size_t i = 0; i < ids->n; i++) {
        wanted[0] += ids->ids[i] == placeholders.image;
        wanted[1] += ids->ids[i] == placeholders.video;
    }
    for (size_t i = 0; i < n_visuals; i++) {
        given[visuals[i].video]++;
        *total += visuals[i].tokens - 1;
    }
    for (int kind = 0; kind < 2; kind++)
        if (wanted[kind] != given[kind])
            return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
                "chat-template",
                "the chat template's prompt holds %zu %s placeholder%s (token id %d) for %zu %s%s",
                wanted[kind], words[kind], wanted[kind] == 1 ? "" : "s",
                kind ? placeholders.video : placeholders.image, given[kind], things[kind],
                given[kind] == 1 ? "" : "s");
    return LLAVAOV_OK;
}

/* The next visual of a kind, from *at on. */
static size_t next_of_kind(const LvChatVisual *visuals, bool video, size_t *at)
{
    while (visuals[*at].video != video)
        ++*at;
    return (*at)++;
}

LlavaovStatus lv_chat_expand(LvTokens *ids, LvPlaceholders placeholders,
    const LvChatVisual *visuals, size_t n_visuals, size_t *order, LlavaovError *error)
{
    uint64_t total;
    LlavaovStatus status = check_counts(ids, placeholders, visuals, n_visuals, &total, error);
    if (status != LLAVAOV_OK || n_visuals == 0)
        return status;
    if (total > LV_MAX_CONTEXT)
        return lv_fail_about(error, LLAVAOV_ERROR_CONTEXT_FULL, LLAVAOV_ABOUT_PROMPT, "prompt",
            "the prompt with its pictures takes %llu tokens, more than any context holds",
            (unsigned long long)total);
    int32_t *all = lv_alloc(total, sizeof *all);
    if (!all)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
    size_t n = 0, n_seen = 0, at[2] = {0};
    for (size_t i = 0; i < ids->n; i++) {
        const int32_t id = ids->ids[i];
        const bool video = id == placeholders.video;
        size_t times = 1;
        if (video || id == placeholders.image) {
            const size_t visual = next_of_kind(visuals, video, &at[video]);
            if (order)
                order[n_seen++] = visual;
            times = visuals[visual].tokens;
        }
        while (times-- > 0)
            all[n++] = id;
    }
    lv_free(ids->ids);
    *ids = (LvTokens){.ids = all, .n = n, .capacity = n};
    return LLAVAOV_OK;
}
