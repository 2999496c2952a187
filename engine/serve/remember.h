/* SPDX-License-Identifier: Apache-2.0
 * From a request that was answered to its history. */
#ifndef LV_REMEMBER_H
#define LV_REMEMBER_H

#include "serve/request.h"

/* Of a request whose answer is complete and whose callback is due: takes its conversation, its frames
 * and its cache. NULL: no memory, and the request still has them. Lock not held. */
LlavaovHistory *lv_remember(LlavaovTicket *request);

#endif
