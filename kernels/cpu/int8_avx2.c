/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int8_vec_avx2.h"

#define SET_NAME "avx2"
#define SET_FUNCTION lv_int8_avx2
#include "cpu/int8_set.h"
