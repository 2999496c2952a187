/* SPDX-License-Identifier: Apache-2.0
 * The precisions by name: the only place that spells them. */
#include <string.h>

#include "llavaov.h"

static const struct {
    const char *name;
    LlavaovPrecision precision;
} precisions[] = {
    {"auto", LLAVAOV_PRECISION_AUTO},
    {"f32", LLAVAOV_PRECISION_F32},
    {"bf16", LLAVAOV_PRECISION_BF16},
    {"f16", LLAVAOV_PRECISION_F16},
    {"fp8", LLAVAOV_PRECISION_FP8},
    {"nf4", LLAVAOV_PRECISION_NF4},
    {"fp4", LLAVAOV_PRECISION_FP4},
    {"nf4-dq", LLAVAOV_PRECISION_NF4_DQ},
    {"fp4-dq", LLAVAOV_PRECISION_FP4_DQ},
    {"int8", LLAVAOV_PRECISION_INT8},
    {"int4", LLAVAOV_PRECISION_INT4},
};

const char *llavaov_precision_name(LlavaovPrecision precision)
{
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
        if (precisions[i].precision == precision)
            return precisions[i].name;
    return NULL;
}

bool llavaov_precision_from_name(const char *name, LlavaovPrecision *precision)
{
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
        if (strcmp(precisions[i].name, name) == 0) {
            *precision = precisions[i].precision;
            return true;
        }
    return false;
}
