/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/string_format.h"

#include "text/jinja/builtin.h"
#include "text/jinja/object.h"
#include "text/jinja/print.h"

typedef struct Format {
    LvJBuild build;
    const LvJArgs *args;
    size_t automatic; /* fields without a number so far */
    bool numbered;
} Format;

static bool field_value(Format *format, const LvJString *name, LvJValue *out)
{
    LvJ *j = format->build.j;
    const LvJArgs *args = format->args;
    size_t at = 0;
    bool number = true;
    for (size_t i = 0; i < name->bytes; i++) {
        char c = name->text[i];
        if (strchr(".[]:!{", c) && c)
            return lv_jinja_cannot(
                j, "format() with more than a name in a field: {%.40s}", lv_jinja_shown(j, name));
        number = number && c >= '0' && c <= '9' && name->bytes < 9;
        at = number ? at * 10 + (size_t)(c - '0') : 0;
    }
    if (!number) {
        for (size_t i = 0; i < args->n_keywords; i++) {
            if (lv_jinja_same(args->keywords[i].name, name)) {
                *out = args->keywords[i].value;
                return true;
            }
        }
        return lv_jinja_wrong(j, "format() misses '%s'", lv_jinja_shown(j, name));
    }
    if (name->bytes ? format->automatic > 0 : format->numbered)
        return lv_jinja_wrong(
            j, "cannot switch between manual field specification and automatic field numbering");
    if (name->bytes)
        format->numbered = true;
    else
        at = format->automatic++;
    if (at >= args->n)
        return lv_jinja_wrong(j, "replacement index %zu out of range for positional args", at);
    *out = args->values[at];
    return true;
}

bool lv_jinja_string_format(LvJ *j, const LvJString *string, const LvJArgs *args, LvJValue *out)
{
    Format format = {.build = {.j = j}, .args = args};
    for (size_t at = 0; at < string->bytes;) {
        size_t plain = 0;
        while (at + plain < string->bytes && !strchr("{}", string->text[at + plain]))
            plain++;
        /* strchr finds the terminator as well: U+0000 is plain. */
        if (at + plain < string->bytes && !string->text[at + plain])
            plain++;
        if (!lv_jinja_put_part(&format.build, string, at, plain))
            return false;
        at += plain;
        if (at == string->bytes || (plain && !string->text[at - 1]))
            continue;
        char brace = string->text[at];
        if (at + 1 < string->bytes && string->text[at + 1] == brace) {
            if (!lv_jinja_put_part(&format.build, string, at, 1))
                return false;
            at += 2;
            continue;
        }
        size_t end = at + 1;
        while (brace == '{' && end < string->bytes && string->text[end] != '}')
            end++;
        if (brace == '}' || end == string->bytes)
            return lv_jinja_wrong(j, "single '%c' encountered in format string", brace);
        LvJValue name, value;
        if (!lv_jinja_part(j, string, at + 1, end - at - 1, &name) ||
            !field_value(&format, name.string, &value) || !lv_jinja_put_str(&format.build, value))
            return false;
        at = end + 1;
    }
    return lv_jinja_built(&format.build, out);
}
