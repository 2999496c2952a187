/* SPDX-License-Identifier: Apache-2.0
 * A sum over a vocabulary, for probabilities. Every set gives the same bits: kernels/cpu/sum_exp.c is
 * one source without fused multiply-adds, and adds in one order. */
#ifndef LV_SUM_EXP_H
#define LV_SUM_EXP_H

#include <stddef.h>

/* The sum of exp(x[i] - greatest) over n finite numbers, none of them above `greatest`, in double: each
 * term within 1e-14 of itself, those below exp(-700) within 1e-300. 0 for n = 0. */
typedef double (*LvSumExp)(const float *x, size_t n, float greatest);

/* The best set that needs no flags other than these (LV_CPU_*, ops.h). */
LvSumExp lv_sum_exp_choose(unsigned flags);

#endif
