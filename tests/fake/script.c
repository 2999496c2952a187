/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

bool fake_is_device(const char *device)
{
    return device && strncmp(device, "fake", 4) == 0 && (device[4] == ':' || !device[4]);
}

bool fake_number(const char *text, uint64_t *value)
{
    if (*text < '0' || *text > '9' || strlen(text) > 12)
        return false;
    char *end;
    *value = strtoull(text, &end, 10);
    return *end == '\0';
}

static bool read_status(const char *name, LlavaovStatus *status)
{
    for (*status = LLAVAOV_ERROR_NOT_FOUND; *status >= LLAVAOV_ERROR_LATE; (*status)--)
        if (strcmp(llavaov_status_name(*status), name) == 0)
            return true;
    return false;
}

static bool read_value(const FakeKey *key, const char *text)
{
    switch (key->kind) {
    case FAKE_NUMBER:
        return fake_number(text, key->value);
    case FAKE_STATUS:
        return read_status(text, key->value);
    case FAKE_TEXT:
        return snprintf(key->value, FAKE_TEXT_SIZE, "%s", text) < FAKE_TEXT_SIZE;
    }
    return false;
}

LlavaovStatus fake_read(const char *device, const FakeKey *keys,
    bool (*other)(void *data, const char *key, const char *value), void *data, LlavaovError *error)
{
    char *copy = strdup(device[4] ? device + 5 : ""), *rest = copy;
    if (!copy)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the fake's script");
    LlavaovStatus status = LLAVAOV_OK;
    while (rest && status == LLAVAOV_OK) {
        char *name = rest, *end = strchr(rest, ';');
        rest = end ? end + 1 : NULL;
        if (end)
            *end = '\0';
        if (!*name)
            continue;
        char *value = strchr(name, '=');
        if (value)
            *value++ = '\0';
        const FakeKey *key = keys;
        while (key->name && strcmp(key->name, name) != 0)
            key++;
        if (!value || !(key->name ? read_value(key, value) : other && other(data, name, value)))
            status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_DEVICE, "device",
                "the fake: \"%s%s%s\" is not understood", name, value ? "=" : "",
                value ? value : "");
    }
    free(copy);
    return status;
}
