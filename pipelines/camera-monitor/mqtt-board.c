/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt-board.h"

#include <string.h>

/* Commands are typed by people. */
#define MOST_COMMAND (16 << 10)
#define MOST_WAITING 64

typedef struct Notice {
    gchar *payload;
    MqttNotice kind;
    gboolean changed;
} Notice;

struct MqttBoard {
    gint references; /* of the owner, and of commands on their way; atomic */
    GMutex lock;
    gchar *prefix, *birth;
    GHashTable *notices; /* topic to Notice */
    MqttCommand command; /* NULL: the owner is gone; the main thread's */
    gpointer data;
    gint waiting; /* commands; atomic */
    void (*wake)(gpointer data);
    gpointer wake_data;
};

typedef struct Command {
    MqttBoard *board;
    gchar *topic, *payload;
    gsize length;
} Command;

static void notice_free(gpointer data)
{
    Notice *notice = data;

    g_free(notice->payload);
    g_free(notice);
}

MqttBoard *mqtt_board_new(
    const gchar *prefix, const gchar *birth, MqttCommand command, gpointer data)
{
    MqttBoard *board = g_new0(MqttBoard, 1);

    board->references = 1;
    board->prefix = g_strdup(prefix);
    board->birth = g_strdup(birth);
    board->command = command;
    board->data = data;
    board->notices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, notice_free);
    g_mutex_init(&board->lock);
    return board;
}

static void unref(MqttBoard *board)
{
    if (!g_atomic_int_dec_and_test(&board->references))
        return;
    g_hash_table_unref(board->notices);
    g_mutex_clear(&board->lock);
    g_free(board->prefix);
    g_free(board->birth);
    g_free(board);
}

const gchar *mqtt_board_prefix(const MqttBoard *board)
{
    return board->prefix;
}

const gchar *mqtt_board_birth(const MqttBoard *board)
{
    return board->birth;
}

void mqtt_board_set(MqttBoard *board, const gchar *topic, const gchar *payload, MqttNotice kind)
{
    Notice *notice;
    gboolean changed;

    g_mutex_lock(&board->lock);
    notice = g_hash_table_lookup(board->notices, topic);
    changed = !notice || strcmp(notice->payload, payload) != 0;
    if (changed) {
        notice = g_new(Notice, 1);
        *notice = (Notice){g_strdup(payload), kind, TRUE};
        g_hash_table_replace(board->notices, g_strdup(topic), notice);
        if (board->wake)
            board->wake(board->wake_data);
    }
    g_mutex_unlock(&board->lock);
}

void mqtt_board_on_change(MqttBoard *board, void (*wake)(gpointer data), gpointer data)
{
    g_mutex_lock(&board->lock);
    board->wake = wake;
    board->wake_data = data;
    g_mutex_unlock(&board->lock);
}

void mqtt_board_publish(MqttBoard *board, gboolean all, MqttPublish publish, gpointer data)
{
    GHashTableIter iter;
    gpointer topic, value;

    g_mutex_lock(&board->lock);
    g_hash_table_iter_init(&iter, board->notices);
    while (g_hash_table_iter_next(&iter, &topic, &value)) {
        Notice *notice = value;

        if (!all && !notice->changed)
            continue;
        notice->changed = FALSE;
        publish(data, topic, notice->payload, notice->kind);
        if (!*notice->payload)
            g_hash_table_iter_remove(&iter);
    }
    g_mutex_unlock(&board->lock);
}

static gboolean on_command(gpointer data)
{
    Command *command = data;

    g_atomic_int_add(&command->board->waiting, -1);
    if (command->board->command)
        command->board->command(
            command->board->data, command->topic, command->payload, command->length);
    return G_SOURCE_REMOVE;
}

static void command_free(gpointer data)
{
    Command *command = data;

    unref(command->board);
    g_free(command->topic);
    g_free(command->payload);
    g_free(command);
}

void mqtt_board_command(MqttBoard *board, const gchar *topic, const gchar *payload, gsize length)
{
    Command *command;

    if (length > MOST_COMMAND || strlen(topic) > MOST_COMMAND ||
        g_atomic_int_add(&board->waiting, 1) >= MOST_WAITING) {
        if (length <= MOST_COMMAND)
            g_atomic_int_add(&board->waiting, -1);
        g_printerr("camera-monitor: a command over MQTT is left out: %s\n",
            length > MOST_COMMAND ? "it is too long" : "too many");
        return;
    }
    command = g_new(Command, 1);
    g_atomic_int_inc(&board->references);
    *command = (Command){board, g_strdup(topic), g_strndup(payload, length), length};
    g_idle_add_full(G_PRIORITY_DEFAULT, on_command, command, command_free);
}

void mqtt_board_free(MqttBoard *board)
{
    board->command = NULL;
    unref(board);
}
