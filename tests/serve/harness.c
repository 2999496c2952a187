/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* usleep */
#include "harness.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/status.h"
#include "checkpoint_writer.h"

/* The operations carry no user data, so wrapped ones find their harness here: one for each engine
 * under test. */
#define MOST 4
static Harness *harnesses[MOST];

static Harness *of(const LvBackend *backend)
{
    for (int i = 0; i < MOST; i++)
        if (harnesses[i] && &harnesses[i]->ops == backend->ops)
            return harnesses[i];
    fail_msg("an operation of no harness");
    return NULL;
}

static LlavaovStatus meet(Harness *h, Operation operation, const LvRun *run)
{
    pthread_mutex_lock(&h->lock);
    bool met = h->faulty == operation && !h->reached && h->skip-- == 0;
    if (!met) {
        pthread_mutex_unlock(&h->lock);
        return LLAVAOV_OK;
    }
    h->reached = true;
    pthread_cond_broadcast(&h->changed);
    const Fault fault = h->fault;
    const unsigned turn = fault == FAULT_HOLD ? ++h->held : 0;
    while (h->released < turn)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
    if (fault == FAULT_FAIL)
        return lv_fail(run->error, LLAVAOV_ERROR_DEVICE, "test", "this operation was made to fail");
    while (fault == FAULT_SPIN && !lv_cancelled(run->cancel))
        usleep(200);
    return fault == FAULT_SPIN ? lv_fail(run->error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled")
                               : LLAVAOV_OK;
}

static void note(Harness *h, char letter, size_t size)
{
    const int n = h->n_order;
    if (n + 1 < (int)sizeof h->order) {
        h->order[n] = letter;
        h->sizes[n] = (uint32_t)size;
        h->n_order = n + 1;
    }
}

static LlavaovStatus patch_embedding(LvBackend *b, const LvRun *run, LvTensor out,
    const LvTile *tiles, size_t n_tiles, const LvVisionConfig *vision, const LvWeight *weight,
    const LvWeight *bias, const LvWeight *position)
{
    Harness *h = of(b);
    h->tiles += (int)n_tiles;
    h->encodes++;
    h->largest = (int)n_tiles > h->largest ? (int)n_tiles : h->largest;
    for (size_t i = 0; i < n_tiles && h->n_seen < (int)sizeof h->seen; i++)
        h->seen[h->n_seen++] = tiles[i].rgb[0];
    note(h, 'E', n_tiles);
    LlavaovStatus status = meet(h, OPERATION_ENCODE, run);
    if (status == LLAVAOV_OK)
        status =
            h->real->patch_embedding(b, run, out, tiles, n_tiles, vision, weight, bias, position);
    for (size_t i = 0; i < n_tiles && status == LLAVAOV_OK; i++)
        if (tiles[i].rgb[0] == h->nan_value) {
            h->nan_value = -1;
            *(float *)lv_tensor_rows(out, i * out.rows / n_tiles, 1).data = NAN;
        }
    return status;
}

static LlavaovStatus kept_tensor_alloc(
    LvBackend *b, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error)
{
    Harness *h = of(b);
    if (h->refuse_rows != (int)rows)
        return h->real->kept_tensor_alloc(b, rows, cols, tensor, error);
    h->refuse_rows = 0;
    *tensor = (LvTensor){0};
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "refused");
}

static LlavaovStatus rope_store(LvBackend *b, const LvRun *run, LvTensor qkv, const LvBatch *batch,
    uint32_t layer, const LvTextConfig *text)
{
    Harness *h = of(b);
    LlavaovStatus status = LLAVAOV_OK;
    if (layer == 0) {
        bool decode = true;
        h->row = 0;
        for (size_t i = 0; i < batch->n_sequences; i++)
            decode &= batch->sequences[i].n_rows == 1;
        if (decode && (int)batch->n_sequences > h->together)
            h->together = (int)batch->n_sequences;
        note(h, decode ? 'D' : 'P', decode ? batch->n_sequences : qkv.rows);
        if (!decode || batch->n_sequences >= h->least)
            status = meet(h, decode ? OPERATION_DECODE : OPERATION_PREFILL, run);
    }
    return status != LLAVAOV_OK ? status : h->real->rope_store(b, run, qkv, batch, layer, text);
}

static LlavaovStatus download(LvBackend *b, const LvRun *run, float *dst, LvTensor src)
{
    Harness *h = of(b);
    LlavaovStatus status = h->real->download(b, run, dst, src);
    if (h->nan_logits || h->nan_row == h->row)
        dst[3] = NAN;
    if (h->nan_row == h->row)
        h->nan_row = -1;
    h->row++;
    return status;
}

void harness_open(Harness *h, uint32_t context)
{
    harness_open_tiles(h, context, 0);
}

void harness_open_tiles(Harness *h, uint32_t context, uint32_t image_size)
{
    LvWriterSpec spec;
    assert_true(lv_writer_preset("mini", &spec));
    if (context)
        spec.text.context = context;
    if (image_size)
        spec.vision.image_size = image_size;
    const LlavaovEngineOptions options = {.size = sizeof options, .device = "cpu", .threads = 1};
    harness_open_checkpoint(h, &spec, &options);
}

void harness_open_checkpoint(
    Harness *h, const LvWriterSpec *spec, const LlavaovEngineOptions *options)
{
    memset(h, 0, sizeof *h);
    h->nan_row = h->nan_value = -1;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    char folder[] = "/tmp/llavaov-serve-XXXXXX";
    LlavaovEngineOptions all = *options;
    LlavaovError error;
    if (spec) {
        assert_non_null(mkdtemp(folder));
        if (lv_write_checkpoint(folder, spec, &error) != LLAVAOV_OK)
            fail_msg("%s", error.message);
        all.model_path = folder;
    }
    LlavaovStatus status = llavaov_engine_open(&all, &h->engine, &error);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (spec)
        assert_int_equal(system(command), 0);
    if (status != LLAVAOV_OK)
        fail_msg("%s", error.message);
    h->real = h->engine->backend->ops;
    h->ops = *h->real;
    h->ops.kept_tensor_alloc = kept_tensor_alloc;
    h->ops.patch_embedding = patch_embedding;
    h->ops.rope_store = rope_store;
    h->ops.download = download;
    h->engine->backend->ops = &h->ops;
    int free_slot = 0;
    while (free_slot < MOST && harnesses[free_slot])
        free_slot++;
    assert_true(free_slot < MOST);
    harnesses[free_slot] = h;
}

void harness_close(Harness *h)
{
    llavaov_engine_unref(h->engine); /* an encoder call may be under way up to here */
    for (int i = 0; i < MOST; i++)
        if (harnesses[i] == h)
            harnesses[i] = NULL;
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
}

void harness_arm(Harness *h, Operation operation, Fault fault, unsigned skip)
{
    pthread_mutex_lock(&h->lock);
    h->faulty = operation;
    h->fault = fault;
    h->skip = skip;
    h->reached = false;
    pthread_mutex_unlock(&h->lock);
}

void harness_wait_reached(Harness *h)
{
    pthread_mutex_lock(&h->lock);
    while (!h->reached)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

void harness_release(Harness *h)
{
    pthread_mutex_lock(&h->lock);
    h->released = h->held;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

#define WIDTH 40
#define HEIGHT 30

typedef struct Flat {
    uint8_t pixels[WIDTH * HEIGHT * 3];
    atomic_int *released;
} Flat;

static LlavaovStatus map_flat(void *data, LlavaovImage *image, LlavaovError *error)
{
    Flat *flat = data;
    *image = (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = WIDTH,
        .height = HEIGHT,
        .plane = {flat->pixels},
        .stride = {WIDTH * 3}};
    return LLAVAOV_OK;
}

static void release_flat(void *data)
{
    Flat *flat = data;
    if (flat->released)
        (*flat->released)++;
    free(flat);
}

LlavaovFrame *push_flat(LlavaovSession *session, LlavaovLayout layout, LlavaovEncode encode,
    uint8_t value, atomic_int *released)
{
    Flat *flat = malloc(sizeof *flat);
    assert_non_null(flat);
    memset(flat->pixels, value, sizeof flat->pixels);
    flat->released = released;
    const LlavaovFrameSource source = {.size = sizeof source,
        .map = map_flat,
        .release = release_flat,
        .data = flat,
        .layout = layout,
        .encode = encode};
    LlavaovFrame *frame = NULL;
    LlavaovError error;
    if (llavaov_session_push_frame(session, &source, &frame, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    return frame;
}

int harness_setup(void **state)
{
    Harness *h = malloc(sizeof *h);
    assert_non_null(h);
    harness_open(h, 0);
    *state = h;
    return 0;
}

int harness_teardown(void **state)
{
    harness_close(*state);
    free(*state);
    return 0;
}

void harness_prefer(Harness *h, uint32_t *number, uint32_t value)
{
    pthread_mutex_lock(&h->engine->lock);
    *number = value;
    pthread_mutex_unlock(&h->engine->lock);
}

LlavaovSession *open_session_with(Harness *h, LlavaovPrefill prefill)
{
    const LlavaovSessionOptions options = {.size = sizeof options, .prefill = prefill};
    LlavaovSession *session;
    LlavaovError error;
    if (llavaov_session_open(h->engine, &options, &session, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    return session;
}

LlavaovSession *open_session(Harness *h)
{
    LlavaovSession *session;
    LlavaovError error;
    if (llavaov_session_open(h->engine, NULL, &session, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    return session;
}
