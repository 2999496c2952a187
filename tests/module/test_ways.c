/* SPDX-License-Identifier: Apache-2.0
 * The CUDA backend, executed on the CPU: several ways on from one place of one cache, in one call and
 * each alone, and what choices make of that. Arguments: the stand-in module, the folder of the demo
 * model. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/status.h"
#include "requests.h"
#include "standin_test.h"

enum { HEADS = 4, KV_HEADS = 2, LAYERS = 2, PREFIX = 70, CAPACITY = 96, MOST_ROWS = 12 };

/* Rows of the ways; the last one has another cache. */
static const uint32_t ways[] = {3, 1, 2, 1, 4};
enum { WAYS = sizeof ways / sizeof *ways };

typedef struct Bench {
    LvBackend *b;
    LlavaovError error;
    LvRun run;
    LvTextConfig text;
    LvKvCache *caches[2];
    size_t width, out_width;
} Bench;

static void must(const Bench *t, LlavaovStatus status)
{
    if (status != LLAVAOV_OK)
        fail_msg("%s", t->error.message);
}

static float noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)((int32_t)(*state >> 24) - 128) / 64;
}

static LvTensor noisy_rows(Bench *t, size_t rows, uint32_t seed)
{
    float *data = malloc(rows * t->width * sizeof *data);
    LvTensor tensor;
    for (size_t i = 0; i < rows * t->width; i++)
        data[i] = noise(&seed);
    must(t, t->b->ops->tensor_alloc(t->b, rows, t->width, &tensor, &t->error));
    must(t, t->b->ops->upload(t->b, &t->run, tensor, data));
    free(data);
    return tensor;
}

static void attend(Bench *t, LvTensor out, LvTensor qkv, const LvBatch *batch, bool apart)
{
    const LvBackendOps *op = t->b->ops;
    if (!apart) {
        must(t, op->rope_attention(t->b, &t->run, out, qkv, batch, 1, &t->text));
        return;
    }
    must(t, op->rope_store(t->b, &t->run, qkv, batch, 1, &t->text));
    must(t, op->attention_causal(t->b, &t->run, out, qkv, batch, 1, &t->text));
}

static void open_bench(Bench *t, LlavaovPrecision precision, uint32_t head_dim)
{
    *t = (Bench){.run.error = &t->error};
    t->text = (LvTextConfig){.n_layers = LAYERS,
        .n_heads = HEADS,
        .n_kv_heads = KV_HEADS,
        .head_dim = head_dim,
        .rope = {.theta = 1e4, .part = 1, .dim = head_dim, .scale = 1}};
    t->width = (size_t)(HEADS + 2 * KV_HEADS) * head_dim;
    t->out_width = (size_t)HEADS * head_dim;
    must(t, lv_backend_open(
                &(LvBackendOptions){.device = "cuda", .precision = precision}, &t->b, &t->error));
    assert_true(t->b->info.shared_caches);
    for (int i = 0; i < 2; i++) {
        must(t, t->b->ops->kv_open(
                    t->b, LAYERS, KV_HEADS, head_dim, CAPACITY, &t->caches[i], &t->error));
        LvTensor qkv = noisy_rows(t, PREFIX, 5 + (uint32_t)i), out;
        must(t, t->b->ops->tensor_alloc(t->b, PREFIX, t->out_width, &out, &t->error));
        const LvSequence sequence = {t->caches[i], 0, PREFIX, 0, 0};
        attend(t, out, qkv, &(LvBatch){&sequence, 1}, false);
        t->b->ops->tensor_free(t->b, &qkv);
        t->b->ops->tensor_free(t->b, &out);
    }
}

static void close_bench(Bench *t)
{
    for (int i = 0; i < 2; i++)
        t->b->ops->kv_close(t->b, t->caches[i]);
    t->b->ops->close(t->b);
}

/* together: all ways in one call; otherwise a call each. apart: two operations instead of one. */
static void run_ways(Bench *t, bool together, bool apart, float *results)
{
    LvSequence sequences[WAYS];
    uint32_t rows = 0;
    for (size_t i = 0; i < WAYS; i++) {
        sequences[i] = (LvSequence){t->caches[i == WAYS - 1], rows, ways[i], PREFIX, 0};
        rows += ways[i];
    }
    assert_true(rows <= MOST_ROWS);
    LvTensor qkv = noisy_rows(t, rows, 77), out;
    must(t, t->b->ops->tensor_alloc(t->b, rows, t->out_width, &out, &t->error));
    if (together)
        attend(t, out, qkv, &(LvBatch){sequences, WAYS}, apart);
    for (size_t i = 0; i < WAYS && !together; i++) {
        LvSequence one = sequences[i];
        const LvTensor own = lv_tensor_rows(qkv, one.first_row, one.n_rows),
                       result = lv_tensor_rows(out, one.first_row, one.n_rows);
        one.first_row = 0;
        attend(t, result, own, &(LvBatch){&one, 1}, apart);
    }
    must(t, t->b->ops->download(t->b, &t->run, results, out));
    t->b->ops->tensor_free(t->b, &qkv);
    t->b->ops->tensor_free(t->b, &out);
}

/* Each way sees the prefix and its own rows: bit by bit what it sees alone. */
static void ways_together_are_the_ways_alone(void **state)
{
    static const struct {
        LlavaovPrecision precision;
        uint32_t head_dim;
    } cases[] = {{LLAVAOV_PRECISION_F32, 32}, {LLAVAOV_PRECISION_BF16, 32},
        {LLAVAOV_PRECISION_BF16, 64}, {LLAVAOV_PRECISION_BF16, 40}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int apart = 0; apart < 2; apart++) {
            Bench t;
            static float together[MOST_ROWS * HEADS * 64], alone[MOST_ROWS * HEADS * 64];
            memset(together, 0, sizeof together);
            memset(alone, 0, sizeof alone);
            setenv("LLAVAOV_STANDIN", "", 1);
            open_bench(&t, cases[i].precision, cases[i].head_dim);
            run_ways(&t, false, apart, alone);
            run_ways(&t, true, apart, together);
            assert_memory_equal(together, alone, sizeof alone);
            close_bench(&t);
        }
}

/* ---- choices ---- */

typedef struct Choice {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    LlavaovStatus status;
    size_t winner;
    double logprobs[8];
} Choice;

static void on_done(void *data, const LlavaovAnswer *answer)
{
    Choice *c = data;
    pthread_mutex_lock(&c->lock);
    c->done = true;
    c->status = answer->status;
    if (answer->chosen) {
        c->winner = answer->chosen->winner;
        memcpy(c->logprobs, answer->chosen->logprobs, answer->chosen->n * sizeof *c->logprobs);
    }
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static Choice choose(const char *device, LlavaovPrecision precision)
{
    const LlavaovEngineOptions options = {.size = sizeof options,
        .model_path = demo_model,
        .device = device,
        .precision = precision,
        .threads = 1};
    const LlavaovChoices choices = llavaov_choices_default(
        "a red ball|a blue ball|nobody is there|somebody|three of them|two");
    Choice c = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    const LlavaovRequest request = {.size = sizeof request,
        .prompt = "What is there?",
        .choices = &choices,
        .on_done = on_done,
        .data = &c};
    const LlavaovSessionOptions settings = {.size = sizeof settings};
    LlavaovEngine *engine;
    LlavaovSession *session;
    LlavaovError error = {0};
    if (llavaov_engine_open(&options, &engine, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    assert_int_equal(llavaov_session_open(engine, &settings, &session, &error), LLAVAOV_OK);
    if (llavaov_session_ask(session, &request, NULL, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    pthread_mutex_lock(&c.lock);
    while (!c.done)
        pthread_cond_wait(&c.changed, &c.lock);
    pthread_mutex_unlock(&c.lock);
    llavaov_session_close(session);
    llavaov_engine_unref(engine);
    assert_int_equal(c.status, LLAVAOV_OK);
    return c;
}

static void labels_are_the_cpus(void **state)
{
    setenv("LLAVAOV_STANDIN", "", 1);
    const Choice cpu = choose("cpu", LLAVAOV_PRECISION_F32);
    const Choice cuda = choose("cuda", LLAVAOV_PRECISION_F32);
    assert_int_equal(cpu.winner, cuda.winner);
    for (int i = 0; i < 6; i++)
        assert_float_equal(cuda.logprobs[i], cpu.logprobs[i], 1e-3);
}

int main(int argc, char **argv)
{
    if (!take_standin(argc, argv))
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_together_are_the_ways_alone),
        cmocka_unit_test(labels_are_the_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
