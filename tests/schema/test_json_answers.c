/* SPDX-License-Identifier: Apache-2.0
 * Answers of models that know nothing: valid, closed, in time, in one spelling; and that the choice
 * is the best of what the mask leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "random_answer.h"
#include "schema/closing.h"
#include "schema/json_schema.h"
#include "schema/values.h"
#include "validate.h"

static LvTokenizer *tokenizer;
static LvTokenTrie *trie;
static json_t *schemas;
static float *scores;

typedef struct Opened {
    LlavaovJsonSchema *schema;
    LvJsonFilter filter;
    uint32_t least;
} Opened;

static Opened open_filter(const json_t *schema)
{
    Opened o;
    char *text = json_dumps(schema, 0);
    LlavaovError error = {0};
    if (llavaov_json_schema_open(text, &o.schema, &error) ||
        lv_json_filter_open(
            &o.filter, lv_json_schema_program(o.schema), trie, (LlavaovIds){NULL, 0}, &error))
        fail_msg("%s: %s", text, error.message);
    free(text);
    o.least = lv_json_filter_least(&o.filter);
    return o;
}

static void close_filter(Opened *o)
{
    lv_json_filter_close(&o->filter);
    llavaov_json_schema_unref(o->schema);
}

static void check(const json_t *schema, const RandomAnswer *answer, uint32_t limit)
{
    json_error_t error;
    assert_false(answer->failed);
    assert_true(answer->tokens <= limit);
    json_t *value = json_loads(answer->text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!value || !validate(schema, value) || !spelled_once(answer->text)) {
        char *text = json_dumps(schema, 0);
        fail_msg("%s of %s: %s", answer->text, text, value ? "not valid" : error.text);
    }
    json_decref(value);
}

/* Limits from the least on, where every token must lead straight to the end, to plenty. */
static void random_answers_are_valid_and_closed(void **state)
{
    size_t i, truncated = 0, whole = 0;
    json_t *schema;
    static RandomAnswer answer;
    json_array_foreach(schemas, i, schema)
    {
        Opened o = open_filter(schema);
        for (uint32_t n = 0; n < (o.least > 100 ? 30u : 360u); n++) {
            const uint32_t limit = o.least + (n % 3 == 0 ? n % 7 : n % 3 == 1 ? n % 50 : 150);
            random_answer(&o.filter, limit, i * 1000 + n, scores, &answer);
            check(schema, &answer, limit);
            truncated += answer.truncated;
            whole += !answer.truncated;
        }
        close_filter(&o);
    }
    assert_true(truncated > 1000 && whole > 1000);
}

/* A document of the fewest tokens exists, and none of fewer. */
static void the_least_is_exact(void **state)
{
    size_t i;
    json_t *schema;
    static RandomAnswer answer;
    json_array_foreach(schemas, i, schema)
    {
        Opened o = open_filter(schema);
        for (uint32_t n = 0; n < 20; n++) {
            random_answer(&o.filter, o.least, n, scores, &answer);
            check(schema, &answer, o.least);
        }
        close_filter(&o);
    }
}

/* Fewest tokens of the closing bytes, trying every token at every byte. */
static uint32_t fewest_plainly(const LvProgram *program, const LvWalk *from)
{
    static unsigned char bytes[2048];
    static uint32_t fewest[2049];
    const uint32_t n = lv_walk_closing(program, from);
    LvWalk walk = *from;
    assert_true(n <= sizeof bytes);
    for (uint32_t i = 0; i < n; i++) {
        bytes[i] = lv_walk_closing_byte(program, &walk);
        assert_true(lv_walk_step(program, &walk, bytes[i]));
        assert_int_equal(lv_walk_closing(program, &walk), n - i - 1);
    }
    fewest[n] = 0;
    for (uint32_t i = n; i-- > 0;) {
        fewest[i] = UINT32_MAX;
        for (uint32_t id = 0; id < trie->n_vocab; id++) {
            const uint32_t first = trie->token_from[id], size = trie->token_from[id + 1] - first;
            if (size && size <= n - i && !memcmp(trie->bytes + first, bytes + i, size) &&
                fewest[i + size] < fewest[i])
                fewest[i] = fewest[i + size] + 1;
        }
    }
    return fewest[0];
}

/* In every place of documents, with what was found for the places before. */
static void the_way_to_the_end_is_the_shortest(void **state)
{
    size_t i, places = 0;
    json_t *schema;
    static RandomAnswer answer;
    json_array_foreach(schemas, i, schema)
    {
        Opened o = open_filter(schema);
        const LvProgram *program = lv_json_schema_program(o.schema);
        LvClosing *closing = lv_closing_open();
        assert_non_null(closing);
        for (uint32_t k = 0; k < 3; k++) {
            random_answer(&o.filter, o.least + 40, i * 100 + k, scores, &answer);
            LvWalk walk = lv_walk_start(program);
            for (const char *c = answer.text; *c; c++, places++) {
                if (places % 7 == 0)
                    assert_int_equal(lv_closing_tokens(closing, program, trie, &walk),
                        fewest_plainly(program, &walk));
                assert_true(lv_walk_step(program, &walk, (unsigned char)*c));
            }
        }
        lv_closing_close(closing);
        close_filter(&o);
    }
    assert_true(places > 2000);
}

/* What a JSON pointer points to. */
static json_t *at_pointer(json_t *value, const char *pointer)
{
    while (*pointer == '/') {
        char name[80];
        size_t n = 0;
        for (pointer++; *pointer && *pointer != '/'; pointer++) {
            assert_true(n + 1 < sizeof name);
            name[n] = *pointer;
            if (*pointer == '~')
                name[n] = *++pointer == '0' ? '~' : '/';
            n++;
        }
        name[n] = '\0';
        value = json_is_array(value) ? json_array_get(value, strtoul(name, NULL, 10))
                                     : json_object_get(value, name);
    }
    assert_true(*pointer == '\0');
    return value;
}

/* Checks one against the document. */
static void check_decided(
    const LvProgram *program, const LvDecidedValue *d, const char *text, size_t token, json_t *root)
{
    const LvInstruction *step = &program->steps[d->step];
    const char *at = text + token + d->lead, *written = NULL;
    size_t longest = 0;
    for (uint32_t i = 0; i < step->n; i++) {
        const LvLiteral *literal = &program->literals[step->first + i];
        if (literal->n > longest && !strncmp(program->text + literal->first, at, literal->n)) {
            written = program->text + literal->first;
            longest = literal->n;
        }
    }
    assert_non_null(written);
    char *path = lv_values_path(program, d);
    json_t *value = json_loadb(written, longest, JSON_DECODE_ANY, NULL);
    if (!json_equal(at_pointer(root, path), value))
        fail_msg("\"%s\" is not %.*s in %s", path, (int)longest, written, text);
    json_decref(value);
    lv_free(path);
}

/* However a document is cut into tokens, each of its listed values is decided by one of them, and the
 * pointer to it leads there. */
static void listed_values_are_found(void **state)
{
    size_t i, listed = 0;
    json_t *schema;
    static RandomAnswer answer;
    uint64_t random = 5;
    json_array_foreach(schemas, i, schema)
    {
        Opened o = open_filter(schema);
        const LvProgram *program = lv_json_schema_program(o.schema);
        for (uint32_t k = 0; k < 40; k++) {
            static LvDecidedValue decided[2000];
            random_answer(&o.filter, o.least + 100, i * 1000 + k, scores, &answer);
            const size_t n = strlen(answer.text);
            const LvWalk start = lv_walk_start(program);
            json_t *root = json_loads(answer.text, JSON_DECODE_ANY, NULL);
            const unsigned char *bytes = (const unsigned char *)answer.text;
            const size_t all = lv_values_decided(program, &start, bytes, n, decided, 2000);
            for (size_t d = 0; d < all; d++)
                check_decided(program, &decided[d], answer.text, 0, root);
            LvWalk walk = start;
            size_t found = 0;
            for (size_t at = 0, size; at < n; at += size) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                size = 1 + (random >> 33) % (k + 1);
                size = size < n - at ? size : n - at;
                const size_t here =
                    lv_values_decided(program, &walk, bytes + at, size, decided, 2000);
                for (size_t d = 0; d < here; d++)
                    check_decided(program, &decided[d], answer.text, at, root);
                found += here;
                for (size_t b = 0; b < size; b++)
                    assert_true(lv_walk_step(program, &walk, bytes[at + b]));
            }
            assert_int_equal(found, all);
            listed += all;
            json_decref(root);
        }
        close_filter(&o);
    }
    assert_true(listed > 300);
}

/* The next score, mostly far from the tokens that fit, so that the vocabulary must be walked. */
static void fill(float *row, uint64_t *random)
{
    for (uint32_t i = 0; i < trie->n_vocab; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        row[i] = (float)(*random >> 40 & 1023); /* ties are frequent */
    }
}

/* The mask is what trying each token says, and the greedy choice its first maximum. */
static void the_choice_is_the_masks_maximum(void **state)
{
    const size_t bytes = trie->n_vocab * sizeof(float);
    float *masked = malloc(bytes), *left = malloc(bytes);
    uint64_t random = 7;
    size_t i, ways = 0;
    json_t *schema;
    json_array_foreach(schemas, i, schema)
    {
        Opened o = open_filter(schema);
        LvTokenFilter *filter = &o.filter.filter;
        lv_json_filter_start(&o.filter, o.least + 20);
        while (!o.filter.ended) {
            fill(scores, &random);
            memcpy(masked, scores, bytes);
            memcpy(left, scores, bytes);
            filter->mask(filter, masked, trie->n_vocab);
            int32_t best = -1;
            for (uint32_t id = 0; id < trie->n_vocab; id++) {
                const bool allowed = filter->allows(filter, (int32_t)id);
                if (allowed != (masked[id] > -INFINITY))
                    fail_msg("token %u is %sin the mask", id, allowed ? "not " : "");
                if (allowed && (best < 0 || scores[id] > scores[best]))
                    best = (int32_t)id;
            }
            assert_int_equal(lv_filter_first(filter, left, trie->n_vocab), best);
            filter->take(filter, best);
            ways++;
        }
        close_filter(&o);
    }
    assert_true(ways > 500);
    free(left);
    free(masked);
}

/* What ends a document may also be a token of its own text. */
static void stop_tokens_end_complete_documents_alone(void **state)
{
    json_t *schema = json_loads("{\"type\": \"integer\", \"minimum\": 10}", 0, NULL);
    const uint32_t node = trie->all.under['5'];
    int32_t stops[2] = {trie->all.tokens[trie->all.first[node]],
        trie->all.tokens[trie->all.first[trie->all.under['a']]]};
    Opened o = open_filter(schema);
    LvTokenFilter *filter = &o.filter.filter;
    o.filter.stop = (LlavaovIds){stops, 2};
    lv_json_filter_start(&o.filter, 10);
    assert_false(filter->allows(filter, stops[1]));
    assert_true(filter->allows(filter, stops[0]));
    filter->take(filter, stops[0]);
    assert_false(o.filter.ended);
    assert_false(filter->allows(filter, stops[1]));
    filter->take(filter, stops[0]);
    assert_false(o.filter.ended);
    assert_true(filter->allows(filter, stops[1]));
    filter->mask(filter, memset(scores, 0, trie->n_vocab * sizeof *scores), trie->n_vocab);
    assert_true(scores[stops[1]] == 0 && scores[stops[0]] == 0);
    filter->take(filter, stops[1]);
    assert_true(o.filter.ended && o.filter.stopped);
    close_filter(&o);
    json_decref(schema);
}

static int load(void **state)
{
    schemas = json_load_file(TEST_DATA "/schemas.json", 0, NULL);
    if (!schemas || lv_tokenizer_open(TEST_TOKENIZER, &tokenizer, NULL))
        return -1;
    scores = malloc(lv_tokenizer_size(tokenizer) * sizeof *scores);
    /* The single bytes, words and parts of words: as many as take little time. */
    return lv_token_trie_open(tokenizer, 600, &trie, NULL) ? -1 : 0;
}

static int unload(void **state)
{
    lv_token_trie_close(trie);
    lv_tokenizer_close(tokenizer);
    json_decref(schemas);
    free(scores);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_answers_are_valid_and_closed),
        cmocka_unit_test(the_least_is_exact),
        cmocka_unit_test(the_way_to_the_end_is_the_shortest),
        cmocka_unit_test(listed_values_are_found),
        cmocka_unit_test(the_choice_is_the_masks_maximum),
        cmocka_unit_test(stop_tokens_end_complete_documents_alone),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
