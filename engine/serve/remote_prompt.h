/* SPDX-License-Identifier: Apache-2.0
 * A request as a server gets it. */
#ifndef LV_REMOTE_PROMPT_H
#define LV_REMOTE_PROMPT_H

#include "serve/request.h"

/* Fills prompt_ids and what follows from them, and makes the body (lv_free). Lock not held; by the
 * engine's thread, the frames prepared. Errors as of a prompt here; REMOTE_UNFIT for what no server
 * can be asked. */
LlavaovStatus lv_remote_prompt_make(
    LlavaovTicket *request, char **body, size_t *bytes, LlavaovError *error);

/* Codes a prepared picture: the tile, or the whole picture where it is cut into tiles. Any thread. */
LlavaovStatus lv_remote_picture(const LlavaovEngine *engine, LlavaovLayout layout,
    const LlavaovImage *image, const LvCancel *cancel, LvContent *content, LlavaovError *error);

#endif
