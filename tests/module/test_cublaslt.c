/* SPDX-License-Identifier: Apache-2.0
 * What cublaslt.c asks of cuBLASLt, answered by a mock of it on the host. Argument: the mock. */
#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cuda/cublaslt.h"
#include "cublaslt_mock.h"
#include "e4m3.h"

#define MOST 8192

static LvLt *lt;
static LvLtMockCount count;
static _Alignas(256) float in[MOST], weight[MOST], out[MOST], bias[MOST], addend[MOST];
static char workspace[256];

static int open_lt(void **state)
{
    LlavaovError error = {0};
    for (size_t i = 0; i < MOST; i++) {
        in[i] = (float)(i * 7 % 13) - 6;
        weight[i] = (float)(i * 5 % 11) / 8 - 0.5f;
        bias[i] = (float)(i % 5);
    }
    return lv_lt_open(workspace, &lt, &error) == LLAVAOV_OK ? 0 : -1;
}

static int close_lt(void **state)
{
    lv_lt_close(lt);
    return count().live == 0 ? 0 : -1;
}

static LvMatmul product(size_t rows, size_t inner, size_t cols)
{
    return (LvMatmul){.out = out,
        .in = in,
        .weight = {.data = weight, .stride = inner + 2, .type = LV_F32},
        .rows = rows,
        .cols = cols,
        .inner = inner,
        .out_stride = cols + 3,
        .in_stride = inner + 1,
        .type = LV_F32,
        .out_type = LV_F32};
}

static void check(const LvMatmul *m, const float *added)
{
    for (size_t r = 0; r < m->rows; r++)
        for (size_t c = 0; c < m->cols; c++) {
            double sum = m->bias ? bias[c] : 0;
            for (size_t k = 0; k < m->inner; k++)
                sum += (double)in[r * m->in_stride + k] * weight[c * m->weight.stride + k];
            if (m->tail == LV_TAIL_GELU_TANH)
                sum = 0.5 * sum * (1 + tanh(0.7978845608028654 * (sum + 0.044715 * pow(sum, 3))));
            sum += added ? added[r * m->out_stride + c] : 0;
            assert_float_equal(out[r * m->out_stride + c], sum, 1e-3);
        }
}

static void products_are_described_as_they_are(void **state)
{
    static const size_t sizes[][3] = {{5, 16, 7}, {1, 1, 1}, {20, 9, 33}};
    for (size_t i = 0; i < 3; i++)
        for (unsigned with = 0; with < 6; with++) {
            LvMatmul m = product(sizes[i][0], sizes[i][1], sizes[i][2]);
            m.bias = with % 2 ? bias : NULL;
            m.tail = with / 2 == 1 ? LV_TAIL_GELU_TANH : LV_TAIL_NONE;
            for (size_t at = 0; at < MOST; at++)
                addend[at] = out[at] = with / 2 == 2 ? (float)(at % 17) : NAN;
            m.addend = with == 4 ? out : with == 5 ? addend : NULL;
            assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
            check(&m, with / 2 == 2 ? addend : NULL);
        }
}

/* Another bias of the same product needs no new choice, another alignment does. */
static void a_choice_is_remembered(void **state)
{
    LvMatmul m = product(6, 8, 10);
    m.bias = bias;
    const unsigned before = count().choices;
    float sums[3];
    for (int i = 0; i < 3; i++) {
        m.bias = i % 2 ? bias : bias + 64;
        memset(out, 0xFF, sizeof out);
        assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
        sums[i] = out[1];
    }
    assert_int_equal(count().choices - before, 1);
    assert_true(sums[0] == sums[2] && sums[0] - sums[1] == bias[65] - bias[1]);
    m.in = in + 1;
    assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
    m.in = in + 3;
    assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
    assert_int_equal(count().choices - before, 2);
}

static void what_is_refused_is_told_apart(void **state)
{
    const LvMatmul none = product(4, 13, 4), empty = product(4, 0, 4), fails = product(4, 17, 4);
    const unsigned before = count().choices, products = count().products;
    for (int i = 0; i < 3; i++)
        assert_int_equal(lv_lt_matmul(lt, NULL, &none), LV_LT_REFUSED);
    assert_int_equal(count().choices - before, 1);
    assert_int_equal(lv_lt_matmul(lt, NULL, &empty), LV_LT_REFUSED);
    const int code = lv_lt_matmul(lt, NULL, &fails);
    assert_true(code > LV_LT_ERRORS && code != LV_LT_REFUSED);
    assert_int_equal(count().products, products);
    LvMatmul nothing = product(0, 8, 4);
    assert_int_equal(lv_lt_matmul(lt, NULL, &nothing), 0);
}

/* More shapes than are remembered, and the first ones again. */
static void shapes_come_and_go(void **state)
{
    for (size_t i = 0; i < 2400; i++) {
        LvMatmul m = product(1 + i % 1200, 2, 1);
        m.bias = bias;
        assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
        check(&m, NULL);
    }
}

/* In parts where the algorithm can, and otherwise whole. */
static void products_in_parts(void **state)
{
    static const struct {
        uint32_t wanted;
        int cuts;
    } cases[] = {{0, 0}, {1, 0}, {2, 2}, {4, 4}, {5, 0}, {6, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LvMatmul m = product(6, 64, 10);
        m.cuts = cases[i].wanted;
        for (int again = 0; again < 2; again++) {
            memset(out, 0xFF, sizeof out);
            assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
            assert_int_equal(count().cuts, cases[i].cuts);
            check(&m, NULL);
        }
    }
    LvMatmul shallow = product(6, 16, 10);
    shallow.cuts = 4;
    assert_int_equal(lv_lt_matmul(lt, NULL, &shallow), 0);
    assert_int_equal(count().cuts, 0);
}

/* ---- e4m3 ---- */

static _Alignas(256) uint8_t codes[2][MOST];
static _Alignas(256) float scales[2][128];
static _Alignas(256) uint16_t narrow[3][MOST]; /* out, bias, addend: bf16 */

static float widened(uint16_t x)
{
    const uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return y;
}

static LvMatmul product_of_codes(size_t rows, size_t inner, size_t cols, LvScaling scaling)
{
    LvMatmul m = product(rows, inner, cols);
    for (size_t i = 0; i < MOST; i++) {
        codes[0][i] = (uint8_t)(i * 37 % 127 | (i % 3 == 0) << 7);
        codes[1][i] = (uint8_t)(i * 29 % 127 | (i % 5 == 0) << 7);
        narrow[1][i] = narrow[2][i] = (uint16_t)(0x3F80 + i % 64);
    }
    for (size_t i = 0; i < 128; i++) {
        scales[0][i] = ldexpf(1 + (float)(i % 7) / 8, -7);
        scales[1][i] = ldexpf(1 + (float)(i % 5) / 8, -6);
    }
    m.type = m.weight.type = LV_E4M3;
    m.out_type = LV_BF16;
    m.out = narrow[0];
    m.in = codes[0];
    m.in_stride = inner;
    m.out_stride = cols + 16;
    m.weight = (LvCudaWeight){codes[1], inner, LV_E4M3, {scales[1], LV_F32, scaling}, {NULL, 0, 0}};
    m.in_scales = scales[0];
    return m;
}

static void check_codes(const LvMatmul *m)
{
    const bool each = m->weight.scales.scaling == LV_SCALE_ROW;
    const float *in_scales = m->in_scales, *weight_scales = m->weight.scales.data;
    for (size_t r = 0; r < m->rows; r++)
        for (size_t c = 0; c < m->cols; c++) {
            double sum = 0;
            for (size_t k = 0; k < m->inner; k++)
                sum += (double)lv_e4m3_to_float(codes[0][r * m->in_stride + k]) *
                       lv_e4m3_to_float(codes[1][c * m->weight.stride + k]);
            sum *= (double)in_scales[each ? r : 0] * weight_scales[each ? c : 0];
            sum += m->bias ? widened(narrow[1][c]) : 0;
            sum += m->addend ? widened(narrow[2][r * m->out_stride + c]) : 0;
            assert_float_equal(
                widened(narrow[0][r * m->out_stride + c]), sum, 1e-3 + fabs(sum) / 250);
        }
}

/* Both kinds of scales, other scales of the same product, and what there is none of. */
static void products_of_fp8(void **state)
{
    static const LvScaling kinds[] = {LV_SCALE_ROW, LV_SCALE_TENSOR};
    const unsigned before = count().choices;
    for (int kind = 0; kind < 2; kind++)
        for (unsigned with = 0; with < 4; with++) {
            LvMatmul m = product_of_codes(5, 32, 48, kinds[kind]);
            m.bias = with == 1 || with == 3 ? narrow[1] : NULL;
            m.addend = with >= 2 ? narrow[2] : NULL;
            for (int again = 0; again < 2; again++) {
                m.in_scales = scales[0] + 4 * again;
                m.weight.scales.data = scales[1] + 8 * again;
                memset(narrow[0], 0xFF, sizeof narrow[0]);
                assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
                check_codes(&m);
            }
        }
    assert_int_equal(count().choices - before, 8);
    static const size_t bad[][2] = {{24, 48}, {32, 40}};
    for (size_t i = 0; i < 2; i++) {
        const LvMatmul m = product_of_codes(5, bad[i][0], bad[i][1], LV_SCALE_ROW);
        assert_int_equal(lv_lt_matmul(lt, NULL, &m), LV_LT_REFUSED);
    }
}

/* ---- timed ---- */

/* Milliseconds of each algorithm by its number; of the mock's, the third cannot be used and the
 * fourth fails. */
typedef struct Times {
    float of[8];
    int allocated, begun, no_memory;
} Times;

static int times_alloc(void *data, size_t bytes, void **memory)
{
    Times *times = data;
    if (times->no_memory)
        return LV_RUNTIME_OUT_OF_MEMORY;
    times->allocated++;
    *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
    return 0;
}

static void times_free(void *data, void *memory)
{
    ((Times *)data)->allocated--;
    free(memory);
}

static int times_begin(void *data)
{
    ((Times *)data)->begun++;
    return 0;
}

/* The first run loads the kernel. */
static int times_end(void *data, float *milliseconds)
{
    const Times *times = data;
    *milliseconds = times->of[count().number] + (times->begun % 4 == 1 ? 100 : 0);
    return 0;
}

static void the_fastest_is_chosen_once(void **state)
{
    static const struct {
        float of[8];
        unsigned chosen;
        int no_memory;
    } cases[] = {{{5, 4, 1, 1, 3, 9}, 4, 0}, {{5, 6, 1, 1, 7, 9}, 0, 0}, {{5, 4, 1, 1, 4, 9}, 1, 0},
        {{5, 4, 1, 1, 3, 2}, 5, 0}, {{5, 4, 1, 1, 3, 2}, 0, 1}};
    LlavaovError error = {0};
    LvLt *untimed = lt;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Times times = {.no_memory = cases[i].no_memory};
        memcpy(times.of, cases[i].of, sizeof times.of);
        const LvLtTimer timer = {&times, times_alloc, times_free, times_begin, times_end};
        assert_int_equal(lv_lt_open(workspace, &lt, &error), LLAVAOV_OK);
        lv_lt_time_plans(lt, &timer);
        LvMatmul m = product(5, 16, 7);
        for (size_t at = 0; at < MOST; at++)
            out[at] = addend[at] = (float)(at % 17);
        m.addend = out; /* trying them out adds nothing to it */
        assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
        check(&m, addend);
        assert_int_equal(count().number, cases[i].chosen);
        const int begun = times.begun;
        assert_int_equal(begun, cases[i].no_memory ? 0 : 4 * 4 + 1);
        memset(times.of, 0, sizeof times.of);
        assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
        assert_int_equal(count().number, cases[i].chosen);
        assert_true(times.begun == begun && times.allocated == 0);
        lv_lt_close(lt);
    }
    lt = untimed;
}

/* More shapes than the table holds: those that were timed keep what they have. */
static void what_was_timed_stays(void **state)
{
    LlavaovError error = {0};
    LvLt *untimed = lt;
    Times times = {.of = {5, 1, 9, 9, 9, 9}};
    const LvLtTimer timer = {&times, times_alloc, times_free, times_begin, times_end};
    assert_int_equal(lv_lt_open(workspace, &lt, &error), LLAVAOV_OK);
    lv_lt_time_plans(lt, &timer);
    unsigned chosen[1200];
    size_t late = 0;
    for (size_t i = 0; i < 2400; i++) {
        LvMatmul m = product(1 + i % 1200, 2, 1);
        assert_int_equal(lv_lt_matmul(lt, NULL, &m), 0);
        check(&m, NULL);
        if (i >= 1200)
            assert_int_equal(count().number, chosen[i - 1200]);
        else
            chosen[i] = count().number;
        late += i < 1200 && count().number == 0;
        times.of[0] = i == 1199 ? 0 : times.of[0];
    }
    assert_true(late > 100 && late < 300);
    lv_lt_close(lt);
    lt = untimed;
}

int main(int argc, char **argv)
{
    void *mock = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    count = mock ? (LvLtMockCount)dlsym(mock, "lv_lt_mock_counts") : NULL;
    if (!count || setenv("LLAVAOV_CUBLASLT", argv[1], 1) != 0)
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_described_as_they_are),
        cmocka_unit_test(a_choice_is_remembered),
        cmocka_unit_test(what_is_refused_is_told_apart),
        cmocka_unit_test(shapes_come_and_go),
        cmocka_unit_test(products_in_parts),
        cmocka_unit_test(products_of_fp8),
        cmocka_unit_test(the_fastest_is_chosen_once),
        cmocka_unit_test(what_was_timed_stays),
    };
    return cmocka_run_group_tests(tests, open_lt, close_lt);
}
