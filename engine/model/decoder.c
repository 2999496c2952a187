/* SPDX-License-Identifier: Apache-2.0 */
#include "model/decoder.h"

#include "base/alloc.h"
#include "base/status.h"
#include "model/fused.h"
#include "model/scratch.h"
#include "model/try.h"

static bool is_placeholder(const LvPrompt *prompt, int32_t id)
{
    return id >= 0 && (id == prompt->image_token || id == prompt->video_token);
}

LlavaovStatus lv_prompt_check(const LvModel *model, const LvPrompt *prompt, LlavaovError *error)
{
    size_t placeholders = 0, rows = 0;
    for (size_t i = 0; i < prompt->n; i++) {
        if (is_placeholder(prompt, prompt->ids[i]))
            placeholders++;
        else if (prompt->ids[i] < 0 || (uint32_t)prompt->ids[i] >= model->config->text.vocab_size)
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, "tokenizer.json",
                "token id %d lies outside the model's vocabulary of %u", prompt->ids[i],
                model->config->text.vocab_size);
    }
    for (size_t i = 0; i < prompt->visual.n_pieces; i++)
        rows += prompt->visual.pieces[i].rows;
    if (placeholders != rows)
        return lv_fail(error, LLAVAOV_ERROR_INTERNAL, NULL,
            "the prompt holds %zu placeholders for %zu visual vectors", placeholders, rows);
    return LLAVAOV_OK;
}

size_t lv_prompt_visual_rows(const LvPrompt *prompt)
{
    size_t rows = 0;
    for (size_t i = 0; i < prompt->visual.n_pieces; i++)
        rows += prompt->visual.pieces[i].rows;
    return rows;
}

size_t lv_prompt_visual_end(const LvPrompt *prompt)
{
    size_t end = prompt->n;
    while (end > 0 && !is_placeholder(prompt, prompt->ids[end - 1]))
        end--;
    return end;
}

/* Copies visual rows [skip, skip + count) to the first rows of out. */
static LlavaovStatus copy_visual(const LvModel *model, const LvRun *run, LvTensor out,
    const LvVisualRows *visual, size_t skip, size_t count)
{
    LvBackend *b = model->backend;
    size_t filled = 0;
    for (size_t i = 0; i < visual->n_pieces && filled < count; i++) {
        LvTensor piece = visual->pieces[i];
        if (skip >= piece.rows) {
            skip -= piece.rows;
            continue;
        }
        size_t n = piece.rows - skip < count - filled ? piece.rows - skip : count - filled;
        LlavaovStatus status =
            b->ops->copy(b, run, lv_tensor_rows(out, filled, n), lv_tensor_rows(piece, skip, n));
        if (status != LLAVAOV_OK)
            return status;
        filled += n;
        skip = 0;
    }
    return LLAVAOV_OK;
}

LlavaovStatus lv_decoder_embed(
    const LvModel *model, const LvRun *run, LvTensor hidden, const LvPrompt *prompt, size_t first)
{
    LvBackend *b = model->backend;
    const size_t count = hidden.rows;
    int32_t *ids = lv_alloc(count, sizeof *ids);
    if (!ids)
        return lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt's ids");
    size_t seen = 0; /* placeholders before the current row */
    for (size_t i = 0; i < first; i++)
        seen += is_placeholder(prompt, prompt->ids[i]);
    /* A placeholder's id may lie outside the table (lmms-lab files); its row is overwritten
     * anyway. */
    for (size_t i = 0; i < count; i++) {
        int32_t id = prompt->ids[first + i];
        ids[i] = is_placeholder(prompt, id) ? 0 : id;
    }
    LlavaovStatus status = b->ops->embed_tokens(b, run, hidden, ids, model->decoder.embed);
    lv_free(ids);
    for (size_t i = 0; i < count && status == LLAVAOV_OK;) {
        size_t n = 0;
        while (i + n < count && is_placeholder(prompt, prompt->ids[first + i + n]))
            n++;
        if (n > 0)
            status =
                copy_visual(model, run, lv_tensor_rows(hidden, i, n), &prompt->visual, seen, n);
        seen += n;
        i += n > 0 ? n : 1;
    }
    return status;
}

static LlavaovStatus feed_forward(const LvModel *model, const LvRun *run,
    const LvDecoderLayer *layer, LvTensor hidden, LvTensor normed, LvTensor gated)
{
    LvBackend *b = model->backend;
    const LvTextConfig *t = &model->config->text;
    LlavaovStatus status;
    LV_TRY(lv_norm_linear_gated(b, run, gated, hidden,
        (LvRmsNorm){layer->attention_norm, t->rms_norm_eps}, layer->gate_up, t->activation,
        normed));
    LV_TRY(b->ops->linear(b, run, hidden, gated, layer->down, NULL, LV_ACTIVATION_NONE, &hidden));
done:
    return status;
}

/* Once the last layer's keys and values are stored, only the rows whose logits are needed are
 * processed further: their hidden states and queries are gathered to one row per sequence, with a
 * batch to match. */
typedef struct LastRows {
    LvTensor hidden, qkv;
    LvBatch batch;
    LvSequence *sequences; /* owned */
    uint32_t *rows;        /* owned */
} LastRows;

/* Every sequence has one row, as in a decoding step; sequences without rows are padding. */
static bool one_row_each(const LvBatch *batch, size_t rows)
{
    bool each = batch->n_sequences == rows;
    for (size_t i = 0; each && i < rows; i++)
        each = batch->sequences[i].first_row == i && batch->sequences[i].n_rows <= 1;
    return each;
}

static LlavaovStatus keep_last_rows(const LvModel *model, const LvRun *run, LvScratch *scratch,
    LvTensor hidden, LvTensor qkv, const LvBatch *batch, LastRows *last)
{
    LvBackend *b = model->backend;
    const size_t n = batch->n_sequences;
    last->sequences = lv_alloc(n, sizeof *last->sequences);
    last->rows = lv_alloc(n, sizeof *last->rows);
    if (!last->sequences || !last->rows)
        return lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a batch");
    for (size_t i = 0; i < n; i++) {
        const LvSequence *s = &batch->sequences[i];
        last->rows[i] = s->first_row + s->n_rows - 1;
        last->sequences[i] = (LvSequence){s->cache, (uint32_t)i, 1, s->position + s->n_rows - 1, 0};
    }
    last->batch = (LvBatch){last->sequences, n};
    last->hidden = lv_scratch_tensor(scratch, n, hidden.cols);
    last->qkv = lv_scratch_tensor(scratch, n, qkv.cols);
    if (scratch->status != LLAVAOV_OK)
        return scratch->status;
    LlavaovStatus status = b->ops->gather_rows(b, run, last->hidden, hidden, last->rows);
    if (status == LLAVAOV_OK)
        status = b->ops->gather_rows(b, run, last->qkv, qkv, last->rows);
    return status;
}

/* Where the last operation leaves its result. */
typedef struct Result {
    LvTensor scores;
    bool greedy; /* the first maxima instead */
    int32_t *tokens;
} Result;

static LlavaovStatus run_layers(const LvModel *model, const LvRun *run, LvTensor hidden,
    const LvBatch *batch, LvLogits want, Result result)
{
    LvBackend *b = model->backend;
    const LvBackendOps *op = b->ops;
    const LvDecoder *decoder = &model->decoder;
    const LvTextConfig *t = &model->config->text;
    const size_t q_width = (size_t)t->n_heads * t->head_dim;
    const size_t kv_width = (size_t)t->n_kv_heads * t->head_dim;

    LastRows last = {0};
    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor normed = lv_fused_scratch(&scratch, hidden.rows, t->hidden_size);
    LvTensor qkv = lv_scratch_tensor(&scratch, hidden.rows, q_width + 2 * kv_width);
    LvTensor mixed = lv_scratch_tensor(&scratch, hidden.rows, q_width);
    LvTensor gated = lv_scratch_tensor(&scratch, hidden.rows, t->intermediate_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);

    for (uint32_t i = 0; i < decoder->n_layers; i++) {
        const LvDecoderLayer *layer = &decoder->layers[i];
        LV_TRY(lv_norm_linear(b, run, qkv, hidden, (LvRmsNorm){layer->input_norm, t->rms_norm_eps},
            layer->qkv.weight, layer->qkv.bias, normed));
        const bool last_layer = i + 1 == decoder->n_layers;
        if (!last_layer || want == LV_LOGITS_ALL ||
            (want == LV_LOGITS_LAST && one_row_each(batch, hidden.rows))) {
            LV_TRY(lv_rope_attention(b, run, mixed, qkv, batch, i, t));
        } else {
            LV_TRY(op->rope_store(b, run, qkv, batch, i, t));
            if (want == LV_LOGITS_NONE)
                goto done;
            LV_TRY(keep_last_rows(model, run, &scratch, hidden, qkv, batch, &last));
            hidden = last.hidden;
            qkv = last.qkv;
            batch = &last.batch;
            mixed = lv_tensor_rows(mixed, 0, hidden.rows);
            gated = lv_tensor_rows(gated, 0, hidden.rows);
            LV_TRY(op->attention_causal(b, run, mixed, qkv, batch, i, t));
        }
        LV_TRY(op->linear(b, run, hidden, mixed, layer->out, NULL, LV_ACTIVATION_NONE, &hidden));
        LV_TRY(feed_forward(model, run, layer, hidden, normed, gated));
    }

    const LvRmsNorm norm = {decoder->norm, t->rms_norm_eps};
    if (result.greedy)
        LV_TRY(op->norm_linear_greedy(b, run, result.tokens, hidden, norm, decoder->head));
    else
        LV_TRY(lv_norm_linear(b, run, result.scores, hidden, norm, decoder->head, NULL, normed));
done:
    lv_free(last.sequences);
    lv_free(last.rows);
    lv_scratch_free(&scratch);
    return status;
}

LlavaovStatus lv_decoder_logits(const LvModel *model, const LvRun *run, LvTensor hidden,
    const LvBatch *batch, LvLogits want, LvTensor scores)
{
    return run_layers(model, run, hidden, batch, want, (Result){.scores = scores});
}

LlavaovStatus lv_decoder_greedy(
    const LvModel *model, const LvRun *run, LvTensor hidden, const LvBatch *batch, int32_t *tokens)
{
    return run_layers(
        model, run, hidden, batch, LV_LOGITS_LAST, (Result){.greedy = true, .tokens = tokens});
}

LlavaovStatus lv_decoder_run(const LvModel *model, const LvRun *run, LvTensor hidden,
    const LvBatch *batch, LvLogits want, float *logits)
{
    LvBackend *b = model->backend;
    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor scores = {0};
    if (want != LV_LOGITS_NONE)
        scores =
            lv_scratch_tensor(&scratch, want == LV_LOGITS_ALL ? hidden.rows : batch->n_sequences,
                model->config->text.vocab_size);
    LlavaovStatus status = scratch.status;
    if (status == LLAVAOV_OK)
        status = lv_decoder_logits(model, run, hidden, batch, want, scores);
    if (status == LLAVAOV_OK && want != LV_LOGITS_NONE)
        status = b->ops->download(b, run, logits, scores);
    lv_scratch_free(&scratch);
    return status;
}
