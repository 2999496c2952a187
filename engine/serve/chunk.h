/* SPDX-License-Identifier: Apache-2.0
 * How long a slice of work may be.
 *
 * While nobody decodes: preferred_rows and preferred_tiles. While a decoding step waits for its
 * end: about slice_flops (LvBackendInfo), so that no answer halts for long. Sizes depend on the
 * configuration, the position and on what waits, never on a clock. They decide how rows are put
 * together, so on a device whose rounding depends on that (LvBackendInfo.slice_flops) an answer may
 * differ by rounding with whether somebody else was decoding; on the CPU slices are not bounded. */
#ifndef LV_CHUNK_H
#define LV_CHUNK_H

#include "backend/backend.h"

/* Rows of the next chunk of a prompt, of which `left` remain from `position` on; 1 to left.
 *
 * Bounded: slice_flops over the operations of one row at this position, rounded down to a multiple
 * of 256 rows, at least 256; a rest of up to a quarter more goes along. With fewer rows a product
 * would take little less time: on the devices that are bounded it takes as long to read a weight as
 * to use it on 75 to 300 rows (dense rate over memory bandwidth), and their products are cut in
 * tiles of 128 rows. */
size_t lv_chunk_rows(const LvBackendInfo *info, const LvTextConfig *text, uint32_t position,
    size_t left, bool bounded);

/* Tiles of the next encoder call when so many sessions have frames to encode; 1 to
 * LV_MAX_SLICE_TILES.
 *
 * Bounded: 3/2 slice_flops over the operations of a tile, rounded, at least 1: an encoder has no
 * cache to read, and its products are larger. Each session that waits beyond a quarter of a full
 * call's tiles makes the call longer by one, since short calls use the device less well: with many
 * streams decoding is always under way, and what waits must not grow. One session's frames, however
 * many, do not. */
uint32_t lv_chunk_tiles(
    const LvBackendInfo *info, const LvVisionConfig *vision, size_t sessions, bool bounded);

/* Tiles that any call holds at most, 1 to LV_MAX_SLICE_TILES. */
uint32_t lv_chunk_most_tiles(const LvBackendInfo *info);

/* Requests that one decoding step should hold at most, 1 to LV_MAX_SLICE_REQUESTS. */
size_t lv_chunk_most_requests(const LvBackendInfo *info);

#endif
