/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/vec_portable.h"

#define SET_NAME "baseline"
#define SET_FUNCTION lv_kernels_baseline
#include "cpu/set.h"
