/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/anyres.h"

#include <math.h>

/* Python's int(value), or int(round(value, 7)), for value >= 0: the next integer only if value lies
 * within half of 1e-7 below it. No double is exactly half-way, and 1 - fraction is exact, so this
 * needs no decimal conversion. */
static uint32_t truncated(double value, bool rounded)
{
    double whole = floor(value), fraction = value - whole;
    return (uint32_t)whole + (rounded && 1.0 - fraction < 5e-8);
}

/* Python's value // ratio for positive floats, which is not floor(value / ratio). */
static uint32_t float_floor_divide(double value, double ratio)
{
    double quotient = (value - fmod(value, ratio)) / ratio;
    double whole = floor(quotient);
    return (uint32_t)(quotient - whole > 0.5 ? whole + 1.0 : whole);
}

void lv_anyres_choose(
    uint32_t (*const pinpoints)[2], uint32_t n, double width, double height, LvAnyresPlan *plan)
{
    uint64_t best_kept = 0, best_waste = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        double rows = pinpoints[i][0], cols = pinpoints[i][1];
        double scale = fmin(cols / width, rows / height);
        uint64_t kept = (uint64_t)(width * scale) * (uint64_t)(height * scale);
        uint64_t pixels = (uint64_t)width * (uint64_t)height;
        if (kept > pixels)
            kept = pixels;
        /* Rounding of the scale cannot make a picture larger than its canvas by a whole pixel. */
        uint64_t waste = (uint64_t)(rows * cols) - kept;
        if (kept > best_kept || (kept == best_kept && waste < best_waste)) {
            best_kept = kept;
            best_waste = waste;
            plan->best_height = pinpoints[i][0];
            plan->best_width = pinpoints[i][1];
        }
    }
}

static uint32_t ceil_at_most(double value, uint32_t most)
{
    double whole = ceil(value);
    return whole < most ? (uint32_t)whole : most;
}

void lv_anyres_place(uint32_t width, uint32_t height, LvAnyresPlan *plan)
{
    double scale_width = plan->best_width / (double)width;
    double scale_height = plan->best_height / (double)height;
    if (scale_width < scale_height) {
        plan->resized_width = plan->best_width;
        plan->resized_height = ceil_at_most(height * scale_width, plan->best_height);
    } else {
        plan->resized_height = plan->best_height;
        plan->resized_width = ceil_at_most(width * scale_height, plan->best_width);
    }
    plan->pad_top = (plan->best_height - plan->resized_height) / 2;
    plan->pad_left = (plan->best_width - plan->resized_width) / 2;
}

void lv_anyres_unpad(uint32_t grid, double width, double height, bool rounded, LvAnyresPlan *plan)
{
    uint32_t rows = grid * plan->grid_rows, cols = grid * plan->grid_cols;
    plan->crop_top = plan->crop_left = 0;
    if (width / height > cols / (double)rows)
        plan->crop_top = (rows - truncated(height * (cols / width), rounded)) / 2;
    else
        plan->crop_left = (cols - truncated(width * (rows / height), rounded)) / 2;
    plan->crop_height = rows - 2 * plan->crop_top;
    plan->crop_width = cols - 2 * plan->crop_left;
}

void lv_anyres_shrink(uint32_t grid, uint32_t anyres_max, LvAnyresPlan *plan)
{
    plan->map_height = plan->crop_height;
    plan->map_width = plan->crop_width;
    double ratio = sqrt((double)((uint64_t)plan->crop_height * plan->crop_width) /
                        (double)((uint64_t)anyres_max * grid * grid));
    if (ratio > 1.1) {
        plan->map_height = float_floor_divide(plan->crop_height, ratio);
        plan->map_width = float_floor_divide(plan->crop_width, ratio);
    }
}
