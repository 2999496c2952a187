/* SPDX-License-Identifier: Apache-2.0
 * An entry is a checkpoint folder with a list beside its files: lines of name, size, time and checksum of
 * the source's files, and of its own. It is made under another name, so that no half entry has its own. */
#define _GNU_SOURCE /* st_mtim */
#include "serve/quantise_cache.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "model/try.h"

#define LIST "made-of.txt"
#define LINE_BYTES 400u
#define MOST_FILES 4096u
#define READ_BYTES ((size_t)1 << 20)

/* ---- lists ---- */

typedef struct FileList {
    char *text; /* its lines in order */
    size_t size, n;
    char (*lines)[LINE_BYTES];
} FileList;

/* Fast, and only against accidents: no one who can write there is kept from anything. */
static uint64_t checksum(uint64_t sum, const unsigned char *data, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, data + i, n - i < 8 ? n - i : 8);
        sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        sum ^= sum >> 32;
    }
    return sum;
}

static LlavaovStatus cannot(const char *path, LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_IO, path, "%s: %s", path, strerror(errno));
}

static LlavaovStatus checksum_of(const char *path, uint64_t *sum, LlavaovError *error)
{
    FILE *file = fopen(path, "rb");
    unsigned char *data = lv_alloc(READ_BYTES, 1);
    LlavaovStatus status = LLAVAOV_OK;
    size_t n;
    *sum = 0;
    if (!data)
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, path, "%s: out of memory", path);
    else if (!file)
        status = cannot(path, error);
    while (status == LLAVAOV_OK && (n = fread(data, 1, READ_BYTES, file)))
        *sum = checksum(*sum, data, n);
    if (status == LLAVAOV_OK && ferror(file))
        status = cannot(path, error);
    if (file)
        fclose(file);
    lv_free(data);
    return status;
}

static bool counts(const char *name)
{
    const size_t n = strlen(name);
    return *name != '.' && ((n > 5 && !strcmp(name + n - 5, ".json")) ||
                               (n > 12 && !strcmp(name + n - 12, ".safetensors")));
}

static int by_line(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Adds the lines of a folder's files: what a checkpoint is read from. */
static LlavaovStatus list_folder(FileList *list, const char *folder, LlavaovError *error)
{
    const size_t first = list->n;
    LlavaovStatus status = LLAVAOV_OK;
    DIR *dir = opendir(folder);
    if (!dir)
        return cannot(folder, error);
    for (struct dirent *entry; status == LLAVAOV_OK && (entry = readdir(dir));) {
        char path[PATH_MAX];
        struct stat s;
        uint64_t sum = 0;
        if (!counts(entry->d_name))
            continue;
        if (list->n == MOST_FILES || !lv_path_join(path, folder, entry->d_name))
            status =
                lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, folder, "%s: too many files", folder);
        else if (stat(path, &s) != 0)
            status = cannot(path, error);
        else
            status = checksum_of(path, &sum, error);
        if (status == LLAVAOV_OK)
            snprintf(list->lines[list->n++], LINE_BYTES,
                "%.255s %" PRIu64 " %" PRIu64 ".%09ld %016" PRIx64 "\n", entry->d_name,
                (uint64_t)s.st_size, (uint64_t)s.st_mtim.tv_sec, (long)s.st_mtim.tv_nsec, sum);
    }
    closedir(dir);
    qsort(list->lines + first, list->n - first, LINE_BYTES, by_line);
    return status;
}

/* What an entry's list has to say now. lv_free it. */
static LlavaovStatus list_both(
    const char *from, const char *entry, char **text, LlavaovError *error)
{
    FileList list = {.lines = lv_calloc(MOST_FILES, LINE_BYTES)};
    LlavaovStatus status = LLAVAOV_OK;
    *text = NULL;
    if (!list.lines)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, from, "%s: out of memory", from);
    LV_TRY(list_folder(&list, from, error));
    const size_t own = list.n;
    LV_TRY(list_folder(&list, entry, error));
    *text = lv_alloc(list.n + 2, LINE_BYTES);
    if (!*text)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, from, "%s: out of memory", from));
    char *at = *text;
    *at = '\0';
    for (size_t i = 0; i <= list.n; i++) {
        at = i == own ? stpcpy(at, "becomes\n") : at;
        at = i < list.n ? stpcpy(at, list.lines[i]) : at;
    }
done:
    lv_free(list.lines);
    return status;
}

/* ---- entries ---- */

/* A folder of plain files. */
static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[PATH_MAX];
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
            lv_path_join(path, folder, entry->d_name))
            unlink(path);
    }
    closedir(dir);
    rmdir(folder);
}

/* Why the entry cannot be taken; NULL: it can. */
static const char *stale(const char *from, const char *entry)
{
    char path[PATH_MAX], *stored = NULL, *now = NULL;
    size_t bytes;
    LlavaovError ignored = {0};
    if (!lv_path_exists(path, entry, LIST))
        return "there was none";
    const char *why = "its list could not be read";
    if (lv_file_read(path, (MOST_FILES + 2) * LINE_BYTES, &stored, &bytes, &ignored) ==
            LLAVAOV_OK &&
        list_both(from, entry, &now, &ignored) == LLAVAOV_OK)
        why = bytes == strlen(now) && !memcmp(stored, now, bytes)
                  ? NULL
                  : "the checkpoint, or what was made of it, had changed";
    lv_free(stored);
    lv_free(now);
    return why;
}

static LlavaovStatus write_list(const char *from, const char *entry, LlavaovError *error)
{
    char path[PATH_MAX], *text;
    LlavaovStatus status = list_both(from, entry, &text, error);
    if (status != LLAVAOV_OK)
        return status;
    FILE *out = lv_path_join(path, entry, LIST) ? fopen(path, "wbx") : NULL;
    bool good = out && fputs(text, out) >= 0;
    good = out && fclose(out) == 0 && good;
    lv_free(text);
    return good ? LLAVAOV_OK : cannot(path, error);
}

static LlavaovStatus make_entry(
    const char *from, const char *entry, const LvQuantiseOptions *options, LlavaovError *error)
{
    char fresh[PATH_MAX], old[PATH_MAX];
    LlavaovStatus status;
    if (snprintf(fresh, sizeof fresh, "%s.new-%ld", entry, (long)getpid()) >= (int)sizeof fresh ||
        snprintf(old, sizeof old, "%s.old-%ld", entry, (long)getpid()) >= (int)sizeof old)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, entry, "%s: the path is too long", entry);
    remove_folder(fresh);
    LV_TRY(lv_quantise_folder(from, fresh, options, error));
    LV_TRY(write_list(from, fresh, error));
    rename(entry, old); /* there may be none */
    if (rename(fresh, entry) != 0)
        status = cannot(entry, error);
    remove_folder(old);
done:
    if (status != LLAVAOV_OK)
        remove_folder(fresh);
    return status;
}

LlavaovStatus lv_quantise_cached(char path[PATH_MAX], char *told, const char *cache,
    const char *from, const LvQuantiseOptions *options, LlavaovError *error)
{
    char source[PATH_MAX];
    struct stat s;
    if (!realpath(from, source))
        return cannot(from, error);
    const char *name = strrchr(source, '/');
    const uint64_t sum = checksum(0, (const unsigned char *)source, strlen(source));
    if (snprintf(path, PATH_MAX, "%s/%s-%s-%016" PRIx64, cache, name ? name + 1 : source,
            llavaov_precision_name(options->precision), sum) >= PATH_MAX)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "quantized-cache",
            "%s: the path is too long", cache);
    if (mkdir(cache, 0777) != 0 && (stat(cache, &s) != 0 || !S_ISDIR(s.st_mode)))
        return lv_fail_about(error, LLAVAOV_ERROR_IO, LLAVAOV_ABOUT_OPTION, "quantized-cache",
            "%s: %s", cache, strerror(errno));
    const char *why = stale(source, path);
    snprintf(told, 256,
        why ? "quantized cache written, since %s" : "weights from the quantized cache", why);
    return why ? make_entry(source, path, options, error) : LLAVAOV_OK;
}
