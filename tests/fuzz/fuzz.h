/* SPDX-License-Identifier: Apache-2.0
 * What a fuzz target defines. The same source is built with libFuzzer (./dev fuzz) and with
 * replay.c (every test run). */
#ifndef LV_FUZZ_H
#define LV_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0. data is not NUL-terminated, and may be NULL when size is 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Evaluated at run time whatever NDEBUG says: a broken promise of the code under test ends the
 * program. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

#endif
