/* SPDX-License-Identifier: Apache-2.0
 * The client, its calls, and a call's attempts: one transfer of libcurl's each. */
#ifndef LV_ATTEMPT_H
#define LV_ATTEMPT_H

#include <curl/curl.h>

#include "remote/remote.h"
#include "remote/servers.h"

struct LvRemote {
    LlavaovRemoteOptions options; /* strings are owned, but for url, which `servers` has */
    LvServers servers;
    LvRemoteTimes times;
    CURLM *multi;
    struct curl_slist *headers; /* with the key */
    char *key;                  /* or NULL */
    char *authorities;          /* a file of certificates in place of the system's, or NULL */
    LvRemoteCall *calls;        /* all, the newest first */
    unsigned n_calls;
};

/* A request, over all its attempts; or a look at a server that was down. */
struct LvRemoteCall {
    LvRemoteCall *next;
    LvRemote *remote;
    LvRemoteAsk ask;
    bool probe;
    CURL *easy; /* of the attempt under way; NULL: the next one begins at `due` */
    uint64_t due;
    unsigned server, attempts;
    char *url;
    char curl_error[CURL_ERROR_SIZE];
    uint64_t last_byte;   /* 0: none has come */
    uint64_t retry_after; /* the server wishes to be left alone for so long */
    LvChatReply reply;
    LlavaovStatus status; /* of reading the reply */
    LlavaovError error;
    bool unwanted;
};

/* Begins the next attempt, at call->server. false: there is no memory for it. */
bool lv_attempt_begin(LvRemoteCall *call, uint64_t now);
/* Ends the one under way, if there is one. */
void lv_attempt_end(LvRemoteCall *call);
/* Its status code; 0: none has come. */
long lv_attempt_http_code(const LvRemoteCall *call);

#endif
