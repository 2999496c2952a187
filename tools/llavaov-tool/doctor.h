/* SPDX-License-Identifier: Apache-2.0
 * What the parts of `doctor` share. Each looks at one side of an installation and says what it finds.
 *
 * GStreamer is asked by running gst-inspect-1.0, as a user would: that sees the environment, registry and plugin path that
 * gst-launch-1.0 would see, a plugin that crashes takes nothing else along, and this program needs no GStreamer to say that
 * there is none. What loads foreign code here (a plugin, a driver) runs in a child for the same reason. */
#ifndef LV_DOCTOR_H
#define LV_DOCTOR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Doctor {
    const char *root;   /* what /dev, /proc and /sys are looked for below; "" as a rule */
    const char *model;  /* --model or LLAVAOV_MODEL, or NULL */
    const char *device; /* --device, or NULL */
    unsigned n_wrong;
} Doctor;

__attribute__((format(printf, 1, 2))) void doctor_good(const char *format, ...);
/* Something that some will miss. command: what to type, or NULL. */
__attribute__((format(printf, 2, 3))) void doctor_note(
    const char *command, const char *format, ...);
/* Something without which there are no answers. */
__attribute__((format(printf, 3, 4))) void doctor_wrong(
    Doctor *doctor, const char *command, const char *format, ...);

/* The one or the other. */
__attribute__((format(printf, 4, 5))) void doctor_trouble(
    Doctor *doctor, bool is_wrong, const char *command, const char *format, ...);

void doctor_gstreamer(Doctor *doctor);
/* The plugin is not found by GStreamer: why. own_folder: where GStreamer's own plugins are, or "". */
void doctor_plugin(Doctor *doctor, const char *own_folder);
void doctor_model(Doctor *doctor);
void doctor_gpu(Doctor *doctor);

/* Runs a program with its output in `out` (cut off, always ended); true where it ended with 0 within ten seconds. status: the
 * exit status, 127 where there is no such program, negative for a signal; NULL is allowed. */
bool doctor_run(const char *const *arguments, char *out, size_t size, int *status);
/* The same with a function of this program, which writes to standard output and returns the exit status. */
bool doctor_call(
    int (*function)(const void *data), const void *data, char *out, size_t size, int *status);

/* Whether root/path is there; a path of "/proc/..." and the like. */
bool doctor_has(const Doctor *doctor, const char *path);
/* Its first bytes as text; false where it cannot be read. */
bool doctor_read(const Doctor *doctor, const char *path, char *text, size_t size);

#endif
