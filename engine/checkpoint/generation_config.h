/* SPDX-License-Identifier: Apache-2.0
 * generation_config.json, with everything that HF transformers' generate() takes from it. The rules
 * are those of transformers 5; docs/generation.md lists where 4.57 differs.
 *
 * Without the file config.json is read, as the library does: fields of its top level, and those of
 * its text_config that the top level does not have. */
#ifndef LV_GENERATION_CONFIG_H
#define LV_GENERATION_CONFIG_H

#include "llavaov.h"

/* A number that the library refuses where it is used. */
typedef struct LvGenerationFault {
    const char *name; /* of the field, static */
    double value;
    uint32_t setting; /* the LlavaovSetting that it belongs to */
    bool sampling;    /* used only where tokens are drawn */
} LvGenerationFault;

/* Settings that the file does not name have the library's defaults. */
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

/* Parses the text of a generation_config.json. Fields of a wrong type and lists that the library
 * refuses are FORMAT errors naming file and field. Numbers out of range are kept, since the library
 * checks them only when they are used (lv_generation_config_check). On failure *config holds
 * nothing. */
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
