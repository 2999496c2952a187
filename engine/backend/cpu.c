/* SPDX-License-Identifier: Apache-2.0
 * What the operations of the CPU backend share. */
#define _GNU_SOURCE /* madvise */
#include "backend/cpu.h"

#include <sys/mman.h>

/* Packed operands are read with long strides; with 4 KiB pages TLB misses would dominate. */
static void use_huge_pages(void *data, size_t bytes)
{
    const uintptr_t page = (uintptr_t)2 << 20;
    uintptr_t begin = ((uintptr_t)data + page - 1) & ~(page - 1),
              end = ((uintptr_t)data + bytes) & ~(page - 1);
    if (begin < end)
        madvise((void *)begin, end - begin,
            MADV_HUGEPAGE); /* only a hint: without it everything works, but slower */
}

LlavaovStatus lv_cpu_scratch_reserve(LvCpuScratch *scratch, size_t floats, LlavaovError *error)
{
    if (floats <= scratch->size)
        return LLAVAOV_OK;
    lv_free(scratch->data);
    scratch->size = 0;
    scratch->data = lv_alloc_aligned(floats, sizeof *scratch->data);
    if (!scratch->data)
        return lv_fail(
            error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for %zu floats of scratch", floats);
    use_huge_pages(scratch->data, floats * sizeof *scratch->data);
    scratch->size = floats;
    return LLAVAOV_OK;
}

LlavaovStatus lv_cpu_workers_reserve(LvCpu *cpu, size_t floats, LlavaovError *error)
{
    LlavaovStatus status = LLAVAOV_OK;
    for (uint32_t i = 0; i < lv_pool_threads(cpu->pool) && status == LLAVAOV_OK; i++)
        status = lv_cpu_scratch_reserve(&cpu->workers[i], floats, error);
    return status;
}

LlavaovStatus lv_cancelled_status(const LvRun *run)
{
    return lv_fail(run->error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled");
}

LlavaovStatus lv_cpu_run(
    LvCpu *cpu, const LvRun *run, size_t n_units, size_t most, LvPoolTask task, void *data)
{
    if (!lv_pool_run(cpu->pool, n_units, most, task, data, run->cancel))
        return lv_cancelled_status(run);
    return LLAVAOV_OK;
}

LlavaovStatus lv_shape_error(const LvRun *run, const char *operation)
{
    return lv_fail_about(run->error, LLAVAOV_ERROR_INTERNAL, LLAVAOV_ABOUT_DEVICE, operation,
        "%s: operands do not fit together", operation);
}

LvFunction lv_function_of(LvActivation activation)
{
    switch (activation) {
    case LV_ACTIVATION_NONE:
        break;
    case LV_ACTIVATION_GELU_TANH:
        return LV_FUNCTION_GELU_TANH;
    case LV_ACTIVATION_GELU_ERF:
        return LV_FUNCTION_GELU_ERF;
    case LV_ACTIVATION_SILU:
        return LV_FUNCTION_SILU;
    case LV_ACTIVATION_RELU:
        return LV_FUNCTION_RELU;
    case LV_ACTIVATION_QUICK_GELU:
        return LV_FUNCTION_QUICK_GELU;
    case LV_ACTIVATION_LEAKY_RELU:
        return LV_FUNCTION_LEAKY_RELU;
    case LV_ACTIVATION_RELU2:
        return LV_FUNCTION_RELU2;
    case LV_ACTIVATION_RELU6:
        return LV_FUNCTION_RELU6;
    case LV_ACTIVATION_TANH:
        return LV_FUNCTION_TANH;
    case LV_ACTIVATION_SIGMOID:
        return LV_FUNCTION_SIGMOID;
    case LV_ACTIVATION_MISH:
        return LV_FUNCTION_MISH;
    case LV_ACTIVATION_HARDSWISH:
        return LV_FUNCTION_HARDSWISH;
    case LV_ACTIVATION_GELU_10:
        return LV_FUNCTION_GELU_10;
    case LV_ACTIVATION_LAPLACE:
        return LV_FUNCTION_LAPLACE;
    case LV_ACTIVATION_SQRTSOFTPLUS:
        return LV_FUNCTION_SQRTSOFTPLUS;
    }
    return LV_FUNCTION_NONE;
}
