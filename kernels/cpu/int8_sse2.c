/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int8_vec_sse2.h"

#define SET_NAME "sse2"
#define SET_FUNCTION lv_int8_sse2
#include "cpu/int8_set.h"
