/* SPDX-License-Identifier: Apache-2.0
 * A vocabulary, text -> id, read without building a tree: tokenizer.json's model.vocab, or
 * vocab.json. Used while a tokenizer opens; not thread-safe. */
#ifndef LV_VOCABULARY_H
#define LV_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"
#include "text/json_scan.h"

/* A token as the file spells it; text lies in the JSON text (or an added token) and is not
 * NUL-terminated. NULL: none. */
typedef struct LvSpelling {
    const char *text;
    uint32_t bytes;
    bool plain; /* stands for itself rather than for bytes as spelled by GPT-2's table */
} LvSpelling;

typedef struct LvVocabulary {
    LvSpelling *tokens; /* [capacity], by id */
    uint32_t n, capacity;
    uint32_t *slots; /* a hash table of id + 1, n_slots a power of two */
    uint32_t n_slots;
    uint64_t seed;     /* random, so that no file can provoke collisions */
    const char *field; /* its name in errors, e.g. "model.vocab" */
} LvVocabulary;

void lv_vocabulary_free(LvVocabulary *vocabulary);

/* Reads the object at scan into a vocabulary of which only field is set: ids must be exactly
 * 0..n-1. name stands for the file in errors. */
LlavaovStatus lv_vocabulary_read(
    LvVocabulary *vocabulary, LvScan *scan, const char *name, LlavaovError *error);

/* The token so spelled; false when there is none. */
bool lv_vocabulary_find(
    const LvVocabulary *vocabulary, const char *text, size_t bytes, uint32_t *id);

/* Sets the spelling of an id. An id of n or more makes n grow; the ids in between have no spelling.
 * The hash table does not change. */
LlavaovStatus lv_vocabulary_put(LvVocabulary *vocabulary, uint32_t id, LvSpelling spelling,
    const char *name, LlavaovError *error);

/* How much of a spelling to show in a message: whole characters, at most 64 bytes. */
int lv_shown_bytes(const char *text, size_t bytes);

#endif
