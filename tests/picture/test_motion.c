/* SPDX-License-Identifier: Apache-2.0
 * The motion detector (llavaov_motion_look) on rendered scenes: what moves is told, and what does not
 * is not. tests/gst/test_motion.c has the windows that come of it. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "llavaov.h"
#include "picture/luma_map.h"
#include "scenes.h"

#define CHECKS 4 /* a second */

static uint8_t pixels[SCENE_WIDTH * SCENE_HEIGHT];

static LlavaovImage gray(uint8_t *bytes, uint32_t width, uint32_t height)
{
    static uint8_t chroma[4096 * 4096 / 4];
    return (LlavaovImage){.format = LLAVAOV_PIXEL_I420,
        .width = width,
        .height = height,
        .plane = {bytes, chroma, chroma},
        .stride = {width, (width + 1) / 2, (width + 1) / 2}};
}

static LlavaovMotionSeen look(LlavaovMotion *motion, double time, double min_change)
{
    const LlavaovImage image = gray(pixels, SCENE_WIDTH, SCENE_HEIGHT);
    LlavaovMotionSeen seen = {.size = sizeof seen};
    LlavaovError error;
    assert_int_equal(llavaov_motion_look(
                         motion, &image, (uint64_t)(time * 1e9 + 0.5), min_change, &seen, &error),
        LLAVAOV_OK);
    return seen;
}

typedef struct {
    unsigned moving;  /* times that something began to move */
    unsigned changes; /* of the scene */
    double most;      /* greatest level, scene changes aside */
} Told;

static Told watch(unsigned scene, const char *mask, double seconds)
{
    LlavaovMotion *motion = llavaov_motion_new();
    Told told = {0};
    bool before = false;
    LlavaovError error;
    assert_int_equal(llavaov_motion_set_mask(motion, mask, &error), LLAVAOV_OK);
    for (unsigned i = 0; i < seconds * CHECKS; i++) {
        scene_render(scene, (double)i / CHECKS, NULL, pixels);
        const LlavaovMotionSeen seen = look(motion, (double)i / CHECKS, 0.01);
        told.moving += seen.moving && !before;
        told.changes += seen.scene_change;
        if (!seen.scene_change && seen.level > told.most && i > CHECKS)
            told.most = seen.level;
        before = seen.moving;
    }
    llavaov_motion_free(motion);
    return told;
}

static void test_still(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned scene;
        const char *mask;
        double seconds;
        unsigned most_moving, changes;
    } table[] = {
        {"nothing at all", 0, NULL, 60, 0, 0},
        {"noise", SCENE_NOISE, NULL, 120, 0, 0},
        {"much noise", SCENE_MUCH_NOISE, NULL, 120, 0, 0},
        {"flicker", SCENE_FLICKER | SCENE_NOISE, NULL, 120, 0, 0},
        {"a clock behind a mask", SCENE_CLOCK | SCENE_NOISE, SCENE_CLOCK_MASK, 120, 0, 0},
        {"slow light", SCENE_SLOW_LIGHT | SCENE_NOISE, NULL, 300, 0, 0},
        {"day and night", SCENE_DAY_AND_NIGHT | SCENE_NOISE, NULL, 450, 0, 4},
        {"lightning", SCENE_LIGHTNING | SCENE_NOISE, NULL, 220, 0, 4},
    };
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        const Told told = watch(table[i].scene, table[i].mask, table[i].seconds);
        printf("%s: moving %u, scene changes %u, greatest level %.4f\n", table[i].name, told.moving,
            told.changes, told.most);
        if (told.moving > table[i].most_moving || told.changes != table[i].changes)
            fail_msg("%s", table[i].name);
    }
    /* Without its mask the clock moves. */
    assert_true(watch(SCENE_CLOCK | SCENE_NOISE, NULL, 60).moving > 5);
}

/* Every passage is told while it is there, in whatever light, and ends. */
static void test_passages(void **state)
{
    (void)state;
    static const unsigned scenes[] = {SCENE_NOISE, SCENE_MUCH_NOISE, SCENE_NOISE | SCENE_FLICKER,
        SCENE_NOISE | SCENE_SLOW_LIGHT, SCENE_NOISE | SCENE_DAY_AND_NIGHT};
    for (unsigned s = 0; s < sizeof scenes / sizeof *scenes; s++) {
        LlavaovMotion *motion = llavaov_motion_new();
        double least = 1;
        for (unsigned n = 0; n < 20; n++) {
            /* One every five seconds, at any time between two checks. */
            const double begin = 5 * n + 2 + n * 0.053;
            bool told = false, after = false;
            double greatest = 0;
            for (unsigned i = 20 * n; i < 20 * (n + 1); i++) {
                const double time = (double)i / CHECKS;
                const Ball ball = scene_ball(n, begin, time);
                scene_render(scenes[s], time, &ball, pixels);
                const LlavaovMotionSeen seen = look(motion, time, 0.01);
                if (ball.shown && seen.level > greatest)
                    greatest = seen.level;
                if (seen.moving && time < begin + 1.25) {
                    told = true;
                    const double late = (double)seen.since / 1e9 - begin;
                    if (late < 0 || late > 0.75)
                        fail_msg("scene %u, passage %u: %.2f s late at %.2f", s, n, late, time);
                }
                after |= seen.moving && time > begin + 2;
            }
            least = greatest < least ? greatest : least;
            if (!told || after)
                fail_msg("scene %u, passage %u: told %d, after it %d, level %.4f", s, n, told,
                    after, greatest);
        }
        printf("scene %u: least level of a passage %.4f\n", s, least);
        llavaov_motion_free(motion);
    }
}

/* What stays is told once: a car that parks, one that leaves. */
static void test_what_stays_is_forgotten(void **state)
{
    (void)state;
    LlavaovMotion *motion = llavaov_motion_new();
    unsigned began = 0, moving = 0;
    bool before = false;
    for (unsigned i = 0; i < 90 * CHECKS; i++) {
        const double time = (double)i / CHECKS;
        const Ball car = {
            .shown = time >= 20 && time < 60, .x = 100, .y = 120, .radius = 30, .brighter = 80};
        scene_render(SCENE_NOISE, time, &car, pixels);
        const LlavaovMotionSeen seen = look(motion, time, 0.01);
        began += seen.moving && !before;
        moving += seen.moving;
        before = seen.moving;
    }
    assert_int_equal(began, 2);
    assert_in_range(moving, 2, 16);
    llavaov_motion_free(motion);
}

static void test_masks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } table[] = {{NULL, true}, {"", true}, {" ", true}, {"0,0,1,1", true}, {"0,0,500,1000", true},
        {" 10 , 20 ,30, 40 ; 0,0,1,1 ; ", true}, {"0,0,1,1;", true}, {"0,0,1000,1000", false},
        {"0,0,500,1000;500,0,500,1000", false}, {"0,0,1", false}, {"0,0,1,", false},
        {"0,0,,1", false}, {"0,0,1,1,", false}, {"0,0,0,1", false}, {"0,0,1,0", false},
        {"1,0,1000,1", false}, {"0,1,1,1000", false}, {"-1,0,1,1", false}, {"0,0,1,1.5", false},
        {"0,0,1,99999", false}, {"0x1,0,1,1", false}, {";", false}, {"0,0,1,1;;0,0,1,1", false},
        {"0,0,1,1 0,0,1,1", false}, {"a", false}, {"0,0,1,1,1", false},
        {"18446744073709551617,0,1,1", false}};
    LlavaovMotion *motion = llavaov_motion_new();
    LlavaovError error;
    char many[1024] = "";
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        const bool good = llavaov_motion_set_mask(motion, table[i].text, &error) == LLAVAOV_OK;
        if (good != table[i].good)
            fail_msg("\"%s\"", table[i].text ? table[i].text : "(null)");
        if (!good)
            assert_string_equal(error.subject, "motion-mask");
    }
    for (unsigned i = 0; i < 65; i++)
        strcat(many, "0,0,1,1;");
    assert_int_equal(llavaov_motion_set_mask(motion, many, &error), LLAVAOV_ERROR_ARGUMENT);
    llavaov_motion_free(motion);
}

/* Any size and format; the map's mean is the picture's. */
static void test_maps(void **state)
{
    (void)state;
    static uint8_t bytes[400 * 300 * 4];
    static const struct {
        uint32_t width, height;
    } sizes[] = {{1, 1}, {2, 3}, {95, 97}, {96, 96}, {193, 101}, {400, 300}, {400, 2}};
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(100 + i % 3 * 20);
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int format = LLAVAOV_PIXEL_I420; format <= LLAVAOV_PIXEL_BGRX; format++) {
            LlavaovImage image = gray(bytes, sizes[s].width, sizes[s].height);
            const unsigned pixel = format < LLAVAOV_PIXEL_RGB    ? 1
                                   : format < LLAVAOV_PIXEL_RGBA ? 3
                                                                 : 4;
            LvLumaMap map;
            LlavaovError error;
            image.format = (LlavaovPixelFormat)format;
            image.stride[0] = image.width * pixel;
            image.stride[1] = image.stride[2] = image.width + 1;
            assert_int_equal(lv_luma_map(&image, &map, &error), LLAVAOV_OK);
            for (unsigned i = 0; i < LV_LUMA_MAP * LV_LUMA_MAP; i++)
                assert_true(map.cell[i] >= 99 && map.cell[i] <= 140);
            if (pixel == 3)
                assert_true(fabsf(map.cell[0] - (format == LLAVAOV_PIXEL_RGB ? 116 : 124)) < 2);
        }
    /* A bright square is where it is. */
    memset(bytes, 0, sizeof bytes);
    for (unsigned y = 100; y < 200; y++)
        memset(bytes + y * 400 + 100, 200, 100);
    const LlavaovImage image = gray(bytes, 400, 300);
    LvLumaMap map;
    assert_int_equal(lv_luma_map(&image, &map, NULL), LLAVAOV_OK);
    assert_true(map.cell[40 * 96 + 30] == 200 && map.cell[40 * 96 + 60] == 0);
    assert_true(map.cell[20 * 96 + 30] == 0);
}

/* Times that stand still, go back or jump, and pictures that are none. */
static void test_odd(void **state)
{
    (void)state;
    LlavaovMotion *motion = llavaov_motion_new();
    LlavaovImage image = gray(pixels, SCENE_WIDTH, SCENE_HEIGHT);
    LlavaovMotionSeen seen = {.size = sizeof seen};
    LlavaovError error;
    for (unsigned i = 0; i < 40; i++) {
        static const double times[] = {5, 5, 4, 60, 60.25, 1e9};
        memset(pixels, i % 2 ? 255 : 0, sizeof pixels);
        seen = look(motion, times[i % 6], 0.01);
        assert_false(seen.moving);
    }
    image.plane[0] = NULL;
    assert_int_equal(
        llavaov_motion_look(motion, &image, 0, 0.01, &seen, &error), LLAVAOV_ERROR_ARGUMENT);
    image = gray(pixels, SCENE_WIDTH, SCENE_HEIGHT);
    image.memory = LLAVAOV_MEMORY_CUDA;
    assert_int_equal(
        llavaov_motion_look(motion, &image, 0, 0.01, &seen, &error), LLAVAOV_ERROR_ARGUMENT);
    image.memory = LLAVAOV_MEMORY_HOST;
    seen.size = 0;
    assert_int_equal(
        llavaov_motion_look(motion, &image, 0, 0.01, &seen, &error), LLAVAOV_ERROR_ARGUMENT);
    llavaov_motion_free(motion);
    llavaov_motion_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_still),
        cmocka_unit_test(test_passages), cmocka_unit_test(test_what_stays_is_forgotten),
        cmocka_unit_test(test_masks), cmocka_unit_test(test_maps), cmocka_unit_test(test_odd)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
