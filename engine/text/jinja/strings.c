/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/strings.h"

#include "text/jinja/character.h"
#include "text/jinja/object.h"
#include "text/jinja/print.h"
#include "text/utf8.h"

size_t lv_jinja_char_bytes(const LvJString *string, size_t at)
{
    size_t n = 1;
    while (at + n < string->bytes && ((unsigned char)string->text[at + n] & 0xC0) == 0x80)
        n++;
    return n;
}

size_t lv_jinja_char_before(const LvJString *string, size_t end)
{
    size_t at = end - 1;
    while (at > 0 && ((unsigned char)string->text[at] & 0xC0) == 0x80)
        at--;
    return at;
}

uint32_t lv_jinja_char_at(const LvJString *string, size_t at)
{
    const unsigned char *p = (const unsigned char *)string->text + at;
    return lv_utf8_next(&p);
}

static bool stripped(LvJ *j, const LvJString *string, const LvJString *chars, size_t at, bool *out)
{
    if (!chars) {
        *out = lv_jinja_is_space(lv_jinja_char_at(string, at));
        return true;
    }
    LvJString one = {.text = string->text + at, .bytes = lv_jinja_char_bytes(string, at)};
    *out = lv_jinja_find(chars, &one, 0) != SIZE_MAX;
    return lv_jinja_work_bytes(j, chars->bytes);
}

bool lv_jinja_strip(
    LvJ *j, const LvJString *string, const LvJString *chars, unsigned sides, LvJValue *out)
{
    size_t first = 0, end = string->bytes;
    bool strip = true;
    while (sides & LV_JINJA_LEFT && first < end) {
        if (!stripped(j, string, chars, first, &strip))
            return false;
        if (!strip)
            break;
        first += lv_jinja_char_bytes(string, first);
    }
    while (sides & LV_JINJA_RIGHT && end > first) {
        size_t at = lv_jinja_char_before(string, end);
        if (!stripped(j, string, chars, at, &strip))
            return false;
        if (!strip)
            break;
        end = at;
    }
    return lv_jinja_part(j, string, first, end - first, out);
}

/* Whether a capital sigma at `at` ends a word, and becomes the final small one. */
static bool final_sigma(const LvJString *string, size_t at)
{
    size_t before = at, after = at + lv_jinja_char_bytes(string, at);
    unsigned flags = 0;
    while (before > 0) {
        before = lv_jinja_char_before(string, before);
        flags = lv_jinja_flags(lv_jinja_char_at(string, before));
        if (!(flags & LV_JINJA_IGNORABLE))
            break;
        flags = 0;
    }
    if (!(flags & LV_JINJA_CASED))
        return false;
    while (after < string->bytes) {
        flags = lv_jinja_flags(lv_jinja_char_at(string, after));
        if (!(flags & LV_JINJA_IGNORABLE))
            return !(flags & LV_JINJA_CASED);
        after += lv_jinja_char_bytes(string, after);
    }
    return true;
}

bool lv_jinja_change_case(LvJ *j, const LvJString *string, LvJCase to, LvJValue *out)
{
    LvJBuild build = {.j = j};
    bool word = false; /* preceded by a cased character */
    for (size_t at = 0; at < string->bytes; at += lv_jinja_char_bytes(string, at)) {
        uint32_t code = lv_jinja_char_at(string, at), mapped[3];
        unsigned flags = lv_jinja_flags(code);
        bool lower = to == LVJ_LOWERCASE || (to == LVJ_CAPITALIZED && at) ||
                     (to == LVJ_TITLECASE && word) || (to == LVJ_SWAPPED && flags & LV_JINJA_UPPER);
        bool upper = to == LVJ_UPPERCASE || (to == LVJ_SWAPPED && flags & LV_JINJA_LOWER);
        size_t n = 1;
        mapped[0] = code;
        if (lower && code == 0x3A3)
            mapped[0] = final_sigma(string, at) ? 0x3C2 : 0x3C3;
        else if (lower)
            n = lv_jinja_lower(code, mapped);
        else if (upper)
            n = lv_jinja_upper(code, mapped);
        else if (to != LVJ_SWAPPED)
            n = lv_jinja_title(code, mapped);
        word = flags & LV_JINJA_CASED;
        for (size_t i = 0; i < n; i++)
            if (!lv_jinja_put_char(&build, mapped[i], lv_jinja_mark_at(string, at)))
                return false;
    }
    return lv_jinja_built(&build, out);
}

/* An empty `old` matches before each character and at the end. */
static bool interleave(
    LvJ *j, const LvJString *string, const LvJString *with, int64_t count, LvJValue *out)
{
    LvJBuild build = {.j = j};
    for (size_t at = 0;; at += lv_jinja_char_bytes(string, at)) {
        if (count != 0 && !lv_jinja_put_string(&build, with))
            return false;
        count -= count > 0;
        if (at == string->bytes)
            break;
        if (!lv_jinja_put_part(&build, string, at, lv_jinja_char_bytes(string, at)))
            return false;
    }
    return lv_jinja_built(&build, out);
}

bool lv_jinja_replace(LvJ *j, const LvJString *string, const LvJString *old, const LvJString *with,
    int64_t count, LvJValue *out)
{
    LvJBuild build = {.j = j};
    size_t at = 0;
    if (!lv_jinja_work_bytes(j, string->bytes))
        return false;
    if (!old->bytes)
        return interleave(j, string, with, count, out);
    for (; count != 0; count -= count > 0) {
        size_t found = lv_jinja_find(string, old, at);
        if (found == SIZE_MAX)
            break;
        if (!lv_jinja_work(j, 1) || !lv_jinja_put_part(&build, string, at, found - at) ||
            !lv_jinja_put_string(&build, with))
            return false;
        at = found + old->bytes;
    }
    return lv_jinja_put_part(&build, string, at, string->bytes - at) && lv_jinja_built(&build, out);
}

bool lv_jinja_join(LvJ *j, const LvJString *separator, LvJValue items, bool any, LvJValue *out)
{
    LvJBuild build = {.j = j};
    LvJIterator *iterator;
    if (!lv_jinja_iterate(j, items, &iterator))
        return false;
    LvJValue item;
    bool good;
    for (size_t i = 0; lv_jinja_each(j, iterator, &item, &good); i++) {
        if (!any && item.type != LVJ_STRING)
            return lv_jinja_wrong(j, "sequence item %zu: expected str instance, %s found", i,
                lv_jinja_type_name(item));
        if ((i && !lv_jinja_put_string(&build, separator)) || !lv_jinja_put_str(&build, item))
            return false;
    }
    return good && lv_jinja_built(&build, out);
}

bool lv_jinja_pad(LvJ *j, const LvJString *string, int64_t left, int64_t right,
    const LvJString *fill, LvJValue *out)
{
    LvJBuild build = {.j = j};
    return lv_jinja_put_repeated(&build, fill, left) && lv_jinja_put_string(&build, string) &&
           lv_jinja_put_repeated(&build, fill, right) && lv_jinja_built(&build, out);
}
