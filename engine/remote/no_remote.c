/* SPDX-License-Identifier: Apache-2.0
 * In place of remote.c and payload.c in a build without the libraries that they need. */
#include "base/status.h"
#include "remote/payload.h"
#include "remote/remote.h"

static LlavaovStatus lacking(LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "device",
        "device=remote: this build cannot ask servers, since libcurl, libpng or libjpeg was "
        "missing "
        "when it was made. Install libcurl4-openssl-dev, libpng-dev and libjpeg62-turbo-dev and "
        "build again with -Dremote=enabled");
}

LlavaovStatus lv_remote_open(
    const LlavaovRemoteOptions *options, LvRemote **remote, LlavaovError *error)
{
    *remote = NULL;
    return lacking(error);
}

void lv_remote_close(LvRemote *remote)
{
}

const LlavaovRemoteOptions *lv_remote_options(const LvRemote *remote)
{
    return NULL;
}

LlavaovStatus lv_remote_ask(
    LvRemote *remote, const LvRemoteAsk *ask, LvRemoteCall **call, LlavaovError *error)
{
    *call = NULL;
    return lacking(error);
}

void lv_remote_drop(LvRemote *remote, LvRemoteCall *call)
{
}

void lv_remote_run(LvRemote *remote, uint64_t most_ns)
{
}

void lv_remote_wake(LvRemote *remote)
{
}

void lv_remote_set_times(LvRemote *remote, const LvRemoteTimes *times)
{
}

LlavaovStatus lv_payload_make(LlavaovRemotePicture kind, const uint8_t *rgb, uint32_t width,
    uint32_t height, LvPayload *payload, LlavaovError *error)
{
    *payload = (LvPayload){0};
    return lacking(error);
}

void lv_payload_free(LvPayload *payload)
{
}

void lv_base64(const uint8_t *bytes, size_t n, char *out)
{
}
