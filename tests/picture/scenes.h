/* SPDX-License-Identifier: Apache-2.0
 * What a camera sees where nothing happens, with all that a motion detector may take for motion, and
 * a ball that passes. Rendered: every picture is a function of the scene and the time. */
#ifndef TESTS_SCENES_H
#define TESTS_SCENES_H

#include <stdbool.h>
#include <stdint.h>

#define SCENE_WIDTH 320u
#define SCENE_HEIGHT 240u
/* Covers the clock of SCENE_CLOCK. */
#define SCENE_CLOCK_MASK "20,20,520,150"

enum {
    SCENE_NOISE = 1,          /* of sigma 6 */
    SCENE_MUCH_NOISE = 2,     /* of sigma 14 */
    SCENE_FLICKER = 4,        /* the light swings by 15 %, with bands that wander over the rows */
    SCENE_CLOCK = 8,          /* burnt in, its digits change every second */
    SCENE_DAY_AND_NIGHT = 16, /* every 100 s the other picture, and a second of exposure */
    SCENE_SLOW_LIGHT = 32, /* clouds: a quarter in two minutes, and the edge of a shadow in one */
    SCENE_LIGHTNING = 64,  /* one picture of three times the light, every 50 s */
};

/* A passage of the ball: a second across the picture. */
typedef struct Ball {
    bool shown;
    double x, y, radius; /* pixels */
    int brighter;        /* than what is behind it, 0 to 255 or less */
} Ball;

/* pixels: SCENE_WIDTH x SCENE_HEIGHT bytes of luma. time in seconds. ball may be NULL. */
void scene_render(unsigned scene, double time, const Ball *ball, uint8_t *pixels);

/* The ball of passage number `i`, which begins at `begin`, at a time. */
Ball scene_ball(unsigned i, double begin, double time);

#endif
