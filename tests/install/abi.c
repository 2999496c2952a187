/* SPDX-License-Identifier: Apache-2.0
 * A program of another version: library.py builds it with headers of which some structs end early (VERSION -1) or have a
 * member more, of_tomorrow (1), and with today's (0).
 *
 *     abi MODEL */
#include <assert.h>
#include <llavaov.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#if VERSION == 0
/* Padding at an end would be read as the members that come there one day. */
#define ENDS_IN(type, last)                                                                        \
    _Static_assert(offsetof(type, last) + sizeof(((type *)0)->last) == sizeof(type), #type)
ENDS_IN(LlavaovEngineOptions, quantized_cache);
ENDS_IN(LlavaovRemoteOptions, reserved);
ENDS_IN(LlavaovSessionOptions, reserved);
ENDS_IN(LlavaovFrameSource, reuse_below);
ENDS_IN(LlavaovPrompt, text);
ENDS_IN(LlavaovRules, eta_cutoff);
ENDS_IN(LlavaovGeneration, without_drafts);
ENDS_IN(LlavaovVisual, n_frames);
ENDS_IN(LlavaovQuestion, data);
ENDS_IN(LlavaovRequest, reserved_end);
ENDS_IN(LlavaovChoices, min_mass);
ENDS_IN(LlavaovSessionStats, early_tokens);
ENDS_IN(LlavaovMotionSeen, since);
#endif

static const uint8_t pixels[24 * 32 * 3] = {200, 10, 10};

static LlavaovStatus map(void *data, LlavaovImage *image, LlavaovError *error)
{
    (void)data, (void)error;
    *image = (LlavaovImage){
        .format = LLAVAOV_PIXEL_RGB, .width = 32, .height = 24, .plane = {pixels}, .stride = {96}};
    return LLAVAOV_OK;
}

static void on_done(void *data, const LlavaovAnswer *answer)
{
    printf("%d %u\n", answer->status, answer->new_tokens);
    sem_post(data);
}

int main(int argc, char **argv)
{
    sem_t done;
    sem_init(&done, 0, 0);
    LlavaovError error = {0};
    LlavaovEngine *engine = NULL;
    LlavaovSession *session = NULL;
    LlavaovFrame *frame = NULL;
    LlavaovEngineOptions options = {.model_path = argc > 1 ? argv[1] : NULL};
    assert(llavaov_engine_open(&options, &engine, &error) == LLAVAOV_ERROR_ARGUMENT);
    assert(strcmp(error.subject, "size") == 0 &&
           strstr(error.message, "sizeof(LlavaovEngineOptions)"));
    options.size = sizeof options;
#if VERSION > 0
    options.of_tomorrow = 1;
    assert(llavaov_engine_open(&options, &engine, &error) == LLAVAOV_ERROR_UNSUPPORTED);
    assert(strcmp(error.subject, "LlavaovEngineOptions") == 0);
    options.of_tomorrow = 0;
#endif
    if (llavaov_engine_open(&options, &engine, &error)) {
        puts(error.message);
        return 1;
    }
    const LlavaovSessionOptions plain = {.size = sizeof plain};
    assert(llavaov_session_open(engine, &plain, &session, &error) == LLAVAOV_OK);
    const LlavaovPrompt prompt = {
        .size = sizeof prompt, .layout = LLAVAOV_LAYOUT_VIDEO, .n_frames = 1, .text = "What?"};
    uint32_t tokens = 0;
    assert(llavaov_session_prompt_tokens(session, &prompt, &tokens, &error) == LLAVAOV_OK &&
           tokens > 3);
    const LlavaovFrameSource source = {.size = sizeof source, .map = map};
    assert(llavaov_session_push_frame(session, &source, &frame, &error) == LLAVAOV_OK);
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = 3;
    assert(generation.size == sizeof generation);
    const LlavaovRequest request = {.size = sizeof request,
        .prompt = "What?",
        .frames = &frame,
        .n_frames = 1,
        .on_done = on_done,
        .data = &done,
        .generation = &generation};
    assert(llavaov_session_ask(session, &request, NULL, &error) == LLAVAOV_OK);
    sem_wait(&done);
    /* No byte beyond what this program knows is written. */
    struct {
        LlavaovSessionStats known;
        uint64_t beyond;
    } stats = {{.size = sizeof stats.known}, 7};
    assert(llavaov_session_stats(session, &stats.known) == LLAVAOV_OK);
    assert(stats.known.frames_pushed == 1 && stats.known.size == sizeof stats.known);
    assert(stats.beyond == 7);
    llavaov_frame_unref(frame);
    llavaov_session_close(session);
    llavaov_engine_unref(engine);
    return 0;
}
