/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/token_trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

/* A token as it is sorted. */
typedef struct TokenBytes {
    const unsigned char *bytes;
    uint32_t n;
    int32_t id;
} TokenBytes;

static int compare(const void *a, const void *b)
{
    const TokenBytes *x = a, *y = b;
    const int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);
    if (order)
        return order;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the tokens' bytes");
}

/* Copies the bytes of all tokens. */
static LlavaovStatus copy_bytes(
    LvTokenTrie *trie, const LvTokenizer *tokenizer, LlavaovError *error)
{
    trie->token_from = lv_calloc((size_t)trie->n_vocab + 1, sizeof *trie->token_from);
    if (!trie->token_from)
        return no_memory(error);
    for (int pass = 0; pass < 2; pass++) {
        size_t total = 0;
        for (uint32_t id = 0; id < trie->n_vocab; id++) {
            size_t n;
            bool special;
            const char *bytes = lv_tokenizer_token_bytes(tokenizer, (int32_t)id, &n, &special);
            trie->token_from[id] = (uint32_t)total;
            if (!bytes || special || n > UINT16_MAX)
                continue;
            if (pass)
                memcpy(trie->bytes + total, bytes, n);
            total += n;
            if (total > LV_MAX_TOKEN_TRIE_BYTES)
                return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "tokenizer.json",
                    "tokenizer.json: its tokens have more than %u bytes, too many for answers in "
                    "JSON",
                    LV_MAX_TOKEN_TRIE_BYTES);
        }
        trie->token_from[trie->n_vocab] = (uint32_t)total;
        if (!pass && !(trie->bytes = lv_alloc(total, 1)))
            return no_memory(error);
    }
    return LLAVAOV_OK;
}

static uint32_t shared_bytes(const TokenBytes *a, const TokenBytes *b)
{
    uint32_t n = 0;
    while (n < a->n && n < b->n && a->bytes[n] == b->bytes[n])
        n++;
    return n;
}

/* Nodes that the sorted entries take, the root among them. */
static size_t count_nodes(const TokenBytes *entries, size_t n)
{
    size_t nodes = 1;
    for (size_t i = 0; i < n; i++)
        nodes += entries[i].n - (i ? shared_bytes(&entries[i - 1], &entries[i]) : 0);
    return nodes;
}

static bool reserve(LvTokenTrie *trie, size_t n_nodes, size_t n_tokens)
{
    trie->byte = lv_calloc(n_nodes, sizeof *trie->byte);
    trie->level = lv_calloc(n_nodes, sizeof *trie->level);
    trie->end = lv_calloc(n_nodes, sizeof *trie->end);
    trie->first = lv_calloc(n_nodes + 1, sizeof *trie->first);
    trie->tokens = lv_calloc(n_tokens, sizeof *trie->tokens);
    return trie->byte && trie->level && trie->end && trie->first && trie->tokens;
}

/* path: room for the nodes of one token, trie->depth + 1. */
static void add_nodes(LvTokenTrie *trie, const TokenBytes *entries, size_t n, uint32_t *path)
{
    uint32_t open = 0; /* bytes of the entry before whose nodes have no end yet */
    trie->n_nodes = 1;
    path[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t shared = i ? shared_bytes(&entries[i - 1], &entries[i]) : 0;
        for (; open > shared; open--)
            trie->end[path[open]] = trie->n_nodes;
        for (; open < entries[i].n; open++) {
            const uint32_t node = trie->n_nodes++;
            trie->byte[node] = entries[i].bytes[open];
            trie->level[node] = (uint16_t)(open + 1);
            trie->first[node] = (uint32_t)i;
            path[open + 1] = node;
            if (open == 0)
                trie->under[trie->byte[node]] = node;
        }
        trie->tokens[i] = entries[i].id;
    }
    for (; open > 0; open--)
        trie->end[path[open]] = trie->n_nodes;
    trie->end[0] = trie->n_nodes;
    trie->first[trie->n_nodes] = (uint32_t)n;
    trie->n_tokens = (uint32_t)n;
}

static LlavaovStatus build(LvTokenTrie *trie, LlavaovError *error)
{
    TokenBytes *entries = lv_alloc(trie->n_vocab, sizeof *entries);
    if (!entries)
        return no_memory(error);
    size_t n = 0;
    for (uint32_t id = 0; id < trie->n_vocab; id++) {
        const uint32_t from = trie->token_from[id], bytes = trie->token_from[id + 1] - from;
        if (bytes)
            entries[n++] = (TokenBytes){trie->bytes + from, bytes, (int32_t)id};
        trie->depth = bytes > trie->depth ? bytes : trie->depth;
    }
    qsort(entries, n, sizeof *entries, compare);
    uint32_t *path = lv_alloc((size_t)trie->depth + 1, sizeof *path);
    const bool enough = path && reserve(trie, count_nodes(entries, n), n);
    if (enough)
        add_nodes(trie, entries, n, path);
    lv_free(path);
    lv_free(entries);
    return enough ? LLAVAOV_OK : no_memory(error);
}

/* Every byte of UTF-8 but control characters is a token, so that a byte more is at most a token more. */
static LlavaovStatus check_bytes(const LvTokenTrie *trie, LlavaovError *error)
{
    for (unsigned byte = 0x20; byte <= 0xF4; byte++) {
        const uint32_t node = trie->under[byte];
        if (byte == 0xC0 || byte == 0xC1 || (node && trie->first[node] < trie->first[node + 1]))
            continue;
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "tokenizer.json",
            "tokenizer.json: no token is the single byte 0x%02X, so that answers in JSON could "
            "not be closed in every case",
            byte);
    }
    return LLAVAOV_OK;
}

LlavaovStatus lv_token_trie_open(
    const LvTokenizer *tokenizer, uint32_t n_vocab, LvTokenTrie **trie_out, LlavaovError *error)
{
    *trie_out = NULL;
    LvTokenTrie *trie = lv_calloc(1, sizeof *trie);
    if (!trie)
        return no_memory(error);
    const uint32_t size = lv_tokenizer_size(tokenizer);
    trie->n_vocab = size < n_vocab ? size : n_vocab;
    LlavaovStatus status = copy_bytes(trie, tokenizer, error);
    if (status == LLAVAOV_OK)
        status = build(trie, error);
    if (status == LLAVAOV_OK)
        status = check_bytes(trie, error);
    if (status == LLAVAOV_OK)
        *trie_out = trie;
    else
        lv_token_trie_close(trie);
    return status;
}

void lv_token_trie_close(LvTokenTrie *trie)
{
    if (!trie)
        return;
    lv_free(trie->byte);
    lv_free(trie->level);
    lv_free(trie->end);
    lv_free(trie->first);
    lv_free(trie->tokens);
    lv_free(trie->token_from);
    lv_free(trie->bytes);
    lv_free(trie);
}

uint32_t lv_token_trie_below(const LvTokenTrie *trie, uint32_t node, unsigned char byte)
{
    if (node == 0)
        return trie->under[byte];
    for (uint32_t below = node + 1; below < trie->end[node]; below = trie->end[below])
        if (trie->byte[below] >= byte)
            return trie->byte[below] == byte ? below : 0;
    return 0;
}
