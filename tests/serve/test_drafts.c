/* SPDX-License-Identifier: Apache-2.0
 * Drafts: what is guessed, what it may cost, and that no answer shows whether there was one.
 * drafts_windows.c compares many more answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "checkpoint_writer.h"
#include "generation.h"
#include "harness.h"
#include "model/scratch.h"
#include "ops.h"
#include "schema_reader.h"
#include "serve/drafts.h"
#include "serve/verify.h"

/* ---- the store ---- */

/* Letters stand for tokens. */
static void keep(LvDrafts *drafts, uint64_t key, const char *answer)
{
    int32_t tokens[64];
    for (size_t i = 0; answer[i]; i++)
        tokens[i] = answer[i];
    lv_drafts_keep(drafts, key, tokens, strlen(answer));
}

static void expect(
    const LvDrafts *drafts, uint64_t key, const char *answer, size_t most, const char *wanted)
{
    int32_t tokens[64], draft[64];
    char found[65] = "";
    for (size_t i = 0; answer[i]; i++)
        tokens[i] = answer[i];
    const size_t n = lv_drafts_propose(drafts, key, tokens, strlen(answer), most, draft);
    for (size_t i = 0; i < n; i++)
        found[i] = (char)draft[i];
    assert_string_equal(found, wanted);
}

/* Credit for so many rows, where there was none. */
static void earn(LvDrafts *drafts, uint64_t key, size_t rows)
{
    lv_drafts_judge(drafts, key, rows, rows);
}

static void test_longest_match_counts(void **state)
{
    LvDrafts drafts = {0};
    expect(&drafts, 1, "a", 8, "");
    keep(&drafts, 1, "the ball is red.");
    expect(&drafts, 1, "t", 8, "h"); /* what a question begins with */
    earn(&drafts, 1, 20);
    expect(&drafts, 1, "t", 8, "he ball ");
    expect(&drafts, 2, "t", 8, ""); /* another question */
    keep(&drafts, 1, "a bat is here.");
    expect(&drafts, 1, "t", 8, "he ball ");     /* begins like it */
    expect(&drafts, 1, "a", 5, " bat ");        /* so does the newer one */
    expect(&drafts, 1, "a ball is", 4, " red"); /* the longer piece, not the newer answer */
    expect(&drafts, 1, "xx is", 4, " her");     /* equally long: the newer */
    expect(&drafts, 1, "xyz", 4, "");
    expect(&drafts, 1, "a bat is here", 8, ".");
    expect(&drafts, 1, "a bat is here.", 8, ""); /* that was all */
    lv_drafts_close(&drafts);
}

static void test_rows_are_spent_on_credit(void **state)
{
    LvDrafts drafts = {0};
    keep(&drafts, 1, "abcdefghijklmnopqrstuvwxyz");
    int32_t first = 'a', draft[LV_MAX_DRAFT];
    size_t sizes[6], steps = 0, wasted = 0;
    /* Right ones: twice as many each time. */
    for (int i = 0; i < 6; i++) {
        sizes[i] = lv_drafts_propose(&drafts, 1, &first, 1, LV_MAX_DRAFT, draft);
        lv_drafts_judge(&drafts, 1, sizes[i], sizes[i]);
    }
    assert_int_equal(sizes[0], 1);
    assert_int_equal(sizes[1], 2);
    assert_int_equal(sizes[2], 4);
    assert_int_equal(sizes[5], LV_MAX_DRAFT);
    /* Wrong ones: what was won is lost once, and a fixed share of the steps after that. */
    for (; steps < 10000; steps++) {
        const size_t n = lv_drafts_propose(&drafts, 1, &first, 1, LV_MAX_DRAFT, draft);
        lv_drafts_judge(&drafts, 1, n, 0);
        wasted += n;
    }
    assert_true(wasted > 24 && wasted <= 25 + steps / 32);
    lv_drafts_close(&drafts);
}

static void test_store_is_bounded(void **state)
{
    LvDrafts drafts = {0};
    static int32_t long_answer[LV_MAX_DRAFT_TOKENS + 100];
    for (uint64_t key = 0; key < 3 * LV_MAX_DRAFT_QUESTIONS; key++) {
        keep(&drafts, 7, "kept, since it is asked again and again");
        keep(&drafts, key + 100, "ab");
    }
    assert_int_equal(drafts.n, LV_MAX_DRAFT_QUESTIONS);
    expect(&drafts, 7, "k", 8, "e");
    expect(&drafts, 100, "a", 8, "");
    expect(&drafts, 99 + 3 * LV_MAX_DRAFT_QUESTIONS, "a", 8, "b");
    char answer[] = "a?";
    for (char c = 'A'; c <= 'Z'; c++) {
        answer[1] = c;
        keep(&drafts, 7, answer);
    }
    expect(&drafts, 7, "k", 8, ""); /* four newer ones */
    expect(&drafts, 7, "a", 8, "Z");
    for (size_t i = 0; i < LV_MAX_DRAFT_TOKENS + 100; i++)
        long_answer[i] = (int32_t)i;
    int32_t draft[8];
    lv_drafts_keep(&drafts, 7, long_answer, LV_MAX_DRAFT_TOKENS + 100);
    earn(&drafts, 7, 8);
    assert_int_equal(
        lv_drafts_propose(&drafts, 7, long_answer, LV_MAX_DRAFT_TOKENS - 2, 8, draft), 2);
    assert_int_equal(
        lv_drafts_propose(&drafts, 7, long_answer, LV_MAX_DRAFT_TOKENS + 50, 8, draft), 0);
    lv_drafts_close(&drafts);
}

static void test_key_leaves_frames_out(void **state)
{
    const int32_t two[] = {5, 9, 9, 6}, four[] = {5, 9, 9, 9, 9, 6}, other[] = {5, 9, 9, 7};
    assert_true(lv_drafts_key(two, 4, -1, 9) == lv_drafts_key(four, 6, -1, 9));
    assert_true(lv_drafts_key(two, 4, 9, -1) == lv_drafts_key(two, 4, -1, 9));
    assert_true(lv_drafts_key(two, 4, -1, 9) != lv_drafts_key(other, 4, -1, 9));
    assert_true(lv_drafts_key(two, 4, -1, -1) != lv_drafts_key(four, 6, -1, -1));
}

/* ---- bits ---- */

enum { PREFIX = 37, ROWS = 32 };

/* The logits of the rows from `first` to `end` of ids, in one pass behind a cache that holds those before. */
static void run(LlavaovEngine *engine, LvKvCache *cache, const int32_t *ids, uint32_t first,
    uint32_t end, float *logits)
{
    const LvModel *model = engine->model;
    LlavaovError error = {0};
    const LvRun run = {.error = &error};
    const LvSequence sequence = {cache, 0, end - first, first, 0};
    LvScratch scratch = lv_scratch(engine->backend, &error);
    LvTensor hidden = lv_scratch_tensor(&scratch, end - first, model->config->text.hidden_size);
    assert_int_equal(scratch.status, LLAVAOV_OK);
    assert_int_equal(engine->backend->ops->embed_tokens(
                         engine->backend, &run, hidden, ids + first, model->decoder.embed),
        LLAVAOV_OK);
    assert_int_equal(
        lv_decoder_run(model, &run, hidden, &(LvBatch){&sequence, 1}, LV_LOGITS_ALL, logits),
        LLAVAOV_OK);
    lv_scratch_free(&scratch);
}

static void check_bits(const char *folder, LlavaovPrecision precision, const char *mask)
{
    const LlavaovEngineOptions options = {.size = sizeof options,
        .model_path = folder,
        .device = "cpu",
        .threads = 2,
        .precision = precision,
        .cpu_mask = mask};
    LlavaovEngine *engine;
    LlavaovError error;
    if (llavaov_engine_open(&options, &engine, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    const LvTextConfig *text = &engine->model->config->text;
    const size_t n_vocab = text->vocab_size;
    LvBackend *b = engine->backend;
    int32_t ids[PREFIX + ROWS];
    float *alone = malloc(ROWS * n_vocab * sizeof *alone),
          *together = malloc((PREFIX + ROWS) * n_vocab * sizeof *together);
    for (int i = 0; i < PREFIX + ROWS; i++)
        ids[i] = (i * 31 + i * i) % 250;
    for (int fork = 0; fork < 2; fork++) {
        LvKvCache *base, *cache;
        const LvRun plain = {.error = &error};
        assert_int_equal(b->ops->kv_open(b, text->n_layers, text->n_kv_heads, text->head_dim,
                             PREFIX + ROWS, &base, &error),
            LLAVAOV_OK);
        run(engine, base, ids, 0, PREFIX, together);
        cache = base;
        if (fork)
            assert_int_equal(
                b->ops->kv_fork(b, &plain, base, PREFIX, PREFIX + ROWS, &cache), LLAVAOV_OK);
        for (uint32_t i = 0; i < ROWS; i++)
            run(engine, cache, ids, PREFIX + i, PREFIX + i + 1, alone + i * n_vocab);
        for (uint32_t n = 2; n <= ROWS; n += n < 5 ? 1 : 9)
            for (uint32_t first = 0; first < ROWS; first += n) {
                const uint32_t end = first + n < ROWS ? first + n : ROWS;
                run(engine, cache, ids, PREFIX + first, PREFIX + end, together);
                if (memcmp(together, alone + first * n_vocab,
                        (end - first) * n_vocab * sizeof *alone) != 0)
                    fail_msg("%s, %s: %u rows from %u on have other bits than alone",
                        llavaov_precision_name(precision), mask, n, first);
            }
        if (fork)
            b->ops->kv_close(b, cache);
        b->ops->kv_close(b, base);
    }
    free(alone);
    free(together);
    llavaov_engine_unref(engine);
}

/* A row of a pass of several has the bits of a pass of its own. */
static void test_rows_have_their_own_bits(void **state)
{
    static const LlavaovPrecision quantised[] = {LLAVAOV_PRECISION_NF4, LLAVAOV_PRECISION_FP4,
        LLAVAOV_PRECISION_NF4_DQ, LLAVAOV_PRECISION_FP4_DQ};
    LvWriterSpec spec;
    LlavaovError error;
    char command[64], folder[] = "/tmp/llavaov-drafts-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_true(lv_writer_preset("mini", &spec));
    for (spec.dtype = LV_WRITE_F32; spec.dtype <= LV_WRITE_MIXED; spec.dtype++) {
        assert_int_equal(lv_write_checkpoint(folder, &spec, &error), LLAVAOV_OK);
        for (const LvKernelSet *set = lv_kernel_sets(); set->name; set++)
            if ((set->flags & ~lv_cpu_flags()) == 0)
                check_bits(folder, LLAVAOV_PRECISION_AUTO, set->name);
    }
    check_bits(folder, LLAVAOV_PRECISION_F32, "auto");
    for (size_t i = 0; i < sizeof quantised / sizeof *quantised; i++)
        check_bits(folder, quantised[i], "auto");
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* ---- answers ---- */

static LlavaovTicket *pose(LlavaovSession *session, Reply *reply, uint8_t colour, uint32_t tokens)
{
    LlavaovFrame *frame =
        push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_DEMAND, colour, NULL);
    LlavaovTicket *ticket =
        ask(session, reply, &frame, 1, LLAVAOV_LAYOUT_VIDEO, "What is there?", tokens);
    llavaov_frame_unref(frame);
    return ticket;
}

static void answer(LlavaovSession *session, Reply *reply, uint8_t colour, bool drafts)
{
    reply_init(reply);
    reply->generation.without_drafts = !drafts;
    llavaov_ticket_unref(pose(session, reply, colour, 40));
    reply_wait(reply);
    assert_int_equal(reply->status, LLAVAOV_OK);
}

/* Which sessions have drafts, and which have none. */
static void test_only_what_repeats(void **state)
{
    static Reply reply, first;
    LlavaovSession *session = open_session(*state), *other = open_session(*state);
    LlavaovSessionStats stats = {.size = sizeof stats};
    answer(session, &first, 90, true);
    assert_int_equal(first.draft_tokens, 0);
    for (int i = 0; i < 3; i++)
        answer(session, &reply, 90, true);
    assert_int_equal(reply.accepted_tokens, reply.draft_tokens);
    assert_true(reply.new_tokens - 1 - reply.accepted_tokens <= 3);
    assert_memory_equal(reply.tokens, first.tokens, first.new_tokens * sizeof *first.tokens);
    assert_int_equal(reply.n_streamed, reply.n_text);
    llavaov_session_stats(session, &stats);
    assert_true(stats.accepted_tokens > 80 && stats.draft_tokens == stats.accepted_tokens);
    answer(session, &reply, 90, false);
    assert_int_equal(reply.draft_tokens, 0);
    answer(other, &reply, 90, true); /* no session knows what another one was told */
    assert_int_equal(reply.draft_tokens, 0);
    llavaov_session_close(session);
    llavaov_session_close(other);
}

/* What a schema forces is guessed without any earlier answer, and costs no more than that. */
static void test_forced_text(void **state)
{
    static Reply reply, plain;
    LlavaovSession *session = open_session(*state);
    LlavaovJsonSchema *schema =
        open_schema("{\"type\": \"object\", \"properties\": {"
                    "\"is_moving\": {\"type\": \"boolean\"}, "
                    "\"colour\": {\"enum\": [\"light red\", \"light blue\"]}, "
                    "\"what\": {\"type\": \"string\", \"maxLength\": 3}}}");
    for (int drafts = 0; drafts < 2; drafts++) {
        LlavaovGeneration generation = llavaov_generation_default();
        generation.max_new_tokens = 200;
        generation.without_drafts = !drafts;
        Reply *r = drafts ? &reply : &plain;
        reply_init(r);
        ask_request(session, r,
            (LlavaovRequest){.size = sizeof(LlavaovRequest),
                .prompt = "What is there?",
                .generation = &generation,
                .json_schema = schema});
        reply_wait(r);
        assert_int_equal(r->status, LLAVAOV_OK);
    }
    assert_int_equal(plain.draft_tokens, 0);
    assert_true(reply.accepted_tokens >= 20);
    assert_int_equal(reply.new_tokens, plain.new_tokens);
    assert_memory_equal(reply.tokens, plain.tokens, plain.new_tokens * sizeof *plain.tokens);
    assert_memory_equal(reply.values, plain.values, sizeof plain.values);
    llavaov_json_schema_unref(schema);
    llavaov_session_close(session);
}

/* A device that cannot say that its rows are exact. */
static void test_not_on_every_device(void **state)
{
    static Reply reply;
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    const uint32_t rows = h->engine->backend->info.exact_rows;
    harness_prefer(h, &h->engine->backend->info.exact_rows, 0);
    for (int i = 0; i < 3; i++) {
        answer(session, &reply, 120, true);
        assert_int_equal(reply.draft_tokens, 0);
    }
    harness_prefer(h, &h->engine->backend->info.exact_rows, rows);
    llavaov_session_close(session);
}

/* Numbers that are not finite behind a right guess: the tokens before them stand, as without drafts. */
static void test_failure_behind_a_guess(void **state)
{
    static Reply reply, whole;
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    for (int i = 0; i < 4; i++)
        answer(session, &whole, 33, true);
    assert_true(whole.accepted_tokens > 20);
    reply_init(&reply);
    h->nan_row = 3; /* of the first pass with as many */
    llavaov_ticket_unref(pose(session, &reply, 33, 40));
    reply_wait(&reply);
    assert_int_equal(reply.status, LLAVAOV_ERROR_NUMERIC);
    assert_int_equal(reply.new_tokens, 4);
    assert_memory_equal(reply.tokens, whole.tokens, 4 * sizeof *reply.tokens);
    answer(session, &reply, 33, true);
    assert_memory_equal(reply.tokens, whole.tokens, whole.new_tokens * sizeof *whole.tokens);
    llavaov_session_close(session);
}

/* Cancelled within a pass over guesses: nothing of that pass counts, and others go on. */
static void test_cancelled_with_guesses(void **state)
{
    static Reply reply, whole, beside;
    Harness *h = *state;
    LlavaovSession *session = open_session(h), *other = open_session(h);
    for (int i = 0; i < 4; i++) {
        answer(session, &whole, 61, true);
        answer(other, &beside, 61, true);
    }
    reply_init(&reply);
    reply_init(&beside);
    harness_arm(h, OPERATION_PREFILL, FAULT_SPIN, 2); /* two passes of its prompt, then guesses */
    LlavaovTicket *ticket = pose(session, &reply, 61, 40);
    harness_wait_reached(h);
    llavaov_ticket_unref(pose(other, &beside, 61, 40));
    llavaov_ticket_cancel(ticket);
    llavaov_ticket_unref(ticket);
    reply_wait(&reply);
    reply_wait(&beside);
    assert_int_equal(reply.status, LLAVAOV_ERROR_CANCELLED);
    assert_memory_equal(reply.tokens, whole.tokens, reply.new_tokens * sizeof *whole.tokens);
    assert_int_equal(beside.status, LLAVAOV_OK);
    assert_int_equal(beside.new_tokens, whole.new_tokens);
    assert_memory_equal(beside.tokens, whole.tokens, whole.new_tokens * sizeof *whole.tokens);
    llavaov_session_close(session);
    llavaov_session_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_match_counts),
        cmocka_unit_test(test_rows_are_spent_on_credit),
        cmocka_unit_test(test_store_is_bounded),
        cmocka_unit_test(test_key_leaves_frames_out),
        cmocka_unit_test(test_rows_have_their_own_bits),
        cmocka_unit_test(test_only_what_repeats),
        cmocka_unit_test(test_forced_text),
        cmocka_unit_test(test_not_on_every_device),
        cmocka_unit_test(test_failure_behind_a_guess),
        cmocka_unit_test(test_cancelled_with_guesses),
    };
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
