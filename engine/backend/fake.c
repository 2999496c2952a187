/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/backend.h"

#include "base/status.h"

LlavaovStatus lv_backend_fake_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    return lv_fail(
        error, LLAVAOV_ERROR_UNSUPPORTED, "device", "the fake backend is not written yet");
}
