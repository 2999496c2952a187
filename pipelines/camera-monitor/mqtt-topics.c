/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt-topics.h"

#include <string.h>

#define LONGEST 64

gchar *mqtt_topic_name(const gchar *name)
{
    static const gchar *const taken[] = {
        "answer", "alert", "enabled", "prompt", "ask", "available", NULL};
    GString *text = g_string_new(NULL);
    gboolean other = FALSE;
    const gchar *p;
    gchar *sum;

    if (!name)
        return g_string_free(g_string_append(text, "question"), FALSE);
    for (p = name; *p && text->len < LONGEST; p = g_utf8_next_char(p)) {
        gboolean good = g_ascii_isalnum(*p) || *p == '-' || *p == '_';

        other |= !good;
        g_string_append_c(text, good ? *p : '_');
    }
    if (*p || other || !*name || g_strv_contains(taken, name)) {
        sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, name, -1);
        g_string_append_printf(text, "_%.8s", sum);
        g_free(sum);
    }
    return g_string_free(text, FALSE);
}

static gboolean set_on(MqttOrder *order, const gchar *payload)
{
    order->on = strcmp(payload, "ON") == 0;
    return order->on || strcmp(payload, "OFF") == 0;
}

gboolean mqtt_order_read(
    MqttOrder *order, const gchar *prefix, const gchar *topic, const gchar *payload, gsize length)
{
    gsize front = strlen(prefix);
    gchar **parts;
    guint n;
    gboolean good = FALSE;

    *order = (MqttOrder){0};
    if (strncmp(topic, prefix, front) != 0 || topic[front] != '/' || length == 0 ||
        memchr(payload, '\0', length) || !g_utf8_validate(payload, (gssize)length, NULL) ||
        !g_utf8_validate(topic, -1, NULL))
        return FALSE;
    parts = g_strsplit(topic + front + 1, "/", 5);
    n = g_strv_length(parts);
    if (n == 3 && !strcmp(parts[1], "enabled") && !strcmp(parts[2], "set")) {
        order->verb = MQTT_ENABLE;
        good = set_on(order, payload);
    } else if (n == 3 && !strcmp(parts[1], "prompt") && !strcmp(parts[2], "set")) {
        order->verb = MQTT_PROMPT;
        good = TRUE;
    } else if (n == 4 && !strcmp(parts[2], "prompt") && !strcmp(parts[3], "set")) {
        order->verb = MQTT_PROMPT;
        order->question = g_strdup(parts[1]);
        good = TRUE;
    } else if (n == 2 && !strcmp(parts[1], "ask")) {
        order->verb = MQTT_ASK;
        good = TRUE;
    }
    order->camera = good ? g_strdup(parts[0]) : NULL;
    g_strfreev(parts);
    if (!good)
        mqtt_order_clear(order);
    return good;
}

void mqtt_order_clear(MqttOrder *order)
{
    g_free(order->camera);
    g_free(order->question);
    *order = (MqttOrder){0};
}
