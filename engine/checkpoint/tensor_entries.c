/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/tensor_entries.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(((const LvTableEntry *)a)->canonical, ((const LvTableEntry *)b)->canonical);
}

void lv_entries_sort(LvTensorTable *table)
{
    if (table->n)
        qsort(table->entries, table->n, sizeof *table->entries, by_name);
}

LvTableEntry *lv_entries_find(const LvTensorTable *table, const char *canonical)
{
    LvTableEntry key = {.canonical = (char *)canonical};
    return table->n ? bsearch(&key, table->entries, table->n, sizeof key, by_name) : NULL;
}
