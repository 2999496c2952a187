/* SPDX-License-Identifier: Apache-2.0
 * The cameras of the program: those that a configuration names. All functions on the thread of the
 * default main context.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "flow.h"

typedef struct Monitor Monitor;

typedef struct MonitorEvents {
    void (*on_finished)(gpointer data); /* every camera is a file at its end */
    void (*on_fatal)(gpointer data,
        const gchar *text); /* the model, the device, a property; the text has the camera's name */
    gpointer data;
} MonitorEvents;

/* Records and news of cameras go into the flow, which outlives the monitor. */
Monitor *monitor_new(RecordFlow *flow, const MonitorEvents *events);
/* Starts the cameras that are new, stops those that are not in it any more, starts those anew that are to be otherwise, and
 * does not touch the others. */
void monitor_apply(Monitor *monitor, const Config *config);
/* Of Camera, in the order of the configuration; until the next monitor_apply(). */
const GPtrArray *monitor_cameras(const Monitor *monitor);
/* NULL: there is none of this name. */
Camera *monitor_find(const Monitor *monitor, const gchar *name);
/* Stops all cameras: no record comes any more. */
void monitor_stop(Monitor *monitor);
void monitor_free(Monitor *monitor);

#endif
