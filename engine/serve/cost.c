/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/cost.h"

#include <math.h>

/* What an answer counts for when the next one is there, and a slice's work. */
#define FADE 0.875
#define FADE_PRICE 0.99
/* Before so many slices no price is a low one. */
#define FEW 50
/* By so much a window a low price rises. */
#define RISE (1 / 128.0)

void lv_prices_note(LvPrices *prices, LvWork work, double units, double ns)
{
    prices->spent[work] = prices->spent[work] * FADE_PRICE + ns;
    prices->units[work] = prices->units[work] * FADE_PRICE + units;
    const double now = prices->spent[work] / prices->units[work];
    if (prices->n[work] < FEW || now < prices->low[work])
        prices->low[work] = now;
    prices->n[work] += prices->n[work] < FEW;
}

void lv_prices_age(LvPrices *prices)
{
    for (int work = 0; work < LV_WORKS; work++)
        if (prices->units[work] > 0)
            prices->low[work] =
                fmin(prices->low[work] * (1 + RISE), prices->spent[work] / prices->units[work]);
}

double lv_price(const LvPrices *prices, LvWork work)
{
    if (work == LV_WORK_OTHER)
        return 1;
    return prices->low[work];
}

double lv_cost_of(const LvPrices *prices, const LvWorkDone *done)
{
    double cost = 0;
    for (int work = 0; work < LV_WORKS; work++)
        cost += done->units[work] * lv_price(prices, (LvWork)work);
    return cost;
}

void lv_mean_work_add(LvMeanWork *mean, const LvWorkDone *done)
{
    for (int work = 0; work < LV_WORKS; work++)
        mean->sum.units[work] = mean->sum.units[work] * FADE + done->units[work];
    mean->n = mean->n * FADE + 1;
}

double lv_mean_cost(const LvPrices *prices, const LvMeanWork *mean)
{
    return mean->n > 0 ? lv_cost_of(prices, &mean->sum) / mean->n : 0;
}

double lv_early_part(const LvPrices *prices, const LvMeanWork *mean)
{
    const double all = lv_cost_of(prices, &mean->sum);
    return all > 0 ? mean->sum.units[LV_WORK_TILE] * lv_price(prices, LV_WORK_TILE) / all : 0;
}
