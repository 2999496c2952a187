/* SPDX-License-Identifier: Apache-2.0
 * Presets of the checkpoint writer and its fields by name. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_writer.h"

static const LvWriterSpec released = {
    .vision = {1152, 4304, 26, 16, 384, 14},
    .text = {896, 4864, 24, 14, 2, 0, 152000, 32768, 1e-6, 1e6, 1, 1, 1},
    .feature_layer = -1,
    .pinpoint_grid = 6,
    .anyres_max = 9,
    .tied = true,
    .projector_bias = true,
    .vision_act = "gelu_pytorch_tanh",
    .text_act = "silu",
    .projector_act = "gelu",
    .endoftext = 151643,
    .im_start = 151644,
    .im_end = 151645,
    .image_token = 151646,
    .video_token = 151647,
    .dtype = LV_WRITE_F16,
    .names = LV_NAMES_A,
    .shards = 1,
    .seed = 1,
};

void lv_writer_generate_tokenizer(LvWriterSpec *spec)
{
    spec->tokenizer = "bytes";
    spec->endoftext = 256;
    spec->im_start = 257;
    spec->im_end = 258;
    spec->image_token = 259;
    spec->video_token = 260;
}

bool lv_writer_preset(const char *name, LvWriterSpec *spec)
{
    *spec = released;
    if (!strcmp(name, "0.5b"))
        return true;
    spec->tied = false;
    if (!strcmp(name, "7b")) {
        spec->text.hidden = 3584;
        spec->text.intermediate = 18944;
        spec->text.layers = 28;
        spec->text.heads = 28;
        spec->text.kv_heads = 4;
        spec->text.vocab = 152128;
        spec->shards = 4;
        return true;
    }
    spec->vision.hidden = 144;
    spec->vision.intermediate = 272;
    spec->vision.layers = 2;
    spec->vision.heads = 2;
    spec->text.hidden = 128;
    spec->text.intermediate = 352;
    spec->text.layers = 2;
    spec->text.heads = 4;
    spec->text.kv_heads = 2;
    spec->text.vocab = 320;
    lv_writer_generate_tokenizer(spec);
    if (!strcmp(name, "tiny"))
        return true;
    spec->vision.image_size = 56;
    spec->vision.hidden = 32;
    spec->vision.intermediate = 64;
    spec->text.hidden = 64;
    spec->text.intermediate = 96;
    spec->text.context = 4096;
    return !strcmp(name, "mini");
}

typedef enum FieldKind { UINT, INT, UINT64, DOUBLE, BOOL, TEXT } FieldKind;

static const struct {
    const char *name;
    FieldKind kind;
    size_t offset;
} fields[] = {
#define FIELD(name, kind)                                                                          \
    {                                                                                              \
#name, kind, offsetof(LvWriterSpec, name)                                                  \
    }
    FIELD(vision.hidden, UINT),
    FIELD(vision.intermediate, UINT),
    FIELD(vision.layers, UINT),
    FIELD(vision.heads, UINT),
    FIELD(vision.image_size, UINT),
    FIELD(vision.patch_size, UINT),
    FIELD(text.hidden, UINT),
    FIELD(text.intermediate, UINT),
    FIELD(text.layers, UINT),
    FIELD(text.heads, UINT),
    FIELD(text.kv_heads, UINT),
    FIELD(text.head_dim, UINT),
    FIELD(text.vocab, UINT),
    FIELD(text.context, UINT),
    FIELD(text.rms_norm_eps, DOUBLE),
    FIELD(text.rope_theta, DOUBLE),
    FIELD(text.embed_gain, DOUBLE),
    FIELD(text.attention_gain, DOUBLE),
    FIELD(text.mlp_gain, DOUBLE),
    FIELD(feature_layer, INT),
    FIELD(pinpoint_grid, UINT),
    FIELD(anyres_max, UINT),
    FIELD(tied, BOOL),
    FIELD(stored_head, BOOL),
    FIELD(projector_bias, BOOL),
    FIELD(vision_act, TEXT),
    FIELD(text_act, TEXT),
    FIELD(projector_act, TEXT),
    FIELD(endoftext, INT),
    FIELD(im_start, INT),
    FIELD(im_end, INT),
    FIELD(image_token, INT),
    FIELD(video_token, INT),
    FIELD(shards, UINT),
    FIELD(seed, UINT64),
    FIELD(hollow, BOOL),
    FIELD(tokenizer, TEXT),
};

static bool set_enum(LvWriterSpec *spec, const char *field, const char *value)
{
    static const char *const dtypes[] = {"f32", "f16", "bf16", "mixed"};
    static const char *const names[] = {"a", "bare", "b1", "b2", "c"};
    for (unsigned i = 0; !strcmp(field, "dtype") && i < 4; i++)
        if (!strcmp(value, dtypes[i])) {
            spec->dtype = (LvWriterDtype)i;
            return true;
        }
    for (unsigned i = 0; !strcmp(field, "layout") && i < 5; i++)
        if (!strcmp(value, names[i])) {
            spec->names = (LvWriterNames)i;
            return true;
        }
    return false;
}

bool lv_writer_set(LvWriterSpec *spec, const char *field, const char *value)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].name, field))
            continue;
        void *at = (char *)spec + fields[i].offset;
        char *end = NULL;
        errno = 0;
        switch (fields[i].kind) {
        case UINT:
            *(uint32_t *)at = (uint32_t)strtoul(value, &end, 10);
            break;
        case INT:
            *(int32_t *)at = (int32_t)strtol(value, &end, 10);
            break;
        case UINT64:
            *(uint64_t *)at = strtoull(value, &end, 10);
            break;
        case DOUBLE:
            *(double *)at = strtod(value, &end);
            break;
        case BOOL:
            *(bool *)at = !strcmp(value, "true");
            return *(bool *)at || !strcmp(value, "false");
        case TEXT:
            *(const char **)at = value;
            return true;
        }
        return end != value && !*end && !errno;
    }
    return set_enum(spec, field, value);
}
