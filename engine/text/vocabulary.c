/* SPDX-License-Identifier: Apache-2.0 */
#include "text/vocabulary.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

static LlavaovStatus no_memory(const char *name, LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, name, "%s: out of memory for the vocabulary", name);
}

int lv_shown_bytes(const char *text, size_t bytes)
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
    if (id >= vocabulary->n)
        vocabulary->n = id + 1;
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
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: %s has \"%.*s\" twice", name,
                v->field, lv_shown_bytes(token.text, token.bytes), token.text);
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
                "%s: %s gives \"%.*s\" id %u, more than %u", name, v->field,
                lv_shown_bytes(key.text, bytes), key.text, id, LV_MAX_VOCAB - 1);
        if (!reserve(v, id))
            return no_memory(name, error);
        if (v->tokens[id].text)
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
                "%s: %s gives id %u to \"%.*s\" and \"%.*s\"", name, v->field, id,
                lv_shown_bytes(v->tokens[id].text, v->tokens[id].bytes), v->tokens[id].text,
                lv_shown_bytes(key.text, bytes), key.text);
        v->tokens[id] = key;
        largest = id > largest ? id : largest;
        n++;
    }
    if (scan->problem)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: %s %s (behind \"%.*s\")", name,
            v->field, scan->problem, lv_shown_bytes(key.text, key.bytes), key.text ? key.text : "");
    if (n && largest != n - 1)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: %s has id %u, but only %u tokens",
            name, v->field, largest, n);
    v->n = n;
    return build_slots(v, name, error);
}
