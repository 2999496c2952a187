/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* SCHED_BATCH, gettid */
#include "base/priority.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOWER_NICE 10

void lv_thread_lower_priority(void)
{
    struct sched_param parameter = {0};
    sched_setscheduler(0, SCHED_BATCH, &parameter);
    /* On Linux this affects the calling thread only. A thread with a lower priority keeps it. */
    const id_t self = (id_t)gettid();
    errno = 0;
    const int nice_now = getpriority(PRIO_PROCESS, self);
    if (errno == 0 && nice_now < LOWER_NICE)
        setpriority(PRIO_PROCESS, self, LOWER_NICE);
}
