/* SPDX-License-Identifier: Apache-2.0 */
#include "sink.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LONGEST_PAUSE 60

typedef struct InFlight {
    guint64 n;
    gboolean done;
} InFlight;

struct Sink {
    gchar *name;
    const SinkDriver *driver;
    gpointer self;
    SpoolReader *reader;
    SinkEvents events;
    GThread *thread;
    int wake_fd;
    gint64 until; /* 0: no end is asked for; under the lock */
    GMutex lock;
    GCond ended_cond;
    gboolean ended;
    SinkStats stats; /* under the lock */
    /* The thread's own: */
    GQueue flight; /* of InFlight, in the order of their numbers */
    guint tries, at_least;
    gboolean connected, empty;
    gboolean drained; /* and nothing will come any more */
};

#ifdef HAVE_MOSQUITTO
#define MQTT &sink_mqtt
#else
#define MQTT NULL
#endif
#ifdef HAVE_CURL
#define HTTP &sink_http
#else
#define HTTP NULL
#endif
#ifdef HAVE_RDKAFKA
#define KAFKA &sink_kafka
#else
#define KAFKA NULL
#endif

typedef struct SinkScheme {
    const gchar *name, *library;
    const SinkDriver *driver; /* NULL: this program was built without the library */
} SinkScheme;

static const SinkScheme schemes[] = {
    {"file", "", &sink_file},
    {"mqtt", "libmosquitto", MQTT},
    {"mqtts", "libmosquitto", MQTT},
    {"http", "libcurl", HTTP},
    {"https", "libcurl", HTTP},
    {"kafka", "librdkafka", KAFKA},
};

static const SinkScheme *scheme_of(const gchar *url)
{
    gsize length = strcspn(url, ":");

    for (guint i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (strlen(schemes[i].name) == length &&
            g_ascii_strncasecmp(schemes[i].name, url, length) == 0)
            return &schemes[i];
    return NULL;
}

const gchar *sink_missing(const gchar *url)
{
    const SinkScheme *scheme = scheme_of(url);

    return scheme && !scheme->driver ? scheme->library : NULL;
}

SinkResult sink_error(GError **error, SinkResult result, const gchar *format, ...)
{
    va_list list;

    va_start(list, format);
    if (error && !*error)
        *error = g_error_new_valist(g_quark_from_static_string("sink"), result, format, list);
    va_end(list);
    return result;
}

static gint64 until_of(const Sink *sink)
{
    gint64 until;

    g_mutex_lock((GMutex *)&sink->lock);
    until = sink->until;
    g_mutex_unlock((GMutex *)&sink->lock);
    return until;
}

gboolean sink_must_end(const Sink *sink)
{
    gint64 until = until_of(sink);

    return until && g_get_monotonic_time() >= until;
}

void sink_wait_at_least(Sink *sink, guint seconds)
{
    sink->at_least = MIN(seconds, 600);
}

void sink_done(Sink *sink, guint64 n, const gchar *refused)
{
    guint64 done = 0;
    InFlight *head;

    for (GList *link = sink->flight.head; link; link = link->next)
        if (((InFlight *)link->data)->n == n)
            ((InFlight *)link->data)->done = TRUE;
    while ((head = g_queue_peek_head(&sink->flight)) != NULL && head->done) {
        done = head->n;
        g_free(g_queue_pop_head(&sink->flight));
    }
    if (done)
        spool_reader_done(sink->reader, done);
    if (refused)
        g_printerr(
            "camera-monitor: %s: a record is refused, and left out: %s\n", sink->name, refused);
    sink->tries = 0;
    g_mutex_lock(&sink->lock);
    *(refused ? &sink->stats.refused : &sink->stats.sent) += 1;
    g_mutex_unlock(&sink->lock);
}

static void set_connected(Sink *sink, gboolean connected)
{
    sink->connected = connected;
    g_mutex_lock(&sink->lock);
    sink->stats.connected = connected;
    sink->stats.failures += !connected;
    g_mutex_unlock(&sink->lock);
}

static void drain_wake(Sink *sink)
{
    guint64 number;

    while (read(sink->wake_fd, &number, sizeof number) == sizeof number)
        ;
}

/* Until the time is over or the end is asked for; other wakes do not count. */
static void wait_for(Sink *sink, gint64 microseconds)
{
    gint64 end = g_get_monotonic_time() + microseconds, now;

    while ((now = g_get_monotonic_time()) < end && !until_of(sink)) {
        struct pollfd wake = {sink->wake_fd, POLLIN, 0};

        poll(&wake, 1, (int)MIN((end - now) / 1000 + 1, 1000));
        drain_wake(sink);
    }
}

/* FALSE: it has given up. */
static gboolean lose(Sink *sink, SinkResult result, GError *error)
{
    const gchar *why = error ? error->message : "it went away";
    gdouble pause = MIN(1 << MIN(sink->tries, 6), LONGEST_PAUSE) * g_random_double_range(0.5, 1);

    sink->driver->disconnect(sink->self);
    set_connected(sink, FALSE);
    g_queue_clear_full(&sink->flight, g_free);
    spool_reader_rewind(sink->reader);
    if (result == SINK_FATAL) {
        gchar *text = g_strdup_printf("%s: %s", sink->name, why);

        sink->events.on_fatal(sink->events.data, text);
        g_free(text);
        return FALSE;
    }
    pause = MAX(pause, sink->at_least);
    sink->at_least = 0;
    sink->tries++;
    if (until_of(sink))
        return FALSE;
    g_printerr("camera-monitor: %s: %s; next try in %.1f s\n", sink->name, why, pause);
    wait_for(sink, (gint64)(pause * G_USEC_PER_SEC));
    return TRUE;
}

static SinkResult send_more(Sink *sink, GError **error)
{
    gboolean stopping = until_of(sink) != 0;
    SpoolItem item;

    sink->empty = FALSE;
    while (sink->flight.length < sink->driver->most_in_flight && !sink_must_end(sink)) {
        InFlight *flight;
        SinkResult result;

        if (!spool_reader_next(sink->reader, &item)) {
            sink->empty = TRUE;
            sink->drained = stopping;
            return SINK_OK;
        }
        flight = g_new(InFlight, 1);
        *flight = (InFlight){item.n, FALSE};
        g_queue_push_tail(&sink->flight, flight);
        result = sink->driver->send(sink->self, &item, error);
        g_free(item.text);
        if (result != SINK_OK)
            return result;
    }
    return SINK_OK;
}

static SinkResult step(Sink *sink, GError **error)
{
    SinkResult result = SINK_OK;

    if (!sink->connected) {
        result = sink->driver->connect(sink->self, error);
        if (result != SINK_OK)
            return result;
        set_connected(sink, TRUE);
    }
    drain_wake(sink);
    result = send_more(sink, error);
    if (result != SINK_OK)
        return result;
    return sink->driver->serve(sink->self, sink->wake_fd, until_of(sink) ? 50 : 1000, error);
}

static gboolean has_finished(Sink *sink)
{
    return until_of(sink) &&
           (sink_must_end(sink) || (sink->connected && sink->drained && sink->flight.length == 0));
}

static gpointer run(gpointer data)
{
    Sink *sink = data;
    gboolean go = TRUE;

    while (go && !has_finished(sink)) {
        GError *error = NULL;
        SinkResult result = step(sink, &error);

        if (result != SINK_OK)
            go = lose(sink, result, error);
        g_clear_error(&error);
    }
    if (sink->connected)
        sink->driver->disconnect(sink->self);
    g_mutex_lock(&sink->lock);
    sink->stats.connected = FALSE;
    sink->ended = TRUE;
    g_cond_signal(&sink->ended_cond);
    g_mutex_unlock(&sink->lock);
    return NULL;
}

static void on_wake(gpointer data)
{
    sink_wake(data);
}

Sink *sink_new(const ConfigSink *settings, Spool *spool, MqttBoard *board, const SinkEvents *events,
    GError **error)
{
    Sink *sink = g_new0(Sink, 1);

    sink->name = g_strdup(settings->name);
    sink->driver = scheme_of(settings->url) ? scheme_of(settings->url)->driver : NULL;
    sink->events = *events;
    sink->wake_fd = -1;
    sink->self = sink->driver ? sink->driver->create(settings, sink, board, error) : NULL;
    if (!sink->self) {
        g_free(sink->name);
        g_free(sink);
        return NULL;
    }
    sink->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    g_mutex_init(&sink->lock);
    g_cond_init(&sink->ended_cond);
    g_queue_init(&sink->flight);
    sink->reader = spool_reader_new(spool, settings->name, settings->alerts_only, on_wake, sink);
    sink->thread = g_thread_new("sink", run, sink);
    return sink;
}

const gchar *sink_name(const Sink *sink)
{
    return sink->name;
}

SinkStats sink_stats(Sink *sink)
{
    guint64 lost = spool_reader_lost(sink->reader);
    SinkStats stats;

    g_mutex_lock(&sink->lock);
    stats = sink->stats;
    g_mutex_unlock(&sink->lock);
    stats.lost = lost;
    return stats;
}

void sink_wake(Sink *sink)
{
    guint64 one = 1;

    if (write(sink->wake_fd, &one, sizeof one) < 0)
        return; /* it is awake enough */
}

void sink_stop(Sink *sink, gint64 until)
{
    g_mutex_lock(&sink->lock);
    sink->until = until;
    g_mutex_unlock(&sink->lock);
    sink_wake(sink);
}

gboolean sink_join(Sink *sink)
{
    gint64 until = until_of(sink) + G_USEC_PER_SEC / 2;
    gboolean ended = TRUE;

    g_mutex_lock(&sink->lock);
    while (!sink->ended && ended)
        ended = g_cond_wait_until(&sink->ended_cond, &sink->lock, until);
    g_mutex_unlock(&sink->lock);
    if (!sink->ended)
        return FALSE;
    g_thread_join(sink->thread);
    return TRUE;
}

void sink_free(Sink *sink, gboolean forget)
{
    spool_reader_close(sink->reader);
    if (forget)
        spool_reader_forget(sink->reader);
    sink->driver->destroy(sink->self);
    g_queue_clear_full(&sink->flight, g_free);
    close(sink->wake_fd);
    g_mutex_clear(&sink->lock);
    g_cond_clear(&sink->ended_cond);
    g_free(sink->name);
    g_free(sink);
}
