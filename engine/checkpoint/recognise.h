/* SPDX-License-Identifier: Apache-2.0
 * Recognises, before anything in it is trusted, a folder that is something else: another model, a
 * quantised one, only an adapter, Git LFS pointers, a partial download, the Hub's cache instead of
 * a folder in it. */
#ifndef LV_RECOGNISE_H
#define LV_RECOGNISE_H

#include "checkpoint/reasons.h"

/* Adds every such reason; each sentence says what to do. Reads names, sizes and small files only.
 * Finding no reason does not mean that the folder is valid. */
void lv_recognise(const char *path, LvReasons *reasons);

#endif
