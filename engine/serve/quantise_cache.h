/* SPDX-License-Identifier: Apache-2.0
 * A folder of quantised checkpoints, each made of another folder when it is first asked for. */
#ifndef LV_QUANTISE_CACHE_H
#define LV_QUANTISE_CACHE_H

#include "base/path.h"
#include "serve/quantise.h"

/* path = the folder in `cache` with the checkpoint `from` in the precision: what is there, where it was made of the same
 * files (by name, size, time and checksum) and is still what was written; otherwise made anew. told: what
 * was done, for people; at least 256 bytes. Errors: those of making it, IO. */
LlavaovStatus lv_quantise_cached(char path[PATH_MAX], char *told, const char *cache,
    const char *from, const LvQuantiseOptions *options, LlavaovError *error);

#endif
