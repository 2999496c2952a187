/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/filter.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "schema/closing.h"

/* What a token would be, and LvJsonFilter.keep. */
enum { REFUSED, ALLOWED, ENDING, LATE };

/* Whether the document can be closed with `left` tokens. */
static bool closes(LvJsonFilter *f, const LvWalk *walk, uint32_t left)
{
    const uint32_t bytes = lv_walk_closing(f->program, walk);
    if (bytes <= left) /* each byte is a token */
        return true;
    if (bytes > (uint64_t)left * f->trie->depth)
        return false;
    return lv_closing_tokens(f->closing, f->program, f->trie, walk) <= left;
}

/* ALLOWED or LATE. Without a token left nothing is chosen any more. */
static int in_time(LvJsonFilter *f, const LvWalk *walk)
{
    return closes(f, walk, f->left ? f->left - 1 : 0) ? ALLOWED : LATE;
}

static bool is_stop(const LvJsonFilter *f, int32_t token)
{
    for (size_t i = 0; i < f->stop.n; i++)
        if (f->stop.ids[i] == token)
            return true;
    return false;
}

/* Where the token's bytes lead to. */
static bool follow(const LvJsonFilter *f, int32_t token, LvWalk *walk)
{
    const uint32_t from = f->trie->token_from[token], end = f->trie->token_from[token + 1];
    *walk = f->walk;
    for (uint32_t i = from; i < end; i++)
        if (!lv_walk_step(f->program, walk, f->trie->bytes[i]))
            return false;
    return end > from;
}

static bool complete(const LvJsonFilter *f)
{
    return lv_walk_closing(f->program, &f->walk) == 0;
}

static int judge(LvJsonFilter *f, int32_t token, LvWalk *walk)
{
    if (token < 0 || (uint32_t)token >= f->trie->n_vocab)
        return REFUSED;
    const int verdict = follow(f, token, walk) ? in_time(f, walk) : REFUSED;
    return verdict != ALLOWED && is_stop(f, token) && complete(f) ? ENDING : verdict;
}

static bool allows(LvTokenFilter *filter, int32_t token)
{
    LvJsonFilter *f = (LvJsonFilter *)filter;
    LvWalk walk;
    const int verdict = judge(f, token, &walk);
    f->late = f->late || verdict == LATE;
    return verdict == ALLOWED || verdict == ENDING;
}

/* Those of a trie, each on its way. */
static void sort_out_nodes(LvJsonFilter *f, const LvTokenNodes *nodes)
{
    f->walks[0] = f->walk;
    for (uint32_t node = 1; node < nodes->n_nodes;) {
        LvWalk *walk = &f->walks[nodes->level[node]];
        *walk = f->walks[nodes->level[node] - 1];
        if (!lv_walk_step(f->program, walk, nodes->byte[node])) {
            node = nodes->end[node];
            continue;
        }
        const uint32_t first = nodes->first[node], end = nodes->first[node + 1];
        const int verdict = first < end ? in_time(f, walk) : REFUSED;
        for (uint32_t i = first; i < end; i++)
            f->keep[nodes->tokens[i]] = (uint8_t)verdict;
        node++;
    }
}

/* Inside a string plain tokens differ in their number of characters alone. */
static void sort_out_plain(LvJsonFilter *f, uint32_t most)
{
    uint8_t verdict[UINT8_MAX + 1] = {REFUSED};
    for (uint32_t n = 1; n <= UINT8_MAX && n <= most; n++) {
        LvWalk walk = f->walk;
        lv_walk_skip(&walk, n);
        verdict[n] = (uint8_t)in_time(f, &walk);
    }
    for (uint32_t id = 0; id < f->trie->n_vocab; id++)
        f->keep[id] = verdict[f->trie->plain[id]];
}

/* Fills keep. */
static void sort_out(LvJsonFilter *f)
{
    const uint32_t characters = lv_walk_characters(f->program, &f->walk);
    if (characters)
        sort_out_plain(f, characters);
    else
        memset(f->keep, REFUSED, f->trie->n_vocab);
    sort_out_nodes(f, characters ? &f->trie->odd : &f->trie->all);
    for (size_t i = 0; complete(f) && i < f->stop.n; i++)
        if (f->stop.ids[i] >= 0 && (uint32_t)f->stop.ids[i] < f->trie->n_vocab &&
            f->keep[f->stop.ids[i]] != ALLOWED)
            f->keep[f->stop.ids[i]] = ENDING;
}

static void mask(LvTokenFilter *filter, float *scores, uint32_t n)
{
    LvJsonFilter *f = (LvJsonFilter *)filter;
    float best = -INFINITY, late = -INFINITY;
    sort_out(f);
    for (uint32_t i = 0; i < n; i++) {
        const int verdict = i < f->trie->n_vocab ? f->keep[i] : REFUSED;
        if (verdict == LATE && scores[i] > late)
            late = scores[i];
        if (verdict == REFUSED || verdict == LATE)
            scores[i] = -INFINITY;
        else if (scores[i] > best)
            best = scores[i];
    }
    f->late = f->late || late > best;
}

/* Behind a complete document: whether anything may come next, a stop token at least. */
static bool goes_on(LvJsonFilter *f)
{
    sort_out(f);
    for (uint32_t id = 0; id < f->trie->n_vocab; id++)
        if (f->keep[id] == ALLOWED || f->keep[id] == ENDING)
            return true;
    return false;
}

static void take(LvTokenFilter *filter, int32_t token)
{
    LvJsonFilter *f = (LvJsonFilter *)filter;
    LvWalk walk;
    f->truncated = f->truncated || f->late;
    f->late = false;
    if (judge(f, token, &walk) == ALLOWED)
        f->walk = walk;
    else
        f->stopped = f->ended = true;
    f->left -= f->left > 0;
    f->ended = f->ended || f->left == 0 || lv_walk_ended(f->program, &f->walk) ||
               (complete(f) && !goes_on(f));
}

LlavaovStatus lv_json_filter_open(LvJsonFilter *filter, const LvProgram *program,
    const LvTokenTrie *trie, LlavaovIds stop, LlavaovError *error)
{
    memset(filter, 0, sizeof *filter);
    filter->filter = (LvTokenFilter){allows, mask, take};
    filter->program = program;
    filter->trie = trie;
    filter->stop = stop;
    filter->walk = lv_walk_start(program);
    filter->walks = lv_alloc((size_t)trie->depth + 1, sizeof *filter->walks);
    filter->keep = lv_alloc(trie->n_vocab, 1);
    filter->closing = lv_closing_open();
    if (filter->walks && filter->keep && filter->closing)
        return LLAVAOV_OK;
    lv_json_filter_close(filter);
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer in JSON");
}

void lv_json_filter_close(LvJsonFilter *filter)
{
    lv_free(filter->walks);
    lv_free(filter->keep);
    lv_closing_close(filter->closing);
    memset(filter, 0, sizeof *filter);
}

uint32_t lv_json_filter_least(LvJsonFilter *filter)
{
    const LvWalk start = lv_walk_start(filter->program);
    return lv_closing_tokens(filter->closing, filter->program, filter->trie, &start);
}

void lv_json_filter_start(LvJsonFilter *filter, uint32_t tokens)
{
    filter->walk = lv_walk_start(filter->program);
    filter->left = tokens;
    filter->ended = filter->stopped = filter->truncated = filter->late = false;
}
