/* SPDX-License-Identifier: Apache-2.0
 * The whole engine against numbers of HF transformers (tests/golden/make.py), without Python: the
 * folder is the first argument, a device other than the CPU the second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "model/decoder.h"
#include "model/visual.h"
#include "npy.h"
#include "ops.h"
#include "picture/picture.h"
#include "text/chat.h"

static const char *folder, *device = "cpu";

typedef struct Golden {
    char name[32];
    json_t *facts;
    LlavaovLayout layout;
    LvNpy pictures, features, logits; /* the first two empty for text alone */
} Golden;

static void must(LlavaovStatus status, const LlavaovError *error)
{
    if (status != LLAVAOV_OK)
        fail_msg("%s: %s", llavaov_status_name(status), error->message);
}

static const char *path_of(const char *name, const char *suffix)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    return path;
}

static Golden open_golden(const char *name)
{
    static const char *const layouts[] = {"video", "image", "images"};
    Golden g = {0};
    LlavaovError error;
    snprintf(g.name, sizeof g.name, "%s", name);
    g.facts = json_load_file(path_of(name, ".json"), 0, NULL);
    assert_non_null(g.facts);
    while (strcmp(json_string_value(json_object_get(g.facts, "layout")), layouts[g.layout]) != 0)
        g.layout++;
    must(lv_npy_read(path_of(name, ".logits.npy"), &g.logits, &error), &error);
    if (strcmp(name, "text") != 0) {
        must(lv_npy_read(path_of(name, ".pictures.npy"), &g.pictures, &error), &error);
        must(lv_npy_read(path_of(name, ".features.npy"), &g.features, &error), &error);
    }
    return g;
}

static void close_golden(Golden *g)
{
    json_decref(g->facts);
    lv_npy_free(&g->pictures);
    lv_npy_free(&g->features);
    lv_npy_free(&g->logits);
}

static size_t ids_of(const Golden *g, const char *key, int32_t *ids, size_t n)
{
    const json_t *list = json_object_get(g->facts, key);
    for (size_t i = 0; i < json_array_size(list); i++)
        ids[n++] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

static LlavaovImage picture(const Golden *g, size_t i)
{
    const uint64_t *s = g->pictures.shape;
    return (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = (uint32_t)s[2],
        .height = (uint32_t)s[1],
        .plane = {(const uint8_t *)g->pictures.data + i * s[1] * s[2] * 3},
        .stride = {(ptrdiff_t)s[2] * 3}};
}

/* ---- through the public interface ---- */

typedef struct Reply {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    LlavaovStatus status;
    int32_t tokens[64];
    uint32_t n, prompt_tokens;
} Reply;

static void on_done(void *data, const LlavaovAnswer *answer)
{
    Reply *reply = data;
    pthread_mutex_lock(&reply->lock);
    reply->status = answer->status;
    reply->n = answer->new_tokens;
    reply->prompt_tokens = answer->prompt_tokens;
    memcpy(reply->tokens, answer->tokens, answer->new_tokens * sizeof reply->tokens[0]);
    reply->done = true;
    pthread_cond_signal(&reply->changed);
    pthread_mutex_unlock(&reply->lock);
}

typedef struct Shown {
    LlavaovImage image;
} Shown;

static LlavaovStatus map_shown(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = ((Shown *)data)->image;
    return LLAVAOV_OK;
}

static void check_answer(LlavaovEngine *engine, const Golden *g)
{
    LlavaovSession *session;
    LlavaovError error;
    Shown shown[8];
    LlavaovFrame *frames[8];
    const size_t n = g->pictures.data ? g->pictures.shape[0] : 0;
    must(llavaov_session_open(engine, NULL, &session, &error), &error);
    for (size_t i = 0; i < n; i++) {
        shown[i].image = picture(g, i);
        const LlavaovFrameSource source = {
            .size = sizeof source, .map = map_shown, .data = &shown[i], .layout = g->layout};
        must(llavaov_session_push_frame(session, &source, &frames[i], &error), &error);
    }
    int32_t expected[64];
    const size_t n_expected = ids_of(g, "tokens", expected, 0);
    Reply reply = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = (uint32_t)n_expected;
    const LlavaovRequest request = {.size = sizeof request,
        .layout = g->layout,
        .frames = frames,
        .n_frames = n,
        .system_prompt = json_string_value(json_object_get(g->facts, "system")),
        .prompt = json_string_value(json_object_get(g->facts, "prompt")),
        .generation = &generation,
        .on_done = on_done,
        .data = &reply};
    must(llavaov_session_ask(session, &request, NULL, &error), &error);
    pthread_mutex_lock(&reply.lock);
    while (!reply.done)
        pthread_cond_wait(&reply.changed, &reply.lock);
    pthread_mutex_unlock(&reply.lock);
    assert_int_equal(reply.status, LLAVAOV_OK);
    assert_int_equal(reply.prompt_tokens, json_array_size(json_object_get(g->facts, "ids")));
    assert_int_equal(reply.n, n_expected);
    assert_memory_equal(reply.tokens, expected, n_expected * sizeof expected[0]);
    for (size_t i = 0; i < n; i++)
        llavaov_frame_unref(frames[i]);
    llavaov_session_close(session);
}

static const char *const names[] = {"text", "image", "shrunk", "images", "video"};
#define N_NAMES (sizeof names / sizeof names[0])

static void answers_are_those_of_the_reference(void **state)
{
    const LvKernelSet *set = lv_kernel_sets();
    char path[4096];
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    for (uint32_t m = 0; m == 0 || (set[m].name && strcmp(device, "cpu") == 0); m++) {
        const LlavaovEngineOptions options = {.size = sizeof options,
            .model_path = path,
            .device = device,
            .precision = LLAVAOV_PRECISION_F32,
            .threads = 1 + m % 2,
            .cpu_mask = set[m].name};
        LlavaovEngine *engine;
        LlavaovError error;
        must(llavaov_engine_open(&options, &engine, &error), &error);
        for (size_t i = 0; i < N_NAMES; i++) {
            Golden g = open_golden(names[i]);
            check_answer(engine, &g);
            close_golden(&g);
        }
        llavaov_engine_unref(engine);
    }
}

/* ---- part by part ---- */

static LvCheckpoint *checkpoint;
static LvBackend *backend;
static LvModel *model;
static LvTokenizer *tokenizer;

static int open_model(void **state)
{
    LlavaovError error;
    must(lv_checkpoint_open(path_of("checkpoint", ""), &checkpoint, &error), &error);
    must(lv_tokenizer_open(path_of("checkpoint", "/tokenizer.json"), &tokenizer, &error), &error);
    const LvBackendOptions options = {
        .device = device, .precision = LLAVAOV_PRECISION_F32, .threads = 2};
    must(lv_backend_open(&options, &backend, &error), &error);
    must(lv_model_open(checkpoint, backend, NULL, NULL, &model, &error), &error);
    return 0;
}

static int close_model(void **state)
{
    lv_model_close(model);
    backend->ops->close(backend);
    lv_tokenizer_close(tokenizer);
    lv_checkpoint_close(checkpoint);
    return 0;
}

/* The rows that enter the decoder for picture i, into `out` from `row` on; returns how many. */
static size_t encode(const Golden *g, size_t i, LvTensor out, size_t row)
{
    LlavaovError error;
    const LvRun run = {.error = &error};
    const LlavaovImage image = picture(g, i);
    const LvVisionConfig *v = &model->config->vision;
    const size_t each = (size_t)v->grid * v->grid,
                 bytes = (size_t)v->image_size * v->image_size * 3;
    const size_t edge = lv_pooled_grid(model->config), pooled = edge * edge;
    LvTiles tiles;
    must(lv_picture_prepare(
             model->config, g->layout, LLAVAOV_RESIZE_TORCHVISION, &image, NULL, &tiles, &error),
        &error);
    LvTile tile[64];
    for (uint32_t k = 0; k < tiles.n; k++)
        tile[k] = (LvTile){.rgb = tiles.rgb + k * bytes};
    size_t n = pooled;
    if (g->layout == LLAVAOV_LAYOUT_VIDEO) {
        must(lv_visual_video(model, &run, lv_tensor_rows(out, row, n), tile, 1, LV_POOL_LITERAL),
            &error);
    } else {
        LvTensor features;
        must(backend->ops->tensor_alloc(backend, tiles.n * each, out.cols, &features, &error),
            &error);
        must(lv_visual_tiles(model, &run, features, tile, tiles.n), &error);
        n = g->layout == LLAVAOV_LAYOUT_IMAGE ? tiles.plan.n_tokens : each + 1;
        const LvTensor place = lv_tensor_rows(out, row, n);
        must(g->layout == LLAVAOV_LAYOUT_IMAGE
                 ? lv_visual_assemble_image(model, &run, place, features, &tiles.plan)
                 : lv_visual_assemble_one_of_many(model, &run, place, features),
            &error);
        backend->ops->tensor_free(backend, &features);
    }
    lv_tiles_free(&tiles);
    return n;
}

static LvTensor visual_rows(const Golden *g)
{
    LlavaovError error;
    const LvRun run = {.error = &error};
    LvTensor rows;
    must(backend->ops->tensor_alloc(
             backend, g->features.shape[0], g->features.shape[1], &rows, &error),
        &error);
    size_t n = 0;
    for (size_t i = 0; i < g->pictures.shape[0]; i++)
        n += encode(g, i, rows, n);
    if (g->layout == LLAVAOV_LAYOUT_VIDEO)
        must(backend->ops->copy(backend, &run, lv_tensor_rows(rows, n++, 1), model->newline),
            &error);
    assert_int_equal(n, rows.rows);
    return rows;
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

static void check_logits(const Golden *g, LvTensor rows)
{
    LlavaovError error;
    const LvRun run = {.error = &error};
    const LvTextConfig *t = &model->config->text;
    int32_t ids[1024];
    const size_t n_prompt = ids_of(g, "ids", ids, 0), n_rows = g->logits.shape[0];
    ids_of(g, "tokens", ids, n_prompt);
    const size_t n = n_prompt + n_rows - 1;
    const bool visual = rows.data != NULL;
    const LvPrompt prompt = {.ids = ids,
        .n = n,
        .image_token = visual ? model->config->image_token : -1,
        .video_token = visual ? model->config->video_token : -1,
        .visual = {&rows, visual}};
    must(lv_prompt_check(model, &prompt, &error), &error);
    LvSequence sequence = {.n_rows = (uint32_t)n};
    const LvBatch batch = {&sequence, 1};
    LvTensor hidden;
    float *logits = malloc(n * t->vocab_size * sizeof *logits);
    must(backend->ops->kv_open(backend, t->n_layers, t->n_kv_heads, t->head_dim, (uint32_t)n,
             &sequence.cache, &error),
        &error);
    must(backend->ops->tensor_alloc(backend, n, t->hidden_size, &hidden, &error), &error);
    must(lv_decoder_embed(model, &run, hidden, &prompt, 0), &error);
    must(lv_decoder_run(model, &run, hidden, &batch, LV_LOGITS_ALL, logits), &error);

    const float *expected = g->logits.data, *got = logits + (n_prompt - 1) * t->vocab_size;
    double sum = 0, squares = 0, most = 0;
    for (size_t i = 0; i < g->logits.count; i++) {
        sum += expected[i];
        squares += (double)expected[i] * expected[i];
        most = fmax(most, fabs((double)got[i] - expected[i]));
    }
    const double mean = sum / (double)g->logits.count;
    assert_true(most < 1e-3 * sqrt(squares / (double)g->logits.count - mean * mean));
    free(logits);
    backend->ops->tensor_free(backend, &hidden);
    backend->ops->kv_close(backend, sequence.cache);
}

static void features_and_logits_are_those_of_the_reference(void **state)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        Golden g = open_golden(names[i]);
        LvTensor rows = {0};
        if (g.pictures.data) {
            rows = visual_rows(&g);
            float *features = malloc(g.features.count * sizeof *features);
            must(backend->ops->download(backend, &(LvRun){0}, features, rows), &(LlavaovError){0});
            const double distance = relative(features, g.features.data, g.features.count);
            if (distance > 1e-5)
                fail_msg("%s: features differ by %g", g.name, distance);
            free(features);
        }
        check_logits(&g, rows);
        if (rows.data)
            backend->ops->tensor_free(backend, &rows);
        close_golden(&g);
    }
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    if (argc > 2)
        device = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_the_reference),
        cmocka_unit_test_setup_teardown(
            features_and_logits_are_those_of_the_reference, open_model, close_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
