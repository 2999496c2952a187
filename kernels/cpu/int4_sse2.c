/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int4_vec_sse2.h"

#define SET_NAME "sse2"
#define SET_FUNCTION lv_int4_sse2
#include "cpu/int4_set.h"
