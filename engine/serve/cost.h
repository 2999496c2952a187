/* SPDX-License-Identifier: Apache-2.0
 * What answers cost: computing time at prices, which are what a tile, a row of a prompt and a token
 * have lately taken anybody. Equal answers cost the same, whatever a busy machine did to one of
 * them.
 *
 * A device whose calls hold more when more waits is as busy with half of what it can do as with all
 * of it: each unit only costs more. So a price is the lowest mean of late, which full calls have,
 * and rises slowly.
 *
 * Nothing here takes a lock or allocates. Times are in nanoseconds. */
#ifndef LV_COST_H
#define LV_COST_H

typedef enum LvWork {
    LV_WORK_TILE,
    LV_WORK_ROW,   /* of a prompt */
    LV_WORK_TOKEN, /* of an answer, one step of a sequence */
    LV_WORK_OTHER, /* a nanosecond of something else */
    LV_WORKS
} LvWork;

typedef struct LvWorkDone {
    double units[LV_WORKS];
} LvWorkDone;

/* The mean of the recent ones. */
typedef struct LvMeanWork {
    LvWorkDone sum;
    double n;
} LvMeanWork;

typedef struct LvPrices {
    double spent[LV_WORKS], units[LV_WORKS]; /* recent ones */
    double low[LV_WORKS];                    /* the price */
    unsigned n[LV_WORKS];                    /* slices, up to some */
} LvPrices;

/* So much time was spent on so many units, more than 0. */
void lv_prices_note(LvPrices *prices, LvWork work, double units, double ns);
/* Once a window: forgets slowly what was cheap. */
void lv_prices_age(LvPrices *prices);
double lv_price(const LvPrices *prices, LvWork work);
double lv_cost_of(const LvPrices *prices, const LvWorkDone *done);

/* One answer more. */
void lv_mean_work_add(LvMeanWork *mean, const LvWorkDone *done);
/* Of an answer; 0: there was none. */
double lv_mean_cost(const LvPrices *prices, const LvMeanWork *mean);
/* The part of it that can be computed before the window's end: on tiles. */
double lv_early_part(const LvPrices *prices, const LvMeanWork *mean);

#endif
