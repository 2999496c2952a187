/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "text/jinja/text.h"

#include "text/utf8.h"

static bool grow(LvJBuild *build, size_t bytes)
{
    size_t want = build->n + bytes;
    if (want <= build->room)
        return true;
    size_t room = build->room * 2 < want ? want : build->room * 2;
    room = room < 64 ? 64 : room;
    char *text = lv_jinja_alloc(build->j, room, 2);
    if (!text)
        return false;
    if (build->n) {
        memcpy(text, build->text, build->n);
        memcpy(text + room, build->marks, build->n);
    }
    build->text = text;
    build->marks = (uint8_t *)text + room;
    build->room = room;
    return true;
}

bool lv_jinja_put(LvJBuild *build, const char *text, size_t bytes, bool user)
{
    if (!bytes)
        return true;
    if (!lv_jinja_work_bytes(build->j, bytes) || !grow(build, bytes))
        return false;
    memcpy(build->text + build->n, text, bytes);
    memset(build->marks + build->n, user, bytes);
    build->n += bytes;
    build->any_user |= user;
    build->any_template |= !user;
    return true;
}

bool lv_jinja_put_char(LvJBuild *build, uint32_t code, bool user)
{
    char text[4];
    return lv_jinja_put(build, text, lv_utf8_put(code, text), user);
}

bool lv_jinja_put_part(LvJBuild *build, const LvJString *string, size_t first, size_t bytes)
{
    if (!bytes)
        return true;
    size_t at = build->n;
    if (!lv_jinja_put(build, string->text + first, bytes, string->user))
        return false;
    if (string->marks) {
        memcpy(build->marks + at, string->marks + first, bytes);
        build->any_user = build->any_template = true;
    }
    return true;
}

bool lv_jinja_put_repeated(LvJBuild *build, const LvJString *string, int64_t times)
{
    size_t bytes;
    if (times <= 0 || !string->bytes)
        return true;
    if (__builtin_mul_overflow(string->bytes, (size_t)times, &bytes) || bytes > SIZE_MAX / 4)
        bytes = SIZE_MAX / 4; /* more than any bound */
    if (!grow(build, bytes) || !lv_jinja_work(build->j, bytes / 16))
        return false;
    for (int64_t i = 0; i < times; i++) {
        memcpy(build->text + build->n, string->text, string->bytes);
        if (string->marks)
            memcpy(build->marks + build->n, string->marks, string->bytes);
        else
            memset(build->marks + build->n, string->user, string->bytes);
        build->n += string->bytes;
    }
    build->any_user |= string->user;
    build->any_template |= !string->user || string->marks;
    return true;
}

static bool make(LvJ *j, LvJString string, LvJValue *out)
{
    LvJString *made = lv_jinja_alloc(j, 1, sizeof *made);
    if (!made)
        return false;
    string.chars = lv_jinja_count_chars(string.text, string.bytes);
    *made = string;
    *out = (LvJValue){.type = LVJ_STRING, .string = made};
    return true;
}

bool lv_jinja_built(LvJBuild *build, LvJValue *out)
{
    bool mixed = build->any_user && build->any_template;
    return make(build->j,
        (LvJString){.text = build->n ? build->text : "",
            .marks = mixed ? build->marks : NULL,
            .bytes = build->n,
            .user = build->any_user},
        out);
}

bool lv_jinja_string(LvJ *j, const char *text, size_t bytes, bool user, LvJValue *out)
{
    if (!lv_jinja_work_bytes(j, bytes))
        return false;
    char *copy = lv_jinja_alloc(j, bytes, 1);
    if (!copy)
        return false;
    if (bytes)
        memcpy(copy, text, bytes);
    return make(j, (LvJString){.text = copy, .bytes = bytes, .user = user}, out);
}

bool lv_jinja_part(LvJ *j, const LvJString *string, size_t first, size_t bytes, LvJValue *out)
{
    if (!lv_jinja_work_bytes(j, bytes))
        return false;
    return make(j,
        (LvJString){.text = string->text + first,
            .marks = string->marks ? string->marks + first : NULL,
            .bytes = bytes,
            .user = string->user},
        out);
}

size_t lv_jinja_count_chars(const char *text, size_t bytes)
{
    size_t chars = 0;
    for (size_t i = 0; i < bytes; i++)
        chars += (text[i] & 0xC0) != 0x80;
    return chars;
}

size_t lv_jinja_offset(const LvJString *string, size_t chars)
{
    if (chars >= string->chars)
        return string->bytes;
    if (string->chars == string->bytes)
        return chars;
    size_t at = 0;
    while (chars > 0) {
        at++;
        while (((unsigned char)string->text[at] & 0xC0) == 0x80)
            at++;
        chars--;
    }
    return at;
}

size_t lv_jinja_find(const LvJString *string, const LvJString *needle, size_t from)
{
    if (from > string->bytes || needle->bytes > string->bytes - from)
        return SIZE_MAX;
    if (!needle->bytes)
        return from;
    const char *found =
        memmem(string->text + from, string->bytes - from, needle->text, needle->bytes);
    return found ? (size_t)(found - string->text) : SIZE_MAX;
}
