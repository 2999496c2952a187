/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int8_vec_avxvnni.h"

#define SET_NAME "avx-vnni"
#define SET_FUNCTION lv_int8_avxvnni
#include "cpu/int8_set.h"
