/* SPDX-License-Identifier: Apache-2.0
 * The added tokens of a folder without tokenizer.json, as transformers 4.57 collects them for its
 * slow Qwen2Tokenizer: tokenizer_config.json's added_tokens_decoder, or else added_tokens.json with
 * special_tokens_map.json; then the special tokens that neither of them has, the class's own
 * <|endoftext|> among them. */
#ifndef LV_SLOW_TOKENS_H
#define LV_SLOW_TOKENS_H

#include <jansson.h>

#include "text/vocabulary.h"

/* What the folder's small files hold; NULL for a file that is absent. The objects are modified. */
typedef struct LvSlowFiles {
    json_t *config;  /* tokenizer_config.json */
    json_t *added;   /* added_tokens.json */
    json_t *special; /* special_tokens_map.json */
} LvSlowFiles;

/* *tokens is a new object: id in decimal -> {"content": text, "special": bool, "lstrip": bool,
 * "rstrip": bool, "single_word": bool, "skipped": bool, "plain": bool}; skipped tokens are omitted
 * when decoding; plain ones decode to their content, others to the bytes that it spells. Ids are
 * not negative and contents are distinct. base is the vocabulary, content -> id. `name` names the
 * files in errors. */
LlavaovStatus lv_slow_tokens(const LvSlowFiles *files, const LvVocabulary *base, const char *name,
    json_t **tokens, LlavaovError *error);

#endif
