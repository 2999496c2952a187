/* SPDX-License-Identifier: Apache-2.0
 * LlavaovChatTemplate: a compiled template with the variables it sees besides the conversation. */
#ifndef LV_CHAT_TEMPLATE_H
#define LV_CHAT_TEMPLATE_H

#include "text/conversation.h"
#include "text/jinja/jinja.h"

/* Renders with add_generation_prompt. Where the template does not print content given as a string
 * (released templates handle lists only), it is rendered again with that content as one text part;
 * the reference would lose it. */
LlavaovStatus lv_chat_template_render(const LlavaovChatTemplate *chat_template,
    const LvConversation *conversation, LvJinjaText *text, LlavaovError *error);

/* Whether the text begins with the tokenizer's bos_token, so that none is to be added. */
bool lv_chat_template_begins(const LlavaovChatTemplate *chat_template, const LvJinjaText *text);

#endif
