/* SPDX-License-Identifier: Apache-2.0 */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

json_t *golden_load(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", TEST_DATA, name);
    json_error_t error;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!root)
        fail_msg("%s: %s", path, error.text);
    return root;
}

LvTokenizer *golden_tokenizer(void)
{
    LvTokenizer *tokenizer;
    LlavaovError error = {0};
    if (lv_tokenizer_open(TEST_DATA "/tokenizer.json", &tokenizer, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    return tokenizer;
}
