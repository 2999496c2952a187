/* SPDX-License-Identifier: Apache-2.0
 * Row-wise operations of a kernel set. */
#ifndef LV_ROWS_H
#define LV_ROWS_H

#include <math.h>

#include "cpu/functions.h"

static inline vf load_some(const float *p, size_t n)
{
    return n >= VEC ? vf_load(p) : vf_load_n(p, n);
}

static inline void store_some(float *p, vf x, size_t n)
{
    if (n >= VEC)
        vf_store(p, x);
    else
        vf_store_n(p, x, n);
}

/* Sum of (x - center)^2, or of x when `squared` is false; a partial register's missing floats are
 * left out. */
static inline __attribute__((always_inline)) float row_sum(
    const float *x, size_t n, bool squared, float center)
{
    vf s0 = vf_set1(0), s1 = s0, c = vf_set1(center);
    size_t i = 0;
    for (; i + 2 * VEC <= n; i += 2 * VEC) {
        vf a = vf_sub(vf_load(x + i), c), b = vf_sub(vf_load(x + i + VEC), c);
        s0 = squared ? vf_fma(a, a, s0) : vf_add(s0, a);
        s1 = squared ? vf_fma(b, b, s1) : vf_add(s1, b);
    }
    for (; i + VEC <= n; i += VEC) {
        vf a = vf_sub(vf_load(x + i), c);
        s0 = squared ? vf_fma(a, a, s0) : vf_add(s0, a);
    }
    float sum = vf_sum(vf_add(s0, s1));
    for (; i < n; i++) {
        float a = x[i] - center;
        sum += squared ? a * a : a;
    }
    return sum;
}

static void layer_norm(float *out, size_t out_stride, const float *in, size_t in_stride,
    size_t rows, size_t cols, const float *scale, const float *bias, double eps)
{
    for (size_t r = 0; r < rows; r++, in += in_stride, out += out_stride) {
        /* The rounded mean has a small error, which is the mean of the residuals after subtracting
         * it. */
        float mean = (float)((double)row_sum(in, cols, false, 0) / (double)cols);
        float rest = (float)((double)row_sum(in, cols, false, mean) / (double)cols);
        double variance =
            (double)row_sum(in, cols, true, mean) / (double)cols - (double)rest * rest;
        vf m = vf_set1(mean), c = vf_set1(rest),
           f = vf_set1((float)(1.0 / sqrt(fmax(variance, 0) + eps)));
        for (size_t i = 0; i < cols; i += VEC) {
            size_t n = cols - i;
            vf x = vf_mul(
                vf_mul(vf_sub(vf_sub(load_some(in + i, n), m), c), f), load_some(scale + i, n));
            if (bias)
                x = vf_add(x, load_some(bias + i, n));
            store_some(out + i, x, n);
        }
    }
}

static void rms_norm(float *out, size_t out_stride, const float *in, size_t in_stride, size_t rows,
    size_t cols, const float *scale, double eps)
{
    for (size_t r = 0; r < rows; r++, in += in_stride, out += out_stride) {
        double squares = (double)row_sum(in, cols, true, 0) / (double)cols;
        vf f = vf_set1((float)(1.0 / sqrt(squares + eps)));
        for (size_t i = 0; i < cols; i += VEC) {
            size_t n = cols - i;
            store_some(
                out + i, vf_mul(vf_mul(load_some(in + i, n), f), load_some(scale + i, n)), n);
        }
    }
}

static void rope(
    float *heads, uint32_t n_heads, uint32_t head_dim, const float *cosine, const float *sine)
{
    uint32_t half = head_dim / 2;
    for (uint32_t head = 0; head < n_heads; head++, heads += head_dim)
        for (uint32_t m = 0; m < half; m += VEC) {
            size_t n = half - m;
            vf c = load_some(cosine + m, n), s = load_some(sine + m, n);
            vf a = load_some(heads + m, n), b = load_some(heads + half + m, n);
            store_some(heads + m, vf_sub(vf_mul(a, c), vf_mul(b, s)), n);
            store_some(heads + half + m, vf_add(vf_mul(b, c), vf_mul(a, s)), n);
        }
}

static void blend(float *out, const float *a, const float *b, const float *c, const float *d,
    const float w[4], size_t n)
{
    vf x0 = vf_set1(w[0]), x1 = vf_set1(w[1]), y0 = vf_set1(w[2]), y1 = vf_set1(w[3]);
    for (size_t i = 0; i < n; i += VEC) {
        size_t left = n - i;
        vf top = vf_add(vf_mul(x0, load_some(a + i, left)), vf_mul(x1, load_some(b + i, left)));
        vf low = vf_add(vf_mul(x0, load_some(c + i, left)), vf_mul(x1, load_some(d + i, left)));
        store_some(out + i, vf_add(vf_mul(y0, top), vf_mul(y1, low)), left);
    }
}

#endif
