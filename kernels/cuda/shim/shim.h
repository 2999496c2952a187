/* SPDX-License-Identifier: Apache-2.0
 * Runs CUDA kernels on the CPU, for tests: each thread of a block is a fiber, the blocks of a grid
 * run one after the other on the calling thread. device.h builds the CUDA names on these functions.
 *
 * A fiber runs until it waits; which fiber runs next is fixed by a seed, so that other seeds show
 * what a missing barrier breaks. Shared memory is filled with NaN before every block and guarded
 * behind its end; asynchronous copies land only when they are waited for; a kernel that overlaps
 * the one ahead of it can be made to begin before that has run at all (lv_shim_hold). Not modelled:
 * races between two waits, memory order, divergence inside a warp, the limits of a real device's
 * registers.
 *
 * Several threads may launch at a time; each has its own fibers. */
#ifndef LV_SHIM_H
#define LV_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LV_SHIM_WARP 32u
#define LV_SHIM_MAX_THREADS 1024u

typedef struct LvShimIndex {
    unsigned x, y, z;
} LvShimIndex;

/* What a kernel may ask about the thread that runs it. */
typedef struct LvShimThread {
    LvShimIndex thread, block, block_size, grid_size;
    unsigned lane; /* of its warp */
    void *shared;  /* the block's dynamic shared memory, 128-byte aligned */
} LvShimThread;

/* The current thread; valid inside a kernel only. */
const LvShimThread *lv_shim_self(void);

/* Runs entry(args) once a thread of the grid. block.x * y * z is a multiple of 32, at most 1024.
 * Results, after the runtime's names: 0; 2 out of memory; 9 a configuration that a device refuses;
 * 700 shared memory was written behind its end; 719 threads wait for each other for ever; 717 a
 * thread of a launch that overlaps the one ahead ended without having waited for that one. */
enum {
    LV_SHIM_OUT_OF_MEMORY = 2,
    LV_SHIM_BAD_CONFIGURATION = 9,
    LV_SHIM_NOT_WAITED = 717,
    LV_SHIM_BAD_ADDRESS = 700,
    LV_SHIM_STUCK = 719
};
int lv_shim_launch(void (*entry)(const void *args), const void *args, LvShimIndex grid,
    LvShimIndex block, size_t shared_bytes);

/* A launch with a copy of its arguments. */
typedef struct LvShimLaunch {
    void (*entry)(const void *args);
    const void *args;
    size_t args_bytes;
    LvShimIndex grid, block;
    size_t shared_bytes;
    int overlapped; /* may begin before the launch ahead of it is done, and must wait for that */
} LvShimLaunch;

/* Runs a launch, or while this thread holds launches, puts it off; its arguments are copied. */
int lv_shim_run(const LvShimLaunch *launch);

/* What a kernel's launch comes to: lv_shim_run, or while this thread records, record(data, launch),
 * whose result is given. The arguments are the caller's and must be copied. */
typedef int (*LvShimRecord)(void *data, const LvShimLaunch *launch);
int lv_shim_submit(const LvShimLaunch *launch);

/* With hold, this thread's launches run as late as they may: one that overlaps the launch ahead of
 * it begins first, and the one ahead runs when the first thread waits for it; others run when the
 * next launch comes that does not overlap them, or with lv_shim_drain. So a kernel that reads too
 * early sees the old values, and one that writes too early is overwritten. Operands must stay valid
 * until lv_shim_drain, which returns the first result that was not 0. */
void lv_shim_hold(int hold);
int lv_shim_drain(void);

void lv_shim_record(LvShimRecord record, void *data); /* NULL: no longer */

/* The order in which this thread's later launches run their fibers: 0 (at first) by index in turn;
 * any other seed shuffled, anew for every block, and with an odd seed a warp whose lanes meet runs
 * on alone until its next barrier. */
void lv_shim_seed(uint32_t seed);
/* Launches that this thread made so far. */
uint64_t lv_shim_launches(void);

/* What is set for a kernel once on each device (device.h); how often that was done so far, by all
 * threads. */
int lv_shim_tell(const void *kernel, int device);
uint64_t lv_shim_told(void);

/* ---- inside a kernel ---- */

void lv_shim_barrier(void); /* __syncthreads */
void lv_shim_wait_previous(void);

/* All lanes of a warp that still run meet; the last to arrive calls compute once with every lane's
 * operand (NULL for lanes that have returned), then all go on. */
void lv_shim_meet(void (*compute)(void *const *lanes), void *operand);

/* cp.async: to `n` <= 16 bytes of shared memory; source bytes from `valid` on are zeros. */
void lv_shim_copy(void *to, const void *from, unsigned n, unsigned valid);
void lv_shim_copy_commit(void);
/* Waits for all but the newest `groups` of this thread's committed groups. */
void lv_shim_copy_wait(unsigned groups);

#ifdef __cplusplus
}
#endif

#endif
