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
    size_t n, capacity;
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
    closing->n = n;
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

/* The way to the end is the same for all strings that are long enough. */
static LvWalk shortest_alike(const LvProgram *program, const LvWalk *walk)
{
    LvWalk alike = *walk;
    const LvInstruction *step = &program->steps[walk->at];
    if (step->op == LV_OP_STRING && alike.n > step->least)
        alike.n = step->least;
    return alike;
}

/* Within a character the way joins the last one behind it. */
static bool join_last_way(const LvClosing *closing, const LvProgram *program,
    const LvTokenTrie *trie, const LvWalk *from, uint32_t *tokens)
{
    unsigned char bytes[4];
    uint32_t behind[5]; /* tokens from each of these bytes */
    size_t n = 0;
    LvWalk walk = *from;
    while (!is_on_last_way(closing, program, &walk)) {
        if (!closing->has_last || n == sizeof bytes || lv_walk_closing(program, &walk) == 0)
            return false;
        bytes[n] = lv_walk_closing_byte(program, &walk);
        lv_walk_step(program, &walk, bytes[n++]);
        walk = shortest_alike(program, &walk);
    }
    const size_t at = walk.n - closing->last.n;
    behind[n] = closing->tokens[at];
    for (size_t i = n; i-- > 0;) {
        uint32_t node = 0;
        behind[i] = UINT32_MAX;
        for (size_t k = i; k < n || at + (k - n) < closing->n; k++) {
            node = lv_token_nodes_below(
                &trie->all, node, k < n ? bytes[k] : closing->bytes[at + (k - n)]);
            if (!node)
                break;
            const uint32_t rest = k + 1 < n ? behind[k + 1] : closing->tokens[at + (k + 1 - n)];
            if (trie->all.first[node] < trie->all.first[node + 1] && rest < behind[i])
                behind[i] = rest + 1;
        }
    }
    *tokens = behind[0];
    return true;
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
    const LvWalk key = shortest_alike(program, walk);
    if (is_on_last_way(closing, program, &key))
        return closing->tokens[key.n - closing->last.n];
    const size_t place = place_of(&key);
    if (!closing->known[place].used || memcmp(&closing->known[place].walk, &key, sizeof key)) {
        uint32_t tokens;
        if (!join_last_way(closing, program, trie, &key, &tokens))
            tokens = count(closing, program, trie, &key);
        if (tokens == UINT32_MAX)
            return tokens;
        closing->known[place].used = true;
        memcpy(&closing->known[place].walk, &key, sizeof key);
        closing->known[place].tokens = tokens;
    }
    return closing->known[place].tokens;
}
