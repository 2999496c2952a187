/* SPDX-License-Identifier: Apache-2.0
 * An MQTT broker. Of a record come several messages (mqtt-topics.h); it is done when the broker has acknowledged them all.
 */
#include "mqtt-board.h"
#include "mqtt-topics.h"
#include "sink.h"

#include <errno.h>
#include <mosquitto.h>
#include <poll.h>
#include <string.h>

#define KEEPALIVE 30
#define PATIENCE (10 * G_USEC_PER_SEC)
#define MOST_BIRTH_DELAY 5

typedef struct MqttSink {
    Sink *sink;
    MqttBoard *board;
    gchar *host, *user, *password, *ca_file, *cert_file, *key_file, *prefix, *will;
    int port;
    gboolean tls;
    struct mosquitto *client;
    gint connack; /* below 0: none yet */
    gboolean lost;
    GHashTable *messages; /* its number to that of the record */
    GHashTable *left;     /* number of a record to how many messages it waits for */
    gint64 announce;      /* when to announce anew; 0: not */
} MqttSink;

static void on_board(gpointer data)
{
    sink_wake(data);
}

static gpointer create(const ConfigSink *settings, Sink *sink, MqttBoard *board, GError **error)
{
    GUri *uri =
        g_uri_parse(settings->url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_PARSE_RELAXED, error);
    MqttSink *mqtt;

    if (!uri)
        return NULL;
    mqtt = g_new0(MqttSink, 1);
    mqtt->sink = sink;
    mqtt->board = board;
    mqtt->tls = strcmp(g_uri_get_scheme(uri), "mqtts") == 0;
    mqtt->host = g_strdup(g_uri_get_host(uri));
    mqtt->port = g_uri_get_port(uri) > 0 ? g_uri_get_port(uri) : mqtt->tls ? 8883 : 1883;
    mqtt->user = g_strdup(settings->user);
    mqtt->password = g_strdup(settings->password);
    mqtt->ca_file = g_strdup(settings->ca_file);
    mqtt->cert_file = g_strdup(settings->cert_file);
    mqtt->key_file = g_strdup(settings->key_file);
    mqtt->prefix = g_strdup(mqtt_board_prefix(board));
    mqtt->will = g_strdup_printf("%s/available", mqtt->prefix);
    mqtt->messages = g_hash_table_new(NULL, NULL);
    mqtt->left = g_hash_table_new(NULL, NULL);
    mqtt_board_on_change(board, on_board, sink);
    g_uri_unref(uri);
    return mqtt;
}

static void on_connect(struct mosquitto *client, void *data, int code)
{
    ((MqttSink *)data)->connack = code;
}

static void on_disconnect(struct mosquitto *client, void *data, int code)
{
    ((MqttSink *)data)->lost = TRUE;
}

static void on_publish(struct mosquitto *client, void *data, int id)
{
    MqttSink *mqtt = data;
    gpointer n = g_hash_table_lookup(mqtt->messages, GINT_TO_POINTER(id));
    gsize left;

    if (!n)
        return;
    g_hash_table_remove(mqtt->messages, GINT_TO_POINTER(id));
    left = GPOINTER_TO_SIZE(g_hash_table_lookup(mqtt->left, n));
    if (left > 1) {
        g_hash_table_insert(mqtt->left, n, GSIZE_TO_POINTER(left - 1));
        return;
    }
    g_hash_table_remove(mqtt->left, n);
    sink_done(mqtt->sink, GPOINTER_TO_SIZE(n), NULL);
}

static void on_message(
    struct mosquitto *client, void *data, const struct mosquitto_message *message)
{
    MqttSink *mqtt = data;
    const gchar *birth = mqtt_board_birth(mqtt->board),
                *payload = message->payload ? message->payload : "";
    gsize length = (gsize)MAX(message->payloadlen, 0);

    if (birth && strcmp(message->topic, birth) == 0) {
        if (length == strlen("online") && memcmp(payload, "online", length) == 0)
            mqtt->announce =
                g_get_monotonic_time() + g_random_int_range(0, MOST_BIRTH_DELAY * G_USEC_PER_SEC);
    } else if (!message->retain) {
        /* A command that a broker keeps would be obeyed anew at every connection. */
        mqtt_board_command(mqtt->board, message->topic, payload, length);
    }
}

static SinkResult failed(int code, GError **error)
{
    return sink_error(error,
        code == MOSQ_ERR_INVAL || code == MOSQ_ERR_TLS ? SINK_FATAL : SINK_RETRY, "%s",
        mosquitto_strerror(code));
}

static int client_new(MqttSink *mqtt)
{
    int code;

    mqtt->client = mosquitto_new(NULL, true, mqtt);
    if (!mqtt->client)
        return MOSQ_ERR_NOMEM;
    mosquitto_connect_callback_set(mqtt->client, on_connect);
    mosquitto_disconnect_callback_set(mqtt->client, on_disconnect);
    mosquitto_publish_callback_set(mqtt->client, on_publish);
    mosquitto_message_callback_set(mqtt->client, on_message);
    mosquitto_int_option(mqtt->client, MOSQ_OPT_TCP_NODELAY, 1);
    /* sink.c has an eye on how many records are under way; a limit below theirs would hold back the order. */
    mosquitto_max_inflight_messages_set(mqtt->client, 0);
    code = mosquitto_will_set(mqtt->client, mqtt->will, (int)strlen("offline"), "offline", 1, true);
    if (!code && mqtt->user)
        code = mosquitto_username_pw_set(mqtt->client, mqtt->user, mqtt->password);
    if (!code && mqtt->tls)
        code = mosquitto_tls_set(mqtt->client, mqtt->ca_file,
            mqtt->ca_file ? NULL : "/etc/ssl/certs", mqtt->cert_file, mqtt->key_file, NULL);
    return code;
}

/* One round: what the network has, or until the time is over. */
static int turn(MqttSink *mqtt, int wake_fd, gint milliseconds)
{
    struct pollfd fds[2] = {{mosquitto_socket(mqtt->client), POLLIN, 0}, {wake_fd, POLLIN, 0}};
    int code = MOSQ_ERR_SUCCESS;

    if (fds[0].fd < 0)
        return MOSQ_ERR_CONN_LOST;
    if (mosquitto_want_write(mqtt->client))
        fds[0].events |= POLLOUT;
    if (poll(fds, wake_fd >= 0 ? 2 : 1, milliseconds) > 0) {
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
            code = mosquitto_loop_read(mqtt->client, 1);
        if (!code && fds[0].revents & POLLOUT)
            code = mosquitto_loop_write(mqtt->client, 1);
    }
    return code ? code : mosquitto_loop_misc(mqtt->client);
}

static void publish_notice(gpointer data, const gchar *topic, const gchar *payload, MqttNotice kind)
{
    MqttSink *mqtt = data;

    mosquitto_publish(
        mqtt->client, NULL, topic, (int)strlen(payload), payload, 1, kind == MQTT_RETAINED);
}

static int greet(MqttSink *mqtt)
{
    static const gchar *const commands[] = {
        "+/enabled/set", "+/prompt/set", "+/+/prompt/set", "+/ask"};
    int code =
        mosquitto_publish(mqtt->client, NULL, mqtt->will, (int)strlen("online"), "online", 1, true);

    for (guint i = 0; i < G_N_ELEMENTS(commands) && !code; i++) {
        gchar *topic = g_strdup_printf("%s/%s", mqtt->prefix, commands[i]);

        code = mosquitto_subscribe(mqtt->client, NULL, topic, 1);
        g_free(topic);
    }
    if (!code && mqtt_board_birth(mqtt->board))
        code = mosquitto_subscribe(mqtt->client, NULL, mqtt_board_birth(mqtt->board), 1);
    mqtt_board_publish(mqtt->board, TRUE, publish_notice, mqtt);
    return code;
}

static SinkResult mqtt_connect(gpointer self, GError **error)
{
    MqttSink *mqtt = self;
    gint64 end = g_get_monotonic_time() + PATIENCE;
    int code;

    mqtt->connack = -1;
    mqtt->lost = FALSE;
    mqtt->announce = 0;
    code = client_new(mqtt);
    if (!code)
        code = mosquitto_connect_async(mqtt->client, mqtt->host, mqtt->port, KEEPALIVE);
    while (!code && mqtt->connack < 0 && !mqtt->lost) {
        if (g_get_monotonic_time() > end)
            return sink_error(error, SINK_RETRY, "the broker does not answer");
        if (sink_must_end(mqtt->sink))
            return sink_error(error, SINK_RETRY, "the program ends");
        code = turn(mqtt, -1, 100);
    }
    if (mqtt->connack == 4 || mqtt->connack == 5)
        return sink_error(error, SINK_FATAL, "the broker refuses the credentials: %s",
            mosquitto_connack_string(mqtt->connack));
    if (mqtt->connack > 0)
        return sink_error(error, SINK_RETRY, "%s", mosquitto_connack_string(mqtt->connack));
    if (code == MOSQ_ERR_ERRNO)
        return sink_error(error, SINK_RETRY, "%s", g_strerror(errno));
    if (!code && mqtt->lost)
        code = MOSQ_ERR_CONN_LOST;
    if (!code)
        code = greet(mqtt);
    return code ? failed(code, error) : SINK_OK;
}

static int publish(MqttSink *mqtt, guint64 n, const gchar *payload, gboolean retain,
    const gchar *format, ...) G_GNUC_PRINTF(5, 6);

/* One of the messages of a record. */
static int publish(
    MqttSink *mqtt, guint64 n, const gchar *payload, gboolean retain, const gchar *format, ...)
{
    gpointer number = GSIZE_TO_POINTER(n);
    gchar *rest, *topic;
    va_list list;
    int id, code;

    va_start(list, format);
    rest = g_strdup_vprintf(format, list);
    va_end(list);
    topic = g_strdup_printf("%s/%s", mqtt->prefix, rest);
    code = mosquitto_publish(mqtt->client, &id, topic, (int)strlen(payload), payload, 1, retain);
    if (!code) {
        g_hash_table_insert(mqtt->messages, GINT_TO_POINTER(id), number);
        g_hash_table_insert(mqtt->left, number,
            GSIZE_TO_POINTER(GPOINTER_TO_SIZE(g_hash_table_lookup(mqtt->left, number)) + 1));
    }
    g_free(topic);
    g_free(rest);
    return code;
}

static gboolean is_on(const gchar *alert)
{
    return strcmp(alert, "raised") == 0 || strcmp(alert, "falling") == 0;
}

static int publish_record(MqttSink *mqtt, guint64 n, const Record *record)
{
    gchar *camera = mqtt_topic_name(record->stream), *question = mqtt_topic_name(record->question);
    const gchar *alert = json_string_value(
        json_object_get(record->json, record->kind == RECORD_ALERT ? "state" : "alert"));
    gboolean asked = json_object_get(record->json, "ask-id") != NULL;
    int code = publish(mqtt, n, record->line, FALSE, "%s/%s", camera,
        record->kind == RECORD_ALERT ? "alert" : "answer");

    if (!code && asked)
        code = publish(mqtt, n, record->line, TRUE, "%s/ask/answer", camera);
    else if (!code && record->kind == RECORD_ANSWER)
        code = publish(mqtt, n, record->line, TRUE, "%s/%s/state", camera, question);
    if (!code && !asked && alert)
        code = publish(mqtt, n, is_on(alert) ? "ON" : "OFF", TRUE, "%s/alert/%s", camera, question);
    g_free(camera);
    g_free(question);
    return code;
}

static SinkResult mqtt_send(gpointer self, const SpoolItem *item, GError **error)
{
    MqttSink *mqtt = self;
    Record *record = record_read(item->text, item->length);
    int code;

    if (!record) {
        sink_done(mqtt->sink, item->n, "not a record");
        return SINK_OK;
    }
    code = publish_record(mqtt, item->n, record);
    record_unref(record);
    if (code == MOSQ_ERR_PAYLOAD_SIZE || code == MOSQ_ERR_OVERSIZE_PACKET ||
        code == MOSQ_ERR_MALFORMED_UTF8) {
        sink_done(mqtt->sink, item->n, mosquitto_strerror(code));
        return SINK_OK;
    }
    return code ? failed(code, error) : SINK_OK;
}

static SinkResult mqtt_serve(gpointer self, int wake_fd, gint milliseconds, GError **error)
{
    MqttSink *mqtt = self;
    gint64 now = g_get_monotonic_time();
    gboolean announce = mqtt->announce && now >= mqtt->announce;
    int code;

    mqtt_board_publish(mqtt->board, announce, publish_notice, mqtt);
    if (announce)
        mqtt->announce = 0;
    code = turn(mqtt, wake_fd, milliseconds);
    if (!code && mqtt->lost)
        code = MOSQ_ERR_CONN_LOST;
    return code ? failed(code, error) : SINK_OK;
}

static void mqtt_disconnect(gpointer self)
{
    MqttSink *mqtt = self;
    gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC / 4;

    if (!mqtt->client)
        return;
    /* An orderly end leaves no will. */
    if (mqtt->connack == 0 && !mqtt->lost &&
        mosquitto_publish(
            mqtt->client, NULL, mqtt->will, (int)strlen("offline"), "offline", 1, true) == 0 &&
        mosquitto_disconnect(mqtt->client) == 0)
        while (!mqtt->lost && mosquitto_want_write(mqtt->client) && g_get_monotonic_time() < end &&
               turn(mqtt, -1, 20) == 0)
            ;
    mosquitto_destroy(mqtt->client);
    mqtt->client = NULL;
    g_hash_table_remove_all(mqtt->messages);
    g_hash_table_remove_all(mqtt->left);
}

static void destroy(gpointer self)
{
    MqttSink *mqtt = self;
    gchar *texts[] = {mqtt->host, mqtt->user, mqtt->password, mqtt->ca_file, mqtt->cert_file,
        mqtt->key_file, mqtt->prefix, mqtt->will};

    mqtt_disconnect(mqtt);
    mqtt_board_on_change(mqtt->board, NULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_hash_table_unref(mqtt->messages);
    g_hash_table_unref(mqtt->left);
    g_free(mqtt);
}

const SinkDriver sink_mqtt = {
    20, create, mqtt_connect, mqtt_send, mqtt_serve, mqtt_disconnect, destroy};
