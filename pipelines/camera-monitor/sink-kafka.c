/* SPDX-License-Identifier: Apache-2.0
 * A topic of Kafka. The key of a message is its camera, so that what one camera says stays in one partition, in order.
 */
#include "sink-driver.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How long librdkafka tries by itself. */
#define MESSAGE_TIMEOUT "30000"

typedef struct KafkaSink {
    Sink *sink;
    ConfigSink settings; /* what is needed of it, copied */
    gchar *brokers;
    rd_kafka_t *producer;
    SinkResult result;
    gchar *why;
    int event_fd;
} KafkaSink;

static void fail(KafkaSink *kafka, SinkResult result, const gchar *why)
{
    if (kafka->result == SINK_FATAL || (kafka->result == SINK_RETRY && result == SINK_RETRY))
        return;
    kafka->result = result;
    g_free(kafka->why);
    kafka->why = g_strdup(why);
}

static gboolean is_fatal(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
           code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

/* One broker that is away is librdkafka's own business: messages that cannot be delivered say so. */
static void on_error(rd_kafka_t *producer, int code, const char *reason, void *data)
{
    if (is_fatal((rd_kafka_resp_err_t)code))
        fail(data, SINK_FATAL, reason);
    else if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        fail(data, SINK_RETRY, reason);
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *data)
{
    KafkaSink *kafka = data;
    guint64 n = GPOINTER_TO_SIZE(message->_private);

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        sink_done(kafka->sink, n, NULL);
    else if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
             message->err == RD_KAFKA_RESP_ERR_INVALID_MSG)
        sink_done(kafka->sink, n, rd_kafka_err2str(message->err));
    else
        fail(kafka, is_fatal(message->err) ? SINK_FATAL : SINK_RETRY,
            rd_kafka_err2str(message->err));
}

static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
    /* on_error() and on_delivery() say what matters. */
}

static gboolean set(rd_kafka_conf_t *conf, const gchar *name, const gchar *value, GError **error)
{
    gchar why[256];

    if (!value || rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return TRUE;
    sink_error(error, SINK_FATAL, "%s: %s", name, why);
    return FALSE;
}

static rd_kafka_conf_t *conf_of(KafkaSink *kafka, GError **error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const ConfigSink *s = &kafka->settings;
    gboolean tls = s->user || s->ca_file || s->cert_file;
    const struct {
        const gchar *name, *value;
    } all[] = {
        {"bootstrap.servers", kafka->brokers},
        {"client.id", "camera-monitor"},
        {"enable.idempotence", "true"},
        {"message.timeout.ms", MESSAGE_TIMEOUT},
        {"linger.ms", "5"},
        {"reconnect.backoff.ms", "100"},
        {"reconnect.backoff.max.ms", "2000"},
        {"topic.metadata.refresh.fast.interval.ms", "250"},
        /* A password goes over TLS only. */
        {"security.protocol", s->user ? "sasl_ssl"
                              : tls   ? "ssl"
                                      : NULL},
        {"sasl.mechanisms", s->user ? "PLAIN" : NULL},
        {"sasl.username", s->user},
        {"sasl.password", s->user ? s->password : NULL},
        {"ssl.ca.location", s->ca_file},
        {"ssl.certificate.location", s->cert_file},
        {"ssl.key.location", s->key_file},
    };

    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        if (!set(conf, all[i].name, all[i].value, error)) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    rd_kafka_conf_set_opaque(conf, kafka);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    return conf;
}

static void destroy(gpointer self)
{
    KafkaSink *kafka = self;
    gchar *texts[] = {kafka->brokers, kafka->why, kafka->settings.user, kafka->settings.password,
        kafka->settings.ca_file, kafka->settings.cert_file, kafka->settings.key_file,
        kafka->settings.topic};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    close(kafka->event_fd);
    g_free(kafka);
}

static gpointer create(const ConfigSink *settings, Sink *sink, MqttBoard *board, GError **error)
{
    KafkaSink *kafka = g_new0(KafkaSink, 1);
    const gchar *hosts = strstr(settings->url, "://"), *at;
    rd_kafka_conf_t *conf;

    hosts = hosts ? hosts + 3 : "";
    at = memchr(hosts, '@', strcspn(hosts, "/"));
    hosts = at ? at + 1 : hosts;
    kafka->sink = sink;
    kafka->brokers = g_strndup(hosts, strcspn(hosts, "/?"));
    kafka->settings = (ConfigSink){.user = g_strdup(settings->user),
        .password = g_strdup(settings->password),
        .ca_file = g_strdup(settings->ca_file),
        .cert_file = g_strdup(settings->cert_file),
        .key_file = g_strdup(settings->key_file),
        .topic = g_strdup(settings->topic ? settings->topic : "llavaov")};
    kafka->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    conf = conf_of(kafka, error);
    if (!conf) {
        destroy(kafka);
        return NULL;
    }
    rd_kafka_conf_destroy(conf);
    return kafka;
}

static SinkResult kafka_connect(gpointer self, GError **error)
{
    KafkaSink *kafka = self;
    rd_kafka_conf_t *conf = conf_of(kafka, error);
    rd_kafka_queue_t *queue;
    guint64 one = 1;
    gchar why[256];

    if (!conf)
        return SINK_FATAL;
    kafka->result = SINK_OK;
    kafka->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!kafka->producer) {
        rd_kafka_conf_destroy(conf);
        return sink_error(error, SINK_FATAL, "%s", why);
    }
    queue = rd_kafka_queue_get_main(kafka->producer);
    rd_kafka_queue_io_event_enable(queue, kafka->event_fd, &one, sizeof one);
    rd_kafka_queue_destroy(queue);
    return SINK_OK;
}

static SinkResult result_of(KafkaSink *kafka, GError **error)
{
    return kafka->result == SINK_OK ? SINK_OK : sink_error(error, kafka->result, "%s", kafka->why);
}

static SinkResult kafka_send(gpointer self, const SpoolItem *item, GError **error)
{
    KafkaSink *kafka = self;
    Record *record = record_read(item->text, item->length);
    const gchar *key = record ? record->stream : "";
    rd_kafka_resp_err_t code = rd_kafka_producev(kafka->producer,
        RD_KAFKA_V_TOPIC(kafka->settings.topic), RD_KAFKA_V_KEY(key, strlen(key)),
        RD_KAFKA_V_VALUE(item->text, item->length), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_OPAQUE(GSIZE_TO_POINTER(item->n)), RD_KAFKA_V_END);

    if (record)
        record_unref(record);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        sink_done(kafka->sink, item->n, rd_kafka_err2str(code));
    else if (code)
        fail(kafka, is_fatal(code) ? SINK_FATAL : SINK_RETRY, rd_kafka_err2str(code));
    return result_of(kafka, error);
}

static SinkResult kafka_serve(gpointer self, int wake_fd, gint milliseconds, GError **error)
{
    KafkaSink *kafka = self;
    struct pollfd fds[] = {{wake_fd, POLLIN, 0}, {kafka->event_fd, POLLIN, 0}};
    guint64 number;

    if (rd_kafka_poll(kafka->producer, 0) == 0)
        poll(fds, 2, milliseconds);
    while (read(kafka->event_fd, &number, sizeof number) == sizeof number)
        ;
    rd_kafka_poll(kafka->producer, 0);
    return result_of(kafka, error);
}

static void kafka_disconnect(gpointer self)
{
    KafkaSink *kafka = self;

    if (!kafka->producer)
        return;
    /* Whatever is not delivered comes from the spool again. */
    rd_kafka_purge(kafka->producer,
        RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy_flags(kafka->producer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    kafka->producer = NULL;
}

const SinkDriver sink_kafka = {
    20, create, kafka_connect, kafka_send, kafka_serve, kafka_disconnect, destroy};
