/* SPDX-License-Identifier: Apache-2.0
 * Qwen2's byte-level BPE: NFC, the pre-tokenizer pattern, added tokens, merges
 * (docs/model.md 7). Immutable once open; every function is thread-safe. */
#ifndef LV_TOKENIZER_H
#define LV_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"

typedef struct LvTokenizer LvTokenizer;

LlavaovStatus lv_tokenizer_open(const char *file, LvTokenizer **tokenizer, LlavaovError *error);
/* The same from memory; name stands for the file in errors. */
LlavaovStatus lv_tokenizer_parse(
    const char *json, size_t bytes, const char *name, LvTokenizer **tokenizer, LlavaovError *error);

/* A checkpoint folder's: its tokenizer.json, or without one its vocab.json and merges.txt, with
 * added_tokens.json, special_tokens_map.json and tokenizer_config.json, as transformers' slow
 * Qwen2Tokenizer takes them. */
LlavaovStatus lv_tokenizer_open_folder(
    const char *folder, LvTokenizer **tokenizer, LlavaovError *error);

/* The files of a folder without tokenizer.json, by index; only the first two are required. The text
 * of an absent file is NULL. */
enum { LV_VOCAB_JSON, LV_MERGES_TXT, LV_TOKENIZER_CONFIG, LV_ADDED_TOKENS, LV_SPECIAL_TOKENS_MAP };
typedef struct LvTokenizerFiles {
    struct {
        const char *text;
        size_t bytes;
    } file[LV_SPECIAL_TOKENS_MAP + 1];
} LvTokenizerFiles;
/* The same from memory; errors name folder and file. */
LlavaovStatus lv_tokenizer_parse_files(const LvTokenizerFiles *files, const char *folder,
    LvTokenizer **tokenizer, LlavaovError *error);
void lv_tokenizer_close(LvTokenizer *tokenizer);

/* 1 + the largest id that the tokenizer can produce. */
uint32_t lv_tokenizer_size(const LvTokenizer *tokenizer);
/* The id of an added token such as "<|im_end|>"; -1 when there is none. */
int32_t lv_tokenizer_added_token(const LvTokenizer *tokenizer, const char *content);

typedef enum LvSpecialText {
    LV_SPECIAL_AS_TOKENS, /* "<|im_end|>" in the text becomes its id (templates) */
    LV_SPECIAL_AS_TEXT    /* it is spelled out like any other text (user text; HF's
                             encode_special_tokens=True) */
} LvSpecialText;

/* A growable list of ids; zero-initialise, free with lv_tokens_free. */
typedef struct LvTokens {
    int32_t *ids;
    size_t n, capacity;
} LvTokens;
LlavaovStatus lv_tokens_append(LvTokens *tokens, int32_t id, LlavaovError *error);
void lv_tokens_free(LvTokens *tokens);

/* Appends the ids of text. Bytes that are not UTF-8 are an ARGUMENT error. */
LlavaovStatus lv_tokenizer_encode(const LvTokenizer *tokenizer, const char *text, size_t bytes,
    LvSpecialText special, LvTokens *tokens, LlavaovError *error);

/* A part of a text: the template's, in which added tokens are recognised, or the user's, in which
 * special ones stay text. Runs are consecutive and cover the text. */
typedef struct LvTextRun {
    size_t bytes;
    bool user;
} LvTextRun;

/* Appends the ids of a text of several runs. An added token is recognised within consecutive runs
 * of one kind. Otherwise seams have no effect: composition, pre-tokenization and merges work across
 * them as in one text. */
LlavaovStatus lv_tokenizer_encode_runs(const LvTokenizer *tokenizer, const char *text,
    const LvTextRun *runs, size_t n_runs, LvTokens *tokens, LlavaovError *error);

/* To be called before first use: makes content an added token with that id, for templates only,
 * unless it is one already. The tokenizer's size does not change. */
LlavaovStatus lv_tokenizer_add_placeholder(
    LvTokenizer *tokenizer, const char *content, int32_t id, LlavaovError *error);

/* Append the tokens that the tokenizer adds before and after a whole text (add_special_tokens in
 * transformers); none with the released files. */
LlavaovStatus lv_tokenizer_begin(
    const LvTokenizer *tokenizer, LvTokens *tokens, LlavaovError *error);
LlavaovStatus lv_tokenizer_end(const LvTokenizer *tokenizer, LvTokens *tokens, LlavaovError *error);

/* Decodes ids into a new NUL-terminated string (lv_free); invalid bytes become U+FFFD as in the
 * reference. */
LlavaovStatus lv_tokenizer_decode(const LvTokenizer *tokenizer, const int32_t *ids, size_t n,
    bool skip_special, char **text, size_t *bytes, LlavaovError *error);

/* The raw bytes of one token (not NUL-terminated, owned by the tokenizer); special tokens give
 * their content. NULL and 0 for an id that the tokenizer does not have. */
const char *lv_tokenizer_token_bytes(
    const LvTokenizer *tokenizer, int32_t id, size_t *bytes, bool *special);

/* Streaming decode: holds back an incomplete UTF-8 tail. The concatenation of all pushed output and
 * the final flush equals lv_tokenizer_decode(..., skip_special = true). */
typedef struct LvUtf8Stream {
    unsigned char held[4];
    size_t n_held;
} LvUtf8Stream;
/* Feeds bytes, appends whole characters to out (capacity >= 3 * (bytes + 4)); returns the number of
 * bytes written. */
size_t lv_utf8_stream_push(LvUtf8Stream *stream, const char *bytes, size_t n, char *out);
size_t lv_utf8_stream_finish(LvUtf8Stream *stream, char *out);

#endif
