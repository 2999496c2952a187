/* SPDX-License-Identifier: Apache-2.0
 * Fields of a generation configuration: numbers, token ids and phrases of them, from one object or
 * from the first of two that names them. The first error stays in the reader's fields and makes
 * later calls do nothing. */
#ifndef LV_GENERATION_READER_H
#define LV_GENERATION_READER_H

#include "checkpoint/generation_config.h"
#include "checkpoint/json.h"

typedef struct LvGenerationReader {
    LvFields fields[2]; /* the objects that are looked at for a field, in order */
    size_t n;
    LvGenerationConfig *config; /* keeps the arrays */
    size_t n_ids;               /* read so far */
} LvGenerationReader;

bool lv_reader_failed(const LvGenerationReader *reader);
/* The object that names the field; the first where none does. */
LvFields *lv_reader_with(LvGenerationReader *reader, const char *name);

/* These two return whether the file names the field, and leave *value alone where it does not. */
bool lv_reader_real(LvGenerationReader *reader, const char *name, double *value);
bool lv_reader_integer(LvGenerationReader *reader, const char *name, int64_t *value);
/* Counts of tokens: values that are not positive mean off, as in the library; values beyond any
 * context are never reached. */
void lv_reader_count(LvGenerationReader *reader, const char *name, uint32_t *value);
void lv_reader_flag(LvGenerationReader *reader, const char *name, bool *value);

typedef enum LvIdsForm {
    LV_IDS_LIST,  /* ids below 0, which match nothing, are left out */
    LV_IDS_OR_ONE /* a single id is a list of one; ids below 0 are an error */
} LvIdsForm;
/* Returns whether the file names the field. */
bool lv_reader_ids(LvGenerationReader *reader, const char *name, LvIdsForm form, LlavaovIds *list);
/* A list of lists of ids; `biased`: of pairs of such a list and a number. */
void lv_reader_phrases(
    LvGenerationReader *reader, const char *name, bool biased, LlavaovPhrases *phrases);

#endif
