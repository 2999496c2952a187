/* SPDX-License-Identifier: Apache-2.0
 * Whether prepared pictures show the same. */
#ifndef LV_SAME_H
#define LV_SAME_H

#include "picture/picture.h"

/* Of all bytes. Equal pictures have equal hashes; whoever makes pictures can make others that have
 * the same one, so that it tells alone which need not be compared. */
uint64_t lv_tiles_hash(const LvTiles *tiles);

/* Tiles of the same number and size, of a picture of the same shape: what the encoder makes of them
 * can be told by their bytes. */
bool lv_tiles_alike(const LvTiles *a, const LvTiles *b);

/* For tiles that are alike, both with bytes. */
bool lv_tiles_equal(const LvTiles *a, const LvTiles *b);
/* The mean absolute difference of their bytes, 0 to 255. */
double lv_tiles_difference(const LvTiles *a, const LvTiles *b);

#endif
