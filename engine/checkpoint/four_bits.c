/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/four_bits.h"

#include <float.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/integers.h"

#define CONFIG "quantization_config."
#define MOST_BLOCK 4096u
#define MOST_STEPS 65536u /* of fitting one pattern to one name */

static const char *const suffixes[LV_BNB_N_PARTS] = {".absmax", ".quant_map", ".nested_absmax",
    ".nested_quant_map", ".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4"};

const char *lv_bnb_suffix(LvBnbPart part)
{
    return suffixes[part];
}

const char *lv_bnb_ending(const char *name)
{
    const size_t n = strlen(name);
    for (int i = 0; i < LV_BNB_N_PARTS; i++) {
        const size_t m = strlen(suffixes[i]);
        if (n > m && !strcmp(name + n - m, suffixes[i]))
            return name + n - m;
    }
    return NULL;
}

/* ---- config.json ---- */

static void read_type(LvFields *fields, LvQuantisation *quantisation)
{
    const char *type = "fp4";
    lv_field_text(fields, "bnb_4bit_quant_type", &type);
    quantisation->type = strcmp(type, "nf4") ? LV_FP4 : LV_NF4;
    if (!fields->status && strcmp(type, lv_dtype_name(quantisation->type)))
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, "bnb_4bit_quant_type",
            "is \"%.64s\"; it must be \"nf4\" or \"fp4\"", type);
}

static void read_skipped(LvFields *fields, LvQuantisation *quantisation)
{
    const char *name = "llm_int8_skip_modules";
    const json_t *list = lv_field(fields, name);
    if (fields->status || !list)
        return;
    const size_t n = json_array_size(list);
    if (!json_is_array(list) || n > LV_MAX_TENSORS) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name, "must be a list of at most %u names",
            LV_MAX_TENSORS);
        return;
    }
    quantisation->listed = true;
    quantisation->skip = lv_calloc(n, sizeof *quantisation->skip);
    for (size_t i = 0; i < n && quantisation->skip; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !*text || strlen(text) > 256 || strpbrk(text, "()[]{}|^$+?")) {
            lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
                "has an entry that is no plain name of a module: of patterns, only . and .* are "
                "understood");
            return;
        }
        quantisation->skip[i] = lv_strdup(text);
        if (!quantisation->skip[i])
            break;
        quantisation->n_skip++;
    }
    if (quantisation->n_skip < n)
        lv_field_fail(fields, LLAVAOV_ERROR_MEMORY, name, "cannot be read: out of memory");
}

void lv_bnb_config(LvFields *top, LvQuantisation *quantisation)
{
    const json_t *object = NULL;
    lv_field_object(top, "quantization_config", &object);
    if (top->status || !object)
        return;
    LvFields fields = {object, top->file, CONFIG, top->error, LLAVAOV_OK};
    const char *method = "bitsandbytes";
    bool four = false, eight = false;
    lv_field_text(&fields, "quant_method", &method);
    lv_field_bool(&fields, "load_in_4bit", &four);
    lv_field_bool(&fields, "load_in_8bit", &eight);
    if (!fields.status && !strcmp(method, LV_INTEGERS_METHOD)) {
        lv_integers_config(&fields, quantisation);
        top->status = fields.status;
        return;
    }
    if (!fields.status && strcmp(method, "bitsandbytes"))
        lv_field_fail(&fields, LLAVAOV_ERROR_UNSUPPORTED, "quant_method",
            "is \"%.64s\"; of quantised weights bitsandbytes' four bits are read, and what "
            "llavaov-tool quantize writes",
            method);
    else if (!fields.status && (!four || eight))
        lv_field_fail(&fields, LLAVAOV_ERROR_UNSUPPORTED, eight ? "load_in_8bit" : "load_in_4bit",
            "is %s; of bitsandbytes' weights only those of four bits are read",
            eight ? "true" : "not true");
    read_type(&fields, quantisation);
    read_skipped(&fields, quantisation);
    quantisation->present = !fields.status;
    top->status = fields.status;
}

void lv_bnb_config_free(LvQuantisation *quantisation)
{
    for (uint32_t i = 0; i < quantisation->n_skip; i++)
        lv_free(quantisation->skip[i]);
    lv_free(quantisation->skip);
    memset(quantisation, 0, sizeof *quantisation);
}

/* Whether the pattern fits the name from its beginning to a dot or the end. */
static bool fits(const char *pattern, const char *name, const char *begin, uint32_t *steps)
{
    for (;; pattern++, name++) {
        if (++*steps > MOST_STEPS)
            return false;
        if (!*pattern)
            return !*name || *name == '.' || (name > begin && name[-1] == '.');
        const char *next = pattern + 1;
        const bool any = *pattern == '.', escaped = *pattern == '\\' && *next;
        if (escaped)
            next++;
        if (*next == '*') {
            for (const char *at = name;; at++) {
                if (fits(next + 1, at, begin, steps))
                    return true;
                if (!*at || (!any && *at != next[-1]))
                    return false;
            }
        }
        if (!*name || (!any && *name != next[-1]))
            return false;
        pattern = next - 1;
    }
}

bool lv_bnb_skipped(const LvQuantisation *quantisation, const char *module)
{
    const size_t length = strlen(module);
    for (uint32_t i = 0; i < quantisation->n_skip; i++) {
        const char *pattern = quantisation->skip[i];
        const size_t n = strlen(pattern);
        uint32_t steps = 0;
        if (fits(pattern, module, module, &steps) ||
            (n <= length && !strcmp(module + length - n, pattern)))
            return true;
    }
    return false;
}

/* ---- quant_state ---- */

static void read_floats(LvFields *fields, LvQuantState *state)
{
    static const struct {
        const char *name;
        LvDtype dtype;
    } types[] = {{"float32", LV_F32}, {"float16", LV_F16}, {"bfloat16", LV_BF16}};
    const char *name = "";
    bool known = false;
    lv_field_text(fields, "dtype", &name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, name)) {
            state->rounded_to = types[i].dtype;
            known = true;
        }
    if (!fields->status && !known)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "dtype",
            "is \"%.64s\"; it must be \"float32\", \"float16\" or \"bfloat16\"", name);
}

static void read_shape(LvFields *fields, LvQuantState *state)
{
    const json_t *shape = lv_field(fields, "shape");
    for (size_t i = 0; i < 2 && !fields->status; i++) {
        const json_t *size = json_array_get(shape, i);
        if (json_array_size(shape) != 2 || !json_is_integer(size) || json_integer_value(size) < 1 ||
            json_integer_value(size) > LV_MAX_VOCAB)
            lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "shape", "must be two sizes");
        else
            state->shape[i] = (uint64_t)json_integer_value(size);
    }
}

static void read_block(LvFields *fields, const char *name, uint32_t least, uint32_t *block)
{
    lv_field_uint(fields, name, 1, MOST_BLOCK, block);
    if (!fields->status && (*block < least || *block & (*block - 1)))
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
            "is %u; it must be a power of two from %u to %u", *block, least, MOST_BLOCK);
}

LlavaovStatus lv_quant_state_parse(
    const char *json, size_t bytes, const char *name, LvQuantState *state, LlavaovError *error)
{
    memset(state, 0, sizeof *state);
    json_t *root;
    LlavaovStatus status = lv_json_parse(json, bytes, name, false, &root, error);
    if (status)
        return status;
    LvFields fields = {root, name, "", error, LLAVAOV_OK};
    const char *type = "", *nested_dtype = "float32";
    double offset = 0;
    lv_field_text(&fields, "quant_type", &type);
    state->type = strcmp(type, "nf4") ? LV_FP4 : LV_NF4;
    if (!fields.status && strcmp(type, lv_dtype_name(state->type)))
        lv_field_fail(&fields, LLAVAOV_ERROR_FORMAT, "quant_type",
            "is \"%.64s\"; it must be \"nf4\" or \"fp4\"", type);
    read_block(&fields, "blocksize", 64, &state->block);
    read_floats(&fields, state);
    read_shape(&fields, state);
    state->nested =
        lv_field_present(&fields, "nested_blocksize") || lv_field_present(&fields, "nested_offset");
    if (state->nested) {
        read_block(&fields, "nested_blocksize", 1, &state->nested_block);
        lv_field_double(&fields, "nested_offset", -FLT_MAX, FLT_MAX, &offset);
        lv_field_text(&fields, "nested_dtype", &nested_dtype);
        if (!fields.status && strcmp(nested_dtype, "float32"))
            lv_field_fail(&fields, LLAVAOV_ERROR_UNSUPPORTED, "nested_dtype",
                "is \"%.64s\"; it must be \"float32\"", nested_dtype);
        state->offset = (float)offset;
    }
    json_decref(root);
    return fields.status;
}
