/* SPDX-License-Identifier: Apache-2.0
 * Quantising weights while they are loaded. */
#ifndef LV_CPU_QUANTISE_H
#define LV_CPU_QUANTISE_H

#include "backend/cpu.h"
#include "bitsandbytes.h"

/* What a precision makes of weights; LV_F32: they stay as they are. */
LvQuantised lv_cpu_quantised(LlavaovPrecision precision);

/* The codes and scales of all numbers of a matrix of floats, as kernels/bitsandbytes.h has them. */
void lv_cpu_quantise_codes(
    LvCpu *cpu, LvDtype type, const LvMatrix *source, uint8_t *codes, float *scales);

/* Makes of *matrix, floats without scales, one of the type, in memory of its own (its data and that of
 * *scales: lv_free), with values rounded to the floats' type. tensor: what it is made of, for the
 * message. */
LlavaovStatus lv_cpu_quantise(LvCpu *cpu, LvQuantised quantised, const LvHostTensor *tensor,
    LvMatrix *matrix, LvMatrix *scales, LlavaovError *error);

/* An error, naming the first part that is no float and so cannot become `what`. */
LlavaovStatus lv_cpu_all_floats(const LvWeight *weight, const LvHostTensor *const *tensors,
    const char *what, LlavaovError *error);
LlavaovStatus lv_cpu_no_memory(const LvHostTensor *tensor, LlavaovError *error);

/* Gives back the pages of a tensor in a file's mapping; they are read again if need be. */
void lv_cpu_release_pages(const LvHostTensor *tensor);

#endif
