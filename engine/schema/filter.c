/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/filter.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "schema/closing.h"

/* What a token would be. */
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

/* ---- all of a vocabulary ---- */

/* What a mask is made of: tokens that are allowed one by one, and plain ones by their number of
 * characters. */
typedef struct Sorted {
    const float *scores; /* NULL: of no interest */
    float late;          /* the greatest of those that are LATE */
    bool complete;
    bool plain; /* of plain tokens those are allowed whose number of characters is in `allowed` */
    bool allowed[UINT8_MAX + 1];
} Sorted;

static void keep(LvJsonFilter *f, int32_t token)
{
    f->kept[f->n_kept++] = token;
}

static void sort_in(LvJsonFilter *f, Sorted *s, const int32_t *tokens, uint32_t n, int verdict)
{
    for (uint32_t i = 0; i < n; i++) {
        if (verdict == ALLOWED)
            keep(f, tokens[i]);
        else if (s->scores && s->scores[tokens[i]] > s->late &&
                 !(s->complete && is_stop(f, tokens[i])))
            s->late = s->scores[tokens[i]];
    }
}

/* Those of a trie, each on its way. */
static void sort_out_nodes(LvJsonFilter *f, const LvTokenNodes *nodes, Sorted *s)
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
        if (first < end)
            sort_in(f, s, nodes->tokens + first, end - first, in_time(f, walk));
        node++;
    }
}

/* Inside a string plain tokens differ in their number of characters alone. */
static void sort_out_plain(LvJsonFilter *f, uint32_t most, Sorted *s)
{
    const uint32_t *first = f->trie->first_plain;
    uint32_t n_allowed = 0;
    for (uint32_t n = 1; n <= UINT8_MAX && n <= most; n++) {
        if (first[n] == first[n + 1])
            continue;
        LvWalk walk = f->walk;
        lv_walk_skip(&walk, n);
        const int verdict = in_time(f, &walk);
        s->allowed[n] = verdict == ALLOWED;
        if (s->allowed[n])
            n_allowed += first[n + 1] - first[n];
        else
            sort_in(f, s, f->trie->by_points + first[n], first[n + 1] - first[n], verdict);
    }
    s->plain = n_allowed > f->trie->n_vocab / 2;
    for (uint32_t n = 1; n <= UINT8_MAX && !s->plain; n++)
        if (s->allowed[n])
            sort_in(f, s, f->trie->by_points + first[n], first[n + 1] - first[n], ALLOWED);
}

/* Stop tokens, behind a complete document. */
static void sort_out_stops(LvJsonFilter *f)
{
    LvWalk walk;
    for (size_t i = 0; i < f->stop.n; i++) {
        bool again = judge(f, f->stop.ids[i], &walk) != ENDING;
        for (size_t k = 0; k < i; k++)
            again = again || f->stop.ids[k] == f->stop.ids[i];
        if (!again)
            keep(f, f->stop.ids[i]);
    }
}

static void sort_out(LvJsonFilter *f, const float *scores, Sorted *s)
{
    const uint32_t characters = lv_walk_characters(f->program, &f->walk);
    memset(s, 0, sizeof *s);
    s->scores = scores;
    s->late = -INFINITY;
    s->complete = complete(f);
    f->n_kept = 0;
    if (characters)
        sort_out_plain(f, characters, s);
    sort_out_nodes(f, characters ? &f->trie->odd : &f->trie->all, s);
    if (s->complete)
        sort_out_stops(f);
}

static void remove_tokens(const int32_t *tokens, uint32_t n, float *scores)
{
    for (uint32_t i = 0; i < n; i++)
        scores[tokens[i]] = -INFINITY;
}

/* All but the plain tokens that are allowed. */
static void remove_all(const LvTokenTrie *trie, const Sorted *s, float *scores, uint32_t n)
{
    const uint32_t *first = trie->first_plain;
    for (uint32_t i = s->plain ? trie->n_vocab : 0; i < n; i++)
        scores[i] = -INFINITY;
    for (uint32_t k = 0; k <= UINT8_MAX && s->plain; k++)
        if (!s->allowed[k])
            remove_tokens(trie->by_points + first[k], first[k + 1] - first[k], scores);
}

static bool any_above(const float *scores, uint32_t n, float bound)
{
    uint32_t above = 0;
    for (uint32_t i = 0; i < n; i++)
        above |= scores[i] >= bound;
    return above != 0;
}

/* n is at least the tokenizer's size, or what of it the model knows. */
static void mask(LvTokenFilter *filter, float *scores, uint32_t n)
{
    LvJsonFilter *f = (LvJsonFilter *)filter;
    Sorted s;
    sort_out(f, scores, &s);
    for (uint32_t i = 0; i < f->n_kept; i++)
        f->scores[i] = scores[f->kept[i]];
    remove_all(f->trie, &s, scores, n);
    for (uint32_t i = 0; i < f->n_kept; i++)
        scores[f->kept[i]] = f->scores[i];
    if (s.late > -INFINITY)
        f->late = f->late || !any_above(scores, n, s.late);
}

/* Behind a complete document: whether anything may come next, a stop token at least. */
static bool goes_on(LvJsonFilter *f)
{
    Sorted s;
    sort_out(f, NULL, &s);
    return f->n_kept > 0;
}

static void take(LvTokenFilter *filter, int32_t token)
{
    LvJsonFilter *f = (LvJsonFilter *)filter;
    LvWalk walk;
    if (f->before)
        f->before(f->data, f, token);
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
    filter->filter = (LvTokenFilter){.allows = allows, .mask = mask, .take = take};
    filter->program = program;
    filter->trie = trie;
    filter->stop = stop;
    filter->walk = lv_walk_start(program);
    filter->walks = lv_alloc((size_t)trie->depth + 1, sizeof *filter->walks);
    filter->kept = lv_alloc(trie->n_vocab, sizeof *filter->kept);
    filter->scores = lv_alloc(trie->n_vocab, sizeof *filter->scores);
    filter->closing = lv_closing_open();
    if (filter->walks && filter->kept && filter->scores && filter->closing)
        return LLAVAOV_OK;
    lv_json_filter_close(filter);
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer in JSON");
}

void lv_json_filter_close(LvJsonFilter *filter)
{
    lv_free(filter->walks);
    lv_free(filter->kept);
    lv_free(filter->scores);
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

size_t lv_json_filter_forced(const LvJsonFilter *filter, char *bytes, size_t most, bool *all)
{
    LvWalk walk = filter->walk;
    size_t n = 0;
    while (n < most && lv_walk_forced(filter->program, &walk)) {
        const unsigned char byte = lv_walk_closing_byte(filter->program, &walk);
        if (!lv_walk_step(filter->program, &walk, byte))
            break;
        bytes[n++] = (char)byte;
    }
    *all = lv_walk_ended(filter->program, &walk);
    return n;
}
