/* SPDX-License-Identifier: Apache-2.0
 * doctor: why GStreamer does not find the plugin. */
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define FILE_NAME "libgstllavaov.so"
#define AGAIN "sudo apt install --reinstall gstreamer1.0-llavaov libllavaov0"
#define MOST_FOLDERS 16

typedef struct Folders {
    char path[MOST_FOLDERS][PATH_MAX];
    size_t n;
} Folders;

static void add(Folders *folders, const char *path, size_t n)
{
    if (n && n < PATH_MAX && folders->n < MOST_FOLDERS)
        snprintf(folders->path[folders->n++], PATH_MAX, "%.*s", (int)n, path);
}

static const char *variable(const char *name)
{
    char newer[64];
    snprintf(newer, sizeof newer, "%s_1_0", name);
    const char *value = getenv(newer);
    return value ? value : getenv(name);
}

/* Each of a list between colons. */
static void add_list(Folders *folders, const char *list)
{
    while (list && *list) {
        const size_t n = strcspn(list, ":");
        add(folders, list, n);
        list += n + (list[n] == ':');
    }
}

/* Where GStreamer looks. */
static void find_searched(Folders *folders, const char *own_folder)
{
    const char *system = variable("GST_PLUGIN_SYSTEM_PATH");
    add_list(folders, variable("GST_PLUGIN_PATH"));
    if (system) {
        add_list(folders, system);
        return;
    }
    char home[PATH_MAX];
    const char *data = getenv("XDG_DATA_HOME");
    int n = data ? snprintf(home, sizeof home, "%s/gstreamer-1.0/plugins", data)
                 : snprintf(home, sizeof home, "%s/.local/share/gstreamer-1.0/plugins",
                       getenv("HOME") ? getenv("HOME") : "");
    add(folders, home, n > 0 ? (size_t)n : 0);
    add(folders, own_folder, strlen(own_folder));
}

/* Where it may have been put: from where this program is on, and in the usual places. */
static void find_usual(Folders *folders)
{
    static const char *const below[] = {
        "../lib/*/gstreamer-1.0", "../lib/gstreamer-1.0", "../lib64/gstreamer-1.0", "../../gst"};
    static const char *const usual[] = {"/usr/lib/*/gstreamer-1.0", "/usr/lib/gstreamer-1.0",
        "/usr/lib64/gstreamer-1.0", "/usr/local/lib/*/gstreamer-1.0",
        "/usr/local/lib/gstreamer-1.0", "/usr/local/lib64/gstreamer-1.0"};
    char here[PATH_MAX], pattern[PATH_MAX + 64];
    const ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
    here[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(here, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < sizeof below / sizeof *below + sizeof usual / sizeof *usual; i++) {
        const size_t k = i - sizeof below / sizeof *below;
        glob_t found;
        if (i < sizeof below / sizeof *below)
            snprintf(pattern, sizeof pattern, "%s/%s", here, below[i]);
        else
            snprintf(pattern, sizeof pattern, "%s", usual[k]);
        if (glob(pattern, 0, NULL, &found) == 0) {
            for (size_t j = 0; j < found.gl_pathc; j++) {
                char real[PATH_MAX];
                if (realpath(found.gl_pathv[j], real))
                    add(folders, real, strlen(real));
            }
            globfree(&found);
        }
    }
}

/* The first folder that has the plugin. */
static const char *first_with(const Folders *folders, char file[PATH_MAX + 32])
{
    for (size_t i = 0; i < folders->n; i++) {
        snprintf(file, PATH_MAX + 32, "%s/" FILE_NAME, folders->path[i]);
        if (access(file, F_OK) == 0)
            return folders->path[i];
    }
    return NULL;
}

static int load(const void *file)
{
    if (dlopen(file, RTLD_NOW | RTLD_LOCAL))
        return 0;
    const char *reason = dlerror();
    printf("%s", reason ? reason : "no reason given");
    return 1;
}

static void registry_command(char *command, size_t size)
{
    const char *named = variable("GST_REGISTRY"), *cache = getenv("XDG_CACHE_HOME");
    if (named)
        snprintf(command, size, "rm %s", named);
    else if (cache)
        snprintf(command, size, "rm %s/gstreamer-1.0/registry.*.bin", cache);
    else
        snprintf(command, size, "rm ~/.cache/gstreamer-1.0/registry.*.bin");
}

/* It can be loaded, and yet GStreamer has it not. */
static void blame_registry(Doctor *doctor, const char *file)
{
    char said[65536], command[PATH_MAX + 16];
    const char *const arguments[] = {"gst-inspect-1.0", "--print-blacklist", NULL};
    const char *update = variable("GST_REGISTRY_UPDATE");
    registry_command(command, sizeof command);
    if (doctor_run(arguments, said, sizeof said, NULL) && strstr(said, FILE_NAME))
        doctor_wrong(doctor, command,
            "GStreamer has the plugin %s on its blacklist: loading it once failed, and although it "
            "would load now, the registry remembers that.",
            file);
    else if (update && strcmp(update, "no") == 0)
        doctor_wrong(doctor, "unset GST_REGISTRY_UPDATE",
            "GStreamer does not look for plugins that are new, such as %s: GST_REGISTRY_UPDATE is "
            "\"no\".",
            file);
    else
        doctor_wrong(doctor, command,
            "GStreamer looks where the plugin %s lies, and does not have it: its registry is not "
            "up to date.",
            file);
}

/* It cannot be loaded. */
static void blame_file(Doctor *doctor, const char *file, const char *reason, int status)
{
    char registry[PATH_MAX + 16], command[PATH_MAX + 256];
    registry_command(registry, sizeof registry);
    snprintf(command, sizeof command, AGAIN " && %s", registry);
    if (status < 0)
        doctor_wrong(doctor, command, "The plugin %s crashes while it is loaded (signal %d).", file,
            -status);
    else if (strstr(reason, "cannot open shared object file") && strstr(reason, "libllavaov.so")) {
        snprintf(command, sizeof command,
            "sudo apt install --reinstall libllavaov0 && sudo ldconfig && %s", registry);
        doctor_wrong(doctor, command,
            "The plugin %s cannot be loaded, its library is not found: %.300s", file, reason);
    } else if (strstr(reason, "cannot open shared object file"))
        doctor_wrong(doctor, command,
            "The plugin %s cannot be loaded, a library that it needs is not found: %.300s", file,
            reason);
    else if (strstr(reason, "undefined symbol") || strstr(reason, "version `"))
        doctor_wrong(doctor, command,
            "The plugin %s cannot be loaded, it belongs to another version of a library: %.300s",
            file, reason);
    else
        doctor_wrong(doctor, command,
            "The plugin %s cannot be loaded, the file is damaged or for another machine: %.300s",
            file, reason);
}

void doctor_plugin(Doctor *doctor, const char *own_folder)
{
    Folders searched = {.n = 0}, usual = {.n = 0};
    char file[PATH_MAX + 32], reason[4096], command[PATH_MAX + 64];
    int status = 0;
    find_searched(&searched, own_folder);
    find_usual(&usual);
    if (!first_with(&searched, file)) {
        const char *folder = first_with(&usual, file);
        if (!folder) {
            doctor_wrong(doctor, "sudo apt install gstreamer1.0-llavaov",
                "GStreamer has no element llavaov: the plugin is not installed.");
            return;
        }
        snprintf(command, sizeof command, "export GST_PLUGIN_PATH=%s", folder);
        doctor_wrong(doctor, command,
            "GStreamer has no element llavaov: the plugin lies in %s, where GStreamer does not "
            "look.",
            folder);
    } else if (access(file, R_OK) != 0) {
        snprintf(command, sizeof command, "sudo chmod a+r %s", file);
        doctor_wrong(doctor, command, "You may not read the plugin %s.", file);
    } else if (doctor_call(load, file, reason, sizeof reason, &status))
        blame_registry(doctor, file);
    else
        blame_file(doctor, file, reason, status);
}
