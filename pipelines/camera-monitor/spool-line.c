/* SPDX-License-Identifier: Apache-2.0 */
#include "spool-line.h"

#include <string.h>
#include <zlib.h>

#define BEGIN "{\"crc\":\""
#define BEHIND (sizeof BEGIN - 1 + 8 + 2) /* the digits, a quotation mark and a comma */

static guint32 crc_of(const gchar *text, gsize length)
{
    return (guint32)crc32(0, (const Bytef *)text, (uInt)length);
}

GString *spool_line_write(guint64 n, guint64 time, const gchar *text, gsize length)
{
    GString *line = g_string_sized_new(length + 128);
    gchar digits[9];

    g_string_append_printf(line,
        BEGIN "00000000\",\"n\":%" G_GUINT64_FORMAT ",\"time\":%" G_GUINT64_FORMAT ",\"record\":",
        n, time);
    g_string_append_len(line, text, (gssize)length);
    g_string_append_c(line, '}');
    g_snprintf(digits, sizeof digits, "%08x", crc_of(line->str + BEHIND, line->len - BEHIND));
    memcpy(line->str + sizeof BEGIN - 1, digits, 8);
    g_string_append_c(line, '\n');
    return line;
}

/* Moves p behind the text. */
static gboolean eat(const gchar **p, const gchar *end, const gchar *text)
{
    gsize length = strlen(text);

    if ((gsize)(end - *p) < length || memcmp(*p, text, length) != 0)
        return FALSE;
    *p += length;
    return TRUE;
}

static gboolean eat_number(const gchar **p, const gchar *end, guint64 *number)
{
    const gchar *start = *p;

    for (*number = 0; *p < end && g_ascii_isdigit(**p); (*p)++) {
        if (*p - start >= 19)
            return FALSE;
        *number = *number * 10 + (guint64)(**p - '0');
    }
    return *p > start;
}

gboolean spool_line_read(const gchar *line, gsize length, SpoolLine *out)
{
    const gchar *p = line, *end = line + length;
    gchar digits[9];

    if (length < BEHIND || length > G_MAXINT32 || !eat(&p, end, BEGIN))
        return FALSE;
    p = line + sizeof BEGIN - 1 + 8;
    if (!eat(&p, end, "\","))
        return FALSE;
    g_snprintf(digits, sizeof digits, "%08x", crc_of(p, (gsize)(end - p)));
    if (memcmp(line + sizeof BEGIN - 1, digits, 8) != 0)
        return FALSE;
    if (!eat(&p, end, "\"n\":") || !eat_number(&p, end, &out->n) || !eat(&p, end, ",\"time\":") ||
        !eat_number(&p, end, &out->time) || !eat(&p, end, ",\"record\":") || p == end ||
        end[-1] != '}')
        return FALSE;
    out->text = p;
    out->length = (gsize)(end - 1 - p);
    return out->n > 0;
}
