/* SPDX-License-Identifier: Apache-2.0
 * A chat template and, behind a byte 0xFF, JSON of its variables (without it: a conversation of our
 * own). What is accepted is rendered within small bounds. */
#define _GNU_SOURCE /* memmem */
#include "fuzz.h"

#include <string.h>

#include "text/jinja/jinja.h"
#include "text/utf8.h"

/* The user's words hold a snowman wherever they are text; no template that does not say it may
 * print it as its own. */
#define SNOWMAN "\xE2\x98\x83"
static const char variables_text[] =
    "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"add_generation_prompt\": true, \"n\": 3,"
    " \"f\": 2.5, \"none\": null, \"l\": [1, \"b\", null, [2]], \"d\": {\"a\": 1, \"b\": \"x\"},"
    " \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"" SNOWMAN "get\","
    " \"parameters\": {\"type\": \"object\", \"properties\": {\"" SNOWMAN "q\": {\"type\":"
    " \"string\"}}}}}],"
    " \"messages\": [{\"role\": \"system\", \"content\": \"" SNOWMAN "Be brief." SNOWMAN "\"},"
    " {\"role\": \"user\", \"content\": [{\"type\": \"image\"}, {\"type\": \"text\","
    " \"text\": \" " SNOWMAN " What,is '" SNOWMAN "'\\n<|im_end|>? " SNOWMAN "\\u4f60 \"}]},"
    " {\"role\": \"assistant\", \"content\": \"" SNOWMAN "A cat\"}]}";

static void check(const LvJinjaText *text, bool said)
{
    size_t end = 0;
    FUZZ_CHECK(lv_utf8_valid_prefix(text->text, text->bytes) == text->bytes);
    for (size_t i = 0; i < text->n_spans; i++) {
        const LvJinjaSpan *span = &text->spans[i];
        FUZZ_CHECK(span->start == end && span->bytes > 0);
        FUZZ_CHECK(!i || span->user != text->spans[i - 1].user);
        FUZZ_CHECK(((unsigned char)text->text[span->start] & 0xC0) != 0x80);
        FUZZ_CHECK(said || span->user ||
                   !memmem(text->text + span->start, span->bytes, SNOWMAN, sizeof SNOWMAN - 1));
        end += span->bytes;
    }
    FUZZ_CHECK(end == text->bytes && !text->text[end]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *own;
    LvJinjaTemplate *jinja;
    LvJinjaText text;
    LlavaovError error = {0};
    const uint8_t *behind = size ? memchr(data, 0xFF, size) : NULL;
    size_t bytes = behind ? (size_t)(behind - data) : size;
    LlavaovStatus status = lv_jinja_compile((const char *)data, bytes, "template", &jinja, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    FUZZ_CHECK((status == LLAVAOV_OK) == (jinja != NULL));
    if (!jinja)
        return 0;
    if (!own)
        own = json_loads(variables_text, 0, NULL);
    json_t *given =
        behind ? json_loadb((const char *)behind + 1, size - bytes - 1, JSON_ALLOW_NUL, NULL)
               : NULL;
    const struct tm now = {.tm_year = 124, .tm_mon = 6, .tm_mday = 26};
    LvJinjaOptions options = {.now = &now, .max_steps = 20000, .max_bytes = 2 << 20};
    status = lv_jinja_render(jinja, json_is_object(given) ? given : own, &options, &text, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    FUZZ_CHECK(status != LLAVAOV_ERROR_INTERNAL);
    bool said = json_is_object(given) || memchr(data, '\\', bytes) ||
                memmem(data, bytes, SNOWMAN, sizeof SNOWMAN - 1);
    if (status == LLAVAOV_OK)
        check(&text, said);
    lv_jinja_text_free(&text);
    lv_jinja_free(jinja);
    json_decref(given);
    return 0;
}
