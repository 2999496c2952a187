/* SPDX-License-Identifier: Apache-2.0 */
#include "page-state.h"

#include "page-answer.h"

#include <string.h>

#define MOST_PROMPT 100000
#define MOST_NEWS 131072

typedef struct KeptAnswer {
    guint64 version;
    gchar *json;
} KeptAnswer;

typedef struct Card {
    GList link; /* in the order of versions */
    gchar *name;
    guint64 version;
    gchar *head; /* what page_state_set_camera() said, as members of an object */
    guint64 dropped, failed;
    GHashTable *alerts; /* of the state's word, by question ("": the only one) */
    GQueue answers;     /* of KeptAnswer, the oldest first */
} Card;

struct PageState {
    GMutex lock;
    void (*changed)(gpointer data);
    gpointer data;
    GHashTable *cards;
    GPtrArray *names;      /* in the order of their coming */
    GQueue order;          /* of Card, the least lately changed first */
    guint64 version, list; /* of all, and of the list of names */
};

static void free_answer(gpointer data)
{
    KeptAnswer *answer = data;

    g_free(answer->json);
    g_free(answer);
}

static void free_card(gpointer data)
{
    Card *card = data;

    g_queue_clear_full(&card->answers, free_answer);
    g_hash_table_unref(card->alerts);
    g_free(card->head);
    g_free(card->name);
    g_free(card);
}

PageState *page_state_new(void (*changed)(gpointer data), gpointer data)
{
    PageState *state = g_new0(PageState, 1);

    g_mutex_init(&state->lock);
    state->changed = changed;
    state->data = data;
    state->cards = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_card);
    state->names = g_ptr_array_new_with_free_func(g_free);
    state->version = state->list = 1;
    return state;
}

static Card *lock_and_find(PageState *state, const gchar *name)
{
    g_mutex_lock(&state->lock);
    return g_hash_table_lookup(state->cards, name);
}

static void touch(PageState *state, Card *card)
{
    card->version = ++state->version;
    g_queue_unlink(&state->order, &card->link);
    g_queue_push_tail_link(&state->order, &card->link);
}

static void unlock_and_tell(PageState *state)
{
    g_mutex_unlock(&state->lock);
    state->changed(state->data);
}

static Card *add_card(PageState *state, const gchar *name)
{
    Card *card = g_new0(Card, 1);

    card->link.data = card;
    card->name = g_strdup(name);
    card->alerts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_queue_init(&card->answers);
    g_hash_table_insert(state->cards, card->name, card);
    g_ptr_array_add(state->names, g_strdup(name));
    g_queue_push_tail_link(&state->order, &card->link);
    state->list = ++state->version;
    return card;
}

static gchar *head_of(const gchar *name, const PageCamera *camera)
{
    GString *head = g_string_new("\"name\":");
    gchar *quoted_name = page_quote(name, MOST_PROMPT), *reason = page_quote(camera->reason, 400);

    g_string_append_printf(head,
        "%s,\"state\":\"%s\",\"reason\":%s,\"since\":%" G_GINT64_FORMAT
        ",\"enabled\":%s,\"reconnects\":%" G_GUINT64_FORMAT ",\"questions\":[",
        quoted_name, camera->state, reason, camera->since / 1000,
        camera->enabled ? "true" : "false", camera->reconnects);
    g_free(quoted_name);
    g_free(reason);
    for (guint i = 0; i < camera->n_questions; i++) {
        gchar *question = page_quote(camera->questions[i], 400);
        gchar *prompt = page_quote(camera->prompts[i], MOST_PROMPT);

        g_string_append_printf(
            head, "%s{\"name\":%s,\"prompt\":%s}", i ? "," : "", question, prompt);
        g_free(question);
        g_free(prompt);
    }
    g_string_append_c(head, ']');
    return g_string_free(head, FALSE);
}

void page_state_set_camera(PageState *state, const gchar *name, const PageCamera *camera)
{
    gchar *head = head_of(name, camera);
    Card *card = lock_and_find(state, name);

    if (!card)
        card = add_card(state, name);
    g_free(card->head);
    card->head = head;
    touch(state, card);
    unlock_and_tell(state);
}

void page_state_begin_alerts(PageState *state, const gchar *name)
{
    Card *card = lock_and_find(state, name);

    if (card && g_hash_table_size(card->alerts) > 0) {
        g_hash_table_remove_all(card->alerts);
        touch(state, card);
    }
    unlock_and_tell(state);
}

void page_state_set_counts(PageState *state, const gchar *name, guint64 dropped, guint64 failed)
{
    Card *card = lock_and_find(state, name);

    if (card && (dropped != card->dropped || failed != card->failed)) {
        card->dropped = dropped;
        card->failed = failed;
        touch(state, card);
        unlock_and_tell(state);
    } else {
        g_mutex_unlock(&state->lock);
    }
}

void page_state_remove_camera(PageState *state, const gchar *name)
{
    Card *card = lock_and_find(state, name);
    guint place;

    if (card) {
        g_queue_unlink(&state->order, &card->link);
        if (g_ptr_array_find_with_equal_func(state->names, name, g_str_equal, &place))
            g_ptr_array_remove_index(state->names, place);
        g_hash_table_remove(state->cards, name);
        state->list = ++state->version;
    }
    unlock_and_tell(state);
}

static void keep_answer(PageState *state, Card *card, const json_t *record)
{
    KeptAnswer *answer = g_new0(KeptAnswer, 1);

    answer->version = state->version;
    answer->json = page_answer_json(record, state->version, g_get_real_time() / 1000);
    g_queue_push_tail(&card->answers, answer);
    while (card->answers.length > PAGE_ANSWERS)
        free_answer(g_queue_pop_head(&card->answers));
}

void page_state_take_record(PageState *state, const gchar *name, const json_t *record)
{
    const gchar *change = json_string_value(json_object_get(record, "state"));
    const gchar *alert = json_string_value(json_object_get(record, "alert"));
    const gchar *question = json_string_value(json_object_get(record, "question"));
    Card *card = lock_and_find(state, name);

    if (card) {
        touch(state, card);
        if (change)
            alert = strcmp(change, "raised") == 0 ? "raised" : "clear";
        if (alert)
            g_hash_table_replace(card->alerts, g_strdup(question ? question : ""), g_strdup(alert));
        if (!change)
            keep_answer(state, card, record);
    }
    unlock_and_tell(state);
}

static void write_names(const PageState *state, GString *out)
{
    g_string_append(out, "event: cameras\ndata: [");
    for (guint i = 0; i < state->names->len; i++) {
        gchar *name = page_quote(state->names->pdata[i], MOST_PROMPT);

        g_string_append_printf(out, "%s%s", i ? "," : "", name);
        g_free(name);
    }
    g_string_append(out, "]\n\n");
}

static void write_card(const Card *card, GString *out, guint64 since)
{
    const gchar *comma = "";
    GHashTableIter each;
    gpointer question, alert;

    g_string_append_printf(out,
        "event: camera\ndata: {%s,\"dropped\":%" G_GUINT64_FORMAT ",\"failed\":%" G_GUINT64_FORMAT
        ",\"alerts\":{",
        card->head, card->dropped, card->failed);
    g_hash_table_iter_init(&each, card->alerts);
    while (g_hash_table_iter_next(&each, &question, &alert)) {
        gchar *quoted = page_quote(question, 400), *state = page_quote(alert, 20);

        g_string_append_printf(out, "%s%s:%s", comma, quoted, state);
        comma = ",";
        g_free(quoted);
        g_free(state);
    }
    g_string_append_printf(out, "},\"all\":%s,\"answers\":[", since ? "false" : "true");
    comma = "";
    for (const GList *walk = card->answers.head; walk; walk = walk->next) {
        const KeptAnswer *answer = walk->data;

        if (answer->version <= since)
            continue;
        g_string_append_printf(out, "%s%s", comma, answer->json);
        comma = ",";
    }
    g_string_append(out, "]}\n\n");
}

GString *page_state_news(PageState *state, guint64 *version)
{
    GString *out = NULL;
    guint64 since = *version;

    g_mutex_lock(&state->lock);
    if (since < state->version) {
        out = g_string_sized_new(4096);
        if (state->list > since)
            write_names(state, out);
        *version = state->version;
        for (const GList *walk = state->order.head; walk; walk = walk->next) {
            const Card *card = walk->data;

            if (card->version <= since)
                continue;
            if (out->len > MOST_NEWS)
                break;
            write_card(card, out, since);
            *version = card->version;
        }
        if (out->len <= MOST_NEWS)
            *version = state->version;
    }
    g_mutex_unlock(&state->lock);
    return out;
}

void page_state_free(PageState *state)
{
    g_hash_table_unref(state->cards);
    g_ptr_array_unref(state->names);
    g_mutex_clear(&state->lock);
    g_free(state);
}
