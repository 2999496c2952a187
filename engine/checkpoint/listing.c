/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "checkpoint/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && !strcmp(name + n - m, end);
}

static bool starts_with(const char *name, const char *start)
{
    return !strncmp(name, start, strlen(start));
}

static void note(LvNamed *named, const char *name)
{
    if (!named->n++ || strcmp(name, named->first) < 0)
        snprintf(named->first, sizeof named->first, "%s", name);
}

bool lv_listing_has(const char *folder, const char *name)
{
    char path[PATH_MAX];
    return lv_path_exists(path, folder, name);
}

static bool ends_with_one_of(const char *name, const char *const *ends, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ends_with(name, ends[i]))
            return true;
    return false;
}

static bool is_partial(const char *name)
{
    static const char *const ends[] = {
        ".incomplete", ".part", ".partial", ".aria2", ".crdownload", ".download", ".tmp"};
    return ends_with_one_of(name, ends, sizeof ends / sizeof *ends);
}

static bool is_other_format(const char *name)
{
    static const char *const ends[] = {".h5", ".msgpack", ".nemo", ".npz", ".tflite", ".mlmodel",
        ".engine", ".plan", ".pte", ".distcp"};
    return ends_with_one_of(name, ends, sizeof ends / sizeof *ends);
}

/* Training state is not weights. */
static bool is_pickle(const char *name)
{
    static const char *const others[] = {"training_args", "optimizer", "scheduler", "rng_state",
        "trainer_state", "non_lora_trainables", "adapter_model"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (starts_with(name, others[i]))
            return false;
    return ends_with(name, ".bin") || ends_with(name, ".pth") || ends_with(name, ".pt") ||
           ends_with(name, ".ckpt");
}

/* A file that opening a checkpoint reads. */
static bool is_needed(const char *name)
{
    static const char *const files[] = {"config.json", "generation_config.json", "tokenizer.json",
        "tokenizer_config.json", "vocab.json", "merges.txt", "added_tokens.json",
        "special_tokens_map.json", "preprocessor_config.json", "video_preprocessor_config.json",
        "processor_config.json", "chat_template.json", "chat_template.jinja",
        "model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(name, files[i]))
            return true;
    return name[0] != '.' && ends_with(name, ".safetensors");
}

static bool is_pointer(const char *path)
{
    static const char first[] = "version https://git-lfs.github.com/spec/";
    char text[sizeof first - 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool pointer =
        read(fd, text, sizeof text) == (ssize_t)sizeof text && !memcmp(text, first, sizeof text);
    close(fd);
    return pointer;
}

bool lv_listing_pointer(const char *folder, const char *name)
{
    char path[PATH_MAX];
    return lv_path_join(path, folder, name) && is_pointer(path);
}

static void look_at_file(LvListing *l, const char *name)
{
    l->config |= !strcmp(name, "config.json");
    l->index |= !strcmp(name, "model.safetensors.index.json");
    l->single |= !strcmp(name, "model.safetensors");
    l->adapter_config |= !strcmp(name, "adapter_config.json");
    l->tokenizer |= !strcmp(name, "tokenizer.json");
    l->vocab |= !strcmp(name, "vocab.json");
    l->merges |= !strcmp(name, "merges.txt");
    if (starts_with(name, "adapter_model."))
        l->adapter = true;
    else if (name[0] != '.' && ends_with(name, ".safetensors")) {
        note(&l->weights, name);
        if (strstr(name, "-of-0"))
            note(&l->numbered, name);
    }
    if (is_pickle(name))
        note(&l->pickles, name);
    if (ends_with(name, ".gguf"))
        note(&l->gguf, name);
    if (ends_with(name, ".onnx"))
        note(&l->onnx_files, name);
    if (is_other_format(name))
        note(&l->formats, name);
    if (is_partial(name))
        note(&l->partial, name);
}

static void look_at(LvListing *l, const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    if (!lv_path_join(path, folder, name))
        return;
    const bool there = !stat(path, &info), needed = is_needed(name);
    if (there && S_ISDIR(info.st_mode)) {
        l->snapshots |= !strcmp(name, "snapshots");
        l->onnx |= !strcmp(name, "onnx");
        if (starts_with(name, "models--"))
            note(&l->repositories, name);
        if (lv_listing_has(path, "config.json"))
            note(&l->inner, name);
        return;
    }
    look_at_file(l, name);
    if (!there && errno == ENOENT && needed)
        note(&l->dangling, name);
    if (there && needed && S_ISREG(info.st_mode)) {
        if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS))
            note(&l->unreadable, name);
        else if (info.st_size <= 1024 && is_pointer(path))
            note(&l->pointers, name);
    }
}

/* Downloads that `hf download --local-dir` has not finished. */
static void look_for_downloads(LvListing *l, const char *folder)
{
    char path[PATH_MAX];
    DIR *directory =
        lv_path_join(path, folder, ".cache/huggingface/download") ? opendir(path) : NULL;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (ends_with(entry->d_name, ".incomplete"))
            note(&l->partial, entry->d_name);
    if (directory)
        closedir(directory);
}

bool lv_listing_read(const char *folder, LvListing *listing, LvReasons *reasons)
{
    memset(listing, 0, sizeof *listing);
    DIR *directory = opendir(folder);
    if (!directory) {
        lv_reason(reasons, LLAVAOV_ERROR_IO, folder, "%s: the folder cannot be listed: %s%s",
            folder, strerror(errno),
            errno == EACCES ? ": let this user read it (chmod u+rx, or run as its owner)" : "");
        return false;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        listing->n_entries++;
        look_at(listing, folder, entry->d_name);
    }
    closedir(directory);
    look_for_downloads(listing, folder);
    return true;
}
