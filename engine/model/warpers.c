/* SPDX-License-Identifier: Apache-2.0 */
#include "model/warpers.h"

#include <float.h>
#include <math.h>

#include "model/sorting.h"

bool lv_needs_scratch(const LlavaovRules *rules)
{
    return rules && rules->typical_p > 0 && rules->typical_p < 1;
}

static float largest_of(const float *scores, uint32_t n)
{
    float largest = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        if (scores[i] > largest)
            largest = scores[i];
    return largest;
}

/* A score's probability is expf(score - largest) / sum. */
typedef struct Softmax {
    float largest;
    double sum;
} Softmax;

static Softmax softmax_of(const float *scores, uint32_t n)
{
    Softmax s = {.largest = largest_of(scores, n)};
    for (uint32_t i = 0; i < n; i++)
        s.sum += expf(scores[i] - s.largest);
    return s;
}

static float probability(const Softmax *s, float score)
{
    return (float)(expf(score - s->largest) / s->sum);
}

static float log_probability(const Softmax *s, float score)
{
    return (float)((double)score - s->largest - log(s->sum));
}

/* ---- top-h ---- */

/* Of at most a hundred, the likeliest whose share of the entropy adds up to top_h of it. */
static void keep_top_h(const LvWarping *w, double top_h, float *scores)
{
    enum { MOST = 100 };
    const uint32_t n = w->n, most = n < MOST ? n : MOST, *last = w->order + n;
    lv_sort_ascending(scores, w->order, n);
    Softmax s = {.largest = scores[last[-1]]};
    for (uint32_t i = 1; i <= most; i++)
        s.sum += expf(scores[last[-(ptrdiff_t)i]] - s.largest);
    float terms[MOST];
    double entropy = 0;
    for (uint32_t i = 0; i < most; i++) {
        const float p = probability(&s, scores[last[-1 - (ptrdiff_t)i]]);
        terms[i] = p > 0 ? -p * logf(p) : NAN; /* nothing is kept after a candidate that adds
                                                  nothing */
        entropy += p > 0 ? terms[i] : 0;
    }
    const float limit = (float)entropy * (float)top_h;
    double sum = 0;
    uint32_t kept = 0;
    for (; kept < most; kept++) {
        sum += terms[kept];
        if (kept > 0 && !((float)sum <= limit))
            break;
    }
    for (uint32_t i = kept; i < n; i++)
        scores[last[-1 - (ptrdiff_t)i]] = -INFINITY;
}

/* ---- top-k, top-p ---- */

/* Keeps every score not below the k-th largest: ties at the border all stay. */
static void keep_top_k(const LvWarping *w, uint32_t k, float *scores)
{
    if (k == 0 || k >= w->n)
        return;
    const float least = lv_kth_largest(scores, w->n, k);
    for (uint32_t i = 0; i < w->n; i++)
        if (scores[i] < least)
            scores[i] = -INFINITY;
}

/* Drops the least likely candidates whose probabilities add up to no more than 1 - p. Among equal
 * scores the reference's order decides, so what top-k excluded is ordered with the rest. */
static void keep_top_p(const LvWarping *w, double top_p, float *scores)
{
    if (!(top_p < 1))
        return;
    const uint32_t n = w->n, *order = w->order;
    const float drop = (float)(1 - top_p);
    lv_sort_ascending(scores, w->order, n);
    const float largest = scores[order[n - 1]];
    double sum = 0, below = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += expf(scores[order[i]] - largest);
    for (uint32_t i = 0; i + 1 < n; i++) {
        const uint32_t id = order[i];
        below += (float)(expf(scores[id] - largest) / sum);
        if ((float)below > drop)
            break;
        scores[id] = -INFINITY;
    }
}

/* ---- by probability ---- */

/* Excludes ids less likely than `least`, except the likeliest. */
static void keep_likely(const LvWarping *w, const Softmax *s, float least, float *scores)
{
    for (uint32_t i = 0; i < w->n; i++)
        if (scores[i] < s->largest && probability(s, scores[i]) < least)
            scores[i] = -INFINITY;
}

static void keep_min_p(const LvWarping *w, double min_p, float *scores)
{
    const Softmax s = softmax_of(scores, w->n);
    keep_likely(w, &s, (float)min_p * probability(&s, s.largest), scores);
}

static void keep_above_epsilon(const LvWarping *w, double epsilon, float *scores)
{
    const Softmax s = softmax_of(scores, w->n);
    keep_likely(w, &s, (float)epsilon, scores);
}

static double entropy_of(const LvWarping *w, const Softmax *s, const float *scores)
{
    double entropy = 0;
    for (uint32_t i = 0; i < w->n; i++)
        if (scores[i] > -INFINITY)
            entropy -= (double)probability(s, scores[i]) * log_probability(s, scores[i]);
    return entropy;
}

static void keep_above_eta(const LvWarping *w, double eta_cutoff, float *scores)
{
    const Softmax s = softmax_of(scores, w->n);
    const float epsilon = (float)eta_cutoff;
    const float expected = sqrtf(epsilon) * expf(-(float)entropy_of(w, &s, scores));
    keep_likely(w, &s, expected < epsilon ? expected : epsilon, scores);
}

/* Keeps the ids whose surprise is nearest to the expected one until their probabilities reach
 * `mass`. */
static void keep_typical(const LvWarping *w, double mass, float *scores)
{
    const uint32_t n = w->n;
    const Softmax s = softmax_of(scores, n);
    const float entropy = (float)entropy_of(w, &s, scores);
    for (uint32_t i = 0; i < n; i++)
        w->scratch[i] = fabsf(-log_probability(&s, scores[i]) - entropy);
    lv_sort_ascending(w->scratch, w->order, n);
    double sum = 0;
    uint32_t last = 0;
    for (; last + 1 < n; last++) {
        sum += probability(&s, scores[w->order[last]]);
        if (!((float)sum < (float)mass))
            break;
    }
    const float limit = w->scratch[w->order[last]];
    for (uint32_t i = 1; i < n; i++)
        if (w->scratch[w->order[i]] > limit)
            scores[w->order[i]] = -INFINITY;
}

static bool inside(double value)
{
    return value > 0 && value < 1;
}

void lv_warp_scores(const LvWarping *w, const LlavaovGeneration *g, float *scores)
{
    static const LlavaovRules none;
    const LlavaovRules *rules = g->rules ? g->rules : &none;
    if (rules->top_h > 0)
        keep_top_h(w, rules->top_h, scores);
    keep_top_k(w, g->top_k, scores);
    keep_top_p(w, g->top_p, scores);
    if (rules->min_p > 0)
        keep_min_p(w, rules->min_p, scores);
    if (inside(rules->typical_p))
        keep_typical(w, rules->typical_p, scores);
    if (inside(rules->epsilon_cutoff))
        keep_above_epsilon(w, rules->epsilon_cutoff, scores);
    if (inside(rules->eta_cutoff))
        keep_above_eta(w, rules->eta_cutoff, scores);
}

void lv_normalise_scores(float *scores, uint32_t n)
{
    const Softmax s = softmax_of(scores, n);
    const float subtract = (float)log(s.sum);
    for (uint32_t i = 0; i < n; i++)
        scores[i] = scores[i] - s.largest - subtract;
}

void lv_softmax(float *scores, uint32_t n)
{
    const float largest = largest_of(scores, n);
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        scores[i] = scores[i] == -INFINITY ? 0 : expf(scores[i] - largest);
        sum += scores[i];
    }
    for (uint32_t i = 0; i < n; i++)
        scores[i] = (float)(scores[i] / sum);
}
