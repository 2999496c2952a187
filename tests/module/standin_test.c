/* SPDX-License-Identifier: Apache-2.0 */
#include "standin_test.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

LvStandinCount count;
LvStandinFailAlloc fail_alloc;
const char *demo_model;
char random_model[] = "/tmp/llavaov-standin-XXXXXX";

bool load_standin(const char *path)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        return false;
    setenv("LLAVAOV_CUDA_MODULE", path, 1);
    setenv("LLAVAOV_STANDIN", "", 1);
    count = (LvStandinCount)(uintptr_t)dlsym(module, "lv_standin_counts");
    fail_alloc = (LvStandinFailAlloc)(uintptr_t)dlsym(module, "lv_standin_fail_alloc");
    return count && fail_alloc;
}

bool take_standin(int argc, char **argv)
{
    demo_model = argc == 3 ? argv[2] : NULL;
    return argc == 3 && load_standin(argv[1]);
}

int write_random_model(const LvWriterSpec *spec)
{
    LlavaovError error;
    if (!mkdtemp(random_model))
        return -1;
    if (lv_write_checkpoint(random_model, spec, &error) == LLAVAOV_OK)
        return 0;
    fprintf(stderr, "%s\n", error.message);
    return -1;
}

int remove_random_model(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", random_model);
    return system(command);
}
