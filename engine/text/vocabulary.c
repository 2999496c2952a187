/* SPDX-License-Identifier: Apache-2.0 */
#include "text/vocabulary.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

#define MAX_MERGES (4 * LV_MAX_VOCAB)

static LlavaovStatus no_memory(const char *name, LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, name, "%s: out of memory for the vocabulary", name);
}

/* How much of a spelling to show in a message: whole characters, at most 64 bytes. */
static int shown(const char *text, size_t bytes)
{
    if (bytes <= 64)
        return (int)bytes;
    bytes = 64;
    while (bytes && ((unsigned char)text[bytes] & 0xC0) == 0x80)
        bytes--;
    return (int)bytes;
}

void lv_vocabulary_free(LvVocabulary *vocabulary)
{
    lv_free(vocabulary->tokens);
    lv_free(vocabulary->slots);
    memset(vocabulary, 0, sizeof *vocabulary);
}

static uint64_t hash(uint64_t seed, const char *text, size_t bytes)
{
    const uint64_t odd = 0x9E3779B97F4A7C15u;
    uint64_t h = seed ^ (bytes * odd), word;
    for (; bytes >= 8; bytes -= 8, text += 8) {
        memcpy(&word, text, 8);
        h = (h ^ word) * odd;
        h ^= h >> 29;
    }
    word = 0;
    memcpy(&word, text, bytes);
    h = (h ^ word) * odd;
    h ^= h >> 32;
    h *= odd;
    return h ^ h >> 29;
}

static bool same(LvSpelling a, const char *text, size_t bytes)
{
    return a.bytes == bytes && memcmp(a.text, text, bytes) == 0;
}

/* The slot of that spelling, or the empty one where it would be. */
static uint32_t *find_slot(const LvVocabulary *v, const char *text, size_t bytes)
{
    uint32_t mask = v->n_slots - 1, at = (uint32_t)hash(v->seed, text, bytes) & mask;
    while (v->slots[at] && !same(v->tokens[v->slots[at] - 1], text, bytes))
        at = (at + 1) & mask;
    return &v->slots[at];
}

bool lv_vocabulary_find(
    const LvVocabulary *vocabulary, const char *text, size_t bytes, uint32_t *id)
{
    uint32_t slot = *find_slot(vocabulary, text, bytes);
    *id = slot - 1;
    return slot != 0;
}

static bool reserve(LvVocabulary *v, uint32_t id)
{
    if (id < v->capacity)
        return true;
    uint32_t capacity = id + id / 2 + 1024;
    LvSpelling *tokens = lv_realloc(v->tokens, capacity, sizeof *tokens);
    if (!tokens)
        return false;
    memset(tokens + v->capacity, 0, (capacity - v->capacity) * sizeof *tokens);
    v->tokens = tokens;
    v->capacity = capacity;
    return true;
}

LlavaovStatus lv_vocabulary_put(LvVocabulary *vocabulary, uint32_t id, LvSpelling spelling,
    const char *name, LlavaovError *error)
{
    if (!reserve(vocabulary, id))
        return no_memory(name, error);
    vocabulary->tokens[id] = spelling;
    if (id == vocabulary->n)
        vocabulary->n++;
    return LLAVAOV_OK;
}

static LlavaovStatus build_slots(LvVocabulary *v, const char *name, LlavaovError *error)
{
    v->n_slots = 256;
    while (v->n_slots < v->n + v->n / 2)
        v->n_slots *= 2;
    v->slots = lv_calloc(v->n_slots, sizeof *v->slots);
    if (!v->slots)
        return no_memory(name, error);
    v->seed = (uint64_t)(uintptr_t)v->slots * 0xD6E8FEB86659FD93u;
    for (uint32_t id = 0; id < v->n; id++) {
        LvSpelling token = v->tokens[id];
        uint32_t *slot = find_slot(v, token.text, token.bytes);
        if (*slot)
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: model.vocab has \"%.*s\" twice",
                name, shown(token.text, token.bytes), token.text);
        *slot = id + 1;
    }
    return LLAVAOV_OK;
}

LlavaovStatus lv_vocabulary_read(
    LvVocabulary *v, LvScan *scan, const char *name, LlavaovError *error)
{
    uint32_t n = 0, largest = 0;
    bool first = true;
    LvSpelling key = {0};
    lv_scan_take(scan, '{');
    while (!scan->problem && lv_scan_more(scan, '}', &first)) {
        size_t bytes;
        uint32_t id;
        if (!lv_scan_string(scan, &key.text, &bytes) || !lv_scan_take(scan, ':') ||
            !lv_scan_uint(scan, &id))
            break;
        key.bytes = (uint32_t)bytes;
        if (id >= LV_MAX_VOCAB)
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
                "%s: model.vocab gives \"%.*s\" id %u, more than %u", name, shown(key.text, bytes),
                key.text, id, LV_MAX_VOCAB - 1);
        if (!reserve(v, id))
            return no_memory(name, error);
        if (v->tokens[id].text)
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
                "%s: model.vocab gives id %u to \"%.*s\" and \"%.*s\"", name, id,
                shown(v->tokens[id].text, v->tokens[id].bytes), v->tokens[id].text,
                shown(key.text, bytes), key.text);
        v->tokens[id] = key;
        largest = id > largest ? id : largest;
        n++;
    }
    if (scan->problem)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: model.vocab %s (behind \"%.*s\")",
            name, scan->problem, shown(key.text, key.bytes), key.text ? key.text : "");
    if (n && largest != n - 1)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
            "%s: model.vocab has id %u, but only %u tokens", name, largest, n);
    v->n = n;
    return build_slots(v, name, error);
}

/* One merge's two halves, as spelled. */
static bool read_pair(LvScan *scan, LvSpelling pair[2])
{
    size_t bytes[2] = {0, 0};
    if (lv_scan_peek(scan) == '"') {
        if (!lv_scan_string(scan, &pair[0].text, &bytes[0]))
            return false;
        const char *space = memchr(pair[0].text, ' ', bytes[0]);
        if (!space)
            return lv_scan_fail(scan, "has a merge without a space");
        pair[1].text = space + 1;
        bytes[1] = bytes[0] - (size_t)(space + 1 - pair[0].text);
        bytes[0] = (size_t)(space - pair[0].text);
        if (memchr(pair[1].text, ' ', bytes[1]))
            return lv_scan_fail(scan, "has a merge with two spaces");
    } else if (!lv_scan_take(scan, '[') || !lv_scan_string(scan, &pair[0].text, &bytes[0]) ||
               !lv_scan_take(scan, ',') || !lv_scan_string(scan, &pair[1].text, &bytes[1]) ||
               !lv_scan_take(scan, ']')) {
        return false;
    }
    pair[0].bytes = (uint32_t)bytes[0];
    pair[1].bytes = (uint32_t)bytes[1];
    return true;
}

/* Finds the three tokens of a merge; room holds as many bytes as the longest token has. */
static bool resolve(
    const LvVocabulary *v, const LvSpelling pair[2], char *room, size_t longest, LvMerge *merge)
{
    size_t bytes = (size_t)pair[0].bytes + pair[1].bytes;
    if (!pair[0].bytes || !pair[1].bytes || bytes > longest ||
        !lv_vocabulary_find(v, pair[0].text, pair[0].bytes, &merge->left) ||
        !lv_vocabulary_find(v, pair[1].text, pair[1].bytes, &merge->right))
        return false;
    memcpy(room, pair[0].text, pair[0].bytes);
    memcpy(room + pair[0].bytes, pair[1].text, pair[1].bytes);
    return lv_vocabulary_find(v, room, bytes, &merge->id);
}

typedef struct MergeList {
    LvMerge *merges;
    size_t n, capacity;
} MergeList;

static LlavaovStatus push_merge(
    MergeList *list, LvMerge merge, const char *name, LlavaovError *error)
{
    if (list->n == MAX_MERGES)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
            "%s: model.merges has more than %u merges", name, MAX_MERGES);
    if (list->n == list->capacity) {
        size_t capacity = list->capacity * 2 + 1024;
        LvMerge *merges = lv_realloc(list->merges, capacity, sizeof *merges);
        if (!merges)
            return no_memory(name, error);
        list->merges = merges;
        list->capacity = capacity;
    }
    list->merges[list->n++] = merge;
    return LLAVAOV_OK;
}

static LlavaovStatus read_list(const LvVocabulary *v, LvScan *scan, const char *name,
    MergeList *list, char *room, size_t longest, LlavaovError *error)
{
    bool first = true;
    lv_scan_take(scan, '[');
    while (!scan->problem && lv_scan_more(scan, ']', &first)) {
        LvSpelling pair[2];
        LvMerge merge = {.rank = (uint32_t)list->n};
        if (!read_pair(scan, pair))
            break;
        if (!resolve(v, pair, room, longest, &merge))
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
                "%s: model.merges number %zu, \"%.*s\" and \"%.*s\": one of them or both together "
                "are not in model.vocab",
                name, list->n, shown(pair[0].text, pair[0].bytes), pair[0].text,
                shown(pair[1].text, pair[1].bytes), pair[1].text);
        LlavaovStatus status = push_merge(list, merge, name, error);
        if (status != LLAVAOV_OK)
            return status;
    }
    if (scan->problem)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: model.merges %s (number %zu)", name,
            scan->problem, list->n);
    return LLAVAOV_OK;
}

LlavaovStatus lv_merges_read(const LvVocabulary *vocabulary, LvScan *scan, const char *name,
    LvMerge **merges, size_t *n_merges, LlavaovError *error)
{
    size_t longest = 0;
    for (uint32_t id = 0; id < vocabulary->n; id++)
        longest = vocabulary->tokens[id].bytes > longest ? vocabulary->tokens[id].bytes : longest;
    MergeList list = {0};
    char *room = lv_alloc(longest + 1, 1);
    LlavaovStatus status = room ? read_list(vocabulary, scan, name, &list, room, longest, error)
                                : no_memory(name, error);
    lv_free(room);
    if (status != LLAVAOV_OK) {
        lv_free(list.merges);
        return status;
    }
    *merges = list.merges;
    *n_merges = list.n;
    return LLAVAOV_OK;
}
