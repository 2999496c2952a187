/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int4_vec_avx512vnni.h"

#define SET_NAME "avx512-vnni"
#define SET_FUNCTION lv_int4_avx512vnni
#include "cpu/int4_set.h"
