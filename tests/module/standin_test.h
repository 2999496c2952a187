/* SPDX-License-Identifier: Apache-2.0
 * What programs that test with the stand-in share. */
#ifndef STANDIN_TEST_H
#define STANDIN_TEST_H

#include <stdbool.h>

#include "checkpoint_writer.h"
#include "standin.h"

/* The stand-in's own functions, once it is loaded; NULL before. */
extern LvStandinCount count;
extern LvStandinFailAlloc fail_alloc;

/* Makes the module at `path` the CUDA backend; false where it is no stand-in. */
bool load_standin(const char *path);

/* Of a program with two arguments, the stand-in and the folder of the demo model. */
bool take_standin(int argc, char **argv);
extern const char *demo_model;

/* For a group of tests: a checkpoint with random weights in a new folder. 0 where that was done. */
extern char random_model[];
int write_random_model(const LvWriterSpec *spec);
int remove_random_model(void **state);

#endif
