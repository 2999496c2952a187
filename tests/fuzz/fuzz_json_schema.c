/* SPDX-License-Identifier: Apache-2.0
 * A JSON schema. From every place of a document of an accepted one, which the input's own bytes
 * choose, there is a way to the end that is as long as promised, and what has ended is JSON. */
#include "fuzz.h"

#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "schema/json_schema.h"
#include "schema/values.h"

enum { MOST = 512 }; /* bytes of a document before it is closed */

static void check_json(const char *text, size_t bytes)
{
    json_t *value = json_loadb(text, bytes, JSON_DECODE_ANY, NULL);
    FUZZ_CHECK(value);
    json_decref(value);
}

/* Goes the shortest way to the end. */
static void close_document(const LvProgram *program, LvWalk walk, char *text, size_t n)
{
    for (uint32_t left = lv_walk_closing(program, &walk); left > 0; left--) {
        const unsigned char byte = lv_walk_closing_byte(program, &walk);
        FUZZ_CHECK(lv_walk_step(program, &walk, byte));
        FUZZ_CHECK(lv_walk_closing(program, &walk) == left - 1);
        text[n++] = (char)byte;
    }
    check_json(text, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* so long may a way be: the lists around each add the rest of theirs */
    static char text[MOST + (LV_MAX_SCHEMA_DEPTH + 1) * (LV_MAX_SCHEMA_CLOSING + 1)];
    LlavaovJsonSchema *schema;
    LlavaovError error = {0};
    LlavaovStatus status = lv_json_schema_parse((const char *)data, size, &schema, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    FUZZ_CHECK((status == LLAVAOV_OK) == (schema != NULL));
    if (status != LLAVAOV_OK)
        return 0;
    const LvProgram *program = lv_json_schema_program(schema);
    LvWalk walk = lv_walk_start(program);
    size_t n = 0;
    close_document(program, walk, text, 0);
    for (size_t i = 0; i < size && n < MOST && !lv_walk_ended(program, &walk); i++) {
        LvWalk next = walk;
        unsigned char byte = data[i];
        if (!lv_walk_step(program, &next, byte)) {
            if (lv_walk_closing(program, &walk) == 0)
                break;
            next = walk;
            byte = lv_walk_closing_byte(program, &walk);
            FUZZ_CHECK(lv_walk_step(program, &next, byte));
        }
        LvDecidedValue decided;
        if (lv_values_decided(program, &walk, &byte, 1, &decided, 1)) {
            char *path = lv_values_path(program, &decided);
            FUZZ_CHECK(path && (!*path || *path == '/') && decided.lead <= 0);
            lv_free(path);
        }
        walk = next;
        text[n++] = (char)byte;
        if (i % 16 == 0)
            close_document(program, walk, text, n);
    }
    close_document(program, walk, text, n);
    llavaov_json_schema_unref(schema);
    return 0;
}
