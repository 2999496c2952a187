/* SPDX-License-Identifier: Apache-2.0
 * The memory of pictures that the CUDA backend takes: what waits is counted, bounded and comes
 * back; what goes wrong with them is named. Argument: the stand-in module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pictures.h"

/* ---- memory ---- */

/* The engine on the smallest device that works: one tile an encoder call, and so little room for
 * pictures. */
static void open_small(void)
{
    LlavaovError error;
    LlavaovStatus status = LLAVAOV_ERROR_MEMORY;
    for (unsigned mib = 32; status == LLAVAOV_ERROR_MEMORY && mib < 256; mib++) {
        char wishes[32];
        snprintf(wishes, sizeof wishes, "memory=%u", mib);
        status = try_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, wishes, &error);
    }
    assert_int_equal(status, LLAVAOV_OK);
    assert_int_equal(watch.engine->backend->info.preferred_tiles, 1);
}

/* Two of them fit (cuda.h, LV_PICTURE_PLACE), a third does not. */
static const Kind half = {LLAVAOV_PIXEL_NV12, 1440, 1200, 7};
#define HALF_BYTES (1440u * 1200 * 3 / 2)

static bool is_picture(const Shot *shot)
{
    pthread_mutex_lock(&watch.engine->lock);
    const bool picture = shot->frame->content->picture != NULL;
    assert_true(picture != (shot->frame->content->tiles.rgb != NULL));
    pthread_mutex_unlock(&watch.engine->lock);
    return picture;
}

static void push_waiting(Shot *shot, bool picture)
{
    push(shot, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
    wait_prepared(shot);
    assert_int_equal(is_picture(shot), picture);
}

/* All of the room can be taken at once: nobody holds any. */
static void all_room_is_free(void)
{
    const Kind whole = {LLAVAOV_PIXEL_NV12, 1600, 2400, 8}; /* 5.5 MiB */
    Shot shot;
    LvPicture *picture = NULL;
    LvBackend *b = watch.engine->backend;
    wait_quiet(true);
    draw(&shot, whole);
    assert_int_equal(watch.real->picture_take(b, &shot.image, LLAVAOV_LAYOUT_VIDEO,
                         LLAVAOV_RESIZE_TORCHVISION, watch.engine->model->config, &picture, NULL),
        LLAVAOV_OK);
    assert_non_null(picture);
    watch.real->picture_free(b, picture);
    watch.real->picture_free(b, NULL);
    source_of(&shot).unmap(&shot);
}

static void waiting_pictures_are_counted_and_bounded(void **state)
{
    open_small();
    Shot held, shots[4];
    push_held(&held, HOLD_BEFORE);
    const uint64_t before = waiting(); /* the one that is being encoded */
    push_waiting(&shots[0], true);
    push_waiting(&shots[1], true);
    const uint64_t two = waiting() - before;
    assert_uint_in_range(two, 2 * HALF_BYTES, 2 * HALF_BYTES + HALF_BYTES / 10);
    push_waiting(&shots[2], false); /* no room: its tile waits instead */
    assert_int_equal(waiting() - before, two + TILE_BYTES);
    drop(&shots[0]);
    assert_int_equal(waiting() - before, two / 2 + TILE_BYTES);
    push_waiting(&shots[3], true);
    let_go();
    wait_settled(&held);
    drop(&held);
    for (int i = 1; i < 4; i++) {
        wait_settled(&shots[i]);
        assert_true(shots[i].encoded);
    }
    assert_int_equal(waiting(), 0);
    all_room_is_free();
    for (int i = 1; i < 4; i++)
        drop(&shots[i]);
    close_engine();
}

static void cancelled_pictures_leave_nothing(void **state)
{
    for (Hold hold = HOLD_BEFORE; hold <= HOLD_AFTER; hold++) {
        open_small();
        Shot held, waits;
        push_held(&held, hold);
        push_waiting(&waits, true);
        llavaov_session_cancel(watch.session);
        wait_settled(&waits);
        assert_true(waits.failed);
        assert_int_equal(waits.frame->error.status, LLAVAOV_ERROR_CANCELLED);
        let_go();
        wait_settled(&held);
        assert_true(held.failed);
        assert_int_equal(held.frame->error.status, LLAVAOV_ERROR_CANCELLED);
        drop(&waits);
        drop(&held);
        wait_quiet(true);
        assert_int_equal(waiting(), 0);
        all_room_is_free();
        push(&waits, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
        wait_settled(&waits);
        assert_true(waits.encoded);
        drop(&waits);
        close_engine();
    }
}

static void closing_with_pictures_that_wait_leaves_nothing(void **state)
{
    open_small();
    Shot held, waits;
    push_held(&held, HOLD_AFTER);
    push_waiting(&waits, true);
    let_go();
    llavaov_session_close(watch.session);
    watch.session = NULL;
    all_room_is_free();
    drop(&held);
    drop(&waits);
    close_engine();
}

/* The call is held behind its first operation: closing does not wait for it, and what it had of the
 * closed session comes back with its end. */
static void closing_one_of_a_call_leaves_nothing(void **state)
{
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    const LlavaovSessionOptions options = {.size = sizeof options, .on_frame = on_frame};
    LlavaovSession *other;
    Shot first, stays, goes;
    assert_int_equal(llavaov_session_open(watch.engine, &options, &other, NULL), LLAVAOV_OK);
    push_held(&first, HOLD_BEFORE);
    push(&stays, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
    push_to(other, &goes, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
    wait_prepared(&stays);
    wait_prepared(&goes);
    hold_next(HOLD_AFTER);
    let_go();
    wait_held();
    llavaov_session_close(other);
    assert_true(goes.failed);
    drop(&goes);
    let_go();
    wait_settled(&stays);
    assert_true(stays.encoded);
    wait_quiet(true);
    assert_int_equal(waiting(), 0);
    drop(&stays);
    drop(&first);
    close_engine();
}

/* After the first round nothing is asked of the driver. */
static void steady_work_allocates_nothing(void **state)
{
    const Kind kinds[MOST_KINDS] = {{LLAVAOV_PIXEL_NV12, 640, 360, 1},
        {LLAVAOV_PIXEL_NV12, 640, 360, 2}, {LLAVAOV_PIXEL_I420, 300, 200, 3},
        {LLAVAOV_PIXEL_RGB, 64, 48, 4}, {LLAVAOV_PIXEL_RGB, 48, 64, 5},
        {LLAVAOV_PIXEL_NV12, 60, 60, 6}};
    float *values[MOST_KINDS];
    size_t sizes[MOST_KINDS];
    uint64_t after_first = 0;
    open_engine(LLAVAOV_PRECISION_BF16, LLAVAOV_RESIZE_TORCHVISION, "");
    for (size_t round = 0; round < 3 * MOST_KINDS; round++) {
        const size_t n = 1 + round % MOST_KINDS;
        encode_all(kinds, n, LLAVAOV_LAYOUT_VIDEO, (unsigned)n, values, sizes);
        for (size_t i = 0; i < n; i++)
            free(values[i]);
        if (round == MOST_KINDS)
            after_first = count().allocations;
    }
    assert_int_equal(count().allocations, after_first);
    close_engine();
}

/* ---- faults ---- */

static void refused_pinned_memory_is_named(void **state)
{
    static const char *const texts[] = {
        "cuda:0: no memory for staging memory: ", "cuda:0: no memory for pictures: "};
    for (unsigned i = 0; i < 2; i++) {
        char wishes[32];
        LlavaovError error;
        snprintf(wishes, sizeof wishes, "pinned=%u", i + 1);
        assert_int_equal(
            try_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, wishes, &error),
            LLAVAOV_ERROR_MEMORY);
        assert_null(watch.engine);
        assert_string_equal(error.subject, "cuda:0");
        if (strncmp(error.message, texts[i], strlen(texts[i])) != 0)
            fail_msg("%s", error.message);
        assert_int_equal(count().live, 0);
    }
}

static void refused_host_memory_is_named(void **state)
{
    open_small();
    Shot shot;
    draw(&shot, half);
    int failures = 0;
    LvPicture *picture = NULL;
    for (int n = 0; !picture; n++) {
        LlavaovError error = {0};
        fail_alloc(n);
        LlavaovStatus status =
            watch.real->picture_take(watch.engine->backend, &shot.image, LLAVAOV_LAYOUT_VIDEO,
                LLAVAOV_RESIZE_TORCHVISION, watch.engine->model->config, &picture, &error);
        fail_alloc(-1);
        if (status == LLAVAOV_OK)
            break;
        failures++;
        assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
        assert_int_equal(error.status, LLAVAOV_ERROR_MEMORY);
        assert_memory_equal(error.message, "no memory for ", 14);
        assert_null(picture);
    }
    assert_true(failures > 4);
    assert_non_null(picture);
    watch.real->picture_free(watch.engine->backend, picture);
    source_of(&shot).unmap(&shot);
    all_room_is_free();
    close_engine();
}

/* The picture's launch is the first after opening. */
static void a_failing_picture_kernel_is_named(void **state)
{
    static const struct {
        const char *wish, *message;
    } faults[] = {
        {"launch=%u", "cuda:0: patch_embedding failed: unspecified launch failure (error 719); the "
                      "device is not used any more"},
        {"lost=%u", "failed: the device does not answer (error 999); the device is not used any "
                    "more"},
    };
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    const unsigned launches = (unsigned)count().launches;
    close_engine();
    for (size_t i = 0; i < 2; i++) {
        char wishes[32], first[768];
        snprintf(wishes, sizeof wishes, faults[i].wish, launches + 1);
        open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, wishes);
        for (int round = 0; round < 2; round++) {
            Shot shot;
            push(&shot, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
            wait_settled(&shot);
            assert_true(shot.failed);
            assert_int_equal(shot.frame->error.status, LLAVAOV_ERROR_DEVICE);
            if (!strstr(shot.frame->error.message, faults[i].message))
                fail_msg("%s", shot.frame->error.message);
            if (round == 0)
                snprintf(first, sizeof first, "%s", shot.frame->error.message);
            assert_string_equal(shot.frame->error.message, first);
            drop(&shot);
            assert_int_equal(waiting(), 0);
        }
        close_engine();
    }
}

/* Its planes are somewhere else still when they are read: in new memory, and where another picture
 * was. */
static void a_copy_that_is_not_awaited_shows(void **state)
{
    const Kind kind[2] = {{LLAVAOV_PIXEL_NV12, TILE, TILE, 1}, {LLAVAOV_PIXEL_NV12, TILE, TILE, 2}};
    for (int awaited = 1; awaited >= 0; awaited--) {
        open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, awaited ? "" : "no-await");
        for (int i = 0; i < 2; i++) {
            float *values[2];
            size_t n[2];
            for (int way = 0; way < 2; way++) {
                watch.deny = way == 1;
                encode_all(&kind[i], 1, LLAVAOV_LAYOUT_VIDEO, way ? 0 : 1, &values[way], &n[way]);
            }
            watch.deny = false;
            const bool same = memcmp(values[0], values[1], n[0] * sizeof(float)) == 0;
            assert_int_equal(same, awaited);
            free(values[0]);
            free(values[1]);
        }
        close_engine();
    }
}

static void a_failing_copy_is_named(void **state)
{
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "send=2");
    for (int round = 0; round < 3; round++) {
        Shot shot;
        push(&shot, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
        wait_settled(&shot);
        assert_int_equal(shot.encoded, round == 0);
        if (round > 0) {
            assert_int_equal(shot.frame->error.status, LLAVAOV_ERROR_DEVICE);
            assert_string_equal(shot.frame->error.message,
                "cuda:0: patch_embedding failed: unspecified launch failure (error 719); the "
                "device is not used any more");
        }
        drop(&shot);
        assert_int_equal(waiting(), 0);
    }
    close_engine();
}

int main(int argc, char **argv)
{
    if (argc != 2 || !load_standin(argv[1]))
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_pictures_are_counted_and_bounded),
        cmocka_unit_test(cancelled_pictures_leave_nothing),
        cmocka_unit_test(closing_with_pictures_that_wait_leaves_nothing),
        cmocka_unit_test(closing_one_of_a_call_leaves_nothing),
        cmocka_unit_test(steady_work_allocates_nothing),
        cmocka_unit_test(refused_pinned_memory_is_named),
        cmocka_unit_test(refused_host_memory_is_named),
        cmocka_unit_test(a_failing_picture_kernel_is_named),
        cmocka_unit_test(a_copy_that_is_not_awaited_shows),
        cmocka_unit_test(a_failing_copy_is_named),
    };
    return cmocka_run_group_tests(tests, write_picture_model, remove_random_model);
}
