/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/closing.h"

#include <string.h>

#include "base/alloc.h"

#define REMEMBERED 64 /* a power of two */

struct LvClosing {
    struct {
        bool used;
        LvWalk walk;
        uint32_t tokens;
    } known[REMEMBERED];
    LvWalk last; /* whose way the next two are, if it is between characters */
    bool has_last;
    unsigned char *bytes;
    uint32_t *tokens; /* from each byte to the end */
    size_t capacity;
};

LvClosing *lv_closing_open(void)
{
    return lv_calloc(1, sizeof(LvClosing));
}

void lv_closing_close(LvClosing *closing)
{
    if (!closing)
        return;
    lv_free(closing->bytes);
    lv_free(closing->tokens);
    lv_free(closing);
}

static bool reserve(LvClosing *closing, size_t n)
{
    if (n <= closing->capacity)
        return true;
    lv_free(closing->bytes);
    lv_free(closing->tokens);
    closing->bytes = lv_alloc(n, 1);
    closing->tokens = lv_alloc(n + 1, sizeof *closing->tokens);
    closing->capacity = closing->bytes && closing->tokens ? n : 0;
    return closing->capacity != 0;
}

/* Of the first bytes on, each token that fits, and the fewest behind it. */
static uint32_t fewest(const LvClosing *closing, const LvTokenTrie *trie, size_t at, size_t n)
{
    uint32_t best = UINT32_MAX, node = 0;
    for (size_t end = at; end < n; end++) {
        node = lv_token_nodes_below(&trie->all, node, closing->bytes[end]);
        if (!node)
            break;
        if (trie->all.first[node] < trie->all.first[node + 1] && closing->tokens[end + 1] < best)
            best = closing->tokens[end + 1] + 1;
    }
    return best;
}

static uint32_t count(
    LvClosing *closing, const LvProgram *program, const LvTokenTrie *trie, const LvWalk *from)
{
    const size_t n = lv_walk_closing(program, from);
    if (n == 0)
        return 0;
    closing->has_last = false;
    if (!reserve(closing, n))
        return UINT32_MAX;
    LvWalk walk = *from;
    for (size_t i = 0; i < n; i++) {
        closing->bytes[i] = lv_walk_closing_byte(program, &walk);
        lv_walk_step(program, &walk, closing->bytes[i]);
    }
    closing->tokens[n] = 0;
    for (size_t i = n; i-- > 0;)
        closing->tokens[i] = fewest(closing, trie, i, n);
    closing->last = *from;
    closing->has_last = lv_walk_between_characters(program, from);
    return closing->tokens[0];
}

/* Strings that are too short yet: the way from a longer one is the end of that from a shorter one.
 */
static bool is_on_last_way(const LvClosing *closing, const LvProgram *program, const LvWalk *walk)
{
    LvWalk shorter = *walk;
    shorter.n = closing->last.n;
    return closing->has_last && walk->n >= closing->last.n &&
           lv_walk_between_characters(program, walk) &&
           !memcmp(&shorter, &closing->last, sizeof shorter);
}

/* FNV-1a over the members that a walk is told apart by. */
static size_t place_of(const LvWalk *walk)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    const uint32_t members[] = {
        walk->at, walk->outer, walk->n, walk->u.literals.low, walk->u.literals.high};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        hash = (hash ^ members[i]) * UINT64_C(1099511628211);
    return (hash ^ hash >> 32) % REMEMBERED;
}

uint32_t lv_closing_tokens(
    LvClosing *closing, const LvProgram *program, const LvTokenTrie *trie, const LvWalk *walk)
{
    LvWalk key = *walk;
    const LvInstruction *step = &program->steps[walk->at];
    /* The way to the end is the same for all strings that are long enough. */
    if (step->op == LV_OP_STRING && key.n > step->least)
        key.n = step->least;
    if (is_on_last_way(closing, program, &key))
        return closing->tokens[key.n - closing->last.n];
    const size_t place = place_of(&key);
    if (!closing->known[place].used || memcmp(&closing->known[place].walk, &key, sizeof key)) {
        const uint32_t tokens = count(closing, program, trie, &key);
        if (tokens == UINT32_MAX)
            return tokens;
        closing->known[place].used = true;
        memcpy(&closing->known[place].walk, &key, sizeof key);
        closing->known[place].tokens = tokens;
    }
    return closing->known[place].tokens;
}
