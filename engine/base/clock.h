/* SPDX-License-Identifier: Apache-2.0
 * The clock of the model and of what serves it; a file of its own, so that a test can put another
 * one in its place. Backends keep to the system's. */
#ifndef LV_CLOCK_H
#define LV_CLOCK_H

#include <stdint.h>

uint64_t lv_now_ns(void); /* monotonic */

#endif
