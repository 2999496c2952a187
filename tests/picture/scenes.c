/* SPDX-License-Identifier: Apache-2.0 */
#include "scenes.h"

#include <math.h>
#include <string.h>

static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

/* A yard: sky, ground, a wall with windows, and grass that is as rough as grass. */
static unsigned yard(unsigned x, unsigned y)
{
    if (y < 70)
        return 170 + y / 4;
    if (x > 180 && y > 50 && y < 170)
        return (x - 180) % 40 > 10 && (x - 180) % 40 < 30 && y % 50 > 15 && y % 50 < 40 ? 50 : 120;
    return 80 + (y - 70) / 4 + mix((x / 3) * 977 + y / 3) % 30;
}

/* By infrared light: what was dark is bright, and the middle is lit. */
static unsigned by_night(unsigned day, unsigned x, unsigned y)
{
    const int dx = (int)x - (int)SCENE_WIDTH / 2, dy = (int)y - (int)SCENE_HEIGHT / 2;
    const unsigned far = (unsigned)(dx * dx + dy * dy) / 400;
    const unsigned lit = (230 - day) * 2 / 3;
    return lit > far ? lit - far / 2 : lit / 2;
}

static double light_at(unsigned scene, double time)
{
    double light = 1;
    if (scene & SCENE_FLICKER)
        light *= 1 + 0.15 * sin(2 * M_PI * 0.73 * time);
    if (scene & SCENE_SLOW_LIGHT)
        light *= 1 + 0.25 * sin(2 * M_PI * time / 120);
    if (scene & SCENE_LIGHTNING && fmod(time, 50) < 0.125)
        light *= 3;
    if (scene & SCENE_DAY_AND_NIGHT && time > 100)
        light *= 1 - 0.4 * exp(-4 * fmod(time, 100)); /* exposure finds its place */
    return light;
}

/* Of a row and a column, besides: the bands of lamps, and the edge of a shadow, which is soft. */
static double row_light(unsigned scene, double time, unsigned y)
{
    return scene & SCENE_FLICKER ? 1 + 0.04 * sin(2 * M_PI * (2.0 * y / SCENE_HEIGHT + 1.3 * time))
                                 : 1;
}

static double column_light(unsigned scene, double time, unsigned x)
{
    if (!(scene & SCENE_SLOW_LIGHT))
        return 1;
    const double way = fabs(fmod(time / 60 + 1, 2) - 1); /* to and fro */
    const double edge = way * 1.5 - 0.25, soft = 0.25;
    const double place = ((double)x / SCENE_WIDTH - edge) / soft;
    return 0.75 + 0.25 / (1 + exp(-4 * place));
}

static void draw_clock(double time, uint8_t *pixels)
{
    const unsigned second = (unsigned)time;
    for (unsigned digit = 0; digit < 6; digit++) {
        unsigned value = second;
        for (unsigned i = digit; i < 5; i++)
            value /= 10;
        const uint32_t shape = mix(value % 10 + 17);
        for (unsigned y = 0; y < 30; y++)
            for (unsigned x = 0; x < 22; x++)
                pixels[(8 + y) * SCENE_WIDTH + 10 + digit * 26 + x] =
                    shape >> (y / 6 * 4 + x / 6) & 1 ? 235 : 16;
    }
}

Ball scene_ball(unsigned i, double begin, double time)
{
    const uint32_t r = mix(i * 2654435761u + 1);
    const double passed = time - begin;
    const bool back = r & 1;
    Ball ball = {.shown = passed >= 0 && passed < 1,
        .radius = 14 + (r >> 8) % 8,
        .brighter = r & 2 ? 70 : -70};
    ball.x = SCENE_WIDTH * (back ? 1 - passed : passed);
    ball.y = 60 + (r >> 16) % 140;
    return ball;
}

void scene_render(unsigned scene, double time, const Ball *ball, uint8_t *pixels)
{
    static uint8_t base[2][SCENE_WIDTH * SCENE_HEIGHT];
    const bool night = scene & SCENE_DAY_AND_NIGHT && fmod(time, 200) >= 100;
    const unsigned noise = scene & SCENE_MUCH_NOISE ? 48 : scene & SCENE_NOISE ? 21 : 0;
    const double light = light_at(scene, time);
    uint32_t columns[SCENE_WIDTH], state = mix((uint32_t)(time * 1000) + scene) | 1;
    if (!base[0][0])
        for (unsigned i = 0; i < SCENE_WIDTH * SCENE_HEIGHT; i++) {
            base[0][i] = (uint8_t)yard(i % SCENE_WIDTH, i / SCENE_WIDTH);
            base[1][i] = (uint8_t)by_night(base[0][i], i % SCENE_WIDTH, i / SCENE_WIDTH);
        }
    for (unsigned x = 0; x < SCENE_WIDTH; x++)
        columns[x] = (uint32_t)(256 * column_light(scene, time, x));
    for (unsigned y = 0; y < SCENE_HEIGHT; y++) {
        const uint32_t row = (uint32_t)(256 * light * row_light(scene, time, y));
        for (unsigned x = 0; x < SCENE_WIDTH; x++) {
            const unsigned i = y * SCENE_WIDTH + x;
            int value = base[night][i];
            if (ball && ball->shown &&
                (x - ball->x) * (x - ball->x) + (y - ball->y) * (y - ball->y) <
                    ball->radius * ball->radius)
                value += ball->brighter;
            value = (int)((unsigned)(value < 0 ? 0 : value) * row >> 8);
            value = (int)((unsigned)value * columns[x] >> 8);
            if (noise) {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                value += (int)((state >> 16 & 255) * noise >> 8) - (int)noise / 2;
            }
            pixels[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
    if (scene & SCENE_CLOCK)
        draw_clock(time, pixels);
}
