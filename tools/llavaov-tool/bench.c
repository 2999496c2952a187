/* SPDX-License-Identifier: Apache-2.0
 * bench: times of the three stages on made-up pictures and ids. With --serve it takes one command a
 * line, encode TILES | frames N WIDTH HEIGHT | prefill TOKENS | decode CONTEXT TOKENS | drawn
 * CONTEXT TOKENS | batch CONTEXT TOKENS SEQUENCES | peak and answers each with one line of JSON, so
 * that a driver can alternate with another engine on the same machine. Once the backend has
 * something to say of what makes it slow, every line has it as "notice". drawn: as decode, with
 * top-k, top-p and a temperature. Where steps were taken "tokens" is a number made of all their
 * tokens. frames: pictures in NV12 that the backend has taken are resized and encoded, "ns" when
 * they lie on the device, "with_copy_ns" from the caller's memory. prefill ends with a token, each
 * step of decode and batch goes on from the token before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "model/next_token.h"
#include "model/scratch.h"
#include "model/try.h"
#include "model/visual.h"
#include "peak.h"
#include "picture/image.h"
#include "base/clock.h"
#include "tool.h"

#define MOST_TILES 64u
#define MOST_SEQUENCES 64u

typedef struct Bench {
    ToolModel m;
    LvKvCache *cache; /* of prefill and decode */
    uint32_t capacity, cached;
    float *logits;
    LvSampler greedy, drawing, *sampler; /* the last: the one under way */
    uint64_t tokens;                     /* FNV-1a of the steps' tokens */
    uint32_t noise;                      /* state of the bytes of pictures: no two are the same */
    LlavaovError *error;
} Bench;

/* Time on the clock, and of all threads on processors: the second tells what a run costs even where
 * other programs share the machine. */
typedef struct Spent {
    uint64_t ns, cpu_ns;
} Spent;

static Spent now(void)
{
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (Spent){
        lv_now_ns(), (uint64_t)cpu.tv_sec * UINT64_C(1000000000) + (uint64_t)cpu.tv_nsec};
}

static Spent since(Spent start)
{
    const Spent end = now();
    return (Spent){end.ns - start.ns, end.cpu_ns - start.cpu_ns};
}

/* Any tokens do: time does not depend on them. */
static int32_t token_at(const LvTextConfig *text, size_t i)
{
    return (int32_t)((i * 2654435761u >> 7) % text->vocab_size);
}

static void fill(Bench *bench, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)((bench->noise = bench->noise * 1664525u + 1013904223u) >> 24);
}

static LlavaovStatus embed(Bench *bench, const LvTile *tiles, uint32_t n, Spent *spent)
{
    LvBackend *b = bench->m.backend;
    const LvConfig *config = bench->m.model->config;
    const uint32_t pooled = lv_pooled_grid(config);
    const LvRun run = {.error = bench->error};
    LvScratch scratch = lv_scratch(b, bench->error);
    LvTensor out =
        lv_scratch_tensor(&scratch, (size_t)n * pooled * pooled, config->text.hidden_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    const Spent start = now();
    LV_TRY(lv_visual_video(bench->m.model, &run, out, tiles, n, LV_POOL_EARLY));
    LV_TRY(b->ops->synchronize(b, &run));
    *spent = since(start);
done:
    lv_scratch_free(&scratch);
    return status;
}

/* with_copy: from taking the pictures on; spent: of encoding them again, when they lie on the
 * device. */
static LlavaovStatus frames(
    Bench *bench, uint32_t n, uint32_t width, uint32_t height, Spent *with_copy, Spent *spent)
{
    enum { APART = 61 }; /* the pictures begin so many bytes apart, in the same noise */
    LvBackend *b = bench->m.backend;
    const size_t luma = (size_t)width * height, bytes = luma * 3 + (size_t)n * APART;
    LvTile tiles[MOST_TILES] = {0};
    uint8_t *pixels = lv_alloc(bytes, 1);
    LlavaovStatus status = LLAVAOV_OK;
    if (!pixels)
        LV_TRY(lv_fail(bench->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a picture"));
    fill(bench, pixels, bytes);
    LlavaovImage image = {.format = LLAVAOV_PIXEL_NV12,
        .width = width,
        .height = height,
        .plane = {pixels, pixels + luma},
        .stride = {width, width + width % 2},
        .matrix = LLAVAOV_MATRIX_BT709};
    LV_TRY(lv_image_check(&image, bench->error));
    const Spent start = now();
    for (uint32_t i = 0; i < n; i++) {
        image.plane[0] = pixels + i * APART;
        image.plane[1] = image.plane[0] + luma;
        if (b->ops->picture_take)
            LV_TRY(b->ops->picture_take(b, &image, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_RESIZE_TORCHVISION,
                bench->m.model->config, &tiles[i].picture, bench->error));
        if (!tiles[i].picture)
            LV_TRY(lv_fail_about(bench->error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION,
                "frames", "%s does not take %u frames of %ux%u", b->info.device, n, width, height));
    }
    LV_TRY(embed(bench, tiles, n, spent));
    *with_copy = since(start);
    LV_TRY(embed(bench, tiles, n, spent));
done:
    for (uint32_t i = 0; i < n && tiles[i].picture; i++)
        b->ops->picture_free(b, tiles[i].picture);
    lv_free(pixels);
    return status;
}

static LlavaovStatus encode(Bench *bench, uint32_t n, Spent *spent)
{
    const size_t size = bench->m.model->config->vision.image_size, bytes = size * size * 3;
    LvTile tiles[MOST_TILES];
    uint8_t *rgb = lv_alloc(n, bytes);
    if (!rgb)
        return lv_fail(bench->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for tiles");
    fill(bench, rgb, n * bytes);
    for (uint32_t i = 0; i < n; i++)
        tiles[i] = (LvTile){.rgb = rgb + i * bytes};
    LlavaovStatus status = embed(bench, tiles, n, spent);
    lv_free(rgb);
    return status;
}

static LlavaovStatus room(Bench *bench, uint32_t tokens)
{
    LvBackend *b = bench->m.backend;
    const LvTextConfig *text = &bench->m.model->config->text;
    if (!bench->logits)
        bench->logits = lv_alloc(text->vocab_size, sizeof *bench->logits);
    if (!bench->logits)
        return lv_fail(bench->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for logits");
    if (bench->cache && bench->capacity >= tokens)
        return LLAVAOV_OK;
    if (bench->cache)
        b->ops->kv_close(b, bench->cache);
    bench->cache = NULL;
    bench->cached = 0;
    bench->capacity = tokens;
    return b->ops->kv_open(
        b, text->n_layers, text->n_kv_heads, text->head_dim, tokens, &bench->cache, bench->error);
}

/* n tokens at the given position; `last`: of the prompt, and *token is the one that follows. */
static LlavaovStatus forward(Bench *bench, uint32_t position, uint32_t n, bool last, int32_t *token)
{
    LvBackend *b = bench->m.backend;
    const LvTextConfig *text = &bench->m.model->config->text;
    const LvRun run = {.error = bench->error};
    const LvSequence sequence = {bench->cache, 0, n, position, 0};
    const LvBatch batch = {&sequence, 1};
    LvNextToken choice = {&bench->greedy, bench->error, LLAVAOV_OK, 0};
    int32_t *ids = lv_alloc(n, sizeof *ids);
    LvScratch scratch = lv_scratch(b, bench->error);
    LvTensor hidden = lv_scratch_tensor(&scratch, n, text->hidden_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    if (!ids)
        LV_TRY(lv_fail(bench->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for ids"));
    for (uint32_t i = 0; i < n; i++)
        ids[i] = token_at(text, position + i);
    const LvPrompt prompt = {.ids = ids, .n = n, .image_token = -1, .video_token = -1};
    LV_TRY(lv_decoder_embed(bench->m.model, &run, hidden, &prompt, 0));
    if (last) {
        LV_TRY(lv_decoder_next(bench->m.model, &run, hidden, &batch, &choice, bench->logits));
        LV_TRY(choice.status);
        *token = choice.token;
    } else {
        LV_TRY(lv_decoder_run(bench->m.model, &run, hidden, &batch, LV_LOGITS_NONE, NULL));
    }
done:
    lv_scratch_free(&scratch);
    lv_free(ids);
    return status;
}

/* One step of greedy decoding, as an answer takes it; ids become the tokens that follow. more:
 * another step comes, so that the device may go on while the host takes in these. */
static LlavaovStatus step(Bench *bench, const LvBatch *batch, int32_t *ids, bool more)
{
    const LvRun run = {.error = bench->error};
    LvNextToken choices[MOST_SEQUENCES];
    for (size_t i = 0; i < batch->n_sequences; i++)
        choices[i] = (LvNextToken){bench->sampler, bench->error, LLAVAOV_OK, 0};
    LlavaovStatus status =
        lv_decoder_step(bench->m.model, &run, ids, batch, more, choices, bench->logits);
    for (size_t i = 0; i < batch->n_sequences && status == LLAVAOV_OK; i++) {
        status = choices[i].status;
        ids[i] = choices[i].token;
        bench->tokens = (bench->tokens ^ (uint32_t)ids[i]) * UINT64_C(1099511628211);
    }
    return status;
}

static LlavaovStatus prefill(Bench *bench, uint32_t n, int32_t *token, Spent *spent)
{
    const uint32_t chunk =
        bench->m.backend->info.preferred_rows ? bench->m.backend->info.preferred_rows : 256;
    LlavaovStatus status = room(bench, n + 256);
    const Spent start = now();
    for (uint32_t at = 0; at < n && status == LLAVAOV_OK;) {
        const uint32_t rows = n - at < chunk ? n - at : chunk;
        status = forward(bench, at, rows, at + rows == n, token);
        at += rows;
    }
    *spent = since(start);
    bench->cached = status == LLAVAOV_OK ? n : 0;
    return status;
}

/* n decoding steps of these sequences, each of which has a context of its own. */
static LlavaovStatus steps(Bench *bench, LvSequence *sequences, int32_t *ids, uint32_t n_sequences,
    uint32_t n, Spent *spent)
{
    const LvBatch all = {sequences, n_sequences};
    LlavaovStatus status = LLAVAOV_OK;
    bench->tokens = UINT64_C(14695981039346656037);
    const Spent start = now();
    for (uint32_t i = 0; i < n && status == LLAVAOV_OK; i++) {
        status = step(bench, &all, ids, i + 1 < n);
        for (uint32_t s = 0; s < n_sequences; s++)
            sequences[s].position++;
    }
    *spent = since(start);
    return status;
}

static LlavaovStatus decode(
    Bench *bench, LvSampler *sampler, uint32_t context, uint32_t n, Spent *spent)
{
    int32_t id = token_at(&bench->m.model->config->text, context);
    LlavaovStatus status = room(bench, context + n);
    if (status == LLAVAOV_OK && bench->cached < context)
        status = prefill(bench, context, &id, spent);
    if (status == LLAVAOV_OK)
        status = room(bench, context + n);
    LvSequence sequence = {bench->cache, 0, 1, context, 0};
    id = token_at(&bench->m.model->config->text, context); /* the same in every run */
    sampler->draws = 0;
    bench->sampler = sampler;
    if (status == LLAVAOV_OK)
        status = steps(bench, &sequence, &id, 1, n, spent);
    bench->sampler = &bench->greedy;
    return status;
}

/* The same with several sequences together. What their contexts hold does not matter to time, but
 * it must be numbers: one is prefilled into each. */
static LlavaovStatus batch(
    Bench *bench, uint32_t context, uint32_t n, uint32_t n_sequences, Spent *spent)
{
    LvBackend *b = bench->m.backend;
    LvSequence sequences[MOST_SEQUENCES] = {0};
    int32_t ids[MOST_SEQUENCES];
    LvKvCache *own = bench->cache;
    const uint32_t own_capacity = bench->capacity, own_cached = bench->cached;
    LlavaovStatus status = LLAVAOV_OK;
    for (uint32_t i = 0; i < n_sequences; i++) {
        bench->cache = NULL;
        bench->capacity = 0;
        status = prefill(bench, context, &ids[i], spent); /* with room for 256 tokens more */
        sequences[i] = (LvSequence){bench->cache, i, 1, context, 0};
        LV_TRY(status);
        ids[i] = token_at(&bench->m.model->config->text, i); /* or all would be the same */
    }
    LV_TRY(steps(bench, sequences, ids, n_sequences, n, spent));
done:
    for (uint32_t i = 0; i < n_sequences; i++)
        if (sequences[i].cache)
            b->ops->kv_close(b, sequences[i].cache);
    bench->cache = own;
    bench->capacity = own_capacity;
    bench->cached = own_cached;
    return status;
}

static void print_text(const char *text)
{
    json_t *json = json_string(text);
    json_dumpf(json, stdout, JSON_ENCODE_ANY);
    json_decref(json);
}

/* Ends a line. */
static void print_end(const Bench *bench)
{
    LvBackend *b = bench->m.backend;
    const char *notice = b->ops->notice ? b->ops->notice(b) : NULL;
    if (notice) {
        printf(", \"notice\": ");
        print_text(notice);
    }
    printf("}\n");
    fflush(stdout);
}

/* n: sequences, where there may be several. */
static void print(
    const Bench *bench, const char *what, uint32_t a, uint32_t b, uint32_t n, Spent spent)
{
    printf("{\"what\": \"%s\", \"a\": %u, \"b\": %u, \"ns\": %llu, \"cpu_ns\": %llu", what, a, b,
        (unsigned long long)spent.ns, (unsigned long long)spent.cpu_ns);
    if (n)
        printf(", \"n\": %u", n);
    if (b)
        printf(", \"tokens\": \"%016llx\"", (unsigned long long)bench->tokens);
    print_end(bench);
}

static void print_peak(const Bench *bench)
{
    const uint32_t threads = bench->m.backend->info.threads ? bench->m.backend->info.threads : 1;
    printf("{\"what\": \"peak\", \"threads\": %u, \"gflops\": %.2f, \"gbytes\": %.2f, \"device\": "
           "\"%s\"}\n",
        threads, lv_peak_gflops(threads), lv_peak_gbytes(threads), bench->m.backend->info.detail);
    fflush(stdout);
}

static LlavaovStatus obey(Bench *bench, const char *line)
{
    unsigned a = 0, b = 0, c = 0;
    int32_t token;
    Spent spent = {0}, with_copy = {0};
    LlavaovStatus status;
    const uint32_t most = bench->m.model->config->text.context_length;
    if (sscanf(line, "encode %u", &a) == 1 && a >= 1 && a <= MOST_TILES) {
        status = encode(bench, a, &spent);
        if (status == LLAVAOV_OK)
            print(bench, "encode", a, 0, 0, spent);
    } else if (sscanf(line, "frames %u %u %u", &a, &b, &c) == 3 && a >= 1 && a <= MOST_TILES &&
               b >= 1 && b <= LV_MAX_PICTURE_EDGE && c >= 1 && c <= LV_MAX_PICTURE_EDGE) {
        status = frames(bench, a, b, c, &with_copy, &spent);
        if (status == LLAVAOV_OK) {
            printf("{\"what\": \"frames\", \"a\": %u, \"ns\": %llu, \"cpu_ns\": %llu, "
                   "\"with_copy_ns\": %llu",
                a, (unsigned long long)spent.ns, (unsigned long long)spent.cpu_ns,
                (unsigned long long)with_copy.ns);
            print_end(bench);
        }
    } else if (sscanf(line, "prefill %u", &a) == 1 && a >= 1 && a <= most) {
        status = prefill(bench, a, &token, &spent);
        if (status == LLAVAOV_OK)
            print(bench, "prefill", a, 0, 0, spent);
    } else if (sscanf(line, "decode %u %u", &a, &b) == 2 && a >= 1 && b >= 1 && a <= most &&
               b <= most - a) {
        status = decode(bench, &bench->greedy, a, b, &spent);
        if (status == LLAVAOV_OK)
            print(bench, "decode", a, b, 0, spent);
    } else if (sscanf(line, "drawn %u %u", &a, &b) == 2 && a >= 1 && b >= 1 && a <= most &&
               b <= most - a) {
        status = decode(bench, &bench->drawing, a, b, &spent);
        if (status == LLAVAOV_OK)
            print(bench, "drawn", a, b, 0, spent);
    } else if (sscanf(line, "batch %u %u %u", &a, &b, &c) == 3 && a >= 1 && b >= 1 && b <= 256 &&
               a <= most && b <= most - a && c >= 1 && c <= MOST_SEQUENCES) {
        status = batch(bench, a, b, c, &spent);
        if (status == LLAVAOV_OK)
            print(bench, "batch", a, b, c, spent);
    } else if (strncmp(line, "peak", 4) == 0) {
        print_peak(bench);
        status = LLAVAOV_OK;
    } else {
        status = lv_fail_about(bench->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
            "command", "not understood: %s", line);
    }
    return status;
}

static LlavaovStatus standard_runs(const ToolOptions *o, Bench *bench)
{
    LlavaovStatus status = LLAVAOV_OK;
    char line[64];
    print_peak(bench);
    for (uint32_t i = 0; i < o->repeat && status == LLAVAOV_OK; i++) {
        const uint32_t tiles = bench->m.backend->info.preferred_tiles;
        snprintf(line, sizeof line, "encode %u", tiles ? tiles : 1);
        status = obey(bench, line);
        snprintf(line, sizeof line, "prefill %u", o->context);
        if (status == LLAVAOV_OK)
            status = obey(bench, line);
        snprintf(line, sizeof line, "decode %u 16", o->context);
        if (status == LLAVAOV_OK)
            status = obey(bench, line);
    }
    return status;
}

LlavaovStatus tool_bench(const ToolOptions *o, LlavaovError *error)
{
    Bench bench = {.noise = 1, .error = error};
    LlavaovStatus status = tool_open_model(o, &bench.m, error);
    if (status != LLAVAOV_OK)
        return status;
    const LlavaovGeneration greedy = llavaov_generation_default();
    LlavaovGeneration drawing = greedy;
    drawing.temperature = 0.7;
    drawing.top_k = 50;
    drawing.top_p = 0.9;
    drawing.seed = 1;
    const uint32_t vocabulary = bench.m.model->config->text.vocab_size;
    bench.sampler = &bench.greedy;
    status = lv_sampler_open(&bench.greedy, &greedy, vocabulary, error);
    if (status == LLAVAOV_OK)
        status = lv_sampler_open(&bench.drawing, &drawing, vocabulary, error);
    /* What the page cache drops between two runs must not be measured; without the right to lock,
     * it may be. */
    const bool on_cpu = strcmp(bench.m.backend->info.device, "cpu") == 0;
    const bool locked = on_cpu && mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
    if (o->serve) {
        char line[256];
        if (status == LLAVAOV_OK) {
            printf("{\"what\": \"ready\", \"threads\": %u, \"locked\": %s, \"device\": ",
                bench.m.backend->info.threads, locked ? "true" : "false");
            print_text(bench.m.backend->info.detail);
            print_end(&bench);
        }
        while (status == LLAVAOV_OK && fgets(line, sizeof line, stdin))
            status = obey(&bench, line);
    } else if (status == LLAVAOV_OK) {
        status = standard_runs(o, &bench);
    }
    if (bench.cache)
        bench.m.backend->ops->kv_close(bench.m.backend, bench.cache);
    lv_free(bench.logits);
    lv_sampler_close(&bench.drawing);
    lv_sampler_close(&bench.greedy);
    tool_close_model(&bench.m);
    return status;
}
