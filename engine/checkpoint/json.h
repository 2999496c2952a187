/* SPDX-License-Identifier: Apache-2.0
 * Small JSON files over jansson: bounded reading, and typed fields whose errors name the file and
 * the field.
 *
 * Bounds: a file's size by its reader, values by LV_MAX_JSON_VALUES (so that a hostile file costs
 * half a second and 40 MB at most), nesting by jansson (2048 levels), integers to 64 bits.
 *
 * jansson itself does not handle every failing malloc (its lexer may drop bytes or fail an
 * assertion), which matters only on systems without overcommit. */
#ifndef LV_JSON_H
#define LV_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"

/* Reads a whole regular file of at most `limit` bytes into *text (lv_free), NUL-terminated.
 * NOT_FOUND when there is none, IO when it cannot be read, FORMAT when it is larger. Never blocks
 * on a pipe or a device. */
LlavaovStatus lv_file_read(
    const char *path, size_t limit, char **text, size_t *bytes, LlavaovError *error);

/* Parses a JSON object. file stands for the text in errors. Of a key that occurs twice the last
 * value counts, as in the reference, unless refuse_duplicates. Free with json_decref. */
LlavaovStatus lv_json_parse(const char *text, size_t bytes, const char *file,
    bool refuse_duplicates, json_t **root, LlavaovError *error);
/* The same with all integers as reals, for files that hold numbers of any size (transformers writes
 * 10^30 for a length without bound) and whose numbers are not used. */
LlavaovStatus lv_json_parse_loose(
    const char *text, size_t bytes, const char *file, json_t **root, LlavaovError *error);
/* The same of an object or a list. */
LlavaovStatus lv_json_parse_any(
    const char *text, size_t bytes, const char *file, json_t **root, LlavaovError *error);

/* Reads fields of one object, one after another; the first error stays in `status` and makes the
 * later calls do nothing. Every getter leaves *value alone when the field is absent or null. */
typedef struct LvFields {
    const json_t *object; /* NULL: every field is absent */
    const char *file;
    const char *path; /* what stands before a field's name in errors: "" or "text_config." */
    LlavaovError *error;
    LlavaovStatus status;
} LvFields;

/* The value; NULL when absent or null. */
const json_t *lv_field(const LvFields *fields, const char *name);
bool lv_field_present(const LvFields *fields, const char *name);
void lv_field_uint(
    LvFields *fields, const char *name, uint32_t least, uint32_t most, uint32_t *value);
void lv_field_int(LvFields *fields, const char *name, int64_t least, int64_t most, int32_t *value);
/* An integer or a real, finite and inside [least, most]. */
void lv_field_double(LvFields *fields, const char *name, double least, double most, double *value);
void lv_field_bool(LvFields *fields, const char *name, bool *value);
/* The text lives as long as the object. */
void lv_field_text(LvFields *fields, const char *name, const char **value);
void lv_field_object(LvFields *fields, const char *name, const json_t **value);

/* Records the first error, prefixed with file and field: "config.json: text_config.hidden_size
 * <message>". */
void lv_field_fail(LvFields *fields, LlavaovStatus status, const char *name, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

#endif
