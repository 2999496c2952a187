/* SPDX-License-Identifier: Apache-2.0
 * llavaov-motion: what trigger=motion makes of a clip, so that min-change and motion-mask can be
 * chosen by looking. `llavaov-tool motion` is the same. It needs no model.
 *
 *     llavaov-motion [--min-change=0.01] [--mask=X,Y,W,H;...] [--csv=FILE] [--plot=FILE.svg] CLIP|URI
 *
 * One line a check, four a second: its time in seconds, the level, whether it moves (two of three
 * checks at min-change or above), whether the scene changed, and whether that is a trigger. */
#include <stdio.h>

#include <gst/app/app.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <llavaov.h>

#include "plot.h"

#define PERIOD (250 * GST_MSECOND)

typedef struct {
    gdouble min_change;
    gchar *mask, *csv, *plot;
    gchar **files;
} Options;

typedef struct {
    LlavaovMotion *motion;
    const Options *options;
    FILE *csv;
    GArray *checks;
    guint *heat, side;
    GstClockTime next;
    gboolean moving;
    guint triggers;
} Film;

static gboolean fail(const gchar *text)
{
    g_printerr("llavaov-motion: %s\n", text);
    return FALSE;
}

static void set_image(LlavaovImage *image, const GstVideoFrame *frame)
{
    *image = (LlavaovImage){.format = GST_VIDEO_FRAME_FORMAT(frame) == GST_VIDEO_FORMAT_NV12
                                          ? LLAVAOV_PIXEL_NV12
                                          : LLAVAOV_PIXEL_I420,
        .width = (guint)GST_VIDEO_FRAME_WIDTH(frame),
        .height = (guint)GST_VIDEO_FRAME_HEIGHT(frame)};
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(frame); i++) {
        image->plane[i] = GST_VIDEO_FRAME_PLANE_DATA(frame, i);
        image->stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(frame, i);
    }
}

static void put_line(Film *film, const ClipCheck *check, gboolean trigger)
{
    gchar time[G_ASCII_DTOSTR_BUF_SIZE], level[G_ASCII_DTOSTR_BUF_SIZE];
    fprintf(film->csv, "%s,%s,%d,%d,%d\n", g_ascii_formatd(time, sizeof time, "%.3f", check->time),
        g_ascii_formatd(level, sizeof level, "%.4f", check->level), check->moving,
        check->scene_change, trigger);
}

static void note(Film *film, const LlavaovMotionSeen *seen, GstClockTime time)
{
    const ClipCheck check = {
        (gdouble)time / GST_SECOND, seen->level, seen->moving, seen->scene_change};
    const gboolean trigger = seen->scene_change || (seen->moving && !film->moving);
    uint32_t side;
    const uint8_t *changed = llavaov_motion_blocks(film->motion, &side);
    if (!film->heat) {
        film->side = side;
        film->heat = g_new0(guint, side * side);
    }
    for (guint i = 0; i < side * side && !seen->scene_change; i++)
        film->heat[i] += changed[i];
    film->moving = seen->moving;
    film->triggers += trigger;
    g_array_append_val(film->checks, check);
    put_line(film, &check, trigger);
}

/* FALSE: it has said why. */
static gboolean look(Film *film, GstSample *sample)
{
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    const GstSegment *segment = gst_sample_get_segment(sample);
    GstClockTime time = gst_segment_to_running_time(segment, GST_FORMAT_TIME,
        GST_BUFFER_PTS_IS_VALID(buffer) ? GST_BUFFER_PTS(buffer) : GST_BUFFER_DTS(buffer));
    LlavaovMotionSeen seen = {.size = sizeof seen};
    LlavaovImage image;
    LlavaovError error;
    GstVideoInfo info;
    GstVideoFrame frame;
    LlavaovStatus status;
    if (!GST_CLOCK_TIME_IS_VALID(time) || time < film->next)
        return TRUE;
    film->next = film->next + PERIOD > time ? film->next + PERIOD : time + PERIOD;
    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) ||
        !gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ))
        return fail("a frame cannot be read");
    set_image(&image, &frame);
    status =
        llavaov_motion_look(film->motion, &image, time, film->options->min_change, &seen, &error);
    gst_video_frame_unmap(&frame);
    if (status != LLAVAOV_OK)
        return fail(error.message);
    note(film, &seen, time);
    return TRUE;
}

/* FALSE: the pipeline has had an error, which it has said. */
static gboolean is_well(GstElement *pipeline, const gchar *file)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    GError *error = NULL;
    gchar *text;
    gst_object_unref(bus);
    if (!message)
        return TRUE;
    gst_message_parse_error(message, &error, NULL);
    text = g_strdup_printf("%s: %s", file, error->message);
    fail(text);
    g_free(text);
    g_error_free(error);
    gst_message_unref(message);
    return FALSE;
}

static gboolean watch(Film *film, GstElement *pipeline)
{
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    gboolean good = TRUE;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    while (good && !gst_app_sink_is_eos(GST_APP_SINK(sink))) {
        GstSample *sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink), 100 * GST_MSECOND);
        good = sample ? look(film, sample) : is_well(pipeline, film->options->files[0]);
        if (sample)
            gst_sample_unref(sample);
    }
    good = good && is_well(pipeline, film->options->files[0]);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(sink);
    if (good && film->checks->len == 0)
        return fail("there was not a single picture");
    return good;
}

static GstElement *make_pipeline(const gchar *file)
{
    GError *error = NULL;
    gchar *uri = gst_uri_is_valid(file) ? g_strdup(file) : gst_filename_to_uri(file, &error);
    GstElement *pipeline = NULL, *source;
    if (uri)
        pipeline =
            gst_parse_launch("uridecodebin name=source caps=\"video/x-raw(ANY)\" ! videoconvert ! "
                             "video/x-raw, format={I420,NV12} ! "
                             "appsink name=sink sync=false max-buffers=4",
                &error);
    if (!pipeline) {
        fail(error ? error->message : "no pipeline");
        g_clear_error(&error);
        g_free(uri);
        return NULL;
    }
    source = gst_bin_get_by_name(GST_BIN(pipeline), "source");
    g_object_set(source, "uri", uri, NULL);
    gst_object_unref(source);
    g_free(uri);
    return pipeline;
}

static gboolean run(const Options *options)
{
    Film film = {.options = options, .motion = llavaov_motion_new(), .csv = stdout};
    GstElement *pipeline = NULL;
    LlavaovError mask_error;
    GError *error = NULL;
    gboolean good;
    film.checks = g_array_new(FALSE, FALSE, sizeof(ClipCheck));
    if (llavaov_motion_set_mask(film.motion, options->mask, &mask_error) != LLAVAOV_OK)
        good = fail(mask_error.message);
    else if (options->csv && !(film.csv = fopen(options->csv, "w")))
        good = fail("the CSV file cannot be written");
    else
        good = (pipeline = make_pipeline(options->files[0])) != NULL;
    if (good) {
        fprintf(film.csv, "time,level,moving,scene-change,trigger\n");
        good = watch(&film, pipeline);
    }
    if (film.csv && film.csv != stdout && fclose(film.csv) != 0)
        good = fail("the CSV file cannot be written");
    if (good && options->plot &&
        !plot_write(options->plot, options->files[0], film.checks, options->min_change, film.heat,
            film.side, &error)) {
        good = fail(error->message);
        g_error_free(error);
    }
    if (good)
        g_printerr("%u checks, %u triggers\n", film.checks->len, film.triggers);
    gst_clear_object(&pipeline);
    g_array_unref(film.checks);
    g_free(film.heat);
    llavaov_motion_free(film.motion);
    return good;
}

int main(int argc, char **argv)
{
    Options options = {.min_change = 0.01};
    const GOptionEntry entries[] = {
        {"min-change", 0, 0, G_OPTION_ARG_DOUBLE, &options.min_change, "as the property", "SHARE"},
        {"mask", 0, 0, G_OPTION_ARG_STRING, &options.mask, "as the property motion-mask",
            "X,Y,W,H;..."},
        {"csv", 0, 0, G_OPTION_ARG_FILENAME, &options.csv, "instead of standard output", "FILE"},
        {"plot", 0, 0, G_OPTION_ARG_FILENAME, &options.plot, "draw it as well", "FILE.svg"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.files, NULL, "CLIP|URI"},
        {0}};
    GOptionContext *context = g_option_context_new("- what trigger=motion makes of a clip");
    GError *error = NULL;
    gboolean good;
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    good = g_option_context_parse(context, &argc, &argv, &error);
    if (!good) {
        fail(error->message);
        g_error_free(error);
    } else if (!options.files || options.files[1]) {
        good = fail("one clip is wanted; --help says more");
    } else if (!(options.min_change >= 0 && options.min_change <= 1)) {
        good = fail("--min-change: a share from 0 to 1 is wanted");
    } else {
        good = run(&options);
    }
    g_option_context_free(context);
    g_free(options.mask);
    g_free(options.csv);
    g_free(options.plot);
    g_strfreev(options.files);
    return good ? 0 : 1;
}
