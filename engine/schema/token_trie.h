/* SPDX-License-Identifier: Apache-2.0
 * A vocabulary's tokens as a trie of their bytes. Special tokens, and those without bytes, are not
 * in it. Immutable once open. */
#ifndef LV_TOKEN_TRIE_H
#define LV_TOKEN_TRIE_H

#include "text/tokenizer.h"

/* Nodes stand before those below them, which follow in the order of their bytes. Node 0 is the
 * root. */
typedef struct LvTokenNodes {
    uint32_t n_nodes, n_tokens;
    unsigned char *byte; /* [n_nodes] */
    uint16_t *level;     /* [n_nodes] bytes up to and with this one */
    uint32_t *end;       /* [n_nodes] the first node that is not below this one */
    uint32_t *first;     /* [n_nodes + 1] of `tokens`, those that end with the node */
    int32_t *tokens;     /* [n_tokens] */
    uint32_t under[256]; /* the root's nodes by byte; 0: none */
} LvTokenNodes;

typedef struct LvTokenTrie {
    LvTokenNodes all;
    LvTokenNodes odd;     /* those that are not plain */
    uint32_t n_vocab;     /* ids below */
    uint32_t depth;       /* bytes of the longest token */
    uint32_t *token_from; /* [n_vocab + 1] of `bytes` */
    unsigned char *bytes; /* of all tokens, by id */
    /* [n_vocab] Code points of plain tokens, which are whole characters that stand for themselves in
     * a JSON string; 0: not plain. Most of a vocabulary are, so that strings need not walk them. */
    uint8_t *plain;
    /* [n_vocab] All ids, those first that are not plain, the others by their code points, and where
     * those of each number begin: plain tokens of n are [first_plain[n], first_plain[n + 1]). */
    int32_t *by_points;
    uint32_t first_plain[UINT8_MAX + 2];
} LvTokenTrie;

/* Of the ids below n_vocab. Error: UNSUPPORTED, when a byte that a document may hold is no token of
 * its own. */
LlavaovStatus lv_token_trie_open(
    const LvTokenizer *tokenizer, uint32_t n_vocab, LvTokenTrie **trie, LlavaovError *error);
void lv_token_trie_close(LvTokenTrie *trie);

/* The node below `node` by a byte; 0: none. */
uint32_t lv_token_nodes_below(const LvTokenNodes *nodes, uint32_t node, unsigned char byte);

#endif
