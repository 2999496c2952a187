/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* SCHED_BATCH, gettid */
#include "serve/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"

#define NICER_BY 10

typedef struct Start {
    void *(*main)(void *);
    void *data;
    char name[16];
} Start;

static void *begin(void *data)
{
    Start start = *(Start *)data;
    lv_free(data);
    /* Failures are harmless: the thread then runs at its maker's priority. */
    struct sched_param parameters = {0};
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &parameters);
    int nice_now = getpriority(PRIO_PROCESS, (id_t)gettid());
    setpriority(PRIO_PROCESS, (id_t)gettid(), nice_now + NICER_BY < 19 ? nice_now + NICER_BY : 19);
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
