/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/vec_neon.h"

#define SET_NAME "neon"
#define SET_FUNCTION lv_kernels_neon
#include "cpu/set.h"
