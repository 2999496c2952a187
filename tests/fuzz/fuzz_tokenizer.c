/* SPDX-License-Identifier: Apache-2.0
 * tokenizer.json, and what an accepted one does with a text. */
#include "fuzz.h"

#include <string.h>

#include "base/alloc.h"
#include "text/tokenizer.h"

static void use(const LvTokenizer *tokenizer, LvSpecialText special)
{
    static const char text[] =
        "It's 12 caf\xC3\xA9s,\n\n  <|im_end|>e\xCC\x81 \xE4\xBD\xA0\xE5\xA5\xBD!! aaaa abab";
    LvTokens tokens = {0};
    LlavaovStatus status =
        lv_tokenizer_encode(tokenizer, text, sizeof text - 1, special, &tokens, NULL);
    FUZZ_CHECK(status == LLAVAOV_OK && tokens.n > 0);
    for (size_t i = 0; i < tokens.n; i++)
        FUZZ_CHECK(tokens.ids[i] >= 0 && (uint32_t)tokens.ids[i] < lv_tokenizer_size(tokenizer));
    char *decoded;
    size_t bytes;
    status = lv_tokenizer_decode(tokenizer, tokens.ids, tokens.n, false, &decoded, &bytes, NULL);
    FUZZ_CHECK(status == LLAVAOV_OK && strlen(decoded) == bytes);
    lv_free(decoded);
    lv_tokens_free(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LvTokenizer *tokenizer;
    LlavaovError error = {0};
    LlavaovStatus status =
        lv_tokenizer_parse((const char *)data, size, "tokenizer.json", &tokenizer, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    FUZZ_CHECK((status == LLAVAOV_OK) == (tokenizer != NULL));
    if (tokenizer) {
        use(tokenizer, LV_SPECIAL_AS_TOKENS);
        use(tokenizer, LV_SPECIAL_AS_TEXT);
    }
    lv_tokenizer_close(tokenizer);
    return 0;
}
