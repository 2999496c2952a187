/* SPDX-License-Identifier: Apache-2.0
 * Where the module for NVIDIA GPUs is missing, foreign or without a device: "cuda" says so in one
 * line, "auto" takes the CPU and tells why. The folder with the modules made for this is the
 * argument, the module itself, where it is built, the second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/backend.h"

static const char *folder, *built;

static void use_module(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(setenv("LLAVAOV_CUDA_MODULE", path, 1), 0);
}

/* "cuda" fails with `status` and a line that holds `text`. */
static void refused(LlavaovStatus status, const char *text)
{
    static const char *const devices[] = {"cuda", "cuda:0", "cuda:7"};
    for (size_t i = 0; i < 3; i++) {
        LvBackendOptions options = {.device = devices[i], .threads = 1};
        LvBackend *backend = (LvBackend *)&options;
        LlavaovError error = {0};
        char start[32];
        snprintf(start, sizeof start, "device \"%s\": ", devices[i]);
        assert_int_equal(lv_backend_open(&options, &backend, &error), status);
        assert_null(backend);
        assert_int_equal(error.status, status);
        assert_string_equal(error.subject, "device");
        assert_int_equal(error.about, LLAVAOV_ABOUT_DEVICE);
        assert_memory_equal(error.message, start, strlen(start));
        assert_non_null(strstr(error.message, text));
        assert_null(strchr(error.message, '\n'));
        assert_int_equal(lv_backend_open(&options, &backend, NULL), status);
    }
}

/* "auto" takes the CPU and its detail line holds `text`. */
static void cpu_instead(const char *text)
{
    static const char *const devices[] = {"auto", "", NULL};
    for (size_t i = 0; i < 3; i++) {
        LvBackendOptions options = {.device = devices[i], .threads = 1};
        LvBackend *backend;
        LlavaovError error = {0};
        assert_int_equal(lv_backend_open(&options, &backend, &error), LLAVAOV_OK);
        assert_string_equal(backend->info.device, "cpu");
        assert_non_null(strstr(backend->info.detail, "; chosen because "));
        assert_non_null(strstr(backend->info.detail, text));
        assert_null(strstr(backend->info.detail, "device \""));
        assert_null(strchr(backend->info.detail, '\n'));
        backend->ops->close(backend);
    }
}

static void a_named_module_that_does_not_exist(void **state)
{
    use_module("no-such-module.so");
    refused(LLAVAOV_ERROR_UNSUPPORTED, "there is no CUDA module");
    refused(LLAVAOV_ERROR_UNSUPPORTED, "no-such-module.so");
    cpu_instead("no-such-module.so");
}

static void a_file_that_is_no_module(void **state)
{
    use_module("not-a-module.so");
    refused(LLAVAOV_ERROR_UNSUPPORTED, "cannot be loaded");
    cpu_instead("cannot be loaded");
}

static void a_module_of_another_build(void **state)
{
    use_module("other-build.so");
    refused(LLAVAOV_ERROR_UNSUPPORTED, "belongs to another build");
    cpu_instead("belongs to another build");
}

static void a_machine_without_a_device(void **state)
{
    use_module("no-device.so");
    refused(LLAVAOV_ERROR_DEVICE, "nothing to open here");
    cpu_instead("nothing to open here");
}

/* Too little memory on a device that is there is not a reason to compute elsewhere in silence. */
static void other_failures_are_not_hidden_by_auto(void **state)
{
    use_module("no-memory.so");
    refused(LLAVAOV_ERROR_MEMORY, "nothing to open here");
    LvBackendOptions options = {.device = "auto", .threads = 1};
    LvBackend *backend;
    LlavaovError error = {0};
    assert_int_equal(lv_backend_open(&options, &backend, &error), LLAVAOV_ERROR_MEMORY);
    assert_null(backend);
    assert_non_null(strstr(error.message, "nothing to open here"));
}

/* The module that is installed, on a machine whose kernel has no NVIDIA driver; else it must open
 * the first GPU. */
static void the_built_module(void **state)
{
    if (!built)
        skip();
    assert_int_equal(setenv("LLAVAOV_CUDA_MODULE", built, 1), 0);
    if (access("/dev/nvidiactl", F_OK) != 0) {
        refused(LLAVAOV_ERROR_DEVICE, "there is no NVIDIA driver");
        cpu_instead("there is no NVIDIA driver");
        return;
    }
    LvBackendOptions options = {.device = "auto", .threads = 1};
    LvBackend *backend;
    LlavaovError error = {0};
    if (lv_backend_open(&options, &backend, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    assert_string_equal(backend->info.device, "cuda:0");
    backend->ops->close(backend);
}

/* Test programs lie in no installation: where the build has no module, none is found. */
static void nothing_named(void **state)
{
    unsetenv("LLAVAOV_CUDA_MODULE");
    LvBackendOptions options = {.device = "auto", .threads = 1};
    LvBackend *backend;
    LlavaovError error = {0};
    assert_int_equal(lv_backend_open(&options, &backend, &error), LLAVAOV_OK);
    assert_true(
        strcmp(backend->info.device, "cpu") == 0 || strncmp(backend->info.device, "cuda:", 5) == 0);
    backend->ops->close(backend);
}

/* The CPU that is asked for by name gives no reasons. */
static void the_cpu_by_name(void **state)
{
    LvBackendOptions options = {.device = "cpu", .threads = 1};
    LvBackend *backend;
    LlavaovError error = {0};
    assert_int_equal(lv_backend_open(&options, &backend, &error), LLAVAOV_OK);
    assert_null(strstr(backend->info.detail, "chosen"));
    backend->ops->close(backend);
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    built = argc > 2 ? argv[2] : NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_named_module_that_does_not_exist),
        cmocka_unit_test(a_file_that_is_no_module),
        cmocka_unit_test(a_module_of_another_build),
        cmocka_unit_test(a_machine_without_a_device),
        cmocka_unit_test(other_failures_are_not_hidden_by_auto),
        cmocka_unit_test(the_built_module),
        cmocka_unit_test(nothing_named),
        cmocka_unit_test(the_cpu_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
