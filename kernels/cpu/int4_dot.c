/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int4_vec_dot.h"

#define SET_NAME "dot"
#define SET_FUNCTION lv_int4_dot
#include "cpu/int4_set.h"
