/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/status.h"
#include "choices.h"
#include "engine.h"
#include "schema/json_schema.h"
#include "schema/walk.h"

struct LlavaovSession {
    LlavaovEngine *engine;
    LlavaovSessionOptions options;
    GMutex lock;
    GCond cond;
    GQueue jobs;
    gboolean stop;
    guint epoch; /* counts cancels */
    guint n_asked;
    LlavaovSessionStats stats;
    GThread *thread;
    gint shown; /* the first byte of the last frame that was not reused */
};

struct LlavaovFrame {
    gint refs;
    LlavaovFrameSource source;
    gboolean released, failed, reused;
    guint8 first;
    LlavaovOrientation orientation;
    LlavaovError error;
    void *data;
    guint width, height;
};

struct LlavaovTicket {
    gint refs;
    gint cancelled;
};

typedef struct {
    LlavaovFrame *frame; /* to prepare and encode, or: */
    LlavaovTicket *ticket;
    LlavaovRequest request;
    LlavaovGeneration generation;
    GPtrArray *frames;
    gchar *prompt;
    LlavaovJsonSchema *schema;
    LlavaovHistory *history;
    gint64 asked;
    guint epoch;
} Job;

/* ---- frames ---- */

static void frame_release(LlavaovFrame *frame)
{
    if (!frame->released)
        frame->source.release(frame->source.data);
    frame->released = TRUE;
}

LlavaovFrame *llavaov_frame_ref(LlavaovFrame *frame)
{
    g_atomic_int_inc(&frame->refs);
    return frame;
}

void llavaov_frame_unref(LlavaovFrame *frame)
{
    if (!g_atomic_int_dec_and_test(&frame->refs))
        return;
    frame_release(frame);
    g_free(frame);
}

/* ---- histories ---- */

struct LlavaovHistory {
    gint refs;
    LlavaovEngine *engine;
    gchar *prompts; /* PROMPT>PROMPT... */
    GPtrArray *frames;
};

static LlavaovHistory *history_new(
    LlavaovEngine *engine, const gchar *prompts, const GPtrArray *frames)
{
    LlavaovHistory *history = g_new0(LlavaovHistory, 1);
    guint i;

    history->refs = 1;
    history->engine = llavaov_engine_ref(engine);
    history->prompts = g_strdup(prompts);
    history->frames = g_ptr_array_new_with_free_func((GDestroyNotify)llavaov_frame_unref);
    for (i = 0; i < frames->len; i++)
        g_ptr_array_add(history->frames, llavaov_frame_ref(frames->pdata[i]));
    return history;
}

LlavaovHistory *llavaov_history_ref(LlavaovHistory *history)
{
    g_atomic_int_inc(&history->refs);
    return history;
}

void llavaov_history_unref(LlavaovHistory *history)
{
    if (!history || !g_atomic_int_dec_and_test(&history->refs))
        return;
    llavaov_engine_unref(history->engine);
    g_ptr_array_unref(history->frames);
    g_free(history->prompts);
    g_free(history);
}

void llavaov_history_trim(LlavaovHistory *history)
{
}

/* ---- session ---- */

static guint count_tokens(size_t n_frames, const char *system_prompt, const char *prompt)
{
    return 4 * n_frames + strlen(prompt) + (system_prompt ? strlen(system_prompt) : 0);
}

LlavaovStatus llavaov_session_prompt_tokens(
    LlavaovSession *session, const LlavaovPrompt *prompt, uint32_t *tokens, LlavaovError *error)
{
    *tokens = count_tokens(prompt->n_frames, prompt->system_prompt, prompt->text);
    return LLAVAOV_OK;
}

static gboolean is_cancelled(LlavaovSession *session, const Job *job)
{
    return session->stop || job->epoch != session->epoch ||
           (job->ticket && g_atomic_int_get(&job->ticket->cancelled));
}

/* FALSE when it was cut short. With the lock held. */
static gboolean work(LlavaovSession *session, const Job *job, guint ms)
{
    gint64 until = g_get_monotonic_time() + ms * G_TIME_SPAN_MILLISECOND;

    while (!is_cancelled(session, job)) {
        gint64 now = g_get_monotonic_time();

        if (now >= until)
            return TRUE;
        g_cond_wait_until(
            &session->cond, &session->lock, MIN(until, now + 5 * G_TIME_SPAN_MILLISECOND));
    }
    return FALSE;
}

static void do_frame(LlavaovSession *session, Job *job)
{
    LlavaovFrame *frame = job->frame;
    LlavaovImage image = {0};

    if (g_atomic_int_get(&frame->refs) == 1 || is_cancelled(session, job))
        return;
    g_mutex_unlock(&session->lock);
    if (frame->source.map(frame->source.data, &image, &frame->error) == LLAVAOV_OK) {
        frame->first = image.plane[0][0];
        frame->orientation = image.orientation;
        frame->width = image.width;
        frame->height = image.height;
        frame->source.unmap(frame->source.data);
    } else {
        frame->failed = TRUE;
    }
    frame_release(frame);
    if (session->options.on_frame)
        session->options.on_frame(session->options.data, frame->data,
            frame->failed ? LLAVAOV_FRAME_FAILED : LLAVAOV_FRAME_PREPARED);
    g_mutex_lock(&session->lock);
    session->stats.frames_prepared++;
    frame->reused = ABS(frame->first - session->shown) < frame->source.reuse_below;
    if (frame->reused) {
        session->stats.frames_reused++;
        return;
    }
    session->shown = frame->first;
    if (work(session, job, session->engine->encode_ms))
        session->stats.frames_encoded++;
}

static void append_generation(GString *text, const LlavaovGeneration *g)
{
    const gdouble values[] = {
        g->max_new_tokens, g->temperature, g->top_k, g->top_p, g->repetition_penalty};
    guint i;

    for (i = 0; i < G_N_ELEMENTS(values); i++) {
        if (g->as_checkpoint & (1 << i))
            g_string_append(text, "- ");
        else
            g_string_append_printf(text, "%g ", values[i]);
    }
    g_string_append_printf(text, "%" G_GUINT64_FORMAT "%s", g->seed,
        g->as_checkpoint & LLAVAOV_SETTING_RULES ? " +" : "");
}

/* Of OBJECT of tests/gst/test_json.c. */
static const char *const fake_booleans[] = {"false", "true"};
static const double fake_probabilities[] = {0.25, 0.75}, fake_logprobs[] = {-2, -1};
static const LlavaovJsonValue fake_moving = {.path = "/moving",
    .values = fake_booleans,
    .logprobs = fake_logprobs,
    .probabilities = fake_probabilities,
    .n = 2,
    .written = 1,
    .confidence = 0.75,
    .label_mass = 0.5};
static const LlavaovJsonValue *const fake_json_values[] = {&fake_moving};

/* The shortest document. */
static void write_document(const LlavaovJsonSchema *schema, GString *text)
{
    const LvProgram *program = lv_json_schema_program(schema);
    LvWalk walk = lv_walk_start(program);

    g_string_truncate(text, 0);
    while (lv_walk_closing(program, &walk) > 0) {
        g_string_append_c(text, (gchar)lv_walk_closing_byte(program, &walk));
        lv_walk_step(program, &walk, (guchar)text->str[text->len - 1]);
    }
}

/* A character every text-ms. With the lock held. */
static void write_text(LlavaovSession *session, Job *job, const gchar *text)
{
    const gchar *next;

    for (; session->engine->text_ms && *text; text = next) {
        next = g_utf8_next_char(text);
        if (!work(session, job, session->engine->text_ms))
            return;
        g_mutex_unlock(&session->lock);
        job->request.on_text(job->request.data, text, next - text);
        g_mutex_lock(&session->lock);
    }
}

static void do_request(LlavaovSession *session, Job *job)
{
    LlavaovEngine *engine = session->engine;
    LlavaovAnswer answer = {
        0,
    };
    FakeChosen chosen = {0};
    GString *text = g_string_new(job->history ? job->history->prompts : NULL);
    gchar *prompts;
    guint i, tokens = count_tokens(job->frames->len, NULL, job->prompt);
    gboolean done = work(session, job, engine->answer_ms);
    guint8 first;

    session->n_asked++;
    g_string_append_printf(text, job->history ? ">%s" : "%s", job->prompt);
    prompts = g_strdup(text->str);
    g_string_append_c(text, '|');
    first = job->frames->len ? ((LlavaovFrame *)g_ptr_array_index(job->frames, 0))->first : 0;
    answer.finish_reason = LLAVAOV_FINISH_STOP;
    for (i = 0; i < job->frames->len; i++) {
        LlavaovFrame *frame = g_ptr_array_index(job->frames, i);

        g_string_append_printf(text, i ? " %u" : "%u", frame->first);
        answer.frames_reused += frame->reused;
        if (frame->orientation != LLAVAOV_ORIENTATION_UPRIGHT)
            g_string_append_printf(text, "@%d", frame->orientation + 1);
        if (frame->failed) {
            answer.status = frame->error.status;
            answer.error = frame->error;
        }
    }
    if (!strcmp(job->prompt, "generation")) {
        g_string_truncate(text, 0);
        append_generation(text, &job->generation);
    }
    if (!done) {
        answer.status = lv_fail(&answer.error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled");
        answer.finish_reason = LLAVAOV_FINISH_CANCELLED;
    } else if (engine->ask_error && engine->every && session->n_asked % engine->every == 0) {
        answer.status = lv_fail_about(
            &answer.error, engine->ask_error, LLAVAOV_ABOUT_NOTHING, "frame", "scripted failure");
    } else if (tokens >= engine->context) {
        answer.status = lv_fail_about(&answer.error, LLAVAOV_ERROR_CONTEXT_FULL,
            LLAVAOV_ABOUT_PROMPT, "prompt", "the prompt does not fit the context");
    }
    if (job->request.choices && answer.status == LLAVAOV_OK) {
        fake_choose(job->request.choices, job->prompt, first, &chosen);
        answer.chosen = &chosen.chosen;
        g_string_assign(text, chosen.labels[chosen.chosen.winner]);
    }
    if (job->schema && answer.status == LLAVAOV_OK) {
        answer.truncated = !strcmp(job->prompt, "truncated");
        write_document(job->schema, text);
        answer.json = text->str;
        answer.json_values = fake_json_values;
        answer.n_json_values = strstr(text->str, "\"moving\": true") ? 1 : 0;
    }
    if (done && answer.status == LLAVAOV_OK && job->request.on_text && !answer.chosen)
        write_text(session, job, text->str);
    answer.text = text->str;
    answer.text_bytes = text->len;
    answer.prompt_tokens = tokens;
    answer.new_tokens = answer.chosen ? 0 : 7;
    answer.total_ns = (g_get_monotonic_time() - job->asked) * 1000;
    answer.first_token_ns = answer.total_ns;
    answer.encode_ns = 1;
    answer.prefill_ns = 2;
    answer.decode_ns = 3;
    session->stats.answers++;
    g_mutex_unlock(&session->lock);
    if (job->request.keep_history && answer.status == LLAVAOV_OK)
        answer.history = history_new(engine, prompts, job->frames);
    job->request.on_done(job->request.data, &answer);
    llavaov_history_unref(answer.history);
    g_free(prompts);
    g_mutex_lock(&session->lock);
    fake_chosen_clear(&chosen);
    g_string_free(text, TRUE);
}

static void job_free(Job *job)
{
    if (job->frame)
        llavaov_frame_unref(job->frame);
    if (job->ticket)
        llavaov_ticket_unref(job->ticket);
    if (job->frames)
        g_ptr_array_unref(job->frames);
    llavaov_reservation_free(job->request.reservation);
    llavaov_json_schema_unref(job->schema);
    llavaov_history_unref(job->history);
    g_free(job->prompt);
    g_free(job);
}

static gpointer session_thread(gpointer data)
{
    LlavaovSession *session = data;
    Job *job;

    g_mutex_lock(&session->lock);
    for (;;) {
        while (!session->stop && g_queue_is_empty(&session->jobs))
            g_cond_wait(&session->cond, &session->lock);
        job = g_queue_pop_head(&session->jobs);
        if (job == NULL)
            break;
        if (job->frame)
            do_frame(session, job);
        else
            do_request(session, job);
        g_mutex_unlock(&session->lock);
        job_free(job);
        g_mutex_lock(&session->lock);
    }
    g_mutex_unlock(&session->lock);
    return NULL;
}

LlavaovStatus llavaov_session_open(LlavaovEngine *engine, const LlavaovSessionOptions *options,
    LlavaovSession **result, LlavaovError *error)
{
    LlavaovSession *session = g_new0(LlavaovSession, 1);

    session->engine = llavaov_engine_ref(engine);
    session->options = *options;
    g_mutex_init(&session->lock);
    g_cond_init(&session->cond);
    g_queue_init(&session->jobs);
    session->shown = -256;
    session->thread = g_thread_new("fake-session", session_thread, session);
    *result = session;
    return LLAVAOV_OK;
}

void llavaov_session_cancel(LlavaovSession *session)
{
    g_mutex_lock(&session->lock);
    session->epoch++;
    g_cond_broadcast(&session->cond);
    g_mutex_unlock(&session->lock);
}

void llavaov_session_close(LlavaovSession *session)
{
    if (session == NULL)
        return;
    g_mutex_lock(&session->lock);
    session->stop = TRUE;
    g_cond_broadcast(&session->cond);
    g_mutex_unlock(&session->lock);
    g_thread_join(session->thread);
    llavaov_engine_unref(session->engine);
    g_mutex_clear(&session->lock);
    g_cond_clear(&session->cond);
    g_free(session);
}

LlavaovStatus llavaov_session_push_frame(LlavaovSession *session, const LlavaovFrameSource *source,
    LlavaovFrame **result, LlavaovError *error)
{
    LlavaovFrame *frame = g_new0(LlavaovFrame, 1);
    Job *job = g_new0(Job, 1);

    frame->refs = 2;
    frame->source = *source;
    frame->data = source->frame_data;
    job->frame = frame;
    g_mutex_lock(&session->lock);
    job->epoch = session->epoch;
    session->stats.frames_pushed++;
    g_queue_push_tail(&session->jobs, job);
    g_cond_broadcast(&session->cond);
    g_mutex_unlock(&session->lock);
    *result = frame;
    return LLAVAOV_OK;
}

LlavaovStatus llavaov_session_stats(LlavaovSession *session, LlavaovSessionStats *stats)
{
    g_mutex_lock(&session->lock);
    *stats = session->stats;
    g_mutex_unlock(&session->lock);
    return LLAVAOV_OK;
}

/* Has time for all windows. */
LlavaovReservation *llavaov_session_reserve(
    LlavaovSession *session, uint64_t ends_in, uint64_t next_begins_in)
{
    return g_malloc(1);
}

void llavaov_reservation_free(LlavaovReservation *reservation)
{
    g_free(reservation);
}

static LlavaovStatus check_request(const LlavaovRequest *request, LlavaovError *error)
{
    if (request->history && (request->system_prompt || !request->prompt))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "history",
            "a conversation goes on with a prompt alone");
    if (request->layout == LLAVAOV_LAYOUT_IMAGE && request->n_frames + !!request->history != 1)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "frames",
            "the image layout takes one frame");
    if (request->layout == LLAVAOV_LAYOUT_IMAGES && request->n_frames == 1)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "frames",
            "one image in a list is a single image");
    return request->choices ? llavaov_choices_check(NULL, request->choices, error) : LLAVAOV_OK;
}

/* Question i as a request of its own. */
static LlavaovRequest question_of(const LlavaovRequest *request, gsize i)
{
    LlavaovRequest alone = *request;
    const LlavaovQuestion *question = request->questions ? &request->questions[i] : NULL;

    alone.questions = NULL;
    if (i > 0)
        alone.reservation = NULL;
    if (!question)
        return alone;
    alone.prompt = question->prompt;
    alone.generation = question->generation;
    alone.choices = question->choices;
    alone.json_schema = question->json_schema;
    alone.on_done = question->on_done;
    alone.on_text = question->on_text;
    alone.data = question->data;
    return alone;
}

static Job *job_new(const LlavaovRequest *request, LlavaovTicket *ticket)
{
    Job *job = g_new0(Job, 1);
    gsize i;

    job->request = *request;
    if (request->generation)
        job->generation = *request->generation;
    job->prompt = g_strdup(request->prompt);
    if (request->json_schema)
        job->schema = llavaov_json_schema_ref(request->json_schema);
    job->frames = g_ptr_array_new_with_free_func((GDestroyNotify)llavaov_frame_unref);
    for (i = 0; request->history && i < request->history->frames->len; i++)
        g_ptr_array_add(job->frames, llavaov_frame_ref(request->history->frames->pdata[i]));
    for (i = 0; i < request->n_frames; i++)
        g_ptr_array_add(job->frames, llavaov_frame_ref(request->frames[i]));
    if (request->history)
        job->history = llavaov_history_ref(request->history);
    job->ticket = ticket;
    job->asked = g_get_monotonic_time();
    return job;
}

LlavaovStatus llavaov_session_ask(LlavaovSession *session, const LlavaovRequest *request,
    LlavaovTicket **result, LlavaovError *error)
{
    const gsize n = request->questions ? request->n_questions : 1;
    LlavaovTicket *ticket;
    gsize i;

    for (i = 0; i < n; i++) {
        const LlavaovRequest alone = question_of(request, i);
        LlavaovStatus status = check_request(&alone, error);

        if (status != LLAVAOV_OK)
            return status;
    }
    ticket = g_new0(LlavaovTicket, 1);
    ticket->refs = (gint)n + (result != NULL);
    if (result)
        *result = ticket;
    g_mutex_lock(&session->lock);
    for (i = 0; i < n; i++) {
        const LlavaovRequest alone = question_of(request, i);
        Job *job = job_new(&alone, ticket);

        job->epoch = session->epoch;
        g_queue_push_tail(&session->jobs, job);
    }
    session->stats.requests += n;
    g_cond_broadcast(&session->cond);
    g_mutex_unlock(&session->lock);
    return LLAVAOV_OK;
}

void llavaov_ticket_cancel(LlavaovTicket *ticket)
{
    g_atomic_int_set(&ticket->cancelled, TRUE);
}

void llavaov_ticket_unref(LlavaovTicket *ticket)
{
    if (ticket && g_atomic_int_dec_and_test(&ticket->refs))
        g_free(ticket);
}
