/* SPDX-License-Identifier: Apache-2.0
 * Threads that give way to the application's own, above all to streaming threads. */
#ifndef LV_THREAD_H
#define LV_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread at low priority (base/priority.h), all signals blocked. Threads that it starts
 * inherit that. False when the system refuses. */
bool lv_thread_start(pthread_t *thread, const char *name, void *(*main)(void *), void *data);

#endif
