/* SPDX-License-Identifier: Apache-2.0
 * Whole checkpoint folders: every layout, and what happens to damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "checkpoint/checkpoint.h"
#include "folder.h"

static void every_layout_opens_alike(void **state)
{
    static const char *const layouts[] = {
        "layout=a", "layout=bare", "layout=b1", "layout=b2", "layout=c"};
    uint64_t bytes = 0;
    char *expected = NULL;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        Folder folder;
        folder_write(&folder, layouts[i]);
        LvCheckpoint *checkpoint;
        LlavaovError error = {0};
        if (lv_checkpoint_open(folder.path, &checkpoint, &error))
            fail_msg("%s: %s", layouts[i], error.message);
        const LvHostTensor *tensor =
            lv_checkpoint_tensor(checkpoint, "V.encoder.layers.1.self_attn.q_proj.weight");
        assert_non_null(tensor);
        assert_int_equal(tensor->dtype, LV_F16);
        assert_int_equal(tensor->bytes, 32 * 32 * 2);
        if (!expected) {
            expected = malloc(tensor->bytes);
            memcpy(expected, tensor->data, tensor->bytes);
            bytes = lv_checkpoint_weight_bytes(checkpoint);
        }
        assert_memory_equal(tensor->data, expected, tensor->bytes);
        assert_int_equal(lv_checkpoint_weight_bytes(checkpoint), bytes);
        assert_non_null(lv_checkpoint_tensor(checkpoint, "P.linear_2.bias"));
        assert_non_null(lv_checkpoint_tensor(checkpoint, "NL"));
        assert_non_null(lv_checkpoint_tensor(checkpoint, "HEAD.weight"));
        assert_null(lv_checkpoint_tensor(checkpoint, "V.post_layernorm.weight"));
        assert_null(lv_checkpoint_tensor(checkpoint, "no such name"));
        lv_checkpoint_close(checkpoint);
        folder_remove(&folder);
    }
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_opens_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
