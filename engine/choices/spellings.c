/* SPDX-License-Identifier: Apache-2.0 */
#include "choices/spellings.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "text/jinja/character.h"
#include "text/utf8.h"

/* As written, with the first letter's case changed, and both behind a space. */
#define FORMS 4

typedef struct SpellingMaker {
    const LvLabels *labels;
    const LvTokenizer *tokenizer;
    uint32_t n_vocab;
    LvSpellings *spellings;
    LlavaovError *error;
} SpellingMaker;

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for choices");
}

/* The first character in the other case, or false where it has none. */
static bool switch_case(uint32_t code, uint32_t *other)
{
    uint32_t out[3];
    if (lv_jinja_upper(code, out) == 1 && out[0] != code) {
        *other = out[0];
        return true;
    }
    if (lv_jinja_lower(code, out) != 1 || out[0] == code)
        return false;
    *other = out[0];
    return true;
}

static bool is_label(const LvLabels *labels, const char *text)
{
    for (size_t i = 0; i < labels->n; i++)
        if (strcmp(labels->labels[i], text) == 0)
            return true;
    return false;
}

/* A new text with the first character in the other case; *text NULL: there is none, or it is
 * another label. */
static LlavaovStatus switched(const SpellingMaker *m, const char *label, char **text)
{
    const unsigned char *rest = (const unsigned char *)label;
    uint32_t other;
    *text = NULL;
    if (!switch_case(lv_utf8_next(&rest), &other))
        return LLAVAOV_OK;
    char *made = lv_alloc(strlen(label) + 5, 1);
    if (!made)
        return no_memory(m->error);
    strcpy(made + lv_utf8_put(other, made), (const char *)rest);
    if (is_label(m->labels, made))
        lv_free(made);
    else
        *text = made;
    return LLAVAOV_OK;
}

static LlavaovStatus add(SpellingMaker *m, size_t label, bool written, const char *text)
{
    LvTokens ids = {0};
    LlavaovStatus status =
        lv_tokenizer_encode(m->tokenizer, text, strlen(text), LV_SPECIAL_AS_TEXT, &ids, m->error);
    LvLabelSpelling *s = &m->spellings->list[m->spellings->n];
    const uint32_t most = written ? LV_MAX_CHOICE_TOKENS : LV_MAX_SPELLING_TOKENS;
    if (status == LLAVAOV_OK && (ids.n == 0 || ids.n > most))
        status = lv_fail_about(m->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "choices",
            "choices: a label takes %zu tokens, where 1 to %u are possible: \"%s\"", ids.n, most,
            text);
    for (size_t i = 0; i < ids.n && status == LLAVAOV_OK; i++) {
        s->tokens[i] = ids.ids[i];
        if (ids.ids[i] < 0 || (uint32_t)ids.ids[i] >= m->n_vocab)
            status = lv_fail_about(m->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
                "choices",
                "choices: a label has the token %d, outside the model's vocabulary of %u: \"%s\"",
                ids.ids[i], m->n_vocab, text);
    }
    if (status == LLAVAOV_OK) {
        s->label = (uint32_t)label;
        s->written = written;
        s->n = (uint32_t)ids.n;
        m->spellings->n++;
    }
    lv_tokens_free(&ids);
    return status;
}

static LlavaovStatus add_spaced(SpellingMaker *m, size_t label, const char *text)
{
    const size_t bytes = strlen(text) + 2;
    char *spaced = lv_alloc(bytes, 1);
    if (!spaced)
        return no_memory(m->error);
    spaced[0] = ' ';
    memcpy(spaced + 1, text, bytes - 1);
    LlavaovStatus status = add(m, label, false, spaced);
    lv_free(spaced);
    return status;
}

/* A text, and the same behind a space where that counts. */
static LlavaovStatus add_both(
    SpellingMaker *m, size_t label, bool written, const char *text, unsigned variants)
{
    LlavaovStatus status = add(m, label, written, text);
    if (status == LLAVAOV_OK && variants & LLAVAOV_VARIANT_SPACE)
        status = add_spaced(m, label, text);
    return status;
}

static LlavaovStatus add_forms(SpellingMaker *m, size_t label, unsigned variants)
{
    const char *text = m->labels->labels[label];
    char *other = NULL;
    LlavaovStatus status = add_both(m, label, true, text, variants);
    if (status == LLAVAOV_OK && variants & LLAVAOV_VARIANT_CASE)
        status = switched(m, text, &other);
    if (status == LLAVAOV_OK && other)
        status = add_both(m, label, false, other, variants);
    lv_free(other);
    return status;
}

static int compare_tokens(const LvLabelSpelling *a, const LvLabelSpelling *b)
{
    for (uint32_t i = 0; i < a->n && i < b->n; i++)
        if (a->tokens[i] != b->tokens[i])
            return a->tokens[i] < b->tokens[i] ? -1 : 1;
    return (a->n > b->n) - (a->n < b->n);
}

/* By tokens; written ones before variants, then by label. */
static int compare(const void *one, const void *other)
{
    const LvLabelSpelling *a = one, *b = other;
    const int order = compare_tokens(a, b);
    if (order)
        return order;
    if (a->written != b->written)
        return a->written ? -1 : 1;
    return (a->label > b->label) - (a->label < b->label);
}

bool lv_spellings_sort(LvSpellings *s)
{
    qsort(s->list, s->n, sizeof *s->list, compare);
    for (size_t i = 1; i < s->n; i++)
        if (compare_tokens(&s->list[i - 1], &s->list[i]) == 0)
            return false;
    return true;
}

/* Leaves one of each sequence, or none where it is nobody's. */
static LlavaovStatus settle(SpellingMaker *m)
{
    LvSpellings *s = m->spellings;
    size_t kept = 0;
    qsort(s->list, s->n, sizeof *s->list, compare);
    for (size_t i = 0, end; i < s->n; i = end) {
        const LvLabelSpelling *first = &s->list[i];
        bool shared = false;
        for (end = i + 1; end < s->n && compare_tokens(first, &s->list[end]) == 0; end++) {
            shared |= s->list[end].label != first->label;
            if (first->written && s->list[end].written)
                return lv_fail_about(m->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
                    "choices", "choices: two labels are one to the tokenizer: \"%s\" and \"%s\"",
                    m->labels->labels[first->label], m->labels->labels[s->list[end].label]);
        }
        if (first->written || !shared)
            s->list[kept++] = *first;
    }
    s->n = kept;
    return LLAVAOV_OK;
}

LlavaovStatus lv_spellings_make(const LvLabels *labels, unsigned variants,
    const LvTokenizer *tokenizer, uint32_t n_vocab, LvSpellings *spellings, LlavaovError *error)
{
    SpellingMaker m = {labels, tokenizer, n_vocab, spellings, error};
    *spellings = (LvSpellings){lv_alloc(FORMS * labels->n, sizeof *spellings->list), 0};
    LlavaovStatus status = spellings->list ? LLAVAOV_OK : no_memory(error);
    for (size_t i = 0; i < labels->n && status == LLAVAOV_OK; i++)
        status = add_forms(&m, i, variants);
    if (status == LLAVAOV_OK)
        status = settle(&m);
    if (status != LLAVAOV_OK)
        lv_spellings_free(spellings);
    return status;
}

void lv_spellings_free(LvSpellings *spellings)
{
    lv_free(spellings->list);
    *spellings = (LvSpellings){0};
}
