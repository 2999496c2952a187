/* SPDX-License-Identifier: Apache-2.0
 * The token sequences of all labels as one tree, and what a model's logits make of it.
 *
 * A node stands for the event that an answer begins with the tokens on the way to it. Where
 * a spelling ends, the node is its label's; a label's share of such a node is the event less those
 * of the nearest nodes below that are other labels': "no" and "no person" compete, and neither
 * needs an end token. Shares are disjoint, so they add up. */
#ifndef LV_TRIE_H
#define LV_TRIE_H

#include "choices/spellings.h"

typedef struct LvTrieNode {
    int32_t token; /* the root's is -1 */
    int32_t label; /* -1: no spelling ends here */
    uint32_t depth, parent;
    uint32_t child, next; /* the first child, the next of the same parent by token; 0: none */
    bool known;           /* lv_trie_take was called for it */
    /* Of the model, in natural logarithms. */
    double logprob; /* of this token after its parent; by its parent's lv_trie_take */
    double rest;    /* of all tokens after this node that are no child's */
    int32_t likeliest;
} LvTrieNode;

typedef struct LvTrie {
    LvTrieNode *nodes; /* the root first, each before its children; owned */
    size_t n;
    uint32_t depth; /* tokens that have to be run behind the prompt, at most */
} LvTrie;

LlavaovStatus lv_trie_make(const LvSpellings *spellings, LvTrie *trie, LlavaovError *error);
void lv_trie_free(LvTrie *trie);

/* Nodes with children are inner ones; of these the logits are wanted. */
static inline bool lv_trie_inner(const LvTrie *trie, size_t node)
{
    return trie->nodes[node].child != 0;
}

/* From node `from` on: the next inner one, not the root, whose way is not part of another inner
 * one's, and which is not known. trie->n: none. */
size_t lv_trie_next_way(const LvTrie *trie, size_t from);
/* The nodes of the way to `node` without the root, in order; nodes has room for
 * LV_MAX_SPELLING_TOKENS. Returns how many. */
size_t lv_trie_way(const LvTrie *trie, size_t node, size_t *nodes);

/* Logits [n_vocab] after an inner node. False: one of them is not finite. */
bool lv_trie_take(LvTrie *trie, size_t node, const float *logits, size_t n_vocab);

/* The same from logarithms of probabilities: those of the node's children, in their order, and the
 * likeliest token of all, -1 where that is not known. False: they are more than 1 together. */
bool lv_trie_take_logprobs(LvTrie *trie, size_t node, const double *children, int32_t likeliest);

/* Once all inner nodes are known: the logarithm of each label's probability. */
void lv_trie_logprobs(const LvTrie *trie, size_t n_labels, double *logprobs);

/* share[i]: the probability of label i among all n labels, each to the power of 1 / temperature. Returns
 * the labels' probability together, at most 1. */
double lv_trie_shares(const double *logprobs, size_t n, double temperature, double *share);

/* What the model would begin its answer with: tokens along the tree, each the likeliest, up to a
 * leaf or the first token that is not in the tree (-1: not known). True: a label. Returns their number in *n,
 * at most LV_MAX_SPELLING_TOKENS. */
bool lv_trie_likeliest(const LvTrie *trie, int32_t tokens[LV_MAX_SPELLING_TOKENS], size_t *n);

#endif
