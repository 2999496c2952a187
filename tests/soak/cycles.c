/* SPDX-License-Identifier: Apache-2.0
 * Up and down again: NULL -> PLAYING -> NULL; descriptors and threads must be after the last cycle
 * what they were after the tenth.
 *
 *   cycles [--cycles N] [--launch TEXT]
 */
#include "soak.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    gint cycles = 1000;
    gchar *launch = NULL;
    GOptionEntry options[] = {
        {"cycles", 0, 0, G_OPTION_ARG_INT, &cycles, "how often (1000)", "N"},
        {"launch", 0, 0, G_OPTION_ARG_STRING, &launch, "the pipeline", "TEXT"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(NULL);
    guint descriptors = 0, threads = 0;
    gint64 memory = 0;
    GstElement *pipeline;
    gboolean good;

    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, NULL))
        return 2;
    g_option_context_free(context);

    /* One pipeline, so that the element's own way back to NULL is what is repeated. */
    pipeline =
        soak_launch(launch ? launch
                           : "videotestsrc is-live=true ! video/x-raw,width=320,height=240 ! "
                             "llavaov name=x window=200000000 frames=2 ! fakesink");
    for (gint i = 1; i <= cycles; i++) {
        soak_set_state(pipeline, GST_STATE_PLAYING, GST_CLOCK_TIME_NONE);
        /* Every place of a cycle is met: at once, while the model loads, with frames, with an
         * answer under way. */
        soak_watch(pipeline, (i % 10) * 0.05, NULL, NULL);
        soak_set_state(pipeline, GST_STATE_NULL, GST_CLOCK_TIME_NONE);
        if (i == MIN(10, cycles)) {
            g_usleep(G_USEC_PER_SEC);
            descriptors = soak_descriptors();
            threads = soak_threads();
            memory = soak_memory("Rss");
        }
    }
    g_usleep(G_USEC_PER_SEC);
    printf(
        "resident memory: %+" G_GINT64_FORMAT " KiB since cycle 10\n", soak_memory("Rss") - memory);
    good = soak_verdict(soak_descriptors() == descriptors && soak_threads() == threads,
        "after %d cycles: %u descriptors (%u after the tenth), %u threads (%u)", cycles,
        soak_descriptors(), descriptors, soak_threads(), threads);
    gst_object_unref(pipeline);
    g_free(launch);
    return good ? 0 : 1;
}
