/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int8_vec_neon.h"

#define SET_NAME "neon"
#define SET_FUNCTION lv_int8_neon
#include "cpu/int8_set.h"
