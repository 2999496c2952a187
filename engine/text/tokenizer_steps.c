/* SPDX-License-Identifier: Apache-2.0
 * tokenizer.json's settings for the steps around the model. */
#include <string.h>

#include "text/pretokenize.h"
#include "text/tokenizer_reader.h"

static const char *type_of(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type ? type : "without a type";
}

static bool has_type(const json_t *object, const char *type)
{
    return strcmp(type_of(object), type) == 0;
}

static LlavaovStatus read_normalizer(LvTokenizerReader *r)
{
    const json_t *normalizer = json_object_get(r->root, "normalizer");
    r->tokenizer->nfc = !lv_reader_absent(normalizer);
    if (lv_reader_absent(normalizer) || has_type(normalizer, "NFC"))
        return LLAVAOV_OK;
    return UNSUPPORTED(r, "normalizer", "is %s; only NFC and null are known", type_of(normalizer));
}

static LlavaovStatus read_pre_tokenizer(LvTokenizerReader *r)
{
    const json_t *outer = json_object_get(r->root, "pre_tokenizer");
    const json_t *steps = json_object_get(outer, "pretokenizers");
    const json_t *split = json_array_get(steps, 0), *bytes = json_array_get(steps, 1);
    if (lv_reader_absent(outer) || !has_type(outer, "Sequence") || json_array_size(steps) != 2 ||
        !has_type(split, "Split") || !has_type(bytes, "ByteLevel"))
        return UNSUPPORTED(r, "pre_tokenizer", "is not a Sequence of Split and ByteLevel");
    const char *regex =
        json_string_value(json_object_get(json_object_get(split, "pattern"), "Regex"));
    if (!regex || strcmp(regex, lv_piece_pattern) != 0)
        return UNSUPPORTED(r, "pre_tokenizer", "splits by %.300s, not by Qwen2's pattern",
            regex ? regex : "no regular expression");
    const char *behavior = json_string_value(json_object_get(split, "behavior"));
    if (!behavior || strcmp(behavior, "Isolated") != 0 || lv_reader_true(split, "invert"))
        return UNSUPPORTED(
            r, "pre_tokenizer", "has a Split whose behavior is not Isolated or that inverts");
    if (lv_reader_true(bytes, "add_prefix_space"))
        return UNSUPPORTED(r, "pre_tokenizer", "asks for add_prefix_space");
    if (!json_is_false(json_object_get(bytes, "use_regex")))
        return UNSUPPORTED(r, "pre_tokenizer", "asks for use_regex");
    return LLAVAOV_OK;
}

static LlavaovStatus read_decoder(LvTokenizerReader *r)
{
    const json_t *decoder = json_object_get(r->root, "decoder");
    if (lv_reader_absent(decoder) || !has_type(decoder, "ByteLevel"))
        return UNSUPPORTED(r, "decoder", "is %s; only ByteLevel is known",
            lv_reader_absent(decoder) ? "null" : type_of(decoder));
    return LLAVAOV_OK;
}

static LlavaovStatus read_model_options(LvTokenizerReader *r)
{
    const json_t *model = r->model;
    if (!model)
        return BROKEN(r, "model", "is absent");
    const char *type = json_string_value(json_object_get(model, "type"));
    if (!type || strcmp(type, "BPE") != 0)
        return UNSUPPORTED(r, "model.type", "is %.64s; only BPE is known", type ? type : "absent");
    const json_t *dropout = json_object_get(model, "dropout");
    if (!lv_reader_absent(dropout) && json_number_value(dropout) != 0)
        return UNSUPPORTED(r, "model.dropout", "is not null");
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < sizeof affixes / sizeof *affixes; i++) {
        const json_t *affix = json_object_get(model, affixes[i]);
        if (!lv_reader_absent(affix) && json_string_length(affix) != 0)
            return UNSUPPORTED(r, affixes[i], "is not empty");
    }
    if (lv_reader_true(model, "ignore_merges"))
        return UNSUPPORTED(r, "model.ignore_merges", "is true");
    /* unk_token, fuse_unk and byte_fallback have no effect: every byte is required to have a token.
     */
    return LLAVAOV_OK;
}

LlavaovStatus lv_reader_take_steps(LvTokenizerReader *r)
{
    LlavaovStatus status = read_model_options(r);
    if (status == LLAVAOV_OK)
        status = read_normalizer(r);
    if (status == LLAVAOV_OK)
        status = read_pre_tokenizer(r);
    return status == LLAVAOV_OK ? read_decoder(r) : status;
}
