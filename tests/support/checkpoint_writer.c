/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "text/chat_source.h"
#include "writer_internal.h"

FILE *lv_writer_open(const char *folder, const char *name)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return NULL;
    return fopen(path, "wb");
}

static void shard_name(const LvWriterSpec *spec, uint32_t shard, char name[64])
{
    if (spec->shards <= 1)
        strcpy(name, "model.safetensors");
    else
        snprintf(name, 64, "model-%05u-of-%05u.safetensors", shard + 1, spec->shards);
}

static const char *safetensors_dtype(LvWriterDtype dtype)
{
    return dtype == LV_WRITE_F32 ? "F32" : dtype == LV_WRITE_F16 ? "F16" : "BF16";
}

static bool header(FILE *file, const LvWriterTensor *tensors, size_t n)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    if (!memory)
        return false;
    uint64_t offset = 0;
    fprintf(memory, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        const LvWriterTensor *t = &tensors[i];
        uint64_t end = offset + t->elements * lv_writer_element_bytes(t->dtype);
        fprintf(
            memory, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name, safetensors_dtype(t->dtype));
        for (uint32_t d = 0; d < t->n_dims; d++)
            fprintf(memory, "%s%" PRIu64, d ? "," : "", t->shape[d]);
        fprintf(memory, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", offset, end);
        offset = end;
    }
    fputc('}', memory);
    for (long at = ftell(memory); at % 8; at++)
        fputc(' ', memory);
    bool good = !ferror(memory);
    good = fclose(memory) == 0 && good;
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)bytes >> 8 * i);
    good = good && fwrite(length, 8, 1, file) == 1 && fwrite(text, bytes, 1, file) == 1;
    free(text);
    return good;
}

static bool shard(const char *folder, const LvWriterSpec *spec, uint32_t index,
    const LvWriterTensor *tensors, size_t n, const float *normals, void *scratch)
{
    char name[64];
    shard_name(spec, index, name);
    FILE *file = lv_writer_open(folder, name);
    if (!file)
        return false;
    bool good = header(file, tensors, n);
    off_t bytes = ftello(file);
    for (size_t i = 0; i < n && good; i++) {
        bytes += (off_t)(tensors[i].elements * lv_writer_element_bytes(tensors[i].dtype));
        good = spec->hollow || lv_writer_values(file, &tensors[i], spec->seed, normals, scratch);
    }
    if (good && spec->hollow)
        good = !fflush(file) && !ftruncate(fileno(file), bytes);
    return fclose(file) == 0 && good;
}

/* first[s] = index of shard s's first tensor: shards of about equal bytes, each with at least one
 * tensor. */
static void divide(
    const LvWriterTensor *tensors, size_t n, uint32_t shards, size_t *first, uint64_t *total)
{
    *total = 0;
    for (size_t i = 0; i < n; i++)
        *total += tensors[i].elements * lv_writer_element_bytes(tensors[i].dtype);
    uint64_t before = 0;
    uint32_t s = 0;
    for (size_t i = 0; i < n; i++) {
        if (s < shards && (before * shards >= (uint64_t)s * *total || n - i == shards - s))
            first[s++] = i;
        before += tensors[i].elements * lv_writer_element_bytes(tensors[i].dtype);
    }
    while (s <= shards)
        first[s++] = n;
}

static bool index_file(const char *folder, const LvWriterSpec *spec, const LvWriterTensor *tensors,
    const size_t *first, uint64_t total)
{
    FILE *file = lv_writer_open(folder, "model.safetensors.index.json");
    if (!file)
        return false;
    fprintf(
        file, "{\n  \"metadata\": {\"total_size\": %" PRIu64 "},\n  \"weight_map\": {\n", total);
    for (uint32_t s = 0; s < spec->shards; s++) {
        char name[64];
        shard_name(spec, s, name);
        for (size_t i = first[s]; i < first[s + 1]; i++)
            fprintf(file, "    \"%s\": \"%s\"%s\n", tensors[i].name, name,
                i + 1 < first[spec->shards] ? "," : "");
    }
    fprintf(file, "  }\n}\n");
    bool good = !ferror(file);
    return fclose(file) == 0 && good;
}

/* One shard, in a thread of its own where there are several. */
typedef struct ShardJob {
    pthread_t thread;
    const char *folder;
    const LvWriterSpec *spec;
    uint32_t index;
    const LvWriterTensor *tensors;
    size_t n;
    const float *normals;
    bool started, good;
} ShardJob;

static void *write_shard(void *data)
{
    ShardJob *job = data;
    void *scratch = malloc(LV_WRITER_SCRATCH);
    job->good = scratch && shard(job->folder, job->spec, job->index, job->tensors, job->n,
                               job->normals, scratch);
    free(scratch);
    return NULL;
}

static bool write_shards(ShardJob *jobs, uint32_t n)
{
    bool good = true;
    for (uint32_t s = 0; s + 1 < n; s++)
        jobs[s].started = pthread_create(&jobs[s].thread, NULL, write_shard, &jobs[s]) == 0;
    for (uint32_t s = 0; s < n; s++) {
        if (jobs[s].started)
            pthread_join(jobs[s].thread, NULL);
        else
            write_shard(&jobs[s]);
        good = good && jobs[s].good;
    }
    return good;
}

static bool weights(const char *folder, const LvWriterSpec *spec)
{
    size_t n;
    LvWriterTensor *tensors = lv_writer_tensors(spec, &n);
    uint32_t shards = spec->shards ? spec->shards : 1;
    size_t *first = calloc(shards + 1u, sizeof *first);
    float *normals = malloc(65536 * sizeof *normals);
    ShardJob *jobs = calloc(shards, sizeof *jobs);
    bool good = tensors && first && normals && jobs && shards <= n;
    if (good) {
        uint64_t total;
        lv_writer_normals(normals);
        divide(tensors, n, shards, first, &total);
        for (uint32_t s = 0; s < shards; s++)
            jobs[s] = (ShardJob){.folder = folder,
                .spec = spec,
                .index = s,
                .tensors = tensors + first[s],
                .n = first[s + 1] - first[s],
                .normals = normals};
        good = write_shards(jobs, shards);
        if (good && shards > 1)
            good = index_file(folder, spec, tensors, first, total);
    }
    free(jobs);
    free(normals);
    free(first);
    free(tensors);
    return good;
}

/* Whatever the layout, so that a test's prompt does not depend on it. */
static bool chat_template(const char *folder)
{
    FILE *file = lv_writer_open(folder, "chat_template.jinja");
    bool good = file && fputs(lv_chat_builtin("conversion"), file) >= 0;
    return (file ? fclose(file) == 0 : true) && good;
}

static bool copy_tokenizer(const char *folder, const char *from)
{
    FILE *in = fopen(from, "rb");
    FILE *out = in ? lv_writer_open(folder, "tokenizer.json") : NULL;
    bool good = in && out;
    char block[65536];
    for (size_t n; good && (n = fread(block, 1, sizeof block, in)) > 0;)
        good = fwrite(block, 1, n, out) == n;
    good = good && !ferror(in);
    if (in)
        fclose(in);
    return (out ? fclose(out) == 0 : true) && good;
}

LlavaovStatus lv_write_checkpoint(const char *folder, const LvWriterSpec *spec, LlavaovError *error)
{
    if (mkdir(folder, 0777) && errno != EEXIST)
        return lv_fail(
            error, LLAVAOV_ERROR_IO, folder, "%s: cannot be made: %s", folder, strerror(errno));
    if (!lv_writer_config(folder, spec) || !lv_writer_generation_config(folder, spec) ||
        !chat_template(folder) || !weights(folder, spec))
        return lv_fail(
            error, LLAVAOV_ERROR_IO, folder, "%s: cannot be written: %s", folder, strerror(errno));
    bool good = true;
    if (spec->tokenizer && !strcmp(spec->tokenizer, "bytes"))
        good = lv_writer_byte_tokenizer(folder, spec);
    else if (spec->tokenizer)
        good = copy_tokenizer(folder, spec->tokenizer);
    if (!good)
        return lv_fail(error, LLAVAOV_ERROR_IO, "tokenizer.json",
            "%s/tokenizer.json: cannot be written", folder);
    return LLAVAOV_OK;
}
