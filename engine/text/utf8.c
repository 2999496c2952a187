/* SPDX-License-Identifier: Apache-2.0 */
#include "text/utf8.h"

#include <string.h>

#include "text/tokenizer.h"

static const char replacement[3] = {(char)0xEF, (char)0xBF, (char)0xBD};

size_t lv_utf8_length(const unsigned char *text, const unsigned char *end, bool *cut, size_t *bad)
{
    bool ignored_cut;
    size_t ignored_bad;
    cut = cut ? cut : &ignored_cut;
    bad = bad ? bad : &ignored_bad;
    *cut = false;
    *bad = 1;

    unsigned char lead = text[0];
    if (lead < 0x80)
        return 1;
    /* The second byte's range excludes over-long forms, surrogates and values above U+10FFFF. */
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    unsigned char low = 0x80, high = 0xBF;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    for (size_t i = 1; i < length; i++) {
        if (text + i == end) {
            *cut = true;
            *bad = i;
            return 0;
        }
        if (text[i] < low || text[i] > high) {
            *bad = i;
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

size_t lv_utf8_valid_prefix(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + n;
    while (p < end) {
        size_t length = lv_utf8_length(p, end, NULL, NULL);
        if (!length)
            break;
        p += length;
    }
    return (size_t)(p - (const unsigned char *)text);
}

size_t lv_utf8_put(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* Copies whole characters and replaces bad ones; stops before an incomplete tail and returns its
 * place. */
static const unsigned char *copy_lossy(
    const unsigned char *p, const unsigned char *end, char *out, size_t *written)
{
    while (p < end) {
        bool cut;
        size_t bad;
        size_t length = lv_utf8_length(p, end, &cut, &bad);
        if (length) {
            memcpy(out + *written, p, length);
            *written += length;
            p += length;
        } else if (cut) {
            break;
        } else {
            memcpy(out + *written, replacement, sizeof replacement);
            *written += sizeof replacement;
            p += bad;
        }
    }
    return p;
}

size_t lv_utf8_stream_push(LvUtf8Stream *stream, const char *bytes, size_t n, char *out)
{
    const unsigned char *p = (const unsigned char *)bytes, *end = p + n;
    size_t written = 0;
    /* At most three held bytes, completed one byte at a time: a step either ends or replaces what
     * was held. */
    while (stream->n_held && p < end) {
        stream->held[stream->n_held++] = *p++;
        const unsigned char *held_end = stream->held + stream->n_held;
        const unsigned char *rest = copy_lossy(stream->held, held_end, out, &written);
        stream->n_held = (size_t)(held_end - rest);
        memmove(stream->held, rest, stream->n_held);
    }
    p = copy_lossy(p, end, out, &written);
    if (p < end) {
        stream->n_held = (size_t)(end - p);
        memcpy(stream->held, p, stream->n_held);
    }
    return written;
}

size_t lv_utf8_stream_finish(LvUtf8Stream *stream, char *out)
{
    /* The held bytes are one valid prefix, which one replacement stands for. */
    size_t written = stream->n_held ? sizeof replacement : 0;
    memcpy(out, replacement, written);
    stream->n_held = 0;
    return written;
}
