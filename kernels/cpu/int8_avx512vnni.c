/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int8_vec_avx512vnni.h"

#define SET_NAME "avx512-vnni"
#define SET_FUNCTION lv_int8_avx512vnni
#include "cpu/int8_set.h"
