/* SPDX-License-Identifier: Apache-2.0
 * cuBLASLt counts by columns: a row-major out [rows, cols] is its D [cols x rows], and
 * out = in . weight^T is D = weight^T (stored inner x cols) . in (stored inner x rows). */
#define _GNU_SOURCE /* secure_getenv */
#include "backend/cuda/cublaslt.h"

/* First: the headers beside cublasLt.h may be another version's (scripts/cuda-toolkit). */
#include <cuda_runtime_api.h>

#include <cublasLt.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define LIBRARY "libcublasLt.so." TEXT(CUBLAS_VER_MAJOR)
/* Shapes whose algorithm is remembered: 7 of a model for each number of tiles and each bucket of
 * decoding rows, 4 for each length of a prompt's chunk. */
#define N_PLANS 1024u

/* What is called, by its own name without the prefix. */
#define FUNCTIONS(X)                                                                               \
    X(Create)                                                                                      \
    X(Destroy)                                                                                     \
    X(MatmulDescCreate)                                                                            \
    X(MatmulDescDestroy)                                                                           \
    X(MatmulDescSetAttribute)                                                                      \
    X(MatrixLayoutCreate)                                                                          \
    X(MatrixLayoutDestroy)                                                                         \
    X(MatmulPreferenceCreate)                                                                      \
    X(MatmulPreferenceDestroy)                                                                     \
    X(MatmulPreferenceSetAttribute)                                                                \
    X(MatmulAlgoCheck)                                                                             \
    X(MatmulAlgoConfigSetAttribute)                                                                \
    X(MatmulAlgoGetHeuristic)                                                                      \
    X(Matmul)

typedef struct Functions {
#define MEMBER(name) __typeof__(cublasLt##name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} Functions;

/* Everything that the choice of an algorithm depends on. */
typedef struct Key {
    size_t rows, cols, inner, out_stride, in_stride, weight_stride;
    uint32_t type, out_type, tail, addend;
    uint32_t out_alignment, in_alignment, weight_alignment, addend_alignment;
    uint32_t bias_alignment; /* 0: none */
    uint32_t scaling;        /* of e4m3 */
    uint32_t cuts;
} Key;

typedef struct Plan {
    Key key;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t weight, in, out;
    cublasLtMatmulAlgo_t algorithm;
    bool refused; /* there is none */
} Plan;

struct LvLt {
    Functions call;
    const LvLtTimer *timer; /* NULL: nothing is timed */
    cublasLtHandle_t handle;
    void *workspace;
    Plan plans[N_PLANS];
    size_t n_plans, oldest, recent;
};

_Static_assert(LV_LT_REFUSED == LV_LT_ERRORS + CUBLAS_STATUS_NOT_SUPPORTED, "the same number");

/* Nothing is wrong with the device: this product is not one for it. */
static bool refuses(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE;
}

static int code_of(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS        ? 0
           : status == CUBLAS_STATUS_ALLOC_FAILED ? LV_RUNTIME_OUT_OF_MEMORY
           : refuses(status)                      ? LV_LT_REFUSED
                                                  : LV_LT_ERRORS + (int)status;
}

const char *lv_lt_error(int code)
{
    switch ((cublasStatus_t)(code - LV_LT_ERRORS)) {
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "cuBLASLt is not initialised";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "cuBLASLt: invalid value";
    case CUBLAS_STATUS_ARCH_MISMATCH:
        return "cuBLASLt: not on this GPU";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "cuBLASLt: execution failed";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "cuBLASLt has no algorithm for this product";
    default:
        return "cuBLASLt: internal error";
    }
}

/* ---- opening ---- */

static void *open_library(LlavaovError *error)
{
    static const char *const names[] = {
        LIBRARY,
        "/usr/local/cuda/lib64/" LIBRARY,
        "/opt/cuda/lib64/" LIBRARY,
#ifdef LV_CUBLASLT_FILE /* where it was when the module was built */
        LV_CUBLASLT_FILE,
#endif
    };
    const char *named = secure_getenv("LLAVAOV_CUBLASLT");
    char first[256] = "";
    if (named && *named) {
        void *library = dlopen(named, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (!library)
            lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
                "cuBLASLt cannot be opened, LLAVAOV_CUBLASLT names %s: %s", named, dlerror());
        return library;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (library)
            return library;
        const char *reason = dlerror();
        if (i == 0)
            snprintf(first, sizeof first, "%s", reason ? reason : names[i]);
    }
    lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
        "cuBLASLt cannot be opened: %s", first);
    return NULL;
}

static bool find_functions(void *library, Functions *call)
{
    bool found = true;
#define FIND(name)                                                                                 \
    *(void **)&call->name = dlsym(library, "cublasLt" #name);                                      \
    found = found && call->name;
    FUNCTIONS(FIND)
#undef FIND
    return found;
}

LlavaovStatus lv_lt_open(void *workspace, LvLt **lt_out, LlavaovError *error)
{
    *lt_out = NULL;
    void *library = open_library(error);
    if (!library)
        return LLAVAOV_ERROR_UNSUPPORTED;
    LvLt *lt = lv_calloc(1, sizeof *lt);
    if (!lt)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for cuBLASLt");
    lt->workspace = workspace;
    if (!find_functions(library, &lt->call)) {
        lv_free(lt);
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            LIBRARY " lacks functions that are needed");
    }
    cublasStatus_t status = lt->call.Create(&lt->handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        lv_free(lt);
        if (status == CUBLAS_STATUS_ALLOC_FAILED)
            return lv_fail_about(error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_DEVICE, "device",
                "no memory for cuBLASLt");
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            "%s (error %d)", lv_lt_error(LV_LT_ERRORS + (int)status), (int)status);
    }
    *lt_out = lt;
    return LLAVAOV_OK;
}

static void forget(LvLt *lt, Plan *plan)
{
    if (plan->out)
        lt->call.MatrixLayoutDestroy(plan->out);
    if (plan->in)
        lt->call.MatrixLayoutDestroy(plan->in);
    if (plan->weight)
        lt->call.MatrixLayoutDestroy(plan->weight);
    if (plan->operation)
        lt->call.MatmulDescDestroy(plan->operation);
    memset(plan, 0, sizeof *plan);
}

void lv_lt_close(LvLt *lt)
{
    if (!lt)
        return;
    for (size_t i = 0; i < lt->n_plans; i++)
        forget(lt, &lt->plans[i]);
    lt->call.Destroy(lt->handle);
    lv_free(lt);
}

/* ---- plans ---- */

static uint32_t alignment_of(const void *data)
{
    const uintptr_t low = (uintptr_t)data & -(uintptr_t)data;
    return low == 0 || low > 256 ? 256 : (uint32_t)low;
}

static cudaDataType_t data_type(LvDtype type)
{
    return type == LV_F32    ? CUDA_R_32F
           : type == LV_F16  ? CUDA_R_16F
           : type == LV_E4M3 ? CUDA_R_8F_E4M3
                             : CUDA_R_16BF;
}

static Key key_of(const LvMatmul *m)
{
    Key key;
    memset(&key, 0, sizeof key); /* compared with its padding */
    key.rows = m->rows;
    key.cols = m->cols;
    key.inner = m->inner;
    key.out_stride = m->out_stride;
    key.in_stride = m->in_stride;
    key.weight_stride = m->weight.stride;
    key.type = m->type;
    key.out_type = m->out_type;
    key.tail = m->tail;
    key.bias_alignment = m->bias ? alignment_of(m->bias) : 0;
    key.addend = m->addend != NULL;
    key.out_alignment = alignment_of(m->out);
    key.in_alignment = alignment_of(m->in);
    key.weight_alignment = alignment_of(m->weight.data);
    key.scaling = m->type == LV_E4M3 ? (uint32_t)m->weight.scales.scaling : LV_UNSCALED;
    key.cuts = m->cuts;
    key.addend_alignment = m->addend ? alignment_of(m->addend) : key.out_alignment;
    return key;
}

static cublasLtEpilogue_t epilogue_of(const Key *key)
{
    if (key->tail == LV_TAIL_GELU_TANH)
        return key->bias_alignment ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    return key->bias_alignment ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

static cublasStatus_t set_bias(LvLt *lt, Plan *plan, const void *bias)
{
    return lt->call.MatmulDescSetAttribute(
        plan->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
}

static cublasStatus_t set_scales(LvLt *lt, Plan *plan, const LvMatmul *m)
{
    const void *weight = m->weight.scales.data, *in = m->in_scales;
    const cublasStatus_t status = lt->call.MatmulDescSetAttribute(
        plan->operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &weight, sizeof weight);
    return status != CUBLAS_STATUS_SUCCESS
               ? status
               : lt->call.MatmulDescSetAttribute(
                     plan->operation, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &in, sizeof in);
}

/* Sums are not those of fast accumulation, which keeps fewer digits: that is the library's default. */
static cublasStatus_t describe_scales(LvLt *lt, Plan *plan, const LvMatmul *m)
{
    const int32_t mode = plan->key.scaling == LV_SCALE_ROW
                             ? CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F
                             : CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F;
    static const cublasLtMatmulDescAttributes_t modes[] = {
        CUBLASLT_MATMUL_DESC_A_SCALE_MODE, CUBLASLT_MATMUL_DESC_B_SCALE_MODE};
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    for (int i = 0; i < 2 && status == CUBLAS_STATUS_SUCCESS; i++)
        status = lt->call.MatmulDescSetAttribute(plan->operation, modes[i], &mode, sizeof mode);
    return status == CUBLAS_STATUS_SUCCESS ? set_scales(lt, plan, m) : status;
}

/* With the bias and scales of the first such product: the choice of an algorithm may look at them. */
static cublasStatus_t describe(LvLt *lt, Plan *plan, const LvMatmul *m)
{
    const void *bias = m->bias;
    const Key *key = &plan->key;
    const Functions *call = &lt->call;
    const cublasOperation_t transposed = CUBLAS_OP_T;
    const cublasLtEpilogue_t epilogue = epilogue_of(key);
    const cudaDataType_t type = data_type(key->type), out_type = data_type(key->out_type);
    cublasStatus_t status =
        call->MatmulDescCreate(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = call->MatmulDescSetAttribute(
            plan->operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = call->MatmulDescSetAttribute(
            plan->operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (status == CUBLAS_STATUS_SUCCESS && bias)
        status = call->MatmulDescSetAttribute(
            plan->operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &out_type, sizeof out_type);
    if (status == CUBLAS_STATUS_SUCCESS && bias)
        status = set_bias(lt, plan, bias);
    if (status == CUBLAS_STATUS_SUCCESS && key->scaling != LV_UNSCALED)
        status = describe_scales(lt, plan, m);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = call->MatrixLayoutCreate(
            &plan->weight, type, key->inner, key->cols, (int64_t)key->weight_stride);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = call->MatrixLayoutCreate(
            &plan->in, type, key->inner, key->rows, (int64_t)key->in_stride);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = call->MatrixLayoutCreate(
            &plan->out, out_type, key->cols, key->rows, (int64_t)key->out_stride);
    return status;
}

/* What the library proposes, the best first by its own account. */
typedef struct Candidates {
    cublasLtMatmulHeuristicResult_t of[LV_LT_CANDIDATES];
    int n;
} Candidates;

static cublasStatus_t propose(LvLt *lt, const Plan *plan, int most, Candidates *candidates)
{
    const Key *key = &plan->key;
    const Functions *call = &lt->call;
    const uint64_t workspace = LV_RUNTIME_WORKSPACE;
    /* Sums that are cut along the inner dimension are joined as float32, in order. */
    const uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const struct {
        cublasLtMatmulPreferenceAttributes_t attribute;
        const void *value;
        size_t bytes;
    } wishes[] = {
        {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace},
        {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reduction, sizeof reduction},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &key->weight_alignment, sizeof(uint32_t)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &key->in_alignment, sizeof(uint32_t)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &key->addend_alignment, sizeof(uint32_t)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &key->out_alignment, sizeof(uint32_t)},
    };
    cublasLtMatmulPreference_t preference = NULL;
    cublasStatus_t status = call->MatmulPreferenceCreate(&preference);
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes && status == CUBLAS_STATUS_SUCCESS; i++)
        status = call->MatmulPreferenceSetAttribute(
            preference, wishes[i].attribute, wishes[i].value, wishes[i].bytes);
    Candidates *c = candidates;
    c->n = 0;
    if (status == CUBLAS_STATUS_SUCCESS)
        status = call->MatmulAlgoGetHeuristic(lt->handle, plan->operation, plan->weight, plan->in,
            plan->out, plan->out, preference, most, c->of, &c->n);
    if (preference)
        call->MatmulPreferenceDestroy(preference);
    if (status == CUBLAS_STATUS_SUCCESS && c->n == 0)
        status = CUBLAS_STATUS_NOT_SUPPORTED;
    return status == CUBLAS_STATUS_SUCCESS ? c->of[0].state : status;
}

/* The same algorithm with the inner dimension cut into parts, which are joined as float32, in order;
 * as it was where it cannot, or where the parts would need more room. */
static void cut(LvLt *lt, const Plan *plan, cublasLtMatmulAlgo_t *algorithm)
{
    const int32_t cuts = (int32_t)plan->key.cuts;
    const uint32_t scheme = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasLtMatmulAlgo_t wanted = *algorithm;
    cublasLtMatmulHeuristicResult_t result;
    if (cuts > 1 &&
        lt->call.MatmulAlgoConfigSetAttribute(&wanted, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &cuts,
            sizeof cuts) == CUBLAS_STATUS_SUCCESS &&
        lt->call.MatmulAlgoConfigSetAttribute(&wanted, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
            &scheme, sizeof scheme) == CUBLAS_STATUS_SUCCESS &&
        lt->call.MatmulAlgoCheck(lt->handle, plan->operation, plan->weight, plan->in, plan->out,
            plan->out, &wanted, &result) == CUBLAS_STATUS_SUCCESS &&
        result.workspaceSize <= LV_RUNTIME_WORKSPACE)
        *algorithm = wanted;
}

static cublasStatus_t multiply(LvLt *lt, const Plan *plan, const cublasLtMatmulAlgo_t *algorithm,
    const LvMatmul *m, void *out, LvCudaStream stream)
{
    const float one = 1, beta = m->addend ? 1 : 0;
    const void *addend = m->addend ? m->addend : m->out;
    return lt->call.Matmul(lt->handle, plan->operation, &one, m->weight.data, plan->weight, m->in,
        plan->in, &beta, addend, plan->out, out, plan->out, algorithm, lt->workspace,
        LV_RUNTIME_WORKSPACE, (cudaStream_t)stream);
}

/* Of one candidate: the shortest of some runs, of which the first loads its kernel. False: it does
 * not run, or cannot be timed. */
static bool time_one(LvLt *lt, const Plan *plan, const cublasLtMatmulHeuristicResult_t *candidate,
    const LvMatmul *m, void *out, LvCudaStream stream, float *best)
{
    const LvLtTimer *timer = lt->timer;
    *best = 0;
    for (int run = 0; run <= LV_LT_RUNS; run++) {
        float milliseconds = 0;
        if (candidate->state != CUBLAS_STATUS_SUCCESS || timer->begin(timer->data) != 0 ||
            multiply(lt, plan, &candidate->algo, m, out, stream) != CUBLAS_STATUS_SUCCESS ||
            timer->end(timer->data, &milliseconds) != 0)
            return false;
        if (run == 1 || (run > 1 && milliseconds < *best))
            *best = milliseconds;
    }
    return true;
}

/* The fastest; the first where none can be timed, or there is no memory for a result. */
static int fastest(
    LvLt *lt, const Plan *plan, const Candidates *c, const LvMatmul *m, LvCudaStream stream)
{
    const LvLtTimer *timer = lt->timer;
    const size_t size = m->out_type == LV_F32 ? 4 : 2;
    void *out = NULL;
    float best = 0;
    int chosen = -1;
    if (c->n < 2 || timer->alloc(timer->data, m->rows * m->out_stride * size, &out) != 0)
        return 0;
    for (int i = 0; i < c->n; i++) {
        float milliseconds;
        if (!time_one(lt, plan, &c->of[i], m, out, stream, &milliseconds) ||
            (chosen >= 0 && milliseconds >= best))
            continue;
        chosen = i;
        best = milliseconds;
    }
    timer->free(timer->data, out);
    return chosen < 0 ? 0 : chosen;
}

void lv_lt_time_plans(LvLt *lt, const LvLtTimer *timer)
{
    lt->timer = timer;
}

/* The place of a new plan. Timed ones stay: the last place serves all that come too late. */
static Plan *place_of_new(LvLt *lt, bool *timed)
{
    *timed = lt->timer && lt->n_plans < N_PLANS - 1;
    if (lt->n_plans < N_PLANS)
        return &lt->plans[lt->n_plans];
    return &lt->plans[lt->timer ? N_PLANS - 1 : lt->oldest++ % N_PLANS];
}

static cublasStatus_t plan_for(LvLt *lt, const LvMatmul *matmul, LvCudaStream stream, Plan **found)
{
    const Key key = key_of(matmul);
    /* The products of a layer follow each other, and so do their plans. */
    for (size_t i = 0; i < lt->n_plans; i++) {
        const size_t at = (lt->recent + i) % lt->n_plans;
        if (memcmp(&lt->plans[at].key, &key, sizeof key) == 0) {
            lt->recent = at;
            *found = &lt->plans[at];
            return CUBLAS_STATUS_SUCCESS;
        }
    }
    bool timed;
    Candidates candidates = {.n = 0};
    Plan *plan = place_of_new(lt, &timed);
    forget(lt, plan);
    plan->key = key;
    cublasStatus_t status = describe(lt, plan, matmul);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = propose(lt, plan, timed ? LV_LT_CANDIDATES : 1, &candidates);
    for (int i = 0; i < candidates.n && status == CUBLAS_STATUS_SUCCESS; i++)
        cut(lt, plan, &candidates.of[i].algo);
    if (status == CUBLAS_STATUS_SUCCESS)
        plan->algorithm =
            candidates.of[timed ? fastest(lt, plan, &candidates, matmul, stream) : 0].algo;
    plan->refused = refuses(status);
    if (status != CUBLAS_STATUS_SUCCESS && !plan->refused) {
        forget(lt, plan);
        return status;
    }
    lt->recent = (size_t)(plan - lt->plans);
    lt->n_plans += lt->recent == lt->n_plans;
    *found = plan;
    return CUBLAS_STATUS_SUCCESS;
}

int lv_lt_matmul(LvLt *lt, LvCudaStream stream, const LvMatmul *m)
{
    if (m->rows == 0 || m->cols == 0)
        return 0;
    if (m->inner == 0)
        return LV_LT_REFUSED;
    Plan *plan = NULL;
    cublasStatus_t status = plan_for(lt, m, stream, &plan);
    if (status == CUBLAS_STATUS_SUCCESS && plan->refused)
        status = CUBLAS_STATUS_NOT_SUPPORTED;
    if (status == CUBLAS_STATUS_SUCCESS && m->bias)
        status = set_bias(lt, plan, m->bias);
    if (status == CUBLAS_STATUS_SUCCESS && plan->key.scaling != LV_UNSCALED)
        status = set_scales(lt, plan, m);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = multiply(lt, plan, &plan->algorithm, m, m->out, stream);
    if (plan && refuses(status))
        plan->refused = true;
    return code_of(status);
}
