/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <dirent.h>

#include <cmocka.h>

static void path_of(const Folder *folder, const char *name, char path[512])
{
    assert_true(snprintf(path, 512, "%s/%s", folder->path, name) < 512);
}

void folder_make(Folder *folder)
{
    const char *parent = getenv("TMPDIR");
    assert_true(snprintf(folder->path, sizeof folder->path, "%s/llavaov-XXXXXX",
                    parent ? parent : "/tmp") < (int)sizeof folder->path);
    assert_non_null(mkdtemp(folder->path));
}

void folder_write(Folder *folder, const char *change)
{
    LvWriterSpec spec;
    LlavaovError error;
    folder_make(folder);
    assert_true(lv_writer_preset("mini", &spec));
    if (change) {
        char field[128];
        const char *equals = strchr(change, '=');
        assert_non_null(equals);
        snprintf(field, sizeof field, "%.*s", (int)(equals - change), change);
        assert_true(lv_writer_set(&spec, field, equals + 1));
    }
    assert_int_equal(lv_write_checkpoint(folder->path, &spec, &error), LLAVAOV_OK);
}

void folder_remove(Folder *folder)
{
    DIR *directory = opendir(folder->path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            folder_delete(folder, entry->d_name);
    closedir(directory);
    assert_int_equal(rmdir(folder->path), 0);
}

char *folder_read(const Folder *folder, const char *name, size_t *bytes)
{
    char path[512];
    path_of(folder, name, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*bytes + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *bytes, file), *bytes);
    data[*bytes] = '\0';
    fclose(file);
    return data;
}

void folder_put(const Folder *folder, const char *name, const void *data, size_t bytes)
{
    char path[512];
    path_of(folder, name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

void folder_put_text(const Folder *folder, const char *name, const char *text)
{
    folder_put(folder, name, text, strlen(text));
}

/* All of data with the bytes at `at` replaced. */
static void put_replaced(const Folder *folder, const char *name, const char *data, size_t bytes,
    const char *at, size_t removed, const char *to)
{
    char path[512];
    path_of(folder, name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(data, 1, (size_t)(at - data), file);
    fwrite(to, 1, strlen(to), file);
    fwrite(at + removed, 1, bytes - (size_t)(at - data) - removed, file);
    assert_int_equal(fclose(file), 0);
}

void folder_edit(const Folder *folder, const char *name, const char *from, const char *to)
{
    size_t bytes;
    char *data = folder_read(folder, name, &bytes);
    const char *at = memmem(data, bytes, from, strlen(from));
    assert_non_null(at);
    put_replaced(folder, name, data, bytes, at, strlen(from), to);
    free(data);
}

void folder_edit_header(const Folder *folder, const char *name, const char *from, const char *to)
{
    size_t bytes;
    char *data = folder_read(folder, name, &bytes);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | (unsigned char)data[i];
    const char *at = memmem(data + 8, length, from, strlen(from));
    assert_non_null(at);
    length += strlen(to) - strlen(from);
    for (int i = 0; i < 8; i++)
        data[i] = (char)(length >> 8 * i);
    put_replaced(folder, name, data, bytes, at, strlen(from), to);
    free(data);
}

void folder_delete(const Folder *folder, const char *name)
{
    char path[512];
    path_of(folder, name, path);
    assert_int_equal(unlink(path), 0);
}
