/* SPDX-License-Identifier: Apache-2.0
 * The kernel sets, best first: one row a set. Its name is that of the cpu mask, of its file
 * (cpu/NAME.c) and of its row in kernels/meson.build, which has the compiler's flags; LV_CPU_* says
 * what a processor must have (table.c finds out). */
#ifndef LV_SETS_H
#define LV_SETS_H

#include "ops.h"

#if defined(__x86_64__)
#define LV_SPECIAL_SETS(ROW)                                                                       \
    ROW(avx512, LV_CPU_AVX512 | LV_CPU_AVX2)                                                       \
    ROW(avx2, LV_CPU_AVX2)
#elif defined(__aarch64__)
#define LV_SPECIAL_SETS(ROW) ROW(neon, 0) /* part of the architecture */
#else
#define LV_SPECIAL_SETS(ROW)
#endif
/* baseline: whatever the compiler's default target is, SSE2 on x86-64. */
#define LV_KERNEL_SETS(ROW) LV_SPECIAL_SETS(ROW) ROW(baseline, 0)

#define LV_DECLARE_SET(name, flags) const LvKernels *lv_kernels_##name(void);
LV_KERNEL_SETS(LV_DECLARE_SET)
#undef LV_DECLARE_SET

#endif
