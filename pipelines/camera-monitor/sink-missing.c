/* SPDX-License-Identifier: Apache-2.0
 * In the place of what this program was built without.
 */
#include "sink-driver.h"

#ifndef HAVE_MOSQUITTO
const SinkDriver sink_mqtt = {.library = "libmosquitto"};
#endif
#ifndef HAVE_CURL
const SinkDriver sink_http = {.library = "libcurl"};
#endif
#ifndef HAVE_RDKAFKA
const SinkDriver sink_kafka = {.library = "librdkafka"};
#endif
