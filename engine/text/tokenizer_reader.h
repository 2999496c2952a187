/* SPDX-License-Identifier: Apache-2.0
 * What the readers of tokenizers share. Of tokenizer.json: tokenizer_json.c finds the values,
 * tokenizer_steps.c judges the steps around the model, tokenizer_added.c takes the added tokens,
 * tokenizer_template.c what is put around a text. Of a folder without it: tokenizer_slow.c.
 * tokenizer_reader.c puts the tokenizer together. */
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
    LvScan vocab_text, merges_text; /* where the large ones lie; at is NULL for none */
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

/* Reads the vocabulary at r->vocab_text, and the tokens of the 256 bytes. */
LlavaovStatus lv_reader_take_vocab(LvTokenizerReader *r);

/* Last: what every token decodes to, and which are special. */
LlavaovStatus lv_reader_finish(LvTokenizerReader *r);

/* ---- tokenizer.json ---- */

/* Normaliser, pre-tokenizer, decoder and the model's options: sets tokenizer->nfc,
 * or refuses by name what is not Qwen2's. */
LlavaovStatus lv_reader_take_steps(LvTokenizerReader *r);

/* Reads added_tokens into tokenizer->raw and ->normalized, and into the vocabulary, which must have
 * been read. */
LlavaovStatus lv_reader_take_added(LvTokenizerReader *r);

/* Reads post_processor into tokenizer->before and ->after, once all tokens are known. */
LlavaovStatus lv_reader_take_post_processor(LvTokenizerReader *r);

/* Whether it stands for a picture or a video. A user's words must not become one, whether the files
 * say that it is special (the released ones do) or not (those that transformers made of
 * added_tokens.json). */
static inline bool lv_reader_placeholder(const char *content)
{
    return !strcmp(content, "<image>") || !strcmp(content, "<video>");
}

#endif
