/* SPDX-License-Identifier: Apache-2.0
 * The rotary embedding's cosines and sines (docs/model.md 5.3), rounded to float32 wherever the
 * reference rounds: its frequencies and angles are float32 numbers, and at position 30,000 an
 * angle's last bit is a thousandth of a radian. Pure functions. */
#ifndef LV_ROPE_H
#define LV_ROPE_H

#include "checkpoint/config.h"

/* Which frequencies a forward pass that ends before position `end` uses: passes of the same variant
 * have the same. 0 is that of all short passes, and the only one of most types. Keys stored by an
 * earlier pass keep that pass's rotation. */
uint32_t lv_rope_variant(const LvRope *rope, uint32_t end);

/* No pass has another variant than 0. */
bool lv_rope_is_fixed(const LvRope *rope);

/* The rows of positions first .. first + n - 1: each head_dim / 2 cosines, then as many sines. */
void lv_rope_rows(float *rows, const LvRope *rope, uint32_t head_dim, uint32_t variant,
    uint32_t first, uint32_t n);

/* Same rows for all arguments. */
bool lv_rope_equal(const LvRope *a, const LvRope *b);

#endif
