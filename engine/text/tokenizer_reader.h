/* SPDX-License-Identifier: Apache-2.0
 * Shared by the readers of tokenizers. For tokenizer.json, tokenizer_json.c finds the values,
 * tokenizer_steps.c checks the steps around the model, tokenizer_added.c reads the added tokens and
 * tokenizer_template.c the tokens added around a text. Folders without it are read by
 * tokenizer_slow.c. tokenizer_reader.c assembles the tokenizer. */
#ifndef LV_TOKENIZER_READER_H
#define LV_TOKENIZER_READER_H

#include <jansson.h>
#include <string.h>

#include "text/tokenizer_private.h"
#include "text/vocabulary.h"

typedef struct LvTokenizerReader {
    LvTokenizer *tokenizer;
    const char *name; /* of the file, in errors */
    LlavaovError *error;
    json_t *root, *model;           /* trees of the small values only */
    LvScan vocab_text, merges_text; /* positions of the large ones; at is NULL if absent */
    LvVocabulary vocabulary;
} LvTokenizerReader;

/* "FILE: FIELD what is wrong". */
LlavaovStatus lv_reader_fail(LvTokenizerReader *r, LlavaovStatus status, const char *field,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
LlavaovStatus lv_reader_no_memory(LvTokenizerReader *r);
#define BROKEN(reader, ...) lv_reader_fail(reader, LLAVAOV_ERROR_FORMAT, __VA_ARGS__)
#define UNSUPPORTED(reader, ...) lv_reader_fail(reader, LLAVAOV_ERROR_UNSUPPORTED, __VA_ARGS__)

/* A field that is true; absent and null are false. */
static inline bool lv_reader_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static inline bool lv_reader_absent(const json_t *value)
{
    return !value || json_is_null(value);
}

/* Reads the vocabulary at r->vocab_text and finds the tokens of the 256 bytes. */
LlavaovStatus lv_reader_take_vocab(LvTokenizerReader *r);

/* The last step: sets what every token decodes to and which are special. */
LlavaovStatus lv_reader_finish(LvTokenizerReader *r);

/* ---- tokenizer.json ---- */

/* Normaliser, pre-tokenizer, decoder and the model's options: sets tokenizer->nfc, or refuses by
 * name anything that Qwen2 does not have. */
LlavaovStatus lv_reader_take_steps(LvTokenizerReader *r);

/* Reads added_tokens into tokenizer->raw and ->normalized, and into the vocabulary, which must have
 * been read. */
LlavaovStatus lv_reader_take_added(LvTokenizerReader *r);

/* Reads post_processor into tokenizer->before and ->after, once all tokens are known. */
LlavaovStatus lv_reader_take_post_processor(LvTokenizerReader *r);

/* Whether it stands for a picture or a video. User text must never become one, whether the files
 * mark it as special (the released ones do) or not (files that transformers made from
 * added_tokens.json). */
static inline bool lv_reader_placeholder(const char *content)
{
    return !strcmp(content, "<image>") || !strcmp(content, "<video>");
}

#endif
