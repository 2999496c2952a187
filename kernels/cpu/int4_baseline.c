/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int4_vec_baseline.h"

#define SET_NAME "baseline"
#define SET_FUNCTION lv_int4_baseline
#include "cpu/int4_set.h"
