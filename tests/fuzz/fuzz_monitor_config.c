/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as camera-monitor's configuration: what the schema refuses has a place, and that a line of the text.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "config-schema.h"
#include "json-place.h"

typedef struct Text {
    gchar *text;
    guint lines;
} Text;

static void on_wrong(gpointer data, const gchar *pointer, const gchar *reason)
{
    const Text *text = data;
    guint line = json_place_line(text->text, pointer);

    FUZZ_CHECK(line >= 1 && line <= text->lines && *reason);
    FUZZ_CHECK(*pointer == '\0' || *pointer == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *schema;
    Text text = {g_strndup((const gchar *)data, size), 1};
    json_t *root = json_loads(text.text, JSON_REJECT_DUPLICATES, NULL);

    if (!schema)
        schema = json_load_file(SCHEMA, 0, NULL);
    FUZZ_CHECK(schema);
    for (const gchar *p = text.text; *p; p++)
        text.lines += *p == '\n';
    if (root)
        config_schema_check(schema, root, on_wrong, &text);
    json_decref(root);
    g_free(text.text);
    return 0;
}
