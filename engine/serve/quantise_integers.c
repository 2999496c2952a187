/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/quantise_integers.h"

#include <string.h>

static LlavaovStatus watched_load(LvBackend *backend, const LvHostTensor *const *parts,
    size_t n_parts, unsigned use, LvWeight **weight, LlavaovError *error)
{
    LvMadeIntegers *integers = (LvMadeIntegers *)(void *)backend->ops;
    LlavaovStatus status = integers->own->weight_load(backend, parts, n_parts, use, weight, error);
    const bool layer = !(use & (LV_WEIGHT_TABLE | LV_WEIGHT_EXEMPT));
    for (size_t i = 0; status == LLAVAOV_OK && layer && i < n_parts; i++)
        if (((*weight)->int8 || (*weight)->int4) && integers->n < LV_MAX_TENSORS)
            integers->made[integers->n++] = (LvMadeWeight){parts[i]->name, *weight, i};
    return status;
}

LlavaovStatus lv_made_integers_watch(
    LvMadeIntegers *integers, LvBackend *backend, LlavaovError *error)
{
    integers->made = lv_calloc(LV_MAX_TENSORS, sizeof *integers->made);
    if (!integers->made)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "out of memory");
    integers->own = backend->ops;
    integers->ops = *backend->ops;
    integers->ops.weight_load = watched_load;
    backend->ops = &integers->ops;
    return LLAVAOV_OK;
}

void lv_made_integers_close(LvMadeIntegers *integers)
{
    lv_free(integers->made);
    integers->made = NULL;
}

const LvMadeWeight *lv_made_integers_find(const LvMadeIntegers *integers, const char *name)
{
    for (size_t i = 0; i < integers->n; i++)
        if (!strcmp(integers->made[i].name, name))
            return &integers->made[i];
    return NULL;
}
