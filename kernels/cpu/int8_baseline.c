/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int8_vec_baseline.h"

#define SET_NAME "baseline"
#define SET_FUNCTION lv_int8_baseline
#include "cpu/int8_set.h"
