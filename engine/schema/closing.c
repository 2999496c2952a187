/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/closing.h"

#include <string.h>

#include "base/alloc.h"

#define REMEMBERED 64 /* a power of two */

/* Bytes that a way may have before it joins the kept one. */
#define MOST_OWN 64

struct LvClosing {
    struct {
        bool used;
        LvWalk walk;
        uint32_t tokens;
    } known[REMEMBERED];
    /* A whole way to the end, which others join: its bytes, where each begins, and the tokens from
     * there. */
    unsigned char *bytes;
    LvWalk *walks;
    uint32_t *tokens; /* [n + 1] */
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
    lv_free(closing->walks);
    lv_free(closing->tokens);
    lv_free(closing);
}

static bool reserve(LvClosing *closing, size_t n)
{
    closing->n = 0;
    if (n <= closing->capacity)
        return true;
    lv_free(closing->bytes);
    lv_free(closing->walks);
    lv_free(closing->tokens);
    closing->bytes = lv_alloc(n, 1);
    closing->walks = lv_alloc(n, sizeof *closing->walks);
    closing->tokens = lv_alloc(n + 1, sizeof *closing->tokens);
    closing->capacity = closing->bytes && closing->walks && closing->tokens ? n : 0;
    return closing->capacity != 0;
}

/* The way to the end is the same for all strings and lists that are long enough. */
static LvWalk shortest_alike(const LvProgram *program, const LvWalk *walk)
{
    LvWalk alike = *walk;
    const LvInstruction *step = &program->steps[walk->at];
    if (step->op == LV_OP_STRING && alike.n > step->least)
        alike.n = step->least;
    for (uint32_t list = step->list; list != LV_NO_STEP; list = program->steps[list].list) {
        const LvInstruction *l = &program->steps[list];
        if (alike.elements[l->level] > l->least)
            alike.elements[l->level] = (uint16_t)l->least;
    }
    return alike;
}

/* The first bytes of a way, and the tokens from each: what it has before it joins the kept one at
 * `at`, or all of it. */
typedef struct Way {
    const unsigned char *bytes;
    uint32_t *tokens;
    size_t n, at;
} Way;

/* Of the bytes from `from` on, each token that fits, and the fewest behind it. */
static uint32_t fewest(
    const LvClosing *closing, const LvTokenTrie *trie, const Way *way, size_t from)
{
    const size_t kept = closing->n - way->at;
    uint32_t best = UINT32_MAX, node = 0;
    for (size_t i = from; i < way->n + kept; i++) {
        const unsigned char byte =
            i < way->n ? way->bytes[i] : closing->bytes[way->at + (i - way->n)];
        node = lv_token_nodes_below(&trie->all, node, byte);
        if (!node)
            break;
        const uint32_t behind =
            i + 1 < way->n ? way->tokens[i + 1] : closing->tokens[way->at + (i + 1 - way->n)];
        if (trie->all.first[node] < trie->all.first[node + 1] && behind < best)
            best = behind + 1;
    }
    return best;
}

/* Where the kept way is at this place; n: it is not there. */
static size_t place_on_way(const LvClosing *closing, const LvProgram *program, const LvWalk *walk)
{
    const size_t left = lv_walk_closing(program, walk);
    if (left > closing->n || left == 0)
        return closing->n;
    const size_t at = closing->n - left;
    return memcmp(&closing->walks[at], walk, sizeof *walk) ? closing->n : at;
}

/* A walk whose way soon joins the kept one. */
static bool join(const LvClosing *closing, const LvProgram *program, const LvTokenTrie *trie,
    const LvWalk *from, uint32_t *tokens)
{
    unsigned char bytes[MOST_OWN];
    uint32_t behind[MOST_OWN + 1];
    Way way = {bytes, behind, 0, 0};
    LvWalk walk = *from;
    if (closing->n == 0)
        return false;
    for (;;) {
        way.at = place_on_way(closing, program, &walk);
        if (way.at < closing->n)
            break;
        if (way.n == MOST_OWN || lv_walk_closing(program, &walk) == 0)
            return false;
        bytes[way.n] = lv_walk_closing_byte(program, &walk);
        lv_walk_step(program, &walk, bytes[way.n++]);
        walk = shortest_alike(program, &walk);
    }
    behind[way.n] = closing->tokens[way.at];
    for (size_t i = way.n; i-- > 0;)
        behind[i] = fewest(closing, trie, &way, i);
    *tokens = behind[0];
    return true;
}

/* Keeps the whole way. */
static uint32_t count(
    LvClosing *closing, const LvProgram *program, const LvTokenTrie *trie, const LvWalk *from)
{
    const size_t n = lv_walk_closing(program, from);
    if (n == 0)
        return 0;
    if (!reserve(closing, n))
        return UINT32_MAX;
    LvWalk walk = *from;
    for (size_t i = 0; i < n; i++) {
        closing->walks[i] = walk;
        closing->bytes[i] = lv_walk_closing_byte(program, &walk);
        lv_walk_step(program, &walk, closing->bytes[i]);
        walk = shortest_alike(program, &walk);
    }
    closing->n = n;
    closing->tokens[n] = 0;
    const Way all = {closing->bytes, closing->tokens, n, n};
    for (size_t i = n; i-- > 0;)
        closing->tokens[i] = fewest(closing, trie, &all, i);
    return closing->tokens[0];
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
    const size_t place = place_of(&key);
    if (!closing->known[place].used || memcmp(&closing->known[place].walk, &key, sizeof key)) {
        uint32_t tokens;
        if (!join(closing, program, trie, &key, &tokens))
            tokens = count(closing, program, trie, &key);
        if (tokens == UINT32_MAX)
            return tokens;
        closing->known[place].used = true;
        memcpy(&closing->known[place].walk, &key, sizeof key);
        closing->known[place].tokens = tokens;
    }
    return closing->known[place].tokens;
}
