/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/vec_avx2.h"

#define SET_NAME "avx2"
#define SET_FUNCTION lv_kernels_avx2
#include "cpu/set.h"
