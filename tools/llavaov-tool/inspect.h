/* SPDX-License-Identifier: Apache-2.0
 * What `inspect` finds out about a folder. */
#ifndef LV_INSPECT_H
#define LV_INSPECT_H

#include <jansson.h>

#include "checkpoint/config.h"
#include "checkpoint/generation_config.h"
#include "checkpoint/reasons.h"

typedef struct Inspection {
    const char *folder;
    LvReasons reasons; /* every one why it would not run */
    bool has_config;
    LvConfig config;        /* as it is, when it can be read */
    size_t n_preprocessors; /* files that say how pictures are prepared */
    bool has_generation;
    LvGenerationConfig generation;
    LlavaovError generation_refusal; /* why its settings cannot be taken; status OK: they can */
    /* Of the files' headers; the weights themselves are not read. */
    uint64_t n_parameters, weight_bytes;
    size_t n_files;
    json_t *dtypes; /* name -> parameters */
    /* NULL: none that can be read. */
    const char *tokenizer; /* which files */
    uint32_t n_tokens;
    char chat_template[320]; /* which, and why; "": none */
} Inspection;

/* Never fails: what cannot be found out is a reason. chat_template: a choice of one, or NULL. */
void inspection_make(Inspection *inspection, const char *folder, const char *chat_template);
void inspection_free(Inspection *inspection);

/* Bytes that running takes, beside the program itself. */
typedef struct InspectionMemory {
    uint64_t weights;   /* mapped from their files */
    uint64_t cache;     /* keys and values of one request at full context, float32 */
    uint64_t encoder;   /* one tile on its way through the vision tower */
    uint64_t available; /* of this machine; 0: unknown */
} InspectionMemory;
InspectionMemory inspection_memory(const Inspection *inspection);

#endif
