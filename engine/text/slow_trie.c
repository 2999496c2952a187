/* SPDX-License-Identifier: Apache-2.0
 * The reference tracks every token that may have begun and takes the first that is complete, or an
 * earlier one that becomes complete afterwards. It does not always notice that an earlier one has
 * already ended: it then skips a character and cuts out text that is not a token. This is
 * reproduced here, since ids depend on it. */
#include "text/slow_trie.h"

#include <string.h>

#include "base/alloc.h"
#include "text/utf8.h"

/* A token that may have begun at start; node is the match so far. */
typedef struct TrieState {
    size_t start;
    LvAddedNode node;
    bool ended; /* the character does not continue it */
} TrieState;

typedef struct States {
    TrieState *state;
    size_t n, capacity;
} States;

bool lv_cuts_add(LvCuts *cuts, size_t at)
{
    if (cuts->n == cuts->capacity) {
        size_t capacity = cuts->capacity * 2 + 16;
        size_t *grown = lv_realloc(cuts->at, capacity, sizeof *grown);
        if (!grown)
            return false;
        cuts->at = grown;
        cuts->capacity = capacity;
    }
    cuts->at[cuts->n++] = at;
    return true;
}

static bool begin_state(States *states, TrieState state)
{
    if (states->n == states->capacity) {
        size_t capacity = states->capacity * 2 + 16;
        TrieState *grown = lv_realloc(states->state, capacity, sizeof *grown);
        if (!grown)
            return false;
        states->state = grown;
        states->capacity = capacity;
    }
    states->state[states->n++] = state;
    return true;
}

static size_t character(const unsigned char *text)
{
    const unsigned char *next = text;
    lv_utf8_next(&next);
    return (size_t)(next - text);
}

typedef struct Found {
    size_t start, end;
    size_t skip; /* no token begins before it; 0: not set */
} Found;

/* State number `at` is a complete token before the character at `current`. Takes the longest of the
 * earliest matches in progress. */
static Found look_ahead(const LvAddedTokens *added, const unsigned char *text, size_t end,
    const States *states, size_t at, size_t current)
{
    const size_t behind = current + character(text + current);
    Found found = {.start = states->state[at].start};
    for (size_t i = 0; i < states->n && states->state[i].start <= found.start; i++) {
        LvAddedNode node = states->state[i].node;
        const size_t start = states->state[i].start;
        size_t place = start < found.start ? behind : current;
        found.end = place;
        if (lv_added_whole(added, &node)) {
            found = (Found){start, place, place};
        }
        while (place < end && lv_added_step(added, &node, text + place, character(text + place))) {
            place += character(text + place);
            if (lv_added_whole(added, &node))
                found = (Found){start, place, place};
        }
    }
    return found;
}

/* Consumes one character and advances the states; *found says whether a token was found. */
static bool step(const LvAddedTokens *added, const unsigned char *text, size_t end, States *states,
    size_t current, Found *found)
{
    const size_t bytes = character(text + current);
    size_t kept = 0;
    for (size_t i = 0; i < states->n; i++) {
        LvAddedNode next = states->state[i].node;
        if (lv_added_whole(added, &next)) {
            *found = look_ahead(added, text, end, states, i, current);
            return true;
        }
        if (lv_added_step(added, &next, text + current, bytes))
            states->state[i].node = next;
        else
            states->state[i].ended = true;
    }
    for (size_t i = 0; i < states->n; i++)
        if (!states->state[i].ended)
            states->state[kept++] = states->state[i];
    states->n = kept;
    return false;
}

bool lv_slow_trie_cut(
    const LvAddedTokens *added, const unsigned char *text, size_t begin, size_t end, LvCuts *cuts)
{
    States states = {0};
    size_t skip = 0;
    bool good = true;
    for (size_t current = begin; good && current < end; current += character(text + current)) {
        if (current < skip)
            continue;
        Found found = {0};
        if (step(added, text, end, &states, current, &found)) {
            good = lv_cuts_add(cuts, found.start) && lv_cuts_add(cuts, found.end);
            skip = found.skip ? found.skip : skip;
            states.n = 0;
        }
        TrieState state = {.start = current, .node = lv_added_root(added)};
        if (current >= skip &&
            lv_added_step(added, &state.node, text + current, character(text + current)))
            good = good && begin_state(&states, state);
    }
    for (size_t i = 0; good && i < states.n; i++)
        if (lv_added_whole(added, &states.state[i].node)) {
            good = lv_cuts_add(cuts, states.state[i].start) && lv_cuts_add(cuts, end);
            break;
        }
    lv_free(states.state);
    return good;
}
