/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include "page-command.h"
#include "page-events.h"
#include "questions.h"

#include <gio/gio.h>
#include <string.h>

#define MOST_TASKS 64

typedef struct PageTask {
    PageCommand command;
    HttpLater *later;
} PageTask;

struct Page {
    Monitor *monitor;
    PageState *state;
    Pictures *pictures;
    HttpServer *server;
    GAsyncQueue *tasks;
    GBytes *html;
    gchar *policy;
};

static void on_changed(gpointer data)
{
    Page *page = data;

    if (page->server)
        http_wake(page->server);
}

/* 'sha256-...' of what is between two marks: the page may run that and nothing else. */
static gchar *hash_between(const gchar *html, const gchar *start, const gchar *end)
{
    const gchar *from = strstr(html, start), *to = from ? strstr(from, end) : NULL;
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 digest[32];
    gsize size = sizeof(digest);
    gchar *base64, *source;

    g_assert(from && to);
    from += strlen(start);
    g_checksum_update(checksum, (const guchar *)from, to - from);
    g_checksum_get_digest(checksum, digest, &size);
    g_checksum_free(checksum);
    base64 = g_base64_encode(digest, size);
    source = g_strdup_printf("'sha256-%s'", base64);
    g_free(base64);
    return source;
}

static gchar *policy_of(const gchar *html)
{
    gchar *script = hash_between(html, "<script>", "</script>");
    gchar *style = hash_between(html, "<style>", "</style>");
    gchar *policy = g_strdup_printf(
        "default-src 'none'; script-src %s; style-src %s; img-src blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        script, style);

    g_free(script);
    g_free(style);
    return policy;
}

Page *page_new(Monitor *monitor)
{
    Page *page = g_new0(Page, 1);

    page->monitor = monitor;
    page->state = page_state_new(on_changed, page);
    page->pictures = pictures_new();
    page->tasks = g_async_queue_new();
    page->html = g_resources_lookup_data("/llavaov/page.html", G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    g_assert(page->html);
    page->policy = policy_of(g_bytes_get_data(page->html, NULL));
    return page;
}

PageState *page_state(Page *page)
{
    return page->state;
}

Pictures *page_pictures(Page *page)
{
    return page->pictures;
}

void page_set_server(Page *page, HttpServer *server)
{
    page->server = server;
}

static void finish(PageTask *task, guint status, const gchar *text)
{
    http_later_done(task->later, status, text);
    page_command_clear(&task->command);
    g_free(task);
}

static void do_task(Page *page, PageTask *task)
{
    const PageCommand *command = &task->command;
    Camera *camera = monitor_find(page->monitor, command->camera);
    GstStructure *fields;

    if (!camera) {
        finish(task, 404, "There is no such camera.");
        return;
    }
    switch (command->kind) {
    case PAGE_PROMPT:
        if (camera_set_prompt(camera, command->question, command->prompt))
            finish(task, 200, "It counts from the next window on.");
        else
            finish(task, 404, "The camera has no such question.");
        break;
    case PAGE_ENABLED:
        camera_set_enabled(camera, command->enabled);
        finish(task, 200, command->enabled ? "It is on." : "It is off.");
        break;
    case PAGE_ASK:
        fields = questions_fields(command->json);
        camera_ask(camera, fields);
        gst_structure_free(fields);
        finish(task, 202, "It is asked.");
        break;
    }
}

static gboolean do_tasks(gpointer data)
{
    Page *page = data;
    PageTask *task;

    while ((task = g_async_queue_try_pop(page->tasks)) != NULL)
        do_task(page, task);
    return G_SOURCE_REMOVE;
}

static void take_command(Page *page, HttpRequest *request)
{
    PageTask *task = g_new0(PageTask, 1);
    gsize length;
    const gchar *body = http_request_body(request, &length);
    guint status;
    gchar *wrong;

    if (g_async_queue_length(page->tasks) >= MOST_TASKS) {
        http_reply_text(request, 503, "Too much is asked at once.");
        g_free(task);
    } else if (!page_command_read(
                   &task->command, http_request_path(request), body, length, &status, &wrong)) {
        http_reply_text(request, status, wrong);
        g_free(wrong);
        g_free(task);
    } else {
        task->later = http_later(request);
        g_async_queue_push(page->tasks, task);
        g_idle_add_full(G_PRIORITY_DEFAULT, do_tasks, page, NULL);
    }
}

static void send_picture(Page *page, HttpRequest *request)
{
    const gchar *name = http_request_query(request, "camera");
    const gchar *after = http_request_query(request, "after");
    guint64 number = 0;
    gint64 made = 0;
    gboolean found = FALSE;
    GBytes *jpeg = NULL;
    gchar *text;

    if (name)
        jpeg = pictures_get(page->pictures, name, after ? g_ascii_strtoull(after, NULL, 10) : 0,
            &number, &made, &found);
    if (!found) {
        http_reply_text(request, 404, "There is no such camera.");
        return;
    }
    text = g_strdup_printf("%" G_GUINT64_FORMAT, number);
    http_add_header(request, "X-Picture", text);
    g_free(text);
    text = g_strdup_printf("%" G_GINT64_FORMAT, made / 1000);
    http_add_header(request, "X-Made", text);
    g_free(text);
    http_reply(request, jpeg ? 200 : 204, "image/jpeg", jpeg ? jpeg : g_bytes_new(NULL, 0), NULL);
}

gboolean page_serve(Page *page, HttpRequest *request)
{
    const gchar *path = http_request_path(request);

    if (http_request_is_post(request)) {
        take_command(page, request);
        return TRUE;
    }
    if (strcmp(path, "/") == 0)
        http_reply(request, 200, "text/html; charset=utf-8", g_bytes_ref(page->html), page->policy);
    else if (strcmp(path, "/events") == 0)
        http_stream(request, page_events_pull, page_events_new(page->state), page_events_free);
    else if (strcmp(path, "/picture") == 0)
        send_picture(page, request);
    else
        return FALSE;
    return TRUE;
}

void page_free(Page *page)
{
    PageTask *task;

    while (g_idle_remove_by_data(page))
        ;
    while ((task = g_async_queue_try_pop(page->tasks)) != NULL)
        finish(task, 503, "The program ends.");
    g_async_queue_unref(page->tasks);
    pictures_free(page->pictures);
    page_state_free(page->state);
    g_bytes_unref(page->html);
    g_free(page->policy);
    g_free(page);
}
