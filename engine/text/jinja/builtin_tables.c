/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/builtin_tables.h"

#include "text/jinja/filters.h"
#include "text/jinja/text.h"

static const LvJBuiltin *find(const LvJTable *const *tables, size_t n, const LvJString *name)
{
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < tables[t]->n; i++)
            if (lv_jinja_is(name, tables[t]->rows[i].name))
                return &tables[t]->rows[i];
    return NULL;
}

const LvJBuiltin *lv_jinja_find_filter(const LvJString *name)
{
    static const LvJTable *const tables[] = {&lv_jinja_text_filters, &lv_jinja_escape_filters,
        &lv_jinja_sequence_filters, &lv_jinja_lazy_filters, &lv_jinja_order_filters,
        &lv_jinja_value_filters};
    return find(tables, sizeof tables / sizeof *tables, name);
}

const LvJBuiltin *lv_jinja_find_test(const LvJString *name)
{
    static const LvJTable *const tables[] = {&lv_jinja_tests};
    return find(tables, 1, name);
}

const LvJBuiltin *lv_jinja_find_function(const LvJString *name)
{
    static const LvJTable *const tables[] = {&lv_jinja_functions};
    return find(tables, 1, name);
}
