/* SPDX-License-Identifier: Apache-2.0 */
#include "choices/trie.h"

#include <float.h>
#include <math.h>

#include "base/alloc.h"
#include "base/status.h"
#include "ops.h"
#include "sum_exp.h"

/* ln(exp(a) + exp(b)) */
static double add_logs(double a, double b)
{
    const double more = a > b ? a : b, less = a > b ? b : a;
    return less == -INFINITY ? more : more + log1p(exp(less - more));
}

/* The child with this token, or 0. */
static uint32_t find(const LvTrie *t, uint32_t node, int32_t token)
{
    uint32_t child = t->nodes[node].child;
    while (child && t->nodes[child].token != token)
        child = t->nodes[child].next;
    return child;
}

/* Spellings come sorted, so the last child is the one with the greatest token. */
static uint32_t append(LvTrie *t, uint32_t parent, int32_t token)
{
    const uint32_t added = (uint32_t)t->n++;
    uint32_t *link = &t->nodes[parent].child;
    while (*link)
        link = &t->nodes[*link].next;
    *link = added;
    t->nodes[added] = (LvTrieNode){
        .token = token, .label = -1, .depth = t->nodes[parent].depth + 1, .parent = parent};
    if (t->depth < t->nodes[parent].depth)
        t->depth = t->nodes[parent].depth;
    return added;
}

/* A sequence that begins with one of its own label's, with no other label's between, adds nothing.
 */
static bool is_covered(const LvTrie *t, const LvLabelSpelling *s)
{
    uint32_t node = 0;
    int32_t label = -1;
    for (uint32_t i = 0; i < s->n && (node = find(t, node, s->tokens[i])); i++)
        label = t->nodes[node].label >= 0 ? t->nodes[node].label : label;
    return label == (int32_t)s->label;
}

LlavaovStatus lv_trie_make(const LvSpellings *spellings, LvTrie *t, LlavaovError *error)
{
    size_t most = 1;
    for (size_t i = 0; i < spellings->n; i++)
        most += spellings->list[i].n;
    *t = (LvTrie){lv_alloc(most, sizeof *t->nodes), 1, 0};
    if (!t->nodes)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for choices");
    t->nodes[0] = (LvTrieNode){.token = -1, .label = -1};
    for (size_t i = 0; i < spellings->n; i++) {
        const LvLabelSpelling *s = &spellings->list[i];
        uint32_t node = 0;
        if (is_covered(t, s))
            continue;
        for (uint32_t k = 0; k < s->n; k++) {
            const uint32_t child = find(t, node, s->tokens[k]);
            node = child ? child : append(t, node, s->tokens[k]);
        }
        t->nodes[node].label = (int32_t)s->label;
    }
    return LLAVAOV_OK;
}

void lv_trie_free(LvTrie *trie)
{
    lv_free(trie->nodes);
    *trie = (LvTrie){0};
}

size_t lv_trie_next_way(const LvTrie *t, size_t from)
{
    for (size_t i = from; i < t->n; i++) {
        bool last = i > 0 && lv_trie_inner(t, i) && !t->nodes[i].known;
        for (uint32_t c = t->nodes[i].child; c && last; c = t->nodes[c].next)
            last = !lv_trie_inner(t, c);
        if (last)
            return i;
    }
    return t->n;
}

size_t lv_trie_way(const LvTrie *t, size_t node, size_t *nodes)
{
    const size_t n = t->nodes[node].depth;
    for (size_t i = n; i > 0; i--, node = t->nodes[node].parent)
        nodes[i - 1] = node;
    return n;
}

/* Looked at together, since few hold a new greatest. */
#define BLOCK 64

static bool any_above(const float *logits, size_t n, float bound)
{
    uint32_t above = 0;
    for (size_t i = 0; i < n; i++)
        above |= logits[i] > bound;
    return above != 0;
}

/* The greatest of logits [first, end), and where it stands first. */
static void find_greatest(
    const float *logits, size_t first, size_t end, float *greatest, size_t *where)
{
    for (size_t i = first; i < end; i++) {
        if ((i - first) % BLOCK == 0 && end - i >= BLOCK &&
            !any_above(logits + i, BLOCK, *greatest)) {
            i += BLOCK - 1;
            continue;
        }
        if (logits[i] > *greatest) {
            *greatest = logits[i];
            *where = i;
        }
    }
}

static bool all_finite(const float *logits, size_t n)
{
    uint32_t finite = 1;
    for (size_t i = 0; i < n; i++)
        finite &= fabsf(logits[i]) <= FLT_MAX;
    return finite;
}

bool lv_trie_take(LvTrie *t, size_t node, const float *logits, size_t n_vocab)
{
    LvTrieNode *taken = &t->nodes[node];
    if (!all_finite(logits, n_vocab))
        return false;
    /* Tokens that are no child's lie between those of the children. Their sum is taken apart, so
     * that it is exact also where the children have nearly all. */
    float rest_most = -INFINITY, most = -INFINITY;
    size_t rest_where = 0, where = 0, at = 0;
    for (uint32_t c = taken->child; c; c = t->nodes[c].next) {
        const size_t token = (size_t)t->nodes[c].token;
        find_greatest(logits, at, token, &rest_most, &rest_where);
        find_greatest(logits, token, token + 1, &most, &where);
        at = token + 1;
    }
    find_greatest(logits, at, n_vocab, &rest_most, &rest_where);
    const bool elsewhere = rest_most > most || (rest_most == most && rest_where < where);
    taken->likeliest = (int32_t)(elsewhere ? rest_where : where);

    const LvSumExp sum_exp = lv_sum_exp_choose(lv_cpu_flags());
    double sum = 0;
    at = 0;
    for (uint32_t c = taken->child; c; c = t->nodes[c].next) {
        const size_t token = (size_t)t->nodes[c].token;
        sum += sum_exp(logits + at, token - at, rest_most);
        at = token + 1;
    }
    sum += sum_exp(logits + at, n_vocab - at, rest_most);
    const double rest = sum > 0 ? rest_most + log(sum) : -INFINITY;

    double all = rest;
    for (uint32_t c = taken->child; c; c = t->nodes[c].next)
        all = add_logs(all, logits[t->nodes[c].token]);
    for (uint32_t c = taken->child; c; c = t->nodes[c].next)
        t->nodes[c].logprob = logits[t->nodes[c].token] - all;
    taken->rest = rest - all;
    taken->known = true;
    return true;
}

bool lv_trie_take_logprobs(LvTrie *t, size_t node, const double *children, int32_t likeliest)
{
    LvTrieNode *taken = &t->nodes[node];
    double sum = 0;
    size_t i = 0;
    for (uint32_t c = taken->child; c; c = t->nodes[c].next, i++) {
        t->nodes[c].logprob = children[i];
        sum += exp(children[i]);
        if (likeliest < 0 && exp(children[i]) > 0.5)
            likeliest = t->nodes[c].token; /* none can be likelier */
    }
    if (!(sum <= 1.001))
        return false;
    taken->rest = sum < 1 ? log1p(-sum) : -INFINITY;
    taken->likeliest = likeliest;
    taken->known = true;
    return true;
}

/* Of what begins with the tokens of a node, the logarithm of the part that is not another label's.
 */
static double share(const LvTrie *t, size_t node)
{
    if (!lv_trie_inner(t, node))
        return 0;
    double sum = t->nodes[node].rest;
    for (uint32_t c = t->nodes[node].child; c; c = t->nodes[c].next)
        if (t->nodes[c].label < 0)
            sum = add_logs(sum, t->nodes[c].logprob + share(t, c));
    return sum;
}

void lv_trie_logprobs(const LvTrie *t, size_t n_labels, double *logprobs)
{
    for (size_t i = 0; i < n_labels; i++)
        logprobs[i] = -INFINITY;
    for (size_t i = 1; i < t->n; i++) {
        const int32_t label = t->nodes[i].label;
        if (label < 0)
            continue;
        double way = 0;
        for (size_t k = i; k; k = t->nodes[k].parent)
            way += t->nodes[k].logprob;
        logprobs[label] = add_logs(logprobs[label], way + share(t, i));
    }
}

double lv_trie_shares(const double *logprobs, size_t n, double temperature, double *share)
{
    double most = -INFINITY, mass = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, logprobs[i] / temperature);
        mass += exp(logprobs[i]);
    }
    for (size_t i = 0; i < n; i++)
        sum += share[i] = most > -INFINITY ? exp(logprobs[i] / temperature - most) : 1;
    for (size_t i = 0; i < n; i++)
        share[i] /= sum;
    return fmin(mass, 1);
}

bool lv_trie_likeliest(const LvTrie *t, int32_t tokens[LV_MAX_SPELLING_TOKENS], size_t *n)
{
    uint32_t node = 0;
    bool label = false;
    *n = 0;
    while (lv_trie_inner(t, node)) {
        tokens[*n] = t->nodes[node].likeliest;
        const uint32_t child = find(t, node, tokens[*n]);
        ++*n;
        if (!child)
            break;
        node = child;
        label |= t->nodes[node].label >= 0;
    }
    return label;
}
