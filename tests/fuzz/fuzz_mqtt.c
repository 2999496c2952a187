/* SPDX-License-Identifier: Apache-2.0
 * Any topic, up to the first newline, and any payload behind it, as a broker may send them: a command, or none.
 */
#include "fuzz.h"

#include <string.h>

#include "mqtt-topics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gchar *text = data ? (const gchar *)data : "", *newline = memchr(text, '\n', size);
    gsize front = newline ? (gsize)(newline - text) : size, length = newline ? size - front - 1 : 0;
    gchar *topic = g_strndup(text, front), *payload = g_strndup(newline ? newline + 1 : "", length),
          *name;
    MqttOrder order;

    if (mqtt_order_read(&order, "llavaov", topic, payload, length)) {
        FUZZ_CHECK(order.camera && g_str_has_prefix(topic, "llavaov/") && length > 0);
        FUZZ_CHECK(!strchr(order.camera, '/') && g_utf8_validate(payload, (gssize)length, NULL));
        mqtt_order_clear(&order);
    }
    if (g_utf8_validate(topic, -1, NULL)) {
        name = mqtt_topic_name(topic);
        FUZZ_CHECK(*name && strlen(name) < 128 && !strpbrk(name, "/+#$ \n"));
        g_free(name);
    }
    g_free(topic);
    g_free(payload);
    return 0;
}
