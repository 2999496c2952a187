/* SPDX-License-Identifier: Apache-2.0
 * The special tokens by the names that chat templates use: bos_token, eos_token, ... */
#ifndef LV_SPECIAL_NAMES_H
#define LV_SPECIAL_NAMES_H

#include <jansson.h>

#include "llavaov.h"

/* Adds the members that transformers 5.x gives to templates as tokenizer.special_tokens_map: of
 * FOLDER/tokenizer_config.json, of special_tokens_map.json where that lists no added tokens, and
 * Qwen2Tokenizer's defaults where neither names one. Files that do not exist are ignored. */
LlavaovStatus lv_special_names_read(const char *folder, json_t *variables, LlavaovError *error);

#endif
