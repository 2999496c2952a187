/* SPDX-License-Identifier: Apache-2.0 */
#include "text/byte_level.h"
#include "text/tokenizer_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "text/utf8.h"

LlavaovStatus lv_reader_fail(
    LvTokenizerReader *r, LlavaovStatus status, const char *field, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return lv_fail(r->error, status, r->name, "%s: %s %s", r->name, field, text);
}

LlavaovStatus lv_reader_no_memory(LvTokenizerReader *r)
{
    return lv_fail(r->error, LLAVAOV_ERROR_MEMORY, r->name, "%s: out of memory", r->name);
}

LlavaovStatus lv_reader_take_vocab(LvTokenizerReader *r)
{
    if (!r->vocab_text.at)
        return BROKEN(r, r->vocabulary.field, "is absent");
    LlavaovStatus status = lv_vocabulary_read(&r->vocabulary, &r->vocab_text, r->name, r->error);
    if (status != LLAVAOV_OK)
        return status;
    r->tokenizer->n_vocab = r->vocabulary.n;
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelled[5] = {0};
        size_t bytes = lv_utf8_put(lv_byte_character((unsigned char)byte), spelled);
        if (!lv_vocabulary_find(
                &r->vocabulary, spelled, bytes, &r->tokenizer->merges.byte_ids[byte]))
            return BROKEN(
                r, r->vocabulary.field, "has no token for byte 0x%02X (\"%s\")", byte, spelled);
    }
    return LLAVAOV_OK;
}

/* ---- what each token decodes to ---- */

/* The bytes that a spelling stands for: by GPT-2's table if it has all of the characters, otherwise
 * the spelling itself. */
static size_t decode_spelling(LvSpelling token, char *out)
{
    const unsigned char *p = (const unsigned char *)token.text, *end = p + token.bytes;
    size_t n = 0;
    while (p < end) {
        int byte = token.plain ? -1 : lv_character_byte(lv_utf8_next(&p));
        if (byte < 0) {
            memcpy(out, token.text, token.bytes);
            return token.bytes;
        }
        out[n++] = (char)byte;
    }
    return n;
}

LlavaovStatus lv_reader_finish(LvTokenizerReader *r)
{
    LvTokenizer *t = r->tokenizer;
    const LvVocabulary *v = &r->vocabulary;
    size_t total = 0;
    for (uint32_t id = 0; id < v->n; id++)
        total += v->tokens[id].bytes; /* decoding never lengthens */
    t->n_tokens = v->n;
    t->offsets = lv_alloc((size_t)t->n_tokens + 1, sizeof *t->offsets);
    t->special = lv_calloc(t->n_tokens, 1);
    t->bytes = lv_alloc(total + 1, 1);
    if (!t->offsets || !t->special || !t->bytes)
        return lv_reader_no_memory(r);
    uint32_t n = 0; /* total is less than the file, whose size 32 bits hold */
    for (uint32_t id = 0; id < t->n_tokens; id++) {
        t->offsets[id] = n;
        n += (uint32_t)decode_spelling(v->tokens[id], t->bytes + n);
    }
    t->offsets[t->n_tokens] = n;
    char *exact = lv_realloc(t->bytes, (size_t)n + 1, 1);
    if (exact)
        t->bytes = exact;
    for (size_t i = 0; i < t->raw.n; i++)
        t->special[t->raw.tokens[i].id] = t->raw.tokens[i].special;
    for (size_t i = 0; i < t->normalized.n; i++)
        t->special[t->normalized.tokens[i].id] = t->normalized.tokens[i].special;
    return LLAVAOV_OK;
}
