/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int4_vec_neon.h"

#define SET_NAME "neon"
#define SET_FUNCTION lv_int4_neon
#include "cpu/int4_set.h"
