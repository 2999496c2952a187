/* SPDX-License-Identifier: Apache-2.0 */
#include "soak.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void give_up(GstMessage *message)
{
    GError *error = NULL;
    gchar *debug = NULL;

    gst_message_parse_error(message, &error, &debug);
    fprintf(stderr, "%s: %s\n%s\n", GST_OBJECT_NAME(GST_MESSAGE_SRC(message)), error->message,
        debug ? debug : "");
    exit(2);
}

GstElement *soak_launch(const gchar *text)
{
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(text, &error);

    if (error || !pipeline) {
        fprintf(stderr, "%s\nin: %s\n", error ? error->message : "no pipeline", text);
        exit(2);
    }
    return pipeline;
}

void soak_set_state(GstElement *pipeline, GstState state, GstClockTime limit)
{
    GstBus *bus = gst_element_get_bus(pipeline);

    if (gst_element_set_state(pipeline, state) == GST_STATE_CHANGE_FAILURE ||
        gst_element_get_state(pipeline, NULL, NULL, limit) == GST_STATE_CHANGE_FAILURE) {
        GstMessage *message = gst_bus_timed_pop_filtered(bus, GST_SECOND, GST_MESSAGE_ERROR);

        if (message)
            give_up(message);
        fprintf(stderr, "no change to %s\n", gst_element_state_get_name(state));
        exit(2);
    }
    gst_object_unref(bus);
}

gdouble soak_stop(GstElement *pipeline)
{
    gdouble start = soak_now(), seconds;

    gst_element_set_state(pipeline, GST_STATE_NULL);
    seconds = soak_now() - start;
    gst_object_unref(pipeline);
    return seconds;
}

gboolean soak_watch(GstElement *pipeline, gdouble seconds, guint *answers, guint *dropped)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    gdouble end = soak_now() + seconds;
    gboolean going = TRUE;

    for (gdouble left; going && (left = end - soak_now()) > 0;) {
        GstMessage *message = gst_bus_timed_pop(bus, (GstClockTime)(left * GST_SECOND));

        if (!message)
            break;
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
            give_up(message);
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
            going = FALSE;
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_QOS && dropped)
            ++*dropped;
        if (gst_message_has_name(message, "llavaov-answer") && answers)
            ++*answers;
        gst_message_unref(message);
    }
    gst_object_unref(bus);
    return going;
}

gdouble soak_now(void)
{
    return (gdouble)g_get_monotonic_time() / G_USEC_PER_SEC;
}

gint64 soak_memory(const gchar *field)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    gint64 kilobytes = -1;
    size_t length = strlen(field);

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, length) == 0 && line[length] == ':')
            kilobytes = g_ascii_strtoll(line + length + 1, NULL, 10);
    if (file)
        fclose(file);
    return kilobytes;
}

static guint entries(const gchar *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    guint count = 0;

    while (dir && g_dir_read_name(dir))
        count++;
    if (dir)
        g_dir_close(dir);
    return count;
}

guint soak_descriptors(void)
{
    return entries("/proc/self/fd") - 1; /* the folder itself is open while it is read */
}

guint soak_threads(void)
{
    return entries("/proc/self/task");
}

guint64 soak_stat(GstElement *element, const gchar *name)
{
    GstStructure *stats = NULL;
    guint64 wide = 0;
    guint narrow = 0;

    g_object_get(element, "stats", &stats, NULL);
    if (stats && !gst_structure_get_uint64(stats, name, &wide) &&
        gst_structure_get_uint(stats, name, &narrow))
        wide = narrow;
    if (stats)
        gst_structure_free(stats);
    return wide;
}

static gint compare(gconstpointer a, gconstpointer b)
{
    gdouble left = *(const gdouble *)a, right = *(const gdouble *)b;

    return (left > right) - (left < right);
}

gdouble soak_percentile(GArray *doubles, gdouble share)
{
    gdouble rank = ceil(share * doubles->len);

    if (doubles->len == 0)
        return NAN;
    g_array_sort(doubles, compare);
    return g_array_index(doubles, gdouble, (guint)CLAMP(rank - 1, 0, doubles->len - 1));
}

gboolean soak_verdict(gboolean pass, const gchar *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    printf("%s ", pass ? "PASS" : "FAIL");
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    va_end(arguments);
    return pass;
}

void soak_apply(GstElement *element, gchar **properties)
{
    for (gchar **property = properties; property && *property; property++) {
        gchar **parts = g_strsplit(*property, "=", 2);

        if (!parts[0] || !parts[1] ||
            !g_object_class_find_property(G_OBJECT_GET_CLASS(element), parts[0])) {
            fprintf(stderr, "not property=value: %s\n", *property);
            exit(2);
        }
        gst_util_set_object_arg(G_OBJECT(element), parts[0], parts[1]);
        g_strfreev(parts);
    }
}
