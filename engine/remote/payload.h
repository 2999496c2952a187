/* SPDX-License-Identifier: Apache-2.0
 * Pictures as a request carries them: coded, and written in base64. Thread-safe. */
#ifndef LV_PAYLOAD_H
#define LV_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"

typedef struct LvPayload {
    char *base64; /* NUL-terminated; owned */
    size_t n;
} LvPayload;

/* rgb: width * height * 3 bytes. Errors: MEMORY; UNSUPPORTED where the build has no libpng or no
 * libjpeg. */
LlavaovStatus lv_payload_make(LlavaovRemotePicture kind, const uint8_t *rgb, uint32_t width,
    uint32_t height, LvPayload *payload, LlavaovError *error);
void lv_payload_free(LvPayload *payload);

/* Writes n bytes in base64 to out, 4 * ((n + 2) / 3) of them; no NUL. */
void lv_base64(const uint8_t *bytes, size_t n, char *out);

#endif
