/* SPDX-License-Identifier: Apache-2.0 */
#include "base/structs.h"

#include <string.h>

#include "base/status.h"

static LlavaovStatus size_of(const void *given, const char *name, size_t *size, LlavaovError *error)
{
    memcpy(size, given, sizeof *size);
    if (*size < sizeof *size || *size > LV_MAX_STRUCT_BYTES)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "size",
            "%s.size is %zu; set it to sizeof(%s)", name, *size, name);
    return LLAVAOV_OK;
}

LlavaovStatus lv_struct_read(
    void *to, size_t bytes, const void *from, const char *name, LlavaovError *error)
{
    size_t size;
    LlavaovStatus status = size_of(from, name, &size, error);
    if (status != LLAVAOV_OK)
        return status;
    memset(to, 0, bytes);
    memcpy(to, from, size < bytes ? size : bytes);
    memcpy(to, &bytes, sizeof bytes);
    for (size_t i = bytes; i < size; i++)
        if (((const unsigned char *)from)[i])
            return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, name,
                "%s has a member set that llavaov %s does not know; a later version is needed",
                name, LLAVAOV_VERSION);
    return LLAVAOV_OK;
}

LlavaovStatus lv_struct_write(
    void *to, const void *from, size_t bytes, const char *name, LlavaovError *error)
{
    size_t size;
    LlavaovStatus status = size_of(to, name, &size, error);
    if (status != LLAVAOV_OK)
        return status;
    memset(to, 0, size);
    memcpy(to, from, size < bytes ? size : bytes);
    memcpy(to, &size, sizeof size);
    return LLAVAOV_OK;
}
