/* SPDX-License-Identifier: Apache-2.0
 * An RTSP server on the loopback interface, so that the element meets real cameras' protocol in
 * tests.
 *
 *   rtsp-server [--port N] [--source TEXT]
 *
 * --port 0 (the default) lets the system choose; "port N" is printed once the server listens.
 * --source is a gst-launch fragment that ends in raw video. Mounts: /cam and /h264 (H.264),
 * /h264-audio (H.264 and PCMU), /audio-h264 (the same, audio first), /audio (PCMU alone), /mjpeg
 * (JPEG). Every mount offers UDP and TCP.
 */
#include <gst/rtsp-server/rtsp-server.h>
#include <stdio.h>

#define DEFAULT_SOURCE                                                                             \
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1"
#define H264                                                                                       \
    "videoconvert ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 threads=1 ! "   \
    "video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 pt=96"
#define JPEG "videoconvert ! video/x-raw,format=I420 ! jpegenc ! rtpjpegpay pt=26"
#define PCMU                                                                                       \
    "audiotestsrc is-live=true volume=0.1 ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! "        \
    "rtppcmupay pt=0"

static void add_mount(GstRTSPServer *server, const char *path, const char *launch)
{
    GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(server);
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();

    gst_rtsp_media_factory_set_launch(factory, launch);
    gst_rtsp_media_factory_set_shared(factory, FALSE);
    gst_rtsp_mount_points_add_factory(mounts, path, factory);
    g_object_unref(mounts);
}

static void add_mounts(GstRTSPServer *server, const char *source)
{
    struct {
        const char *path, *format;
    } mounts[] = {
        {"/cam", "( %s ! " H264 " name=pay0 )"},
        {"/h264", "( %s ! " H264 " name=pay0 )"},
        {"/h264-audio", "( %s ! " H264 " name=pay0 " PCMU " name=pay1 )"},
        {"/audio-h264", "( " PCMU " name=pay0 %s ! " H264 " name=pay1 )"},
        {"/audio", "( " PCMU " name=pay0 )"},
        {"/mjpeg", "( %s ! " JPEG " name=pay0 )"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(mounts); i++) {
        gchar **parts = g_strsplit(mounts[i].format, "%s", 2);
        gchar *launch = g_strjoinv(source, parts);

        add_mount(server, mounts[i].path, launch);
        g_free(launch);
        g_strfreev(parts);
    }
}

/* Sessions of clients that went away without a word. */
static gboolean forget_dead_sessions(gpointer data)
{
    GstRTSPSessionPool *pool = gst_rtsp_server_get_session_pool(data);

    gst_rtsp_session_pool_cleanup(pool);
    g_object_unref(pool);
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    gint port = 0;
    gchar *source = NULL, *service;
    GError *error = NULL;
    GOptionEntry entries[] = {
        {"port", 0, 0, G_OPTION_ARG_INT, &port, "port to listen at; 0 = any free one", "N"},
        {"source", 0, 0, G_OPTION_ARG_STRING, &source, "fragment that ends in raw video", "TEXT"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(NULL);

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "rtsp-server: %s\n", error->message);
        return 2;
    }
    g_option_context_free(context);

    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GstRTSPServer *server = gst_rtsp_server_new();

    service = g_strdup_printf("%d", port);
    gst_rtsp_server_set_address(server, "127.0.0.1");
    gst_rtsp_server_set_service(server, service);
    add_mounts(server, source ? source : DEFAULT_SOURCE);
    if (gst_rtsp_server_attach(server, NULL) == 0) {
        fprintf(stderr, "rtsp-server: cannot listen at 127.0.0.1:%d\n", port);
        return 1;
    }
    printf("port %d\n", gst_rtsp_server_get_bound_port(server));
    fflush(stdout);
    g_timeout_add_seconds(2, forget_dead_sessions, server);
    g_main_loop_run(loop);
    return 0;
}
