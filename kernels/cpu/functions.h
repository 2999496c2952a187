/* SPDX-License-Identifier: Apache-2.0
 * Elementary functions on vectors. Polynomials are least-maximum fits of relative error made for
 * this file. */
#ifndef LV_FUNCTIONS_H
#define LV_FUNCTIONS_H

#include "ops.h"

/* e^x within 1 ulp; 0 below -104, Inf above 89, NaN for NaN. With n = round(x / ln 2) and r = x - n
 * ln 2 (in two steps): 2^n (1 + r + r^2 q(r)). */
static inline vf vf_exp(vf x)
{
    x = vf_max(vf_set1(-104.0f), vf_min(vf_set1(89.0f), x));
    vf n = vf_round(vf_mul(x, vf_set1(1.44269504f)));
    vf r = vf_fma(n, vf_set1(-0.693359375f), x); /* exact: few bits */
    r = vf_fma(n, vf_set1(2.12194440e-4f), r);
    vf q = vf_fma(r, vf_set1(1.3814579e-3f), vf_set1(8.3687259e-3f));
    q = vf_fma(q, r, vf_set1(4.1668389e-2f));
    q = vf_fma(q, r, vf_set1(1.6666521e-1f));
    q = vf_fma(q, r, vf_set1(0.49999994f));
    vf p = vf_add(vf_fma(q, vf_mul(r, r), r), vf_set1(1.0f));
    return vf_scale(p, n);
}

/* |t| < 1: t times a polynomial in t^2. Beyond: 1 - e^p(|t|), p a fit of ln(1 - erf) on [1, 4];
 * erf(4) rounds to 1. */
static inline vf vf_erf(vf t)
{
    vf s = vf_mul(t, t), a = vf_min(vf_set1(4.0f), vf_abs(t));
    vf small = vf_fma(s, vf_set1(7.8540200e-5f), vf_set1(-8.0102461e-4f));
    small = vf_fma(small, s, vf_set1(5.1883343e-3f));
    small = vf_fma(small, s, vf_set1(-2.6853817e-2f));
    small = vf_fma(small, s, vf_set1(1.1283585e-1f));
    small = vf_fma(small, s, vf_set1(-3.7612626e-1f));
    small = vf_mul(vf_fma(small, s, vf_set1(1.1283791f)), t);
    vf large = vf_fma(a, vf_set1(-2.1686850e-5f), vf_set1(4.4133636e-4f));
    large = vf_fma(large, a, vf_set1(-4.2045620e-3f));
    large = vf_fma(large, a, vf_set1(2.5208257e-2f));
    large = vf_fma(large, a, vf_set1(-1.0841858e-1f));
    large = vf_fma(large, a, vf_set1(-6.3321990e-1f));
    large = vf_fma(large, a, vf_set1(-1.1295785f));
    large = vf_fma(large, a, vf_set1(1.8804003e-4f));
    large = vf_copysign(vf_sub(vf_set1(1.0f), vf_exp(large)), t);
    return vf_select_lt(vf_abs(t), vf_set1(1.0f), small, large);
}

/* x / (1 + e^-y) */
static inline vf vf_gate(vf x, vf minus_y)
{
    return vf_div(x, vf_add(vf_set1(1.0f), vf_exp(minus_y)));
}

static inline vf load_at_most(const float *p, size_t n)
{
    return n >= VEC ? vf_load(p) : vf_load_n(p, n);
}

static __attribute__((noinline, cold)) vf vf_apply_plain(LvFunction function, vf x)
{
    float each[VEC];
    vf_store(each, x);
    for (int i = 0; i < VEC; i++)
        each[i] = lv_function_plain(function, each[i]);
    return vf_load(each);
}

static inline vf vf_apply(LvFunction function, vf x)
{
    switch (function) {
    case LV_FUNCTION_NONE:
        break;
    case LV_FUNCTION_GELU_TANH: {
        vf u = vf_fma(vf_mul(x, x), vf_set1(-0.071354816f), vf_set1(-1.5957691f));
        return vf_gate(x, vf_mul(x, u));
    }
    case LV_FUNCTION_GELU_ERF: {
        vf half = vf_mul(x, vf_set1(0.5f));
        return vf_fma(half, vf_erf(vf_mul(x, vf_set1(0.70710678f))), half);
    }
    case LV_FUNCTION_SILU:
        return vf_gate(x, vf_sub(vf_set1(0.0f), x));
    case LV_FUNCTION_RELU:
        return vf_select_lt(x, vf_set1(0.0f), vf_set1(0.0f), x);
    case LV_FUNCTION_QUICK_GELU:
        return vf_gate(x, vf_mul(x, vf_set1(-1.702f)));
    default:
        return vf_apply_plain(function, x);
    }
    return x;
}

#endif
