/* SPDX-License-Identifier: Apache-2.0
 * The other end of tests/parity/json_schema.py.
 *
 *     json-batch check                          a schema a line: its error's message, or "ok"
 *     json-batch answers N SEED TOKENIZER       a schema a line: N random answers, as JSON lines
 *     json-batch masks STATES SEED TOKENIZER    a schema a line: masks on the way of a random answer
 *     json-batch compare STATES SEED TOKENIZER  a schema a line: "same" where masks on such a way are what
 *                                               trying every token says, or the id that differs
 *     json-batch size 0 0 TOKENIZER             n_vocab
 *     json-batch times STATES SEED TOKENIZER    a schema a line: what choices cost on such ways, for
 *                                               measuring (docs/json.md)
 *
 * A mask is a line with the number of ids chosen before it and those ids, then n_vocab bytes of 0 and
 * 1; a line "end" follows the last of a schema. Answers are of the first 600 tokens alone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "random_answer.h"
#include "schema/json_schema.h"

typedef struct Batch {
    LvTokenizer *tokenizer;
    LvTokenTrie *trie;
    float *scores;
    unsigned long n, seed;
    struct Times *times;
} Batch;

static int check(const char *line)
{
    LlavaovJsonSchema *schema;
    LlavaovError error = {0};
    puts(llavaov_json_schema_open(line, &schema, &error) ? error.message : "ok");
    llavaov_json_schema_unref(schema);
    return 0;
}

static int answers(const Batch *b, LvJsonFilter *filter, unsigned long seed)
{
    static RandomAnswer answer;
    const uint32_t least = lv_json_filter_least(filter);
    for (unsigned long i = 0; i < b->n; i++) {
        const uint32_t limit = least + (uint32_t)(i % 4 == 0 ? i / 4 % 8 : i % 100);
        random_answer(filter, limit, seed + i, b->scores, &answer);
        json_t *row =
            json_pack("{s:s s:i s:i s:b s:b}", "text", answer.text, "tokens", (int)answer.tokens,
                "limit", (int)limit, "truncated", answer.truncated, "failed", answer.failed);
        if (!row || json_dumpf(row, stdout, 0))
            return 1;
        putchar('\n');
        json_decref(row);
    }
    return 0;
}

/* Any of the allowed tokens, all alike, but one that closes something every now and then. */
static int32_t choose(const Batch *b, const uint8_t *allowed, uint64_t *random)
{
    uint32_t n = 0, picked = 0;
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    const bool closing = *random >> 62 == 0;
    for (uint32_t id = 0; id < b->trie->n_vocab; id++) {
        const unsigned char *bytes = b->trie->bytes + b->trie->token_from[id];
        if (!allowed[id] || (closing && !strchr("\",]}", bytes[0])))
            continue;
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        if ((*random >> 33) % ++n == 0)
            picked = id + 1;
    }
    return (int32_t)picked - 1;
}

static int masks(const Batch *b, LvJsonFilter *filter, unsigned long seed)
{
    const uint32_t n_vocab = b->trie->n_vocab;
    uint64_t random = seed * 0x9E3779B97F4A7C15u + 1;
    uint8_t *allowed = malloc(n_vocab);
    int32_t *ids = malloc((b->n + 1) * sizeof *ids);
    unsigned long n_ids = 0;
    lv_json_filter_start(filter, 100000);
    for (unsigned long i = 0; allowed && ids && i < b->n; i++) {
        memset(b->scores, 0, n_vocab * sizeof *b->scores);
        filter->filter.mask(&filter->filter, b->scores, n_vocab);
        for (uint32_t id = 0; id < n_vocab; id++)
            allowed[id] = b->scores[id] == 0;
        printf("%lu", n_ids);
        for (unsigned long k = 0; k < n_ids; k++)
            printf(" %d", ids[k]);
        putchar('\n');
        fwrite(allowed, 1, n_vocab, stdout);
        int32_t token = choose(b, allowed, &random);
        while (token < 0)
            token = choose(b, allowed, &random);
        filter->filter.take(&filter->filter, token);
        ids[n_ids++] = token;
        if (filter->ended) {
            lv_json_filter_start(filter, 100000);
            n_ids = 0;
        }
    }
    puts("end");
    free(ids);
    free(allowed);
    return 0;
}

static int compare(const Batch *b, LvJsonFilter *filter, unsigned long seed)
{
    const uint32_t n_vocab = b->trie->n_vocab;
    LvTokenFilter *f = &filter->filter;
    uint64_t random = seed + 1;
    uint8_t *allowed = malloc(n_vocab);
    int32_t other = -1;
    lv_json_filter_start(filter, 40 + lv_json_filter_least(filter));
    for (unsigned long i = 0; allowed && other < 0 && i < b->n; i++) {
        memset(b->scores, 0, n_vocab * sizeof *b->scores);
        f->mask(f, b->scores, n_vocab);
        for (uint32_t id = 0; id < n_vocab; id++) {
            allowed[id] = f->allows(f, (int32_t)id);
            if (allowed[id] != (b->scores[id] == 0))
                other = (int32_t)id;
        }
        int32_t token = choose(b, allowed, &random);
        while (token < 0)
            token = choose(b, allowed, &random);
        f->take(f, token);
        if (filter->ended)
            lv_json_filter_start(filter, 40 + lv_json_filter_least(filter));
    }
    free(allowed);
    if (other < 0)
        puts("same");
    else
        printf("%d\n", other);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

enum { TRY, GREEDY, MASK, KINDS };

/* Of all schemas. */
typedef struct Times {
    uint64_t *ns[KINDS];
    size_t n;
} Times;

/* Of this thread, whatever else the machine does. */
static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const char *const kinds[KINDS] = {"try", "greedy", "mask"};

static void print_times(const char *what, uint64_t *ns, size_t n)
{
    qsort(ns, n, sizeof *ns, by_value);
    printf(", \"%s\": {\"median\": %.1f, \"p99\": %.1f, \"most\": %.1f}", what,
        (double)ns[n / 2] * 1e-3, (double)ns[n * 99 / 100] * 1e-3, (double)ns[n - 1] * 1e-3);
}

/* Microseconds of computing: of trying one token that fits, of the greedy choice among random scores (where
 * mostly the vocabulary must be walked), and of a whole mask, as sampling takes. */
static int times(const Batch *b, LvJsonFilter *filter, unsigned long seed)
{
    const uint32_t n_vocab = b->trie->n_vocab;
    LvTokenFilter *f = &filter->filter;
    uint64_t random = seed + 1, *ns[KINDS];
    Times *all = b->times;
    for (int i = 0; i < KINDS; i++)
        ns[i] = calloc(b->n, sizeof **ns);
    lv_json_filter_start(filter, 256 + lv_json_filter_least(filter));
    for (unsigned long i = 0; i < b->n; i++) {
        for (uint32_t id = 0; id < n_vocab; id++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            b->scores[id] = (float)(random >> 40);
        }
        const uint64_t start = cpu_ns();
        const int32_t token = lv_filter_first(f, b->scores, n_vocab);
        const uint64_t greedy = cpu_ns();
        f->allows(f, token);
        const uint64_t tried = cpu_ns();
        f->mask(f, b->scores, n_vocab);
        ns[MASK][i] = cpu_ns() - tried;
        ns[TRY][i] = tried - greedy;
        ns[GREEDY][i] = greedy - start;
        f->take(f, token);
        if (filter->ended)
            lv_json_filter_start(filter, 256 + lv_json_filter_least(filter));
    }
    printf("{\"states\": %lu, \"least-tokens\": %u", b->n, lv_json_filter_least(filter));
    for (int i = 0; i < KINDS; i++) {
        uint64_t *grown = realloc(all->ns[i], (all->n + b->n) * sizeof *grown);
        if (grown) {
            memcpy(grown + all->n, ns[i], b->n * sizeof *grown);
            all->ns[i] = grown;
        }
        print_times(kinds[i], ns[i], b->n);
        free(ns[i]);
    }
    all->n += b->n;
    puts("}");
    return 0;
}

static void print_all(Times *all)
{
    printf("{\"states\": %zu, \"schemas\": \"all\"", all->n);
    for (int i = 0; i < KINDS; i++) {
        print_times(kinds[i], all->ns[i], all->n);
        free(all->ns[i]);
    }
    puts("}");
}

static int run(const Batch *b, const char *command, const char *line, unsigned long number)
{
    LlavaovJsonSchema *schema = NULL;
    LvJsonFilter filter;
    LlavaovError error = {0};
    int failed = 1;
    if (llavaov_json_schema_open(line, &schema, &error) == LLAVAOV_OK &&
        lv_json_filter_open(&filter, lv_json_schema_program(schema), b->trie, (LlavaovIds){NULL, 0},
            &error) == LLAVAOV_OK) {
        failed = !strcmp(command, "answers")   ? answers(b, &filter, b->seed + number * b->n)
                 : !strcmp(command, "times")   ? times(b, &filter, b->seed + number)
                 : !strcmp(command, "compare") ? compare(b, &filter, b->seed + number)
                                               : masks(b, &filter, b->seed + number);
        fflush(stdout);
        lv_json_filter_close(&filter);
    } else {
        fprintf(stderr, "%s\n", error.message);
    }
    llavaov_json_schema_unref(schema);
    return failed;
}

int main(int argc, char **argv)
{
    Times all = {0};
    Batch b = {.times = &all};
    LlavaovError error = {0};
    char *line = NULL;
    size_t capacity = 0;
    int failed = 0;
    if (argc != 2 && argc != 5)
        return 2;
    if (argc == 5) {
        b.n = strtoul(argv[2], NULL, 10);
        b.seed = strtoul(argv[3], NULL, 10);
        if (lv_tokenizer_open(argv[4], &b.tokenizer, &error) ||
            lv_token_trie_open(b.tokenizer,
                !strcmp(argv[1], "answers") ? 600 : lv_tokenizer_size(b.tokenizer), &b.trie,
                &error))
            return fprintf(stderr, "%s\n", error.message), 1;
        b.scores = malloc(b.trie->n_vocab * sizeof *b.scores);
        if (!strcmp(argv[1], "size"))
            printf("%u\n", b.trie->n_vocab);
    }
    for (unsigned long number = 0;
         !failed && strcmp(argv[1], "size") && getline(&line, &capacity, stdin) > 0; number++)
        failed = argc == 2 ? check(line) : run(&b, argv[1], line, number);
    if (all.n)
        print_all(&all);
    free(line);
    free(b.scores);
    lv_token_trie_close(b.trie);
    lv_tokenizer_close(b.tokenizer);
    return failed;
}
