/* SPDX-License-Identifier: Apache-2.0
 * Strings into parts. */
#include "text/jinja/character.h"
#include "text/jinja/object.h"
#include "text/jinja/strings.h"

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
        while (at < end && lv_jinja_is_space(lv_jinja_char_at(string, at)))
            at += lv_jinja_char_bytes(string, at);
        if (at == end)
            return true;
        size_t first = at;
        if (list.list->n == (size_t)most)
            return add_part(j, list, string, first, end);
        while (at < end && !lv_jinja_is_space(lv_jinja_char_at(string, at)))
            at += lv_jinja_char_bytes(string, at);
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
        while (end > 0 &&
               lv_jinja_is_space(lv_jinja_char_at(string, lv_jinja_char_before(string, end))))
            end = lv_jinja_char_before(string, end);
        if (!end)
            return true;
        size_t first = end;
        if (list.list->n == (size_t)most)
            return add_part(j, list, string, 0, end);
        while (first > 0 &&
               !lv_jinja_is_space(lv_jinja_char_at(string, lv_jinja_char_before(string, first))))
            first = lv_jinja_char_before(string, first);
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
        while (end < string->bytes && !line_end(lv_jinja_char_at(string, end)))
            end += lv_jinja_char_bytes(string, end);
        size_t behind = end < string->bytes ? end + lv_jinja_char_bytes(string, end) : end;
        if (end < string->bytes && string->text[end] == '\r' && behind < string->bytes &&
            string->text[behind] == '\n')
            behind++;
        if (!add_part(j, *out, string, at, keep ? behind : end))
            return false;
        at = behind;
    }
    return true;
}
