/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/arrival.h"

#include <string.h>

#include "backend/rope.h"
#include "base/alloc.h"
#include "serve/request.h"

static void drop(LvArrival *a)
{
    lv_prefix_drop(a->prefix);
    a->prefix = NULL;
    a->n_grown = 0;
    a->used_ns = 0;
}

void lv_arrival_close(LvArrival *arrival)
{
    drop(arrival);
    lv_free(arrival->ids);
    arrival->ids = NULL;
}

size_t lv_arrival_pass(LvFrameCuts cuts, size_t done, size_t left, size_t most)
{
    size_t rows = left;
    if (cuts.each) {
        const size_t cut =
            done < cuts.first ? cuts.first - done : cuts.each - (done - cuts.first) % cuts.each;
        rows = cut < left ? cut : left;
    }
    return most && most < rows ? most : rows;
}

/* ---- what is expected ---- */

void lv_arrival_miss(LvArrival *a)
{
    drop(a);
    a->skip = 1u << (a->misses < 6 ? a->misses : 6);
    a->misses++;
}

static void expect(LvArrival *a, const LlavaovTicket *r, LvFrameCuts cuts, uint32_t n)
{
    const LvQuestion *q = &r->question;
    const bool overlap = q->frames[0]->serial <= a->after;
    const uint64_t last = q->frames[q->n_frames - 1]->serial;
    lv_free(a->ids);
    a->ids = NULL;
    a->after = last > a->after ? last : a->after;
    a->skip -= a->skip > 0;
    if (overlap || q->n_frames > LV_MAX_EARLY_FRAMES)
        return;
    a->ids = lv_alloc(n, sizeof *a->ids);
    if (!a->ids)
        return;
    memcpy(a->ids, r->input.ids, n * sizeof *a->ids);
    a->n = n;
    a->n_frames = (uint32_t)q->n_frames;
    a->cuts = cuts;
    a->image_token = r->input.image_token;
    a->video_token = r->input.video_token;
}

static bool is_about(const LvArrival *a, const LvQuestion *q)
{
    if (q->n_frames < a->n_grown)
        return false;
    for (uint32_t i = 0; i < a->n_grown; i++)
        if (q->frames[i]->serial != a->serials[i])
            return false;
    return true;
}

LvPrefix *lv_arrival_take(LlavaovTicket *r, LvFrameCuts cuts, uint32_t n)
{
    LvArrival *a = &r->session->arrival;
    LlavaovEngine *engine = r->engine;
    LvPrefix *prefix = NULL;
    if (a->mode == LLAVAOV_PREFILL_CLOSE || !cuts.each ||
        !lv_rope_is_fixed(&engine->model->config->text.rope))
        return NULL;
    const bool earlier = r->question.frames[r->question.n_frames - 1]->serial <= a->after;
    if (earlier) /* another question about a window that was asked about */
        return NULL;
    if (a->prefix && is_about(a, &r->question) &&
        lv_prefix_fits(a->prefix, engine, r->input.ids, n, (uint32_t)r->input.n)) {
        prefix = lv_prefix_keep(a->prefix);
        r->answer.prefill_ns += a->used_ns;
        r->answer.early_tokens = prefix->n_cached;
        pthread_mutex_lock(&engine->lock);
        r->common->rows += prefix->n_cached;
        pthread_mutex_unlock(&engine->lock);
        a->misses = a->skip = 0;
        drop(a);
    } else if (a->prefix) {
        lv_arrival_miss(a);
    }
    expect(a, r, cuts, n);
    return prefix;
}
