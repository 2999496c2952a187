/* SPDX-License-Identifier: Apache-2.0
 * What takes the scheduler's place in an engine of device "remote": one thread hands requests whose
 * frames are prepared to servers (remote/remote.h) and makes answers of the replies. A request is
 * `running` from then until it is finished, and its session has one piece of work more. */
#ifndef LV_SERVE_REMOTE_H
#define LV_SERVE_REMOTE_H

#include "serve/engine.h"

/* The client, and a model and a backend that have facts and compute nothing. */
LlavaovStatus lv_engine_open_remote(
    LlavaovEngine *engine, const LlavaovEngineOptions *options, LlavaovError *error);

/* The engine's thread. */
void *lv_remote_main(void *engine);

#endif
