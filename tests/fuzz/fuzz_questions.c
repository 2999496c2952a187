/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as the property questions: 1 to 32 of them, or an error in words. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "questions.h"

static void check_question(const GstLlavaovQuestion *question)
{
    const size_t n = strlen(question->name);
    FUZZ_CHECK(n > 0 && strspn(question->name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n);
    FUZZ_CHECK(question->settings.prompt && g_utf8_validate(question->settings.prompt, -1, NULL));
    FUZZ_CHECK(question->settings.max_new_tokens > 0);
}

static void check_error(const LlavaovError *error)
{
    FUZZ_CHECK(error->status != LLAVAOV_OK && g_str_has_prefix(error->message, "questions: "));
    FUZZ_CHECK(g_utf8_validate(error->message, -1, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GstLlavaovSettings settings;
    GPtrArray *questions;
    LlavaovError error = {0};
    if (!gst_is_initialized())
        gst_init(NULL, NULL);
    gst_llavaov_settings_init(&settings);
    settings.questions = g_strndup((const gchar *)data, size);
    if (!gst_llavaov_questions_of(&settings, &questions, &error)) {
        check_error(&error);
    } else {
        FUZZ_CHECK(questions->len >= 1 && questions->len <= GST_LLAVAOV_MAX_QUESTIONS);
        for (guint i = 0; i < questions->len; i++)
            check_question(g_ptr_array_index(questions, i));
        g_ptr_array_unref(questions);
        if (!gst_llavaov_questions_check(&settings, &error))
            check_error(&error);
    }
    gst_llavaov_settings_clear(&settings);
    return 0;
}
