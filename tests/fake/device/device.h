/* SPDX-License-Identifier: Apache-2.0
 * The fake as a device: the CPU backend with injected latency, failures and wrong answers. What
 * links it has it as lv_extra_backend (backend/backend.h). Beside the keys of script.h,
 *
 *   OP-us=N        every call of operation OP takes N microseconds longer
 *   prefill-ms=N   every pass of a batch in which some sequence has several rows takes N ms longer
 *   token-ms=N     every pass of a batch of single rows (a decoding step) takes N ms longer
 *   fail=OP@N      the N-th call of OP (from 1) fails with LLAVAOV_ERROR_DEVICE
 *   memory=OP@N    ... with LLAVAOV_ERROR_MEMORY
 *   nan=OP@N       the N-th call of OP leaves NaN in its first output
 *   zero=OP@N      the N-th call of OP leaves zeros: a wrong answer that looks sound
 *   lost-after=N   after N operations the device is lost: every one fails with LLAVAOV_ERROR_DEVICE
 *
 * OP is a name in LvBackendOps from patch_embedding to linear_gated, or weight_load, tensor_alloc,
 * kv_open, kv_fork, upload, download. fail, memory, nan and zero may be given several times. Added
 * time is slept in short pieces that poll the operation's cancel flag. Counting is thread-safe; other
 * rules are those of backend.h. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include "backend/backend.h"

/* What has a place in the script: the operations, then what is not one of a pass. */
/* clang-format off */
#define FAKE_OPERATIONS(M)                                                                         \
    M(patch_embedding) M(layer_norm) M(attention_full) M(pool_bilinear) M(pool_max)                \
    M(linear) M(gather_rows) M(copy)                                                               \
    M(embed_tokens) M(rms_norm) M(rope_store) M(attention_causal) M(linear_gated)                  \
    M(upload) M(download) M(weight_load) M(tensor_alloc) M(kept_tensor_alloc) M(kv_open) M(kv_fork)
/* clang-format on */
#define FAKE_NUMBER_OF(name) FAKE_##name,
enum { FAKE_OPERATIONS(FAKE_NUMBER_OF) FAKE_N_OPERATIONS };

typedef enum FakeEffect { FAKE_FAIL, FAKE_NO_MEMORY, FAKE_NAN, FAKE_ZERO } FakeEffect;

typedef struct FakeRule {
    FakeEffect effect;
    int operation;
    uint64_t call;
} FakeRule;

#define FAKE_MAX_RULES 32

typedef struct FakeDevice {
    LvBackend base;
    LvBackend *inner;
    char detail[528];
    _Atomic uint64_t calls[FAKE_N_OPERATIONS], total;
    uint64_t delay_us[FAKE_N_OPERATIONS];
    uint64_t prefill_ms, token_ms, lost_after;
    size_t n_rules;
    FakeRule rules[FAKE_MAX_RULES];
} FakeDevice;

/* The CPU's operations, with what the script wants around them (device_ops.c). */
extern const LvBackendOps fake_device_ops;
extern const char *const fake_operation_names[FAKE_N_OPERATIONS];

#endif
