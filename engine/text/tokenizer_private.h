/* SPDX-License-Identifier: Apache-2.0
 * What the readers of a tokenizer fill and the tokenizer uses. */
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
    LvTokens before, after;   /* what is put around a whole text */
    bool nfc;                 /* whether text is normalised */
    int32_t *alias; /* [n_vocab]: the added token that has a vocabulary's content at another id, or
                       the id itself; NULL: there is none such */
    bool split_special; /* no added token is found in any text */
    bool slow; /* the rules are those of transformers' slow tokenizer, not of `tokenizers` */
};

/* Reads the JSON text, which is changed on the way and no longer needed afterwards, into a zeroed
 * tokenizer; the caller closes it, also after a failure. */
LlavaovStatus lv_tokenizer_read(
    LvTokenizer *tokenizer, char *json, size_t bytes, const char *name, LlavaovError *error);

/* The same from the texts of vocab.json and its companions, which are not changed; vocab, a copy of
 * the first of them, is. folder stands before the files' names in errors. */
LlavaovStatus lv_tokenizer_read_slow(LvTokenizer *tokenizer, char *vocab,
    const LvTokenizerFiles *files, const char *folder, LlavaovError *error);

#endif
