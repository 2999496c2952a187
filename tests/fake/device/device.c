/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "../script.h"

static int operation_of(const char *name, size_t n)
{
    for (int i = 0; i < FAKE_N_OPERATIONS; i++)
        if (strlen(fake_operation_names[i]) == n && memcmp(fake_operation_names[i], name, n) == 0)
            return i;
    return -1;
}

/* EFFECT=OP@N and OP-us=N */
static bool read_of_operation(void *data, const char *key, const char *value)
{
    static const char *const effects[] = {"fail", "memory", "nan", "zero"};
    FakeDevice *fake = data;
    const size_t n = strlen(key);
    if (n > 3 && strcmp(key + n - 3, "-us") == 0) {
        const int operation = operation_of(key, n - 3);
        return operation >= 0 && fake_number(value, &fake->delay_us[operation]);
    }
    const char *at = strchr(value, '@');
    FakeRule rule = {.operation = at ? operation_of(value, (size_t)(at - value)) : -1};
    while (rule.effect <= FAKE_ZERO && strcmp(key, effects[rule.effect]) != 0)
        rule.effect++;
    if (rule.effect > FAKE_ZERO || rule.operation < 0 || !fake_number(at + 1, &rule.call) ||
        fake->n_rules == FAKE_MAX_RULES)
        return false;
    fake->rules[fake->n_rules++] = rule;
    return true;
}

static LlavaovStatus open_fake(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    FakeDevice *fake = lv_calloc(1, sizeof *fake);
    if (!fake)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the fake device");
    LlavaovStatus load_error = LLAVAOV_OK;
    const FakeKey keys[] = {{"load-error", FAKE_STATUS, &load_error},
        {"prefill-ms", FAKE_NUMBER, &fake->prefill_ms}, {"token-ms", FAKE_NUMBER, &fake->token_ms},
        {"lost-after", FAKE_NUMBER, &fake->lost_after}, {0}};
    fake->base.ops = &fake_device_ops;
    fake->lost_after = UINT64_MAX;
    LlavaovStatus status = fake_read(options->device, keys, read_of_operation, fake, error);
    if (status == LLAVAOV_OK && load_error != LLAVAOV_OK)
        status = lv_fail_about(
            error, load_error, LLAVAOV_ABOUT_DEVICE, "device", "opening failed (fake)");
    if (status == LLAVAOV_OK) {
        LvBackendOptions inner = *options;
        inner.device = "cpu";
        status = lv_backend_cpu_open(&inner, &fake->inner, error);
    }
    if (status != LLAVAOV_OK) {
        fake->base.ops->close(&fake->base);
        return status;
    }
    fake->base.info = fake->inner->info;
    snprintf(fake->detail, sizeof fake->detail, "fake: %s", fake->inner->info.detail);
    fake->base.info.device = "fake";
    fake->base.info.detail = fake->detail;
    *backend = &fake->base;
    return LLAVAOV_OK;
}

const LvExtraBackend lv_extra_backend = {fake_is_device, open_fake};
