/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/ways.h"

#include "base/alloc.h"
#include "base/status.h"
#include "model/decoder.h"
#include "model/scratch.h"
#include "model/try.h"

/* Rows of one pass: so many the CPU multiplies at once, and their bits do not depend on how many
 * there are. */
#define MOST_ROWS 32

/* The rows of a pass: ways, one sequence each, all on the request's cache. */
typedef struct PassRows {
    size_t n, n_ways;
    int32_t ids[MOST_ROWS];
    size_t nodes[MOST_ROWS];
    LvSequence sequences[MOST_ROWS];
} PassRows;

_Static_assert(LV_MAX_SPELLING_TOKENS <= MOST_ROWS, "a pass holds a way at least");

static void gather(const LlavaovTicket *r, const LvTrie *trie, size_t first, PassRows *rows)
{
    const size_t most_ways = r->engine->backend->info.shared_caches ? MOST_ROWS : 1;
    rows->n = rows->n_ways = 0;
    for (size_t node = first; node < trie->n && rows->n_ways < most_ways;
         node = lv_trie_next_way(trie, node + 1)) {
        const uint32_t n = trie->nodes[node].depth;
        if (rows->n + n > MOST_ROWS)
            break;
        lv_trie_way(trie, node, rows->nodes + rows->n);
        for (size_t i = rows->n; i < rows->n + n; i++)
            rows->ids[i] = trie->nodes[rows->nodes[i]].token;
        rows->sequences[rows->n_ways++] =
            (LvSequence){r->cache, (uint32_t)rows->n, n, r->n_cached, 0};
        rows->n += n;
    }
}

LlavaovStatus lv_logits_not_finite(LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_NUMERIC, LLAVAOV_ABOUT_TENSOR, "logits",
        "the model gave logits that are not finite");
}

LlavaovStatus lv_ways_run(LlavaovTicket *r, LvTrie *trie, size_t *next, const LvRun *run)
{
    const LvModel *model = r->engine->model;
    LvBackend *backend = r->engine->backend;
    const size_t n_vocab = model->config->text.vocab_size;
    LvScratch scratch = lv_scratch(backend, run->error);
    PassRows rows;
    LlavaovStatus status;
    gather(r, trie, *next, &rows);
    const LvBatch batch = {rows.sequences, rows.n_ways};
    const LvPrompt prompt = {.ids = rows.ids, .n = rows.n, .image_token = -1, .video_token = -1};
    /* One row after the other: all of them would leave the processor's caches. */
    float *logits = lv_alloc(n_vocab, sizeof *logits);
    if (!logits)
        LV_TRY(lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for logits"));
    LvTensor hidden = lv_scratch_tensor(&scratch, rows.n, model->config->text.hidden_size);
    LvTensor scores = lv_scratch_tensor(&scratch, rows.n, n_vocab);
    LV_TRY(scratch.status);
    LV_TRY(lv_decoder_embed(model, run, hidden, &prompt, 0));
    LV_TRY(lv_decoder_logits(model, run, hidden, &batch, LV_LOGITS_ALL, scores));
    for (size_t i = 0; i < rows.n; i++) {
        if (trie->nodes[rows.nodes[i]].known)
            continue;
        LV_TRY(backend->ops->download(backend, run, logits, lv_tensor_rows(scores, i, 1)));
        if (!lv_trie_take(trie, rows.nodes[i], logits, n_vocab))
            LV_TRY(lv_logits_not_finite(run->error));
    }
    *next = lv_trie_next_way(trie, *next);
done:
    lv_free(logits);
    lv_scratch_free(&scratch);
    return status;
}
