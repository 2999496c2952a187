/* SPDX-License-Identifier: Apache-2.0
 * For tests/parity/checkpoint_files.py and decoders.py: reads "c PATH" (a configuration), "d PATH"
 * (what its decoder does with positions) and "s PATH" (a safetensors file) from standard input, a
 * line each, and answers each with one line of JSON: what was read, or {"error": ...}. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "backend/rope.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "checkpoint/config.h"
#include "checkpoint/json.h"
#include "checkpoint/safetensors.h"

static json_t *failure(const LlavaovError *error)
{
    return json_pack("{s:s, s:s, s:s}", "error", error->message, "subject", error->subject,
        "status", llavaov_status_name(error->status));
}

static json_t *describe_config(const LvConfig *c)
{
    const LvVisionConfig *v = &c->vision;
    const LvTextConfig *t = &c->text;
    json_t *pinpoints = json_array(), *eos = json_array();
    for (uint32_t i = 0; i < c->n_pinpoints; i++)
        json_array_append_new(
            pinpoints, json_pack("[i, i]", (int)c->pinpoints[i][0], (int)c->pinpoints[i][1]));
    for (uint32_t i = 0; i < c->n_eos_tokens; i++)
        json_array_append_new(eos, json_integer(c->eos_tokens[i]));
    json_t *vision = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f}", "hidden_size",
        v->hidden_size, "intermediate_size", v->intermediate_size, "num_hidden_layers", v->n_layers,
        "layers_run", v->n_layers_run, "num_attention_heads", v->n_heads, "image_size",
        v->image_size, "patch_size", v->patch_size, "activation", v->activation, "layer_norm_eps",
        v->layer_norm_eps);
    json_t *text = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:b}",
        "hidden_size", t->hidden_size, "intermediate_size", t->intermediate_size,
        "num_hidden_layers", t->n_layers, "num_attention_heads", t->n_heads, "num_key_value_heads",
        t->n_kv_heads, "head_dim", t->head_dim, "vocab_size", t->vocab_size,
        "max_position_embeddings", t->context_length, "activation", t->activation, "rms_norm_eps",
        t->rms_norm_eps, "rope_theta", t->rope.theta, "tied", t->tied_head);
    return json_pack("{s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:b}", "vision", vision, "text",
        text, "pinpoints", pinpoints, "eos", eos, "image_token", c->image_token, "video_token",
        c->video_token, "anyres_max", c->anyres_max, "projector_activation",
        c->projector_activation, "projector_bias", c->projector_bias);
}

/* Windows by layer, and for passes of several lengths the cosines and sines of three positions. */
static json_t *describe_decoder(const LvConfig *c)
{
    const LvTextConfig *t = &c->text;
    const uint32_t ends[] = {1, 64, 65, 300, 5000};
    json_t *windows = json_array(), *passes = json_array();
    for (uint32_t i = 0; i < t->n_layers; i++)
        json_array_append_new(windows, json_integer(lv_text_window(t, i)));
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const uint32_t positions[] = {0, ends[i] / 2, ends[i] - 1};
        json_t *rows = json_array();
        for (size_t k = 0; k < 3; k++) {
            float row[LV_MAX_HEAD_DIM];
            json_t *values = json_array();
            lv_rope_rows(
                row, &t->rope, t->head_dim, lv_rope_variant(&t->rope, ends[i]), positions[k], 1);
            for (uint32_t d = 0; d < t->head_dim; d++)
                json_array_append_new(values, json_real(row[d]));
            json_array_append_new(rows, values);
        }
        json_array_append_new(passes, json_pack("{s:i, s:o}", "end", (int)ends[i], "rows", rows));
    }
    return json_pack(
        "{s:o, s:o, s:i}", "windows", windows, "passes", passes, "context", (int)t->context_length);
}

static json_t *probe_config(const char *path, json_t *(*describe)(const LvConfig *))
{
    char *text;
    size_t bytes;
    LvConfig config;
    LlavaovError error = {0};
    if (lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, &error))
        return failure(&error);
    LlavaovStatus status = lv_config_parse(text, bytes, "config.json", &config, &error);
    json_t *answer = status ? failure(&error) : describe(&config);
    if (!status)
        lv_config_free(&config);
    lv_free(text);
    return answer;
}

static uint32_t fingerprint(const unsigned char *data, uint64_t bytes)
{
    uint32_t sum = 0;
    for (uint64_t i = 0; i < bytes; i++)
        sum = sum * 31 + data[i];
    return sum;
}

static json_t *probe_safetensors(const char *path)
{
    LvSafetensors file;
    LlavaovError error = {0};
    if (lv_safetensors_open(path, "file", &file, &error))
        return failure(&error);
    json_t *answer = json_object();
    for (size_t i = 0; i < file.n_tensors; i++) {
        const LvSafetensor *tensor = &file.tensors[i];
        const unsigned char *data =
            (const unsigned char *)file.map + file.data_offset + tensor->begin;
        json_t *shape = json_array();
        for (uint32_t k = 0; k < tensor->n_dims; k++)
            json_array_append_new(shape, json_integer((json_int_t)tensor->shape[k]));
        json_object_set_new(answer, tensor->name,
            json_pack("[s, o, I]", tensor->dtype, shape,
                (json_int_t)fingerprint(data, tensor->end - tensor->begin)));
    }
    lv_safetensors_close(&file);
    return answer;
}

int main(void)
{
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        json_t *answer = line[0] == 'c'   ? probe_config(line + 2, describe_config)
                         : line[0] == 'd' ? probe_config(line + 2, describe_decoder)
                                          : probe_safetensors(line + 2);
        char *text = json_dumps(answer, JSON_COMPACT);
        puts(text);
        fflush(stdout);
        free(text);
        json_decref(answer);
    }
    return 0;
}
