/* SPDX-License-Identifier: Apache-2.0
 * The engine's only clock; a file of its own, so that a test can put another one in its place. */
#ifndef LV_CLOCK_H
#define LV_CLOCK_H

#include <stdint.h>

uint64_t lv_now_ns(void); /* monotonic */

#endif
