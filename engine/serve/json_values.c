/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/json_values.h"

#include <string.h>

#include "base/alloc.h"
#include "schema/values.h"

/* That one token decides. */
#define MOST_AT_ONCE 8

struct LvListedValue {
    LlavaovJsonValue given;
    LvTrie trie;
    size_t next; /* way */
    const LvProgram *program;
    LvDecidedValue decided;
    size_t at; /* the value's first byte in the document */
    char *path;
    const char **texts; /* and what they point to; owned */
    double *logprobs, *probabilities;
};

static void free_value(LvListedValue *v)
{
    if (!v)
        return;
    lv_trie_free(&v->trie);
    lv_free(v->path);
    lv_free(v->texts);
    lv_free(v->logprobs);
    lv_free(v->probabilities);
    lv_free(v);
}

static const LvInstruction *step_of(const LvListedValue *v)
{
    return &v->program->steps[v->decided.step];
}

/* All values as texts, in one block behind their addresses. */
static bool copy_texts(LvListedValue *v)
{
    const LvInstruction *step = step_of(v);
    const LvLiteral *literals = v->program->literals + step->first;
    size_t bytes = step->n * sizeof *v->texts;
    for (uint32_t i = 0; i < step->n; i++)
        bytes += literals[i].n + 1;
    v->texts = lv_alloc(bytes, 1);
    if (!v->texts)
        return false;
    char *out = (char *)(v->texts + step->n);
    for (uint32_t i = 0; i < step->n; i++) {
        v->texts[i] = out;
        memcpy(out, v->program->text + literals[i].first, literals[i].n);
        out += literals[i].n;
        *out++ = '\0';
    }
    return true;
}

/* The tokens from the start of `token` on that spell a value. False: they are too many, or do not
 * give its bytes (a tokenizer may change characters). *memory is cleared where that was the cause. */
static bool spell(const LvJsonValues *values, const LvListedValue *v, uint32_t literal,
    const char *token, LvLabelSpelling *spelling, bool *memory)
{
    const LvInstruction *step = step_of(v);
    const int32_t lead = v->decided.lead;
    const uint32_t skipped = lead < 0 ? (uint32_t)-lead : 0, before = lead > 0 ? (uint32_t)lead : 0;
    const uint32_t content =
        lv_program_content(v->program, &v->program->literals[step->first + literal]) - skipped;
    const char *value = v->program->text + v->program->literals[step->first + literal].first;
    LvTokens ids = {0};
    char *text = lv_alloc((size_t)before + content, 1);
    *memory = text;
    if (!text)
        return false;
    memcpy(text, token, before);
    memcpy(text + before, value + skipped, content);
    LlavaovStatus status = lv_tokenizer_encode(
        values->tokenizer, text, (size_t)before + content, LV_SPECIAL_AS_TEXT, &ids, NULL);
    *memory = status != LLAVAOV_ERROR_MEMORY;
    bool good = status == LLAVAOV_OK && ids.n > 0 && ids.n <= LV_MAX_SPELLING_TOKENS;
    size_t at = 0;
    for (size_t i = 0; i < ids.n && good; i++) {
        size_t n;
        bool special;
        const char *bytes = lv_tokenizer_token_bytes(values->tokenizer, ids.ids[i], &n, &special);
        good = bytes && !special && ids.ids[i] >= 0 && (uint32_t)ids.ids[i] < values->n_vocab &&
               at + n <= (size_t)before + content && !memcmp(text + at, bytes, n);
        spelling->tokens[i] = ids.ids[i];
        at += good ? n : 0;
    }
    good = good && at == (size_t)before + content;
    spelling->label = literal;
    spelling->written = true;
    spelling->n = good ? (uint32_t)ids.n : 0;
    lv_tokens_free(&ids);
    lv_free(text);
    return good;
}

/* False: nothing is known about this value; *memory is false where that was the cause. */
static bool make_trie(const LvJsonValues *values, LvListedValue *v, const char *token, bool *memory)
{
    const uint32_t n = step_of(v)->n;
    LvSpellings spellings = {lv_alloc(n, sizeof *spellings.list), n};
    *memory = spellings.list;
    bool good = *memory;
    for (uint32_t i = 0; i < n && good; i++)
        good = spell(values, v, i, token, &spellings.list[i], memory);
    good = good && lv_spellings_sort(&spellings);
    if (good)
        good = *memory = lv_trie_make(&spellings, &v->trie, NULL) == LLAVAOV_OK;
    lv_spellings_free(&spellings);
    return good;
}

/* The logarithms are known: the rest follows. */
static void conclude(LvListedValue *v)
{
    const size_t n = step_of(v)->n;
    lv_trie_logprobs(&v->trie, n, v->logprobs);
    lv_trie_free(&v->trie);
    const double mass = lv_trie_shares(v->logprobs, n, 1, v->probabilities);
    v->given = (LlavaovJsonValue){.path = v->path,
        .values = v->texts,
        .logprobs = v->logprobs,
        .probabilities = v->probabilities,
        .n = n,
        .label_mass = mass};
}

static bool reserve(LvJsonValues *values)
{
    if (values->n < values->capacity)
        return true;
    const size_t capacity = 2 * values->capacity + 8;
    LvListedValue **grown = lv_realloc(values->list, capacity, sizeof *grown);
    if (!grown)
        return false;
    values->list = grown;
    values->capacity = capacity;
    return true;
}

static LvListedValue *open_value(const LvProgram *program, const LvDecidedValue *decided)
{
    LvListedValue *v = lv_calloc(1, sizeof *v);
    if (!v)
        return NULL;
    const size_t n = program->steps[decided->step].n;
    v->program = program;
    v->decided = *decided;
    v->next = 1;
    v->path = lv_values_path(program, decided);
    v->logprobs = lv_alloc(n, sizeof *v->logprobs);
    v->probabilities = lv_alloc(n, sizeof *v->probabilities);
    if (v->path && v->logprobs && v->probabilities && copy_texts(v))
        return v;
    free_value(v);
    return NULL;
}

/* Not more than are supported, and none is the empty string, which no tokens before its end spell. */
static bool supported(
    const LvJsonValues *values, const LvProgram *program, const LvInstruction *step)
{
    const LvLiteral *literals = program->literals + step->first;
    bool empty = false;
    for (uint32_t i = 0; i < step->n; i++)
        empty = empty || (literals[i].n == 2 && program->text[literals[i].first] == '"');
    return !empty && step->n <= LV_MAX_CHOICES && values->n < LV_MAX_LISTED_VALUES;
}

/* A token decides a value. False: no memory. */
static bool add(LvJsonValues *values, const LvJsonFilter *filter, const LvDecidedValue *decided,
    const char *token)
{
    bool memory = true;
    if (!supported(values, filter->program, &filter->program->steps[decided->step]))
        return true;
    LvListedValue *v = reserve(values) ? open_value(filter->program, decided) : NULL;
    if (!v)
        return false;
    v->at = values->n_bytes + (size_t)(ptrdiff_t)decided->lead;
    if (!make_trie(values, v, token, &memory) ||
        !lv_trie_take(&v->trie, 0, filter->filter.logits, values->n_vocab)) {
        free_value(v);
        return memory;
    }
    v->next = lv_trie_next_way(&v->trie, 1);
    values->list[values->n++] = v;
    return true;
}

/* Goes on to the first value with ways left. */
static void advance(LvJsonValues *values)
{
    for (; values->n_known < values->n; values->n_known++) {
        LvListedValue *v = values->list[values->n_known];
        if (v->next < v->trie.n)
            return;
        conclude(v);
    }
}

static void see(void *data, const LvJsonFilter *filter, int32_t token)
{
    LvJsonValues *values = data;
    LvDecidedValue decided[MOST_AT_ONCE];
    const LvTokenTrie *trie = filter->trie;
    const unsigned char *bytes = trie->bytes + trie->token_from[token];
    const size_t n = trie->token_from[token + 1] - trie->token_from[token];
    const size_t found =
        lv_values_decided(filter->program, &filter->walk, bytes, n, decided, MOST_AT_ONCE);
    for (size_t i = 0; i < found; i++)
        if (!add(values, filter, &decided[i], (const char *)bytes))
            values->status = LLAVAOV_ERROR_MEMORY;
    values->n_bytes += n;
    advance(values);
}

void lv_json_values_open(
    LvJsonValues *values, LvJsonFilter *filter, const LvTokenizer *tokenizer, uint32_t n_vocab)
{
    *values = (LvJsonValues){.tokenizer = tokenizer, .n_vocab = n_vocab};
    filter->before = see;
    filter->data = values;
    filter->filter.wants_logits = true;
}

void lv_json_values_close(LvJsonValues *values)
{
    for (size_t i = 0; i < values->n; i++)
        free_value(values->list[i]);
    lv_free(values->list);
    lv_free(values->given);
    *values = (LvJsonValues){0};
}

LvTrie *lv_json_values_due(LvJsonValues *values, size_t **next)
{
    if (values->n_known == values->n)
        return NULL;
    LvListedValue *v = values->list[values->n_known];
    *next = &v->next;
    return &v->trie;
}

void lv_json_values_done(LvJsonValues *values, bool run)
{
    if (!run) {
        free_value(values->list[values->n_known]);
        values->n--;
        memmove(values->list + values->n_known, values->list + values->n_known + 1,
            (values->n - values->n_known) * sizeof *values->list);
    }
    advance(values);
}

/* Of those that stand at the place in the document the longest: 12 is not 1. */
static size_t find_written(const LvListedValue *v, const char *document, size_t bytes)
{
    size_t best = 0, longest = 0;
    for (size_t i = 0; i < v->given.n; i++) {
        const size_t n = strlen(v->texts[i]);
        if (n > longest && v->at + n <= bytes && !memcmp(document + v->at, v->texts[i], n)) {
            best = i;
            longest = n;
        }
    }
    return best;
}

bool lv_json_values_finish(LvJsonValues *values, const char *document, size_t bytes)
{
    values->given = lv_alloc(values->n, sizeof(const LlavaovJsonValue *));
    if (!values->given)
        return false;
    for (size_t i = 0; i < values->n; i++) {
        LvListedValue *v = values->list[i];
        v->given.written = find_written(v, document, bytes);
        v->given.confidence = v->probabilities[v->given.written];
        values->given[i] = &v->given;
    }
    return true;
}
