/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/rope.h"

#include <math.h>
#include <string.h>

#define TWO_PI 6.283185307179586

uint32_t lv_rope_variant(const LvRope *rope, uint32_t end)
{
    if (rope->type == LV_ROPE_DYNAMIC)
        return end > rope->positions ? end : 0;
    if (rope->type == LV_ROPE_LONGROPE)
        return end > rope->original;
    return 0;
}

bool lv_rope_is_fixed(const LvRope *rope)
{
    return rope->type != LV_ROPE_DYNAMIC && rope->type != LV_ROPE_LONGROPE;
}

bool lv_rope_equal(const LvRope *a, const LvRope *b)
{
    return a->type == b->type && a->theta == b->theta && a->part == b->part && a->dim == b->dim &&
           a->factor == b->factor && a->positions == b->positions && a->original == b->original &&
           a->scale == b->scale && a->beta_fast == b->beta_fast && a->beta_slow == b->beta_slow &&
           a->truncate == b->truncate && a->low_frequency == b->low_frequency &&
           a->high_frequency == b->high_frequency &&
           memcmp(a->short_factor, b->short_factor, sizeof a->short_factor) == 0 &&
           memcmp(a->long_factor, b->long_factor, sizeof a->long_factor) == 0;
}

/* theta^(2m / dim) */
static float period(float theta, uint32_t dim, uint32_t m)
{
    const float exponent = (float)(2 * m) / (float)dim;
    return (float)pow((double)theta, (double)exponent);
}

/* theta for a pass of `end` positions; float32 tensors in the reference. */
static float dynamic_theta(const LvRope *rope, uint32_t end)
{
    if (!end)
        return (float)rope->theta;
    const double power = rope->dim / (rope->dim - 2.0);
    float stretch = (float)rope->factor * (float)end / (float)rope->positions;
    stretch -= (float)(rope->factor - 1);
    return (float)rope->theta * powf(stretch, (float)power);
}

/* The index of the pair that makes this many rotations over the original length. */
static double pair_turning(const LvRope *rope, double turns)
{
    return rope->dim * log(rope->original / (turns * TWO_PI)) / (2 * log(rope->theta));
}

static float yarn(const LvRope *rope, float period, uint32_t m)
{
    double low = pair_turning(rope, rope->beta_fast), high = pair_turning(rope, rope->beta_slow);
    if (rope->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, rope->dim - 1.0);
    if (low == high)
        high += 0.001;
    const float ramp = ((float)m - (float)low) / (float)(high - low);
    const float kept = 1 - fminf(fmaxf(ramp, 0), 1);
    const float slow = 1 / ((float)rope->factor * period), fast = 1 / period;
    return slow * (1 - kept) + fast * kept;
}

static float llama3(const LvRope *rope, float inverse)
{
    const float wavelength = 1 / inverse * (float)TWO_PI, factor = (float)rope->factor;
    const bool is_long = wavelength > (float)(rope->original / rope->low_frequency),
               is_short = wavelength < (float)(rope->original / rope->high_frequency);
    if (is_long)
        inverse /= factor;
    if (is_long || is_short)
        return inverse;
    float smooth = 1 / wavelength * (float)rope->original - (float)rope->low_frequency;
    smooth /= (float)(rope->high_frequency - rope->low_frequency);
    return (1 - smooth) * inverse / factor + smooth * inverse;
}

static float frequency(const LvRope *rope, uint32_t head_dim, uint32_t variant, uint32_t m)
{
    const float theta = (float)rope->theta;
    switch (rope->type) {
    case LV_ROPE_DEFAULT:
        break;
    case LV_ROPE_LINEAR:
        return 1 / period(theta, rope->dim, m) / (float)rope->factor;
    case LV_ROPE_DYNAMIC:
        return 1 / period(dynamic_theta(rope, variant), rope->dim, m);
    case LV_ROPE_YARN:
        return yarn(rope, period(theta, rope->dim, m), m);
    case LV_ROPE_LONGROPE:
        return 1 / ((variant ? rope->long_factor : rope->short_factor)[m] *
                       period(theta, rope->dim, rope->dim > 2 ? m : 0));
    case LV_ROPE_LLAMA3:
        return llama3(rope, 1 / period(theta, rope->dim, m));
    case LV_ROPE_PROPORTIONAL:
        if (m >= (uint32_t)floor(rope->part * head_dim / 2))
            return 0;
        return 1 / period(theta, head_dim, m) / (float)rope->factor;
    }
    return 1 / period(theta, head_dim, m);
}

void lv_rope_rows(float *rows, const LvRope *rope, uint32_t head_dim, uint32_t variant,
    uint32_t first, uint32_t n)
{
    const uint32_t half = head_dim / 2;
    const float scale =
        rope->type == LV_ROPE_YARN || rope->type == LV_ROPE_LONGROPE ? (float)rope->scale : 1;
    for (uint32_t m = 0; m < half; m++) {
        const float inverse = frequency(rope, head_dim, variant, m);
        for (uint32_t p = 0; p < n; p++) {
            const float angle = (float)(first + p) * inverse;
            float *row = rows + (size_t)p * head_dim;
            row[m] = (float)cos((double)angle) * scale;
            row[half + m] = (float)sin((double)angle) * scale;
        }
    }
}
