/* SPDX-License-Identifier: Apache-2.0
 * Eight floats in two NEON registers, with FMA: what every 64-bit Arm processor has. The same names as
 * vec_avx512.h, where they are described. Eight rather than four for chains that do not wait for each other,
 * and because every sum is then made in the order, and so has the bits, of vec_avx2.h. */
#ifndef LV_VEC_H
#define LV_VEC_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC 8
#define TILE_R 6 /* 6 x 4 accumulators, 4 operands, 2 of factors: 30 of 32 registers */
#define TILE_ROWS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5)

#define FEW_R 3 /* 12 x 2 accumulators, an input's 2, operands */
#define FEW_ROWS_LIST(M) M(0) M(1) M(2)

typedef struct vf {
    float32x4_t low, high;
} vf;

#define VF_OF(part) ((vf){.low = (part)(x.low), .high = (part)(x.high)})

static inline vf vf_set1(float x)
{
    return (vf){vdupq_n_f32(x), vdupq_n_f32(x)};
}
static inline vf vf_load(const float *p)
{
    return (vf){vld1q_f32(p), vld1q_f32(p + 4)};
}
static inline void vf_store(float *p, vf x)
{
    vst1q_f32(p, x.low);
    vst1q_f32(p + 4, x.high);
}
/* At any address: a tensor of a checkpoint may lie at an odd one. */
static inline vf vf_load_n(const void *p, size_t n)
{
    float buffer[VEC] = {0};
    memcpy(buffer, p, n * sizeof *buffer);
    return vf_load(buffer);
}
/* Halves, quarters and single floats. */
static inline void vf_store_n(float *p, vf x, size_t n)
{
    float32x4_t part = x.low;
    if (n & 4) {
        vst1q_f32(p, part);
        part = x.high;
        p += 4;
    }
    float32x2_t pair = vget_low_f32(part);
    if (n & 2) {
        vst1_f32(p, pair);
        pair = vget_high_f32(part);
        p += 2;
    }
    if (n & 1)
        vst1_lane_f32(p, pair, 0);
}
static inline vf vf_load_f16(const uint16_t *p)
{
    const float16x8_t x = vreinterpretq_f16_u16(vld1q_u16(p));
    return (vf){vcvt_f32_f16(vget_low_f16(x)), vcvt_high_f32_f16(x)};
}
/* Inf and NaN too. */
static inline vf vf_load_any_f16(const uint16_t *p)
{
    return vf_load_f16(p);
}
static inline vf vf_load_bf16(const uint16_t *p)
{
    const uint16x8_t x = vld1q_u16(p);
    return (vf){vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(x), 16)),
        vreinterpretq_f32_u32(vshll_high_n_u16(x, 16))};
}
/* Each byte of the floats' is looked up by itself: four of them make the table of 16 codes. */
static inline vf vf_load_codes(const float codes[16], const uint8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(four));
    const uint8x8_t places = vzip1_u8(vshr_n_u8(bytes, 4), vand_u8(bytes, vdup_n_u8(15)));
    /* 4 x place + 0, 1, 2, 3 */
    const uint32x4_t each = vdupq_n_u32(0x04040404), offset = vdupq_n_u32(0x03020100);
    const uint16x8_t wide = vmovl_u8(places);
    const uint32x4_t low = vmlaq_u32(offset, vmovl_u16(vget_low_u16(wide)),
                         each), /* the place in all four bytes */
        high = vmlaq_u32(offset, vmovl_u16(vget_high_u16(wide)), each);
    const uint8x16x4_t table = {{vreinterpretq_u8_f32(vld1q_f32(codes)),
        vreinterpretq_u8_f32(vld1q_f32(codes + 4)), vreinterpretq_u8_f32(vld1q_f32(codes + 8)),
        vreinterpretq_u8_f32(vld1q_f32(codes + 12))}};
    return (vf){vreinterpretq_f32_u8(vqtbl4q_u8(table, vreinterpretq_u8_u32(low))),
        vreinterpretq_f32_u8(vqtbl4q_u8(table, vreinterpretq_u8_u32(high)))};
}
static inline float32x4_t vq_round_f16(float32x4_t x)
{
    return vcvt_f32_f16(vcvt_f16_f32(x));
}
static inline vf vf_round_f16(vf x)
{
    return VF_OF(vq_round_f16);
}
static inline float32x4_t vq_round_bf16(float32x4_t x)
{
    const uint32x4_t bits = vreinterpretq_u32_f32(x);
    const uint32x4_t up =
        vaddq_u32(vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1)), vdupq_n_u32(0x7FFF));
    return vreinterpretq_f32_u32(vandq_u32(vaddq_u32(bits, up), vdupq_n_u32(0xFFFF0000u)));
}
static inline vf vf_round_bf16(vf x)
{
    return VF_OF(vq_round_bf16);
}
static inline vf vf_add(vf a, vf b)
{
    return (vf){vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)};
}
static inline vf vf_sub(vf a, vf b)
{
    return (vf){vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)};
}
static inline vf vf_mul(vf a, vf b)
{
    return (vf){vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)};
}
static inline vf vf_div(vf a, vf b)
{
    return (vf){vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)};
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return (vf){vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}
/* A comparison and a choice, and not fmax and fmin, which have another idea of NaN. */
static inline vf vf_max(vf a, vf b)
{
    return (vf){vbslq_f32(vcgtq_f32(a.low, b.low), a.low, b.low),
        vbslq_f32(vcgtq_f32(a.high, b.high), a.high, b.high)};
}
static inline vf vf_min(vf a, vf b)
{
    return (vf){vbslq_f32(vcltq_f32(a.low, b.low), a.low, b.low),
        vbslq_f32(vcltq_f32(a.high, b.high), a.high, b.high)};
}
static inline vf vf_abs(vf x)
{
    return VF_OF(vabsq_f32);
}
static inline vf vf_select_lt(vf a, vf b, vf x, vf y)
{
    return (vf){vbslq_f32(vcltq_f32(a.low, b.low), x.low, y.low),
        vbslq_f32(vcltq_f32(a.high, b.high), x.high, y.high)};
}
static inline vf vf_copysign(vf magnitude, vf sign)
{
    const uint32x4_t mask = vdupq_n_u32(0x80000000u);
    return (vf){
        vbslq_f32(mask, sign.low, magnitude.low), vbslq_f32(mask, sign.high, magnitude.high)};
}
static inline vf vf_round(vf x)
{
    return VF_OF(vrndnq_f32);
}
static inline float32x4_t vq_power_of_two(int32x4_t n)
{
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
/* In two factors, so that denormal results are possible. */
static inline float32x4_t vq_scale(float32x4_t x, float32x4_t n)
{
    const int32x4_t whole = vcvtnq_s32_f32(n), half = vshrq_n_s32(whole, 1);
    return vmulq_f32(vmulq_f32(x, vq_power_of_two(half)), vq_power_of_two(vsubq_s32(whole, half)));
}
static inline vf vf_scale(vf x, vf n)
{
    return (vf){vq_scale(x.low, n.low), vq_scale(x.high, n.high)};
}
static inline float vf_sum(vf x)
{
    const float32x4_t four = vaddq_f32(x.low, x.high);
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
/* a's four sums and b's become two each, then one each. */
static inline float32x4_t vq_sum_pairs(float32x4_t a, float32x4_t b)
{
    const float64x2_t x = vreinterpretq_f64_f32(a), y = vreinterpretq_f64_f32(b);
    return vaddq_f32(
        vreinterpretq_f32_f64(vzip1q_f64(x, y)), vreinterpretq_f32_f64(vzip2q_f64(x, y)));
}
static inline void vf_sum_four(float *sums, vf a, vf b, vf c, vf d)
{
    const float32x4_t ab = vq_sum_pairs(vaddq_f32(a.low, a.high), vaddq_f32(b.low, b.high)),
                      cd = vq_sum_pairs(vaddq_f32(c.low, c.high), vaddq_f32(d.low, d.high));
    vst1q_f32(sums, vpaddq_f32(ab, cd));
}
static inline int vf_any_not_finite_f32(const void *p)
{
    const uint32x4_t exponent = vdupq_n_u32(0x7F800000);
    const uint32x4_t low = vreinterpretq_u32_u8(vld1q_u8(p)),
                     high = vreinterpretq_u32_u8(vld1q_u8((const uint8_t *)p + 16));
    return vmaxvq_u32(vorrq_u32(vceqq_u32(vandq_u32(low, exponent), exponent),
               vceqq_u32(vandq_u32(high, exponent), exponent))) != 0;
}
static inline int vf_any_not_finite_16(const void *p, uint16_t exponent_bits)
{
    const uint16x8_t exponent = vdupq_n_u16(exponent_bits);
    const uint16x8_t low = vreinterpretq_u16_u8(vld1q_u8(p)),
                     high = vreinterpretq_u16_u8(vld1q_u8((const uint8_t *)p + 16));
    return vmaxvq_u16(vorrq_u16(vceqq_u16(vandq_u16(low, exponent), exponent),
               vceqq_u16(vandq_u16(high, exponent), exponent))) != 0;
}
#define VEC_CHECK_BYTES 32

static inline void vq_transpose(float32x4_t *a, float32x4_t *b, float32x4_t *c, float32x4_t *d)
{
    const float64x2_t ac = vreinterpretq_f64_f32(vtrn1q_f32(*a, *b)),
                      bd = vreinterpretq_f64_f32(vtrn2q_f32(*a, *b)),
                      ac2 = vreinterpretq_f64_f32(vtrn1q_f32(*c, *d)),
                      bd2 = vreinterpretq_f64_f32(vtrn2q_f32(*c, *d));
    *a = vreinterpretq_f32_f64(vzip1q_f64(ac, ac2));
    *b = vreinterpretq_f32_f64(vzip1q_f64(bd, bd2));
    *c = vreinterpretq_f32_f64(vzip2q_f64(ac, ac2));
    *d = vreinterpretq_f32_f64(vzip2q_f64(bd, bd2));
}
/* Quarters of 4 x 4, of which those beside the diagonal change places. */
static inline void vf_transpose(vf r[VEC])
{
    for (int i = 0; i < 8; i += 4) {
        vq_transpose(&r[i].low, &r[i + 1].low, &r[i + 2].low, &r[i + 3].low);
        vq_transpose(&r[i].high, &r[i + 1].high, &r[i + 2].high, &r[i + 3].high);
    }
    for (int i = 0; i < 4; i++) {
        const float32x4_t high = r[i].high;
        r[i].high = r[i + 4].low;
        r[i + 4].low = high;
    }
}

/* tile.h: the factors of one k, and c + factor r * b: a multiply-add takes its factor from a register's
 * lane. */
#define TILE_FACTORS(a)                                                                            \
    const float32x4_t factors = vld1q_f32(a);                                                      \
    const float32x2_t more_factors = vld1_f32((a) + 4);
#define TILE_FMA_PART(r, part, b, c)                                                               \
    (r < 4 ? vfmaq_laneq_f32((c).part, (b).part, factors, r & 3)                                   \
           : vfmaq_lane_f32((c).part, (b).part, more_factors, r & 1))
#define TILE_FMA(r, b, c) ((vf){TILE_FMA_PART(r, low, b, c), TILE_FMA_PART(r, high, b, c)})

#endif
