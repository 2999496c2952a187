/* SPDX-License-Identifier: Apache-2.0
 * Ten days of sixteen live cameras (160 camera-days) in virtual time: one frame a second on a test
 * clock, over the fake engine (tests/fake), and faults that never stop.
 *
 *   days [--days N] [--faults N] [--seed N]
 *
 * A frame's pixels are its running time in seconds, modulo 251: every answer is compared with its
 * frames' times. Behind the first day resident memory of its own may grow by 64 KiB; descriptors
 * and threads must be what they were.
 */
#include "soak.h"

#include <gst/check/gsttestclock.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define CAMERAS 16
#define HOUR (60 * 60)
#define DAY (24 * HOUR)
#define SIDE 16
#define GROWTH 64 /* KiB */

typedef struct Camera {
    GstElement *pipeline, *element;
    GstPad *pad;
    guint now;    /* s of running time */
    guint silent; /* s without a frame that are left */
    guint width;  /* of its pictures */
    gint64 shift; /* s that timestamps are ahead of running time */
    gboolean discont;
} Camera;

static struct {
    Camera cameras[CAMERAS];
    GstClock *clock;
    GRand *random;
    gint frames, answers, told, errors, wrong;
    guint counts[12];
} run;

/* ---- what is said ---- */

static gboolean is_right(const GstStructure *answer)
{
    const GValue *times = gst_structure_get_value(answer, "frame-times");
    const gchar *text = strchr(gst_structure_get_string(answer, "text"), '|');

    for (guint i = 0; text && i < gst_value_array_get_size(times); i++) {
        const guint64 at = g_value_get_uint64(gst_value_array_get_value(times, i));
        gchar *end;

        if (g_ascii_strtoull(text + 1, &end, 10) != at / GST_SECOND % 251)
            return FALSE;
        text = end;
    }
    return text && *text == '\0';
}

static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    const GstStructure *structure = gst_message_get_structure(message);

    if (gst_message_has_name(message, "llavaov-answer")) {
        g_atomic_int_inc(&run.answers);
        if (!is_right(structure)) {
            gchar *text = gst_structure_to_string(structure);

            if (g_atomic_int_add(&run.wrong, 1) == 0)
                fprintf(stderr, "wrong: %s\n", text);
            g_free(text);
        }
    } else if (gst_message_has_name(message, "llavaov-no-frames") ||
               GST_MESSAGE_TYPE(message) == GST_MESSAGE_QOS ||
               GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
        g_atomic_int_inc(&run.told);
    } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError *error = NULL;

        gchar *debug = NULL;

        gst_message_parse_error(message, &error, &debug);
        if (g_atomic_int_add(&run.errors, 1) == 0)
            fprintf(stderr, "error: %s, %s\n", error->message, debug);
        g_free(debug);
        g_error_free(error);
    }
    gst_message_unref(message);
    return GST_BUS_DROP;
}

/* ---- a camera ---- */

static gboolean query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return gst_pad_query_default(pad, parent, query);
    gst_query_set_latency(query, TRUE, 0, GST_CLOCK_TIME_NONE);
    return TRUE;
}

static void new_segment(Camera *camera)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.base = camera->now * GST_SECOND;
    segment.start = segment.time = (camera->now + camera->shift) * GST_SECOND;
    gst_pad_push_event(camera->pad, gst_event_new_segment(&segment));
}

static void new_caps(Camera *camera)
{
    GstCaps *caps =
        gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "GRAY8", "width", G_TYPE_INT,
            camera->width, "height", G_TYPE_INT, SIDE, "framerate", GST_TYPE_FRACTION, 1, 1, NULL);

    gst_pad_push_event(camera->pad, gst_event_new_caps(caps));
    gst_caps_unref(caps);
}

static void begin_stream(Camera *camera, const gchar *name)
{
    gst_pad_push_event(camera->pad, gst_event_new_stream_start(name));
    new_caps(camera);
    new_segment(camera);
}

static void play(Camera *camera)
{
    camera->now = 0;
    camera->shift = 0;
    gst_element_set_start_time(camera->pipeline, GST_CLOCK_TIME_NONE);
    gst_element_set_base_time(camera->pipeline, gst_clock_get_time(run.clock));
    gst_pad_set_active(camera->pad, TRUE);
    gst_element_set_state(camera->pipeline, GST_STATE_PLAYING);
    begin_stream(camera, "camera");
}

static void stop(Camera *camera)
{
    gst_pad_set_active(camera->pad, FALSE);
    gst_element_set_state(camera->pipeline, GST_STATE_NULL);
}

static void open_camera(Camera *camera, guint number)
{
    /* Most wait for their answers, so that a day has as many in every run; every fourth drops what
     * comes too fast. Some engines fail now and then. */
    gchar *line = g_strdup_printf("llavaovelement name=l device=fake:%s prompt=q window=8000000000 "
                                  "frames=%u interval=%s overload=%s ! fakesink sync=false "
                                  "async=false %s",
        number % 5 == 3 ? "ask-error=numeric;every=23" : "", number % 3 * 3 + 2,
        number % 4 == 1 ? "6000000000" : "0", number % 4 == 2 ? "newest" : "block",
        number % 2 ? "l.text ! fakesink sync=false async=false" : "");
    GstPad *sink;
    GstBus *bus;

    camera->pipeline = soak_launch(line);
    camera->element = gst_bin_get_by_name(GST_BIN(camera->pipeline), "l");
    camera->width = SIDE;
    gst_pipeline_use_clock(GST_PIPELINE(camera->pipeline), run.clock);
    bus = gst_element_get_bus(camera->pipeline);
    gst_bus_set_sync_handler(bus, on_message, NULL, NULL);
    gst_object_unref(bus);
    camera->pad = gst_object_ref_sink(gst_pad_new("camera", GST_PAD_SRC));
    gst_pad_set_query_function(camera->pad, query);
    sink = gst_element_get_static_pad(camera->element, "sink");
    gst_pad_link_full(camera->pad, sink, GST_PAD_LINK_CHECK_NOTHING);
    gst_object_unref(sink);
    g_free(line);
    play(camera);
}

static void close_camera(Camera *camera)
{
    stop(camera);
    gst_object_unref(camera->pad);
    gst_object_unref(camera->element);
    gst_object_unref(camera->pipeline);
}

static void push_frame(Camera *camera, guint at)
{
    const gsize bytes = GST_ROUND_UP_4(camera->width) * SIDE;
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, bytes, NULL);

    gst_buffer_memset(buffer, 0, at % 251, bytes);
    GST_BUFFER_PTS(buffer) = (at + camera->shift) * GST_SECOND;
    GST_BUFFER_DURATION(buffer) = GST_SECOND;
    if (camera->discont)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    camera->discont = FALSE;
    gst_pad_push(camera->pad, buffer);
    run.frames++;
}

/* ---- faults ---- */

static const gchar *const faults[] = {"silence", "long silence", "timestamps jump",
    "timestamps go back", "another size", "another stream", "flush", "NULL and PLAYING",
    "PAUSED and PLAYING", "end, flush and another stream", "a late frame", "a new camera"};

static void flush(Camera *camera)
{
    gst_pad_push_event(camera->pad, gst_event_new_flush_start());
    gst_pad_push_event(camera->pad, gst_event_new_flush_stop(FALSE));
}

static void do_fault(Camera *camera, guint kind)
{
    const guint number = camera - run.cameras;

    run.counts[kind]++;
    switch (kind) {
    case 0:
        camera->silent = g_rand_int_range(run.random, 2, 40);
        break;
    case 1:
        camera->silent = g_rand_int_range(run.random, 60, 600);
        break;
    case 2:
        camera->shift += g_rand_int_range(run.random, 2, 100000);
        new_segment(camera);
        break;
    case 3:
        camera->shift -= MIN(camera->shift, g_rand_int_range(run.random, 2, 100000));
        new_segment(camera);
        break;
    case 4:
        camera->width = SIDE + 4 * g_rand_int_range(run.random, 0, 20);
        new_caps(camera);
        break;
    case 5:
        begin_stream(camera, g_rand_boolean(run.random) ? "another" : "camera");
        break;
    case 6:
        flush(camera);
        new_segment(camera);
        break;
    case 7:
        stop(camera);
        play(camera);
        break;
    case 8:
        gst_element_set_state(camera->pipeline, GST_STATE_PAUSED);
        gst_element_set_base_time(
            camera->pipeline, gst_clock_get_time(run.clock) - camera->now * GST_SECOND);
        gst_element_set_state(camera->pipeline, GST_STATE_PLAYING);
        break;
    case 9:
        /* Sinks that were at the end take nothing more without a flush. */
        gst_pad_push_event(camera->pad, gst_event_new_eos());
        flush(camera);
        begin_stream(camera, "another");
        break;
    case 10:
        if (camera->now > 3)
            push_frame(camera, camera->now - 2);
        camera->discont = TRUE;
        break;
    default:
        close_camera(camera);
        open_camera(camera, number);
        break;
    }
}

/* ---- time ---- */

/* One second later for everybody. */
static void tick(guint *seconds)
{
    GstTestClock *clock = GST_TEST_CLOCK(run.clock);
    GstClockID id = NULL;

    gst_test_clock_advance_time(clock, GST_SECOND);
    ++*seconds;
    while (gst_test_clock_peek_next_pending_id(clock, &id)) {
        const gboolean due = gst_clock_id_get_time(id) <= gst_clock_get_time(run.clock);

        g_clear_pointer(&id, gst_clock_id_unref);
        if (!due)
            break;
        id = gst_test_clock_process_next_clock_id(clock);
        g_clear_pointer(&id, gst_clock_id_unref);
    }
    for (guint i = 0; i < CAMERAS; i++) {
        Camera *camera = &run.cameras[i];

        if (camera->silent)
            camera->silent--;
        else
            push_frame(camera, camera->now);
        camera->now++;
    }
}

/* KiB. Without the pages of program files, which become resident one by one as their code is met.
 */
static gint64 settled_memory(void)
{
    /* GLib keeps threads that nobody needs for a while. */
    g_thread_pool_stop_unused_threads();
    g_usleep(G_USEC_PER_SEC / 2);
    malloc_trim(0);
    return soak_memory("Anonymous");
}

int main(int argc, char **argv)
{
    gint days = 10, n_faults = 10000, seed = 1;
    guint seconds = 0, last = 0, done = 0, descriptors = 0, threads = 0, most_descriptors = 0,
          most_threads = 0;
    gint64 memory = 0, most = 0;
    gboolean good;
    GOptionEntry options[] = {
        {"days", 0, 0, G_OPTION_ARG_INT, &days, "of all cameras (10)", "N"},
        {"faults", 0, 0, G_OPTION_ARG_INT, &n_faults, "how many (10000)", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT, &seed, "of the faults (1)", "N"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(NULL);

    /* One heap: what many threads' own keep to themselves says nothing. */
    mallopt(M_ARENA_MAX, 1);
    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, NULL) || days < 2)
        return 2;
    g_option_context_free(context);

    run.random = g_rand_new_with_seed(seed);
    run.clock = gst_test_clock_new_with_start_time(1000 * GST_SECOND);
    for (guint i = 0; i < CAMERAS; i++)
        open_camera(&run.cameras[i], i);
    last = (guint)days * DAY;
    while (seconds < last) {
        const guint day = seconds / DAY;

        tick(&seconds);
        /* Of a camera that is just being restarted one or the other is missing. */
        if (day == 0 && seconds % HOUR == 0)
            threads = MAX(threads, soak_threads());
        for (; done < (guint64)n_faults * seconds / last; done++)
            do_fault(&run.cameras[g_rand_int_range(run.random, 0, CAMERAS)],
                done % G_N_ELEMENTS(faults));
        if (seconds / DAY == day)
            continue;
        /* In NULL: what windows hold just then differs from day to day. */
        const guint playing = soak_threads();

        for (guint i = 0; i < CAMERAS; i++)
            stop(&run.cameras[i]);
        const gint64 now = settled_memory();

        printf("day %u: %d frames, %d answers, %d messages, %u faults; %" G_GINT64_FORMAT
               " KiB (%zu in blocks), %u descriptors, %u threads\n",
            day + 1, run.frames, run.answers, run.told, done, now, mallinfo2().uordblks,
            soak_descriptors(), playing);
        fflush(stdout);
        if (day == 0) {
            memory = most = now;
            descriptors = soak_descriptors();
            threads = MAX(threads, playing);
        }
        most = MAX(most, now);
        most_threads = MAX(most_threads, playing);
        most_descriptors = MAX(most_descriptors, soak_descriptors());
        for (guint i = 0; i < CAMERAS; i++)
            play(&run.cameras[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(faults); i++)
        printf("%5u x %s\n", run.counts[i], faults[i]);
    good = soak_verdict(
        run.wrong == 0 && run.errors == 0 && run.answers > (gint)last / 8 && run.told > 0,
        "%d answers, of which %d wrong; %d messages, %d errors", run.answers, run.wrong, run.told,
        run.errors);
    good &= soak_verdict(most - memory <= GROWTH,
        "resident memory grew by %" G_GINT64_FORMAT " KiB behind the first of %d days (%d allowed)",
        most - memory, days, GROWTH);
    good &= soak_verdict(most_descriptors <= descriptors && most_threads <= threads,
        "at most %u descriptors (%u after the first), %u threads (%u)", most_descriptors,
        descriptors, most_threads, threads);
    for (guint i = 0; i < CAMERAS; i++)
        close_camera(&run.cameras[i]);
    gst_object_unref(run.clock);
    g_rand_free(run.random);
    return good ? 0 : 1;
}
