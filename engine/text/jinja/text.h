/* SPDX-License-Identifier: Apache-2.0
 * Strings with their marks: building, slicing, walking. */
#ifndef LV_JINJA_TEXT_H
#define LV_JINJA_TEXT_H

#include <string.h>

#include "text/jinja/machine.h"

/* A string that grows. Start from {.j = j}. */
typedef struct LvJBuild {
    LvJ *j;
    char *text;
    uint8_t *marks;
    size_t n, room;
    bool any_user, any_template;
} LvJBuild;

/* All of bytes marked alike. */
bool lv_jinja_put(LvJBuild *build, const char *text, size_t bytes, bool user);
bool lv_jinja_put_char(LvJBuild *build, uint32_t code, bool user);
/* first..first+bytes of string with its own marks. */
bool lv_jinja_put_part(LvJBuild *build, const LvJString *string, size_t first, size_t bytes);
static inline bool lv_jinja_put_string(LvJBuild *build, const LvJString *string)
{
    return lv_jinja_put_part(build, string, 0, string->bytes);
}
static inline bool lv_jinja_put_ascii(LvJBuild *build, const char *text, bool user)
{
    return lv_jinja_put(build, text, strlen(text), user);
}
/* string, `times` times (none when negative). */
bool lv_jinja_put_repeated(LvJBuild *build, const LvJString *string, int64_t times);
bool lv_jinja_built(LvJBuild *build, LvJValue *out);

/* A copy of text, marked according to `user`. */
bool lv_jinja_string(LvJ *j, const char *text, size_t bytes, bool user, LvJValue *out);
/* A piece of string between two whole characters; shares its bytes. */
bool lv_jinja_part(LvJ *j, const LvJString *string, size_t first, size_t bytes, LvJValue *out);
/* The byte where character number `chars` begins (bytes for the end or beyond). */
size_t lv_jinja_offset(const LvJString *string, size_t chars);
size_t lv_jinja_count_chars(const char *text, size_t bytes);
static inline bool lv_jinja_mark_at(const LvJString *string, size_t byte)
{
    return string->marks ? string->marks[byte] : string->user;
}
static inline bool lv_jinja_same(const LvJString *a, const LvJString *b)
{
    return a->bytes == b->bytes && !memcmp(a->text, b->text, a->bytes);
}
static inline bool lv_jinja_is(const LvJString *string, const char *text)
{
    return string->bytes == strlen(text) && !memcmp(string->text, text, string->bytes);
}
/* The first needle at or after byte `from`; SIZE_MAX = none. An empty needle is found at once. */
size_t lv_jinja_find(const LvJString *string, const LvJString *needle, size_t from);

#endif
