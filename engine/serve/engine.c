/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/engine.h"

#include "base/alloc.h"
#include "base/structs.h"

static void engine_free(LlavaovEngine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    pthread_cond_broadcast(&engine->work);
    pthread_cond_broadcast(&engine->pictures);
    pthread_cond_broadcast(&engine->events);
    if (engine->remote)
        lv_remote_wake(engine->remote);
    pthread_mutex_unlock(&engine->lock);
    for (size_t i = 0; i < engine->n_threads; i++)
        pthread_join(engine->threads[i], NULL);
    lv_remote_close(engine->remote);
    lv_model_close(engine->model);
    if (engine->backend)
        engine->backend->ops->close(engine->backend);
    lv_token_trie_close(engine->token_trie);
    lv_tokenizer_close(engine->tokenizer);
    llavaov_chat_template_unref(engine->chat_template);
    lv_checkpoint_close(engine->checkpoint);
    pthread_cond_destroy(&engine->idle);
    pthread_cond_destroy(&engine->events);
    pthread_cond_destroy(&engine->pictures);
    pthread_cond_destroy(&engine->work);
    pthread_mutex_destroy(&engine->lock);
    pthread_mutex_destroy(&engine->trie_lock);
    lv_free(engine->logits);
    lv_free(engine->path);
    lv_free(engine->name);
    lv_free(engine->stop_tokens);
    lv_free(engine);
}

LlavaovEngine *lv_engine_keep(LlavaovEngine *engine)
{
    atomic_fetch_add(&engine->refs, 1);
    return engine;
}

LlavaovEngine *llavaov_engine_ref(LlavaovEngine *engine)
{
    return lv_engine_keep(engine);
}

void llavaov_engine_unref(LlavaovEngine *engine)
{
    if (engine && atomic_fetch_sub(&engine->refs, 1) == 1)
        engine_free(engine);
}

const LlavaovEngineInfo *llavaov_engine_info(const LlavaovEngine *engine)
{
    return &engine->info;
}

LlavaovStatus llavaov_engine_stats(LlavaovEngine *engine, LlavaovEngineStats *stats)
{
    pthread_mutex_lock(&engine->lock);
    LlavaovEngineStats all = engine->stats;
    pthread_mutex_unlock(&engine->lock);
    if (engine->backend->ops->notice)
        all.notice = engine->backend->ops->notice(engine->backend);
    return lv_struct_write(stats, &all, sizeof all, "LlavaovEngineStats", NULL);
}
