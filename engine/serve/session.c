/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/session.h"

void lv_session_wake(LlavaovSession *session)
{
    LlavaovEngine *engine = session->engine;
    if (!lv_linked(&session->in_active)) {
        /* It saves nothing up while it has nothing to do. */
        if (session->virtual_time < engine->virtual_time)
            session->virtual_time = engine->virtual_time;
        lv_list_append(&engine->active, &session->in_active);
    }
    pthread_cond_signal(&engine->work);
    if (engine->remote)
        lv_remote_wake(engine->remote);
}

void lv_session_rest(LlavaovSession *session)
{
    session->working--;
    pthread_cond_broadcast(&session->engine->idle);
}
