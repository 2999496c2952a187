/* SPDX-License-Identifier: Apache-2.0
 * Serves a tokenizer over stdin and stdout, for comparing it with the reference in bulk.
 *
 *     tokenizer_batch FILE-OR-FOLDER     tokenizer.json, or the folder that holds a tokenizer
 *
 * A request is one byte of operation, a little-endian u32 of payload bytes, and the payload; an
 * answer is a u32 of bytes (0xFFFFFFFF: refused, nothing follows) and as many bytes. Ids are
 * little-endian i32.
 *
 *     t   text -> ids, special tokens as tokens       s   ids -> text, without special tokens
 *     p   text -> ids, special tokens as text         k   ids -> text, with special tokens
 *     n   text -> NFC                                 c   nothing -> class of each code point
 *     S   ids -> text without special tokens, a token at a time through the stream
 *     w   text -> ids with what the tokenizer puts around a text
 *     f   flush: no answer of its own, but all earlier ones arrive */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

static int reply(const void *data, size_t bytes)
{
    uint32_t n = (uint32_t)bytes;
    return fwrite(&n, 4, 1, stdout) == 1 && fwrite(data, 1, bytes, stdout) == bytes ? 0 : 1;
}

static int refuse(void)
{
    uint32_t n = UINT32_MAX;
    return fwrite(&n, 4, 1, stdout) == 1 ? 0 : 1;
}

static int reply_tokens(LlavaovStatus status, LvTokens *tokens)
{
    int failed = status == LLAVAOV_OK ? reply(tokens->ids, tokens->n * 4) : refuse();
    lv_tokens_free(tokens);
    return failed;
}

static int encode(
    const LvTokenizer *tokenizer, LvSpecialText special, const char *text, size_t bytes)
{
    LvTokens tokens = {0};
    return reply_tokens(
        lv_tokenizer_encode(tokenizer, text, bytes, special, &tokens, NULL), &tokens);
}

static int whole(const LvTokenizer *tokenizer, const char *text, size_t bytes)
{
    LvTokens tokens = {0};
    LlavaovStatus status = lv_tokenizer_begin(tokenizer, &tokens, NULL);
    if (status == LLAVAOV_OK)
        status = lv_tokenizer_encode(tokenizer, text, bytes, LV_SPECIAL_AS_TOKENS, &tokens, NULL);
    if (status == LLAVAOV_OK)
        status = lv_tokenizer_end(tokenizer, &tokens, NULL);
    return reply_tokens(status, &tokens);
}

static int decode(const LvTokenizer *tokenizer, bool skip, const char *payload, size_t bytes)
{
    char *text;
    size_t n;
    int32_t *ids = malloc(bytes + 1);
    memcpy(ids, payload, bytes);
    LlavaovStatus status = lv_tokenizer_decode(tokenizer, ids, bytes / 4, skip, &text, &n, NULL);
    int failed = status == LLAVAOV_OK ? reply(text, n) : refuse();
    lv_free(text);
    free(ids);
    return failed;
}

static int stream(const LvTokenizer *tokenizer, const char *payload, size_t bytes)
{
    char *out = NULL;
    size_t n = 0, size = 0;
    LvUtf8Stream state = {0};
    for (size_t i = 0; i < bytes / 4; i++) {
        int32_t id;
        size_t token_bytes;
        bool special;
        memcpy(&id, payload + i * 4, 4);
        const char *token = lv_tokenizer_token_bytes(tokenizer, id, &token_bytes, &special);
        if (!token || special)
            continue;
        if (size - n < 3 * (token_bytes + 4))
            out = realloc(out, size = size * 2 + 3 * (token_bytes + 4));
        n += lv_utf8_stream_push(&state, token, token_bytes, out + n);
    }
    out = realloc(out, n + 16);
    n += lv_utf8_stream_finish(&state, out + n);
    int failed = reply(out, n);
    free(out);
    return failed;
}

static int nfc(const char *text, size_t bytes)
{
    char *out;
    size_t n;
    if (lv_nfc(text, bytes, &out, &n, NULL) != LLAVAOV_OK)
        return refuse();
    int failed = reply(out ? out : text, n);
    lv_free(out);
    return failed;
}

static int classes(void)
{
    unsigned char *all = malloc(0x110000);
    for (uint32_t code = 0; code < 0x110000; code++)
        all[code] = (unsigned char)lv_unicode_class(code);
    int failed = reply(all, 0x110000);
    free(all);
    return failed;
}

static int answer(const LvTokenizer *tokenizer, char operation, const char *payload, size_t bytes)
{
    switch (operation) {
    case 't':
        return encode(tokenizer, LV_SPECIAL_AS_TOKENS, payload, bytes);
    case 'p':
        return encode(tokenizer, LV_SPECIAL_AS_TEXT, payload, bytes);
    case 'w':
        return whole(tokenizer, payload, bytes);
    case 's':
    case 'k':
        return decode(tokenizer, operation == 's', payload, bytes);
    case 'S':
        return stream(tokenizer, payload, bytes);
    case 'n':
        return nfc(payload, bytes);
    case 'c':
        return classes();
    case 'f':
        return fflush(stdout);
    default:
        return 1;
    }
}

int main(int argc, char **argv)
{
    LvTokenizer *tokenizer = NULL;
    LlavaovError error = {0};
    struct stat info;
    bool folder = argc == 2 && !stat(argv[1], &info) && S_ISDIR(info.st_mode);
    if (argc != 2 || (folder ? lv_tokenizer_open_folder(argv[1], &tokenizer, &error)
                             : lv_tokenizer_open(argv[1], &tokenizer, &error))) {
        fprintf(stderr, "tokenizer_batch: %s\n",
            argc == 2 ? error.message : "give one tokenizer.json or folder");
        return 1;
    }
    char operation;
    uint32_t bytes;
    int failed = 0;
    while (!failed && fread(&operation, 1, 1, stdin) == 1 && fread(&bytes, 4, 1, stdin) == 1) {
        char *payload = malloc((size_t)bytes + 1);
        failed = fread(payload, 1, bytes, stdin) != bytes;
        payload[bytes] = '\0';
        failed = failed || answer(tokenizer, operation, payload, bytes);
        free(payload);
    }
    fflush(stdout);
    lv_tokenizer_close(tokenizer);
    return failed;
}
