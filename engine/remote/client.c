/* SPDX-License-Identifier: Apache-2.0
 * Opening and closing the client. */
#include "remote/remote.h"

#include "base/status.h"

#if LV_REMOTE_BUILT
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "remote/attempt.h"

#define SECOND UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool add_header(LvRemote *remote, const char *line)
{
    struct curl_slist *longer = curl_slist_append(remote->headers, line);
    if (longer)
        remote->headers = longer;
    return longer != NULL;
}

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a client of servers");
}

static LlavaovStatus read_key(LvRemote *remote, const char *variable, LlavaovError *error)
{
    const char *key = variable && *variable ? getenv(variable) : NULL;
    if (!key || !*key)
        return LLAVAOV_OK;
    const size_t n = strlen(key);
    bool plain = n <= LV_MAX_REMOTE_KEY;
    for (size_t i = 0; i < n && plain; i++)
        plain = key[i] > 0x20 && key[i] < 0x7F;
    if (!plain)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
            "remote-api-key-env",
            "remote-api-key-env=\"%.100s\": the key in this variable is too long, or has a space "
            "or a byte "
            "that no key has",
            variable);
    char *line = lv_alloc(n + 32, 1);
    remote->key = lv_strdup(key);
    bool added = false;
    if (line && remote->key) {
        snprintf(line, n + 32, "Authorization: Bearer %s", key);
        added = add_header(remote, line);
    }
    lv_free(line);
    return added ? LLAVAOV_OK : no_memory(error);
}

LlavaovStatus lv_remote_open(
    const LlavaovRemoteOptions *options, LvRemote **result, LlavaovError *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *result = NULL;
    LvRemote *remote = lv_calloc(1, sizeof *remote);
    if (!remote)
        return no_memory(error);
    LlavaovStatus status = lv_servers_open(options->url, &remote->servers, error);
    if (status == LLAVAOV_OK) {
        pthread_once(&once, start_curl);
        remote->options = *options;
        remote->options.url = remote->options.api_key_env = NULL;
        if (!remote->options.timeout_ns)
            remote->options.timeout_ns = 30 * SECOND;
        remote->options.model =
            options->model && *options->model ? lv_strdup(options->model) : NULL;
        lv_remote_set_times(remote,
            &(LvRemoteTimes){5 * SECOND, 10 * SECOND, 200 * MILLISECOND, 10 * SECOND, 60 * SECOND});
        remote->multi = curl_multi_init();
        if (!remote->multi || !add_header(remote, "Content-Type: application/json") ||
            !add_header(remote, "Expect:") ||
            (options->model && *options->model && !remote->options.model))
            status = no_memory(error);
    }
    if (status == LLAVAOV_OK)
        status = read_key(remote, options->api_key_env, error);
    /* As OpenSSL's programs have it; libcurl looks at no variable. */
    const char *authorities = getenv("SSL_CERT_FILE");
    if (status == LLAVAOV_OK && authorities && *authorities) {
        remote->authorities = lv_strdup(authorities);
        status = remote->authorities ? LLAVAOV_OK : no_memory(error);
    }
    if (status == LLAVAOV_OK)
        *result = remote;
    else
        lv_remote_close(remote);
    return status;
}

void lv_remote_close(LvRemote *remote)
{
    if (!remote)
        return;
    while (remote->calls) /* looks at servers */
        lv_remote_drop(remote, remote->calls);
    if (remote->multi)
        curl_multi_cleanup(remote->multi);
    curl_slist_free_all(remote->headers);
    lv_servers_close(&remote->servers);
    lv_free(remote->key);
    lv_free(remote->authorities);
    lv_free((char *)remote->options.model);
    lv_free(remote);
}

const LlavaovRemoteOptions *lv_remote_options(const LvRemote *remote)
{
    return &remote->options;
}
#else
static LlavaovStatus lacking(LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "device",
        "device=remote: this build cannot ask servers, since libcurl, libpng or libjpeg was "
        "missing "
        "when it was made. Install libcurl4-openssl-dev, libpng-dev and libjpeg62-turbo-dev and "
        "build again with -Dremote=enabled");
}

LlavaovStatus lv_remote_open(
    const LlavaovRemoteOptions *options, LvRemote **remote, LlavaovError *error)
{
    *remote = NULL;
    return lacking(error);
}

void lv_remote_close(LvRemote *remote)
{
}

const LlavaovRemoteOptions *lv_remote_options(const LvRemote *remote)
{
    return NULL;
}
#endif
