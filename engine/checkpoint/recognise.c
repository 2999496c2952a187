/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/recognise.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "checkpoint/foreign.h"
#include "checkpoint/json.h"
#include "checkpoint/listing.h"
#include "checkpoint/recognise_path.h"
#include "checkpoint/shards.h"

#define AGAIN "fetch it again (hf download REPOSITORY --local-dir FOLDER goes on where it stopped)"

/* ---- what is there instead of what is needed ---- */

/* Names the first of several files and how many more there are. */
static const char *others(const LvNamed *named, char text[40])
{
    *text = '\0';
    if (named->n > 1)
        snprintf(text, 40, " (and %zu more)", named->n - 1);
    return text;
}

static void check_adapter(const char *folder, const LvListing *l, LvReasons *reasons)
{
    if (!l->adapter_config)
        return;
    char path[PATH_MAX], *text = NULL;
    size_t bytes;
    LlavaovError error;
    json_t *root = NULL;
    if (snprintf(path, PATH_MAX, "%s/adapter_config.json", folder) < PATH_MAX &&
        !lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, &error))
        lv_json_parse(text, bytes, path, false, &root, &error);
    const char *base = json_string_value(json_object_get(root, "base_model_name_or_path"));
    lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, "adapter_config.json",
        l->weights.n
            ? "%.300s: a LoRA adapter (adapter_config.json) lies beside the weights; merge it into "
              "them with PEFT's merge_and_unload(), or remove it if that has been done%s%.128s%s"
            : "%.300s: this is a LoRA adapter alone (adapter_config.json); merge it into its base "
              "model%s%.128s%s with PEFT's merge_and_unload(), save that and give its folder",
        folder, base ? " (" : "", base ? base : "", base ? ")" : "");
    json_decref(root);
    lv_free(text);
}

static void check_files(const char *folder, const LvListing *l, LvReasons *reasons)
{
    char more[40];
    if (l->pointers.n)
        lv_reason(reasons, LLAVAOV_ERROR_FORMAT, l->pointers.first,
            "%.300s/%s%s: this is a Git LFS pointer, not the file itself; fetch it with: git lfs "
            "pull (in that folder), or hf download REPOSITORY --local-dir FOLDER",
            folder, l->pointers.first, others(&l->pointers, more));
    if (l->dangling.n)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, l->dangling.first,
            "%.300s/%s%s: no such file behind this link: the download is unfinished or its cache "
            "was moved; " AGAIN,
            folder, l->dangling.first, others(&l->dangling, more));
    if (l->unreadable.n)
        lv_reason(reasons, LLAVAOV_ERROR_IO, l->unreadable.first,
            "%.300s/%s%s: cannot be opened: permission denied; let this user read it (chmod u+r), "
            "or run as its owner",
            folder, l->unreadable.first, others(&l->unreadable, more));
}

/* Without config.json. */
static void what_else(const char *folder, const LvListing *l, LvReasons *reasons)
{
    if (l->adapter_config || reasons->n)
        return;
    if (l->gguf.n)
        lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, l->gguf.first,
            "%.300s: no config.json but a GGUF file, %s: llama.cpp's format, which is not "
            "supported; take a checkpoint of *.safetensors",
            folder, l->gguf.first);
    else if (l->onnx_files.n || (l->onnx && !l->weights.n))
        lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, folder,
            "%.300s: no config.json but an ONNX export, which is not supported; take a checkpoint "
            "of "
            "*.safetensors",
            folder);
    else if (l->formats.n)
        lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, l->formats.first,
            "%.300s: no config.json but %s: another program's format, which is not supported; take "
            "a checkpoint of *.safetensors",
            folder, l->formats.first);
    else if (l->inner.n)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, folder,
            "%.200s: no config.json in this folder, but in one inside it; give %.200s/%s", folder,
            folder, l->inner.first);
    else if (l->weights.n)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, "config.json",
            "%.300s/config.json: no such file beside %s; fetch it from where the weights are from",
            folder, l->weights.first);
    else if (l->partial.n)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, "config.json",
            "%.300s/config.json: no such file: the download is unfinished (%s); " AGAIN, folder,
            l->partial.first);
    else
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, "config.json",
            "%.300s/config.json: no such file, so this is no checkpoint folder; give the one that "
            "holds config.json and *.safetensors",
            folder);
}

/* With config.json, no *.safetensors. */
static void no_weights(const char *folder, const LvListing *l, LvReasons *reasons)
{
    static const char none[] = "no *.safetensors file in this folder";
    char more[40];
    if (l->partial.n)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, "model.safetensors",
            "%.300s: %s: the download is unfinished (%s); " AGAIN, folder, none, l->partial.first);
    else if (l->pickles.n)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, l->pickles.first,
            "%.300s: %s but %s%s: pickled weights are not supported (they can run code); convert "
            "them: load them in transformers and save_pretrained(FOLDER, safe_serialization=True)",
            folder, none, l->pickles.first, others(&l->pickles, more));
    else if (l->gguf.n)
        lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, l->gguf.first,
            "%.300s: %s but a GGUF file, %s: llama.cpp's format, which is not supported; take a "
            "checkpoint of *.safetensors",
            folder, none, l->gguf.first);
    else if (l->onnx || l->onnx_files.n)
        lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, "onnx",
            "%.300s: %s but an ONNX export, which is not supported; fetch model.safetensors from "
            "the same repository",
            folder, none);
    else if (l->formats.n)
        lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, l->formats.first,
            "%.300s: %s but %s: another program's format, which is not supported; take a "
            "checkpoint "
            "of *.safetensors",
            folder, none, l->formats.first);
    else
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, "model.safetensors",
            "%.300s: %s, only small files; fetch the weights from where they are from (hf download "
            "REPOSITORY --local-dir FOLDER)",
            folder, none);
}

/* ---- the index ---- */

static void check_index(const char *folder, const LvListing *l, LvReasons *reasons)
{
    LvShards shards;
    LlavaovError error = {0};
    LvNamed missing = {0};
    char more[40];
    if (lv_shards_find(folder, &shards, &error)) {
        lv_reason_add(reasons, &error);
        return;
    }
    for (size_t i = 0; i < shards.n_files; i++)
        if (!lv_listing_has(folder, shards.files[i])) {
            if (!missing.n++)
                snprintf(missing.first, sizeof missing.first, "%s", shards.files[i]);
        }
    if (missing.n)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, missing.first,
            "%.300s/%s%s: no such file, which model.safetensors.index.json names: %zu of %zu are "
            "missing, the download is unfinished%s%.128s; " AGAIN,
            folder, missing.first, others(&missing, more), missing.n, shards.n_files,
            l->partial.n ? " as is " : "", l->partial.first);
    lv_shards_free(&shards);
}

static void check_weights(const char *folder, const LvListing *l, LvReasons *reasons)
{
    if (l->single)
        return;
    if (l->index)
        check_index(folder, l, reasons);
    else if (!l->weights.n && !l->adapter)
        no_weights(folder, l, reasons);
    else if (l->numbered.n)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, "model.safetensors.index.json",
            "%.300s/model.safetensors.index.json: no such file beside %s: the download is "
            "unfinished; fetch it from where the weights are from",
            folder, l->numbered.first);
}

static void check_config(const char *folder, LvReasons *reasons)
{
    char path[PATH_MAX], *text;
    size_t bytes;
    LlavaovError error = {0};
    json_t *root;
    if (snprintf(path, PATH_MAX, "%s/config.json", folder) >= PATH_MAX)
        return;
    if (lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, &error)) {
        if (!reasons->n) /* otherwise it was already reported as no file or unreadable */
            lv_reason_add(reasons, &error);
        return;
    }
    if (!bytes)
        lv_reason(reasons, LLAVAOV_ERROR_FORMAT, path,
            "%.400s: broken JSON: the file is empty; fetch it again", path);
    else if (lv_json_parse(text, bytes, path, false, &root, &error))
        lv_reason(
            reasons, error.status, path, "%.600s; mend it, or fetch the file again", error.message);
    else {
        lv_foreign_config(root, path, reasons);
        json_decref(root);
    }
    lv_free(text);
}

void lv_recognise(const char *path, LvReasons *reasons)
{
    LvListing listing;
    if (!lv_recognise_path(path, reasons) || !lv_listing_read(path, &listing, reasons))
        return;
    if (!listing.n_entries)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, path,
            "%.300s: config.json is missing, the folder is empty; fetch a checkpoint into it, for "
            "example: hf download " LV_EXAMPLE " --local-dir %.200s",
            path, path);
    else if (!listing.config && (listing.snapshots || listing.repositories.n))
        lv_recognise_cache(path, listing.snapshots ? "" : listing.repositories.first, reasons);
    else {
        check_files(path, &listing, reasons);
        check_adapter(path, &listing, reasons);
        if (!listing.config)
            what_else(path, &listing, reasons);
        else if (!listing.pointers.n || strcmp(listing.pointers.first, "config.json"))
            check_config(path, reasons);
        if (listing.config)
            check_weights(path, &listing, reasons);
    }
}
