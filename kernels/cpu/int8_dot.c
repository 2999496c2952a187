/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/int8_vec_dot.h"

#define SET_NAME "dot"
#define SET_FUNCTION lv_int8_dot
#include "cpu/int8_set.h"
