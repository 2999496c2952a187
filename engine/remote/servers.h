/* SPDX-License-Identifier: Apache-2.0
 * Which of several servers is asked next. Each has a circuit breaker: after some failures in a row it
 * is left alone, then looked at from time to time, and asked again once it answers. Times are given
 * by the caller; not thread-safe. */
#ifndef LV_SERVERS_H
#define LV_SERVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "llavaov.h"

typedef struct LvServer {
    char *url;         /* of the interface, without a slash at its end; owned */
    unsigned busy;     /* requests under way */
    unsigned failures; /* in a row */
    bool open;         /* the breaker: it is not asked */
    bool probing;      /* somebody looks whether it answers */
    uint64_t wait;     /* from a look to the next */
    uint64_t next_probe;
} LvServer;

typedef struct LvServers {
    LvServer list[LV_MAX_REMOTE_SERVERS];
    unsigned n;
    unsigned turn;                     /* whom equals begin with */
    uint64_t first_wait, longest_wait; /* between looks at one whose breaker is open */
} LvServers;

/* urls: addresses between spaces. Errors: ARGUMENT about "remote-url", MEMORY. *servers is empty
 * after one. */
LlavaovStatus lv_servers_open(const char *urls, LvServers *servers, LlavaovError *error);
void lv_servers_close(LvServers *servers);

/* The one with the fewest requests under way whose breaker is closed, and not `but` where there is
 * another (-1: any). -1: all are open. */
int lv_servers_choose(LvServers *servers, int but);
/* One that it is time to look at, which is `probing` then; -1: none. */
int lv_servers_probe(LvServers *servers, uint64_t now);
/* When that is next; 0: never. */
uint64_t lv_servers_next_probe(const LvServers *servers);
/* It did what a server does, or did not. */
void lv_servers_report(LvServers *servers, unsigned server, bool well, uint64_t now);

#endif
