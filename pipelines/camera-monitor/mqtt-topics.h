/* SPDX-License-Identifier: Apache-2.0
 * The topics of records, of cameras and of commands, behind a prefix.
 *
 *   CAMERA/answer              every answer
 *   CAMERA/alert               every alert that is raised or cleared
 *   CAMERA/QUESTION/state      the latest answer, retained
 *   CAMERA/alert/QUESTION      ON or OFF, retained
 *   CAMERA/enabled/set, CAMERA/prompt/set, CAMERA/QUESTION/prompt/set, CAMERA/ask     commands
 *
 * A name with other characters than letters, digits, '-' and '_' stands there with '_' in their place and a checksum.
 */
#ifndef MQTT_TOPICS_H
#define MQTT_TOPICS_H

#include <glib.h>

/* Of a camera or a question, NULL for the only one. */
gchar *mqtt_topic_name(const gchar *name);

typedef enum MqttVerb {
    MQTT_ENABLE, /* payload ON or OFF */
    MQTT_PROMPT, /* the prompt's text */
    MQTT_ASK,    /* a question, or a JSON object of docs/asking.md */
} MqttVerb;

typedef struct MqttOrder {
    MqttVerb verb;
    gboolean on;
    gchar *camera;   /* as it stands in the topic */
    gchar *question; /* the same; NULL: the only one */
} MqttOrder;

/* What a message orders; FALSE: it is no command. The payload is text behind it. */
gboolean mqtt_order_read(
    MqttOrder *order, const gchar *prefix, const gchar *topic, const gchar *payload, gsize length);
void mqtt_order_clear(MqttOrder *order);

#endif
