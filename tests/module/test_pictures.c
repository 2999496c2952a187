/* SPDX-License-Identifier: Apache-2.0
 * Frames whose pictures the CUDA backend takes: embeddings are those of tiles from the host, bit by
 * bit, and what the backend cannot take goes the host's way. Argument: the stand-in module; without
 * it a GPU runs what needs no stand-in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pictures.h"

/* The same pictures twice, the second time as tiles from the host. */
static void same_both_ways(const Kind *kinds, size_t n, LlavaovLayout layout, unsigned taken)
{
    float *values[2][MOST_KINDS];
    size_t sizes[2][MOST_KINDS];
    for (int way = 0; way < 2; way++) {
        renew_session();
        watch.deny = way == 1;
        encode_all(kinds, n, layout, way ? 0 : taken, values[way], sizes[way]);
    }
    watch.deny = false;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(sizes[0][i], sizes[1][i]);
        assert_true(sizes[0][i] > 0);
        if (memcmp(values[0][i], values[1][i], sizes[0][i] * sizeof(float)) != 0)
            fail_msg("layout %d: picture %zu, format %d, %ux%u", layout, i, kinds[i].format,
                kinds[i].width, kinds[i].height);
        free(values[0][i]);
        free(values[1][i]);
    }
}

/* Every format with every size, with every resize and precision. */
static void a_picture_gives_what_its_tile_gives(void **state)
{
    static const uint32_t sizes[][2] = {
        {TILE, TILE}, {57, 43}, {320, 180}, {1, 1}, {64, 480}, {33, TILE}, {641, 363}};
    unsigned number = 0;
    for (unsigned engine = 0; engine < 4; engine++) {
        open_engine(engine & 1 ? LLAVAOV_PRECISION_BF16 : LLAVAOV_PRECISION_F32,
            engine & 2 ? LLAVAOV_RESIZE_PILLOW : LLAVAOV_RESIZE_TORCHVISION, "");
        for (unsigned format = LLAVAOV_PIXEL_I420; format <= LLAVAOV_PIXEL_BGRX; format++)
            for (unsigned i = format + engine; i < format + engine + 7; i += 2) {
                const uint32_t *size = sizes[i % 7];
                const Kind kind = {(LlavaovPixelFormat)format, size[0], size[1], number++};
                same_both_ways(
                    &kind, 1, number & 1 ? LLAVAOV_LAYOUT_VIDEO : LLAVAOV_LAYOUT_IMAGES, 1);
            }
        close_engine();
    }
    assert_true(number >= 100);
}

/* One that is too large among others: its tile stands between pictures. */
static void a_batch_mixes_pictures_and_tiles(void **state)
{
    const Kind kinds[] = {{LLAVAOV_PIXEL_NV12, 640, 360, 1}, {LLAVAOV_PIXEL_RGB, 3840, 2200, 2},
        {LLAVAOV_PIXEL_BGRX, 99, 55, 3}, {LLAVAOV_PIXEL_I420, 320, 241, 4}};
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    same_both_ways(kinds, 4, LLAVAOV_LAYOUT_VIDEO, 3);
    close_engine();
}

/* ---- several sessions ---- */

enum { SHARERS = 5 };

/* Pictures of the backend beside tiles of the host: one that is too large, and a single image's. */
static const struct {
    Kind kind;
    LlavaovLayout layout;
    int session;
} sharers[SHARERS] = {
    {{LLAVAOV_PIXEL_NV12, 640, 360, 1}, LLAVAOV_LAYOUT_VIDEO, 0},
    {{LLAVAOV_PIXEL_RGB, 120, 70, 2}, LLAVAOV_LAYOUT_IMAGE, 0},
    {{LLAVAOV_PIXEL_BGRX, 99, 55, 3}, LLAVAOV_LAYOUT_IMAGES, 1},
    {{LLAVAOV_PIXEL_RGB, 3840, 2200, 4}, LLAVAOV_LAYOUT_VIDEO, 1},
    {{LLAVAOV_PIXEL_I420, 320, 241, 5}, LLAVAOV_LAYOUT_VIDEO, 2},
};

/* All of them in one call. */
static void share(LlavaovSession *const *sessions, float **values, size_t *sizes)
{
    Shot shots[SHARERS], first;
    push_held(&first, HOLD_BEFORE);
    const unsigned calls = watch.calls, pictures = watch.pictures, tiles = watch.tiles;
    for (int i = 0; i < SHARERS; i++)
        push_to(sessions[sharers[i].session], &shots[i], sharers[i].kind, sharers[i].layout,
            LLAVAOV_ENCODE_ON_ARRIVAL);
    for (int i = 0; i < SHARERS; i++)
        wait_prepared(&shots[i]);
    let_go();
    for (int i = 0; i < SHARERS; i++)
        values[i] = embeddings(&shots[i], &sizes[i]);
    wait_settled(&first);
    drop(&first);
    assert_int_equal(watch.calls - calls, 1);
    assert_int_equal(watch.pictures - pictures, 3);
    assert_uint_in_range(watch.tiles - tiles, 4, 28);
}

/* What they give in a call of one session, which has as many rows. */
static void sessions_share_a_call(void **state)
{
    for (int precision = LLAVAOV_PRECISION_F32; precision <= LLAVAOV_PRECISION_BF16; precision++) {
        float *one[SHARERS], *many[SHARERS];
        size_t sizes[2][SHARERS];
        LlavaovSession *sessions[3];
        const LlavaovSessionOptions options = {.size = sizeof options, .on_frame = on_frame};
        open_engine((LlavaovPrecision)precision, LLAVAOV_RESIZE_TORCHVISION, "");
        for (int i = 0; i < 3; i++)
            sessions[i] = watch.session;
        share(sessions, one, sizes[0]);
        for (int i = 0; i < 3; i++)
            assert_int_equal(
                llavaov_session_open(watch.engine, &options, &sessions[i], NULL), LLAVAOV_OK);
        share(sessions, many, sizes[1]);
        for (int i = 0; i < SHARERS; i++) {
            assert_int_equal(sizes[1][i], sizes[0][i]);
            assert_memory_equal(many[i], one[i], sizes[0][i] * sizeof(float));
            free(one[i]);
            free(many[i]);
        }
        for (int i = 0; i < 3; i++)
            llavaov_session_close(sessions[i]);
        close_engine();
    }
}

/* ---- what goes the host's way ---- */

static void tiles_of_the_host(Kind kind, LlavaovLayout layout, LlavaovEncode encode, unsigned n)
{
    Shot shot;
    size_t size;
    const unsigned pictures = watch.pictures, tiles = watch.tiles;
    push(&shot, kind, layout, encode);
    if (encode == LLAVAOV_ENCODE_ON_ARRIVAL) {
        free(embeddings(&shot, &size));
        assert_int_equal(watch.tiles - tiles, n);
    } else {
        wait_prepared(&shot);
        assert_int_equal(waiting(), n * TILE_BYTES);
        drop(&shot);
    }
    assert_int_equal(watch.pictures, pictures);
    assert_int_equal(waiting(), 0);
}

static void others_go_the_hosts_way(void **state)
{
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    const LlavaovEncode now = LLAVAOV_ENCODE_ON_ARRIVAL, later = LLAVAOV_ENCODE_ON_DEMAND;
    LvAnyresPlan plan;
    const Kind kind = {LLAVAOV_PIXEL_NV12, 120, 70, 1}, tall = {LLAVAOV_PIXEL_RGB, 480, 16384, 2};
    assert_int_equal(
        lv_anyres_plan(watch.engine->model->config, kind.width, kind.height, &plan, NULL), 0);
    assert_true(plan.n_tiles > 2);
    tiles_of_the_host(kind, LLAVAOV_LAYOUT_IMAGE, now, plan.n_tiles);
    tiles_of_the_host(kind, LLAVAOV_LAYOUT_VIDEO, later, 1);
    tiles_of_the_host(tall, LLAVAOV_LAYOUT_VIDEO, now, 1); /* the rows between the passes */
    close_engine();
}

/* An invalid picture fails its frame as it does on the host. */
static void a_broken_picture_is_named(void **state)
{
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    Shot shot;
    draw(&shot, (Kind){LLAVAOV_PIXEL_NV12, 32, 32, 0});
    shot.image.stride[1] = 31;
    const LlavaovFrameSource source = source_of(&shot);
    assert_int_equal(
        llavaov_session_push_frame(watch.session, &source, &shot.frame, NULL), LLAVAOV_OK);
    wait_settled(&shot);
    assert_true(shot.failed);
    assert_int_equal(shot.frame->error.status, LLAVAOV_ERROR_ARGUMENT);
    assert_string_equal(
        shot.frame->error.message, "stride 31 of plane 1 cannot hold rows of 32 bytes");
    drop(&shot);
    close_engine();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest anywhere[] = {
        cmocka_unit_test(a_picture_gives_what_its_tile_gives),
        cmocka_unit_test(a_batch_mixes_pictures_and_tiles),
        cmocka_unit_test(others_go_the_hosts_way),
        cmocka_unit_test(a_broken_picture_is_named),
    };
    const struct CMUnitTest on_the_standin[] = {
        cmocka_unit_test(sessions_share_a_call),
    };
    if (argc > 1 && !load_standin(argv[1]))
        return 2;
    int failed =
        cmocka_run_group_tests(anywhere, write_picture_model, count ? NULL : remove_random_model);
    if (count)
        failed += cmocka_run_group_tests(on_the_standin, NULL, remove_random_model);
    return failed;
}
