/* SPDX-License-Identifier: Apache-2.0 */
#include "spool-cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define DIGITS 20
#define SLOT (DIGITS + 1 + 8 + 1) /* number, space, crc, newline */

static void slot_write(gchar out[SLOT + 1], guint64 n)
{
    gchar digits[DIGITS + 1];

    g_snprintf(digits, sizeof digits, "%020" G_GUINT64_FORMAT, n);
    g_snprintf(out, SLOT + 1, "%s %08lx\n", digits,
        crc32(0, (const Bytef *)digits, DIGITS) & 0xffffffffUL);
}

gboolean spool_cursor_parse(const gchar *text, gsize length, guint64 *n)
{
    gchar whole[SLOT + 1];

    if (length != SLOT)
        return FALSE;
    *n = 0;
    for (guint i = 0; i < DIGITS; i++) {
        if (!g_ascii_isdigit(text[i]) || (i == 0 && text[i] != '0'))
            return FALSE;
        *n = *n * 10 + (guint64)(text[i] - '0');
    }
    slot_write(whole, *n);
    return memcmp(whole, text, SLOT) == 0;
}

gboolean spool_cursor_open(SpoolCursor *cursor, const gchar *path, GError **error)
{
    gchar text[2 * SLOT];
    gssize length;
    guint64 n;

    *cursor = (SpoolCursor){.fd = g_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (cursor->fd < 0) {
        int code = errno;

        g_set_error(
            error, G_FILE_ERROR, g_file_error_from_errno(code), "%s: %s", path, g_strerror(code));
        return FALSE;
    }
    length = pread(cursor->fd, text, sizeof text, 0);
    cursor->fresh = length == 0;
    cursor->damaged = length > 0;
    for (guint i = 0; i < 2; i++) {
        if (length >= (gssize)((i + 1) * SLOT) && spool_cursor_parse(text + i * SLOT, SLOT, &n)) {
            cursor->damaged = FALSE;
            if (n >= cursor->n) {
                cursor->n = n;
                cursor->slot = 1 - i;
            }
        }
    }
    return TRUE;
}

gboolean spool_cursor_move(SpoolCursor *cursor, guint64 n)
{
    gchar text[SLOT + 1];

    cursor->n = n;
    if (cursor->fd < 0)
        return TRUE;
    slot_write(text, n);
    if (pwrite(cursor->fd, text, SLOT, (off_t)(cursor->slot * SLOT)) != SLOT)
        return FALSE;
    cursor->slot = 1 - cursor->slot;
    return TRUE;
}

void spool_cursor_close(SpoolCursor *cursor)
{
    if (cursor->fd >= 0)
        close(cursor->fd);
    cursor->fd = -1;
}
