/* SPDX-License-Identifier: Apache-2.0
 * One kernel set: a file includes its vec_*.h, defines SET_NAME and SET_FUNCTION, and includes
 * this. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cpu/dots.h"
#include "cpu/few.h"
#include "cpu/attention.h"
#include "cpu/rows.h"
#include "cpu/sets.h"

_Static_assert(
    LV_KEY_BLOCK % TILE_R == 0 && LV_PANEL_COLS % LANES == 0 && LANES <= LV_MAX_LANES, "set.h");

const LvKernels *SET_FUNCTION(void)
{
    static const LvKernels kernels = {
        .name = SET_NAME,
        .tile_rows = TILE_R,
        .lanes = LANES,
        .to_float = to_float,
        .all_finite = all_finite,
        .pack_rows = pack_rows,
        .linear_scratch = linear_scratch,
        .linear_panel = linear_panel,
        .linear_few = linear_few,
        .pack_dot_rows = pack_dot_rows,
        .dots_scratch = dots_scratch,
        .linear_dots = linear_dots,
        .pack_queries = pack_queries,
        .key_panel_size = key_panel_size,
        .value_panel_size = value_panel_size,
        .store_keys = store_keys,
        .store_values = store_values,
        .copy_keys = copy_keys,
        .copy_values = copy_values,
        .attention_tile = attention_tile,
        .attention_join = attention_join,
        .attention_store = attention_store,
        .layer_norm = layer_norm,
        .rms_norm = rms_norm,
        .rope = rope,
        .blend = blend,
    };
    return &kernels;
}
