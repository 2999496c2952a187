/* SPDX-License-Identifier: Apache-2.0
 * A camera whose every picture says when it was taken, and that misbehaves on demand.
 *
 *   camera [--port N] [--codec NAME]
 *   camera --launch LINE
 *
 * The first is an RTSP server with the mounts /cam (the codec, which can be changed for the clients
 * to come) and those below. The second runs a line that has an element named "stamp", to its end:
 * files, and other ways to send. "ready" is printed when it is up.
 *
 * The pixels of the first 32 x 32 of luma are 30 + 2 * (t / 100 ms % 100), t being the monotonic
 * clock when the picture was taken (live), or its timestamp (files). At 10 frames a second every
 * picture has another value for ten seconds.
 *
 * An element named "paint" gets pictures of one colour each instead: red, green, blue, yellow, each
 * for half a second by the timestamps.
 *
 * Lines on the standard input, for RTSP:
 *   codec NAME      /cam is of this codec for the next client
 *   size W H        pictures change size
 *   jump SECONDS    RTP timestamps from now on are so much later
 *   skip N          RTP sequence numbers from now on are so much greater
 *   ssrc            the RTP stream has another SSRC from now on
 *   type N          ... another payload type
 *   mute, unmute    no RTP packets, while the session lives on
 *   corrupt SHARE   so many RTP packets have a wrong byte
 *   end             the stream ends, with BYE
 */
#include <gst/rtsp-server/rtsp-server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE                                                                                     \
    "videotestsrc is-live=true pattern=%s ! capsfilter name=size "                                 \
    "caps=video/x-raw,format=I420,width=160,height=120,framerate=10/1 ! identity name=stamp ! "
#define X264 "x264enc tune=zerolatency speed-preset=ultrafast threads=1 "
#define H264_PAY "video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 pt=96 "
#define SOUND                                                                                      \
    "audiotestsrc is-live=true volume=0.1 ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! "        \
    "rtppcmupay pt=0 "

/* %s is the pattern: plain pictures are a packet each, noise takes many. */
static const struct {
    const char *name, *pattern, *line;
} codecs[] = {
    {"h264", "black", "( " SOURCE X264 "key-int-max=1 ! " H264_PAY "name=pay0 )"},
    {"gop", "black", "( " SOURCE X264 "key-int-max=10 ! " H264_PAY "name=pay0 )"},
    {"no-keys", "black",
        "( " SOURCE X264 "key-int-max=100000 ! video/x-h264,profile=constrained-baseline ! "
        "rtph264pay pt=96 name=pay0 )"},
    {"noise", "snow", "( " SOURCE X264 "key-int-max=1 bitrate=2000 ! " H264_PAY "name=pay0 )"},
    {"mjpeg", "black", "( " SOURCE "jpegenc ! rtpjpegpay pt=26 name=pay0 )"},
    {"mjpeg-noise", "snow", "( " SOURCE "jpegenc ! rtpjpegpay pt=26 name=pay0 )"},
    {"mpeg4", "black",
        "( " SOURCE "avenc_mpeg4 gop-size=1 ! rtpmp4vpay config-interval=1 pt=96 name=pay0 )"},
    {"vp8", "black",
        "( " SOURCE "vp8enc deadline=1 keyframe-max-dist=1 ! rtpvp8pay pt=96 name=pay0 )"},
    {"audio", NULL, "( " SOUND "name=pay0 )"},
    {"audio-first", "black",
        "( " SOUND "name=pay1 " SOURCE X264 "key-int-max=1 ! " H264_PAY "name=pay0 )"},
    {"wrap-time", "black",
        "( " SOURCE X264 "key-int-max=1 ! " H264_PAY "timestamp-offset=4294850000 name=pay0 )"},
    {"wrap-sequence", "black",
        "( " SOURCE X264 "key-int-max=1 ! " H264_PAY "seqnum-offset=65525 name=pay0 )"},
    {"lies-codec", "black", "( " SOURCE "jpegenc ! rtpjpegpay pt=96 name=pay0 )"},
    /* The parameter sets are those of 1920 x 1080 at 60. */
    {"lies-size", "black", "( " SOURCE X264 "key-int-max=1 ! " H264_PAY "name=pay0 )"},
};

/* What goes into their caps, and so into the SDP. */
static const struct {
    const char *name, *fields;
} lies[] = {
    {"lies-codec", "encoding-name=(string)H264,packetization-mode=(string)1"},
    {"lies-size",
        "a-framesize=(string)\"96 1920-1080\",a-framerate=(string)60,"
        "sprop-parameter-sets=(string)\"Z0LAKtoB4AiflwFqAgICgAAAAwCAAAA8R4wZUA==,aM48gA==\""},
};

typedef struct Camera {
    GMutex lock;
    const char *launch; /* of /cam */
    GstElement *size, *media;
    guint32 jump, ssrc, random;
    guint16 skip;
    gint type;
    gboolean mute, live;
    gdouble corrupt;
} Camera;

static Camera camera = {.type = -1, .random = 1, .live = TRUE};

/* ---- pictures ---- */

static GstPadProbeReturn stamp(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    GstElement *element = gst_pad_get_parent_element(pad);
    GstBuffer *buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    GstClockTime at = GST_BUFFER_PTS(buffer);
    GstCaps *caps = gst_pad_get_current_caps(pad);
    gint width = 32;
    GstMapInfo map;

    if (camera.live)
        at += gst_element_get_base_time(element);
    gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &width);
    if (gst_buffer_map(buffer, &map, GST_MAP_WRITE)) {
        const guint8 value = 30 + 2 * (at / (100 * GST_MSECOND) % 100);
        const gsize stride = GST_ROUND_UP_4(width);

        for (gsize row = 0; row < 32 && (row + 1) * stride <= map.size; row++)
            memset(map.data + row * stride, value, MIN(32, width));
        gst_buffer_unmap(buffer, &map);
    }
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
    gst_caps_unref(caps);
    gst_object_unref(element);
    return GST_PAD_PROBE_OK;
}

/* Of 160 x 120 and I420. */
static GstPadProbeReturn paint(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    static const guint8 colours[4][3] = {
        {81, 90, 240}, {145, 54, 34}, {41, 240, 110}, {210, 16, 146}};
    GstBuffer *buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    const guint8 *colour = colours[GST_BUFFER_PTS(buffer) / (500 * GST_MSECOND) % 4];

    gst_buffer_memset(buffer, 0, colour[0], 160 * 120);
    gst_buffer_memset(buffer, 160 * 120, colour[1], 80 * 60);
    gst_buffer_memset(buffer, 160 * 120 + 80 * 60, colour[2], 80 * 60);
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
    return GST_PAD_PROBE_OK;
}

static gboolean probe(GstElement *bin, const char *name, GstPadProbeType type,
    GstPadProbeCallback callback, gpointer data)
{
    GstElement *element = gst_bin_get_by_name(GST_BIN(bin), name);
    GstPad *pad;

    if (!element)
        return FALSE;
    pad = gst_element_get_static_pad(element, "src");
    gst_pad_add_probe(pad, type, callback, data, NULL);
    gst_object_unref(pad);
    gst_object_unref(element);
    return TRUE;
}

/* ---- packets ---- */

/* FALSE: it is not sent. With the lock. */
static gboolean spoil(GstBuffer **buffer, guint index, gpointer data)
{
    GstMapInfo map;

    if (camera.mute) {
        gst_clear_buffer(buffer);
        return TRUE;
    }
    *buffer = gst_buffer_make_writable(*buffer);
    if (!gst_buffer_map(*buffer, &map, GST_MAP_READWRITE))
        return TRUE;
    if (map.size >= 12) {
        GST_WRITE_UINT16_BE(map.data + 2, GST_READ_UINT16_BE(map.data + 2) + camera.skip);
        GST_WRITE_UINT32_BE(map.data + 4, GST_READ_UINT32_BE(map.data + 4) + camera.jump);
        GST_WRITE_UINT32_BE(map.data + 8, GST_READ_UINT32_BE(map.data + 8) ^ camera.ssrc);
        if (camera.type >= 0)
            map.data[1] = (map.data[1] & 0x80) | camera.type;
        camera.random = camera.random * 1664525 + 1013904223;
        if ((camera.random >> 8) / 16777216.0 < camera.corrupt && map.size > 20)
            map.data[12 + camera.random % (map.size - 12)] ^= 0x55;
    }
    gst_buffer_unmap(*buffer, &map);
    return TRUE;
}

static GstPadProbeReturn packet(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    GstPadProbeReturn result = GST_PAD_PROBE_OK;

    g_mutex_lock(&camera.lock);
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
        GstBufferList *list = gst_buffer_list_make_writable(GST_PAD_PROBE_INFO_BUFFER_LIST(info));

        gst_buffer_list_foreach(list, spoil, NULL);
        GST_PAD_PROBE_INFO_DATA(info) = list;
    } else {
        GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);

        spoil(&buffer, 0, NULL);
        GST_PAD_PROBE_INFO_DATA(info) = buffer;
        if (!buffer)
            result = GST_PAD_PROBE_HANDLED;
    }
    g_mutex_unlock(&camera.lock);
    return result;
}

static GstPadProbeReturn lie(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    gchar *text = g_strdup_printf("lie,%s", (const char *)data);
    GstStructure *fields = gst_structure_from_string(text, NULL);
    GstCaps *caps;

    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS && fields) {
        gst_event_parse_caps(event, &caps);
        caps = gst_caps_copy(caps);
        for (gint i = 0; i < gst_structure_n_fields(fields); i++) {
            const gchar *field = gst_structure_nth_field_name(fields, i);

            gst_caps_set_value(caps, field, gst_structure_get_value(fields, field));
        }
        GST_PAD_PROBE_INFO_DATA(info) = gst_event_new_caps(caps);
        gst_event_unref(event);
        gst_caps_unref(caps);
    }
    g_clear_pointer(&fields, gst_structure_free);
    g_free(text);
    return GST_PAD_PROBE_OK;
}

/* ---- the server ---- */

static char *fill(gsize codec)
{
    gchar **parts = g_strsplit(codecs[codec].line, "%s", 2);
    gchar *line = g_strjoinv(codecs[codec].pattern ? codecs[codec].pattern : "", parts);

    g_strfreev(parts);
    return line;
}

static gint find_codec(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(codecs); i++)
        if (g_str_equal(codecs[i].name, name))
            return i;
    return -1;
}

static const char *find_lie(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(lies); i++)
        if (g_str_equal(lies[i].name, name))
            return lies[i].fields;
    return NULL;
}

static void configure(GstRTSPMediaFactory *factory, GstRTSPMedia *media, gpointer data)
{
    GstElement *element = gst_rtsp_media_get_element(media);

    probe(element, "stamp", GST_PAD_PROBE_TYPE_BUFFER, stamp, NULL);
    probe(
        element, "pay0", GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, packet, NULL);
    if (data)
        probe(element, "pay0", GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, lie, data);
    g_mutex_lock(&camera.lock);
    gst_clear_object(&camera.size);
    gst_clear_object(&camera.media);
    camera.size = gst_bin_get_by_name(GST_BIN(element), "size");
    camera.media = element;
    g_mutex_unlock(&camera.lock);
}

static void mount(GstRTSPServer *server, const char *path, gsize codec)
{
    GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(server);
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
    gchar *line = fill(codec);

    gst_rtsp_media_factory_set_launch(factory, line);
    g_signal_connect(
        factory, "media-configure", G_CALLBACK(configure), (gpointer)find_lie(codecs[codec].name));
    gst_rtsp_mount_points_add_factory(mounts, path, factory);
    g_object_unref(mounts);
    g_free(line);
}

static void obey(GstRTSPServer *server, const char *line)
{
    gchar **words = g_strsplit(line, " ", -1);
    const guint n = g_strv_length(words);
    const char *verb = n ? words[0] : "", *first = n > 1 ? words[1] : "";

    g_mutex_lock(&camera.lock);
    if (g_str_equal(verb, "size") && n == 3 && camera.size) {
        gchar *text = g_strdup_printf(
            "video/x-raw,format=I420,width=%s,height=%s,framerate=10/1", words[1], words[2]);
        gst_util_set_object_arg(G_OBJECT(camera.size), "caps", text);
        g_free(text);
    } else if (g_str_equal(verb, "codec") && server && find_codec(first) >= 0) {
        mount(server, "/cam", find_codec(first));
    } else if (g_str_equal(verb, "jump")) {
        camera.jump += (guint32)(gint64)(g_ascii_strtod(first, NULL) * 90000);
    } else if (g_str_equal(verb, "skip")) {
        camera.skip += atoi(first);
    } else if (g_str_equal(verb, "ssrc")) {
        camera.ssrc = camera.ssrc * 5 + 0x1234567;
    } else if (g_str_equal(verb, "type")) {
        camera.type = atoi(first) & 0x7f;
    } else if (g_str_equal(verb, "mute") || g_str_equal(verb, "unmute")) {
        camera.mute = g_str_equal(verb, "mute");
    } else if (g_str_equal(verb, "corrupt")) {
        camera.corrupt = g_ascii_strtod(first, NULL);
    } else if (g_str_equal(verb, "end") && camera.media) {
        gst_element_send_event(camera.media, gst_event_new_eos());
    } else {
        fprintf(stderr, "camera: cannot do \"%s\"\n", line);
    }
    g_mutex_unlock(&camera.lock);
    g_strfreev(words);
}

static gboolean on_line(GIOChannel *channel, GIOCondition condition, gpointer server)
{
    gchar *line = NULL;
    gsize end = 0;

    if (g_io_channel_read_line(channel, &line, NULL, &end, NULL) != G_IO_STATUS_NORMAL)
        return G_SOURCE_REMOVE;
    line[end] = '\0';
    obey(server, line);
    g_free(line);
    return G_SOURCE_CONTINUE;
}

static int run_line(const char *line)
{
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);
    GstMessage *message;
    GstBus *bus;
    int status = 1;

    if (!pipeline || error) {
        fprintf(stderr, "camera: %s\n", error ? error->message : "no pipeline");
        return 2;
    }
    camera.live = strstr(line, "is-live=true") != NULL;
    if (!probe(pipeline, "stamp", GST_PAD_PROBE_TYPE_BUFFER, stamp, NULL) &&
        !probe(pipeline, "paint", GST_PAD_PROBE_TYPE_BUFFER, paint, NULL))
        return 2;
    bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    printf("ready\n");
    fflush(stdout);
    message =
        gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
        status = 0;
    } else {
        gst_message_parse_error(message, &error, NULL);
        fprintf(stderr, "camera: %s\n", error->message);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    return status;
}

int main(int argc, char **argv)
{
    gint port = 8554;
    gchar *codec = NULL, *line = NULL, *service;
    GOptionEntry entries[] = {
        {"port", 0, 0, G_OPTION_ARG_INT, &port, "port to listen at (8554)", "N"},
        {"codec", 0, 0, G_OPTION_ARG_STRING, &codec, "what /cam sends (h264)", "NAME"},
        {"launch", 0, 0, G_OPTION_ARG_STRING, &line, "runs this line instead", "LINE"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(NULL);
    GstRTSPServer *server;
    GIOChannel *input;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, NULL) || (codec && find_codec(codec) < 0)) {
        fprintf(stderr, "camera: wrong usage\n");
        return 2;
    }
    g_option_context_free(context);
    if (line)
        return run_line(line);

    server = gst_rtsp_server_new();
    service = g_strdup_printf("%d", port);
    gst_rtsp_server_set_address(server, "0.0.0.0");
    gst_rtsp_server_set_service(server, service);
    mount(server, "/cam", codec ? find_codec(codec) : 0);
    if (gst_rtsp_server_attach(server, NULL) == 0) {
        fprintf(stderr, "camera: cannot listen at port %d\n", port);
        return 1;
    }
    input = g_io_channel_unix_new(0);
    g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_line, server);
    printf("ready %d\n", gst_rtsp_server_get_bound_port(server));
    fflush(stdout);
    g_main_loop_run(g_main_loop_new(NULL, FALSE));
    return 0;
}
