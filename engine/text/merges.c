/* SPDX-License-Identifier: Apache-2.0 */
#include "text/merges.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "text/unicode.h"
#include "text/utf8.h"

#define MAX_MERGES (4 * LV_MAX_VOCAB)

static LlavaovStatus no_memory(const char *name, LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, name, "%s: out of memory for the merges", name);
}

/* ---- tokenizer.json ---- */

/* The two halves of a merge, as spelled in the file. */
static bool read_pair(LvScan *scan, LvSpelling pair[2])
{
    size_t bytes[2] = {0, 0};
    if (lv_scan_peek(scan) == '"') {
        if (!lv_scan_string(scan, &pair[0].text, &bytes[0]))
            return false;
        const char *space = memchr(pair[0].text, ' ', bytes[0]);
        if (!space)
            return lv_scan_fail(scan, "has a merge without a space");
        pair[1].text = space + 1;
        bytes[1] = bytes[0] - (size_t)(space + 1 - pair[0].text);
        bytes[0] = (size_t)(space - pair[0].text);
        if (memchr(pair[1].text, ' ', bytes[1]))
            return lv_scan_fail(scan, "has a merge with two spaces");
    } else if (!lv_scan_take(scan, '[') || !lv_scan_string(scan, &pair[0].text, &bytes[0]) ||
               !lv_scan_take(scan, ',') || !lv_scan_string(scan, &pair[1].text, &bytes[1]) ||
               !lv_scan_take(scan, ']')) {
        return false;
    }
    pair[0].bytes = (uint32_t)bytes[0];
    pair[1].bytes = (uint32_t)bytes[1];
    return true;
}

/* Finds the three tokens of a merge; room holds as many bytes as the longest token has. */
static bool resolve(
    const LvVocabulary *v, const LvSpelling pair[2], char *room, size_t longest, LvMerge *merge)
{
    size_t bytes = (size_t)pair[0].bytes + pair[1].bytes;
    if (!pair[0].bytes || !pair[1].bytes || bytes > longest ||
        !lv_vocabulary_find(v, pair[0].text, pair[0].bytes, &merge->left) ||
        !lv_vocabulary_find(v, pair[1].text, pair[1].bytes, &merge->right))
        return false;
    memcpy(room, pair[0].text, pair[0].bytes);
    memcpy(room + pair[0].bytes, pair[1].text, pair[1].bytes);
    return lv_vocabulary_find(v, room, bytes, &merge->id);
}

typedef struct MergeList {
    LvMerge *merges;
    size_t n, capacity;
} MergeList;

static LlavaovStatus push_merge(
    MergeList *list, LvMerge merge, const char *name, LlavaovError *error)
{
    if (list->n == MAX_MERGES)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: there are more than %u merges", name,
            MAX_MERGES);
    if (list->n == list->capacity) {
        size_t capacity = list->capacity * 2 + 1024;
        LvMerge *merges = lv_realloc(list->merges, capacity, sizeof *merges);
        if (!merges)
            return no_memory(name, error);
        list->merges = merges;
        list->capacity = capacity;
    }
    list->merges[list->n++] = merge;
    return LLAVAOV_OK;
}

static LlavaovStatus read_array(const LvVocabulary *v, LvScan *scan, const char *name,
    MergeList *list, char *room, size_t longest, LlavaovError *error)
{
    bool first = true;
    lv_scan_take(scan, '[');
    while (!scan->problem && lv_scan_more(scan, ']', &first)) {
        LvSpelling pair[2];
        LvMerge merge = {.rank = (uint32_t)list->n};
        if (!read_pair(scan, pair))
            break;
        if (!resolve(v, pair, room, longest, &merge))
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
                "%s: model.merges number %zu, \"%.*s\" and \"%.*s\": one of them or both together "
                "are not in model.vocab",
                name, list->n, lv_shown_bytes(pair[0].text, pair[0].bytes), pair[0].text,
                lv_shown_bytes(pair[1].text, pair[1].bytes), pair[1].text);
        LlavaovStatus status = push_merge(list, merge, name, error);
        if (status != LLAVAOV_OK)
            return status;
    }
    if (scan->problem)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: model.merges %s (number %zu)", name,
            scan->problem, list->n);
    return LLAVAOV_OK;
}

/* ---- merges.txt ---- */

/* The character at *p, white space or not; advances *p past it. */
static bool take_space(const char **p)
{
    const unsigned char *next = (const unsigned char *)*p;
    bool space = lv_python_space(lv_utf8_next(&next));
    *p = (const char *)next;
    return space;
}

/* Splits a line into words; how many there are, of which the first two are stored. */
static size_t split(const char *p, const char *end, LvSpelling words[2])
{
    size_t n = 0;
    while (p < end) {
        const char *first = p, *stop = p;
        if (take_space(&p))
            continue;
        do
            stop = p;
        while (p < end && !take_space(&p));
        if (n < 2)
            words[n] = (LvSpelling){first, (uint32_t)(stop - first), false};
        n++;
    }
    return n;
}

static LlavaovStatus read_lines(const LvVocabulary *v, const char *text, size_t bytes,
    const char *name, MergeList *list, char *room, size_t longest, LlavaovError *error)
{
    const char *end = text + bytes;
    for (size_t line = 1; text < end; line++) {
        const char *stop = text;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        LvSpelling words[2];
        size_t n = split(text, stop, words);
        bool version =
            line == 1 && n && words[0].bytes >= 9 && !memcmp(words[0].text, "#version:", 9);
        if (n && !version) {
            LvMerge merge = {.rank = (uint32_t)list->n};
            if (n != 2)
                return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
                    "%s: line %zu has %zu words; a merge is two", name, line, n);
            if (!resolve(v, words, room, longest, &merge))
                return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
                    "%s: line %zu, \"%.*s\" and \"%.*s\": one of them or both together are not in "
                    "the vocabulary",
                    name, line, lv_shown_bytes(words[0].text, words[0].bytes), words[0].text,
                    lv_shown_bytes(words[1].text, words[1].bytes), words[1].text);
            LlavaovStatus status = push_merge(list, merge, name, error);
            if (status != LLAVAOV_OK)
                return status;
        }
        text = stop + (stop < end) + (end - stop > 1 && stop[0] == '\r' && stop[1] == '\n');
    }
    return LLAVAOV_OK;
}

/* ---- both ---- */

/* The length of the longest token. */
static size_t longest_token(const LvVocabulary *vocabulary)
{
    size_t longest = 0;
    for (uint32_t id = 0; id < vocabulary->n; id++)
        longest = vocabulary->tokens[id].bytes > longest ? vocabulary->tokens[id].bytes : longest;
    return longest;
}

/* Of a JSON array at scan, or of the lines of a text. */
static LlavaovStatus read_merges(const LvVocabulary *vocabulary, LvScan *scan, const char *text,
    size_t bytes, const char *name, LvMerge **merges, size_t *n_merges, LlavaovError *error)
{
    const size_t longest = longest_token(vocabulary);
    MergeList list = {0};
    char *room = lv_alloc(longest + 1, 1);
    LlavaovStatus status;
    if (!room)
        status = no_memory(name, error);
    else if (scan)
        status = read_array(vocabulary, scan, name, &list, room, longest, error);
    else
        status = read_lines(vocabulary, text, bytes, name, &list, room, longest, error);
    lv_free(room);
    if (status != LLAVAOV_OK) {
        lv_free(list.merges);
        return status;
    }
    *merges = list.merges;
    *n_merges = list.n;
    return LLAVAOV_OK;
}

LlavaovStatus lv_merges_read(const LvVocabulary *vocabulary, LvScan *scan, const char *name,
    LvMerge **merges, size_t *n_merges, LlavaovError *error)
{
    return read_merges(vocabulary, scan, NULL, 0, name, merges, n_merges, error);
}

LlavaovStatus lv_merges_read_text(const LvVocabulary *vocabulary, const char *text, size_t bytes,
    const char *name, LvMerge **merges, size_t *n_merges, LlavaovError *error)
{
    return read_merges(vocabulary, NULL, text, bytes, name, merges, n_merges, error);
}
