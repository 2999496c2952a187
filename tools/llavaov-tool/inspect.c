/* SPDX-License-Identifier: Apache-2.0
 * inspect: what a folder is, what it would take to run it, and every reason why it would not. */
#include "inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "tool.h"

static const char *activation_name(LvActivation activation)
{
    static const char *const names[] = {
        "none", "gelu (tanh)", "gelu", "silu", "relu", "quick gelu"};
    return (size_t)activation < sizeof names / sizeof *names ? names[activation] : "other";
}

/* ---- as JSON ---- */

static json_t *vision_json(const LvVisionConfig *v)
{
    return json_pack("{si si si si si si si si}", "layers", (int)v->n_layers, "layers-run",
        (int)v->n_layers_run, "hidden-size", (int)v->hidden_size, "intermediate-size",
        (int)v->intermediate_size, "heads", (int)v->n_heads, "image-size", (int)v->image_size,
        "patch-size", (int)v->patch_size, "grid", (int)v->grid);
}

static json_t *text_json(const LvTextConfig *t)
{
    return json_pack("{si si si si si si si si sb}", "layers", (int)t->n_layers, "hidden-size",
        (int)t->hidden_size, "intermediate-size", (int)t->intermediate_size, "heads",
        (int)t->n_heads, "kv-heads", (int)t->n_kv_heads, "head-dim", (int)t->head_dim, "vocabulary",
        (int)t->vocab_size, "context-length", (int)t->context_length, "tied-head",
        (int)t->tied_head);
}

static const char *filter_name(LvFilter filter)
{
    static const char *const names[] = {
        "nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"};
    return (size_t)filter < sizeof names / sizeof *names ? names[filter] : "other";
}

static json_t *preprocess_json(const LvPreprocess *p)
{
    const LvPixelValues *v = &p->values;
    return json_pack("{sb ss si si si si si sf s[fff] s[fff] ss*}", "resize", (int)p->resize,
        "filter", filter_name(p->filter), "height", (int)p->height, "width", (int)p->width,
        "shortest-edge", (int)p->shortest_edge, "crop-height", (int)p->crop_height, "crop-width",
        (int)p->crop_width, "scale", v->scale, "mean", (double)v->mean[0], (double)v->mean[1],
        (double)v->mean[2], "std", (double)v->std[0], (double)v->std[1], (double)v->std[2],
        "refusal", *p->refusal.reason ? p->refusal.reason : NULL);
}

static json_t *generation_json(const Inspection *in)
{
    const LvGenerationConfig *g = &in->generation;
    json_t *stops = json_array();
    for (size_t i = 0; i < g->rules.stop_tokens.n; i++)
        json_array_append_new(stops, json_integer(g->rules.stop_tokens.ids[i]));
    return json_pack("{sb sf sf sI sf si so ss* ss*}", "do-sample", (int)g->do_sample,
        "temperature", g->temperature, "top-p", g->top_p, "top-k", (json_int_t)g->top_k,
        "repetition-penalty", g->repetition_penalty, "max-new-tokens", (int)g->max_new_tokens,
        "stop-tokens", stops, "notice", g->notice, "refusal",
        in->generation_refusal.status ? in->generation_refusal.message : NULL);
}

static json_t *reasons_json(const LvReasons *reasons)
{
    json_t *list = json_array();
    for (size_t i = 0; i < reasons->n; i++)
        json_array_append_new(list,
            json_pack("{ss ss ss}", "status", llavaov_status_name(reasons->reason[i].status),
                "subject", reasons->reason[i].subject, "message", reasons->reason[i].message));
    return list;
}

/* Sizes that a picture may be cut into tiles for. */
static uint32_t pinpoints(const LvConfig *c)
{
    return c->image.no_pinpoints ? 0 : c->image.pinpoints ? c->image.n_pinpoints : c->n_pinpoints;
}

static json_t *as_json(const Inspection *in)
{
    const InspectionMemory memory = inspection_memory(in);
    json_t *root = json_pack("{ss sb so}", "folder", in->folder, "runs", (int)!in->reasons.n,
        "reasons", reasons_json(&in->reasons));
    if (in->has_config) {
        json_object_set_new(root, "architecture",
            json_string(in->config.original_layout ? "llava_qwen" : "llava_onevision"));
        json_object_set_new(root, "vision", vision_json(&in->config.vision));
        json_object_set_new(root, "text", text_json(&in->config.text));
        json_object_set_new(root, "preprocessing",
            json_pack("{so so si si}", "image", preprocess_json(&in->config.image), "video",
                preprocess_json(&in->config.video), "pinpoints", (int)pinpoints(&in->config),
                "most-tiles", (int)in->config.anyres_max));
    }
    if (in->n_files)
        json_object_set_new(root, "weights",
            json_pack("{sI sI si sO}", "parameters", (json_int_t)in->n_parameters, "bytes",
                (json_int_t)in->weight_bytes, "files", (int)in->n_files, "dtypes", in->dtypes));
    if (in->tokenizer)
        json_object_set_new(root, "tokenizer",
            json_pack("{ss si}", "files", in->tokenizer, "tokens", (int)in->n_tokens));
    if (*in->chat_template)
        json_object_set_new(root, "template", json_string(in->chat_template));
    if (in->has_generation)
        json_object_set_new(root, "generation", generation_json(in));
    if (in->has_config)
        json_object_set_new(root, "memory",
            json_pack("{sI sI sI}", "weights", (json_int_t)memory.weights, "kv-cache",
                (json_int_t)memory.cache, "encoder", (json_int_t)memory.encoder));
    return root;
}

/* ---- for people ---- */

/* "1.7 GiB". */
static const char *size_text(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1024;
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

static void print_config(const LvConfig *c)
{
    const LvVisionConfig *v = &c->vision;
    const LvTextConfig *t = &c->text;
    printf("architecture   LLaVA-OneVision, %s layout\n",
        c->original_layout ? "lmms-lab's (llava_qwen)" : "transformers' (llava_onevision)");
    printf("vision         SigLIP: %u layers (%u run), width %u, MLP %u, %u heads, tiles of %u in "
           "patches of %u: %u x %u\n",
        v->n_layers, v->n_layers_run, v->hidden_size, v->intermediate_size, v->n_heads,
        v->image_size, v->patch_size, v->grid, v->grid);
    printf("projector      %s, %u to %u\n", activation_name(c->projector_activation),
        lv_feature_width(v), t->hidden_size);
    printf("language       Qwen2: %u layers, width %u, MLP %u, %u heads of %u, %u of keys and "
           "values, vocabulary %u%s\n",
        t->n_layers, t->hidden_size, t->intermediate_size, t->n_heads, t->head_dim, t->n_kv_heads,
        t->vocab_size, t->tied_head ? ", tied head" : "");
    printf("context        %u tokens\n", t->context_length);
    if (t->sliding_window)
        printf("               some layers see %u tokens\n", t->sliding_window);
}

/* One number where all three are equal. */
static void print_channels(const float value[3])
{
    if (value[0] == value[1] && value[1] == value[2])
        printf("%g", value[0]);
    else
        printf("[%g %g %g]", value[0], value[1], value[2]);
}

static void print_preprocess(const char *kind, const LvPreprocess *p)
{
    const LvPixelValues *v = &p->values;
    printf("%-15s", kind);
    if (*p->refusal.reason) {
        printf("refused: %s\n", p->refusal.reason);
        return;
    }
    if (!p->resize)
        printf("not resized");
    else if (p->shortest_edge)
        printf("shortest edge %u, %s", p->shortest_edge, filter_name(p->filter));
    else
        printf("%u x %u, %s", p->width, p->height, filter_name(p->filter));
    if (p->crop_height)
        printf(", crop of %u x %u", p->crop_width, p->crop_height);
    if (v->scale == 1)
        printf("; (byte - ");
    else
        printf("; (byte x %g - ", v->scale);
    print_channels(v->mean);
    printf(") / ");
    print_channels(v->std);
}

static void print_preprocessing(const Inspection *in)
{
    const LvConfig *c = &in->config;
    print_preprocess("images", &c->image);
    if (!*c->image.refusal.reason && (*c->single_refusal.reason || c->aspect != LV_ASPECT_ANYRES))
        printf("; single ones %s\n", *c->single_refusal.reason ? "refused" : "in one tile");
    else if (!*c->image.refusal.reason && c->anyres_max == UINT32_MAX)
        printf("; tiles for one of %u sizes\n", pinpoints(c));
    else if (!*c->image.refusal.reason)
        printf("; tiles for one of %u sizes, %u tiles' worth of tokens\n", pinpoints(c),
            c->anyres_max);
    print_preprocess("videos", &c->video);
    if (!*c->video.refusal.reason)
        printf("\n");
    if (!in->n_preprocessors)
        printf("               (no file says so; as the released checkpoints)\n");
}

static void print_weights(const Inspection *in)
{
    char text[32];
    const char *dtype;
    json_t *n;
    printf("weights        %" PRIu64 " parameters, %s in %zu %s:", in->n_parameters,
        size_text(in->weight_bytes, text), in->n_files, in->n_files == 1 ? "file" : "files");
    json_object_foreach(in->dtypes, dtype, n)
    {
        if (json_object_size(in->dtypes) == 1)
            printf(" %s", dtype);
        else
            printf(" %s %" JSON_INTEGER_FORMAT, dtype, json_integer_value(n));
    }
    printf("\n");
}

static void print_generation(const Inspection *in)
{
    const LvGenerationConfig *g = &in->generation;
    if (g->do_sample)
        printf("generation     sampling: temperature %g, top-k %lld, top-p %g", g->temperature,
            (long long)g->top_k, g->top_p);
    else
        printf("generation     greedy");
    printf(", repetition penalty %g, ", g->repetition_penalty);
    if (g->max_new_tokens)
        printf("at most %u new tokens, ", g->max_new_tokens);
    printf("ends at");
    for (size_t i = 0; i < g->rules.stop_tokens.n; i++)
        printf(" %d", g->rules.stop_tokens.ids[i]);
    printf("%s\n", g->rules.stop_tokens.n ? "" : " the end of the turn");
    if (g->notice)
        printf("               %s\n", g->notice);
    if (in->generation_refusal.status)
        printf("               refused: %s\n", in->generation_refusal.message);
}

static void print_memory(const Inspection *in)
{
    const InspectionMemory m = inspection_memory(in);
    char weights[32], cache[32], encoder[32], sum[32], has[32];
    printf(
        "memory         weights %s, keys and values of one request at %u tokens %s, encoder %s a "
        "tile: %s (float32, on the CPU)\n",
        size_text(m.weights, weights), in->config.text.context_length, size_text(m.cache, cache),
        size_text(m.encoder, encoder), size_text(m.weights + m.cache + m.encoder, sum));
    if (m.available && m.weights + m.encoder > m.available)
        printf("               more than this machine's %s\n", size_text(m.available, has));
}

static void print(const Inspection *in)
{
    printf("folder         %s\n", in->folder);
    if (in->has_config)
        print_config(&in->config);
    if (in->has_config)
        print_preprocessing(in);
    if (in->n_files)
        print_weights(in);
    if (in->tokenizer)
        printf("tokenizer      %s: %u tokens\n", in->tokenizer, in->n_tokens);
    if (*in->chat_template)
        printf("template       %s\n", in->chat_template);
    if (in->has_generation)
        print_generation(in);
    if (in->has_config && in->n_files)
        print_memory(in);
    if (!in->reasons.n)
        printf("runs           yes\n");
    for (size_t i = 0; i < in->reasons.n; i++)
        printf(
            "%s%s\n", i ? "               " : "runs           no: ", in->reasons.reason[i].message);
}

LlavaovStatus tool_inspect(const ToolOptions *o, LlavaovError *error)
{
    const char *folder = o->n_arguments ? o->arguments[0] : o->model;
    if (!folder)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "model",
            "a checkpoint folder is wanted: inspect DIR");
    if (o->n_arguments > 1)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "model",
            "inspect looks at one folder at a time");
    Inspection inspection;
    inspection_make(&inspection, folder, o->chat_template);
    LlavaovStatus status = LLAVAOV_OK;
    if (o->json)
        status = tool_print_json(o, as_json(&inspection), error);
    else
        print(&inspection);
    const size_t n = inspection.reasons.n;
    if (status == LLAVAOV_OK && n)
        status = lv_fail(error, inspection.reasons.reason[0].status, folder,
            "%.400s would not run, for %s", folder,
            n == 1 ? "the reason above" : "the reasons above");
    inspection_free(&inspection);
    return status;
}
