/* SPDX-License-Identifier: Apache-2.0
 * What a folder is, before anything in it is believed: another model's, a quantised one, an adapter
 * alone, pointers instead of files, half a download, the cache instead of a folder in it. */
#ifndef LV_RECOGNISE_H
#define LV_RECOGNISE_H

#include "checkpoint/reasons.h"

/* Adds every such reason why path is no checkpoint that can be opened; each sentence says what to
 * do. Reads names, sizes and small files only. None does not mean that the folder is good. */
void lv_recognise(const char *path, LvReasons *reasons);

#endif
