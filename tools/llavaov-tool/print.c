/* SPDX-License-Identifier: Apache-2.0
 * Results as JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "tool.h"

json_t *tool_json_ids(const int32_t *ids, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(array, json_integer(ids[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

LlavaovStatus tool_print_json(const ToolOptions *o, json_t *json, LlavaovError *error)
{
    char *text = json ? json_dumps(json, JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    if (!text)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the result");
    FILE *file = o->out ? fopen(o->out, "w") : stdout;
    bool good = file && fprintf(file, "%s\n", text) > 0;
    if (file)
        good &= (o->out ? fclose(file) : fflush(file)) == 0;
    free(text);
    return good ? LLAVAOV_OK
                : lv_fail(error, LLAVAOV_ERROR_IO, o->out, "the result cannot be written");
}
