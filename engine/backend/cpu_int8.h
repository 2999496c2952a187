/* SPDX-License-Identifier: Apache-2.0
 * Linear weights in int8 on the CPU (kernels/int8.h): made while loading, multiplied as integers. */
#ifndef LV_CPU_INT8_H
#define LV_CPU_INT8_H

#include "backend/cpu.h"

/* Makes weight->int8 of a weight's parts, which are floats, and releases their pages, unless it would lose
 * too much or is too wide: then it stays NULL. Parts that are stacked are one weight for this rule.
 * tensor: for the message. */
LlavaovStatus lv_cpu_int8_load(
    LvCpu *cpu, LvWeight *weight, const LvHostTensor *const *tensors, LlavaovError *error);
void lv_cpu_int8_free(LvWeight *weight);

/* linear and linear_gated of a weight with int8. */
LlavaovStatus lv_cpu_int8_linear(LvCpu *cpu, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *weight, const float *bias, LvFunction function, const LvTensor *residual);
LlavaovStatus lv_cpu_int8_gated(LvCpu *cpu, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *gate_up, LvFunction function);

#endif
