/* SPDX-License-Identifier: Apache-2.0
 * Finds the files of a folder's tokenizer. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "checkpoint/listing.h"
#include "text/tokenizer_private.h"

LlavaovStatus lv_tokenizer_parse_files(
    const LvTokenizerFiles *files, const char *folder, LvTokenizer **tokenizer, LlavaovError *error)
{
    *tokenizer = NULL;
    LvTokenizer *t = lv_calloc(1, sizeof *t);
    char *vocab = lv_alloc(files->file[LV_VOCAB_JSON].bytes + 1, 1);
    LlavaovStatus status;
    if (t && vocab) {
        memcpy(vocab, files->file[LV_VOCAB_JSON].text, files->file[LV_VOCAB_JSON].bytes);
        status = lv_tokenizer_read_slow(t, vocab, files, folder, error);
    } else {
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, folder, "%s: out of memory", folder);
    }
    lv_free(vocab);
    if (status == LLAVAOV_OK)
        *tokenizer = t;
    else
        lv_tokenizer_close(t);
    return status;
}

static LlavaovStatus open_files(const char *folder, LvTokenizer **tokenizer, LlavaovError *error)
{
    static const struct {
        const char *name;
        size_t most;
    } wanted[] = {[LV_VOCAB_JSON] = {"vocab.json", LV_MAX_TOKENIZER_BYTES},
        [LV_MERGES_TXT] = {"merges.txt", LV_MAX_TOKENIZER_BYTES},
        [LV_TOKENIZER_CONFIG] = {"tokenizer_config.json", LV_MAX_CONFIG_BYTES},
        [LV_ADDED_TOKENS] = {"added_tokens.json", LV_MAX_CONFIG_BYTES},
        [LV_SPECIAL_TOKENS_MAP] = {"special_tokens_map.json", LV_MAX_CONFIG_BYTES}};
    char *texts[LV_SPECIAL_TOKENS_MAP + 1] = {0};
    LvTokenizerFiles files = {0};
    LlavaovStatus status = LLAVAOV_OK;
    for (int i = 0; i <= LV_SPECIAL_TOKENS_MAP && status == LLAVAOV_OK; i++) {
        char path[PATH_MAX];
        if (lv_path_exists(path, folder, wanted[i].name) || i <= LV_MERGES_TXT)
            status = lv_file_read(path, wanted[i].most, &texts[i], &files.file[i].bytes, error);
        files.file[i].text = texts[i];
    }
    if (status == LLAVAOV_OK)
        status = lv_tokenizer_parse_files(&files, folder, tokenizer, error);
    for (int i = 0; i <= LV_SPECIAL_TOKENS_MAP; i++)
        lv_free(texts[i]);
    return status;
}

LlavaovStatus lv_tokenizer_open_folder(
    const char *folder, LvTokenizer **tokenizer, LlavaovError *error)
{
    char path[PATH_MAX], other[PATH_MAX];
    *tokenizer = NULL;
    if (strlen(folder) >= PATH_MAX - sizeof "/special_tokens_map.json")
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, folder, "%s: the path is too long", folder);
    static const char *const names[] = {"tokenizer.json", "vocab.json", "merges.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (lv_listing_pointer(folder, names[i]))
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, names[i],
                "%s/%s: this is a Git LFS pointer, not the file itself; fetch it with: git lfs "
                "pull",
                folder, names[i]);
    if (lv_path_exists(path, folder, "tokenizer.json"))
        return lv_tokenizer_open(path, tokenizer, error);
    for (int i = 0; i < 2; i++) {
        const char *there = names[1 + i], *missing = names[2 - i];
        if (lv_path_exists(path, folder, there) && !lv_path_exists(other, folder, missing))
            return lv_fail(error, LLAVAOV_ERROR_NOT_FOUND, other,
                "%s: no such file beside %s; fetch it from where the weights are from", other,
                there);
    }
    if (lv_path_exists(other, folder, "vocab.json"))
        return open_files(folder, tokenizer, error);
    lv_path_exists(path, folder, "tokenizer.json");
    return lv_fail(error, LLAVAOV_ERROR_NOT_FOUND, path,
        "%s: no such file, nor vocab.json with merges.txt in its place; fetch it from where the "
        "weights are from",
        path);
}
