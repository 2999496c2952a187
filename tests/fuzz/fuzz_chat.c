/* SPDX-License-Identifier: Apache-2.0
 * Files that hold a chat template. The first byte says which kind: Jinja, or JSON with a key. What
 * compiles renders a small conversation. */
#include "fuzz.h"

#include <string.h>

#include "base/limits.h"
#include "text/chat.h"
#include "text/chat_source.h"
#include "text/utf8.h"

static const char messages[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be <image> brief.\"},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"A?\"}]},"
    "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"B <|im_end|>\"}]},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"video\"},{\"type\":\"text\",\"text\":\"\"}]}],"
    "\"add_generation_prompt\":true,\"eos_token\":\"<|im_end|>\"}";

static void render(const LvJinjaTemplate *jinja)
{
    static json_t *variables;
    if (!variables)
        variables = json_loads(messages, 0, NULL);
    LvJinjaText text;
    LlavaovError error = {0};
    const LvJinjaOptions options = {.max_steps = 20000, .max_bytes = 65536};
    LlavaovStatus status = lv_jinja_render(jinja, variables, &options, &text, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (status != LLAVAOV_OK)
        return;
    FUZZ_CHECK(text.bytes <= 65536 && text.text[text.bytes] == '\0' &&
               lv_utf8_valid_prefix(text.text, text.bytes) == text.bytes);
    size_t end = 0;
    for (size_t i = 0; i < text.n_spans; i++) {
        FUZZ_CHECK(text.spans[i].start == end && text.spans[i].bytes > 0);
        FUZZ_CHECK(i == 0 || text.spans[i].user != text.spans[i - 1].user);
        end += text.spans[i].bytes;
    }
    FUZZ_CHECK(end == text.bytes);
    lv_jinja_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    LvChatSource source;
    LlavaovError error = {0};
    LlavaovStatus status = lv_chat_source_parse((const char *)data + 1, size - 1,
        data[0] % 2 ? "template.json" : "template.jinja", &source, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    FUZZ_CHECK((status == LLAVAOV_OK) == (source.text != NULL));
    if (status == LLAVAOV_OK) {
        LvJinjaTemplate *jinja;
        FUZZ_CHECK(source.text[source.bytes] == '\0');
        status = lv_jinja_compile(source.text, source.bytes, source.file, &jinja, &error);
        FUZZ_CHECK(status == error.status && (!status || *error.message));
        FUZZ_CHECK((status == LLAVAOV_OK) == (jinja != NULL));
        if (jinja)
            render(jinja);
        lv_jinja_free(jinja);
    }
    lv_chat_source_free(&source);
    return 0;
}
