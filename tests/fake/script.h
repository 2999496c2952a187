/* SPDX-License-Identifier: Apache-2.0
 * The fake, of which no part is in the library: what a test wants to go slowly or wrong stands in
 * the device string,
 *
 *   device = "fake:KEY=VALUE;KEY=VALUE;..."      "fake" and "fake:" want nothing
 *
 * It stands in at one of two places, each with more keys and a plugin of its own:
 *
 * - device/device.h: a device below the real engine, the CPU with latency, failures and wrong
 *   answers. Tests of the engine link it, too.
 * - engine/engine.h: in the place of the engine, an answer says what was asked.
 *
 * Neither plugin is installed. For both,
 *
 *   load-error=STATUS   loading fails with this status (llavaov_status_name)
 *
 * and anything that is not understood is LLAVAOV_ERROR_ARGUMENT, naming it. */
#ifndef FAKE_SCRIPT_H
#define FAKE_SCRIPT_H

#include "llavaov.h"

/* Where the values of a key go. */
typedef struct FakeKey {
    const char *name;
    enum { FAKE_NUMBER, FAKE_STATUS, FAKE_TEXT } kind;
    void *value; /* uint64_t, LlavaovStatus, char [FAKE_TEXT_SIZE] */
} FakeKey;

#define FAKE_TEXT_SIZE 64

/* Whether the fake is meant. */
bool fake_is_device(const char *device);
/* Reads "fake[:...]": keys end in one without a name; `other`, which may be NULL, gets what is not
 * among them and says whether it understood. Errors: ARGUMENT, MEMORY. */
LlavaovStatus fake_read(const char *device, const FakeKey *keys,
    bool (*other)(void *data, const char *key, const char *value), void *data, LlavaovError *error);
/* Digits alone. */
bool fake_number(const char *text, uint64_t *value);

#endif
