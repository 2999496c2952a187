/* SPDX-License-Identifier: Apache-2.0
 * The two large values of tokenizer.json, read without building a tree: model.vocab and
 * model.merges. Used while a tokenizer opens; not thread-safe. */
#ifndef LV_VOCABULARY_H
#define LV_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/bpe.h"
#include "text/json_scan.h"

/* A token as the file spells it; text lies in the JSON text (or an added token) and is not
 * NUL-terminated. NULL: none. */
typedef struct LvSpelling {
    const char *text;
    uint32_t bytes;
} LvSpelling;

typedef struct LvVocabulary {
    LvSpelling *tokens; /* [capacity], by id */
    uint32_t n, capacity;
    uint32_t *slots; /* a hash table of id + 1, n_slots a power of two */
    uint32_t n_slots;
    uint64_t seed; /* so that no file can be made to collide */
} LvVocabulary;

void lv_vocabulary_free(LvVocabulary *vocabulary);

/* Reads the object at scan: ids must be exactly 0..n-1. name stands for the file in errors. */
LlavaovStatus lv_vocabulary_read(
    LvVocabulary *vocabulary, LvScan *scan, const char *name, LlavaovError *error);

/* The token so spelled; false when there is none. */
bool lv_vocabulary_find(
    const LvVocabulary *vocabulary, const char *text, size_t bytes, uint32_t *id);

/* Sets the spelling of an id, at most n, where n grows the vocabulary by one; the hash table is
 * left alone. */
LlavaovStatus lv_vocabulary_put(LvVocabulary *vocabulary, uint32_t id, LvSpelling spelling,
    const char *name, LlavaovError *error);

/* Reads the array of "a b" or ["a", "b"] at scan into *merges (lv_free), ranks 0, 1, ... */
LlavaovStatus lv_merges_read(const LvVocabulary *vocabulary, LvScan *scan, const char *name,
    LvMerge **merges, size_t *n_merges, LlavaovError *error);

#endif
