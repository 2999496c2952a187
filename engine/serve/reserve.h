/* SPDX-License-Identifier: Apache-2.0
 * Windows of live streams that the engine has taken on (admission.h), as callers and requests hold
 * them. */
#ifndef LV_RESERVE_H
#define LV_RESERVE_H

#include "serve/session.h"

struct LlavaovReservation {
    LlavaovEngine *engine; /* a reference */
    uint64_t until;        /* of device "remote", which takes all windows on: the next one's end */
    LvReservation window;  /* out of the account once ended, or its session closed; engine's lock */
};

#endif
