/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/payload.h"

#include "base/alloc.h"
#include "base/status.h"

#if LV_REMOTE_BUILT
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>

#define JPEG_QUALITY 90

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a picture to be sent");
}

static LlavaovStatus write_out(
    const uint8_t *bytes, size_t n, LvPayload *payload, LlavaovError *error)
{
    const size_t length = 4 * ((n + 2) / 3);
    payload->base64 = lv_alloc(length + 1, 1);
    if (!payload->base64)
        return no_memory(error);
    lv_base64(bytes, n, payload->base64);
    payload->base64[length] = '\0';
    payload->n = length;
    return LLAVAOV_OK;
}

static LlavaovStatus make_png(
    const uint8_t *rgb, uint32_t width, uint32_t height, LvPayload *payload, LlavaovError *error)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGB};
    image.flags = PNG_IMAGE_FLAG_FAST;
    png_alloc_size_t n = PNG_IMAGE_PNG_SIZE_MAX(image);
    uint8_t *bytes = lv_alloc(n, 1);
    if (!bytes)
        return no_memory(error);
    LlavaovStatus status = png_image_write_to_memory(&image, bytes, &n, 0, rgb, 0, NULL)
                               ? write_out(bytes, n, payload, error)
                               : lv_fail(error, LLAVAOV_ERROR_INTERNAL, NULL,
                                     "a picture cannot be coded: %s", image.message);
    lv_free(bytes);
    return status;
}

/* libjpeg ends the process on an error unless it is told where to go on. */
typedef struct JpegErrors {
    struct jpeg_error_mgr manager;
    jmp_buf back;
} JpegErrors;

static void leave_jpeg(j_common_ptr info)
{
    longjmp(((JpegErrors *)info->err)->back, 1);
}

static void say_nothing(j_common_ptr info)
{
}

static LlavaovStatus make_jpeg(
    const uint8_t *rgb, uint32_t width, uint32_t height, LvPayload *payload, LlavaovError *error)
{
    struct jpeg_compress_struct info;
    JpegErrors errors;
    unsigned char *bytes = NULL;
    unsigned long n = 0;
    LlavaovStatus status;
    info.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = leave_jpeg;
    errors.manager.output_message = say_nothing;
    if (setjmp(errors.back)) {
        jpeg_destroy_compress(&info);
        return no_memory(error);
    }
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, &n);
    info.image_width = width;
    info.image_height = height;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, JPEG_QUALITY, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < height) {
        JSAMPROW row = (JSAMPROW)(rgb + (size_t)info.next_scanline * width * 3);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    status = write_out(bytes, n, payload, error);
    free(bytes);
    return status;
}

LlavaovStatus lv_payload_make(LlavaovRemotePicture kind, const uint8_t *rgb, uint32_t width,
    uint32_t height, LvPayload *payload, LlavaovError *error)
{
    *payload = (LvPayload){0};
    return kind == LLAVAOV_REMOTE_PICTURE_JPEG ? make_jpeg(rgb, width, height, payload, error)
                                               : make_png(rgb, width, height, payload, error);
}
#else
LlavaovStatus lv_payload_make(LlavaovRemotePicture kind, const uint8_t *rgb, uint32_t width,
    uint32_t height, LvPayload *payload, LlavaovError *error)
{
    *payload = (LvPayload){0};
    return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "device",
        "device=remote: this build has no libpng and no libjpeg");
}
#endif

void lv_payload_free(LvPayload *payload)
{
    lv_free(payload->base64);
    *payload = (LvPayload){0};
}

void lv_base64(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const uint32_t three = (uint32_t)bytes[i] << 16 |
                               (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                               (left > 2 ? bytes[i + 2] : 0);
        *out++ = digits[three >> 18];
        *out++ = digits[three >> 12 & 63];
        *out++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[three & 63] : '=';
    }
}
