/* SPDX-License-Identifier: Apache-2.0
 * str's methods that ask what a string is made of. */
#include "text/jinja/character.h"
#include "text/jinja/method.h"
#include "text/jinja/text.h"
#include "text/utf8.h"

#define METHOD(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

/* Whether all characters have one of the flags; `empty` is what an empty string gives. */
static bool all_are(LvJ *j, LvJValue v, unsigned flags, bool empty, LvJValue *out)
{
    bool all = v.string->bytes || empty;
    const unsigned char *p = (const unsigned char *)v.string->text;
    for (const unsigned char *end = p + v.string->bytes; p < end && all;)
        all = lv_jinja_flags(lv_utf8_next(&p)) & flags;
    *out = lv_jinja_bool(all);
    return lv_jinja_work_bytes(j, v.string->bytes);
}

#define ALL(name, flags, empty)                                                                    \
    METHOD(name)                                                                                   \
    {                                                                                              \
        UNUSED;                                                                                    \
        return all_are(j, v, flags, empty, out);                                                   \
    }
ALL(isdigit, LV_JINJA_DIGIT, false)
ALL(isdecimal, LV_JINJA_DECIMAL, false)
ALL(isnumeric, LV_JINJA_NUMERIC, false)
ALL(isalpha, LV_JINJA_ALPHA, false)
ALL(isalnum, LV_JINJA_ALPHA | LV_JINJA_DECIMAL | LV_JINJA_DIGIT | LV_JINJA_NUMERIC, false)
ALL(isspace, LV_JINJA_SPACE, false)
ALL(isprintable, LV_JINJA_PRINTABLE, true)

static bool one_case(LvJ *j, LvJValue v, unsigned wanted, LvJValue *out)
{
    bool any = false, other = false;
    const unsigned char *p = (const unsigned char *)v.string->text;
    for (const unsigned char *end = p + v.string->bytes; p < end;) {
        unsigned flags = lv_jinja_flags(lv_utf8_next(&p));
        any |= (flags & wanted) != 0;
        other |= (flags & LV_JINJA_CASED & ~wanted) != 0;
    }
    *out = lv_jinja_bool(any && !other);
    return lv_jinja_work_bytes(j, v.string->bytes);
}

METHOD(islower)
{
    UNUSED;
    return one_case(j, v, LV_JINJA_LOWER, out);
}

METHOD(isupper)
{
    UNUSED;
    return one_case(j, v, LV_JINJA_UPPER, out);
}

METHOD(istitle)
{
    UNUSED;
    bool any = false, before = false, title = true;
    const unsigned char *p = (const unsigned char *)v.string->text;
    for (const unsigned char *end = p + v.string->bytes; p < end && title;) {
        unsigned flags = lv_jinja_flags(lv_utf8_next(&p));
        bool capital = flags & (LV_JINJA_UPPER | LV_JINJA_TITLE), small = flags & LV_JINJA_LOWER;
        title = !(capital && before) && !(small && !before);
        before = flags & LV_JINJA_CASED;
        any |= before;
    }
    *out = lv_jinja_bool(any && title);
    return lv_jinja_work_bytes(j, v.string->bytes);
}

METHOD(isascii)
{
    UNUSED;
    *out = lv_jinja_bool(v.string->bytes == v.string->chars);
    return true;
}

static const LvJBuiltin rows[] = {{"isdigit", "", 0, do_isdigit},
    {"isdecimal", "", 0, do_isdecimal}, {"isnumeric", "", 0, do_isnumeric},
    {"isalpha", "", 0, do_isalpha}, {"isalnum", "", 0, do_isalnum}, {"isspace", "", 0, do_isspace},
    {"isprintable", "", 0, do_isprintable}, {"islower", "", 0, do_islower},
    {"isupper", "", 0, do_isupper}, {"istitle", "", 0, do_istitle}, {"isascii", "", 0, do_isascii},
    {"isidentifier", NULL, 0, NULL}};
const LvJMethodTable lv_jinja_string_tests = {rows, sizeof rows / sizeof *rows};
