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

/* Whether the weight's parts are of this type already; an error, naming the first part that is none of it
 * nor a float, or that is of another kind than those before it. */
LlavaovStatus lv_cpu_all_of(const LvWeight *weight, const LvHostTensor *const *tensors,
    LvDtype type, bool *already, LlavaovError *error);
LlavaovStatus lv_cpu_no_memory(const LvHostTensor *tensor, LlavaovError *error);

/* Gives back the pages of a tensor in a file's mapping; they are read again if need be. */
void lv_cpu_release_pages(const LvHostTensor *tensor);

#endif
