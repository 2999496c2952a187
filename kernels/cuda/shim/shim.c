/* SPDX-License-Identifier: Apache-2.0 */
#include "shim.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define OWN_SWITCH 1
#else
#define OWN_SWITCH 0
#include <ucontext.h>
#endif

/* AddressSanitizer poisons stack frames, also those that are never left. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)0)
#endif

#define STACK_BYTES (64u << 10)
#define GUARD_BYTES 256u
#define POISON 0xFF /* NaN in every floating-point type */
#define MAX_COPIES 256u
#define MAX_MAPPED_SHARED (227u << 10) /* the most that a block of compute capability 9.0 has */

typedef struct Copy {
    void *to;
    unsigned char from[16]; /* a copy made at launch: a device may not read it later */
    unsigned n, valid, group;
} Copy;

typedef struct Fiber {
    LvShimThread self;
    struct Fiber *next, *previous; /* of those that still run, in a ring */
    unsigned warp;
    bool running, waited;
    Copy *copies; /* [MAX_COPIES] not yet waited for, oldest first */
    unsigned n_copies, group;
    char *stack;
#if OWN_SWITCH
    void *sp;
#else
    ucontext_t context;
#endif
} Fiber;

typedef struct Warp {
    unsigned running, arrived;
    uint64_t round;
    void *operands[LV_SHIM_WARP];
} Warp;

/* One thread's machine, or its machine for a kernel that another one waits for; fibers and stacks
 * are kept from launch to launch. */
typedef struct Machine {
    Fiber fibers[LV_SHIM_MAX_THREADS];
    Warp warps[LV_SHIM_MAX_THREADS / LV_SHIM_WARP];
    Fiber *current;
    void (*entry)(const void *args);
    const void *args;
    unsigned running, arrived;
    uint64_t round;      /* of the block's barrier */
    unsigned idle_turns; /* since a fiber last made progress */
    bool warp_first;     /* a warp that synchronises continues before the others, to get far
                            ahead */
    bool overlapped;     /* every thread must have waited before it ends */
    int result;
    struct Machine *outer; /* whose kernel waits for this one's */
#if OWN_SWITCH
    void *sp;
#else
    ucontext_t context;
#endif
} Machine;

#define MAX_HELD 4u

typedef struct Held {
    LvShimLaunch launch;
    max_align_t args[64];
} Held;

static _Thread_local Machine *machine; /* the one under way, or the first */
static _Thread_local Machine *machines[MAX_HELD];
static _Thread_local Held held[MAX_HELD]; /* oldest first */
static _Thread_local unsigned n_held, depth;
static _Thread_local bool holding;
static _Thread_local int held_result;
static _Thread_local uint32_t order_seed;
static _Thread_local uint64_t launches;
static _Thread_local LvShimRecord recorder;
static _Thread_local void *recorder_data;

/* ---- switching ---- */

#if OWN_SWITCH
/* Saves the callee's registers on the stack, leaves the stack pointer in *from, takes up `to`. */
void lv_shim_switch(void **from, void *to);
__asm__(".text\n"
        ".globl lv_shim_switch\n"
        ".hidden lv_shim_switch\n"
        ".type lv_shim_switch, @function\n"
        "lv_shim_switch:\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n"
        "    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n"
        "    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    ret\n"
        ".size lv_shim_switch, . - lv_shim_switch\n");
#endif

static void leave(Machine *m)
{
#if OWN_SWITCH
    void *forgotten;
    lv_shim_switch(&forgotten, m->sp);
#else
    setcontext(&m->context);
#endif
}

static void go_to(Machine *m, Fiber *to)
{
    Fiber *from = m->current;
    m->current = to;
#if OWN_SWITCH
    lv_shim_switch(&from->sp, to->sp);
#else
    swapcontext(&from->context, &to->context);
#endif
}

/* Lets other fibers run; no progress in two rounds means a deadlock. */
static void wait_a_turn(Machine *m, bool within_warp)
{
    Fiber *self = m->current, *next = self->next;
    if (++m->idle_turns > 2 * m->running + 2 * LV_SHIM_WARP) {
        m->result = LV_SHIM_STUCK;
        leave(m);
    }
    if (within_warp && m->warp_first) {
        Fiber *warp = &m->fibers[self->warp * LV_SHIM_WARP];
        unsigned lane = self->self.lane;
        do
            lane = (lane + 1) % LV_SHIM_WARP;
        while (!warp[lane].running);
        next = &warp[lane];
    }
    if (next != self)
        go_to(m, next);
}

static void open_barrier(Machine *m)
{
    if (m->running && m->arrived == m->running) {
        m->arrived = 0;
        m->round++;
        m->idle_turns = 0;
    }
}

static void fiber_main(void)
{
    Machine *m = machine;
    m->entry(m->args);
    m = machine;
    Fiber *self = m->current;
    if (m->overlapped && !self->waited) {
        m->result = LV_SHIM_NOT_WAITED;
        leave(m);
    }
    m->warps[self->warp].running--;
    self->running = false;
    m->running--;
    m->idle_turns = 0;
    if (m->running == 0)
        leave(m);
    open_barrier(m);
    self->previous->next = self->next;
    self->next->previous = self->previous;
    go_to(m, self->next);
}

static void prepare(Fiber *fiber)
{
    ASAN_UNPOISON_MEMORY_REGION(fiber->stack, STACK_BYTES);
#if OWN_SWITCH
    /* As lv_shim_switch leaves a stack: six registers, then where to return to; on entry a
     * function's stack pointer is 8 off a multiple of 16. */
    void **sp = (void **)(fiber->stack + STACK_BYTES - 16);
    *--sp = NULL;
    *--sp = (void *)(uintptr_t)fiber_main;
    for (int i = 0; i < 6; i++)
        *--sp = NULL;
    fiber->sp = sp;
#else
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, fiber_main, 0);
#endif
}

static void enter(Machine *m, Fiber *first)
{
    m->current = first;
#if OWN_SWITCH
    lv_shim_switch(&m->sp, first->sp);
#else
    swapcontext(&m->context, &first->context);
#endif
}

/* ---- launching ---- */

static pthread_key_t machine_key; /* frees a thread's machine when it ends */
static pthread_once_t machine_once = PTHREAD_ONCE_INIT;

static void free_machines(void *data)
{
    for (Machine *m = data, *outer; m; m = outer) {
        outer = m->outer;
        for (unsigned i = 0; i < LV_SHIM_MAX_THREADS; i++) {
            free(m->fibers[i].stack);
            free(m->fibers[i].copies);
        }
        free(m);
    }
}

static void make_key(void)
{
    pthread_key_create(&machine_key, free_machines);
}

static int reserve(unsigned threads)
{
    if (!machines[depth]) {
        pthread_once(&machine_once, make_key);
        Machine *m = calloc(1, sizeof *m);
        if (!m)
            return LV_SHIM_OUT_OF_MEMORY;
        m->outer = depth ? machines[depth - 1] : NULL;
        machines[depth] = m;
        pthread_setspecific(machine_key, m);
    }
    machine = machines[depth];
    for (unsigned i = 0; i < threads; i++) {
        Fiber *fiber = &machine->fibers[i];
        if (!fiber->stack && !(fiber->stack = malloc(STACK_BYTES)))
            return LV_SHIM_OUT_OF_MEMORY;
        if (!fiber->copies && !(fiber->copies = malloc(MAX_COPIES * sizeof *fiber->copies)))
            return LV_SHIM_OUT_OF_MEMORY;
    }
    return 0;
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void run_block(Machine *m, LvShimIndex grid, LvShimIndex block, LvShimIndex at,
    unsigned char *shared, uint32_t *random)
{
    unsigned threads = block.x * block.y * block.z;
    uint16_t order[LV_SHIM_MAX_THREADS];
    memset(m->warps, 0, sizeof m->warps);
    m->running = threads;
    m->arrived = m->idle_turns = 0;
    for (unsigned i = 0; i < threads; i++) {
        Fiber *fiber = &m->fibers[i];
        order[i] = (uint16_t)i;
        fiber->self = (LvShimThread){
            .thread = {i % block.x, i / block.x % block.y, i / block.x / block.y},
            .block = at,
            .block_size = block,
            .grid_size = grid,
            .lane = i % LV_SHIM_WARP,
            .shared = shared,
        };
        fiber->warp = i / LV_SHIM_WARP;
        fiber->running = true;
        fiber->waited = false;
        fiber->n_copies = fiber->group = 0;
        m->warps[fiber->warp].running++;
        prepare(fiber);
    }
    if (order_seed)
        for (unsigned i = threads - 1; i > 0; i--) {
            unsigned j = next_random(random) % (i + 1);
            uint16_t kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
    for (unsigned i = 0; i < threads; i++) {
        Fiber *fiber = &m->fibers[order[i]], *next = &m->fibers[order[(i + 1) % threads]];
        fiber->next = next;
        next->previous = fiber;
    }
    enter(m, &m->fibers[order[0]]);
}

/* On the machine at `depth`. */
static int launch_here(const LvShimLaunch *launch)
{
    const LvShimIndex grid = launch->grid, block = launch->block;
    const size_t shared_bytes = launch->shared_bytes;
    size_t threads = (size_t)block.x * block.y * block.z;
    if (threads == 0 || threads > LV_SHIM_MAX_THREADS || threads % LV_SHIM_WARP ||
        grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535 || grid.x == 0 || grid.y == 0 ||
        grid.z == 0 || shared_bytes > MAX_MAPPED_SHARED)
        return LV_SHIM_BAD_CONFIGURATION;
    int result = reserve((unsigned)threads);
    if (result)
        return result;
    size_t size = (shared_bytes + GUARD_BYTES + 127) / 128 * 128;
    unsigned char *shared = aligned_alloc(128, size);
    if (!shared)
        return LV_SHIM_OUT_OF_MEMORY;
    Machine *m = machine;
    m->entry = launch->entry;
    m->args = launch->args;
    m->result = 0;
    m->warp_first = order_seed & 1;
    m->overlapped = launch->overlapped != 0;
    launches++;
    uint32_t random = order_seed;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x && !m->result; x++) {
                memset(shared, POISON, size);
                run_block(m, grid, block, (LvShimIndex){x, y, z}, shared, &random);
                for (size_t i = shared_bytes; i < size && !m->result; i++)
                    if (shared[i] != POISON)
                        m->result = LV_SHIM_BAD_ADDRESS;
            }
    free(shared);
    return m->result;
}

/* The launch that was held last; those before it run when it waits for them. */
static void run_last(void)
{
    const Held last = held[--n_held];
    LvShimLaunch launch = last.launch;
    launch.args = last.args;
    int result = launch_here(&launch);
    held_result = held_result ? held_result : result;
}

int lv_shim_drain(void)
{
    while (n_held)
        run_last();
    int result = held_result;
    held_result = 0;
    return result;
}

void lv_shim_hold(int hold)
{
    holding = hold;
}

int lv_shim_run(const LvShimLaunch *launch)
{
    int result = 0;
    if (n_held && (!launch->overlapped || !holding || n_held == MAX_HELD))
        result = lv_shim_drain();
    if (result || !holding || launch->args_bytes > sizeof held[0].args)
        return result ? result : launch_here(launch);
    held[n_held].launch = *launch;
    memcpy(held[n_held++].args, launch->args, launch->args_bytes);
    return 0;
}

int lv_shim_launch(void (*entry)(const void *args), const void *args, LvShimIndex grid,
    LvShimIndex block, size_t shared_bytes)
{
    const LvShimLaunch launch = {entry, args, 0, grid, block, shared_bytes, 0};
    return launch_here(&launch);
}

int lv_shim_submit(const LvShimLaunch *launch)
{
    return recorder ? recorder(recorder_data, launch) : lv_shim_run(launch);
}

void lv_shim_record(LvShimRecord record, void *data)
{
    recorder = record;
    recorder_data = data;
}

void lv_shim_seed(uint32_t seed)
{
    order_seed = seed;
}

static uint64_t told;

int lv_shim_tell(const void *kernel, int device)
{
    __atomic_fetch_add(&told, 1, __ATOMIC_RELAXED);
    return 0;
}

uint64_t lv_shim_told(void)
{
    return __atomic_load_n(&told, __ATOMIC_RELAXED);
}

uint64_t lv_shim_launches(void)
{
    return launches;
}

/* ---- inside a kernel ---- */

const LvShimThread *lv_shim_self(void)
{
    return &machine->current->self;
}

void lv_shim_barrier(void)
{
    Machine *m = machine;
    uint64_t round = m->round;
    m->arrived++;
    m->idle_turns = 0;
    open_barrier(m);
    while (m->round == round)
        wait_a_turn(m, false);
}

/* Once all threads of the first block are blocked, the launch ahead runs on another machine while
 * this fiber is suspended. */
void lv_shim_wait_previous(void)
{
    Machine *m = machine;
    m->current->waited = true;
    if (!m->overlapped || !n_held)
        return;
    lv_shim_barrier();
    if (!n_held)
        return;
    depth++;
    run_last();
    depth--;
    machine = m;
}

void lv_shim_meet(void (*compute)(void *const *lanes), void *operand)
{
    Machine *m = machine;
    Fiber *self = m->current;
    Warp *warp = &m->warps[self->warp];
    uint64_t round = warp->round;
    warp->operands[self->self.lane] = operand;
    warp->arrived++;
    m->idle_turns = 0;
    while (warp->round == round) {
        if (warp->arrived == warp->running) {
            if (compute)
                compute(warp->operands);
            memset(warp->operands, 0, sizeof warp->operands);
            warp->arrived = 0;
            warp->round++;
            m->idle_turns = 0;
        } else {
            wait_a_turn(m, true);
        }
    }
}

void lv_shim_copy(void *to, const void *from, unsigned n, unsigned valid)
{
    Machine *m = machine;
    Fiber *self = m->current;
    if (self->n_copies == MAX_COPIES || n > 16 || valid > n) {
        m->result = LV_SHIM_BAD_CONFIGURATION;
        leave(m);
    }
    memset(to, POISON, n);
    Copy *copy = &self->copies[self->n_copies++];
    *copy = (Copy){.to = to, .n = n, .valid = valid, .group = self->group};
    if (valid)
        memcpy(copy->from, from, valid);
}

void lv_shim_copy_commit(void)
{
    machine->current->group++;
}

void lv_shim_copy_wait(unsigned groups)
{
    Fiber *self = machine->current;
    unsigned done = 0;
    while (done < self->n_copies && self->copies[done].group + groups < self->group) {
        const Copy *copy = &self->copies[done++];
        if (copy->valid)
            memcpy(copy->to, copy->from, copy->valid);
        memset((char *)copy->to + copy->valid, 0, copy->n - copy->valid);
    }
    self->n_copies -= done;
    memmove(self->copies, self->copies + done, self->n_copies * sizeof *self->copies);
}
