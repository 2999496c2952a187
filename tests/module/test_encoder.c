/* SPDX-License-Identifier: Apache-2.0
 * The tower of one and two tiles as a graph, on the stand-in: the bits of a tower that is enqueued
 * launch by launch, also where recording is refused, fails or is given up. Argument: the stand-in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cancel.h"
#include "model/tower.h"
#include "steps.h"

enum { MOST_TILES = 3, N_SEEDS = 2 };

static size_t tile_values(void)
{
    const LvVisionConfig *v = &watch.model->config->vision;
    return (size_t)v->grid * v->grid * v->hidden_size;
}

/* The tower's rows of n tiles of noise. */
static LlavaovStatus tower(size_t n, uint32_t seed, float *rows, LlavaovError *error)
{
    const LvVisionConfig *v = &watch.model->config->vision;
    const size_t bytes = (size_t)v->image_size * v->image_size * 3;
    const LvRun run = {.error = error, .cancel = &watch.cancel};
    uint8_t *rgb = malloc(n * bytes);
    LvTile tiles[MOST_TILES] = {{NULL, NULL, NULL}};
    LvTensor out;
    for (size_t i = 0; i < n * bytes; i++)
        rgb[i] = (uint8_t)(seed = seed * 1664525u + 1013904223u, seed >> 24);
    for (size_t i = 0; i < n; i++)
        tiles[i].rgb = rgb + i * bytes;
    must(watch.b->ops->tensor_alloc(watch.b, n * v->grid * v->grid, v->hidden_size, &out, error),
        error);
    LlavaovStatus status = lv_tower_run(watch.model, &run, out, tiles, n);
    if (status == LLAVAOV_OK)
        status = watch.b->ops->download(watch.b, &run, rows, out);
    watch.b->ops->tensor_free(watch.b, &out);
    free(rgb);
    return status;
}

/* What launches give, of each number of tiles and each seed. */
typedef struct Wanted {
    float *rows[MOST_TILES][N_SEEDS];
} Wanted;

static Wanted plain(LlavaovPrecision precision, const char *options)
{
    Wanted wanted;
    LlavaovError error = {0};
    open_model(precision, options, "");
    for (size_t n = 1; n <= MOST_TILES; n++)
        for (uint32_t seed = 0; seed < N_SEEDS; seed++) {
            float **rows = &wanted.rows[n - 1][seed];
            *rows = malloc(n * tile_values() * sizeof **rows);
            must(tower(n, seed, *rows, &error), &error);
        }
    close_model();
    return wanted;
}

static void free_wanted(Wanted *wanted)
{
    for (size_t n = 0; n < MOST_TILES; n++)
        for (size_t seed = 0; seed < N_SEEDS; seed++)
            free(wanted->rows[n][seed]);
}

static void same(const Wanted *wanted, size_t n, uint32_t seed)
{
    LlavaovError error = {0};
    const size_t values = n * tile_values();
    float *rows = malloc(values * sizeof *rows);
    must(tower(n, seed, rows, &error), &error);
    assert_memory_equal(rows, wanted->rows[n - 1][seed], values * sizeof *rows);
    free(rows);
}

/* Twice as it comes, then replayed; the kinds in turn, and one with too many tiles for a graph. */
static void a_graph_gives_the_bits_of_launches(void **state)
{
    static const LlavaovPrecision precisions[] = {
        LLAVAOV_PRECISION_F32, LLAVAOV_PRECISION_BF16, LLAVAOV_PRECISION_FP8};
    static const size_t order[] = {1, 1, 1, 2, 1, 2, 3, 2, 1, 2, 3, 1};
    for (size_t i = 0; i < 3; i++) {
        Wanted wanted = plain(precisions[i], "");
        open_model(precisions[i], ";encoder=graph", "");
        const LvStandinCounts before = count();
        for (size_t k = 0; k < sizeof order / sizeof *order; k++)
            same(&wanted, order[k], k % N_SEEDS);
        /* one tile is recorded again behind two, whose memory both have */
        assert_int_equal(count().recorded - before.recorded, 3);
        /* of six and four passes all but the first, which is launched: the second is recorded and
         * replayed at once */
        assert_int_equal(count().replayed - before.replayed, 5 + 3);
        assert_true(count().overlapped > before.overlapped);
        assert_null(watch.b->ops->notice(watch.b));
        close_model();
        free_wanted(&wanted);
    }
}

/* The option is off by default, and overlap=off holds for it. */
static void what_is_not_asked_for_is_not_done(void **state)
{
    static const char *const options[] = {"", ";encoder=launches", ";encoder=graph;overlap=off"};
    Wanted wanted = plain(LLAVAOV_PRECISION_BF16, "");
    for (size_t i = 0; i < 3; i++) {
        open_model(LLAVAOV_PRECISION_BF16, options[i], "");
        const LvStandinCounts before = count();
        for (int k = 0; k < 4; k++)
            same(&wanted, 1, k % N_SEEDS);
        assert_int_equal(count().recorded - before.recorded, i == 2);
        assert_int_equal(count().overlapped, before.overlapped);
        close_model();
    }
    free_wanted(&wanted);
}

/* Nothing can be recorded, or the first recording behind the one that tries graphs fails: launches
 * from there on, and a notice. */
static void without_graphs_the_bits_are_the_same(void **state)
{
    static const char *const wishes[] = {"no-graphs", "graph=2"};
    Wanted wanted = plain(LLAVAOV_PRECISION_BF16, "");
    for (size_t i = 0; i < 2; i++) {
        open_model(LLAVAOV_PRECISION_BF16, ";encoder=graph", wishes[i]);
        for (int k = 0; k < 5; k++)
            same(&wanted, 1 + (size_t)k % 2, k % N_SEEDS);
        same(&wanted, 1, 0);
        same(&wanted, 2, 1);
        const char *notice = watch.b->ops->notice(watch.b);
        assert_non_null(notice);
        assert_non_null(strstr(notice, i == 0 ? "without graphs" : "encoder without graphs"));
        close_model();
    }
    free_wanted(&wanted);
}

static int norms_until_cancelled;

static LlavaovStatus cancelling_norm(LvBackend *b, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, const LvWeight *bias, double eps)
{
    if (--norms_until_cancelled == 0)
        lv_cancel_request(&watch.cancel);
    return watch.real->layer_norm(b, run, out, in, scale, bias, eps);
}

/* In the pass that is launched and in the one that is recorded; the next ones are whole. */
static void a_cancelled_pass_leaves_nothing(void **state)
{
    Wanted wanted = plain(LLAVAOV_PRECISION_BF16, "");
    for (int before = 0; before < 2; before++) {
        LlavaovError error = {0};
        float *rows;
        open_model(LLAVAOV_PRECISION_BF16, ";encoder=graph", "");
        rows = malloc(tile_values() * sizeof *rows);
        for (int k = 0; k < before; k++)
            same(&wanted, 1, 0);
        watch.ops.layer_norm = cancelling_norm;
        norms_until_cancelled = 3;
        assert_int_equal(tower(1, 0, rows, &error), LLAVAOV_ERROR_CANCELLED);
        watch.ops.layer_norm = watch.real->layer_norm;
        watch.cancel = (LvCancel){0};
        for (int k = 0; k < 4; k++)
            same(&wanted, 1, k % N_SEEDS);
        free(rows);
        close_model();
    }
    free_wanted(&wanted);
}

int main(int argc, char **argv)
{
    if (argc != 2 || !load_standin(argv[1]))
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_graph_gives_the_bits_of_launches),
        cmocka_unit_test(what_is_not_asked_for_is_not_done),
        cmocka_unit_test(without_graphs_the_bits_are_the_same),
        cmocka_unit_test(a_cancelled_pass_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, write_step_model, remove_random_model);
}
