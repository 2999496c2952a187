/* SPDX-License-Identifier: Apache-2.0
 * motion: clips are read with GStreamer, which this program knows nothing of, so another does it:
 * llavaov-motion, from the same folder or the path. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define PROGRAM "llavaov-motion"

int tool_motion(char **argv)
{
    char path[PATH_MAX + sizeof PROGRAM];
    const ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    static char program[] = PROGRAM;
    argv[0] = program;
    if (n > 0 && n < PATH_MAX) {
        path[n] = '\0';
        char *folder = strrchr(path, '/');
        memcpy(folder ? folder + 1 : path, PROGRAM, sizeof PROGRAM);
        execv(path, argv);
    }
    execvp(PROGRAM, argv);
    fprintf(stderr, "llavaov-tool: motion needs " PROGRAM ", which is built with GStreamer: %s\n",
        strerror(errno));
    return 1;
}
