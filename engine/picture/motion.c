/* SPDX-License-Identifier: Apache-2.0
 * A block has changed when it differs both from the mean of the last ten seconds and from that of the
 * last half: from the first alone would be a car that has parked, from the second alone what swings
 * about its place or is uncovered again. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/structs.h"
#include "picture/motion_blocks.h"
#include "picture/motion_mask.h"

#define SECOND 1000000000.0
#define SLOW 10.0 /* seconds */
#define FAST 0.5
#define WARM_UP 1.0
#define SETTLE 2.0 /* after a scene change, while exposure and filter find their place */
#define PAUSE 10.0 /* what lies between two pictures when they do not continue each other */
/* A block differs by more than this, beyond what it usually does; in a picture that is darker than
 * BRIGHT, where all contrasts are smaller, by as much less, down to half. */
#define DIFFERS_SLOW 12.0f
#define DIFFERS_FAST 6.0f
#define BRIGHT 110.0f
#define MOST_NOISE 12.0f
#define SCENE_LEVEL 0.8
#define SCENE_LIGHT 1.5f /* brightness of the whole, from one picture to the next */
#define CHECKS 3

struct LlavaovMotion {
    uint8_t masked[LV_LUMA_MAP * LV_LUMA_MAP];
    LvLumaMap now, slow, fast;
    float noise[LV_MOTION_BLOCKS];     /* what a block differs by from `slow` while nothing moves */
    uint8_t changed[LV_MOTION_BLOCKS]; /* in the last picture */
    bool begun;
    uint64_t first, last; /* times of pictures */
    uint64_t averaged;    /* `slow` is the mean of what came from then on */
    uint64_t settled;     /* from then on scene changes and motion are told */
    struct {
        bool changed;
        uint64_t time;
    } checks[CHECKS]; /* the latest first */
    uint64_t since;   /* while moving */
    bool moving;
};

LlavaovMotion *llavaov_motion_new(void)
{
    return lv_calloc(1, sizeof(LlavaovMotion));
}

void llavaov_motion_free(LlavaovMotion *motion)
{
    lv_free(motion);
}

LlavaovStatus llavaov_motion_set_mask(LlavaovMotion *motion, const char *mask, LlavaovError *error)
{
    return lv_motion_mask_parse(mask, motion->masked, error);
}

static void forget_checks(LlavaovMotion *motion)
{
    memset(motion->checks, 0, sizeof motion->checks);
    motion->moving = false;
    motion->since = 0;
}

void llavaov_motion_reset(LlavaovMotion *motion)
{
    motion->begun = false;
    forget_checks(motion);
}

static void begin(LlavaovMotion *motion, uint64_t time)
{
    motion->begun = true;
    motion->slow = motion->fast = motion->now;
    memset(motion->noise, 0, sizeof motion->noise);
    memset(motion->changed, 0, sizeof motion->changed);
    motion->first = motion->averaged = time;
    motion->settled = time + (uint64_t)(WARM_UP * SECOND);
    forget_checks(motion);
}

static void follow(LvLumaMap *mean, const LvLumaMap *now, float share)
{
    for (unsigned i = 0; i < LV_LUMA_MAP * LV_LUMA_MAP; i++)
        mean->cell[i] += share * (now->cell[i] - mean->cell[i]);
}

/* The share of blocks that changed; the others tell what they usually differ by. */
static double compare(LlavaovMotion *motion, float noise_share)
{
    float slow[LV_MOTION_BLOCKS], fast[LV_MOTION_BLOCKS];
    unsigned n = 0, changed = 0;
    const float light = lv_motion_mean(&motion->now, motion->masked) / BRIGHT;
    const float share = fminf(fmaxf(light, 0.5f), 1);
    lv_motion_differences(&motion->now, &motion->slow,
        lv_motion_gain(&motion->now, &motion->slow, motion->masked), motion->masked, slow);
    lv_motion_differences(&motion->now, &motion->fast,
        lv_motion_gain(&motion->now, &motion->fast, motion->masked), motion->masked, fast);
    for (unsigned i = 0; i < LV_MOTION_BLOCKS; i++) {
        float *noise = &motion->noise[i];
        motion->changed[i] = 0;
        if (slow[i] < 0)
            continue;
        n++;
        if (slow[i] > share * DIFFERS_SLOW + *noise && fast[i] > share * DIFFERS_FAST + *noise)
            changed += motion->changed[i] = 1;
        else
            *noise = fminf(*noise + noise_share * (slow[i] - *noise), MOST_NOISE);
    }
    return n ? (double)changed / n : 0;
}

/* All of it is brighter or darker than a moment ago. */
static bool light_switched(const LlavaovMotion *motion)
{
    const float now = lv_motion_mean(&motion->now, motion->masked) + 1;
    const float before = lv_motion_mean(&motion->fast, motion->masked) + 1;
    return now > SCENE_LIGHT * before || before > SCENE_LIGHT * now;
}

static void check(LlavaovMotion *motion, uint64_t time, bool changed)
{
    unsigned n = 0;
    memmove(motion->checks + 1, motion->checks, sizeof *motion->checks * (CHECKS - 1));
    motion->checks[0].changed = changed;
    motion->checks[0].time = time;
    for (unsigned i = 0; i < CHECKS; i++)
        n += motion->checks[i].changed;
    const bool moving = n >= 2;
    if (moving && !motion->moving)
        for (unsigned i = 0; i < CHECKS; i++)
            if (motion->checks[i].changed)
                motion->since = motion->checks[i].time;
    motion->moving = moving;
}

static void look(LlavaovMotion *motion, uint64_t time, double min_change, LlavaovMotionSeen *seen)
{
    const double passed = (double)(time - motion->last) / SECOND;
    const double age = (double)(time - motion->first) / SECOND;
    const double averaged = (double)(time - motion->averaged) / SECOND;
    const bool warming = age < WARM_UP;
    /* The first seconds are averaged, as if they were ten. */
    const float slow = (float)fmax(1 - exp(-passed / SLOW), passed / (averaged + passed));
    seen->level = compare(motion, warming ? 0.5f : (float)(1 - exp(-passed / SLOW)));
    const bool another = seen->level > SCENE_LEVEL || light_switched(motion);
    if (another) {
        seen->scene_change = time >= motion->settled;
        if (seen->scene_change)
            motion->settled = time + (uint64_t)(SETTLE * SECOND);
    }
    if (another || (time < motion->settled && !warming)) {
        motion->slow = motion->fast = motion->now;
        motion->averaged = time;
        forget_checks(motion);
        return;
    }
    follow(&motion->slow, &motion->now, slow);
    follow(&motion->fast, &motion->now, (float)(1 - exp(-passed / FAST)));
    check(motion, time, !warming && seen->level > 0 && seen->level >= min_change);
}

LlavaovStatus llavaov_motion_look(LlavaovMotion *motion, const LlavaovImage *image, uint64_t time,
    double min_change, LlavaovMotionSeen *seen, LlavaovError *error)
{
    LlavaovMotionSeen found = {.size = sizeof found};
    LlavaovStatus status = lv_luma_map(image, &motion->now, error);
    if (status != LLAVAOV_OK)
        return status;
    if (!motion->begun || time < motion->last || (double)(time - motion->last) > PAUSE * SECOND)
        begin(motion, time);
    else if (time > motion->last)
        look(motion, time, min_change, &found);
    motion->last = time;
    found.moving = motion->moving;
    found.since = motion->moving ? motion->since : 0;
    return lv_struct_write(seen, &found, sizeof found, "LlavaovMotionSeen", error);
}

const uint8_t *llavaov_motion_blocks(const LlavaovMotion *motion, uint32_t *side)
{
    *side = LV_MOTION_SIDE;
    return motion->changed;
}
