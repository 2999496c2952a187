/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int4_vec_avxvnni.h"

#define SET_NAME "avx-vnni"
#define SET_FUNCTION lv_int4_avxvnni
#include "cpu/int4_set.h"
