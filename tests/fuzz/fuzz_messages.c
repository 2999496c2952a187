/* SPDX-License-Identifier: Apache-2.0
 * A conversation as JSON. What is accepted becomes a prompt in the forms that are known. The first
 * byte chooses one. */
#include "fuzz.h"

#include <string.h>

#include "base/limits.h"
#include "text/chat.h"

static const LlavaovChatTemplate *form(unsigned which)
{
    static LlavaovChatTemplate *forms[3];
    static const char *const names[] = {"hub", "conversion", "qwen_1_5"};
    if (!forms[which])
        FUZZ_CHECK(llavaov_chat_template_open("/nonexistent", names[which], &forms[which], NULL) ==
                   LLAVAOV_OK);
    return forms[which];
}

/* All bytes of the template's text are outside the user's; each medium has its placeholder. */
static void render(const LlavaovChatTemplate *chat_template, const LvConversation *conversation)
{
    LvJinjaText text;
    LlavaovError error = {0};
    LlavaovStatus status = lv_chat_template_render(chat_template, conversation, &text, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (status != LLAVAOV_OK)
        return;
    size_t images = 0, videos = 0;
    for (size_t i = 0; i < text.n_spans; i++) {
        const LvJinjaSpan *span = &text.spans[i];
        for (size_t k = 0; !span->user && k + 7 <= span->bytes; k++) {
            images += memcmp(text.text + span->start + k, "<image>", 7) == 0;
            videos += memcmp(text.text + span->start + k, "<video>", 7) == 0;
        }
    }
    for (size_t i = 0; i < conversation->n_media; i++)
        *(conversation->media[i].video ? &videos : &images) -= 1;
    FUZZ_CHECK(images == 0 && videos == 0);
    lv_jinja_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    LvConversation conversation;
    LlavaovError error = {0};
    LlavaovStatus status =
        lv_conversation_parse((const char *)data + 1, size - 1, "messages", &conversation, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    FUZZ_CHECK((status == LLAVAOV_OK) == (conversation.messages != NULL));
    if (status == LLAVAOV_OK) {
        FUZZ_CHECK(conversation.n_media <= LV_MAX_VISUALS_PER_REQUEST);
        FUZZ_CHECK(json_array_size(conversation.messages) <= LV_MAX_MESSAGES);
        render(form(data[0] % 3), &conversation);
    }
    lv_conversation_free(&conversation);
    return 0;
}
