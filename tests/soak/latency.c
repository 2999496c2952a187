/* SPDX-License-Identifier: Apache-2.0
 * What the element adds to the live video path, against `identity`, and how memory grows while
 * answers are slow.
 *
 *   latency [--seconds N] [--set property=value]...
 *
 * Every frame of a 25 fps live source crosses identity, llavaovelement, identity; each crossing is
 * timed from pad to pad, and "added" is the element's minus the mean of its two neighbours.
 * Lateness is the clock at the sink minus the frame's own time; it is also taken on a pipeline of
 * identities alone, one minute before and one after. Asked for by the contract: added median <= 0.2
 * ms, 99.9 % <= 5 ms; growth of resident memory after minute 2 <= 2 MB.
 */
#include "soak.h"

#include <stdio.h>
#include <string.h>

#define SOURCE                                                                                     \
    "videotestsrc is-live=true pattern=ball ! "                                                    \
    "video/x-raw,format=I420,width=640,height=480,framerate=25/1 ! "
#define NAMES 3
#define WARM_UP 2.0 /* seconds: the first frames allocate */

typedef struct Trial {
    gdouble started, entered[NAMES], crossed[NAMES];
    GArray *added, *lateness;
    GstElement *pipeline;
} Trial;

typedef struct Probe {
    Trial *trial;
    int index;
} Probe;

static gdouble precise_now(void)
{
    return (gdouble)gst_util_get_timestamp() / GST_SECOND;
}

static GstPadProbeReturn on_enter(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Probe *probe = data;

    probe->trial->entered[probe->index] = precise_now();
    return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn on_leave(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Probe *probe = data;
    Trial *trial = probe->trial;
    gdouble now = precise_now(), value;

    trial->crossed[probe->index] = now - trial->entered[probe->index];
    if (probe->index != NAMES - 1 || soak_now() < trial->started + WARM_UP)
        return GST_PAD_PROBE_OK;
    value = 1e3 * (trial->crossed[1] - 0.5 * (trial->crossed[0] + trial->crossed[2]));
    g_array_append_val(trial->added, value);

    GstClock *clock = gst_element_get_clock(trial->pipeline);
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);

    if (clock && GST_BUFFER_PTS_IS_VALID(buffer)) {
        GstClockTime running =
            gst_clock_get_time(clock) - gst_element_get_base_time(trial->pipeline);

        value = 1e3 * ((gdouble)running - (gdouble)GST_BUFFER_PTS(buffer)) / GST_SECOND;
        g_array_append_val(trial->lateness, value);
    }
    if (clock)
        gst_object_unref(clock);
    return GST_PAD_PROBE_OK;
}

static Trial trial_open(const gchar *middle, Probe probes[NAMES])
{
    static const gchar *const names[NAMES] = {"a", "x", "b"};
    gchar *text = g_strdup_printf(
        SOURCE "identity name=a ! %s name=x ! identity name=b ! fakesink sync=false", middle);
    Trial trial = {.pipeline = soak_launch(text),
        .added = g_array_new(FALSE, FALSE, sizeof(gdouble)),
        .lateness = g_array_new(FALSE, FALSE, sizeof(gdouble))};

    for (int i = 0; i < NAMES; i++) {
        GstElement *element = gst_bin_get_by_name(GST_BIN(trial.pipeline), names[i]);
        GstPad *sink = gst_element_get_static_pad(element, "sink");
        GstPad *src = gst_element_get_static_pad(element, "src");

        gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_BUFFER, on_enter, &probes[i], NULL);
        gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, on_leave, &probes[i], NULL);
        gst_object_unref(sink);
        gst_object_unref(src);
        gst_object_unref(element);
    }
    g_free(text);
    return trial;
}

static void trial_close(Trial *trial)
{
    g_array_unref(trial->added);
    g_array_unref(trial->lateness);
}

/* A minute (or a tenth of the run) of identities alone: what the machine itself does to a live
 * stream. */
static gdouble machine_lateness(gdouble seconds, gdouble share)
{
    Trial trial;
    Probe probes[NAMES] = {{&trial, 0}, {&trial, 1}, {&trial, 2}};
    gdouble result;

    trial = trial_open("identity", probes);
    trial.started = soak_now();
    soak_set_state(trial.pipeline, GST_STATE_PLAYING, GST_CLOCK_TIME_NONE);
    soak_watch(trial.pipeline, seconds, NULL, NULL);
    soak_stop(trial.pipeline);
    printf("machine alone: lateness median %.3f ms, 99.9 %% %.3f ms\n",
        soak_percentile(trial.lateness, 0.5), soak_percentile(trial.lateness, 0.999));
    result = soak_percentile(trial.lateness, share);
    trial_close(&trial);
    return result;
}

int main(int argc, char **argv)
{
    gint seconds = 600;
    gchar **properties = NULL;
    GOptionEntry options[] = {
        {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "length of the run (600)", "N"},
        {"set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &properties, "a property of the element",
            "NAME=VALUE"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(NULL);
    guint answers = 0, dropped = 0;
    gint64 settled = 0, highest = 0;
    gdouble alone, settle;
    gboolean good;

    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, NULL))
        return 2;
    g_option_context_free(context);

    settle = MIN(120.0, seconds / 3.0);
    alone = machine_lateness(MIN(60.0, seconds / 10.0 + WARM_UP), 0.5);

    Trial trial;
    Probe probes[NAMES] = {{&trial, 0}, {&trial, 1}, {&trial, 2}};
    trial = trial_open("llavaovelement", probes);
    GstElement *element = gst_bin_get_by_name(GST_BIN(trial.pipeline), "x");

    soak_apply(element, properties);
    /* So that the arrays do not grow while memory is watched. */
    g_array_set_size(trial.added, seconds * 26);
    g_array_set_size(trial.lateness, seconds * 26);
    memset(trial.added->data, 1, trial.added->len * sizeof(gdouble));
    memset(trial.lateness->data, 1, trial.lateness->len * sizeof(gdouble));
    g_array_set_size(trial.added, 0);
    g_array_set_size(trial.lateness, 0);

    gdouble start = soak_now();
    trial.started = start;
    soak_set_state(trial.pipeline, GST_STATE_PLAYING, GST_CLOCK_TIME_NONE);
    while (soak_now() < start + seconds) {
        gint64 resident;

        soak_watch(trial.pipeline, 5, &answers, &dropped);
        resident = soak_memory("Rss");
        if (soak_now() < start + settle)
            settled = MAX(settled, resident);
        else
            highest = MAX(highest, resident);
    }
    guint64 reported = soak_stat(element, "dropped-windows");
    gst_object_unref(element);
    soak_stop(trial.pipeline);
    alone = MIN(alone, machine_lateness(MIN(60.0, seconds / 10.0 + WARM_UP), 0.5));

    gdouble median = soak_percentile(trial.added, 0.5), tail = soak_percentile(trial.added, 0.999);
    printf("%u frames, %u answers, %u QOS messages, dropped-windows %" G_GUINT64_FORMAT "\n",
        trial.added->len, answers, dropped, reported);
    printf("with the element: lateness median %.3f ms (%+.3f), 99.9 %% %.3f ms\n",
        soak_percentile(trial.lateness, 0.5), soak_percentile(trial.lateness, 0.5) - alone,
        soak_percentile(trial.lateness, 0.999));
    good = soak_verdict(median <= 0.2 && tail <= 5.0,
        "latency added to the video path: median %.4f ms (<= 0.2), 99.9 %% %.4f ms (<= 5)", median,
        tail);
    good &= soak_verdict(dropped == reported,
        "every dropped window is told twice: %u and %" G_GUINT64_FORMAT, dropped, reported);
    good &= soak_verdict(highest - settled <= 2048,
        "resident memory after %.0f s: %+" G_GINT64_FORMAT " KiB (<= 2048)", settle,
        highest - settled);
    trial_close(&trial);
    g_strfreev(properties);
    return good ? 0 : 1;
}
