/* SPDX-License-Identifier: Apache-2.0 */
#include "load_streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where nothing is shown twice a picture begins this much further in the material than the one
 * before, of any stream, and it takes so many until one comes again. */
#define SHIFT 16
#define SHIFTS (1 << 18)
#define PICTURE_BYTES (LOAD_WIDTH * LOAD_HEIGHT * 3 / 2)
/* Of frames' times in the element, one in so many is kept. */
#define KEEP_PASS 16
#define FEED_EVERY_US 5000

typedef struct Stream {
    Load *load;
    GstElement *pipeline, *element;
    GstPad *pad;
    GstClockTime base;
    gdouble next;           /* to be fed */
    guint fed, told;        /* told: of drops, ever */
    guint answers, dropped; /* while counting */
    gdouble last_answer, longest;
} Stream;

typedef enum Group { GROUP_ENGINE, GROUP_PICTURES, GROUP_FEEDER, GROUP_OTHER, GROUPS } Group;

struct Load {
    gint n;
    gboolean unequal;
    Stream *streams;
    gint n_fed; /* streams that are fed so far */
    guint pictures, n_pushed;
    gsize leak;
    GstMemory *material;
    GstClock *clock;
    GThread *feeder;
    GMutex lock;
    GArray *latencies; /* ms; also pass and late */
    GArray *pass, *late;
    gdouble began, ended;
    gdouble cpu[GROUPS];
    gint counting, stop;
};

/* Processor time of the process so far, by what its threads are for. In nanoseconds: of a thousand
 * threads that each work a little, ticks see nothing. */
static void read_cpu(gdouble cpu[GROUPS])
{
    static const struct {
        const gchar *comm;
        Group group;
    } names[] = {{"llavaov-infer", GROUP_ENGINE}, {"llavaov-open", GROUP_ENGINE},
        {"llavaov-events", GROUP_ENGINE}, {"llavaov-picture", GROUP_PICTURES},
        {"feeder", GROUP_FEEDER}};
    GDir *dir = g_dir_open("/proc/self/task", 0, NULL);
    const gchar *task;

    memset(cpu, 0, GROUPS * sizeof *cpu);
    while (dir && (task = g_dir_read_name(dir))) {
        g_autofree gchar *named = g_build_filename("/proc/self/task", task, "comm", NULL);
        g_autofree gchar *timed = g_build_filename("/proc/self/task", task, "schedstat", NULL);
        g_autofree gchar *name = NULL, *time = NULL;
        Group group = GROUP_OTHER;

        if (!g_file_get_contents(named, &name, NULL, NULL) ||
            !g_file_get_contents(timed, &time, NULL, NULL))
            continue;
        g_strchomp(name);
        for (guint i = 0; i < G_N_ELEMENTS(names); i++)
            if (g_str_equal(name, names[i].comm))
                group = names[i].group;
        cpu[group] += (gdouble)g_ascii_strtoull(time, NULL, 10) / 1e9;
    }
    if (dir)
        g_dir_close(dir);
}

static void on_answer(Stream *stream, const GstStructure *structure)
{
    Load *load = stream->load;
    const gdouble now = soak_now();
    guint64 latency = 0;

    gst_structure_get_uint64(structure, "answer-latency", &latency);
    g_mutex_lock(&load->lock);
    if (g_atomic_int_get(&load->counting)) {
        const gdouble ms = (gdouble)latency / 1e6;

        stream->answers++;
        stream->longest = MAX(stream->longest, now - stream->last_answer);
        g_array_append_val(load->latencies, ms);
    }
    stream->last_answer = now;
    g_mutex_unlock(&load->lock);
}

static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    Stream *stream = data;
    Load *load = stream->load;

    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_QOS &&
        GST_MESSAGE_SRC(message) == GST_OBJECT(stream->element)) {
        g_mutex_lock(&load->lock);
        if (load->leak)
            memset(g_malloc(load->leak), 1, load->leak);
        stream->told++;
        stream->dropped += g_atomic_int_get(&load->counting) != 0;
        g_mutex_unlock(&load->lock);
    } else if (gst_message_has_name(message, "llavaov-answer")) {
        on_answer(stream, gst_message_get_structure(message));
    } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError *error = NULL;

        gst_message_parse_error(message, &error, NULL);
        fprintf(stderr, "soak-load: %s\n", error->message);
        exit(2);
    }
    gst_message_unref(message);
    return GST_BUS_DROP;
}

static gboolean answer_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return gst_pad_query_default(pad, parent, query);
    gst_query_set_latency(query, TRUE, 0, GST_CLOCK_TIME_NONE);
    return TRUE;
}

static void open_stream(Load *load, gint i, gchar **properties)
{
    Stream *stream = &load->streams[i];
    g_autofree gchar *id = g_strdup_printf("stream-%d", i);
    GstCaps *caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "I420", "width",
        G_TYPE_INT, LOAD_WIDTH, "height", G_TYPE_INT, LOAD_HEIGHT, "framerate", GST_TYPE_FRACTION,
        LOAD_FPS, 1, NULL);
    GstSegment segment;
    GstPad *sink;
    GstBus *bus;

    stream->load = load;
    stream->pipeline = soak_launch("llavaovelement name=l ! fakesink sync=false async=false");
    stream->element = gst_bin_get_by_name(GST_BIN(stream->pipeline), "l");
    g_object_set(stream->element, "window", (guint64)LOAD_WINDOW, "frames",
        load->unequal && i == 0 ? 4 * LOAD_FRAMES : LOAD_FRAMES, NULL);
    soak_apply(stream->element, properties);
    if (load->unequal && i == 1) /* a penalty below 1 keeps an answer going */
        g_object_set(stream->element, "repetition-penalty", 0.2, "max-new-tokens", 256, NULL);
    bus = gst_element_get_bus(stream->pipeline);
    gst_bus_set_sync_handler(bus, on_message, stream, NULL);
    gst_object_unref(bus);

    stream->pad = gst_object_ref_sink(gst_pad_new(NULL, GST_PAD_SRC));
    gst_pad_set_query_function(stream->pad, answer_query);
    sink = gst_element_get_static_pad(stream->element, "sink");
    gst_pad_set_active(stream->pad, TRUE);
    if (gst_pad_link(stream->pad, sink) != GST_PAD_LINK_OK ||
        gst_element_set_state(stream->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
        fprintf(stderr, "soak-load: stream %d does not start\n", i);
        exit(2);
    }
    gst_object_unref(sink);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(stream->pad, gst_event_new_stream_start(id));
    gst_pad_push_event(stream->pad, gst_event_new_caps(caps));
    gst_pad_push_event(stream->pad, gst_event_new_segment(&segment));
    gst_caps_unref(caps);
    stream->base = gst_element_get_base_time(stream->pipeline);
    stream->last_answer = soak_now();
}

/* Noise of patches as wide as a shift. */
static void make_material(Load *load)
{
    GRand *random = g_rand_new_with_seed(1);
    GstMapInfo map;

    load->material = gst_allocator_alloc(NULL, PICTURE_BYTES + (gsize)SHIFT * SHIFTS, NULL);
    gst_memory_map(load->material, &map, GST_MAP_WRITE);
    for (gsize i = 0; i < map.size; i += SHIFT)
        memset(map.data + i, g_rand_int_range(random, 0, 256), MIN(SHIFT, map.size - i));
    gst_memory_unmap(load->material, &map);
    g_rand_free(random);
}

static GstBuffer *next_picture(Load *load, Stream *stream)
{
    const guint shift = load->pictures ? stream->fed % load->pictures * (SHIFTS / load->pictures)
                                       : load->n_pushed++ % SHIFTS;
    GstBuffer *buffer = gst_buffer_new();

    stream->fed++;
    gst_buffer_append_memory(
        buffer, gst_memory_share(load->material, (gssize)shift * SHIFT, PICTURE_BYTES));
    return buffer;
}

static void push(Load *load, Stream *stream, gdouble due)
{
    GstBuffer *buffer = next_picture(load, stream);
    const gdouble before = soak_now();

    GST_BUFFER_PTS(buffer) = gst_clock_get_time(load->clock) - stream->base;
    GST_BUFFER_DURATION(buffer) = GST_SECOND / LOAD_FPS;
    gst_pad_push(stream->pad, buffer);
    if (g_atomic_int_get(&load->counting) && stream->fed % KEEP_PASS == 0) {
        const gdouble ms = (soak_now() - before) * 1e3, late = (before - due) * 1e3;

        g_array_append_val(load->pass, ms);
        g_array_append_val(load->late, late);
    }
}

static gpointer feed(gpointer data)
{
    Load *load = data;

    /* In turns of some milliseconds: looking at thousands of streams for each frame would cost more
     * than pushing them. */
    while (!g_atomic_int_get(&load->stop)) {
        const gdouble now = soak_now();

        for (gint i = 0, n = g_atomic_int_get(&load->n_fed); i < n; i++) {
            Stream *stream = &load->streams[i];

            if (stream->next <= now) {
                push(load, stream, stream->next);
                stream->next += 1.0 / LOAD_FPS;
            }
        }
        g_usleep(FEED_EVERY_US);
    }
    return NULL;
}

static void wait_for_answer(Load *load)
{
    const gdouble since = load->streams[0].last_answer;

    for (gboolean answered = FALSE; !answered;) {
        g_usleep(20000);
        g_mutex_lock(&load->lock);
        answered = load->streams[0].last_answer > since;
        g_mutex_unlock(&load->lock);
    }
}

Load *load_start(const LoadOptions *options, gint64 *base_kb)
{
    Load *load = g_new0(Load, 1);
    gdouble start;

    load->n = options->streams;
    load->unequal = options->unequal;
    load->pictures = MIN(options->pictures, SHIFTS);
    load->leak = options->leak;
    load->streams = g_new0(Stream, load->n);
    load->clock = gst_system_clock_obtain();
    load->latencies = g_array_new(FALSE, FALSE, sizeof(gdouble));
    load->pass = g_array_new(FALSE, FALSE, sizeof(gdouble));
    load->late = g_array_new(FALSE, FALSE, sizeof(gdouble));
    make_material(load);
    load->feeder = g_thread_new("feeder", feed, load);
    for (gint i = 0; i < load->n; i++) {
        open_stream(load, i, options->properties);
        if (i > 0)
            continue;
        load->streams[0].next = soak_now();
        g_atomic_int_set(&load->n_fed, 1);
        wait_for_answer(load);
        *base_kb = soak_memory("Rss");
    }
    start = soak_now();
    for (gint i = 1; i < load->n; i++) {
        const gdouble window = (gdouble)LOAD_WINDOW / GST_SECOND;

        load->streams[i].next = start + (options->together ? 0 : window * i / load->n);
        load->streams[i].last_answer = load->streams[i].next;
    }
    g_atomic_int_set(&load->n_fed, load->n);
    return load;
}

void load_count(Load *load, gboolean counting)
{
    gdouble cpu[GROUPS];

    read_cpu(cpu);
    g_mutex_lock(&load->lock);
    for (guint g = 0; g < GROUPS; g++)
        load->cpu[g] = cpu[g] - load->cpu[g];
    *(counting ? &load->began : &load->ended) = soak_now();
    g_atomic_int_set(&load->counting, counting);
    for (gint i = 0; !counting && i < load->n; i++) {
        Stream *stream = &load->streams[i];

        stream->longest = MAX(stream->longest, load->ended - stream->last_answer);
    }
    g_mutex_unlock(&load->lock);
}

static void add_up(const Load *load, LoadCounts *c)
{
    c->fewest = G_MAXUINT;
    for (gint i = 0; i < load->n; i++) {
        const Stream *stream = &load->streams[i];
        const guint64 ended = soak_stat(stream->element, "windows"),
                      dropped = soak_stat(stream->element, "dropped-windows");

        c->answers += stream->answers;
        c->dropped += stream->dropped;
        c->windows += ended;
        c->untold += dropped > stream->told ? dropped - stream->told : 0;
        c->frames_sampled += soak_stat(stream->element, "frames-sampled");
        c->frames_encoded += soak_stat(stream->element, "frames-encoded");
        if (load->unequal && i < 2) {
            c->special[i] = stream->answers;
            continue;
        }
        c->fewest = MIN(c->fewest, stream->answers);
        c->most = MAX(c->most, stream->answers);
        c->longest = MAX(c->longest, stream->longest);
    }
}

void load_stop(Load *load, LoadCounts *c)
{
    memset(c, 0, sizeof *c);
    g_atomic_int_set(&load->stop, TRUE);
    g_thread_join(load->feeder);
    g_usleep(G_USEC_PER_SEC / 2); /* what is being told */
    add_up(load, c);
    c->seconds = load->ended - load->began;
    c->latency[0] = soak_percentile(load->latencies, 0.5);
    c->latency[1] = soak_percentile(load->latencies, 0.99);
    c->pass[0] = soak_percentile(load->pass, 0.5);
    c->pass[1] = soak_percentile(load->pass, 0.999);
    c->feeder_late = soak_percentile(load->late, 0.999);
    c->cpu_engine = load->cpu[GROUP_ENGINE] / c->seconds;
    c->cpu_pictures = load->cpu[GROUP_PICTURES] / c->seconds;
    c->cpu_feeder = load->cpu[GROUP_FEEDER] / c->seconds;
    c->cpu_other = load->cpu[GROUP_OTHER] / c->seconds;
    for (gint i = 0; i < load->n; i++) {
        soak_stop(load->streams[i].pipeline);
        gst_object_unref(load->streams[i].element);
        gst_object_unref(load->streams[i].pad);
    }
    gst_memory_unref(load->material);
    g_array_unref(load->latencies);
    g_array_unref(load->pass);
    g_array_unref(load->late);
    gst_object_unref(load->clock);
    g_free(load->streams);
    g_free(load);
}
