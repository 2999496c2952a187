/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/servers.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

#define SECOND UINT64_C(1000000000)
/* Failures in a row that open a breaker. */
#define FAILURES 5

static LlavaovStatus refuse(const char *url, size_t n, const char *why, LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "remote-url",
        "remote-url: \"%.*s\" %s", (int)(n > 200 ? 200 : n), url, why);
}

static bool begins(const char *url, size_t n, const char *scheme, size_t *length)
{
    *length = strlen(scheme);
    if (n < *length)
        return false;
    for (size_t i = 0; i < *length; i++)
        if ((url[i] | (url[i] >= 'A' && url[i] <= 'Z' ? 0x20 : 0)) != scheme[i])
            return false;
    return true;
}

/* Whoever can read the pipeline can read the address, so that it must hold no secret. */
static LlavaovStatus check(const char *url, size_t n, LlavaovError *error)
{
    size_t at;
    if (n > LV_MAX_REMOTE_URL)
        return refuse(url, n, "is too long", error);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)url[i] <= 0x20 || (unsigned char)url[i] >= 0x7F)
            return refuse("...", 3, "has bytes that an address does not have", error);
    if (!begins(url, n, "http://", &at) && !begins(url, n, "https://", &at))
        return refuse(url, n, "is no address that begins with http:// or https://", error);
    if (memchr(url, '@', n))
        return refuse("...@...", 7,
            "holds a name or a password: put the key into the environment variable that "
            "remote-api-key-env names",
            error);
    if (memchr(url, '?', n) || memchr(url, '#', n))
        return refuse(url, n, "has a query or a fragment; give the address up to .../v1", error);
    if (at == n || url[at] == '/' || url[at] == ':')
        return refuse(url, n, "names no host", error);
    return LLAVAOV_OK;
}

static LlavaovStatus add(LvServers *s, const char *url, size_t n, LlavaovError *error)
{
    LlavaovStatus status = check(url, n, error);
    if (status != LLAVAOV_OK)
        return status;
    if (s->n == LV_MAX_REMOTE_SERVERS)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "remote-url",
            "remote-url: more than %u addresses", LV_MAX_REMOTE_SERVERS);
    while (n > 0 && url[n - 1] == '/')
        n--;
    for (unsigned i = 0; i < s->n; i++)
        if (strlen(s->list[i].url) == n && !memcmp(s->list[i].url, url, n))
            return refuse(url, n, "is there twice", error);
    char *copy = lv_calloc(n + 1, 1);
    if (!copy)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an address");
    memcpy(copy, url, n);
    s->list[s->n++] = (LvServer){.url = copy};
    return LLAVAOV_OK;
}

LlavaovStatus lv_servers_open(const char *urls, LvServers *s, LlavaovError *error)
{
    static const char space[] = " \t\r\n";
    LlavaovStatus status = LLAVAOV_OK;
    *s = (LvServers){.first_wait = 10 * SECOND, .longest_wait = 60 * SECOND};
    if (!urls)
        urls = "";
    while (status == LLAVAOV_OK && *(urls += strspn(urls, space))) {
        const size_t n = strcspn(urls, space);
        status = add(s, urls, n, error);
        urls += n;
    }
    if (status == LLAVAOV_OK && s->n == 0)
        status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "remote-url",
            "device=remote needs remote-url, the address of a server such as "
            "http://localhost:8000/v1");
    if (status != LLAVAOV_OK)
        lv_servers_close(s);
    return status;
}

void lv_servers_close(LvServers *s)
{
    for (unsigned i = 0; i < s->n; i++)
        lv_free(s->list[i].url);
    *s = (LvServers){0};
}

int lv_servers_choose(LvServers *s, int but)
{
    int best = -1;
    for (unsigned k = 0; k < s->n; k++) {
        const unsigned i = (s->turn + k) % s->n;
        if (s->list[i].open)
            continue;
        if (best < 0 || best == but || ((int)i != but && s->list[i].busy < s->list[best].busy))
            best = (int)i;
    }
    if (best >= 0)
        s->turn = ((unsigned)best + 1) % s->n;
    return best;
}

int lv_servers_probe(LvServers *s, uint64_t now)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->list[i].open && !s->list[i].probing && s->list[i].next_probe <= now) {
            s->list[i].probing = true;
            return (int)i;
        }
    return -1;
}

uint64_t lv_servers_next_probe(const LvServers *s)
{
    uint64_t next = 0;
    for (unsigned i = 0; i < s->n; i++)
        if (s->list[i].open && !s->list[i].probing && (!next || s->list[i].next_probe < next))
            next = s->list[i].next_probe;
    return next;
}

void lv_servers_report(LvServers *s, unsigned server, bool well, uint64_t now)
{
    LvServer *it = &s->list[server];
    if (well) {
        it->failures = 0;
        it->open = it->probing = false;
        return;
    }
    it->failures++;
    if (it->open && it->probing) {
        it->wait = it->wait > s->longest_wait / 2 ? s->longest_wait : 2 * it->wait;
        it->next_probe = now + it->wait;
        it->probing = false;
    } else if (!it->open && it->failures >= FAILURES) {
        it->open = true;
        it->wait = s->first_wait;
        it->next_probe = now + it->wait;
    }
}
