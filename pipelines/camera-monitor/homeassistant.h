/* SPDX-License-Identifier: Apache-2.0
 * Cameras on an MQTT board: their state as topics, and for Home Assistant what devices they are (MQTT discovery, by device, from
 * its version 2024.11 on).
 */
#ifndef HOMEASSISTANT_H
#define HOMEASSISTANT_H

#include "camera.h"
#include "mqtt-board.h"

/* A camera is there, or something of it has changed. discovery: prefix of Home Assistant's topics; NULL: it is not told. */
void homeassistant_show(MqttBoard *board, const gchar *discovery, const Camera *camera);
void homeassistant_remove(MqttBoard *board, const gchar *discovery, const Camera *camera);
/* The payload of discovery; the caller's. */
gchar *homeassistant_device(const gchar *prefix, const Camera *camera);

#endif
