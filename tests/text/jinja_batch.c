/* SPDX-License-Identifier: Apache-2.0
 * Serves the template interpreter over stdin and stdout, for comparing it with the reference in
 * bulk.
 *
 * A request is one byte of operation, a little-endian u32 of payload bytes, and the payload:
 *     c   a template's source: becomes the one in use
 *     r   JSON of {"variables": {...}, "now": [year, month 1-12, day, hour, minute, second, weekday
 *         0 = Monday, day of the year 1-366]}: renders
 *     f   flush: no answer of its own, but all earlier ones arrive
 * An answer is a byte of status (0 = ok), a u32 of bytes and as many bytes: the rendered text, or
 * the error's message. Behind a rendered text: a u32 of spans, and of each its u32 start, its u32
 * bytes and a byte (1 = the user's). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja/jinja.h"

static void put(const void *data, size_t bytes)
{
    if (bytes && fwrite(data, 1, bytes, stdout) != bytes)
        exit(1);
}

static void put_u32(size_t value)
{
    uint32_t n = (uint32_t)value;
    put(&n, 4);
}

static void reply(LlavaovStatus status, const char *text, size_t bytes)
{
    char code = (char)-status;
    put(&code, 1);
    put_u32(bytes);
    put(text, bytes);
}

static struct tm time_of(const json_t *now)
{
    int n[8] = {2024, 7, 26, 12, 30, 5, 4, 208};
    for (size_t i = 0; i < 8 && json_array_get(now, i); i++)
        n[i] = (int)json_integer_value(json_array_get(now, i));
    return (struct tm){.tm_year = n[0] - 1900,
        .tm_mon = n[1] - 1,
        .tm_mday = n[2],
        .tm_hour = n[3],
        .tm_min = n[4],
        .tm_sec = n[5],
        .tm_wday = (n[6] + 1) % 7,
        .tm_yday = n[7] - 1};
}

static void render(const LvJinjaTemplate *jinja, const char *payload, size_t bytes)
{
    LlavaovError error = {0};
    LvJinjaText text;
    json_t *request = json_loadb(payload, bytes, JSON_ALLOW_NUL, NULL);
    struct tm now = time_of(json_object_get(request, "now"));
    LvJinjaOptions options = {.now = &now};
    LlavaovStatus status =
        lv_jinja_render(jinja, json_object_get(request, "variables"), &options, &text, &error);
    json_decref(request);
    if (status != LLAVAOV_OK) {
        reply(status, error.message, strlen(error.message));
        return;
    }
    reply(status, text.text, text.bytes);
    put_u32(text.n_spans);
    for (size_t i = 0; i < text.n_spans; i++) {
        char user = text.spans[i].user;
        put_u32(text.spans[i].start);
        put_u32(text.spans[i].bytes);
        put(&user, 1);
    }
    lv_jinja_text_free(&text);
}

int main(void)
{
    LvJinjaTemplate *jinja = NULL;
    LlavaovError error = {0};
    char operation;
    uint32_t bytes;
    while (fread(&operation, 1, 1, stdin) == 1 && fread(&bytes, 4, 1, stdin) == 1) {
        char *payload = malloc((size_t)bytes + 1);
        if (!payload || fread(payload, 1, bytes, stdin) != bytes)
            return 1;
        if (operation == 'c') {
            lv_jinja_free(jinja);
            LlavaovStatus status = lv_jinja_compile(payload, bytes, "template", &jinja, &error);
            reply(status, status ? error.message : "", status ? strlen(error.message) : 0);
        } else if (operation == 'r' && jinja) {
            render(jinja, payload, bytes);
        } else if (operation == 'r') {
            reply(LLAVAOV_ERROR_ARGUMENT, "no template", 11);
        } else {
            fflush(stdout);
        }
        free(payload);
    }
    fflush(stdout);
    lv_jinja_free(jinja);
    return 0;
}
