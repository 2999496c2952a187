/* SPDX-License-Identifier: Apache-2.0
 * A question to a session, and its answer to wait for.
 */
#ifndef REPLY_H
#define REPLY_H

#include <pthread.h>
#include <stdatomic.h>

#include "llavaov.h"

typedef struct Reply {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n_done; /* on_done calls */
    LlavaovStatus status;
    LlavaovError error;
    LlavaovFinishReason finish_reason;
    char text[4096]; /* of a random model: it may hold NUL */
    size_t n_text;
    int32_t tokens[512];
    uint32_t new_tokens, prompt_tokens, frames_reused, draft_tokens, accepted_tokens, early_tokens;
    bool has_json, truncated;
    struct ReplyValue {
        char path[64], value[32]; /* what was written */
        double logprobs[8], probabilities[8], confidence, label_mass;
        size_t n;
    } values[16]; /* the first of them */
    size_t n_values;
    char json[4096];
    char streamed[4096]; /* what on_text brought */
    size_t n_streamed;
    LlavaovGeneration generation; /* of ask(), but the number of tokens; reply_init: the default */
    atomic_int *clock;            /* may be NULL; stamps the order of answers */
    int stamp;
} Reply;
void reply_init(Reply *reply);
void reply_wait(Reply *reply);
/* Asks with the reply's callbacks. */
void ask_request(LlavaovSession *session, Reply *reply, LlavaovRequest request);

/* Asks; fails the test when that is refused. */
LlavaovTicket *ask(LlavaovSession *session, Reply *reply, LlavaovFrame *const *frames,
    size_t n_frames, LlavaovLayout layout, const char *prompt, uint32_t max_new_tokens);

#endif
