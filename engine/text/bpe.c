/* SPDX-License-Identifier: Apache-2.0 */
#include "text/bpe.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

#define NONE UINT32_MAX

/* One symbol of the piece, at the place of its first byte. A symbol that was merged into its left
 * neighbour keeps its place, with pair_rank NONE. */
struct LvBpeSymbol {
    uint32_t id;
    uint32_t next, previous;     /* NONE at the ends */
    uint32_t pair_rank, pair_id; /* of the merge with next; NONE when there is none */
};

/* Sorts merges by left or right, stably: a counting sort, so that a hostile file cannot make it
 * slow. first[id] becomes the number of merges whose key is below id. */
static void sort_by(
    const LvMerge *from, LvMerge *to, size_t n, bool by_left, uint32_t *first, uint32_t n_tokens)
{
    memset(first, 0, ((size_t)n_tokens + 1) * sizeof *first);
    for (size_t i = 0; i < n; i++)
        first[(by_left ? from[i].left : from[i].right) + 1]++;
    for (uint32_t id = 0; id < n_tokens; id++)
        first[id + 1] += first[id];
    for (size_t i = 0; i < n; i++)
        to[first[by_left ? from[i].left : from[i].right]++] = from[i];
    for (uint32_t id = n_tokens; id > 0; id--)
        first[id] = first[id - 1];
    first[0] = 0;
}

LlavaovStatus lv_merge_table_build(
    LvMergeTable *table, LvMerge *merges, size_t n_merges, uint32_t n_tokens, LlavaovError *error)
{
    table->merges = merges;
    table->n_tokens = n_tokens;
    table->first = lv_alloc((size_t)n_tokens + 1, sizeof *table->first);
    LvMerge *other = lv_alloc(n_merges, sizeof *other);
    if (!table->first || !other) {
        lv_free(other);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "out of memory for %zu merges", n_merges);
    }
    sort_by(merges, other, n_merges, false, table->first, n_tokens);
    sort_by(other, merges, n_merges, true, table->first, n_tokens);
    lv_free(other);

    /* Keeps the last of equal pairs and recomputes `first`. */
    size_t n = 0;
    memset(table->first, 0, ((size_t)n_tokens + 1) * sizeof *table->first);
    for (size_t i = 0; i < n_merges; i++) {
        if (i + 1 < n_merges && merges[i].left == merges[i + 1].left &&
            merges[i].right == merges[i + 1].right)
            continue;
        table->first[merges[i].left + 1]++;
        merges[n++] = merges[i];
    }
    for (uint32_t id = 0; id < n_tokens; id++)
        table->first[id + 1] += table->first[id];
    table->n_merges = n;
    merges = lv_realloc(table->merges, n, sizeof *merges);
    if (merges)
        table->merges = merges;
    return LLAVAOV_OK;
}

void lv_merge_table_free(LvMergeTable *table)
{
    lv_free(table->first);
    lv_free(table->merges);
    memset(table, 0, sizeof *table);
}

void lv_bpe_scratch_free(LvBpeScratch *scratch)
{
    lv_free(scratch->symbols);
    lv_free(scratch->heap);
    lv_free(scratch->later);
    memset(scratch, 0, sizeof *scratch);
}

static const LvMerge *find_merge(const LvMergeTable *table, uint32_t left, uint32_t right)
{
    uint32_t low = table->first[left], high = table->first[left + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->merges[middle].right < right)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == table->first[left + 1] || table->merges[low].right != right)
        return NULL;
    return &table->merges[low];
}

/* A heap of candidates, rank above place: the smallest is the lowest rank, the leftmost of equals.
 */
static uint64_t candidate(uint32_t rank, uint32_t place)
{
    return (uint64_t)rank << 32 | place;
}

static void sift_down(uint64_t *heap, size_t n, size_t i)
{
    uint64_t moving = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= moving)
            break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

static uint64_t heap_pop(uint64_t *heap, size_t *n)
{
    uint64_t top = heap[0];
    heap[0] = heap[--*n];
    if (*n)
        sift_down(heap, *n, 0);
    return top;
}

static bool heap_push(LvBpeScratch *scratch, size_t *n, uint64_t value)
{
    if (*n == scratch->heap_capacity) {
        size_t capacity = scratch->heap_capacity * 2;
        uint64_t *heap = lv_realloc(scratch->heap, capacity, sizeof *heap);
        if (!heap)
            return false;
        scratch->heap = heap;
        scratch->heap_capacity = capacity;
    }
    uint64_t *heap = scratch->heap;
    size_t i = (*n)++;
    for (size_t parent; i && heap[parent = (i - 1) / 2] > value; i = parent)
        heap[i] = heap[parent];
    heap[i] = value;
    return true;
}

/* Keeps a candidate until the round ends. */
static bool put_off(LvBpeScratch *scratch, size_t *n, uint64_t value)
{
    if (*n == scratch->later_capacity) {
        size_t capacity = scratch->later_capacity * 2 + 64;
        uint64_t *later = lv_realloc(scratch->later, capacity, sizeof *later);
        if (!later)
            return false;
        scratch->later = later;
        scratch->later_capacity = capacity;
    }
    scratch->later[(*n)++] = value;
    return true;
}

static bool reserve(LvBpeScratch *scratch, size_t n)
{
    if (n > scratch->symbol_capacity) {
        size_t capacity = n + 64;
        lv_free(scratch->symbols);
        scratch->symbol_capacity = 0;
        scratch->symbols = lv_alloc(capacity, sizeof *scratch->symbols);
        if (!scratch->symbols)
            return false;
        scratch->symbol_capacity = capacity;
    }
    if (n > scratch->heap_capacity) {
        size_t capacity = n + 64;
        lv_free(scratch->heap);
        scratch->heap_capacity = 0;
        scratch->heap = lv_alloc(capacity, sizeof *scratch->heap);
        if (!scratch->heap)
            return false;
        scratch->heap_capacity = capacity;
    }
    return true;
}

/* Looks up the merge of the symbol at place with its right neighbour; true when there is one. */
static bool update_pair(const LvMergeTable *table, LvBpeSymbol *symbols, uint32_t place)
{
    LvBpeSymbol *symbol = &symbols[place];
    const LvMerge *merge =
        symbol->next == NONE ? NULL : find_merge(table, symbol->id, symbols[symbol->next].id);
    symbol->pair_rank = merge ? merge->rank : NONE;
    symbol->pair_id = merge ? merge->id : NONE;
    return merge != NULL;
}

LlavaovStatus lv_bpe_encode(const LvMergeTable *table, const unsigned char *bytes, size_t n,
    LvBpeScratch *scratch, int32_t *ids, size_t *n_ids, LlavaovError *error)
{
    *n_ids = 0;
    if (n == 1) {
        ids[(*n_ids)++] = (int32_t)table->byte_ids[bytes[0]];
        return LLAVAOV_OK;
    }
    if (!reserve(scratch, n))
        goto no_memory;
    LvBpeSymbol *symbols = scratch->symbols;
    for (uint32_t i = 0; i < n; i++)
        symbols[i] = (LvBpeSymbol){
            table->byte_ids[bytes[i]], i + 1 < n ? i + 1 : NONE, i ? i - 1 : NONE, NONE, NONE};
    size_t n_heap = 0;
    for (uint32_t i = 0; i + 1 < n; i++)
        if (update_pair(table, symbols, i))
            scratch->heap[n_heap++] = candidate(symbols[i].pair_rank, i);
    for (size_t i = n_heap / 2; i-- > 0;)
        sift_down(scratch->heap, n_heap, i);

    /* New candidates are pushed at once, or in rounds only when no other of the same rank is
     * left. */
    bool (*keep)(LvBpeScratch *, size_t *, uint64_t) = table->in_rounds ? put_off : heap_push;
    size_t n_later = 0, *n_kept = table->in_rounds ? &n_later : &n_heap;
    uint64_t round = NONE;
    while (n_heap || n_later) {
        if (n_later && (!n_heap || scratch->heap[0] >> 32 != round)) {
            while (n_later)
                if (!heap_push(scratch, &n_heap, scratch->later[--n_later]))
                    goto no_memory;
        }
        uint64_t top = heap_pop(scratch->heap, &n_heap);
        uint32_t place = (uint32_t)top;
        LvBpeSymbol *symbol = &symbols[place];
        round = top >> 32;
        if (symbol->pair_rank != round)
            continue; /* one of the two has been merged meanwhile */
        LvBpeSymbol *gone = &symbols[symbol->next];
        gone->pair_rank = NONE;
        symbol->id = symbol->pair_id;
        symbol->next = gone->next;
        if (symbol->next != NONE)
            symbols[symbol->next].previous = place;
        if (update_pair(table, symbols, place) &&
            !keep(scratch, n_kept, candidate(symbol->pair_rank, place)))
            goto no_memory;
        uint32_t left = symbol->previous;
        if (left != NONE && update_pair(table, symbols, left) &&
            !keep(scratch, n_kept, candidate(symbols[left].pair_rank, left)))
            goto no_memory;
    }
    for (uint32_t i = 0; i != NONE; i = symbols[i].next)
        ids[(*n_ids)++] = (int32_t)symbols[i].id;
    return LLAVAOV_OK;
no_memory:
    return lv_fail(
        error, LLAVAOV_ERROR_MEMORY, NULL, "out of memory while tokenizing a word of %zu bytes", n);
}
