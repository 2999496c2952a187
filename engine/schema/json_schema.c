/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/json_schema.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "schema/compile.h"

struct LlavaovJsonSchema {
    atomic_uint refs;
    LvProgram program;
    char *text;
};

LlavaovStatus lv_json_schema_parse(
    const char *text, size_t bytes, LlavaovJsonSchema **schema_out, LlavaovError *error)
{
    *schema_out = NULL;
    if (bytes > LV_MAX_SCHEMA_BYTES)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "json-schema",
            "json-schema: %zu bytes are more than the %u that a schema may have", bytes,
            LV_MAX_SCHEMA_BYTES);
    json_error_t cause;
    json_t *root = json_loadb(text, bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &cause);
    if (!root)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "json-schema",
            "json-schema: broken JSON at line %d, column %d: %s", cause.line, cause.column,
            cause.text);
    LlavaovJsonSchema *schema = lv_calloc(1, sizeof *schema);
    LlavaovStatus status = LLAVAOV_OK;
    if (schema) {
        atomic_init(&schema->refs, 1);
        status = lv_compile_schema(&schema->program, root, error);
        schema->text = lv_alloc(bytes + 1, 1);
        if (schema->text) {
            memcpy(schema->text, text, bytes);
            schema->text[bytes] = '\0';
        } else if (status == LLAVAOV_OK) {
            status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a JSON schema");
        }
    } else {
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a JSON schema");
    }
    json_decref(root);
    if (status == LLAVAOV_OK)
        *schema_out = schema;
    else
        llavaov_json_schema_unref(schema);
    return status;
}

LlavaovStatus llavaov_json_schema_open(
    const char *text, LlavaovJsonSchema **schema, LlavaovError *error)
{
    return lv_json_schema_parse(text ? text : "", text ? strlen(text) : 0, schema, error);
}

LlavaovJsonSchema *llavaov_json_schema_ref(LlavaovJsonSchema *schema)
{
    atomic_fetch_add(&schema->refs, 1);
    return schema;
}

void llavaov_json_schema_unref(LlavaovJsonSchema *schema)
{
    if (!schema || atomic_fetch_sub(&schema->refs, 1) != 1)
        return;
    lv_program_free(&schema->program);
    lv_free(schema->text);
    lv_free(schema);
}

const char *lv_json_schema_text(const LlavaovJsonSchema *schema)
{
    return schema->text;
}

const LvProgram *lv_json_schema_program(const LlavaovJsonSchema *schema)
{
    return &schema->program;
}
