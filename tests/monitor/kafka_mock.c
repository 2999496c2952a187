/* SPDX-License-Identifier: Apache-2.0
 * librdkafka's mock cluster as a server: prints its address, and then, a line each, every message of the topic "llavaov". Ends
 * with its standard input, on which "down" and "up" take the broker's network away and give it back.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rd_kafka_t *make(rd_kafka_type_t type, const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    rd_kafka_t *kafka;

    rd_kafka_conf_set(conf, "bootstrap.servers", brokers ? brokers : "", why, sizeof why);
    if (type == RD_KAFKA_CONSUMER) {
        rd_kafka_conf_set(conf, "group.id", "test", why, sizeof why);
        rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof why);
        rd_kafka_conf_set(conf, "enable.auto.commit", "false", why, sizeof why);
    }
    kafka = rd_kafka_new(type, conf, why, sizeof why);
    if (!kafka)
        exit(1);
    return kafka;
}

int main(void)
{
    rd_kafka_t *owner = make(RD_KAFKA_PRODUCER, NULL), *consumer;
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, 1);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    struct pollfd input = {0, POLLIN, 0};
    char word[16];

    rd_kafka_mock_topic_create(cluster, "llavaov", 1, 1);
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    consumer = make(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(cluster));
    rd_kafka_topic_partition_list_add(list, "llavaov", 0)->offset = 0;
    rd_kafka_assign(consumer, list);
    setvbuf(stdin, NULL, _IONBF, 0);
    for (;;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 20);

        if (message && !message->err) {
            printf("%.*s\n", (int)message->len, (const char *)message->payload);
            fflush(stdout);
        }
        if (message)
            rd_kafka_message_destroy(message);
        if (poll(&input, 1, 0) == 0)
            continue;
        if (!fgets(word, sizeof word, stdin))
            return 0;
        if (strcmp(word, "down\n") == 0)
            rd_kafka_mock_broker_set_down(cluster, 1);
        else
            rd_kafka_mock_broker_set_up(cluster, 1);
    }
}
