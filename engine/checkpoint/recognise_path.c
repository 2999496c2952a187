/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/recognise_path.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "checkpoint/json.h"
#include "checkpoint/listing.h"

/* ---- the path ---- */

/* ORGANISATION/NAME as the Hub spells it. */
static bool hub_name(const char *path)
{
    size_t slashes = 0;
    for (const char *p = path; *p; p++) {
        slashes += *p == '/';
        if (!isalnum((unsigned char)*p) && !strchr("/-_.", *p))
            return false;
    }
    const char *slash = strchr(path, '/');
    return slashes == 1 && slash != path && slash[1] && *path != '.';
}

static void no_such_path(const char *path, LvReasons *reasons)
{
    const char *name = path;
    static const char *const addresses[] = {
        "https://huggingface.co/", "http://huggingface.co/", "https://hf.co/", "hf://"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (!strncmp(path, addresses[i], strlen(addresses[i])))
            name = path + strlen(addresses[i]);
    if (hub_name(name) || name != path)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, path,
            "%.200s: no such checkpoint folder; if you mean the repository on the Hugging Face "
            "Hub, "
            "fetch it first (hf download %.200s --local-dir FOLDER) and give that folder",
            path, name);
    else if (!strncmp(path, "file://", 7))
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, path,
            "%.200s: no such checkpoint folder; give the path alone, without file://", path);
    else if (*path == '~')
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, path,
            "%.200s: no such checkpoint folder; ~ is the shell's, write the whole path", path);
    else
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, path,
            "%.400s: no such checkpoint folder; give the path of one that exists", path);
}

static void not_a_folder(const char *path, LvReasons *reasons)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    if (dot && !strcmp(dot, ".gguf"))
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, path,
            "%.400s: not a folder but a GGUF file, llama.cpp's format, which is not supported: "
            "take "
            "a checkpoint of *.safetensors",
            path);
    else if (dot && (!strcmp(dot, ".zip") || !strcmp(dot, ".tar") || !strcmp(dot, ".gz") ||
                        !strcmp(dot, ".tgz") || !strcmp(dot, ".7z")))
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, path,
            "%.400s: not a folder but an archive; unpack it and give the folder that comes out",
            path);
    else if (slash && slash != path)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, path,
            "%.300s: not a folder; give the folder that holds the checkpoint, perhaps %.*s", path,
            (int)(slash - path < 300 ? slash - path : 300), path);
    else
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, path,
            "%.400s: not a folder; give the folder that holds the checkpoint", path);
}

bool lv_recognise_path(const char *path, LvReasons *reasons)
{
    struct stat info;
    if (!*path)
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, "model path",
            "the path of the checkpoint folder is empty");
    else if (!stat(path, &info)) {
        if (S_ISDIR(info.st_mode))
            return true;
        not_a_folder(path, reasons);
    } else if (errno == ENOENT || errno == ENOTDIR)
        no_such_path(path, reasons);
    else
        lv_reason(reasons, LLAVAOV_ERROR_IO, path, "checkpoint folder: %s%s: %.500s",
            strerror(errno), errno == EACCES ? " (let this user read it, or run as its owner)" : "",
            path);
    return false;
}

/* ---- the Hub's cache ---- */

/* The name of a folder in folder/snapshots: that of refs/main, or the first. */
static bool find_snapshot(const char *folder, char name[NAME_MAX + 1])
{
    char path[PATH_MAX], *text = NULL;
    size_t bytes;
    LlavaovError error;
    *name = '\0';
    if (snprintf(path, PATH_MAX, "%s/refs/main", folder) < PATH_MAX &&
        !lv_file_read(path, NAME_MAX, &text, &bytes, &error)) {
        snprintf(name, NAME_MAX + 1, "%.*s", (int)strcspn(text, "\r\n/ "), text);
        lv_free(text);
        if (*name && snprintf(path, PATH_MAX, "snapshots/%s", name) < PATH_MAX &&
            lv_listing_has(folder, path))
            return true;
    }
    *name = '\0';
    DIR *directory =
        snprintf(path, PATH_MAX, "%s/snapshots", folder) < PATH_MAX ? opendir(path) : NULL;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (entry->d_name[0] != '.' && (!*name || strcmp(entry->d_name, name) < 0))
            snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
    if (directory)
        closedir(directory);
    return *name;
}

void lv_recognise_cache(const char *folder, const char *repository, LvReasons *reasons)
{
    char path[PATH_MAX], snapshot[NAME_MAX + 1];
    bool fits =
        snprintf(path, PATH_MAX, "%s%s%s", folder, *repository ? "/" : "", repository) < PATH_MAX;
    if (fits && find_snapshot(path, snapshot))
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, folder,
            "%.200s: this is the Hugging Face cache, not a checkpoint folder; give the snapshot in "
            "it, %.300s/snapshots/%.64s",
            folder, path, snapshot);
    else
        lv_reason(reasons, LLAVAOV_ERROR_NOT_FOUND, folder,
            "%.200s: this is the Hugging Face cache, and no snapshot of a model is in it; fetch "
            "one: "
            "hf download " LV_EXAMPLE,
            folder);
}
