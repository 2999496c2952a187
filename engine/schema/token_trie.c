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

static bool reserve(LvTokenNodes *nodes, size_t n_nodes, size_t n_tokens)
{
    nodes->byte = lv_calloc(n_nodes, sizeof *nodes->byte);
    nodes->level = lv_calloc(n_nodes, sizeof *nodes->level);
    nodes->end = lv_calloc(n_nodes, sizeof *nodes->end);
    nodes->first = lv_calloc(n_nodes + 1, sizeof *nodes->first);
    nodes->tokens = lv_calloc(n_tokens, sizeof *nodes->tokens);
    return nodes->byte && nodes->level && nodes->end && nodes->first && nodes->tokens;
}

/* path: room for the nodes of one token and the root. */
static void add_nodes(LvTokenNodes *nodes, const TokenBytes *entries, size_t n, uint32_t *path)
{
    uint32_t open = 0; /* bytes of the entry before whose nodes have no end yet */
    nodes->n_nodes = 1;
    path[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t shared = i ? shared_bytes(&entries[i - 1], &entries[i]) : 0;
        for (; open > shared; open--)
            nodes->end[path[open]] = nodes->n_nodes;
        for (; open < entries[i].n; open++) {
            const uint32_t node = nodes->n_nodes++;
            nodes->byte[node] = entries[i].bytes[open];
            nodes->level[node] = (uint16_t)(open + 1);
            nodes->first[node] = (uint32_t)i;
            path[open + 1] = node;
            if (open == 0)
                nodes->under[nodes->byte[node]] = node;
        }
        nodes->tokens[i] = entries[i].id;
    }
    for (; open > 0; open--)
        nodes->end[path[open]] = nodes->n_nodes;
    nodes->end[0] = nodes->n_nodes;
    nodes->first[nodes->n_nodes] = (uint32_t)n;
    nodes->n_tokens = (uint32_t)n;
}

/* Code points of plain bytes; 0: they are not plain, or too many. */
static uint8_t count_plain(const unsigned char *bytes, uint32_t n)
{
    uint32_t points = 0, due = 0; /* continuation bytes */
    for (uint32_t i = 0; i < n; i++) {
        const unsigned char byte = bytes[i];
        if (due) {
            due--;
            if (byte < 0x80 || byte > 0xBF)
                return 0;
            continue;
        }
        points++;
        /* Where the next byte has bounds of its own (overlong forms, surrogates, the end of
         * Unicode), let walking decide. */
        if (byte < 0x20 || byte == '"' || byte == '\\' || (byte >= 0x7F && byte < 0xC2) ||
            byte == 0xE0 || byte == 0xED || byte >= 0xF0)
            return 0;
        due = byte < 0x80 ? 0 : byte < 0xE0 ? 1 : 2;
    }
    return due || points > UINT8_MAX ? 0 : (uint8_t)points;
}

/* The sorted entries, or those of them that are not plain, which are moved to the front. */
static bool build_nodes(
    LvTokenNodes *nodes, const uint8_t *plain, TokenBytes *entries, size_t n, uint32_t *path)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!plain || !plain[entries[i].id])
            entries[kept++] = entries[i];
    if (!reserve(nodes, count_nodes(entries, kept), kept))
        return false;
    add_nodes(nodes, entries, kept, path);
    return true;
}

/* Fills by_points. */
static void sort_by_points(LvTokenTrie *trie)
{
    for (uint32_t id = 0; id < trie->n_vocab; id++)
        trie->first_plain[trie->plain[id] + 1]++;
    for (uint32_t n = 1; n <= UINT8_MAX; n++)
        trie->first_plain[n + 1] += trie->first_plain[n];
    uint32_t next[UINT8_MAX + 1];
    memcpy(next, trie->first_plain, sizeof next);
    for (uint32_t id = 0; id < trie->n_vocab; id++)
        trie->by_points[next[trie->plain[id]]++] = (int32_t)id;
}

static LlavaovStatus build(LvTokenTrie *trie, LlavaovError *error)
{
    TokenBytes *entries = lv_alloc(trie->n_vocab, sizeof *entries);
    trie->plain = lv_calloc(trie->n_vocab, sizeof *trie->plain);
    trie->by_points = lv_alloc(trie->n_vocab, sizeof *trie->by_points);
    if (!entries || !trie->plain || !trie->by_points) {
        lv_free(entries);
        return no_memory(error);
    }
    size_t n = 0;
    for (uint32_t id = 0; id < trie->n_vocab; id++) {
        const uint32_t from = trie->token_from[id], bytes = trie->token_from[id + 1] - from;
        if (bytes)
            entries[n++] = (TokenBytes){trie->bytes + from, bytes, (int32_t)id};
        trie->plain[id] = count_plain(trie->bytes + from, bytes);
        trie->depth = bytes > trie->depth ? bytes : trie->depth;
    }
    sort_by_points(trie);
    qsort(entries, n, sizeof *entries, compare);
    uint32_t *path = lv_alloc((size_t)trie->depth + 1, sizeof *path);
    const bool enough = path && build_nodes(&trie->all, NULL, entries, n, path) &&
                        build_nodes(&trie->odd, trie->plain, entries, n, path);
    lv_free(path);
    lv_free(entries);
    return enough ? LLAVAOV_OK : no_memory(error);
}

/* Every byte of UTF-8 but control characters is a token, so that a byte more is at most a token more. */
static LlavaovStatus check_bytes(const LvTokenTrie *trie, LlavaovError *error)
{
    for (unsigned byte = 0x20; byte <= 0xF4; byte++) {
        const uint32_t node = trie->all.under[byte];
        if (byte == 0xC0 || byte == 0xC1 ||
            (node && trie->all.first[node] < trie->all.first[node + 1]))
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

static void free_nodes(LvTokenNodes *nodes)
{
    lv_free(nodes->byte);
    lv_free(nodes->level);
    lv_free(nodes->end);
    lv_free(nodes->first);
    lv_free(nodes->tokens);
}

void lv_token_trie_close(LvTokenTrie *trie)
{
    if (!trie)
        return;
    free_nodes(&trie->all);
    free_nodes(&trie->odd);
    lv_free(trie->token_from);
    lv_free(trie->bytes);
    lv_free(trie->plain);
    lv_free(trie->by_points);
    lv_free(trie);
}

uint32_t lv_token_nodes_below(const LvTokenNodes *nodes, uint32_t node, unsigned char byte)
{
    if (node == 0)
        return nodes->under[byte];
    for (uint32_t below = node + 1; below < nodes->end[node]; below = nodes->end[below])
        if (nodes->byte[below] >= byte)
            return nodes->byte[below] == byte ? below : 0;
    return 0;
}
