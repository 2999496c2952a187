/* SPDX-License-Identifier: Apache-2.0
 * doctor: GStreamer, the elements that video needs on its way, and whether the plugin is found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "llavaov-version.h"

#define INSPECT "gst-inspect-1.0"
#define OUTPUT_BYTES 65536
#define OLDEST_MINOR 20

/* Elements, any of which will do, and what is not possible without. */
static const struct {
    const char *names[7];
    const char *without, *package;
    bool needed;
} elements[] = {
    {{"decodebin"}, "encoded video is not decoded", "gstreamer1.0-plugins-base", true},
    {{"videoconvert"}, "encoded video is not decoded", "gstreamer1.0-plugins-base", true},
    {{"avdec_h264", "openh264dec", "vah264dec", "vaapih264dec", "nvh264dec", "v4l2h264dec"},
        "H.264 is not decoded", "gstreamer1.0-libav", false},
    {{"avdec_h265", "libde265dec", "vah265dec", "vaapih265dec", "nvh265dec", "v4l2slh265dec"},
        "H.265 is not decoded", "gstreamer1.0-libav", false},
    {{"h264parse"}, "H.264 is not parsed", "gstreamer1.0-plugins-bad", false},
    {{"h265parse"}, "H.265 is not parsed", "gstreamer1.0-plugins-bad", false},
    {{"jpegdec", "avdec_mjpeg"}, "JPEG is not decoded", "gstreamer1.0-plugins-good", false},
    {{"rtspsrc"}, "cameras are not opened by RTSP", "gstreamer1.0-plugins-good", false},
    {{"qtdemux"}, "MP4 files are not read", "gstreamer1.0-plugins-good", false},
    {{"matroskademux"}, "Matroska files are not read", "gstreamer1.0-plugins-good", false},
};

static bool exists(const char *element)
{
    char unused[256];
    /* Of whatever version: without saying so it would have to be GStreamer's own. */
    const char *const arguments[] = {INSPECT, "--exists", "--atleast-version=0.0", element, NULL};
    return doctor_run(arguments, unused, sizeof unused, NULL);
}

static void check_elements(Doctor *doctor)
{
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        bool found = false;
        char command[128];
        for (const char *const *name = elements[i].names; *name && !found; name++)
            found = exists(*name);
        if (found)
            continue;
        snprintf(command, sizeof command, "sudo apt install %s", elements[i].package);
        if (elements[i].needed)
            doctor_wrong(doctor, command, "GStreamer has no element %s: %s.", elements[i].names[0],
                elements[i].without);
        else
            doctor_note(command, "GStreamer has no element %s: %s.", elements[i].names[0],
                elements[i].without);
    }
    if (!exists("llavaovoverlay"))
        doctor_note("sudo apt install gstreamer1.0-llavaov",
            "GStreamer has no element llavaovoverlay: answers are not drawn on the video.");
}

/* The word behind "Name   word" in what gst-inspect-1.0 said of an element. */
static bool field(const char *said, const char *name, char *value, size_t size)
{
    const char *line = said;
    while (line) {
        line += *line == '\n';
        while (*line == ' ')
            line++;
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ') {
            line += strlen(name);
            line += strspn(line, " ");
            snprintf(value, size, "%.*s", (int)strcspn(line, "\n"), line);
            return true;
        }
        line = strchr(line, '\n');
    }
    return false;
}

/* Where GStreamer's own plugins are. */
static bool own_folder(char *said, char *folder, size_t size)
{
    const char *const arguments[] = {INSPECT, "fakesink", NULL};
    folder[0] = '\0';
    if (!doctor_run(arguments, said, OUTPUT_BYTES, NULL) || !field(said, "Filename", folder, size))
        return false;
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    return slash != NULL;
}

static void check_version(Doctor *doctor, const char *said)
{
    char version[64], file[PATH_MAX];
    if (!field(said, "Version", version, sizeof version))
        version[0] = '\0';
    if (!field(said, "Filename", file, sizeof file))
        file[0] = '\0';
    if (strcmp(version, LLAVAOV_VERSION) == 0)
        doctor_good("GStreamer has the element llavaov, from %s.", file);
    else
        doctor_wrong(doctor,
            getenv("GST_PLUGIN_PATH_1_0") ? "unset GST_PLUGIN_PATH_1_0"
            : getenv("GST_PLUGIN_PATH")
                ? "unset GST_PLUGIN_PATH"
                : "sudo apt install --reinstall gstreamer1.0-llavaov libllavaov0 llavaov-tools",
            "GStreamer takes the plugin of another version than this program, %s from %s.", version,
            file);
}

static bool check_gstreamer(Doctor *doctor, char *said)
{
    const char *const arguments[] = {INSPECT, "--version", NULL};
    int status = 0, major = 0, minor = 0;
    const char *number;
    if (!doctor_run(arguments, said, OUTPUT_BYTES, &status)) {
        if (status == 127)
            doctor_wrong(doctor, "sudo apt install gstreamer1.0-tools",
                "There is no program " INSPECT ": GStreamer is not installed, or not on PATH.");
        else
            doctor_wrong(doctor,
                "sudo apt install --reinstall gstreamer1.0-tools libgstreamer1.0-0",
                INSPECT " does not run: %.*s", (int)strcspn(said, "\n"), said);
        return false;
    }
    number = strstr(said, "GStreamer ");
    if (!number || sscanf(number, "GStreamer %d.%d", &major, &minor) != 2 || major != 1 ||
        minor < OLDEST_MINOR) {
        doctor_wrong(doctor, "sudo apt full-upgrade",
            "This GStreamer is too old (%d.%d; 1.%d is wanted, which Debian has since 12).", major,
            minor, OLDEST_MINOR);
        return false;
    }
    doctor_good("GStreamer %d.%d", major, minor);
    return true;
}

void doctor_gstreamer(Doctor *doctor)
{
    char said[OUTPUT_BYTES], folder[PATH_MAX];
    const char *const arguments[] = {INSPECT, "llavaov", NULL};
    if (!check_gstreamer(doctor, said))
        return;
    if (!own_folder(said, folder, sizeof folder)) {
        if (getenv("GST_PLUGIN_SYSTEM_PATH_1_0") || getenv("GST_PLUGIN_SYSTEM_PATH"))
            doctor_wrong(doctor, "unset GST_PLUGIN_SYSTEM_PATH_1_0 GST_PLUGIN_SYSTEM_PATH",
                "GStreamer does not find its own elements: GST_PLUGIN_SYSTEM_PATH names another "
                "place.");
        else
            doctor_wrong(doctor, "sudo apt install --reinstall libgstreamer1.0-0",
                "GStreamer does not find its own elements.");
        return;
    }
    if (doctor_run(arguments, said, sizeof said, NULL))
        check_version(doctor, said);
    else
        doctor_plugin(doctor, folder);
    check_elements(doctor);
}
