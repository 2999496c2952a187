/* SPDX-License-Identifier: Apache-2.0
 * A library that is loaded before a program (LD_PRELOAD) and makes the system fail around it. What
 * it does stands in a file of 64-bit numbers, $FAULTS_CONTROL, which may change at any time:
 *
 *   0  added to the wall clock, in seconds
 *   1  every n-th allocation of the plugin's own calls fails (0: none)
 *   2  every n-th pthread_create of the plugin's own fails
 *   3  every n-th open of the plugin's own fails, for want of descriptors
 *   4  read() of files below $FAULTS_DISK takes so many ms longer
 *   5  read() of files below $FAULTS_DISK fails with EIO, but for the first n - 1 from then on
 *   6  only one failure of 1 to 3: the n-th call
 *   7 to 9: allocations, threads and opens that failed so far
 *
 * The plugin's own calls are those whose return address is in libgstllavaov.so; what GLib allocates
 * for it is not, since GLib ends the process when it gets no memory.
 */
#define _GNU_SOURCE      /* dl_iterate_phdr, RTLD_NEXT */
#undef _FILE_OFFSET_BITS /* else open is open64 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CLOCK, ALLOCATIONS, THREADS, OPENS, DELAY, BROKEN, ONCE, FAILED };

static volatile int64_t *control;
static uintptr_t own_start, own_end;
static _Atomic int64_t calls[4], reads;

/* The real functions; looked up when they are needed first, before any thread. */
#define REAL(name) ((__typeof__(name) *)real(#name))

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS_CONTROL");
    int file = path ? REAL(open)(path, O_RDWR | O_CLOEXEC) : -1;

    if (file >= 0) {
        void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

        control = memory == MAP_FAILED ? NULL : memory;
        close(file);
    }
}

static int find_plugin(struct dl_phdr_info *info, size_t size, void *data)
{
    if (!strstr(info->dlpi_name, "libgstllavaov"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            own_start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            own_end = own_start + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

void *dlopen(const char *path, int flags)
{
    void *library = REAL(dlopen)(path, flags);

    if (!own_start && path && strstr(path, "libgstllavaov"))
        dl_iterate_phdr(find_plugin, NULL);
    return library;
}

/* Whether this call of the plugin's fails. */
static int fails(int what, void *caller)
{
    int64_t n = control ? control[what] : 0;

    if (n <= 0 || (uintptr_t)caller < own_start || (uintptr_t)caller >= own_end)
        return 0;
    int64_t call = ++calls[what];
    if (control[ONCE] ? call != n : call % n != 0)
        return 0;
    __atomic_add_fetch(&control[FAILED + what - ALLOCATIONS], 1, __ATOMIC_RELAXED);
    return 1;
}

/* ---- memory: glibc's own names for the real functions, since dlsym allocates ---- */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

void *malloc(size_t size)
{
    return fails(ALLOCATIONS, __builtin_return_address(0)) ? (errno = ENOMEM, NULL)
                                                           : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails(ALLOCATIONS, __builtin_return_address(0)) ? (errno = ENOMEM, NULL)
                                                           : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return fails(ALLOCATIONS, __builtin_return_address(0)) ? (errno = ENOMEM, NULL)
                                                           : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(ALLOCATIONS, __builtin_return_address(0)) ? (errno = ENOMEM, NULL)
                                                           : __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size)
{
    if (fails(ALLOCATIONS, __builtin_return_address(0)))
        return ENOMEM;
    *result = __libc_memalign(alignment, size);
    return *result ? 0 : ENOMEM;
}

/* ---- threads and descriptors ---- */

int pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*begin_at)(void *), void *data)
{
    if (fails(THREADS, __builtin_return_address(0)))
        return EAGAIN;
    return REAL(pthread_create)(thread, attributes, begin_at, data);
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        mode_t mode = mode_of(flags, arguments);                                                   \
        va_end(arguments);                                                                         \
        if (fails(OPENS, __builtin_return_address(0)))                                             \
            return errno = EMFILE, -1;                                                             \
        return REAL(name)(path, flags, mode);                                                      \
    }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                                \
    FILE *name(const char *path, const char *how)                                                  \
    {                                                                                              \
        if (fails(OPENS, __builtin_return_address(0)))                                             \
            return errno = EMFILE, NULL;                                                           \
        return REAL(name)(path, how);                                                              \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* ---- disks ---- */

static int on_disk(int file)
{
    const char *disk = getenv("FAULTS_DISK");
    char name[64], target[4096];
    ssize_t length;

    if (!disk)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    length = readlink(name, target, sizeof target - 1);
    return length > 0 && strncmp(target, disk, strlen(disk)) == 0;
}

ssize_t read(int file, void *to, size_t size)
{
    if (control && (control[DELAY] || control[BROKEN]) && on_disk(file)) {
        usleep(control[DELAY] * 1000);
        if (control[BROKEN] && ++reads >= control[BROKEN])
            return errno = EIO, -1;
    }
    return REAL(read)(file, to, size);
}

/* ---- the wall clock ---- */

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = REAL(clock_gettime)(clock, time);

    if (control && result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += control[CLOCK];
    return result;
}

int gettimeofday(struct timeval *time, void *zone)
{
    int result = REAL(gettimeofday)(time, zone);

    if (control && result == 0)
        time->tv_sec += control[CLOCK];
    return result;
}

time_t time(time_t *to)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (to)
        *to = now.tv_sec;
    return now.tv_sec;
}
