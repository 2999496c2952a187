/* SPDX-License-Identifier: Apache-2.0
 * The clock that the model and the server read. It has a file of its own so that tests can replace
 * it; backends read the system's clock directly. */
#ifndef LV_CLOCK_H
#define LV_CLOCK_H

#include <stdint.h>

uint64_t lv_now_ns(void); /* monotonic */

#endif
