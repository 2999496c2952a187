/* SPDX-License-Identifier: Apache-2.0
 * Decoding steps of the CUDA backend, executed on the CPU: recorded as graphs and replayed they
 * give the bits that they give launch by launch, whoever joins or leaves and however far contexts
 * grow; nothing but the rows of a step is written; what cannot be recorded is enqueued all the
 * same, and failures are named. Arguments: the stand-in module, the folder of the demo model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cuda/cuda.h"
#include "model/choice.h"
#include "standin.h"

enum { MEMBERS = 6, VOCAB = 1280, MOST_STEPS = 24, SPARE = 40 };

static const char *model_folder;
static LvStandinCount count;

/* ---- a model whose steps can be watched ---- */

typedef enum Mischief { NO_MISCHIEF, CANCEL, WAIT, DOWNLOAD } Mischief;

typedef struct Member {
    LvKvCache *cache;
    LvSampler sampler;
    uint32_t position;
    int32_t token;
} Member;

static struct {
    LvBackend *b;
    const LvBackendOps *real;
    LvBackendOps ops;
    LvCheckpoint *checkpoint;
    LvModel *model;
    LvTensor scores; /* of the step that ran last, unless it was greedy */
    LlavaovStatus (*compute)(const void *model, const LvRun *run, const int32_t *ids,
        const LvBatch *batch, LvTensor scores, int32_t *tokens);
    unsigned computed;
    Mischief mischief;
    bool ahead;
    LvCancel cancel;
    Member members[MEMBERS];
} t;

static LlavaovStatus watched(const void *model, const LvRun *run, const int32_t *ids,
    const LvBatch *batch, LvTensor scores, int32_t *tokens)
{
    float one[VOCAB];
    t.computed++;
    LlavaovStatus status = t.compute(model, run, ids, batch, scores, tokens);
    if (status == LLAVAOV_OK && !tokens)
        status = t.real->copy(t.b, run, lv_tensor_rows(t.scores, 0, scores.rows), scores);
    if (status == LLAVAOV_OK && t.mischief == WAIT)
        status = t.real->synchronize(t.b, run);
    if (status == LLAVAOV_OK && t.mischief == DOWNLOAD)
        status = t.real->download(t.b, run, one, lv_tensor_rows(t.scores, 0, 1));
    if (t.mischief == CANCEL) {
        lv_cancel_request(&t.cancel);
        status =
            t.real->copy(t.b, run, lv_tensor_rows(t.scores, 0, 1), lv_tensor_rows(t.scores, 1, 1));
    }
    return status;
}

static LlavaovStatus next_tokens(
    LvBackend *b, const LvRun *run, const LvNextTokens *next, int32_t *tokens)
{
    LvNextTokens own = *next;
    t.compute = next->compute;
    own.compute = watched;
    return t.real->next_tokens(b, run, &own, tokens);
}

static void must(LlavaovStatus status, const LlavaovError *error)
{
    if (status != LLAVAOV_OK)
        fail_msg("%s", error->message);
}

static void open_model(LlavaovPrecision precision, const char *graphs, const char *wishes)
{
    LlavaovError error = {0};
    memset(&t, 0, sizeof t);
    setenv("LLAVAOV_STANDIN", wishes, 1);
    setenv("LLAVAOV_CUDA_GRAPHS", graphs, 1);
    const LvBackendOptions options = {.device = "cuda", .precision = precision};
    must(lv_checkpoint_open(model_folder, &t.checkpoint, &error), &error);
    must(lv_backend_open(&options, &t.b, &error), &error);
    t.real = t.b->ops;
    t.ops = *t.real;
    t.ops.next_tokens = next_tokens;
    must(lv_model_open(t.checkpoint, t.b, NULL, NULL, &t.model, &error), &error);
    t.b->ops = &t.ops;
    must(t.real->tensor_alloc(t.b, LV_STEP_MOST, VOCAB, &t.scores, &error), &error);
}

static void close_model(void)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        t.real->kv_close(t.b, t.members[i].cache);
        lv_sampler_close(&t.members[i].sampler);
    }
    t.real->tensor_free(t.b, &t.scores);
    t.b->ops = t.real;
    lv_model_close(t.model);
    t.real->close(t.b);
    lv_checkpoint_close(t.checkpoint);
    assert_int_equal(count().graphs, 0);
    assert_int_equal(count().live, 0);
}

static size_t cache_bytes(const LvKvCache *cache)
{
    return lv_cuda_kv_elements(
               cache->n_layers, cache->n_kv_heads, cache->head_dim, cache->capacity) *
           lv_cuda_type_bytes(lv_cuda(t.b)->type);
}

/* A cache that holds any numbers before `position`, and NaN behind. */
static LvKvCache *new_cache(uint32_t position, uint32_t seed)
{
    const LvTextConfig *text = &t.model->config->text;
    LlavaovError error = {0};
    LvKvCache *cache;
    must(t.real->kv_open(t.b, text->n_layers, text->n_kv_heads, text->head_dim, position + SPARE,
             &cache, &error),
        &error);
    memset(cache->data, 0xFF, cache_bytes(cache));
    const size_t panels = (size_t)cache->n_layers * 2 * cache->n_kv_heads;
    for (size_t i = 0; i < panels * position * cache->head_dim; i++) {
        seed = seed * 1664525u + 1013904223u;
        const float x = (float)(seed >> 8) / (1 << 24) - 0.5f;
        const size_t in_panel = (size_t)position * cache->head_dim;
        const size_t at = i / in_panel * cache->capacity * cache->head_dim + i % in_panel;
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (lv_cuda(t.b)->type == LV_CUDA_F32)
            ((float *)cache->data)[at] = x;
        else
            ((uint16_t *)cache->data)[at] = (uint16_t)(bits >> 16);
    }
    return cache;
}

static void open_member(size_t i, uint32_t position, const LlavaovGeneration *generation)
{
    Member *m = &t.members[i];
    LlavaovError error = {0};
    m->cache = new_cache(position, (uint32_t)i + 1);
    m->position = position;
    m->token = 100 + (int32_t)i;
    must(lv_sampler_open(&m->sampler, generation, VOCAB, &error), &error);
    lv_sampler_see(&m->sampler, &m->token, 1);
}

/* One step of the members with these numbers. Where it is done their rows' scores and tokens are
 * put behind each other. */
static LlavaovStatus step(const size_t *who, size_t n, float *scores, LlavaovError *error)
{
    LvSequence sequences[MEMBERS];
    LvChoice choices[MEMBERS];
    int32_t ids[MEMBERS] = {0};
    LlavaovError errors[MEMBERS] = {0};
    for (size_t i = 0; i < n; i++) {
        Member *m = &t.members[who[i]];
        sequences[i] = (LvSequence){m->cache, (uint32_t)i, 1, m->position};
        choices[i] = (LvChoice){&m->sampler, &errors[i], LLAVAOV_OK, 0};
        ids[i] = m->token;
    }
    const LvBatch batch = {sequences, n};
    const LvRun run = {.cancel = &t.cancel, .error = error}, reading = {.error = error};
    *error = (LlavaovError){0};
    LlavaovStatus status = lv_decoder_step(t.model, &run, ids, &batch, t.ahead, choices, NULL);
    if (status != LLAVAOV_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        Member *m = &t.members[who[i]];
        must(choices[i].status, &errors[i]);
        m->token = choices[i].token;
        m->position++;
    }
    if (scores)
        must(t.real->download(t.b, &reading, scores, lv_tensor_rows(t.scores, 0, n)), error);
    return LLAVAOV_OK;
}

static void must_step(const size_t *who, size_t n, float *scores)
{
    LlavaovError error;
    must(step(who, n, scores, &error), &error);
}

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
        const LvKvCache *cache = t.members[i].cache;
        const size_t row = cache->head_dim * lv_cuda_type_bytes(lv_cuda(t.b)->type);
        const size_t panels = (size_t)cache->n_layers * 2 * cache->n_kv_heads;
        char *copy = trace->caches[i] = malloc(cache_bytes(cache));
        assert_non_null(copy);
        memcpy(copy, cache->data, cache_bytes(cache));
        for (size_t panel = 0; t.ahead && panel < panels; panel++)
            memset(copy + (panel * cache->capacity + t.members[i].position) * row, 0xFF, row);
    }
}

static const struct {
    size_t n, who[MEMBERS];
} company[MOST_STEPS] = {{1, {0}}, {1, {0}}, {1, {0}}, {3, {0, 1, 2}}, {3, {0, 1, 2}},
    {3, {2, 0, 1}}, {2, {1, 2}}, {2, {1, 2}}, {2, {1, 0}}, {5, {0, 3, 2, 4, 5}},
    {5, {0, 3, 2, 4, 5}}, {5, {1, 3, 2, 4, 5}}, {6, {5, 4, 3, 2, 1, 0}}, {1, {5}}, {1, {4}},
    {4, {0, 3, 4, 5}}, {4, {1, 3, 4, 5}}, {3, {3, 4, 5}}, {2, {0, 1}}, {6, {0, 1, 2, 3, 4, 5}},
    {1, {0}}, {2, {4, 3}}, {1, {1}}, {5, {4, 3, 2, 1, 0}}};

static const LlavaovGeneration greedy = {12, 0, 0, 1, 1, 0};
/* temperature, top-k, top-p, penalty, seed behind the number of tokens */
static const LlavaovGeneration drawn[MEMBERS] = {{12, 1, 0, 1, 1, 3}, {12, 0, 0, 1, 1, 0},
    {12, 0.7, 20, 1, 1.1, 4}, {12, 1.5, 0, 0.8, 1, 5}, {12, 0, 0, 1, 1.2, 0},
    {12, 2, 30, 0.6, 1, 6}};

/* Tensor cores take their time on the CPU. */
static unsigned steps_of(LlavaovPrecision precision)
{
    return precision == LLAVAOV_PRECISION_F32 ? MOST_STEPS : 11;
}

static void play(
    LlavaovPrecision precision, const char *graphs, bool draw, bool ahead, Trace *trace)
{
    static const uint32_t positions[MEMBERS] = {5, 130, 255, 64, 0, 300};
    open_model(precision, graphs, "");
    t.ahead = ahead;
    memset(trace, 0, sizeof *trace);
    for (size_t i = 0; i < MEMBERS; i++)
        open_member(i, positions[i], draw ? &drawn[i] : &greedy);
    for (size_t s = 0; s < steps_of(precision); s++) {
        must_step(company[s].who, company[s].n, draw ? trace->scores[s][0] : NULL);
        for (size_t i = 0; i < company[s].n; i++)
            trace->tokens[s][i] = t.members[company[s].who[i]].token;
    }
    note_caches(trace);
}

static void whoever_joins_or_leaves_the_bits_are_the_same(void **state)
{
    static Trace direct, got;
    static const LlavaovPrecision precisions[] = {LLAVAOV_PRECISION_F32, LLAVAOV_PRECISION_BF16};
    for (size_t i = 0; i < 4; i += 3) { /* greedy in float32, drawn in bf16 */
        play(precisions[i / 2], "off", i % 2, false, &direct);
        const unsigned n = steps_of(precisions[i / 2]);
        assert_int_equal(t.computed, n);
        assert_int_equal(count().replayed, 0);
        assert_non_null(strstr(t.b->info.detail, "without graphs: LLAVAOV_CUDA_GRAPHS"));
        close_model();
        for (int ahead = 0; ahead < (i == 0 ? 2 : 1); ahead++) { /* of greedy steps alone */
            play(precisions[i / 2], "on", i % 2, ahead, &got);
            assert_null(strstr(t.b->info.detail, "without graphs"));
            /* Each kind is enqueued directly once; most steps are of one that was seen before. */
            assert_true(count().replayed >= n / 2);
            assert_true(t.computed < n);
            assert_memory_equal(got.tokens, direct.tokens, sizeof direct.tokens);
            if (i % 2)
                assert_memory_equal(got.scores, direct.scores, sizeof direct.scores);
            for (size_t m = 0; m < MEMBERS; m++) {
                const LvKvCache *cache = t.members[m].cache;
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
            open_model(half ? LLAVAOV_PRECISION_BF16 : LLAVAOV_PRECISION_F32, "on", "");
            const LvTextConfig *text = &t.model->config->text;
            LvKvCache *twin = new_cache(starts[i], 1);
            LvTensor hidden;
            LlavaovError error = {0};
            const LvRun run = {.error = &error};
            must(t.real->tensor_alloc(t.b, 1, text->hidden_size, &hidden, &error), &error);
            open_member(0, starts[i], half ? &drawn[0] : &greedy);
            for (int s = 0; s < 9; s++) {
                const Member m = t.members[0];
                const LvSequence sequence = {twin, 0, 1, m.position};
                const LvBatch batch = {&sequence, 1};
                must_step(&who, 1, half ? got : NULL);
                must(t.real->embed_tokens(t.b, &run, hidden, &m.token, t.model->decoder.embed),
                    &error);
                must(lv_decoder_run(t.model, &run, hidden, &batch, LV_LOGITS_LAST, wanted), &error);
                if (half) {
                    assert_memory_equal(got, wanted, sizeof got);
                    continue;
                }
                size_t best = 0;
                for (size_t v = 1; v < VOCAB; v++)
                    best = wanted[v] > wanted[best] ? v : best;
                assert_int_equal(t.members[0].token, best);
            }
            assert_true(count().replayed >= 7);
            assert_memory_equal(t.members[0].cache->data, twin->data, cache_bytes(twin));
            t.real->tensor_free(t.b, &hidden);
            t.real->kv_close(t.b, twin);
            close_model();
        }
}

/* After the first steps of a kind nothing is asked of the device, and a step is a few launches. */
static void steady_steps_allocate_nothing(void **state)
{
    static const size_t who[] = {0, 1, 2};
    open_model(LLAVAOV_PRECISION_BF16, "on", "");
    for (size_t i = 0; i < 3; i++)
        open_member(i, 20, &greedy);
    must_step(who, 3, NULL);
    const uint64_t launches = count().launches;
    must_step(who, 3, NULL);
    const LvStandinCounts before = count();
    assert_true(before.launches > launches + 20);
    for (int s = 0; s < 5; s++)
        must_step(who, 3, NULL);
    const LvStandinCounts after = count();
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.launches, before.launches + 5);
    assert_int_equal(after.recorded, before.recorded);
    assert_int_equal(after.graphs, 1);
    assert_int_equal(t.computed, 2);
    close_model();
}

/* ---- ahead ---- */

/* Every step but the first was computed before it was asked for, and one more is under way. */
static void the_device_works_ahead(void **state)
{
    static const size_t who[] = {0, 1, 2}, left[] = {2, 0}, other[] = {2, 0, 1};
    open_model(LLAVAOV_PRECISION_BF16, "on", "");
    t.ahead = true;
    for (size_t i = 0; i < 3; i++)
        open_member(i, 20, &greedy);
    must_step(who, 3, NULL);
    must_step(who, 3, NULL);
    uint64_t replayed = count().replayed;
    for (int s = 0; s < 5; s++)
        must_step(who, 3, NULL);
    assert_int_equal(count().replayed, replayed + 5);
    t.ahead = false;
    must_step(other, 3, NULL); /* in another order: still there */
    assert_int_equal(count().replayed, replayed + 5);
    t.ahead = true;
    must_step(who, 3, NULL);
    assert_int_equal(count().replayed, replayed + 7);
    must_step(left, 2, NULL); /* one has ended: the others' step is another */
    must_step(left, 2, NULL);
    assert_int_equal(
        count().replayed, replayed + 9); /* it was in vain; direct, then one and ahead */
    close_model();
}

/* Drawn tokens, beside greedy ones: how often a random stream was drawn from is known before. */
static void drawn_steps_are_computed_ahead_too(void **state)
{
    static const LlavaovGeneration ways[] = {{12, 1, 0, 1, 1, 3}, {12, 0, 0, 1, 1, 0},
        {12, 1.5, 30, 0.8, 1, 5}, {12, 0.7, 0, 1, 1.2, 6}};
    static const size_t who[] = {0, 1, 2}, other[] = {2, 0, 1}, penalised[] = {0, 1, 3};
    enum { STEPS = 14 };
    int32_t tokens[2][STEPS][3];
    for (int ahead = 0; ahead < 2; ahead++) {
        open_model(LLAVAOV_PRECISION_F32, "on", "");
        t.ahead = ahead;
        for (size_t i = 0; i < 4; i++)
            open_member(i, 20 + (uint32_t)i, &ways[i]);
        for (int s = 0; s < STEPS; s++) {
            const size_t *w = s == 8 ? other : s > 10 ? penalised : who;
            const uint64_t replayed = count().replayed;
            if (s == 5) /* not what was drawn ahead */
                t.members[2].sampler.generation.top_k = 20;
            if (s == 6)
                t.members[0].sampler.draws += 3;
            must_step(w, 3, NULL);
            for (int i = 0; i < 3; i++)
                tokens[ahead][s][i] = t.members[w[i]].token;
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
        open_model(LLAVAOV_PRECISION_F32, "on", "");
        open_member(0, 30, &greedy);
        must_step(&who, 1, NULL);
        must_step(&who, 1, NULL);
        t.ahead = ahead;
        must_step(&who, 1, NULL);
        t.ahead = false;
        Member *m = &t.members[0];
        t.real->kv_close(t.b, m->cache);
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

/* ---- what goes wrong ---- */

/* Plays a few steps and gives the tokens. */
static void few_steps(int32_t tokens[6])
{
    const size_t who[] = {0, 1, 2};
    for (size_t i = 0; i < 3; i++)
        open_member(i, 20 + (uint32_t)i, &greedy);
    for (size_t s = 0; s < 6; s++) {
        must_step(who, 3, NULL);
        tokens[s] = t.members[s % 3].token;
    }
}

static void without_graphs_the_answers_are_the_same(void **state)
{
    static const struct {
        const char *wishes;
        Mischief mischief;
        bool told; /* when the device is opened */
    } cases[] = {
        {"no-graphs", NO_MISCHIEF, true},
        {"graph=1", NO_MISCHIEF, true},
        {"graph=2", NO_MISCHIEF, false},
        {"", WAIT, false},
        {"", DOWNLOAD, false},
    };
    int32_t wanted[6], tokens[6];
    open_model(LLAVAOV_PRECISION_F32, "on", "");
    few_steps(wanted);
    assert_int_equal(t.computed, 2);
    assert_null(t.real->notice(t.b));
    close_model();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_model(LLAVAOV_PRECISION_F32, "on", cases[i].wishes);
        assert_int_equal(strstr(t.b->info.detail, "without graphs") != NULL, cases[i].told);
        const uint64_t replayed = count().replayed;
        t.mischief = cases[i].mischief;
        few_steps(tokens);
        assert_memory_equal(tokens, wanted, sizeof wanted);
        const char *notice = t.real->notice(t.b);
        assert_non_null(notice);
        assert_non_null(strstr(notice, "decoding steps without graphs: "));
        assert_int_equal(strstr(notice, "recording a step: ") != NULL, !cases[i].told);
        assert_int_equal(t.computed, cases[i].told ? 6 : 7);
        assert_int_equal(count().replayed, replayed);
        assert_int_equal(count().graphs, 0);
        close_model();
    }
}

/* Before, while the step is recorded, and before a replay. */
static void a_cancelled_step_has_changed_nothing(void **state)
{
    static const size_t who[] = {0, 1, 2};
    int32_t wanted[6], tokens[6];
    open_model(LLAVAOV_PRECISION_F32, "on", "");
    few_steps(wanted);
    close_model();
    for (int ahead = 0; ahead < 2; ahead++) {
        open_model(LLAVAOV_PRECISION_F32, "on", "");
        t.ahead = ahead;
        for (size_t i = 0; i < 3; i++)
            open_member(i, 20 + (uint32_t)i, &greedy);
        for (size_t s = 0; s < 6; s++) {
            LlavaovError error;
            if (s < 2)
                t.mischief = CANCEL;
            else
                lv_cancel_request(&t.cancel);
            assert_int_equal(step(who, 3, NULL, &error), LLAVAOV_ERROR_CANCELLED);
            assert_int_equal(error.status, LLAVAOV_ERROR_CANCELLED);
            t.mischief = NO_MISCHIEF;
            atomic_store(&t.cancel.requested, false);
            must_step(who, 3, NULL);
            tokens[s] = t.members[s % 3].token;
        }
        assert_memory_equal(tokens, wanted, sizeof wanted);
        assert_int_equal(count().graphs, 1);
        close_model();
    }
}

/* A weight is freed that a graph may read: it is recorded anew. */
static void graphs_go_with_their_model(void **state)
{
    const size_t who = 0;
    open_model(LLAVAOV_PRECISION_F32, "on", "");
    open_member(0, 7, &greedy);
    for (int s = 0; s < 3; s++)
        must_step(&who, 1, NULL);
    assert_int_equal(count().graphs, 1);
    static const float numbers[4] = {1, 2, 3, 4};
    const LvHostTensor tensor = {.name = "w",
        .file = "f",
        .dtype = LV_F32,
        .n_dims = 1,
        .shape = {4},
        .data = numbers,
        .bytes = sizeof numbers};
    const LvHostTensor *part = &tensor;
    LvWeight *weight;
    LlavaovError error = {0};
    must(t.real->weight_load(t.b, &part, 1, LV_WEIGHT_VECTOR, &weight, &error), &error);
    assert_int_equal(count().graphs, 1);
    t.real->weight_free(t.b, weight);
    assert_int_equal(count().graphs, 0);
    const unsigned computed = t.computed;
    for (int s = 0; s < 3; s++)
        must_step(&who, 1, NULL);
    assert_int_equal(t.computed, computed + 2);
    close_model();
}

static void steps_that_do_not_fit_are_refused(void **state)
{
    const size_t who = 0;
    LlavaovError error;
    open_model(LLAVAOV_PRECISION_F32, "on", "");
    t.ahead = true;
    open_member(0, 7, &greedy);
    for (int s = 0; s < SPARE; s++)
        must_step(&who, 1, NULL);
    assert_int_equal(step(&who, 1, NULL, &error), LLAVAOV_ERROR_INTERNAL); /* the cache is full */
    t.members[0].position--;
    t.members[0].token = VOCAB;
    assert_int_equal(step(&who, 1, NULL, &error), LLAVAOV_ERROR_INTERNAL);
    t.members[0].token = 5;
    must_step(&who, 1, NULL);
    close_model();
}

/* Numbers that are not finite end that row alone. */
static void nan_is_its_rows_own(void **state)
{
    LvSequence sequences[2];
    LvChoice choices[2];
    const int32_t ids[2] = {3, 4};
    LlavaovError errors[2] = {0}, error = {0};
    const LvRun run = {.error = &error};
    open_model(LLAVAOV_PRECISION_F32, "on", "");
    open_member(0, 7, &greedy);
    open_member(1, 9, &greedy);
    const LvBatch batch = {sequences, 2};
    for (uint32_t s = 0; s < 4; s++) {
        for (uint32_t i = 0; i < 2; i++) {
            sequences[i] = (LvSequence){t.members[i].cache, i, 1, t.members[i].position + s};
            choices[i] = (LvChoice){&t.members[i].sampler, &errors[i], LLAVAOV_OK, 0};
        }
        if (s == 3)
            sequences[1].position += 5; /* rows that nobody wrote */
        must(lv_decoder_step(t.model, &run, ids, &batch, true, choices, NULL), &error);
        assert_int_equal(choices[0].status, LLAVAOV_OK);
        assert_int_equal(choices[1].status, s == 3 ? LLAVAOV_ERROR_NUMERIC : LLAVAOV_OK);
    }
    assert_int_equal(count().graphs, 1);
    close_model();
}

/* At every launch from the first step's last to the third's graph: while a step is enqueued, while
 * it is recorded, and while it is replayed. */
static void failures_are_named_wherever_they_strike(void **state)
{
    static const size_t who[] = {0, 1, 2};
    static const struct {
        const char *wish, *text;
    } faults[] = {{"launch=%llu", "unspecified launch failure (error 719)"},
        {"lost=%llu", "the device does not answer (error 999)"}};
    uint64_t at[4];
    int32_t wanted[6];
    open_model(LLAVAOV_PRECISION_F32, "on", "");
    at[0] = count().launches;
    few_steps(wanted);
    at[1] = count().launches; /* six steps: direct, recorded and replayed, four replays */
    close_model();
    open_model(LLAVAOV_PRECISION_F32, "on", "");
    for (size_t i = 0; i < 3; i++)
        open_member(i, 20 + (uint32_t)i, &greedy);
    must_step(who, 3, NULL);
    at[2] = count().launches;
    must_step(who, 3, NULL);
    at[3] = count().launches;
    close_model();
    assert_int_equal(at[1], at[3] + 4);
    const uint64_t strikes[] = {
        at[0] + 1, at[2], at[2] + 1, at[2] + 20, at[3] - 1, at[3], at[3] + 1, at[1]};
    for (size_t f = 0; f < 2; f++)
        for (size_t i = 0; i < sizeof strikes / sizeof *strikes; i++) {
            char wishes[32];
            snprintf(wishes, sizeof wishes, faults[f].wish, (unsigned long long)strikes[i]);
            open_model(LLAVAOV_PRECISION_F32, "on", wishes);
            for (size_t m = 0; m < 3; m++)
                open_member(m, 20 + (uint32_t)m, &greedy);
            LlavaovError first, second;
            LlavaovStatus status = LLAVAOV_OK;
            size_t s = 0;
            for (; s < 6 && status == LLAVAOV_OK; s++) {
                status = step(who, 3, NULL, &first);
                if (status == LLAVAOV_OK)
                    assert_int_equal(t.members[s % 3].token, wanted[s]);
            }
            assert_int_equal(status, LLAVAOV_ERROR_DEVICE);
            assert_int_equal(s, strikes[i] <= at[2]   ? 1
                                : strikes[i] <= at[3] ? 2
                                                      : strikes[i] - at[3] + 2);
            if (!strstr(first.message, faults[f].text) || !strstr(first.message, "cuda:0: "))
                fail_msg("%s", first.message);
            assert_int_equal(step(who, 3, NULL, &second), LLAVAOV_ERROR_DEVICE);
            assert_string_equal(second.message, first.message);
            close_model();
        }
}

/* Also in a step that nobody has asked for yet; tokens that were given before are right. */
static void failures_ahead_are_named_too(void **state)
{
    static const size_t who[] = {0, 1, 2};
    static const char *const wishes[] = {"launch=%llu", "lost=%llu"};
    int32_t wanted[6];
    open_model(LLAVAOV_PRECISION_F32, "on", "");
    few_steps(wanted);
    const uint64_t launches = count().launches;
    close_model();
    for (size_t f = 0; f < 2; f++)
        for (uint64_t at = launches - 4; at <= launches + 1; at += 2) {
            char wish[32];
            snprintf(wish, sizeof wish, wishes[f], (unsigned long long)at);
            open_model(LLAVAOV_PRECISION_F32, "on", wish);
            t.ahead = true;
            for (size_t m = 0; m < 3; m++)
                open_member(m, 20 + (uint32_t)m, &greedy);
            LlavaovError first, second;
            LlavaovStatus status = LLAVAOV_OK;
            for (size_t s = 0; s < 6 && status == LLAVAOV_OK; s++) {
                status = step(who, 3, NULL, &first);
                if (status == LLAVAOV_OK)
                    assert_int_equal(t.members[s % 3].token, wanted[s]);
            }
            assert_int_equal(status, LLAVAOV_ERROR_DEVICE);
            assert_int_equal(step(who, 3, NULL, &second), LLAVAOV_ERROR_DEVICE);
            assert_string_equal(second.message, first.message);
            close_model();
        }
}

/* The last allocations are refused, one in each round: memory that is kept makes up for it, or a
 * step ends with an error and can be repeated. */
static void refused_memory_costs_no_more_than_a_step(void **state)
{
    static const size_t who[] = {0, 1, 2};
    int32_t wanted[6];
    const uint64_t before = count().allocations;
    open_model(LLAVAOV_PRECISION_F32, "on", "");
    few_steps(wanted);
    const uint64_t allocations = count().allocations - before;
    close_model();
    for (uint64_t n = allocations - 16; n <= allocations; n += 3) {
        char wishes[32];
        snprintf(wishes, sizeof wishes, "alloc=%llu", (unsigned long long)n);
        open_model(LLAVAOV_PRECISION_F32, "on", wishes);
        for (size_t i = 0; i < 3; i++)
            open_member(i, 20 + (uint32_t)i, &greedy);
        for (size_t s = 0; s < 6; s++) {
            LlavaovError error;
            LlavaovStatus status = step(who, 3, NULL, &error);
            if (status != LLAVAOV_OK) {
                assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
                assert_non_null(strstr(error.message, "no memory for "));
                must_step(who, 3, NULL);
            }
            assert_int_equal(t.members[s % 3].token, wanted[s]);
        }
        assert_true(count().replayed > 3);
        close_model();
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    setenv("LLAVAOV_CUDA_MODULE", argv[1], 1);
    model_folder = argv[2];
    void *module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    count = module ? (LvStandinCount)(uintptr_t)dlsym(module, "lv_standin_counts") : NULL;
    if (!count)
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_joins_or_leaves_the_bits_are_the_same),
        cmocka_unit_test(contexts_grow),
        cmocka_unit_test(steady_steps_allocate_nothing),
        cmocka_unit_test(the_device_works_ahead),
        cmocka_unit_test(drawn_steps_are_computed_ahead_too),
        cmocka_unit_test(what_was_computed_ahead_dies_with_its_cache),
        cmocka_unit_test(without_graphs_the_answers_are_the_same),
        cmocka_unit_test(a_cancelled_step_has_changed_nothing),
        cmocka_unit_test(graphs_go_with_their_model),
        cmocka_unit_test(steps_that_do_not_fit_are_refused),
        cmocka_unit_test(nan_is_its_rows_own),
        cmocka_unit_test(failures_are_named_wherever_they_strike),
        cmocka_unit_test(failures_ahead_are_named_too),
        cmocka_unit_test(refused_memory_costs_no_more_than_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
