/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a line of the spool and as a cursor: damaged, or what was written; and any text comes back as it was.
 */
#include "fuzz.h"

#include <string.h>

#include "spool-cursor.h"
#include "spool-line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gchar *text = data ? (const gchar *)data : "";
    GString *line = spool_line_write(size + 1, 7, text, size);
    SpoolLine read;
    guint64 n;

    FUZZ_CHECK(spool_line_read(line->str, line->len - 1, &read));
    FUZZ_CHECK(read.n == size + 1 && read.time == 7 && read.length == size &&
               memcmp(read.text, text, size) == 0);
    g_string_free(line, TRUE);
    if (spool_line_read(text, size, &read))
        FUZZ_CHECK(read.n > 0 && read.text >= text && read.text + read.length < text + size);
    spool_cursor_parse(text, size, &n);
    return 0;
}
