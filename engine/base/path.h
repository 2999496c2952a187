/* SPDX-License-Identifier: Apache-2.0
 * Paths of files in a folder. */
#ifndef LV_PATH_H
#define LV_PATH_H

#include <limits.h>
#include <stdbool.h>

/* path = folder/name; false: it is longer than the system allows, and cut. */
bool lv_path_join(char path[PATH_MAX], const char *folder, const char *name);

/* Joins them; whether something has that name, were it a link that leads nowhere. */
bool lv_path_exists(char path[PATH_MAX], const char *folder, const char *name);

#endif
