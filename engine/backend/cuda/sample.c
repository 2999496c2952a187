/* SPDX-License-Identifier: Apache-2.0
 * Tokens from logits without sending these to the host. */
#include "backend/cuda/cuda.h"

/* What one call holds on the device. */
typedef struct SampleCall {
    int32_t *tokens;
    float *scores;   /* float32 [n, vocab], packed; NULL: the logits themselves */
    uint8_t *seen;   /* [penalised rows, vocab]; NULL: no row has a penalty */
    void *workspace; /* of LvCudaSample */
    LvCudaPost post;
} SampleCall;

bool lv_cuda_has_penalty(const LvDraw *draw)
{
    return draw->generation->repetition_penalty != 1;
}

bool lv_cuda_all_greedy(const LvDraw *draws, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lv_cuda_has_penalty(&draws[i]) || draws[i].generation->temperature > 0)
            return false;
    return true;
}

/* Flags of the rows with a penalty, packed. */
static int send_seen(LvCuda *cuda, const LvDraw *draws, size_t n, size_t n_vocab, uint8_t *to)
{
    int code = 0;
    for (size_t i = 0; i < n && code == 0; i++) {
        if (!lv_cuda_has_penalty(&draws[i]))
            continue;
        void *device;
        code = lv_staging_send(cuda, draws[i].seen, n_vocab, &device);
        if (code == 0)
            code = lv_runtime_copy_rows(cuda->runtime, to, n_vocab, device, n_vocab, n_vocab, 1);
        to += n_vocab;
    }
    return code;
}

static int draw(LvCuda *cuda, const SampleCall *call, LvTensor logits, const LvDraw *draws)
{
    LvCudaStream stream = lv_runtime_stream(cuda->runtime);
    const size_t n = logits.rows, n_vocab = logits.cols;
    float *scores = call->scores ? call->scores : logits.data;
    const size_t stride = call->scores ? n_vocab : logits.stride;
    int code = send_seen(cuda, draws, n, n_vocab, call->seen);
    if (code == 0 && call->scores)
        code = lv_cuda_enqueue_convert(cuda, &(LvCudaConvert){scores, stride, LV_F32, logits.data,
                                                 logits.stride, cuda->type, n, n_vocab});
    void *host, *device;
    if (code == 0)
        code = lv_staging_take(cuda, n * sizeof(LvCudaDraw), &host, &device);
    if (code != 0)
        return code;
    LvCudaDraw *rows = host;
    uint8_t *seen = call->seen;
    for (size_t i = 0; i < n; i++) {
        const LlavaovGeneration *g = draws[i].generation;
        rows[i] = (LvCudaDraw){(float)g->temperature, (float)g->repetition_penalty, g->top_p,
            g->top_k, g->seed, draws[i].index, lv_cuda_has_penalty(&draws[i]) ? seen : NULL};
        seen += lv_cuda_has_penalty(&draws[i]) ? n_vocab : 0;
    }
    code = lv_runtime_to_device(cuda->runtime, device, host, n * sizeof *rows);
    LvCudaSample args = {.token = call->tokens,
        .logits = scores,
        .stride = stride,
        .rows = n,
        .cols = n_vocab,
        .draws = device,
        .workspace = call->workspace,
        .no_top_k = true,
        .no_top_p = true,
        .overlap = cuda->steps.overlap,
        .post = call->post};
    for (size_t i = 0; i < n; i++) {
        args.no_top_k = args.no_top_k && draws[i].generation->top_k == 0;
        args.no_top_p = args.no_top_p && !(draws[i].generation->top_p < 1);
    }
    return code == 0 ? lv_cuda_launched(cuda, lv_cuda_sample(stream, &args)) : code;
}

static int argmax(LvCuda *cuda, const SampleCall *call, LvTensor logits)
{
    const LvCudaArgmax args = {
        call->tokens, logits.data, logits.stride, cuda->type, logits.rows, logits.cols, call->post};
    return lv_cuda_launched(cuda, lv_cuda_argmax(lv_runtime_stream(cuda->runtime), &args));
}

int lv_cuda_enqueue_sample(
    LvCuda *cuda, int32_t *tokens, LvTensor logits, const LvDraw *draws, LvCudaPost post)
{
    const size_t n = logits.rows, n_vocab = logits.cols;
    const bool greedy = lv_cuda_all_greedy(draws, n);
    size_t n_penalised = 0;
    for (size_t i = 0; i < n; i++)
        n_penalised += lv_cuda_has_penalty(&draws[i]);
    SampleCall call = {.tokens = tokens, .post = post};
    int code = 0;
    if (!greedy && cuda->type != LV_F32)
        code = lv_cuda_scratch(cuda, n * n_vocab * sizeof *call.scores, (void **)&call.scores);
    if (code == 0 && !greedy)
        code = lv_cuda_scratch(cuda, n * LV_CUDA_SAMPLE_ROW_BYTES, &call.workspace);
    if (code == 0 && n_penalised)
        code = lv_cuda_scratch(cuda, n_penalised * n_vocab, (void **)&call.seen);
    if (code == 0)
        code = greedy ? argmax(cuda, &call, logits) : draw(cuda, &call, logits, draws);
    lv_cuda_scratch_free(cuda, call.scores);
    lv_cuda_scratch_free(cuda, call.seen);
    lv_cuda_scratch_free(cuda, call.workspace);
    return code;
}

LlavaovStatus lv_cuda_op_sample(
    LvBackend *backend, const LvRun *run, int32_t *tokens, LvTensor logits, const LvDraw *draws)
{
    LvCuda *cuda = lv_cuda(backend);
    const size_t n = logits.rows;
    if (n * sizeof(LvCudaDraw) > LV_STAGING_HALF || logits.cols > LV_STAGING_HALF)
        return lv_cuda_shape_error(run, "sample");
    LlavaovStatus status = n ? lv_cuda_begin(cuda, run) : LLAVAOV_OK;
    if (status != LLAVAOV_OK || n == 0)
        return status;
    void *drawn = NULL;
    int code = lv_cuda_scratch(cuda, n * sizeof *tokens, &drawn);
    if (code == 0)
        code = lv_cuda_enqueue_sample(cuda, drawn, logits, draws, lv_cuda_post(cuda, false));
    if (code == 0)
        code = lv_cuda_fetch(cuda, tokens, drawn, n * sizeof *tokens);
    lv_cuda_scratch_free(cuda, drawn);
    return lv_cuda_end(cuda, run, "sample", code);
}
