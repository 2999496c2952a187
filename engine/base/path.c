/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <stdio.h>
#include <sys/stat.h>

bool lv_path_join(char path[PATH_MAX], const char *folder, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

bool lv_path_exists(char path[PATH_MAX], const char *folder, const char *name)
{
    struct stat info;
    return lv_path_join(path, folder, name) && !lstat(path, &info);
}
