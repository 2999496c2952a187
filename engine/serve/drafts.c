/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/drafts.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"

/* Of credit. */
#define ROW 64
#define OF_A_STEP 2
#define MOST_CREDIT (24 * ROW)

/* Longer pieces say no more. */
#define MOST_MATCHED 16

typedef struct EarlierAnswer {
    int32_t *tokens; /* owned */
    size_t n;
} EarlierAnswer;

struct LvDraftQuestion {
    uint64_t key;
    EarlierAnswer answers[LV_MAX_DRAFT_ANSWERS]; /* the latest first */
    size_t n;
    uint32_t credit;
};

static void close_question(LvDraftQuestion *q)
{
    for (size_t i = 0; i < q->n; i++)
        lv_free(q->answers[i].tokens);
    lv_free(q);
}

void lv_drafts_close(LvDrafts *drafts)
{
    for (size_t i = 0; i < drafts->n; i++)
        close_question(drafts->questions[i]);
    drafts->n = 0;
}

uint64_t lv_drafts_key(const int32_t *prompt, size_t n, int32_t image_token, int32_t video_token)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a, an id at a time */
    for (size_t i = 0; i < n; i++)
        if (prompt[i] != image_token && prompt[i] != video_token)
            hash = (hash ^ (uint32_t)prompt[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* n: there is none. */
static size_t find(const LvDrafts *drafts, uint64_t key)
{
    size_t i = 0;
    while (i < drafts->n && drafts->questions[i]->key != key)
        i++;
    return i;
}

/* How many of the last tokens of both are equal; one more where both begin with these. */
static size_t matched(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b)
{
    size_t n = 0;
    while (n < n_a && n < n_b && n < MOST_MATCHED && a[n_a - 1 - n] == b[n_b - 1 - n])
        n++;
    return n + (n == n_a && n == n_b);
}

static bool begins_with(const EarlierAnswer *answer, const int32_t *tokens, size_t n)
{
    return n < answer->n && memcmp(answer->tokens, tokens, n * sizeof *tokens) == 0;
}

/* What follows; *count: of how many tokens. */
static const int32_t *continuation(
    const LvDraftQuestion *q, const int32_t *answer, size_t n, size_t *count)
{
    const int32_t *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < q->n; i++)
        if (begins_with(&q->answers[i], answer, n)) {
            *count = q->answers[i].n - n;
            return q->answers[i].tokens + n;
        }
    for (size_t i = 0; i < q->n; i++) {
        const EarlierAnswer *a = &q->answers[i];
        for (size_t at = 1; at < a->n; at++) {
            const size_t length = matched(a->tokens, at, answer, n);
            if (length <= longest)
                continue;
            longest = length;
            found = a->tokens + at;
            *count = a->n - at;
        }
    }
    return found;
}

size_t lv_drafts_credit(const LvDrafts *drafts, uint64_t key)
{
    const size_t at = find(drafts, key);
    return at < drafts->n ? drafts->questions[at]->credit / ROW : 0;
}

size_t lv_drafts_propose(const LvDrafts *drafts, uint64_t key, const int32_t *answer, size_t n,
    size_t most, int32_t *draft)
{
    const size_t at = find(drafts, key);
    size_t count = 0;
    if (at == drafts->n)
        return 0;
    const LvDraftQuestion *q = drafts->questions[at];
    most = q->credit / ROW < most ? q->credit / ROW : most;
    const int32_t *tokens = most ? continuation(q, answer, n, &count) : NULL;
    count = count < most ? count : most;
    if (!tokens)
        return 0;
    memcpy(draft, tokens, count * sizeof *draft);
    return count;
}

void lv_drafts_judge(LvDrafts *drafts, uint64_t key, size_t drafted, size_t accepted)
{
    const size_t at = find(drafts, key);
    if (at == drafts->n)
        return;
    LvDraftQuestion *q = drafts->questions[at];
    const uint32_t lost = (uint32_t)(drafted - accepted) * ROW,
                   won = (uint32_t)accepted * ROW + OF_A_STEP;
    q->credit += won;
    q->credit = q->credit > lost ? q->credit - lost : 0;
    q->credit = q->credit < MOST_CREDIT ? q->credit : MOST_CREDIT;
}

/* The question's, put first; made where there is none. */
static LvDraftQuestion *take_first(LvDrafts *drafts, uint64_t key)
{
    size_t at = find(drafts, key);
    LvDraftQuestion *q;
    if (at < drafts->n) {
        q = drafts->questions[at];
    } else {
        q = lv_calloc(1, sizeof *q);
        if (!q)
            return NULL;
        q->key = key;
        q->credit = ROW;
        if (drafts->n == LV_MAX_DRAFT_QUESTIONS)
            close_question(drafts->questions[--at]);
        else
            drafts->n++;
    }
    memmove(drafts->questions + 1, drafts->questions, at * sizeof *drafts->questions);
    drafts->questions[0] = q;
    return q;
}

void lv_drafts_begin(LvDrafts *drafts, uint64_t key)
{
    take_first(drafts, key);
}

void lv_drafts_keep(LvDrafts *drafts, uint64_t key, const int32_t *answer, size_t n)
{
    LvDraftQuestion *q = take_first(drafts, key);
    EarlierAnswer kept = {.n = n < LV_MAX_DRAFT_TOKENS ? n : LV_MAX_DRAFT_TOKENS};
    if (!q || n == 0)
        return;
    /* Of equal answers one says it all. */
    size_t at = 0;
    while (at < q->n && !(q->answers[at].n == kept.n &&
                            memcmp(q->answers[at].tokens, answer, kept.n * sizeof *answer) == 0))
        at++;
    if (at < q->n) {
        kept = q->answers[at];
    } else {
        kept.tokens = lv_alloc(kept.n, sizeof *kept.tokens);
        if (!kept.tokens)
            return;
        memcpy(kept.tokens, answer, kept.n * sizeof *answer);
        if (q->n == LV_MAX_DRAFT_ANSWERS)
            lv_free(q->answers[--at].tokens);
        else
            q->n++;
    }
    memmove(q->answers + 1, q->answers, at * sizeof *q->answers);
    q->answers[0] = kept;
}
