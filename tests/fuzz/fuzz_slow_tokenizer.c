/* SPDX-License-Identifier: Apache-2.0
 * vocab.json, merges.txt, tokenizer_config.json, added_tokens.json and special_tokens_map.json in
 * one input, a NUL between two of them, and what an accepted folder does with a text. Nothing in
 * the place of the first stands for the 256 bytes and some tokens more; in others, for no file. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

static char vocabulary[16384];

static void make_vocabulary(void)
{
    static const char *const more[] = {
        "ab", "abc", "aa", "aaaa", "th", "the", "\xC4\xA0th", "in", "ing", "bc"};
    size_t n = 0;
    int id = 0;
    vocabulary[n++] = '{';
    for (uint32_t c = 0x21; c < 0x144; c++) {
        char spelled[5] = {0};
        if ((c > 0x7E && c < 0xA1) || c == 0xAD)
            continue;
        lv_utf8_put(c, spelled);
        n += (size_t)snprintf(vocabulary + n, sizeof vocabulary - n, "\"%s%s\":%d,",
            c == '"' || c == '\\' ? "\\" : "", spelled, id++);
    }
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        n += (size_t)snprintf(vocabulary + n, sizeof vocabulary - n, "\"%s\":%d,", more[i], id++);
    vocabulary[n - 1] = '}';
}

static void use(const LvTokenizer *tokenizer)
{
    static const char text[] =
        "It's the abc<a><|im_end|> e\xCC\x81 \xE4\xBD\xA0\xE5\xA5\xBD!! <b> aaaaaa abab\n\n<image>";
    const LvTextRun runs[] = {{20, false}, {20, true}, {sizeof text - 1 - 40, false}};
    LvTokens tokens = {0};
    LlavaovStatus status = lv_tokenizer_encode_runs(tokenizer, text, runs, 3, &tokens, NULL);
    FUZZ_CHECK(status == LLAVAOV_OK);
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
    if (!*vocabulary)
        make_vocabulary();
    LvTokenizerFiles files = {0};
    const char *at = (const char *)data, *end = at + size;
    for (int i = 0; i <= LV_SPECIAL_TOKENS_MAP && at; i++) {
        const char *stop = size ? memchr(at, 0, (size_t)(end - at)) : NULL;
        files.file[i].text = at;
        files.file[i].bytes = (size_t)((stop ? stop : end) - at);
        if (!files.file[i].bytes && i > LV_MERGES_TXT)
            files.file[i].text = NULL;
        at = stop ? stop + 1 : NULL;
    }
    if (!files.file[LV_VOCAB_JSON].bytes) {
        files.file[LV_VOCAB_JSON].text = vocabulary;
        files.file[LV_VOCAB_JSON].bytes = strlen(vocabulary);
    }
    if (!files.file[LV_MERGES_TXT].text)
        files.file[LV_MERGES_TXT].text = "";
    LvTokenizer *tokenizer;
    LlavaovError error = {0};
    LlavaovStatus status = lv_tokenizer_parse_files(&files, "folder", &tokenizer, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    FUZZ_CHECK((status == LLAVAOV_OK) == (tokenizer != NULL));
    if (tokenizer)
        use(tokenizer);
    lv_tokenizer_close(tokenizer);
    return 0;
}
