/* SPDX-License-Identifier: Apache-2.0
 * Decoding steps of the CUDA backend, executed on the CPU: recorded as graphs and replayed they
 * give the bits that they give launch by launch, whoever joins or leaves and however far contexts
 * grow; nothing but the rows of a step is written, and a steady step asks nothing of the device.
 * Argument: the stand-in module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "generation.h"
#include "model/warm.h"
#include "steps.h"

enum { MOST_STEPS = 24 };

/* ---- the same bits ---- */

typedef struct Trace {
    float scores[MOST_STEPS][MEMBERS][VOCAB]; /* not of greedy steps */
    int32_t tokens[MOST_STEPS][MEMBERS];
    char *caches[MEMBERS];
} Trace;

/* A step that was computed ahead has left a row behind the end, which is made what it was. */
static void note_caches(Trace *trace)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        const LvKvCache *cache = watch.members[i].cache;
        const size_t row = cache->head_dim * lv_dtype_bytes(lv_cuda(watch.b)->type);
        const size_t panels = (size_t)cache->n_layers * 2 * cache->n_kv_heads;
        char *copy = trace->caches[i] = malloc(cache_bytes(cache));
        assert_non_null(copy);
        memcpy(copy, cache->data, cache_bytes(cache));
        for (size_t panel = 0; watch.ahead && panel < panels; panel++)
            memset(copy + (panel * cache->capacity + watch.members[i].position) * row, 0xFF, row);
    }
}

static const struct {
    size_t n, who[MEMBERS];
} company[MOST_STEPS] = {{1, {0}}, {1, {0}}, {1, {0}}, {3, {0, 1, 2}}, {3, {0, 1, 2}},
    {3, {2, 0, 1}}, {2, {1, 2}}, {2, {1, 2}}, {2, {1, 0}}, {5, {0, 3, 2, 4, 5}},
    {5, {0, 3, 2, 4, 5}}, {5, {1, 3, 2, 4, 5}}, {6, {5, 4, 3, 2, 1, 0}}, {1, {5}}, {1, {4}},
    {4, {0, 3, 4, 5}}, {4, {1, 3, 4, 5}}, {3, {3, 4, 5}}, {2, {0, 1}}, {6, {0, 1, 2, 3, 4, 5}},
    {1, {0}}, {2, {4, 3}}, {1, {1}}, {5, {4, 3, 2, 1, 0}}};

/* temperature, top-k, top-p, penalty, seed behind the number of tokens */
static const LlavaovGeneration drawn[MEMBERS] = {GENERATION(12, 1, 0, 1, 1, 3, NULL),
    GENERATION(12, 0, 0, 1, 1, 0, NULL), GENERATION(12, 0.7, 20, 1, 1.1, 4, NULL),
    GENERATION(12, 1.5, 0, 0.8, 1, 5, NULL), GENERATION(12, 0, 0, 1, 1.2, 0, NULL),
    GENERATION(12, 2, 30, 0.6, 1, 6, NULL)};

/* Tensor cores take their time on the CPU. */
static unsigned steps_of(LlavaovPrecision precision)
{
    return precision == LLAVAOV_PRECISION_F32 ? MOST_STEPS : 11;
}

static void play(LlavaovPrecision precision, const char *graphs, const char *wishes, bool draw,
    bool ahead, Trace *trace)
{
    static const uint32_t positions[MEMBERS] = {5, 130, 255, 64, 0, 300};
    open_model(precision, graphs, wishes);
    watch.ahead = ahead;
    memset(trace, 0, sizeof *trace);
    for (size_t i = 0; i < MEMBERS; i++)
        open_member(i, positions[i], draw ? &drawn[i] : &greedy);
    for (size_t s = 0; s < steps_of(precision); s++) {
        must_step(company[s].who, company[s].n, draw ? trace->scores[s][0] : NULL);
        for (size_t i = 0; i < company[s].n; i++)
            trace->tokens[s][i] = watch.members[company[s].who[i]].token;
    }
    note_caches(trace);
}

static void whoever_joins_or_leaves_the_bits_are_the_same(void **state)
{
    static Trace direct, got;
    static const LlavaovPrecision precisions[] = {LLAVAOV_PRECISION_F32, LLAVAOV_PRECISION_BF16};
    for (size_t i = 0; i < 4; i += 3) { /* greedy in float32, drawn in bf16 */
        play(precisions[i / 2], ";graphs=off", "", i % 2, false, &direct);
        const unsigned n = steps_of(precisions[i / 2]);
        assert_int_equal(watch.computed, n);
        assert_int_equal(count().replayed, 0);
        assert_non_null(strstr(watch.b->info.detail, "without graphs: graphs=off"));
        close_model();
        /* Kernels that overlap, and none that does; ahead of greedy steps alone. */
        for (int way = 0; way < (i == 0 ? 3 : 2); way++) {
            const bool ahead = way == 2;
            play(precisions[i / 2], "", way == 1 ? "no-overlap" : "", i % 2, ahead, &got);
            assert_int_equal(count().overlapped > 0, way != 1);
            assert_null(strstr(watch.b->info.detail, "without graphs"));
            /* Each kind is enqueued directly once; most steps are of one that was seen before. */
            assert_true(count().replayed >= n / 2);
            assert_true(watch.computed < n);
            assert_memory_equal(got.tokens, direct.tokens, sizeof direct.tokens);
            if (i % 2)
                assert_memory_equal(got.scores, direct.scores, sizeof direct.scores);
            for (size_t m = 0; m < MEMBERS; m++) {
                const LvKvCache *cache = watch.members[m].cache;
                assert_memory_equal(got.caches[m], direct.caches[m], cache_bytes(cache));
                free(got.caches[m]);
            }
            close_model();
        }
        for (size_t m = 0; m < MEMBERS; m++)
            free(direct.caches[m]);
    }
}

/* Against a pass that is no step: over the borders at which the spans of attention grow (four of at
 * least 128 keys here) and at which the rotary table does. */
static void contexts_grow(void **state)
{
    static const uint32_t starts[] = {507, 4092};
    static float got[VOCAB], wanted[VOCAB];
    const size_t who = 0;
    for (size_t half = 0; half < 2; half++)
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            open_model(half ? LLAVAOV_PRECISION_BF16 : LLAVAOV_PRECISION_F32, "", "");
            const LvTextConfig *text = &watch.model->config->text;
            LvKvCache *twin = new_cache(starts[i], 1);
            LvTensor hidden;
            LlavaovError error = {0};
            const LvRun run = {.error = &error};
            must(watch.real->tensor_alloc(watch.b, 1, text->hidden_size, &hidden, &error), &error);
            open_member(0, starts[i], half ? &drawn[0] : &greedy);
            for (int s = 0; s < 9; s++) {
                const Member m = watch.members[0];
                const LvSequence sequence = {twin, 0, 1, m.position, 0};
                const LvBatch batch = {&sequence, 1};
                must_step(&who, 1, half ? got : NULL);
                must(watch.real->embed_tokens(
                         watch.b, &run, hidden, &m.token, watch.model->decoder.embed),
                    &error);
                must(lv_decoder_run(watch.model, &run, hidden, &batch, LV_LOGITS_LAST, wanted),
                    &error);
                if (half) {
                    assert_memory_equal(got, wanted, sizeof got);
                    continue;
                }
                size_t best = 0;
                for (size_t v = 1; v < VOCAB; v++)
                    best = wanted[v] > wanted[best] ? v : best;
                assert_int_equal(watch.members[0].token, best);
            }
            assert_true(count().replayed >= 7);
            assert_memory_equal(watch.members[0].cache->data, twin->data, cache_bytes(twin));
            watch.real->tensor_free(watch.b, &hidden);
            watch.real->kv_close(watch.b, twin);
            close_model();
        }
}

/* After the first steps of a kind nothing is asked of the device, and a step is a few launches. */
static void steady_steps_allocate_nothing(void **state)
{
    static const size_t who[] = {0, 1, 2};
    open_model(LLAVAOV_PRECISION_BF16, "", "");
    open_three();
    must_step(who, 3, NULL);
    const uint64_t launches = count().launches;
    must_step(who, 3, NULL);
    const LvStandinCounts before = count();
    assert_true(before.launches > launches + 10);
    for (int s = 0; s < 5; s++)
        must_step(who, 3, NULL);
    const LvStandinCounts after = count();
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.launches, before.launches + 5);
    assert_int_equal(after.copies, before.copies);
    assert_int_equal(after.recorded, before.recorded);
    assert_int_equal(after.graphs, 1);
    assert_int_equal(watch.computed, 2);
    close_model();
}

/* Before the first request: every kind of step is recorded, the largest first so that none is
 * forgotten again, and a request finds it. */
typedef struct Told {
    uint64_t done, total, stop_at; /* 0: never */
    unsigned times;
} Told;

static bool tell(void *data, uint64_t done, uint64_t total)
{
    Told *told = data;
    assert_true(done >= told->done && done <= total);
    assert_true(told->total == 0 || total == told->total);
    told->done = done;
    told->total = total;
    told->times++;
    return !told->stop_at || done < told->stop_at;
}

static void a_warm_model_has_its_graphs(void **state)
{
    static const size_t who[] = {0, 1};
    Told told = {0}, stopped = {.stop_at = 3};
    const LvWarm warm = {1, 4, 3, UINT32_MAX, tell, &told};
    const LvWarm cancelled = {1, 4, 3, UINT32_MAX, tell, &stopped};
    const LvWarm none = {.tiles = 1, .rows = 4, .sequences = 3, .milliseconds = 0};
    uint32_t done = 0;
    LlavaovError error = {0};
    open_model(LLAVAOV_PRECISION_BF16, "", "");
    must(lv_model_warm(watch.model, &none, &done, &error), &error);
    assert_int_equal(done, 0);
    assert_int_equal(count().graphs, 0);
    assert_int_equal(
        lv_model_warm(watch.model, &cancelled, &done, &error), LLAVAOV_ERROR_CANCELLED);
    assert_int_equal(done, 3);
    must(lv_model_warm(watch.model, &warm, &done, &error), &error);
    assert_int_equal(done, 1 + 2 * 2 * 2 + 1); /* a tile; 2 and 1 sequences, twice, drawn or not */
    assert_true(told.total == done && told.done == done && told.times == done + 1);
    assert_int_equal(count().graphs, 4);
    const unsigned computed = watch.computed;
    const uint64_t replayed = count().replayed;
    open_three();
    must_step(who, 2, NULL);
    must_step(who + 1, 1, NULL);
    assert_int_equal(watch.computed, computed);
    assert_int_equal(count().replayed, replayed + 2);
    close_model();
    assert_int_equal(lv_warm_of(&(LvBackend){.info = {.warm_ms = 7}}).milliseconds, 7);
}

/* Of the part that warming up has, behind the weights; without time for it, it is done at once. */
static void warming_up_is_part_of_loading(void **state)
{
    for (int cancel = 0; cancel < 2; cancel++) {
        Told weights = {0}, told = {0};
        LlavaovEngineOptions options = {.size = sizeof options,
            .model_path = random_model,
            .device = "cuda;rows=4;warm-ms=1",
            .progress = tell,
            .progress_data = &weights};
        LlavaovEngine *engine;
        LlavaovError error = {0};
        setenv("LLAVAOV_STANDIN", "", 1);
        must(llavaov_engine_open(&options, &engine, &error), &error);
        llavaov_engine_unref(engine);
        setenv("LLAVAOV_STANDIN", "cold", 1);
        told.stop_at = cancel ? weights.total + 1 : 0;
        options.progress_data = &told;
        const LlavaovStatus status = llavaov_engine_open(&options, &engine, &error);
        assert_int_equal(status, cancel ? LLAVAOV_ERROR_CANCELLED : LLAVAOV_OK);
        assert_true(told.total == weights.total + weights.total / 20);
        assert_true(
            cancel ? told.done > weights.total && told.done < told.total : told.done == told.total);
        llavaov_engine_unref(engine);
        assert_int_equal(count().live, 0);
    }
}

/* ---- ahead ---- */

/* Every step but the first was computed before it was asked for, and one more is under way. */
static void the_device_works_ahead(void **state)
{
    static const size_t who[] = {0, 1, 2}, left[] = {2, 0}, other[] = {2, 0, 1};
    open_model(LLAVAOV_PRECISION_BF16, "", "");
    watch.ahead = true;
    open_three();
    must_step(who, 3, NULL);
    must_step(who, 3, NULL);
    uint64_t replayed = count().replayed;
    for (int s = 0; s < 5; s++)
        must_step(who, 3, NULL);
    assert_int_equal(count().replayed, replayed + 5);
    watch.ahead = false;
    must_step(other, 3, NULL); /* in another order: still there */
    assert_int_equal(count().replayed, replayed + 5);
    watch.ahead = true;
    must_step(who, 3, NULL);
    assert_int_equal(count().replayed, replayed + 7);
    must_step(left, 2, NULL); /* one has ended: the others' step is another */
    must_step(left, 2, NULL);
    assert_int_equal(
        count().replayed, replayed + 9); /* it was wasted; direct, then one and ahead */
    close_model();
}

/* A device that does nothing before it must: what the host writes for a step is read in time, also
 * where steps were in vain. */
static void a_late_device_gives_the_same_tokens(void **state)
{
    static const size_t who[] = {0, 1, 2};
    static const struct {
        size_t n, first;
    } steps[] = {{3, 0}, {3, 0}, {3, 0}, {3, 0}, {2, 0}, {2, 0}, {2, 0}, {3, 0}, {2, 1}, {2, 1},
        {3, 0}, {3, 0}, {2, 1}, {3, 0}, {2, 0}, {3, 0}, {3, 0}};
    enum { STEPS = sizeof steps / sizeof *steps };
    static const LlavaovGeneration sampled = GENERATION(12, 1, 0, 1, 1, 3, NULL);
    int32_t tokens[4][STEPS][3] = {{{0}}};
    for (int way = 0; way < 4; way++) {
        open_model(LLAVAOV_PRECISION_F32, "", way % 2 ? "late" : "");
        watch.ahead = true;
        for (size_t i = 0; i < 3; i++)
            open_member(i, 20 + (uint32_t)i, way / 2 ? &sampled : &greedy);
        for (int s = 0; s < STEPS; s++) {
            must_step(who + steps[s].first, steps[s].n, NULL);
            for (size_t i = 0; i < steps[s].n; i++)
                tokens[way][s][i] = watch.members[steps[s].first + i].token;
        }
        close_model();
        if (way % 2)
            assert_memory_equal(tokens[way], tokens[way - 1], sizeof tokens[way]);
    }
}

/* Drawn tokens, beside greedy ones: how often a random stream was drawn from is known before. */
static void drawn_steps_are_computed_ahead_too(void **state)
{
    static const LlavaovGeneration ways[] = {GENERATION(12, 1, 0, 1, 1, 3, NULL),
        GENERATION(12, 0, 0, 1, 1, 0, NULL), GENERATION(12, 1.5, 30, 0.8, 1, 5, NULL),
        GENERATION(12, 0.7, 0, 1, 1.2, 6, NULL)};
    static const size_t who[] = {0, 1, 2}, other[] = {2, 0, 1}, penalised[] = {0, 1, 3};
    enum { STEPS = 14 };
    int32_t tokens[2][STEPS][3];
    for (int ahead = 0; ahead < 2; ahead++) {
        open_model(LLAVAOV_PRECISION_F32, "", "");
        watch.ahead = ahead;
        for (size_t i = 0; i < 4; i++)
            open_member(i, 20 + (uint32_t)i, &ways[i]);
        for (int s = 0; s < STEPS; s++) {
            const size_t *w = s == 8 ? other : s > 10 ? penalised : who;
            const uint64_t replayed = count().replayed;
            if (s == 5) /* not what was drawn ahead */
                watch.members[2].sampler.generation.top_k = 20;
            if (s == 6)
                watch.members[0].sampler.draws += 3;
            must_step(w, 3, NULL);
            for (int i = 0; i < 3; i++)
                tokens[ahead][s][i] = watch.members[w[i]].token;
            /* Direct; recorded, and one ahead; one ahead each time, unless what was computed ahead
             * is another step; in another order it is there, but none goes ahead of it. */
            static const unsigned more[STEPS] = {0, 2, 1, 1, 1, 2, 2, 1, 0, 2, 1, 1, 1, 1};
            assert_int_equal(count().replayed - replayed, ahead ? more[s] : s > 0);
        }
        close_model();
    }
    assert_memory_equal(tokens[0], tokens[1], sizeof tokens[0]);
    int differ = 0; /* they do draw */
    for (int s = 1; s < STEPS; s++)
        differ += tokens[0][s][2] != tokens[0][s - 1][2];
    assert_true(differ > STEPS / 2);
}

/* A cache that is closed and opened again, perhaps in the same place, is another one. */
static void what_was_computed_ahead_dies_with_its_cache(void **state)
{
    const size_t who = 0;
    int32_t tokens[2];
    for (int ahead = 0; ahead < 2; ahead++) {
        open_model(LLAVAOV_PRECISION_F32, "", "");
        open_member(0, 30, &greedy);
        must_step(&who, 1, NULL);
        must_step(&who, 1, NULL);
        watch.ahead = ahead;
        must_step(&who, 1, NULL);
        watch.ahead = false;
        Member *m = &watch.members[0];
        watch.real->kv_close(watch.b, m->cache);
        m->cache = new_cache(30, 77);
        /* The rows of the three steps are part of the new cache's past. */
        for (size_t i = 0; i < cache_bytes(m->cache) / sizeof(float); i++)
            if (((float *)m->cache->data)[i] != ((float *)m->cache->data)[i])
                ((float *)m->cache->data)[i] = 0.25f;
        must_step(&who, 1, NULL);
        tokens[ahead] = m->token;
        close_model();
    }
    assert_int_equal(tokens[0], tokens[1]);
}

/* It holds the tokens that it was asked for, needs its base no more, and steps go on from it. */
static void a_fork_goes_on_as_its_base(void **state)
{
    const LlavaovPrecision precisions[] = {LLAVAOV_PRECISION_F32, LLAVAOV_PRECISION_BF16};
    static const size_t who = 0;
    for (size_t p = 0; p < 2; p++) {
        int32_t tokens[2][3];
        for (int forked = 0; forked < 2; forked++) {
            LlavaovError error;
            const LvRun run = {.error = &error};
            open_model(precisions[p], "", "");
            open_member(0, 30, &greedy);
            must_step(&who, 1, NULL);
            Member *m = &watch.members[0];
            if (forked) {
                LvKvCache *fork = NULL;
                assert_int_equal(watch.real->kv_fork(watch.b, &run, m->cache, 32, 31, &fork),
                    LLAVAOV_ERROR_INTERNAL);
                assert_null(fork);
                must(watch.real->kv_fork(watch.b, &run, m->cache, 31, 77, &fork), &error);
                const size_t row = fork->head_dim * lv_dtype_bytes(lv_cuda(watch.b)->type),
                             panels = (size_t)fork->n_layers * 2 * fork->n_kv_heads;
                must(watch.real->synchronize(watch.b, &run), &error);
                for (size_t i = 0; i < panels; i++)
                    assert_memory_equal((char *)fork->data + i * 77 * row,
                        (char *)m->cache->data + i * m->cache->capacity * row, 31 * row);
                watch.real->kv_close(watch.b, m->cache);
                m->cache = fork;
            }
            for (int i = 0; i < 3; i++) {
                must_step(&who, 1, NULL);
                tokens[forked][i] = m->token;
            }
            close_model();
        }
        assert_memory_equal(tokens[0], tokens[1], sizeof tokens[0]);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 || !load_standin(argv[1]))
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_joins_or_leaves_the_bits_are_the_same),
        cmocka_unit_test(contexts_grow),
        cmocka_unit_test(steady_steps_allocate_nothing),
        cmocka_unit_test(a_warm_model_has_its_graphs),
        cmocka_unit_test(warming_up_is_part_of_loading),
        cmocka_unit_test(the_device_works_ahead),
        cmocka_unit_test(a_late_device_gives_the_same_tokens),
        cmocka_unit_test(drawn_steps_are_computed_ahead_too),
        cmocka_unit_test(what_was_computed_ahead_dies_with_its_cache),
        cmocka_unit_test(a_fork_goes_on_as_its_base),
    };
    return cmocka_run_group_tests(tests, write_step_model, remove_random_model);
}
