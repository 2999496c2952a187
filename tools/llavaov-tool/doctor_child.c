/* SPDX-License-Identifier: Apache-2.0
 * doctor: other programs, and code that may not come back. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"

#define SECONDS 10

static long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

/* Until the child closes its output, or has had its time. */
static bool read_all(int from, char *out, size_t size)
{
    const long end = milliseconds() + SECONDS * 1000L;
    size_t used = 0;
    for (;;) {
        char rest[4096];
        const bool full = used + 1 >= size;
        struct pollfd ready = {from, POLLIN, 0};
        const long left = end - milliseconds();
        if (left <= 0 || poll(&ready, 1, (int)left) <= 0)
            return false;
        const ssize_t n =
            read(from, full ? rest : out + used, full ? sizeof rest : size - used - 1);
        if (n <= 0)
            return n == 0;
        if (!full)
            used += (size_t)n;
        out[used] = '\0';
    }
}

static bool finish(pid_t child, int from, char *out, size_t size, int *status)
{
    int how = 0, unused;
    out[0] = '\0';
    if (!read_all(from, out, size))
        kill(child, SIGKILL);
    close(from);
    if (waitpid(child, &how, 0) != child)
        how = -1;
    *(status ? status : &unused) = WIFEXITED(how) ? WEXITSTATUS(how) : -WTERMSIG(how);
    return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

/* In the child: 0; in this process the child's id, or -1. */
static pid_t start(int *from)
{
    int ends[2];
    if (pipe(ends))
        return -1;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        return 0;
    }
    close(ends[1]);
    *from = ends[0];
    if (child < 0)
        close(ends[0]);
    return child;
}

bool doctor_run(const char *const *arguments, char *out, size_t size, int *status)
{
    int from = -1;
    const pid_t child = start(&from);
    if (child == 0) {
        execvp(arguments[0], (char *const *)(size_t)arguments);
        _exit(127);
    }
    return child > 0 && finish(child, from, out, size, status);
}

bool doctor_call(
    int (*function)(const void *data), const void *data, char *out, size_t size, int *status)
{
    int from = -1;
    const pid_t child = start(&from);
    if (child == 0) {
        const int result = function(data);
        fflush(NULL);
        _exit(result);
    }
    return child > 0 && finish(child, from, out, size, status);
}
