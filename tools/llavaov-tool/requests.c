/* SPDX-License-Identifier: Apache-2.0
 * answer: requests as lines of JSON on standard input, answers as lines of JSON on standard output in
 * the order in which they are complete. A line that is no good gets a line with its error. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "model/try.h"
#include "tool.h"

/* Messages, and the settings beside them. */
#define MOST_LINE_BYTES (LV_MAX_MESSAGES_BYTES + (64u << 10))

typedef struct Answering Answering;

/* One request under way, in a session of its own. */
typedef struct Slot {
    Answering *all;
    LlavaovSession *session;
    ToolMessages messages;
    LlavaovFrame **frames;
    size_t n_frames;
    json_t *id; /* or NULL */
    uint64_t line;
    bool prompt_ids; /* the answer comes with the prompt's */
    bool busy;       /* under the lock: on_done has not run */
} Slot;

struct Answering {
    const ToolOptions *options;
    pthread_mutex_t lock; /* also of standard output */
    pthread_cond_t changed;
    Slot *slots;
    uint32_t n_slots;
    bool broken; /* standard output takes no more */
};

/* What a line asks for. */
typedef struct Wish {
    LlavaovGeneration generation;
    LlavaovChoices choices; /* labels NULL: none */
} Wish;

/* Prints {"id": ..., "line": ...} with the members of `more`, which it takes; under the lock. */
static void print_line(Answering *all, const json_t *id, uint64_t line, json_t *more)
{
    json_t *head = json_pack("{s:O? s:I}", "id", (json_t *)id, "line", (json_int_t)line);
    if (head && !id)
        json_object_set_new(head, "id", json_null());
    char *text = head && more && json_object_update(head, more) == 0
                     ? json_dumps(head, JSON_REAL_PRECISION(17))
                     : NULL;
    if (!text || printf("%s\n", text) < 0 || fflush(stdout) != 0)
        all->broken = true;
    free(text);
    json_decref(head);
    json_decref(more);
}

static json_t *error_members(const LlavaovError *error)
{
    return json_pack("{s:{s:s s:s}}", "error", "status", llavaov_status_name(error->status),
        "message", error->message);
}

static void print_error(Answering *all, const json_t *id, uint64_t line, const LlavaovError *error)
{
    pthread_mutex_lock(&all->lock);
    print_line(all, id, line, error_members(error));
    pthread_mutex_unlock(&all->lock);
}

static json_t *answer_members(const Slot *slot, const LlavaovAnswer *a)
{
    json_t *members = json_pack("{s:o s:s s:o s:i}", "text", json_stringn(a->text, a->text_bytes),
        "finish-reason", a->finish_reason == LLAVAOV_FINISH_LENGTH ? "length" : "stop", "tokens",
        tool_json_ids(a->tokens, a->new_tokens), "prompt-tokens", (int)a->prompt_tokens);
    bool good = members;
    if (good && slot->prompt_ids)
        good = json_object_set_new(
                   members, "prompt-ids", tool_json_ids(a->prompt_ids, a->prompt_tokens)) == 0;
    if (good && a->chosen)
        good = tool_add_chosen(members, a->chosen) == LLAVAOV_OK;
    if (good)
        return members;
    json_decref(members);
    return NULL;
}

static void on_done(void *data, const LlavaovAnswer *a)
{
    Slot *slot = data;
    Answering *all = slot->all;
    json_t *members = a->status == LLAVAOV_OK ? answer_members(slot, a) : error_members(&a->error);
    pthread_mutex_lock(&all->lock);
    print_line(all, slot->id, slot->line, members);
    slot->busy = false;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

static LlavaovStatus map_picture(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = *(const LlavaovImage *)data;
    return LLAVAOV_OK;
}

/* Of a request that is over. Its pictures are read no more: all frames of an answer are prepared, and
 * closing waits for those of one that failed. */
static void clear(Slot *slot)
{
    for (size_t i = 0; i < slot->n_frames; i++)
        llavaov_frame_unref(slot->frames[i]);
    lv_free(slot->frames);
    slot->frames = NULL;
    slot->n_frames = 0;
    llavaov_session_close(slot->session);
    slot->session = NULL;
    tool_free_messages(&slot->messages);
    json_decref(slot->id);
    slot->id = NULL;
}

/* Waits for one; NULL: nobody reads the answers. */
static Slot *free_slot(Answering *all)
{
    Slot *slot = NULL;
    pthread_mutex_lock(&all->lock);
    while (!slot && !all->broken) {
        for (uint32_t i = 0; i < all->n_slots && !slot; i++)
            if (!all->slots[i].busy)
                slot = &all->slots[i];
        if (!slot)
            pthread_cond_wait(&all->changed, &all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    if (slot)
        clear(slot);
    return slot;
}

/* The line's settings in place of those of the command line. */
static LlavaovStatus read_wish(const ToolOptions *o, const json_t *root, const char *file,
    Wish *wish, bool *prompt_ids, LlavaovError *error)
{
    static const char *const names[] = {"id", "messages", "greedy", "max-new-tokens", "temperature",
        "top-k", "top-p", "repetition-penalty", "seed", "choices", "prompt-ids"};
    LlavaovGeneration *g = &wish->generation;
    LvFields fields = {.object = root, .file = file, .path = "", .error = error};
    const char *name;
    json_t *value;
    bool greedy = false;
    int32_t seed = 0;
    wish->generation = o->generation;
    wish->choices = o->choices;
    *prompt_ids = false;
    json_object_foreach((json_t *)root, name, value)
    {
        size_t i = 0;
        while (i < sizeof names / sizeof names[0] && strcmp(name, names[i]) != 0)
            i++;
        if (i == sizeof names / sizeof names[0])
            return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, name,
                "%s: \"%.64s\" is nothing that a request has", file, name);
    }
    lv_field_bool(&fields, "greedy", &greedy);
    if (greedy)
        g->as_checkpoint = 0;
    lv_field_uint(&fields, "max-new-tokens", 1, LV_MAX_NEW_TOKENS, &g->max_new_tokens);
    lv_field_double(&fields, "temperature", 0, 1e6, &g->temperature);
    lv_field_uint(&fields, "top-k", 0, UINT32_MAX, &g->top_k);
    lv_field_double(&fields, "top-p", 0, 1, &g->top_p);
    lv_field_double(&fields, "repetition-penalty", 0, 1e6, &g->repetition_penalty);
    if (lv_field_present(&fields, "seed")) {
        lv_field_int(&fields, "seed", 0, INT32_MAX, &seed);
        g->seed = (uint64_t)seed;
    }
    lv_field_text(&fields, "choices", &wish->choices.labels);
    lv_field_bool(&fields, "prompt-ids", prompt_ids);
    if (lv_field_present(&fields, "max-new-tokens"))
        g->as_checkpoint &= ~(uint32_t)LLAVAOV_SETTING_MAX_NEW_TOKENS;
    if (lv_field_present(&fields, "temperature"))
        g->as_checkpoint &= ~(uint32_t)LLAVAOV_SETTING_TEMPERATURE;
    if (lv_field_present(&fields, "top-k"))
        g->as_checkpoint &= ~(uint32_t)LLAVAOV_SETTING_TOP_K;
    if (lv_field_present(&fields, "top-p"))
        g->as_checkpoint &= ~(uint32_t)LLAVAOV_SETTING_TOP_P;
    if (lv_field_present(&fields, "repetition-penalty"))
        g->as_checkpoint &= ~(uint32_t)LLAVAOV_SETTING_REPETITION_PENALTY;
    if (fields.status == LLAVAOV_OK && wish->choices.labels &&
        (greedy || g->as_checkpoint != o->generation.as_checkpoint))
        lv_field_fail(&fields, LLAVAOV_ERROR_ARGUMENT, "choices",
            "generate nothing, so that settings have no meaning");
    if (fields.status == LLAVAOV_OK && greedy && g->temperature > 0)
        lv_field_fail(&fields, LLAVAOV_ERROR_ARGUMENT, "greedy",
            "and a temperature of %g contradict each other", g->temperature);
    return fields.status;
}

/* Takes the pictures into the slot's session; visuals has room for all media. */
static LlavaovStatus push(Slot *slot, LlavaovVisual *visuals, LlavaovError *error)
{
    const ToolMessages *m = &slot->messages;
    size_t n = 0;
    for (size_t i = 0; i < m->conversation.n_media; i++)
        n += m->pictures[i].n;
    if (n > LV_MAX_FRAMES_PER_REQUEST)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, NULL, "more than %u pictures",
            LV_MAX_FRAMES_PER_REQUEST);
    slot->frames = lv_calloc(n, sizeof *slot->frames);
    if (!slot->frames)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for frames");
    for (size_t i = 0; i < m->conversation.n_media; i++) {
        const ToolPictures *pictures = &m->pictures[i];
        visuals[i] = (LlavaovVisual){.size = sizeof visuals[i],
            .layout = m->conversation.media[i].video ? LLAVAOV_LAYOUT_VIDEO : m->image_layout,
            .frames = slot->frames + slot->n_frames,
            .n_frames = pictures->n};
        for (size_t k = 0; k < pictures->n; k++) {
            const LlavaovFrameSource source = {.size = sizeof source,
                .map = map_picture,
                .data = &pictures->images[k],
                .layout = visuals[i].layout,
                .encode = LLAVAOV_ENCODE_ON_DEMAND};
            LlavaovStatus status = llavaov_session_push_frame(
                slot->session, &source, &slot->frames[slot->n_frames], error);
            if (status != LLAVAOV_OK)
                return status;
            slot->n_frames++;
        }
    }
    return LLAVAOV_OK;
}

/* Asks what a line says. The answer, or what fails later, comes in on_done. */
static LlavaovStatus ask(Slot *slot, LlavaovEngine *engine, LlavaovChatTemplate *chat_template,
    const json_t *root, LlavaovError *error)
{
    const LlavaovSessionOptions session_options = {
        .size = sizeof session_options, .chat_template = chat_template};
    char file[32];
    ToolOptions o = *slot->all->options;
    LlavaovVisual *visuals = NULL;
    Wish wish;
    LlavaovStatus status;
    snprintf(file, sizeof file, "line %llu", (unsigned long long)slot->line);
    o.messages_file = file;
    LV_TRY(read_wish(&o, root, file, &wish, &slot->prompt_ids, error));
    const json_t *list = json_object_get(root, "messages");
    char *text = list ? json_dumps(list, JSON_ENCODE_ANY) : NULL;
    if (!text)
        LV_TRY(list ? lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for messages")
                    : lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "messages",
                          "%s: \"messages\" are wanted", file));
    slot->messages.text = lv_strdup(text);
    free(text);
    LV_TRY(tool_parse_messages(&o, &slot->messages, error));
    visuals = lv_calloc(slot->messages.conversation.n_media, sizeof *visuals);
    if (!visuals)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for pictures"));
    LV_TRY(llavaov_session_open(engine, &session_options, &slot->session, error));
    LV_TRY(push(slot, visuals, error));
    const LlavaovRequest request = {.size = sizeof request,
        .messages = slot->messages.text,
        .visuals = visuals,
        .n_visuals = slot->messages.conversation.n_media,
        .generation = wish.choices.labels ? NULL : &wish.generation,
        .choices = wish.choices.labels ? &wish.choices : NULL,
        .on_done = on_done,
        .data = slot};
    slot->busy = true; /* nobody else looks at it yet */
    status = llavaov_session_ask(slot->session, &request, NULL, error);
    if (status != LLAVAOV_OK)
        slot->busy = false;
done:
    lv_free(visuals);
    return status;
}

/* The next line without its end, into `line` of MOST_LINE_BYTES; false: there is none. *bytes is more
 * than that for one that is too long, whose rest is passed over. */
static bool read_line(char *line, size_t *bytes)
{
    size_t n = 0;
    int c;
    while ((c = getc_unlocked(stdin)) != EOF && c != '\n') {
        if (n < MOST_LINE_BYTES)
            line[n] = (char)c;
        if (n <= MOST_LINE_BYTES)
            n++;
    }
    *bytes = n;
    return c != EOF || n > 0;
}

static bool blank(const char *line, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!strchr(" \t\r", line[i]) || !line[i])
            return false;
    return true;
}

static LlavaovStatus parse(
    const char *line, size_t bytes, uint64_t number, json_t **root, LlavaovError *error)
{
    char file[32];
    snprintf(file, sizeof file, "line %llu", (unsigned long long)number);
    if (bytes > MOST_LINE_BYTES)
        return lv_fail(
            error, LLAVAOV_ERROR_FORMAT, file, "%s: longer than %u bytes", file, MOST_LINE_BYTES);
    return lv_json_parse(line, bytes, file, true, root, error);
}

static LlavaovStatus answer_lines(Answering *all, LlavaovEngine *engine,
    LlavaovChatTemplate *chat_template, char *line, LlavaovError *error)
{
    uint64_t number = 0;
    size_t bytes;
    while (read_line(line, &bytes)) {
        LlavaovError bad = {0};
        json_t *root = NULL;
        number++;
        if (bytes <= MOST_LINE_BYTES && blank(line, bytes))
            continue;
        if (parse(line, bytes, number, &root, &bad) != LLAVAOV_OK) {
            print_error(all, NULL, number, &bad);
            continue;
        }
        Slot *slot = free_slot(all);
        if (!slot) {
            json_decref(root);
            break;
        }
        slot->line = number;
        slot->id = json_incref(json_object_get(root, "id"));
        if (ask(slot, engine, chat_template, root, &bad) != LLAVAOV_OK)
            print_error(all, slot->id, number, &bad);
        json_decref(root);
    }
    if (ferror(stdin))
        return lv_fail(error, LLAVAOV_ERROR_IO, NULL, "standard input cannot be read");
    return LLAVAOV_OK;
}

/* All that are under way. */
static void finish(Answering *all)
{
    pthread_mutex_lock(&all->lock);
    for (uint32_t i = 0; i < all->n_slots; i++)
        while (all->slots[i].busy)
            pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
    for (uint32_t i = 0; i < all->n_slots; i++)
        clear(&all->slots[i]);
}

LlavaovStatus tool_answer(const ToolOptions *o, LlavaovError *error)
{
    Answering all = {.options = o,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .n_slots = o->in_flight};
    LlavaovChatTemplate *chat_template = NULL;
    LlavaovEngine *engine = NULL;
    char *line = NULL;
    LlavaovStatus status;
    if (o->prompt || o->system || o->messages_file || o->n_arguments > 0)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "messages",
            "answer takes what is asked from standard input: no --prompt, --system, --messages or "
            "files"));
    LV_TRY(tool_open_template(o, &chat_template, error));
    LV_TRY(tool_open_engine(o, &engine, error));
    all.slots = lv_calloc(all.n_slots, sizeof *all.slots);
    line = lv_alloc(MOST_LINE_BYTES, 1);
    if (!all.slots || !line)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for requests"));
    for (uint32_t i = 0; i < all.n_slots; i++)
        all.slots[i].all = &all;
    status = answer_lines(&all, engine, chat_template, line, error);
    finish(&all);
    if (status == LLAVAOV_OK && all.broken)
        status = lv_fail(error, LLAVAOV_ERROR_IO, NULL, "an answer cannot be written");
done:
    lv_free(line);
    lv_free(all.slots);
    llavaov_engine_unref(engine);
    llavaov_chat_template_unref(chat_template);
    return status;
}
