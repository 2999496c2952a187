/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/device.h"

#include <string.h>

#include "base/status.h"

/* A part of a device string. */
typedef struct LvDevicePart {
    const char *text;
    size_t n;
} LvDevicePart;

static bool is(LvDevicePart part, const char *word)
{
    return part.n == strlen(word) && memcmp(part.text, word, part.n) == 0;
}

static bool begins(LvDevicePart part, const char *word)
{
    return part.n >= strlen(word) && memcmp(part.text, word, strlen(word)) == 0;
}

/* Digits alone, at most `most`. */
static bool number(LvDevicePart part, uint32_t most, uint32_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < part.n; i++) {
        if (part.text[i] < '0' || part.text[i] > '9' || sum > most)
            return false;
        sum = 10 * sum + (uint64_t)(part.text[i] - '0');
    }
    *value = (uint32_t)sum;
    return part.n > 0 && sum <= most;
}

static LlavaovStatus refuse(
    const char *text, LvDevicePart part, const char *hint, LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_DEVICE, "device",
        "device=\"%.300s\": \"%.*s\" is not understood; %s", text,
        (int)(part.n > 100 ? 100 : part.n), part.text, hint);
}

static LlavaovStatus read_name(
    const char *text, LvDevicePart name, LvDevice *device, LlavaovError *error)
{
    if (is(name, "auto") || is(name, "")) {
        device->kind = LV_DEVICE_AUTO;
        return LLAVAOV_OK;
    }
    if (is(name, "cpu")) {
        device->kind = LV_DEVICE_CPU;
        return LLAVAOV_OK;
    }
    if (is(name, "remote")) {
        device->kind = LV_DEVICE_REMOTE;
        return LLAVAOV_OK;
    }
    device->kind = LV_DEVICE_CUDA;
    if (is(name, "cuda"))
        return LLAVAOV_OK;
    if (begins(name, "cuda:") &&
        number((LvDevicePart){name.text + 5, name.n - 5}, INT32_MAX, &device->number))
        return LLAVAOV_OK;
    return refuse(text, name, "use \"auto\", \"cpu\", \"cuda\", \"cuda:N\" or \"remote\"", error);
}

static LlavaovStatus read_option(
    const char *text, LvDevicePart option, LvDevice *device, LlavaovError *error)
{
    const struct {
        const char *name, *word, *other; /* `word` sets it */
        bool *set;
        const char *hint;
    } switches[] = {{"graphs=", "off", "on", &device->no_graphs, "graphs is on or off"},
        {"overlap=", "off", "on", &device->no_overlap, "overlap is on or off"},
        {"plans=", "timed", "first", &device->timed_plans, "plans is first or timed"},
        {"attention=", "wgmma", "mma", &device->wgmma, "attention is mma or wgmma"},
        {"gate=", "fused", "apart", &device->fused_gate, "gate is apart or fused"},
        {"encoder=", "graph", "launches", &device->encoder_graph, "encoder is launches or graph"}};
    const struct {
        const char *name;
        uint32_t least, most, *value;
        const char *hint;
    } numbers[] = {{"rows=", 1, 65536, &device->rows, "rows is 1 to 65536"},
        {"slice-us=", 0, 1000000, &device->slice_us, "slice-us is 0 to 1000000"},
        {"warm-ms=", 0, 60000, &device->warm_ms, "warm-ms is 0 to 60000"}};
    if (device->kind == LV_DEVICE_CPU || device->kind == LV_DEVICE_REMOTE)
        return refuse(text, option,
            device->kind == LV_DEVICE_CPU ? "\"cpu\" has no options"
                                          : "\"remote\" has no options: properties do, remote-...",
            error);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if (!begins(option, switches[i].name))
            continue;
        const size_t n = strlen(switches[i].name);
        const LvDevicePart value = {option.text + n, option.n - n};
        *switches[i].set = is(value, switches[i].word);
        return *switches[i].set || is(value, switches[i].other)
                   ? LLAVAOV_OK
                   : refuse(text, option, switches[i].hint, error);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!begins(option, numbers[i].name))
            continue;
        const size_t n = strlen(numbers[i].name);
        uint32_t value;
        if (!number((LvDevicePart){option.text + n, option.n - n}, numbers[i].most, &value) ||
            value < numbers[i].least)
            return refuse(text, option, numbers[i].hint, error);
        *numbers[i].value = value;
        return LLAVAOV_OK;
    }
    return refuse(text, option,
        "options are graphs=on|off, overlap=on|off, plans=first|timed, attention=mma|wgmma, "
        "gate=apart|fused, encoder=launches|graph, rows=N, slice-us=N and warm-ms=N",
        error);
}

LlavaovStatus lv_device_parse(const char *text, LvDevice *device, LlavaovError *error)
{
    *device = (LvDevice){
        .rows = LV_DEVICE_UNSET, .slice_us = LV_DEVICE_UNSET, .warm_ms = LV_DEVICE_UNSET};
    if (!text)
        text = "";
    LvDevicePart part = {text, strcspn(text, ";")};
    LlavaovStatus status = read_name(text, part, device, error);
    while (status == LLAVAOV_OK && part.text[part.n] == ';') {
        part.text += part.n + 1;
        part.n = strcspn(part.text, ";");
        status = read_option(text, part, device, error);
    }
    return status;
}
