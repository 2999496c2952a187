/* SPDX-License-Identifier: Apache-2.0
 * The thread that turns callers' frames into tiles, or hands them to a backend that does so itself;
 * sessions in turn. */
#ifndef LV_PICTURES_H
#define LV_PICTURES_H

#include "serve/engine.h"

/* One picture. False: none waits. Lock held, dropped meanwhile; the picture thread. */
bool lv_pictures_step(LlavaovEngine *engine);

/* The picture thread. */
void *lv_pictures_main(void *engine);

#endif
