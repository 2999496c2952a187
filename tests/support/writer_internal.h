/* SPDX-License-Identifier: Apache-2.0
 * Parts of the checkpoint writer. */
#ifndef LV_WRITER_INTERNAL_H
#define LV_WRITER_INTERNAL_H

#include <stdio.h>

#include "checkpoint_writer.h"

typedef struct LvWriterTensor {
    char canonical[96];
    char name[160]; /* in the file */
    uint32_t n_dims;
    uint64_t shape[4];
    uint64_t elements;
    double mean, deviation;
    LvWriterDtype dtype; /* never MIXED */
} LvWriterTensor;

/* All tensors of the model in file order; free() the array. NULL when memory ran out. */
LvWriterTensor *lv_writer_tensors(const LvWriterSpec *spec, size_t *n);
size_t lv_writer_element_bytes(LvWriterDtype dtype);

/* 65536 standard normal numbers with mean 0, the same in every run. */
void lv_writer_normals(float table[65536]);
/* Streams the tensor's values to the file. scratch: 1 MiB. False when writing failed. */
bool lv_writer_values(FILE *file, const LvWriterTensor *tensor, uint64_t seed,
    const float normals[65536], void *scratch);
#define LV_WRITER_SCRATCH (1u << 20)

uint32_t lv_writer_head_dim(const LvWriterSpec *spec);
bool lv_writer_config(const char *folder, const LvWriterSpec *spec);
bool lv_writer_generation_config(const char *folder, const LvWriterSpec *spec);
bool lv_writer_byte_tokenizer(const char *folder, const LvWriterSpec *spec);

/* Opens folder/name for writing. */
FILE *lv_writer_open(const char *folder, const char *name);

#endif
