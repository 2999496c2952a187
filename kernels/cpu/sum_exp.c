/* SPDX-License-Identifier: Apache-2.0
 * Built once per set, with SUM_EXP_FUNCTION set by the build. libm's exp, one by one, takes five
 * times as long. */
#include "sum_exp.h"

#include <stdint.h>
#include <string.h>

double SUM_EXP_FUNCTION(const float *x, size_t n, float greatest);

#if defined(__AVX512F__)
#define WIDTH 8
#elif defined(__AVX2__)
#define WIDTH 4
#else
#define WIDTH 2
#endif
#define CHAINS 8 /* partial sums, whatever the width */

typedef float Floats __attribute__((vector_size(4 * WIDTH)));
typedef double Doubles __attribute__((vector_size(8 * WIDTH)));
typedef int64_t Bits __attribute__((vector_size(8 * WIDTH)));

#define LEAST (-700.0)
#define LOG2_E 0x1.71547652b82fep0
/* ln 2 in two parts, the first of few bits, so that its product with a small integer is exact. */
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33
/* Adding it rounds to an integer, which its lowest bits then hold. */
#define ROUNDING 0x1.8p52

/* exp(x) for x <= 0: x = k ln 2 + r with |r| <= ln 2 / 2, and exp(r) by its series. */
static inline Doubles exponentials(Doubles x)
{
    const Doubles least = x * 0 + LEAST;
    const Bits low = x < least;
    x = (Doubles)((~low & (Bits)x) | (low & (Bits)least));
    const Doubles rounded = x * LOG2_E + ROUNDING, k = rounded - ROUNDING;
    const Doubles r = (x - k * LN2_HIGH) - k * LN2_LOW, square = r * r;
    /* Odd and even terms apart, for two short chains. */
    Doubles odd = square * (1.0 / 39916800) + 1.0 / 362880;
    Doubles even = square * (1.0 / 3628800) + 1.0 / 40320;
    odd = odd * square + 1.0 / 5040;
    even = even * square + 1.0 / 720;
    odd = odd * square + 1.0 / 120;
    even = even * square + 1.0 / 24;
    odd = odd * square + 1.0 / 6;
    even = even * square + 0.5;
    odd = odd * square + 1;
    even = even * square + 1;
    return (odd * r + even) * (Doubles)(((Bits)rounded + 1023) << 52);
}

static inline void add(Doubles sums[CHAINS / WIDTH], const float *x, float greatest)
{
    for (size_t i = 0; i < CHAINS / WIDTH; i++) {
        Floats some;
        memcpy(&some, x + i * WIDTH, sizeof some);
        sums[i] += exponentials(__builtin_convertvector(some, Doubles) - greatest);
    }
}

double SUM_EXP_FUNCTION(const float *x, size_t n, float greatest)
{
    Doubles sums[CHAINS / WIDTH];
    double each[CHAINS], sum = 0;
    size_t i = 0;
    memset(sums, 0, sizeof sums);
    for (; i + CHAINS <= n; i += CHAINS)
        add(sums, x + i, greatest);
    memcpy(each, sums, sizeof each);
    for (size_t chain = 0; chain < CHAINS; chain++)
        sum += each[chain];
    if (i == n)
        return sum;
    float rest[CHAINS];
    for (size_t k = 0; k < CHAINS; k++)
        rest[k] = x[i + (i + k < n ? k : 0)];
    memset(sums, 0, sizeof sums);
    add(sums, rest, greatest);
    memcpy(each, sums, sizeof each);
    for (size_t k = 0; k < n - i; k++)
        sum += each[k];
    return sum;
}
