/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int8_vec_i8mm.h"

#define SET_NAME "i8mm"
#define SET_FUNCTION lv_int8_i8mm
#include "cpu/int8_set.h"
