/* SPDX-License-Identifier: Apache-2.0
 * A backend for tests: the CPU backend with injected latency, failures and wrong answers.
 *
 * device = "fake:KEY=VALUE;KEY=VALUE;...", any number of
 *
 *   OP-us=N        every call of operation OP takes N microseconds longer
 *   encode-ms=N    every patch_embedding call (one call an encode) takes N ms longer
 *   prefill-ms=N   every pass of a batch in which some sequence has several rows takes N ms longer
 *   token-ms=N     every pass of a batch of single rows (a decoding step) takes N ms longer
 *   load-ms=N      every weight_load takes N ms longer
 *   fail=OP@N      the N-th call of OP (from 1) fails with LLAVAOV_ERROR_DEVICE
 *   memory=OP@N    ... with LLAVAOV_ERROR_MEMORY
 *   nan=OP@N       the N-th call of OP leaves NaN in its first output
 *   zero=OP@N      the N-th call of OP leaves zeros: a wrong answer that looks sound
 *   lost-after=N   after N operations the device is lost: every one fails with LLAVAOV_ERROR_DEVICE
 *   fail-open=memory|device   opening fails so
 *
 * OP is a name in LvBackendOps from patch_embedding to linear_gated, or weight_load, tensor_alloc,
 * kv_open, upload, download. fail, memory, nan and zero may be given several times. Added time is
 * slept in short pieces that poll the operation's cancel flag. "fake" alone is the CPU backend
 * under another name. Anything else is LLAVAOV_ERROR_ARGUMENT with the part that is not understood.
 * Counting is thread-safe; other rules are those of backend.h. */
#ifndef LV_FAKE_H
#define LV_FAKE_H

#include "backend/backend.h"

#define LV_FAKE_MAX_RULES 32

#endif
