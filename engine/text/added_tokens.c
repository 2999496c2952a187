/* SPDX-License-Identifier: Apache-2.0 */
#include "text/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static int compare(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
    return order ? order : a_bytes < b_bytes ? -1 : a_bytes > b_bytes;
}

static int by_content(const void *a, const void *b)
{
    const LvAddedToken *x = a, *y = b;
    return compare(x->content, x->bytes, y->content, y->bytes);
}

bool lv_added_tokens_index(LvAddedTokens *added, const LvAddedToken **twin)
{
    if (added->n)
        qsort(added->tokens, added->n, sizeof *added->tokens, by_content);
    memset(added->first, 0, sizeof added->first);
    for (size_t i = 0; i < added->n; i++) {
        if (i && by_content(&added->tokens[i - 1], &added->tokens[i]) == 0) {
            *twin = &added->tokens[i];
            return false;
        }
        added->first[(unsigned char)added->tokens[i].content[0] + 1]++;
    }
    for (size_t b = 0; b < 256; b++)
        added->first[b + 1] += added->first[b];
    return true;
}

void lv_added_tokens_free(LvAddedTokens *added)
{
    for (size_t i = 0; i < added->n; i++)
        lv_free(added->tokens[i].content);
    lv_free(added->tokens);
    memset(added, 0, sizeof *added);
}

/* The first of tokens low .. high whose byte at depth is >= wanted; all of them are longer than
 * depth and share the bytes before it. */
static uint32_t lower_bound(
    const LvAddedTokens *added, uint32_t low, uint32_t high, size_t depth, unsigned wanted)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((unsigned char)added->tokens[middle].content[depth] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const LvAddedToken *lv_added_tokens_match(
    const LvAddedTokens *added, const unsigned char *text, const unsigned char *end)
{
    const LvAddedToken *longest = NULL;
    uint32_t low = added->first[text[0]], high = added->first[text[0] + 1];
    for (size_t depth = 1; low < high; depth++) {
        if (added->tokens[low].bytes == depth)
            longest = &added->tokens[low++];
        if (low == high || text + depth == end)
            break;
        low = lower_bound(added, low, high, depth, text[depth]);
        high = lower_bound(added, low, high, depth, text[depth] + 1u);
    }
    return longest;
}

LvAddedNode lv_added_root(const LvAddedTokens *added)
{
    return (LvAddedNode){.high = (uint32_t)added->n};
}

bool lv_added_step(
    const LvAddedTokens *added, LvAddedNode *node, const unsigned char *text, size_t bytes)
{
    uint32_t low = node->low, high = node->high;
    for (size_t i = 0; i < bytes; i++, node->depth++) {
        if (node->depth == 0) {
            low = added->first[text[0]];
            high = added->first[text[0] + 1];
        } else {
            if (low < high && added->tokens[low].bytes == node->depth)
                low++;
            low = lower_bound(added, low, high, node->depth, text[i]);
            high = lower_bound(added, low, high, node->depth, text[i] + 1u);
        }
        if (low == high)
            return false;
    }
    node->low = low;
    node->high = high;
    return true;
}

bool lv_added_whole(const LvAddedTokens *added, const LvAddedNode *node)
{
    return node->depth && added->tokens[node->low].bytes == node->depth;
}

const LvAddedToken *lv_added_tokens_find(
    const LvAddedTokens *added, const char *content, size_t bytes)
{
    size_t low = 0, high = added->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const LvAddedToken *token = &added->tokens[middle];
        int order = compare(token->content, token->bytes, content, bytes);
        if (order == 0)
            return token;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
