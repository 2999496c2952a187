/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int4_vec_avx2.h"

#define SET_NAME "avx2"
#define SET_FUNCTION lv_int4_avx2
#include "cpu/int4_set.h"
