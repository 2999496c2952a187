/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/strings.h"

#include "text/jinja/character.h"
#include "text/jinja/object.h"
#include "text/jinja/print.h"
#include "text/utf8.h"

static size_t char_bytes(const LvJString *string, size_t at)
{
    size_t n = 1;
    while (at + n < string->bytes && ((unsigned char)string->text[at + n] & 0xC0) == 0x80)
        n++;
    return n;
}

static size_t char_before(const LvJString *string, size_t end)
{
    size_t at = end - 1;
    while (at > 0 && ((unsigned char)string->text[at] & 0xC0) == 0x80)
        at--;
    return at;
}

static uint32_t char_at(const LvJString *string, size_t at)
{
    const unsigned char *p = (const unsigned char *)string->text + at;
    return lv_utf8_next(&p);
}

static bool stripped(LvJ *j, const LvJString *string, const LvJString *chars, size_t at, bool *out)
{
    if (!chars) {
        *out = lv_jinja_is_space(char_at(string, at));
        return true;
    }
    LvJString one = {.text = string->text + at, .bytes = char_bytes(string, at)};
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
        first += char_bytes(string, first);
    }
    while (sides & LV_JINJA_RIGHT && end > first) {
        size_t at = char_before(string, end);
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
    size_t before = at, after = at + char_bytes(string, at);
    unsigned flags = 0;
    while (before > 0) {
        before = char_before(string, before);
        flags = lv_jinja_flags(char_at(string, before));
        if (!(flags & LV_JINJA_IGNORABLE))
            break;
        flags = 0;
    }
    if (!(flags & LV_JINJA_CASED))
        return false;
    while (after < string->bytes) {
        flags = lv_jinja_flags(char_at(string, after));
        if (!(flags & LV_JINJA_IGNORABLE))
            return !(flags & LV_JINJA_CASED);
        after += char_bytes(string, after);
    }
    return true;
}

bool lv_jinja_change_case(LvJ *j, const LvJString *string, LvJCase to, LvJValue *out)
{
    LvJBuild build = {.j = j};
    bool word = false; /* a cased character stands before */
    for (size_t at = 0; at < string->bytes; at += char_bytes(string, at)) {
        uint32_t code = char_at(string, at), mapped[3];
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

/* An empty old one stands before each character and at the end. */
static bool interleave(
    LvJ *j, const LvJString *string, const LvJString *with, int64_t count, LvJValue *out)
{
    LvJBuild build = {.j = j};
    for (size_t at = 0;; at += char_bytes(string, at)) {
        if (count != 0 && !lv_jinja_put_string(&build, with))
            return false;
        count -= count > 0;
        if (at == string->bytes)
            break;
        if (!lv_jinja_put_part(&build, string, at, char_bytes(string, at)))
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

static bool add_part(LvJ *j, LvJValue list, const LvJString *string, size_t first, size_t end)
{
    LvJValue part;
    return lv_jinja_part(j, string, first, end - first, &part) &&
           lv_jinja_append(j, list.list, part);
}

static bool split_space(LvJ *j, const LvJString *string, int64_t most, LvJValue list)
{
    size_t at = 0, end = string->bytes;
    for (;;) {
        while (at < end && lv_jinja_is_space(char_at(string, at)))
            at += char_bytes(string, at);
        if (at == end)
            return true;
        size_t first = at;
        if (list.list->n == (size_t)most)
            return add_part(j, list, string, first, end);
        while (at < end && !lv_jinja_is_space(char_at(string, at)))
            at += char_bytes(string, at);
        if (!add_part(j, list, string, first, at))
            return false;
    }
}

bool lv_jinja_split(
    LvJ *j, const LvJString *string, const LvJString *separator, int64_t most, LvJValue *out)
{
    most = most < 0 ? INT64_MAX : most;
    if (!lv_jinja_new_list(j, LVJ_LIST, 0, out) || !lv_jinja_work_bytes(j, string->bytes))
        return false;
    if (!separator)
        return split_space(j, string, most, *out);
    if (!separator->bytes)
        return lv_jinja_wrong(j, "empty separator");
    size_t at = 0, found;
    while (
        out->list->n < (size_t)most && (found = lv_jinja_find(string, separator, at)) != SIZE_MAX) {
        if (!add_part(j, *out, string, at, found))
            return false;
        at = found + separator->bytes;
    }
    return add_part(j, *out, string, at, string->bytes);
}

static bool rsplit_space(LvJ *j, const LvJString *string, int64_t most, LvJValue list)
{
    size_t end = string->bytes;
    for (;;) {
        while (end > 0 && lv_jinja_is_space(char_at(string, char_before(string, end))))
            end = char_before(string, end);
        if (!end)
            return true;
        size_t first = end;
        if (list.list->n == (size_t)most)
            return add_part(j, list, string, 0, end);
        while (first > 0 && !lv_jinja_is_space(char_at(string, char_before(string, first))))
            first = char_before(string, first);
        if (!add_part(j, list, string, first, end))
            return false;
        end = first;
    }
}

bool lv_jinja_find_last(
    LvJ *j, const LvJString *string, const LvJString *needle, size_t end, size_t *out)
{
    *out = SIZE_MAX;
    for (size_t at = end; at >= needle->bytes; at--) {
        if (!lv_jinja_work_bytes(j, needle->bytes))
            return false;
        if (!memcmp(string->text + at - needle->bytes, needle->text, needle->bytes)) {
            *out = at - needle->bytes;
            return true;
        }
        if (!at)
            break;
    }
    return true;
}

bool lv_jinja_rsplit(
    LvJ *j, const LvJString *string, const LvJString *separator, int64_t most, LvJValue *out)
{
    most = most < 0 ? INT64_MAX : most;
    if (!lv_jinja_new_list(j, LVJ_LIST, 0, out) || !lv_jinja_work(j, string->bytes))
        return false;
    if (separator && !separator->bytes)
        return lv_jinja_wrong(j, "empty separator");
    if (!separator) {
        if (!rsplit_space(j, string, most, *out))
            return false;
    } else {
        size_t end = string->bytes, found;
        while (out->list->n < (size_t)most) {
            if (!lv_jinja_find_last(j, string, separator, end, &found))
                return false;
            if (found == SIZE_MAX)
                break;
            if (!add_part(j, *out, string, found + separator->bytes, end))
                return false;
            end = found;
        }
        if (!add_part(j, *out, string, 0, end))
            return false;
    }
    LvJList *list = out->list;
    for (size_t i = 0; i < list->n / 2; i++) {
        LvJValue item = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = item;
    }
    return true;
}

static bool line_end(uint32_t c)
{
    return (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

bool lv_jinja_splitlines(LvJ *j, const LvJString *string, bool keep, LvJValue *out)
{
    if (!lv_jinja_new_list(j, LVJ_LIST, 0, out) || !lv_jinja_work_bytes(j, string->bytes))
        return false;
    size_t at = 0;
    while (at < string->bytes) {
        size_t end = at;
        while (end < string->bytes && !line_end(char_at(string, end)))
            end += char_bytes(string, end);
        size_t behind = end < string->bytes ? end + char_bytes(string, end) : end;
        if (end < string->bytes && string->text[end] == '\r' && behind < string->bytes &&
            string->text[behind] == '\n')
            behind++;
        if (!add_part(j, *out, string, at, keep ? behind : end))
            return false;
        at = behind;
    }
    return true;
}

bool lv_jinja_join(LvJ *j, const LvJString *separator, LvJValue items, bool any, LvJValue *out)
{
    LvJBuild build = {.j = j};
    LvJIterator *iterator;
    if (!lv_jinja_iterate(j, items, &iterator))
        return false;
    for (size_t i = 0;; i++) {
        LvJValue item;
        bool done;
        if (!lv_jinja_next(j, iterator, &item, &done))
            return false;
        if (done)
            return lv_jinja_built(&build, out);
        if (!any && item.type != LVJ_STRING)
            return lv_jinja_wrong(j, "sequence item %zu: expected str instance, %s found", i,
                lv_jinja_type_name(item));
        if ((i && !lv_jinja_put_string(&build, separator)) || !lv_jinja_put_str(&build, item))
            return false;
    }
}

bool lv_jinja_pad(LvJ *j, const LvJString *string, int64_t left, int64_t right,
    const LvJString *fill, LvJValue *out)
{
    LvJBuild build = {.j = j};
    return lv_jinja_put_repeated(&build, fill, left) && lv_jinja_put_string(&build, string) &&
           lv_jinja_put_repeated(&build, fill, right) && lv_jinja_built(&build, out);
}
