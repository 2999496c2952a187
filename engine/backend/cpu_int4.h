/* SPDX-License-Identifier: Apache-2.0
 * Linear weights in int4 on the CPU (kernels/int4.h): made while loading, multiplied as integers. */
#ifndef LV_CPU_INT4_H
#define LV_CPU_INT4_H

#include "backend/cpu.h"

/* Makes weight->int4 of a weight's parts, which are floats, and releases their pages; where one holds a
 * number that is too great it stays NULL. tensors: for messages. */
LlavaovStatus lv_cpu_int4_load(
    LvCpu *cpu, LvWeight *weight, const LvHostTensor *const *tensors, LlavaovError *error);
void lv_cpu_int4_free(LvWeight *weight);

/* linear and linear_gated of a weight with int4. */
LlavaovStatus lv_cpu_int4_linear(LvCpu *cpu, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *weight, const float *bias, LvFunction function, const LvTensor *residual);
LlavaovStatus lv_cpu_int4_gated(LvCpu *cpu, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *gate_up, LvFunction function);

#endif
