/* SPDX-License-Identifier: Apache-2.0
 * A temporary checkpoint folder for tests, and ways to damage it. */
#ifndef LV_TEST_FOLDER_H
#define LV_TEST_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "checkpoint_writer.h"

typedef struct Folder {
    char path[128];
} Folder;

/* An empty folder under $TMPDIR. */
void folder_make(Folder *folder);
/* One with a "mini" checkpoint; change is one "FIELD=VALUE" of the writer's fields, or NULL. */
void folder_write(Folder *folder, const char *change);
void folder_remove(Folder *folder);

/* Whole files. read: NUL behind it, free(). */
char *folder_read(const Folder *folder, const char *name, size_t *bytes);
void folder_put(const Folder *folder, const char *name, const void *data, size_t bytes);
void folder_put_text(const Folder *folder, const char *name, const char *text);
/* Replaces the first occurrence of a text by another one in a file. */
void folder_edit(const Folder *folder, const char *name, const char *from, const char *to);
void folder_delete(const Folder *folder, const char *name);
/* Replaces the JSON header of a safetensors file, in which the first `from` becomes `to`; its
 * length may change. */
void folder_edit_header(const Folder *folder, const char *name, const char *from, const char *to);

#endif
