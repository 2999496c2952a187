/* SPDX-License-Identifier: Apache-2.0
 * LlavaovChatTemplate: a template, compiled, with what it finds around the conversation. */
#ifndef LV_CHAT_TEMPLATE_H
#define LV_CHAT_TEMPLATE_H

#include "text/conversation.h"
#include "text/jinja/jinja.h"

/* Renders with add_generation_prompt. Content that is a string and that the template does not
 * print (released ones look at lists alone) is given to it again as one part of text: the
 * reference would lose it. */
LlavaovStatus lv_chat_template_render(const LlavaovChatTemplate *chat_template,
    const LvConversation *conversation, LvJinjaText *text, LlavaovError *error);

/* Whether the text begins with the tokenizer's bos_token, so that none is to be added. */
bool lv_chat_template_begins(const LlavaovChatTemplate *chat_template, const LvJinjaText *text);

#endif
