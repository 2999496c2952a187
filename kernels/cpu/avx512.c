/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/vec_avx512.h"

#define SET_NAME "avx512"
#define SET_FUNCTION lv_kernels_avx512
#include "cpu/set.h"
