/* SPDX-License-Identifier: Apache-2.0
 * The tokenizer's data, filled in by its readers. */
#ifndef LV_TOKENIZER_PRIVATE_H
#define LV_TOKENIZER_PRIVATE_H

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/tokenizer.h"

struct LvTokenizer {
    uint32_t n_tokens; /* 1 + the largest id; ids without a token have no bytes */
    uint32_t n_vocab;  /* ids that merging gives are below */
    uint32_t *offsets; /* [n_tokens + 1] into bytes: what each token decodes to */
    char *bytes;
    uint8_t *special; /* [n_tokens], 0 or 1 */
    LvMergeTable merges;
    LvAddedTokens raw;        /* added tokens searched for in raw text */
    LvAddedTokens normalized; /* and in normalised text */
    LvTokens before, after;   /* added around a whole text */
    bool nfc;                 /* whether text is normalised */
    int32_t *alias; /* [n_vocab]: the added token that has the same content under another id, or the
                       id itself; NULL if there are none */
    bool split_special; /* added tokens are not recognised in text */
    bool slow; /* the rules are those of transformers' slow tokenizer, not of `tokenizers` */
};

/* Reads the JSON text into a zeroed tokenizer, which the caller closes, also after a failure. The
 * text is modified and not needed afterwards. */
LlavaovStatus lv_tokenizer_read(
    LvTokenizer *tokenizer, char *json, size_t bytes, const char *name, LlavaovError *error);

/* The same from the texts of vocab.json and its companions, which are not modified; vocab, a copy
 * of the first, is. `folder` precedes the files' names in errors. */
LlavaovStatus lv_tokenizer_read_slow(LvTokenizer *tokenizer, char *vocab,
    const LvTokenizerFiles *files, const char *folder, LlavaovError *error);

#endif
