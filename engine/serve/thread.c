/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* pthread_setname_np */
#include "serve/thread.h"

#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/priority.h"

typedef struct Start {
    void *(*main)(void *);
    void *data;
    char name[16];
} Start;

static void *begin(void *data)
{
    Start start = *(Start *)data;
    lv_free(data);
    lv_thread_lower_priority();
    pthread_setname_np(pthread_self(), start.name);
    return start.main(start.data);
}

bool lv_thread_start(pthread_t *thread, const char *name, void *(*main)(void *), void *data)
{
    Start *start = lv_alloc(1, sizeof *start);
    if (!start)
        return false;
    start->main = main;
    start->data = data;
    snprintf(start->name, sizeof start->name, "%s", name);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, begin, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        lv_free(start);
    return !failed;
}
