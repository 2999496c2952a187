/* SPDX-License-Identifier: Apache-2.0
 * What a checkpoint folder holds, by names and sizes. */
#ifndef LV_LISTING_H
#define LV_LISTING_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "checkpoint/reasons.h"

/* How many files of one kind there are, and the alphabetically first name. */
typedef struct LvNamed {
    size_t n;
    char first[NAME_MAX + 1];
} LvNamed;

typedef struct LvListing {
    size_t n_entries; /* hidden ones too, . and .. not */
    bool config, index, single, adapter_config, adapter, tokenizer, vocab, merges, snapshots, onnx;
    LvNamed weights;    /* *.safetensors except an adapter's */
    LvNamed numbered;   /* of those, model-00001-of-00002.safetensors */
    LvNamed pickles;    /* *.bin, *.pth, *.pt, *.ckpt that hold weights */
    LvNamed gguf;       /* *.gguf */
    LvNamed onnx_files; /* *.onnx */
    LvNamed formats;    /* other programs' weights: *.h5, *.msgpack, *.nemo, ... */
    LvNamed pointers;   /* Git LFS pointers among the files that are needed */
    LvNamed unreadable; /* needed files that may not be read */
    LvNamed dangling;   /* needed files that are dangling links */
    LvNamed partial;    /* *.incomplete, *.part, *.aria2, ..., also of the Hub's download folder */
    LvNamed inner;      /* folders that hold a config.json */
    LvNamed repositories; /* folders of the Hub's cache: models--ORGANISATION--NAME */
} LvListing;

/* False, with a reason, when the folder cannot be listed. */
bool lv_listing_read(const char *folder, LvListing *listing, LvReasons *reasons);

/* Whether folder/name exists, link or not. */
bool lv_listing_has(const char *folder, const char *name);

/* Whether folder/name is a Git LFS pointer. */
bool lv_listing_pointer(const char *folder, const char *name);

#endif
