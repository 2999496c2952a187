/* SPDX-License-Identifier: Apache-2.0
 * Threads that give way to the application's own, above all to streaming threads. */
#ifndef LV_PRIORITY_H
#define LV_PRIORITY_H

/* The calling thread runs at nice 10 or higher with batch scheduling, and so will those that it
 * starts. Where the system refuses nothing happens. */
void lv_thread_lower_priority(void);

#endif
