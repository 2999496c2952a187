/* SPDX-License-Identifier: Apache-2.0
 * Requests to camera-monitor's page, a line each: host, origin, Sec-Fetch-Site, authorization, cookie, the query's token, path; the rest
 * is the body. "-" stands for what is not there. */
#include "fuzz.h"

#include "http-access.h"
#include "http-address.h"
#include "page-answer.h"
#include "page-command.h"
#include "questions.h"

#include <string.h>

#define TOKEN "0123456789abcdef"
#define N_FIELDS 7

static void try_access(gchar **fields, gboolean changes)
{
    const HttpAsked asked = {
        fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], changes};
    HttpAccess *open = http_access_new(NULL, 8088), *closed = http_access_new(TOKEN, 8088);
    const gchar *cookie = strchr(http_access_cookie(closed), '=') + 1;
    HttpVerdict verdict = http_access_judge(open, &asked);
    HttpAddress address;
    gchar *host = NULL;
    gint port;

    if (verdict == HTTP_ALLOWED) {
        FUZZ_CHECK(fields[0] && http_address_split(fields[0], &host, &port));
        FUZZ_CHECK(http_address_is_loopback(host) && !strchr(host, '@') && port <= 65535);
        g_free(host);
        /* A page of elsewhere changes nothing. */
        FUZZ_CHECK(
            !changes || !fields[1] || g_str_has_suffix(fields[1], fields[0]) ||
            g_ascii_strcasecmp(fields[1] + strlen(fields[1]) - strlen(fields[0]), fields[0]) == 0);
    }
    verdict = http_access_judge(closed, &asked);
    if (verdict == HTTP_ALLOWED)
        FUZZ_CHECK(
            (fields[3] && strstr(fields[3], TOKEN)) || (fields[4] && strstr(fields[4], cookie)));
    if (verdict == HTTP_LET_IN)
        FUZZ_CHECK(!changes && strcmp(fields[5], TOKEN) == 0);
    http_access_free(open);
    http_access_free(closed);
    if (fields[0])
        http_address_read(fields[0], &address);
    if (fields[5])
        http_access_check_token(fields[5]);
}

static void try_command(const gchar *path, const gchar *body, gsize length)
{
    PageCommand command;
    guint status;
    gchar *wrong;

    if (!page_command_read(&command, path, body, length, &status, &wrong)) {
        FUZZ_CHECK(wrong && status >= 400);
        g_free(wrong);
        return;
    }
    FUZZ_CHECK(command.camera && (command.kind != PAGE_PROMPT || *command.prompt));
    if (command.kind == PAGE_ASK) {
        GstStructure *fields = questions_fields(command.json);
        gchar *shown = page_answer_json(command.json, 1, 2);

        FUZZ_CHECK(g_utf8_validate(shown, -1, NULL) && !strchr(shown, '\n'));
        g_free(shown);
        gst_structure_free(fields);
    }
    page_command_clear(&command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gboolean started;
    gchar *text = g_strndup(size ? (const gchar *)data : "", size);
    gchar **lines = g_strsplit(text, "\n", N_FIELDS + 1), *fields[N_FIELDS] = {NULL};
    guint n = g_strv_length(lines);

    if (!started)
        gst_init(NULL, NULL);
    started = TRUE;
    for (guint i = 0; i < N_FIELDS && i < n; i++)
        fields[i] = strcmp(lines[i], "-") == 0 ? NULL : lines[i];
    try_access(fields, FALSE);
    try_access(fields, TRUE);
    if (fields[6] && n > N_FIELDS)
        try_command(fields[6], lines[N_FIELDS], strlen(lines[N_FIELDS]));
    g_strfreev(lines);
    g_free(text);
    return 0;
}
