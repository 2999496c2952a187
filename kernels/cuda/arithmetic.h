/* SPDX-License-Identifier: Apache-2.0
 * Arithmetic whose rounding is known, and the functions of activations. */
#ifndef LV_CUDA_ARITHMETIC_H
#define LV_CUDA_ARITHMETIC_H

#include "device.h"

/* Rounded product and sum, never contracted. */
LV_INLINE float lv_mul(float a, float b)
{
#ifdef __CUDACC__
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}

LV_INLINE float lv_add(float a, float b)
{
#ifdef __CUDACC__
    return __fadd_rn(a, b);
#else
    return a + b;
#endif
}

/* 2^x to 2 ulp. */
LV_INLINE float lv_exp2(float x)
{
#ifdef __CUDACC__
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return exp2f(x);
#endif
}

/* 1/x to 1 ulp. */
LV_INLINE float lv_reciprocal(float x)
{
#ifdef __CUDACC__
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return 1 / x;
#endif
}

/* 1 / (1 + e^-x). For results that are rounded to 16 bits the device's own exponential and
 * reciprocal, a few ulp of float32 off, are exact enough. */
template <typename T> LV_INLINE float lv_sigmoid(float x)
{
    if (sizeof(T) == sizeof(float))
        return 1.0f / (1.0f + expf(-x));
    return lv_reciprocal(1.0f + lv_exp2(-1.4426950408889634f * x));
}

/* The functions of released models, known when the kernel is compiled, for results of type T;
 * every other one is looked up for each element. */
#define LV_ANY_FUNCTION (-1)

/* Not inlined, so that kernels do not reserve its registers. */
static LV_NOINLINE float lv_apply_rare(LvCudaFunction function, float x)
{
    float soft = x > 20.0f ? x : log1pf(expf(x));
    switch (function) {
    case LV_CUDA_LEAKY_RELU:
        return x < 0 ? 0.01f * x : x;
    case LV_CUDA_RELU2:
        return x < 0 ? 0 : x * x;
    case LV_CUDA_RELU6:
        return x < 0 ? 0 : x > 6.0f ? 6.0f : x;
    case LV_CUDA_TANH:
        return tanhf(x);
    case LV_CUDA_SIGMOID:
        return 1.0f / (1.0f + expf(-x));
    case LV_CUDA_MISH:
        return x * tanhf(soft);
    case LV_CUDA_HARDSWISH:
        return x < -3.0f ? 0 : x > 3.0f ? x : x * (x + 3.0f) / 6.0f;
    case LV_CUDA_GELU_10:
        x = 0.5f * x * erfcf(-0.70710678118654752f * x);
        return x > 10.0f ? 10.0f : x;
    case LV_CUDA_LAPLACE:
        return (float)(0.5 * erfc((0.707107 - x) / (0.282095 * 1.41421356237309504880)));
    case LV_CUDA_SQRTSOFTPLUS:
        return sqrtf(soft);
    default:
        return x;
    }
}

LV_INLINE float lv_apply(LvCudaFunction function, float x)
{
    switch (function) {
    case LV_CUDA_NONE:
        break;
    case LV_CUDA_GELU_TANH:
        return x / (1.0f + expf(-1.5957691216057308f * (x + 0.044715f * x * x * x)));
    case LV_CUDA_GELU_ERF:
        return 0.5f * x * erfcf(-0.70710678118654752f * x);
    case LV_CUDA_SILU:
        return x / (1.0f + expf(-x));
    case LV_CUDA_RELU:
        return x < 0 ? 0 : x;
    case LV_CUDA_QUICK_GELU:
        return x / (1.0f + expf(-1.702f * x));
    default:
        return lv_apply_rare(function, x);
    }
    return x;
}

template <int FUNCTION, typename T> LV_INLINE float lv_apply_as(LvCudaFunction function, float x)
{
    if (FUNCTION == LV_CUDA_NONE)
        return x;
    if (FUNCTION == LV_CUDA_SILU)
        return x * lv_sigmoid<T>(x);
    if (FUNCTION == LV_CUDA_GELU_TANH)
        return x * lv_sigmoid<T>(1.5957691216057308f * (x + 0.044715f * x * x * x));
    return lv_apply(function, x);
}

#endif
