/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/structs.h"
#include "serve/remote.h"

static void close_nothing(LvBackend *backend)
{
    lv_free(backend);
}

/* There is nothing to compute with: the operations that a request of such an engine comes to are
 * none. */
static const LvBackendOps no_ops = {.close = close_nothing};

static LlavaovStatus read(
    const LlavaovRemoteOptions *given, LlavaovRemoteOptions *remote, LlavaovError *error)
{
    static const LlavaovRemoteOptions none = {.size = sizeof none};
    LlavaovStatus status = lv_struct_read(
        remote, sizeof *remote, given ? given : &none, "LlavaovRemoteOptions", error);
    if (status != LLAVAOV_OK)
        return status;
    if ((unsigned)remote->layout > LLAVAOV_REMOTE_LAYOUT_IMAGES)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "remote-layout",
            "remote-layout %d does not exist", (int)remote->layout);
    if ((unsigned)remote->picture > LLAVAOV_REMOTE_PICTURE_JPEG)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "remote-picture",
            "remote-picture %d does not exist", (int)remote->picture);
    return LLAVAOV_OK;
}

LlavaovStatus llavaov_remote_check(const LlavaovRemoteOptions *options, LlavaovError *error)
{
    LlavaovRemoteOptions known;
    LvRemote *remote = NULL;
    LlavaovStatus status = read(options, &known, error);
    if (status == LLAVAOV_OK)
        status = lv_remote_open(&known, &remote, error);
    lv_remote_close(remote);
    return status;
}

LlavaovStatus lv_engine_open_remote(
    LlavaovEngine *engine, const LlavaovEngineOptions *options, LlavaovError *error)
{
    LlavaovRemoteOptions remote;
    LlavaovStatus status = read(options->remote, &remote, error);
    if (status != LLAVAOV_OK)
        return status;
    status = lv_remote_open(&remote, &engine->remote, error);
    if (status != LLAVAOV_OK)
        return status;
    engine->backend = lv_calloc(1, sizeof *engine->backend);
    engine->model = lv_calloc(1, sizeof *engine->model);
    if (!engine->backend || !engine->model)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an engine");
    engine->backend->ops = &no_ops;
    engine->backend->info = (LvBackendInfo){.device = "remote",
        .detail = "computed by servers",
        .activation_dtype = LV_F32,
        .preferred_tiles = 1,
        .preferred_rows = 1,
        .preferred_sequences = 1};
    engine->model->backend = engine->backend;
    engine->model->config = lv_checkpoint_config(engine->checkpoint);
    return LLAVAOV_OK;
}
