/* SPDX-License-Identifier: Apache-2.0
 * features and logits. */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/decoder.h"
#include "model/scratch.h"
#include "model/try.h"
#include "tool.h"

static LlavaovStatus write_rows(ToolModel *m, LvTensor rows, const char *path, LlavaovError *error)
{
    const LvRun run = {.error = error};
    LlavaovStatus status;
    float *values = lv_alloc(rows.rows, rows.cols * sizeof *values);
    if (!values)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for features"));
    LV_TRY(m->backend->ops->download(m->backend, &run, values, rows));
    const LvNpy out = {.type = LV_NPY_F32,
        .n_dims = 2,
        .shape = {rows.rows, rows.cols},
        .count = (uint64_t)rows.rows * rows.cols,
        .data = values};
    LV_TRY(lv_npy_write(path, &out, error));
done:
    lv_free(values);
    return status;
}

LlavaovStatus tool_features(const ToolOptions *o, LlavaovError *error)
{
    ToolModel m = {0};
    ToolPictures pictures = {0};
    LvTensor rows = {0};
    uint32_t *each = NULL;
    size_t n_visuals;
    LlavaovStatus status;
    if (o->n_arguments == 0)
        LV_TRY(lv_fail_about(
            error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "files", "a picture is wanted"));
    LV_TRY(tool_read_pictures(o, &pictures, error));
    LV_TRY(tool_open_model(o, &m, error));
    LV_TRY(tool_visual_rows(o, &m, &pictures, &rows, &each, &n_visuals, error));
    LV_TRY(write_rows(&m, rows, o->out, error));
done:
    lv_free(each);
    if (rows.data)
        m.backend->ops->tensor_free(m.backend, &rows);
    tool_close_model(&m);
    tool_free_pictures(&pictures);
    return status;
}

static LlavaovStatus read_ids(const char *path, LvTokens *ids, LlavaovError *error)
{
    LvNpy array;
    LlavaovStatus status = lv_npy_read(path, &array, error);
    if (status != LLAVAOV_OK)
        return status;
    if (array.type != LV_NPY_I32 && array.type != LV_NPY_I64)
        status =
            lv_fail(error, LLAVAOV_ERROR_FORMAT, path, "%s: int32 or int64 ids are wanted", path);
    for (uint64_t i = 0; i < array.count && status == LLAVAOV_OK; i++)
        status = lv_tokens_append(ids,
            array.type == LV_NPY_I32 ? ((const int32_t *)array.data)[i]
                                     : (int32_t)((const int64_t *)array.data)[i],
            error);
    lv_npy_free(&array);
    return status;
}

static LlavaovStatus prompt_ids(const ToolOptions *o, const LvConfig *config, const uint32_t *each,
    size_t n_visuals, LvTokens *ids, LlavaovError *error)
{
    if (o->ids_file)
        return read_ids(o->ids_file, ids, error);
    if (!o->prompt)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "prompt",
            "--prompt or --ids is wanted");
    LvTokenizer *tokenizer;
    LlavaovStatus status = tool_open_tokenizer(o, &tokenizer, error);
    if (status != LLAVAOV_OK)
        return status;
    LvChatVisual *visuals = lv_alloc(n_visuals, sizeof *visuals);
    if (!visuals) {
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
    } else {
        for (size_t i = 0; i < n_visuals; i++)
            visuals[i] = (LvChatVisual){o->layout == LLAVAOV_LAYOUT_VIDEO, each[i]};
        status = tool_prompt_ids(
            o, tokenizer, lv_placeholders(config), o->prompt, visuals, n_visuals, ids, error);
        lv_free(visuals);
    }
    lv_tokenizer_close(tokenizer);
    return status;
}

/* Prefills in the backend's chunks and writes the logits of the last `wanted` positions to out. */
static LlavaovStatus run_prompt(
    ToolModel *m, const LvPrompt *prompt, size_t wanted, float *out, LlavaovError *error)
{
    LvBackend *b = m->backend;
    const LvTextConfig *text = &m->model->config->text;
    const LvRun run = {.error = error};
    const size_t chunk = b->info.preferred_rows ? b->info.preferred_rows : 256;
    const size_t first_wanted = prompt->n - wanted;
    LvKvCache *cache = NULL;
    LlavaovStatus status;
    LV_TRY(b->ops->kv_open(
        b, text->n_layers, text->n_kv_heads, text->head_dim, (uint32_t)prompt->n, &cache, error));
    for (size_t at = 0; at < prompt->n;) {
        /* A chunk is wholly wanted or wholly not. */
        size_t end = at < first_wanted ? first_wanted : prompt->n;
        const size_t n = end - at < chunk ? end - at : chunk;
        const LvSequence sequence = {cache, 0, (uint32_t)n, (uint32_t)at, (uint32_t)prompt->n};
        const LvBatch batch = {&sequence, 1};
        LvScratch scratch = lv_scratch(b, error);
        LvTensor hidden = lv_scratch_tensor(&scratch, n, text->hidden_size);
        status = scratch.status;
        if (status == LLAVAOV_OK)
            status = lv_decoder_embed(m->model, &run, hidden, prompt, at);
        if (status == LLAVAOV_OK)
            status = lv_decoder_run(m->model, &run, hidden, &batch,
                at >= first_wanted ? LV_LOGITS_ALL : LV_LOGITS_NONE, out);
        lv_scratch_free(&scratch);
        LV_TRY(status);
        if (at >= first_wanted)
            out += n * text->vocab_size;
        at += n;
    }
done:
    if (cache)
        b->ops->kv_close(b, cache);
    return status;
}

LlavaovStatus tool_logits(const ToolOptions *o, LlavaovError *error)
{
    ToolModel m = {0};
    ToolPictures pictures = {0};
    LvTensor rows = {0};
    uint32_t *each = NULL;
    size_t n_visuals = 0;
    LvTokens ids = {0};
    float *logits = NULL;
    LlavaovStatus status;
    LV_TRY(tool_read_pictures(o, &pictures, error));
    LV_TRY(tool_open_model(o, &m, error));
    const LvConfig *config = m.model->config;
    if (pictures.n > 0)
        LV_TRY(tool_visual_rows(o, &m, &pictures, &rows, &each, &n_visuals, error));
    if (n_visuals > 0 && o->features_file)
        LV_TRY(write_rows(&m, rows, o->features_file, error));
    LV_TRY(prompt_ids(o, config, each, n_visuals, &ids, error));
    if (ids.n == 0 || ids.n > config->text.context_length)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_CONTEXT_FULL, LLAVAOV_ABOUT_OPTION, "ids",
            "%zu tokens, the model's context holds %u", ids.n, config->text.context_length));
    const LvPrompt prompt = {.ids = ids.ids,
        .n = ids.n,
        .image_token = n_visuals > 0 ? config->image_token : -1,
        .video_token = n_visuals > 0 ? config->video_token : -1,
        .visual = {&rows, n_visuals > 0}};
    LV_TRY(lv_prompt_check(m.model, &prompt, error));
    const size_t wanted = o->last && o->last < ids.n ? o->last : ids.n;
    logits = lv_alloc(wanted, config->text.vocab_size * sizeof *logits);
    if (!logits)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for logits"));
    LV_TRY(run_prompt(&m, &prompt, wanted, logits, error));
    const LvNpy out = {.type = LV_NPY_F32,
        .n_dims = 2,
        .shape = {wanted, config->text.vocab_size},
        .count = (uint64_t)wanted * config->text.vocab_size,
        .data = logits};
    LV_TRY(lv_npy_write(o->out, &out, error));
done:
    lv_free(logits);
    lv_tokens_free(&ids);
    lv_free(each);
    if (rows.data)
        m.backend->ops->tensor_free(m.backend, &rows);
    tool_close_model(&m);
    tool_free_pictures(&pictures);
    return status;
}
