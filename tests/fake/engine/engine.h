/* SPDX-License-Identifier: Apache-2.0
 * The fake as an engine, for deterministic tests of the element: what llavaov.h declares, without a
 * model, with scripted times, failures and answers. Beside the keys of script.h,
 *
 *   load-ms=N      time that loading takes, in ten steps of progress
 *   stuck-ms=N     before them, and loading does not look at its cancel flag for this long
 *   encode-ms=N    time for each frame
 *   answer-ms=N    time for each answer
 *   text-ms=N      time for each character of an answer whose text is wanted as it comes
 *   context=N      length of the model's context in tokens; a prompt has one token a byte and four a
 *                  frame
 *   ask-error=S    every answer fails with this status; with every=N only each N-th
 *   slow=TEXT      the engine's notice of what makes its device slow
 *
 * The answer to a prompt over frames whose first bytes are a, b, c is "PROMPT|a b c", that to one which
 * goes on from a history "PROMPT>PROMPT|a b c" with all its prompts and frames (the first byte
 * of the first plane), where a frame that is to be turned is "a@N", N as in EXIF. To the prompt
 * "generation" it is what was asked for: "TOKENS TEMPERATURE TOP-K TOP-P PENALTY SEED", where a
 * setting that is the checkpoint's is "-", and "+" behind them where its rules are wanted. Its
 * notice is "nobody, somebody". The detail of the device says how many engines this process has
 * opened: "engine 1". A session has one thread of its own. */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include <glib.h>

#include "../script.h"

struct LlavaovEngine {
    gint refs;
    gchar *model_path, *device;
    gchar slow[FAKE_TEXT_SIZE];
    uint64_t load_ms, encode_ms, answer_ms, text_ms, stuck_ms, every, context;
    LlavaovStatus load_error, ask_error;
    gchar detail[32];
    LlavaovEngineInfo info;
};

#endif
