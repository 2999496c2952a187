/* SPDX-License-Identifier: Apache-2.0
 * What four elements cost more than one: they share one engine, so weights must count once.
 *
 *   sharing [--model DIR] [--elements N]
 *
 * Without --elements the program runs itself with 1 and with 4 and compares. Each element answers
 * once about a video of its own; the proportional set size is read when the last answer is there.
 * Asked for by the contract: at most 400 MB more.
 */
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>

static gint64 measure(gint elements, const gchar *model)
{
    static const gchar *const patterns[] = {"ball", "snow", "smpte", "black"};
    GString *text = g_string_new(NULL);
    GstElement *pipeline;
    guint answers = 0;
    gint64 memory;

    for (gint i = 0; i < elements; i++)
        g_string_append_printf(text,
            "videotestsrc pattern=%s num-buffers=20 ! "
            "video/x-raw,width=384,height=384,framerate=10/1 "
            "! llavaovelement name=x%d stream-name=%d frames=1 window=1000000000 max-new-tokens=8 "
            "! "
            "fakesink ",
            patterns[i % G_N_ELEMENTS(patterns)], i, i);
    pipeline = soak_launch(text->str);
    for (gint i = 0; model && i < elements; i++) {
        gchar *name = g_strdup_printf("x%d", i);
        GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline), name);

        g_object_set(element, "model-path", model, NULL);
        gst_object_unref(element);
        g_free(name);
    }
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    while (answers < (guint)elements && soak_watch(pipeline, 1, &answers, NULL))
        ;
    memory = soak_memory("Pss");
    soak_stop(pipeline);
    g_string_free(text, TRUE);
    return memory;
}

static gint64 measure_in_child(const gchar *program, gint elements, const gchar *model)
{
    gchar *count = g_strdup_printf("%d", elements), *output = NULL;
    const gchar *arguments[] = {
        program, "--elements", count, model ? "--model" : NULL, model, NULL};
    gint64 memory = -1;

    if (g_spawn_sync(NULL, (gchar **)arguments, NULL, 0, NULL, NULL, &output, NULL, NULL, NULL))
        memory = g_ascii_strtoll(output, NULL, 10);
    if (memory <= 0) {
        fprintf(stderr, "the run with %s elements failed\n", count);
        exit(2);
    }
    g_free(count);
    g_free(output);
    return memory;
}

int main(int argc, char **argv)
{
    gint elements = 0;
    gchar *model = NULL;
    gint64 one, four;
    GOptionEntry options[] = {
        {"model", 0, 0, G_OPTION_ARG_FILENAME, &model, "checkpoint folder", "DIR"},
        {"elements", 0, 0, G_OPTION_ARG_INT, &elements, "only print the size with so many", "N"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(NULL);

    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, NULL))
        return 2;
    g_option_context_free(context);
    if (elements > 0) {
        printf("%" G_GINT64_FORMAT "\n", measure(elements, model));
        return 0;
    }
    one = measure_in_child(argv[0], 1, model);
    four = measure_in_child(argv[0], 4, model);
    return soak_verdict((four - one) / 1024 <= 400,
               "four elements take %+" G_GINT64_FORMAT " MB over one, which takes %" G_GINT64_FORMAT
               " MB (<= +400)",
               (four - one) / 1024, one / 1024)
               ? 0
               : 1;
}
