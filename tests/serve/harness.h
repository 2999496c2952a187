/* SPDX-License-Identifier: Apache-2.0
 * An engine on a tiny random checkpoint whose operations can be watched, held up and made to fail.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <pthread.h>
#include <stdatomic.h>

#include "checkpoint_writer.h"
#include "reply.h"
#include "serve/engine.h"

typedef enum Operation {
    OPERATION_NONE,
    OPERATION_ENCODE,  /* patch_embedding: once for each encoder call */
    OPERATION_PREFILL, /* rope_store of layer 0 over several rows of a sequence */
    OPERATION_DECODE   /* rope_store of layer 0 over one row of each sequence */
} Operation;

typedef enum Fault {
    FAULT_HOLD, /* blocks until harness_release, also when another fault has been armed */
    FAULT_SPIN, /* blocks until its run is cancelled, as a long operation would notice */
    FAULT_FAIL  /* LLAVAOV_ERROR_DEVICE */
} Fault;

typedef struct Harness {
    LlavaovEngine *engine;
    LvBackendOps ops; /* the engine's, wrapped */
    const LvBackendOps *real;
    atomic_int tiles;   /* encoded so far */
    atomic_int encodes; /* encoder calls */
    atomic_int largest; /* tiles of the largest one */
    /* The first byte of every tile that came to the encoder, in order. */
    uint8_t seen[256];
    atomic_int n_seen;
    atomic_int nan_value;   /* the next tile that begins so becomes NaN, once; < 0: none */
    atomic_int refuse_rows; /* the next tensor of so many rows is refused, once; 0: none */
    atomic_bool nan_logits;
    atomic_int nan_row;  /* of the next batch that has such a row, once; < 0: none */
    int row;             /* of the pass, downloaded next */
    atomic_int together; /* sequences of the largest decoding step */
    /* One letter an operation of the decoder or encoder: E, P, D; and its tiles, rows, sequences.
     */
    char order[4096];
    uint32_t sizes[4096];
    atomic_int n_order;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    Operation faulty;
    Fault fault;
    unsigned skip;           /* that many occurrences go through first */
    atomic_uint least;       /* and decoding steps of fewer sequences than this, uncounted */
    bool reached;            /* the fault was met */
    unsigned held, released; /* operations so far, and how many of them were let go */
} Harness;

/* context 0 = the preset's. */
void harness_open(Harness *h, uint32_t context);
/* Tiles of so many pixels; 0 = the preset's. */
void harness_open_tiles(Harness *h, uint32_t context, uint32_t image_size);
/* A checkpoint written for it; NULL: the options' own. */
void harness_open_checkpoint(
    Harness *h, const LvWriterSpec *spec, const LlavaovEngineOptions *options);
void harness_close(Harness *h);

/* The next operation of this kind (after skip others) meets the fault, once. */
void harness_arm(Harness *h, Operation operation, Fault fault, unsigned skip);
void harness_wait_reached(Harness *h);
void harness_release(Harness *h);

/* Frames of flat colour `value`, 40 x 30. *released counts the releases of its source. */
LlavaovFrame *push_flat(LlavaovSession *session, LlavaovLayout layout, LlavaovEncode encode,
    uint8_t value, atomic_int *released);

/* cmocka fixtures of a group: *state is a Harness on the preset's context. */
int harness_setup(void **state);
int harness_teardown(void **state);

/* Sets one of the numbers in the backend's info, which the engine's threads read. */
void harness_prefer(Harness *h, uint32_t *number, uint32_t value);

/* With default options. */
LlavaovSession *open_session(Harness *h);
LlavaovSession *open_session_with(Harness *h, LlavaovPrefill prefill);

#endif
