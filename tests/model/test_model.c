/* SPDX-License-Identifier: Apache-2.0
 * The model's parts against each other and against naive code, on a tiny random checkpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "checkpoint_writer.h"
#include "model/decoder.h"
#include "model/scratch.h"
#include "model/tower.h"
#include "model/visual.h"

static LvCheckpoint *checkpoint;
static LvBackend *backend;
static LvModel *model;
static const LvRun run;

static void must(LlavaovStatus status, const LlavaovError *error)
{
    if (status != LLAVAOV_OK)
        fail_msg("%s: %s", llavaov_status_name(status), error ? error->message : "");
}

static int open_all(void **state)
{
    char folder[] = "/tmp/llavaov-model-XXXXXX";
    LlavaovError error;
    LvWriterSpec spec;
    assert_non_null(mkdtemp(folder));
    assert_true(lv_writer_preset("mini", &spec));
    must(lv_write_checkpoint(folder, &spec, &error), &error);
    must(lv_checkpoint_open(folder, &checkpoint, &error), &error);
    const LvBackendOptions options = {.device = "cpu", .threads = 1};
    must(lv_backend_open(&options, &backend, &error), &error);
    must(lv_model_open(checkpoint, backend, NULL, NULL, &model, &error), &error);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    return 0;
}

static int close_all(void **state)
{
    lv_model_close(model);
    backend->ops->close(backend);
    lv_checkpoint_close(checkpoint);
    return 0;
}

static LvTensor tensor(size_t rows, size_t cols)
{
    LvTensor t;
    must(backend->ops->tensor_alloc(backend, rows, cols, &t, NULL), NULL);
    return t;
}

static float *values(LvTensor t)
{
    float *v = malloc(t.rows * t.cols * sizeof *v);
    assert_non_null(v);
    must(backend->ops->download(backend, &run, v, t), NULL);
    return v;
}

/* A tensor whose value at (row, column) is recognisable. */
static LvTensor numbered(size_t rows, size_t cols)
{
    LvTensor t = tensor(rows, cols);
    float *v = malloc(rows * cols * sizeof *v);
    for (size_t i = 0; i < rows * cols; i++)
        v[i] = (float)(i / cols) + (float)(i % cols) * 0.01f;
    must(backend->ops->upload(backend, &run, t, v), NULL);
    free(v);
    return t;
}

static void drop(LvTensor t)
{
    backend->ops->tensor_free(backend, &t);
}

static double relative(const float *a, const float *b, size_t n)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(difference / size);
}

static uint8_t *make_tile(unsigned seed)
{
    const size_t edge = model->config->vision.image_size;
    uint8_t *tile = malloc(edge * edge * 3);
    for (size_t i = 0; i < edge * edge * 3; i++)
        tile[i] = (uint8_t)(rand_r(&seed) >> 8);
    return tile;
}

static void pooling_early_or_literally_differs_in_rounding_alone(void **state)
{
    const uint32_t pooled = lv_pooled_grid(model->config);
    const size_t width = model->config->text.hidden_size;
    uint8_t *pixels[2] = {make_tile(1), make_tile(2)};
    const LvTile tiles[2] = {{.rgb = pixels[0]}, {.rgb = pixels[1]}};
    LvTensor early = tensor(2 * pooled * pooled, width),
             literal = tensor(2 * pooled * pooled, width);
    must(lv_visual_video(model, &run, early, tiles, 2, LV_POOL_EARLY), NULL);
    must(lv_visual_video(model, &run, literal, tiles, 2, LV_POOL_LITERAL), NULL);
    float *a = values(early), *b = values(literal);
    assert_true(relative(a, b, early.rows * width) < 1e-5);

    /* A batch gives what single frames give. */
    LvTensor single = tensor(pooled * pooled, width);
    must(lv_visual_video(model, &run, single, tiles + 1, 1, LV_POOL_EARLY), NULL);
    float *c = values(single);
    assert_true(relative(c, a + pooled * pooled * width, pooled * pooled * width) < 1e-5);
    free(a), free(b), free(c), free(pixels[0]), free(pixels[1]);
    drop(early), drop(literal), drop(single);
}

/* Rows of features carry their own numbers, so a layout can be read off its result. */
static void images_are_laid_out_row_by_row(void **state)
{
    const uint32_t grid = model->config->vision.grid, edge = model->config->vision.image_size;
    const size_t width = model->config->text.hidden_size;
    LvAnyresPlan plan;
    LlavaovError error;
    must(lv_anyres_plan(model->config, 2 * edge, 2 * edge - edge / 2, &plan, &error), &error);
    assert_true(plan.grid_rows == 2 && plan.grid_cols == 2);
    assert_true(plan.crop_height < 2 * grid && plan.map_height == plan.crop_height);
    LvTensor features = numbered(plan.n_tiles * grid * grid, width);
    LvTensor out = tensor(plan.n_tokens, width);
    must(lv_visual_assemble_image(model, &run, out, features, &plan), NULL);
    float *v = values(out), *newline = values(model->newline);
    size_t row = 0;
    for (; row < grid * grid; row++)
        assert_float_equal(v[row * width], row, 0);
    for (uint32_t y = plan.crop_top; y < plan.crop_top + plan.crop_height; y++) {
        for (uint32_t x = plan.crop_left; x < plan.crop_left + plan.crop_width; x++, row++) {
            const uint32_t tile = 1 + (y / grid) * 2 + x / grid;
            assert_float_equal(
                v[row * width], tile * grid * grid + (y % grid) * grid + x % grid, 0);
        }
        assert_memory_equal(v + row++ * width, newline, width * sizeof *v);
    }
    assert_int_equal(row, plan.n_tokens);
    free(v), free(newline);
    drop(features), drop(out);
}

static void shrunk_images_keep_their_newlines(void **state)
{
    const uint32_t grid = model->config->vision.grid, edge = model->config->vision.image_size;
    const size_t width = model->config->text.hidden_size;
    LvAnyresPlan plan;
    must(lv_anyres_plan(model->config, 6 * edge, 6 * edge, &plan, NULL), NULL);
    assert_true(plan.map_height < plan.crop_height && plan.map_width < plan.crop_width);
    LvTensor features = numbered(plan.n_tiles * grid * grid, width);
    LvTensor out = tensor(plan.n_tokens, width);
    must(lv_visual_assemble_image(model, &run, out, features, &plan), NULL);
    float *v = values(out), *newline = values(model->newline);
    size_t row = grid * grid;
    for (uint32_t y = 0; y < plan.map_height; y++) {
        for (uint32_t x = 0; x < plan.map_width; x++, row++)
            assert_memory_not_equal(v + row * width, newline, width * sizeof *v);
        assert_memory_equal(v + row++ * width, newline, width * sizeof *v);
    }
    /* Column 1 is column 0 plus 0.01 in every row of the source, and so in every mean of rows. */
    assert_float_equal(v[grid * grid * width + 1] - v[grid * grid * width], 0.01, 1e-3);
    assert_int_equal(row, plan.n_tokens);
    free(v), free(newline);
    drop(features), drop(out);
}

static void one_image_of_many_ends_in_a_newline(void **state)
{
    const size_t n = (size_t)model->config->vision.grid * model->config->vision.grid;
    const size_t width = model->config->text.hidden_size;
    LvTensor features = numbered(n, width), out = tensor(n + 1, width);
    must(lv_visual_assemble_one_of_many(model, &run, out, features), NULL);
    float *v = values(out), *f = values(features), *newline = values(model->newline);
    assert_memory_equal(v, f, n * width * sizeof *v);
    assert_memory_equal(v + n * width, newline, width * sizeof *v);
    free(v), free(f), free(newline);
    drop(features), drop(out);
}

static LvKvCache *open_cache(uint32_t capacity)
{
    const LvTextConfig *t = &model->config->text;
    LvKvCache *cache;
    must(backend->ops->kv_open(
             backend, t->n_layers, t->n_kv_heads, t->head_dim, capacity, &cache, NULL),
        NULL);
    return cache;
}

/* Runs ids in chunks of the given size and gives the logits of the last position. */
static float *last_logits(const LvPrompt *prompt, size_t chunk)
{
    float *logits = malloc(model->config->text.vocab_size * sizeof *logits);
    LvKvCache *cache = open_cache((uint32_t)prompt->n);
    for (size_t at = 0; at < prompt->n; at += chunk) {
        const size_t n = prompt->n - at < chunk ? prompt->n - at : chunk;
        const LvSequence sequence = {cache, 0, (uint32_t)n, (uint32_t)at, 0};
        const LvBatch batch = {&sequence, 1};
        LvTensor hidden = tensor(n, model->config->text.hidden_size);
        must(lv_decoder_embed(model, &run, hidden, prompt, at), NULL);
        must(lv_decoder_run(model, &run, hidden, &batch,
                 at + n == prompt->n ? LV_LOGITS_LAST : LV_LOGITS_NONE, logits),
            NULL);
        drop(hidden);
    }
    backend->ops->kv_close(backend, cache);
    return logits;
}

static void chunks_of_a_prompt_make_no_difference(void **state)
{
    const size_t vocab = model->config->text.vocab_size;
    const int32_t visual = model->config->video_token;
    LvTensor pieces[3] = {numbered(4, model->config->text.hidden_size),
        numbered(3, model->config->text.hidden_size), model->newline};
    int32_t ids[24];
    for (int i = 0; i < 24; i++)
        ids[i] = i >= 5 && i < 13 ? visual : (i * 37) % 256;
    const LvPrompt prompt = {ids, 24, -1, visual, {pieces, 3}};
    LlavaovError error;
    must(lv_prompt_check(model, &prompt, &error), &error);
    float *whole = last_logits(&prompt, 24);
    const size_t chunks[] = {1, 2, 7, 10, 23};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        float *logits = last_logits(&prompt, chunks[i]);
        assert_true(relative(logits, whole, vocab) < 1e-5);
        free(logits);
    }

    /* All logits at once end with the same. */
    LvKvCache *cache = open_cache(24);
    const LvSequence sequence = {cache, 0, 24, 0, 0};
    const LvBatch batch = {&sequence, 1};
    LvTensor hidden = tensor(24, model->config->text.hidden_size);
    float *all = malloc(24 * vocab * sizeof *all);
    must(lv_decoder_embed(model, &run, hidden, &prompt, 0), NULL);
    must(lv_decoder_run(model, &run, hidden, &batch, LV_LOGITS_ALL, all), NULL);
    assert_true(relative(all + 23 * vocab, whole, vocab) < 1e-5);

    /* And the visual rows matter: without the last of them the answer is another. */
    LvTensor other = numbered(3, model->config->text.hidden_size);
    must(backend->ops->copy(backend, &run, lv_tensor_rows(other, 2, 1), model->newline), NULL);
    LvTensor swapped[3] = {pieces[0], other, model->newline};
    const LvPrompt changed = {ids, 24, -1, visual, {swapped, 3}};
    float *logits = last_logits(&changed, 24);
    assert_true(relative(logits, whole, vocab) > 1e-4);
    backend->ops->kv_close(backend, cache);
    free(all), free(whole), free(logits);
    drop(hidden), drop(other), drop(pieces[0]), drop(pieces[1]);
}

static void sequences_of_a_batch_do_not_see_each_other(void **state)
{
    const LvTextConfig *t = &model->config->text;
    const int32_t first[] = {1, 2, 3, 4, 5}, second[] = {9, 8, 7};
    const LvPrompt a = {first, 5, -1, -1, {NULL, 0}}, b = {second, 3, -1, -1, {NULL, 0}};
    float *alone_a = last_logits(&a, 5), *alone_b = last_logits(&b, 3);
    LvSequence sequences[2] = {{open_cache(5), 0, 5, 0, 0}, {open_cache(3), 5, 3, 0, 0}};
    const LvBatch batch = {sequences, 2};
    LvTensor hidden = tensor(8, t->hidden_size);
    must(lv_decoder_embed(model, &run, lv_tensor_rows(hidden, 0, 5), &a, 0), NULL);
    must(lv_decoder_embed(model, &run, lv_tensor_rows(hidden, 5, 3), &b, 0), NULL);
    float *both = malloc(2 * t->vocab_size * sizeof *both);
    must(lv_decoder_run(model, &run, hidden, &batch, LV_LOGITS_LAST, both), NULL);
    assert_true(relative(both, alone_a, t->vocab_size) < 1e-5);
    assert_true(relative(both + t->vocab_size, alone_b, t->vocab_size) < 1e-5);
    backend->ops->kv_close(backend, sequences[0].cache);
    backend->ops->kv_close(backend, sequences[1].cache);
    free(alone_a), free(alone_b), free(both);
    drop(hidden);
}

/* Token by token, sequences of different lengths: not a bit of their logits depends on how many are
 * decoded together, or on which, or whether they are alone. */
static void the_company_in_a_batch_changes_no_bit(void **state)
{
    enum { N = 32, STEPS = 3 };
    const LvTextConfig *t = &model->config->text;
    const uint32_t most = backend->info.preferred_sequences;
    static const uint32_t together[] = {2, N, 5, 1};
    float *pairs[N / 2][STEPS];
    assert_int_equal(most, N);
    for (int pass = 0; pass < 4; pass++) {
        const uint32_t n = together[pass];
        LvSequence sequences[N];
        for (uint32_t i = 0; i < most; i++) {
            int32_t ids[N];
            for (uint32_t k = 0; k <= i; k++)
                ids[k] = (int32_t)(i * 31 + k * 7) % 256;
            const LvPrompt prompt = {ids, i + 1, -1, -1, {NULL, 0}};
            LvTensor hidden = tensor(i + 1, t->hidden_size);
            sequences[i] = (LvSequence){open_cache(i + 1 + STEPS), 0, i + 1, 0, 0};
            const LvBatch batch = {&sequences[i], 1};
            must(lv_decoder_embed(model, &run, hidden, &prompt, 0), NULL);
            must(lv_decoder_run(model, &run, hidden, &batch, LV_LOGITS_NONE, NULL), NULL);
            drop(hidden);
        }
        for (uint32_t step = 0; step < STEPS; step++)
            for (uint32_t first = 0; first < most; first += n) {
                const uint32_t count = most - first < n ? most - first : n;
                const LvBatch batch = {sequences + first, count};
                float *logits = malloc(count * t->vocab_size * sizeof *logits);
                int32_t ids[N];
                for (uint32_t i = 0; i < count; i++) {
                    LvSequence *s = &sequences[first + i];
                    *s = (LvSequence){s->cache, i, 1, first + i + 1 + step, 0};
                    ids[i] = (int32_t)((first + i) * 13 + step * 5) % 256;
                }
                LvTensor hidden = tensor(count, t->hidden_size);
                must(backend->ops->embed_tokens(backend, &run, hidden, ids, model->decoder.embed),
                    NULL);
                must(lv_decoder_run(model, &run, hidden, &batch, LV_LOGITS_LAST, logits), NULL);
                for (uint32_t i = 0; pass > 0 && i < count; i++) {
                    const uint32_t at = first + i;
                    const float *got = logits + i * t->vocab_size;
                    const float *wanted = pairs[at / 2][step] + at % 2 * t->vocab_size;
                    assert_memory_equal(got, wanted, t->vocab_size * sizeof *got);
                }
                if (pass == 0)
                    pairs[first / 2][step] = logits;
                else
                    free(logits);
                drop(hidden);
            }
        for (uint32_t i = 0; i < most; i++)
            backend->ops->kv_close(backend, sequences[i].cache);
    }
    for (uint32_t i = 0; i < N / 2; i++)
        for (int step = 0; step < STEPS; step++)
            free(pairs[i][step]);
}

static void prompts_that_do_not_fit_their_pictures_are_refused(void **state)
{
    const int32_t visual = model->config->video_token;
    const int32_t ids[] = {1, visual, visual, 2},
                  outside[] = {1, (int32_t)model->config->text.vocab_size};
    LvTensor piece = numbered(3, model->config->text.hidden_size);
    const LvPrompt wrong = {ids, 4, -1, visual, {&piece, 1}},
                   beyond = {outside, 2, -1, visual, {NULL, 0}};
    LlavaovError error;
    assert_int_equal(lv_prompt_check(model, &wrong, &error), LLAVAOV_ERROR_INTERNAL);
    assert_int_equal(lv_prompt_check(model, &beyond, &error), LLAVAOV_ERROR_FORMAT);
    drop(piece);
}

static bool watch(void *data, uint64_t done, uint64_t total)
{
    uint64_t *last = data;
    assert_true(done >= *last && done <= total);
    assert_int_equal(total, lv_checkpoint_weight_bytes(checkpoint));
    *last = done;
    return true;
}

static void loading_reports_every_byte(void **state)
{
    uint64_t last = 0;
    LvModel *second;
    LlavaovError error;
    must(lv_model_open(checkpoint, backend, watch, &last, &second, &error), &error);
    assert_int_equal(last, lv_checkpoint_weight_bytes(checkpoint));
    lv_model_close(second);
}

/* Each allocation of a step fails once; what was made before it must go (the address checker sees
 * to that). */
static void every_failed_allocation_is_reported(void **state)
{
    const size_t width = model->config->text.hidden_size;
    uint8_t *tile = make_tile(3);
    const uint32_t grid = model->config->vision.grid;
    LvAnyresPlan plan;
    must(lv_anyres_plan(model->config, 6 * model->config->vision.image_size,
             6 * model->config->vision.image_size, &plan, NULL),
        NULL);
    LvTensor tokens = tensor(grid * grid, width),
             features = numbered(plan.n_tiles * grid * grid, width);
    LvTensor laid_out = tensor(plan.n_tokens, width), hidden = tensor(5, width);
    const int32_t ids[] = {1, 2, 3, 4, 5};
    const LvPrompt prompt = {ids, 5, -1, -1, {NULL, 0}};
    const LvSequence sequence = {open_cache(5), 0, 5, 0, 0};
    const LvBatch batch = {&sequence, 1};
    float *logits = malloc(model->config->text.vocab_size * sizeof *logits);
    for (int step = 0; step < 5; step++) {
        bool done = false;
        for (int n = 0; !done; n++) {
            LvModel *second = NULL;
            LlavaovError error;
            const LvRun noted = {.error = &error};
            LlavaovStatus status = LLAVAOV_OK;
            lv_alloc_fail_after(n);
            if (step == 0)
                status = lv_model_open(checkpoint, backend, NULL, NULL, &second, &error);
            else if (step == 1)
                status = lv_visual_tiles(model, &noted, tokens, &(LvTile){.rgb = tile}, 1);
            else if (step == 2)
                status = lv_visual_assemble_image(model, &noted, laid_out, features, &plan);
            else if (step == 3)
                status = lv_decoder_embed(model, &noted, hidden, &prompt, 0);
            else
                status = lv_decoder_run(model, &noted, hidden, &batch, LV_LOGITS_LAST, logits);
            lv_alloc_fail_after(-1);
            done = status == LLAVAOV_OK;
            if (!done) {
                assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
                assert_int_equal(error.status, LLAVAOV_ERROR_MEMORY);
                assert_null(second);
            }
            lv_model_close(second);
            assert_true(n < 10000);
            assert_false(done && n == 0);
        }
    }
    backend->ops->kv_close(backend, sequence.cache);
    free(tile), free(logits);
    drop(tokens), drop(features), drop(laid_out), drop(hidden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pooling_early_or_literally_differs_in_rounding_alone),
        cmocka_unit_test(images_are_laid_out_row_by_row),
        cmocka_unit_test(shrunk_images_keep_their_newlines),
        cmocka_unit_test(one_image_of_many_ends_in_a_newline),
        cmocka_unit_test(chunks_of_a_prompt_make_no_difference),
        cmocka_unit_test(sequences_of_a_batch_do_not_see_each_other),
        cmocka_unit_test(the_company_in_a_batch_changes_no_bit),
        cmocka_unit_test(prompts_that_do_not_fit_their_pictures_are_refused),
        cmocka_unit_test(loading_reports_every_byte),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
