/* SPDX-License-Identifier: Apache-2.0
 * Unicode's normalisation form C (UAX #15): decompose, order the marks, compose. */
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "text/unicode.h"
#include "text/unicode_tables.h"
#include "text/utf8.h"

enum {
    HANGUL_FIRST = 0xAC00,
    HANGUL_COUNT = 11172,
    LEAD_FIRST = 0x1100,
    LEAD_COUNT = 19,
    VOWEL_FIRST = 0x1161,
    VOWEL_COUNT = 21,
    TRAIL_FIRST = 0x11A7, /* one before the first trailing consonant */
    TRAIL_COUNT = 28
};

/* The run being normalised: code points with their combining ranks (0 = starter). */
typedef struct Run {
    uint32_t *codes;
    uint8_t *ranks;
    size_t n, capacity;
    uint32_t *sorted; /* scratch for ordering, as large as codes */
    uint8_t *sorted_ranks;
} Run;

static void run_free(Run *run)
{
    lv_free(run->codes);
    lv_free(run->ranks);
    lv_free(run->sorted);
    lv_free(run->sorted_ranks);
}

/* Characters that neither change nor interact with their predecessor; common texts need no more
 * than this test. */
static bool inert(uint32_t code)
{
    return code < 0x300 || (code >= 0x3400 && code < 0xA000);
}

static uint8_t combining_rank(uint32_t code)
{
    if (code < 0x300 || code > 0x1FFFF)
        return 0;
    return (uint8_t)lv_class_range_value(lv_combining_ranges, LV_N_COMBINING_RANGES, code);
}

static const LvDecomposition *find_decomposition(uint32_t code)
{
    size_t low = 0, high = LV_N_DECOMPOSITIONS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (lv_decompositions[middle].character < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < LV_N_DECOMPOSITIONS && lv_decompositions[low].character == code
               ? &lv_decompositions[low]
               : NULL;
}

/* The character that first and second compose to; 0 when they do not. */
static uint32_t compose(uint32_t first, uint32_t second)
{
    if (first - LEAD_FIRST < LEAD_COUNT && second - VOWEL_FIRST < VOWEL_COUNT)
        return HANGUL_FIRST +
               ((first - LEAD_FIRST) * VOWEL_COUNT + (second - VOWEL_FIRST)) * TRAIL_COUNT;
    if (first - HANGUL_FIRST < HANGUL_COUNT && (first - HANGUL_FIRST) % TRAIL_COUNT == 0 &&
        second > TRAIL_FIRST && second - TRAIL_FIRST < TRAIL_COUNT)
        return first + second - TRAIL_FIRST;
    size_t low = 0, high = LV_N_COMPOSITIONS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const LvDecomposition *row = &lv_decompositions[lv_compositions[middle]];
        if (row->first < first || (row->first == first && row->second < second))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == LV_N_COMPOSITIONS)
        return 0;
    const LvDecomposition *row = &lv_decompositions[lv_compositions[low]];
    return row->first == first && row->second == second ? row->character : 0;
}

static bool run_reserve(Run *run, size_t n)
{
    if (n <= run->capacity)
        return true;
    size_t capacity = n + n / 2 + 64;
    lv_free(run->sorted);
    lv_free(run->sorted_ranks);
    run->sorted = lv_alloc(capacity, sizeof *run->sorted);
    run->sorted_ranks = lv_alloc(capacity, 1);
    uint32_t *codes = lv_realloc(run->codes, capacity, sizeof *codes);
    if (codes)
        run->codes = codes;
    uint8_t *ranks = lv_realloc(run->ranks, capacity, 1);
    if (ranks)
        run->ranks = ranks;
    if (!run->sorted || !run->sorted_ranks || !codes || !ranks)
        return false;
    run->capacity = capacity;
    return true;
}

static void run_put(Run *run, uint32_t code)
{
    run->codes[run->n] = code;
    run->ranks[run->n++] = combining_rank(code);
}

/* Appends code's full canonical decomposition: at most 4 characters. */
static bool run_decompose(Run *run, uint32_t code)
{
    if (!run_reserve(run, run->n + 8))
        return false;
    if (code - HANGUL_FIRST < HANGUL_COUNT) {
        uint32_t s = code - HANGUL_FIRST;
        run_put(run, LEAD_FIRST + s / (VOWEL_COUNT * TRAIL_COUNT));
        run_put(run, VOWEL_FIRST + s % (VOWEL_COUNT * TRAIL_COUNT) / TRAIL_COUNT);
        if (s % TRAIL_COUNT)
            run_put(run, TRAIL_FIRST + s % TRAIL_COUNT);
        return true;
    }
    uint32_t tail[4];
    size_t n_tail = 0;
    for (const LvDecomposition *row; n_tail < 4 && (row = find_decomposition(code)) != NULL;
         code = row->first)
        if (row->second)
            tail[n_tail++] = row->second;
    run_put(run, code);
    while (n_tail)
        run_put(run, tail[--n_tail]);
    return true;
}

/* Stably sorts every stretch of marks by rank; long stretches with a counting sort, so that none
 * takes quadratic time. */
static void order_marks(Run *run)
{
    for (size_t i = 0; i < run->n;) {
        if (!run->ranks[i]) {
            i++;
            continue;
        }
        size_t end = i + 1;
        bool ordered = true;
        for (; end < run->n && run->ranks[end]; end++)
            ordered &= run->ranks[end - 1] <= run->ranks[end];
        if (!ordered) {
            size_t start[LV_MAX_COMBINING_RANK + 2] = {0};
            for (size_t k = i; k < end; k++)
                start[run->ranks[k] + 1]++;
            for (size_t r = 1; r < LV_MAX_COMBINING_RANK + 2; r++)
                start[r] += start[r - 1];
            for (size_t k = i; k < end; k++) {
                size_t place = start[run->ranks[k]]++;
                run->sorted[place] = run->codes[k];
                run->sorted_ranks[place] = run->ranks[k];
            }
            memcpy(run->codes + i, run->sorted, (end - i) * sizeof *run->codes);
            memcpy(run->ranks + i, run->sorted_ranks, end - i);
        }
        i = end;
    }
}

static void compose_run(Run *run)
{
    size_t out = 0, starter = SIZE_MAX;
    for (size_t i = 0; i < run->n; i++) {
        uint32_t code = run->codes[i];
        uint8_t rank = run->ranks[i];
        /* Blocked if a character between the starter and this one does not have a lower rank. */
        bool adjacent = starter != SIZE_MAX && out == starter + 1;
        bool open = starter != SIZE_MAX && (adjacent || run->ranks[out - 1] < rank);
        uint32_t whole = open ? compose(run->codes[starter], code) : 0;
        if (whole) {
            run->codes[starter] = whole;
            continue;
        }
        run->codes[out] = code;
        run->ranks[out] = rank;
        if (!rank)
            starter = out;
        out++;
    }
    run->n = out;
}

typedef struct Output {
    char *text;
    size_t n, capacity;
} Output;

static bool reserve(Output *output, size_t more)
{
    if (output->capacity - output->n >= more)
        return true;
    size_t capacity = output->n + more + output->n / 2;
    char *text = lv_realloc(output->text, capacity, 1);
    if (!text)
        return false;
    output->text = text;
    output->capacity = capacity;
    return true;
}

/* Normalises p..end into run. */
static bool normalise(Run *run, const unsigned char *p, const unsigned char *end)
{
    run->n = 0;
    while (p < end)
        if (!run_decompose(run, lv_utf8_next(&p)))
            return false;
    order_marks(run);
    compose_run(run);
    return true;
}

static bool append(Output *output, const char *text, size_t n)
{
    if (!n)
        return true;
    if (!reserve(output, n))
        return false;
    memcpy(output->text + output->n, text, n);
    output->n += n;
    return true;
}

static bool append_run(Output *output, const Run *run)
{
    if (!reserve(output, run->n * 4))
        return false;
    for (size_t i = 0; i < run->n; i++)
        output->n += lv_utf8_put(run->codes[i], output->text + output->n);
    return true;
}

bool lv_nfc_cuts(const unsigned char *text)
{
    return (*text & 0xC0) != 0x80 && inert(lv_utf8_next(&text));
}

LlavaovStatus lv_nfc(
    const char *text, size_t bytes, char **out, size_t *out_bytes, LlavaovError *error)
{
    *out = NULL;
    *out_bytes = bytes;
    if (!bytes)
        return LLAVAOV_OK;
    const unsigned char *begin = (const unsigned char *)text, *end = begin + bytes;
    const unsigned char *p = begin, *copied = begin, *last = begin;
    Run run = {0};
    Output output = {0};
    bool ok = true;
    while (ok && p < end) {
        const unsigned char *here = p;
        if (*p < 0x80) {
            last = p++;
            continue;
        }
        if (inert(lv_utf8_next(&p))) {
            last = here;
            continue;
        }
        /* One stretch: from the preceding inert character, which marks may change, to the next
         * inert one. */
        const unsigned char *first = last, *stop = p;
        while (stop < end) {
            const unsigned char *next = stop;
            if (inert(lv_utf8_next(&next)))
                break;
            stop = next;
        }
        ok = normalise(&run, first, stop) &&
             append(&output, (const char *)copied, (size_t)(first - copied)) &&
             append_run(&output, &run);
        copied = last = p = stop;
    }
    if (ok && output.text)
        ok = append(&output, (const char *)copied, (size_t)(end - copied));
    run_free(&run);
    if (!ok) {
        lv_free(output.text);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL,
            "out of memory while normalising %zu bytes of text", bytes);
    }
    if (output.text) {
        *out = output.text;
        *out_bytes = output.n;
    }
    return LLAVAOV_OK;
}
