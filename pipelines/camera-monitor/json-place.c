/* SPDX-License-Identifier: Apache-2.0 */
#include "json-place.h"

#include <jansson.h>
#include <string.h>

static const gchar *skip_space(const gchar *p)
{
    return p + strspn(p, " \t\r\n");
}

/* From a quotation mark to behind the other. */
static const gchar *skip_string(const gchar *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

static const gchar *skip_value(const gchar *p)
{
    guint depth = 0;

    do {
        p = skip_space(p);
        if (*p == '"') {
            p = skip_string(p);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            depth--;
            p++;
        } else if (*p == ',' || *p == ':') {
            p++;
        } else {
            p += strcspn(p, " \t\r\n,]}");
        }
    } while (depth > 0 && *p);
    return p;
}

/* As the pointer has it, whatever escapes the text has. */
static gboolean is_name(const gchar *quoted, const gchar *end, const gchar *name)
{
    json_t *text =
        json_loadb(quoted, (size_t)(end - quoted), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    gboolean same = json_is_string(text) && strcmp(json_string_value(text), name) == 0;

    json_decref(text);
    return same;
}

/* The next token of a pointer, unescaped; NULL at its end. */
static gchar *next_token(const gchar **pointer)
{
    GString *token;

    if (**pointer != '/')
        return NULL;
    token = g_string_new(NULL);
    for (const gchar *p = ++*pointer; *p && *p != '/'; *pointer = ++p) {
        if (*p == '~' && (p[1] == '0' || p[1] == '1'))
            g_string_append_c(token, *++p == '0' ? '~' : '/');
        else
            g_string_append_c(token, *p);
    }
    return g_string_free(token, FALSE);
}

/* Where the child's value begins, and in *at where its name does; NULL: there is none. */
static const gchar *find(const gchar *p, const gchar *token, const gchar **at)
{
    gboolean object = *p == '{';
    guint64 wanted = g_ascii_strtoull(token, NULL, 10), index = 0;

    if (*p != '{' && *p != '[')
        return NULL;
    for (p = skip_space(p + 1); *p && *p != '}' && *p != ']'; index++) {
        const gchar *start = p;
        gboolean found = !object && index == wanted;

        if (object) {
            p = skip_string(p);
            found = is_name(start, p, token);
            p = skip_space(p);
            p = skip_space(*p == ':' ? p + 1 : p);
        }
        *at = start;
        if (found)
            return p;
        p = skip_space(skip_value(p));
        if (*p == ',')
            p = skip_space(p + 1);
    }
    return NULL;
}

guint json_place_line(const gchar *text, const gchar *pointer)
{
    const gchar *p = skip_space(text), *at = p, *name;
    guint line = 1;
    gchar *token;

    while (p && (token = next_token(&pointer)) != NULL) {
        p = find(p, token, &name);
        g_free(token);
        if (p)
            at = name;
    }
    for (p = text; p < at; p++)
        line += *p == '\n';
    return line;
}

gchar *json_place_member(const gchar *pointer, const gchar *name)
{
    GString *text = g_string_new(pointer);

    g_string_append_c(text, '/');
    for (; *name; name++) {
        if (*name == '~')
            g_string_append(text, "~0");
        else if (*name == '/')
            g_string_append(text, "~1");
        else
            g_string_append_c(text, *name);
    }
    return g_string_free(text, FALSE);
}

gchar *json_place_item(const gchar *pointer, gsize index)
{
    return g_strdup_printf("%s/%" G_GSIZE_FORMAT, pointer, index);
}
