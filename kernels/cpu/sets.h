/* SPDX-License-Identifier: Apache-2.0
 * The kernel sets of this build. The two with instruction sets of their own exist on x86-64 only.
 */
#ifndef LV_SETS_H
#define LV_SETS_H

#include "ops.h"

#if defined(__x86_64__)
#define LV_HAVE_X86_SETS 1
const LvKernels *lv_kernels_avx2(void);
const LvKernels *lv_kernels_avx512(void);
#else
#define LV_HAVE_X86_SETS 0
#endif
/* Whatever the compiler's default target is: SSE2 on x86-64. */
const LvKernels *lv_kernels_baseline(void);

#endif
