/* SPDX-License-Identifier: Apache-2.0
 * Added tokens such as <|im_end|>: searched for before anything else; the leftmost match wins, and
 * the longest of those. */
#ifndef LV_ADDED_TOKENS_H
#define LV_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"

typedef struct LvAddedToken {
    char *content; /* bytes long, also NUL-terminated */
    size_t bytes;
    int32_t id;
    bool special;
    bool normalized;     /* searched for in the normalised text, not in the raw one */
    bool lstrip, rstrip; /* strips the white space before it, after it */
    bool single_word;    /* slow tokenizers: no match next to text other than a space */
} LvAddedToken;

/* Sorted by content. */
typedef struct LvAddedTokens {
    LvAddedToken *tokens;
    size_t n;
    /* The tokens whose content begins with byte b are first[b] .. first[b + 1]. */
    uint32_t first[257];
} LvAddedTokens;

/* Sorts tokens, whose contents are not empty, and fills first. False when two tokens have the same
 * content; *twin is one of them. */
bool lv_added_tokens_index(LvAddedTokens *added, const LvAddedToken **twin);
void lv_added_tokens_free(LvAddedTokens *added);

/* The longest token that text begins with; NULL when none. text < end. */
const LvAddedToken *lv_added_tokens_match(
    const LvAddedTokens *added, const unsigned char *text, const unsigned char *end);

/* The tokens that begin with the bytes consumed so far. */
typedef struct LvAddedNode {
    uint32_t low, high;
    size_t depth;
} LvAddedNode;
LvAddedNode lv_added_root(const LvAddedTokens *added);
/* Consumes bytes (at least one); false, with *node undefined, when no token continues like that. */
bool lv_added_step(
    const LvAddedTokens *added, LvAddedNode *node, const unsigned char *text, size_t bytes);
/* Whether the bytes consumed so far are a token. */
bool lv_added_whole(const LvAddedTokens *added, const LvAddedNode *node);

/* The token with that content; NULL when there is none. */
const LvAddedToken *lv_added_tokens_find(
    const LvAddedTokens *added, const char *content, size_t bytes);

#endif
