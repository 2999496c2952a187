/* SPDX-License-Identifier: Apache-2.0
 * What an MQTT broker is to show beside records, such as which cameras are there, and the commands that come from it. The
 * program's thread writes, the sink's thread publishes.
 */
#ifndef MQTT_BOARD_H
#define MQTT_BOARD_H

#include <glib.h>

typedef struct MqttBoard MqttBoard;

typedef enum MqttNotice {
    MQTT_RETAINED, /* the broker keeps it */
    MQTT_ANNOUNCED, /* it does not: published at every connection, and whenever Home Assistant starts */
} MqttNotice;

/* payload: as it came, with a NUL byte behind its length. */
typedef void (*MqttCommand)(gpointer data, const gchar *topic, const gchar *payload, gsize length);
typedef void (*MqttPublish)(
    gpointer data, const gchar *topic, const gchar *payload, MqttNotice notice);

/* prefix: of topics, copied. birth: the topic on which Home Assistant says that it has started; NULL: nobody does. command is called
 * on the thread of the default main context. */
MqttBoard *mqtt_board_new(
    const gchar *prefix, const gchar *birth, MqttCommand command, gpointer data);
const gchar *mqtt_board_prefix(const MqttBoard *board);
const gchar *mqtt_board_birth(const MqttBoard *board);
/* payload "": what was there is gone. wake is called when it is something new, if there is one. */
void mqtt_board_set(MqttBoard *board, const gchar *topic, const gchar *payload, MqttNotice notice);
void mqtt_board_on_change(MqttBoard *board, void (*wake)(gpointer data), gpointer data);
/* What has changed since, or all. */
void mqtt_board_publish(MqttBoard *board, gboolean all, MqttPublish publish, gpointer data);
void mqtt_board_command(MqttBoard *board, const gchar *topic, const gchar *payload, gsize length);
/* No command comes any more. */
void mqtt_board_free(MqttBoard *board);

#endif
