/* SPDX-License-Identifier: Apache-2.0
 * The command line.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "config.h"

typedef struct MonitorOptions {
    ConfigOptions config;
    gboolean check, ask;
    gint count;
} MonitorOptions;

/* FALSE: it has been said what is wrong. GStreamer is initialised then or not. */
gboolean options_read(MonitorOptions *options, int *argc, char ***argv);
void options_clear(MonitorOptions *options);

#endif
