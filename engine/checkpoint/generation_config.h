/* SPDX-License-Identifier: Apache-2.0
 * generation_config.json, read whole: what HF transformers' generate() takes from it. Rules are
 * those of transformers 5; docs/generation.md says what 4.57 does otherwise.
 *
 * A folder without the file is served by config.json, as in the library: fields of its top level,
 * and those of its text_config that the top level lacks. */
#ifndef LV_GENERATION_CONFIG_H
#define LV_GENERATION_CONFIG_H

#include "llavaov.h"

/* A number that the library refuses where it is used. */
typedef struct LvGenerationFault {
    const char *name; /* of the field, static */
    double value;
    uint32_t setting; /* the LlavaovSetting that it belongs to */
    bool sampling;    /* used where tokens are drawn, and only there */
} LvGenerationFault;

/* Values of settings that the file does not name are the library's defaults. */
typedef struct LvGenerationConfig {
    char *file; /* where it was read from, for errors; owned */
    bool do_sample;
    double temperature, top_p, repetition_penalty;
    int64_t top_k;
    uint32_t max_new_tokens; /* 0: not named */
    LlavaovRules rules;      /* stop_tokens: eos_token_id, n 0 where it is not named */
    char *notice;            /* LlavaovEngineInfo.generation_notice; owned; may be NULL */
    void *blocks[16];        /* memory of the rules' arrays */
    size_t n_blocks;
    LvGenerationFault faults[8];
    size_t n_faults;
} LvGenerationConfig;

/* The library's defaults and no file. */
void lv_generation_config_init(LvGenerationConfig *config);

/* Parses the text of a generation_config.json. Fields of a wrong type, and lists that the library
 * refuses, are FORMAT errors that name file and field; numbers out of range are kept, since the
 * library looks at them only where they are used (lv_generation_config_check). On failure *config
 * holds nothing. */
LlavaovStatus lv_generation_config_parse(const char *json, size_t bytes, const char *file,
    LvGenerationConfig *config, LlavaovError *error);

/* The same from the text of a config.json, whose other fields are ignored. */
LlavaovStatus lv_generation_config_parse_model(const char *json, size_t bytes, const char *file,
    LvGenerationConfig *config, LlavaovError *error);

/* Whether generate() takes the values; `sampling`: tokens are drawn, so the settings for that
 * count too. `taken`: the set of LlavaovSetting that are taken from here. */
LlavaovStatus lv_generation_config_check(const LvGenerationConfig *config, bool sampling,
    uint32_t taken, uint32_t n_vocab, LlavaovError *error);

void lv_generation_config_free(LvGenerationConfig *config);

#endif
