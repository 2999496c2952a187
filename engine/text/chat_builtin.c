/* SPDX-License-Identifier: Apache-2.0
 * The known forms of the prompt, written for this project.
 *
 * hub what the released -hf folders contain: a space behind the role, a newline before each
 *              text, nothing between turns (and so "assistant \nA" for an old answer, where the
 *              one under way is "assistant\nA")
 * conversion   what transformers' conversion script writes: newlines behind the role, behind each
 *              picture and behind each turn
 * qwen_1_5     what the model was trained with (LLaVA-NeXT's conversation of that name): a system
 *              turn always; a single picture before the text, several where they stand, with a
 *              space between neighbours and a newline before the text behind the first ones
 *
 * In the first two all pictures of a turn precede its clips, and these its texts. */
#include <string.h>

#include "text/chat_source.h"

#define EACH(type) "{% for part in message.content if part.type == '" type "' %}"
#define NEXT "{% endfor %}"
#define ANSWER "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

static const char hub[] =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + ' ' }}" EACH("image") "<image>" NEXT EACH(
        "video") "<video>" NEXT EACH("text") "{{ '\\n' + part.text }}" NEXT
                                             "<|im_end|>" NEXT ANSWER;

static const char conversion[] =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' }}" EACH("image") "{{ '<image>\\n' }}" NEXT EACH(
        "video") "{{ '<video>\\n' }}" NEXT EACH("text") "{{ part.text }}" NEXT
                                                        "{{ '<|im_end|>\\n' }}" NEXT ANSWER;

static const char qwen_1_5[] =
    "{% if messages[0].role != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' }}"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% set state = namespace(visuals=0, texts=0, last='') %}"
    "{% for part in message.content if part.type == 'image' or part.type == 'video' %}"
    "{% set state.visuals = state.visuals + 1 %}" NEXT "{% if state.visuals == 1 %}"
    "{% for part in message.content if part.type == 'image' or part.type == 'video' %}"
    "{{ '<' + part.type + '>' }}{% set state.last = 'visual' %}" NEXT "{% endif %}"
    "{% for part in message.content %}"
    "{% if part.type == 'text' %}"
    "{% if state.last == 'text' or (state.last and not state.texts) %}{{ '\\n' }}{% endif %}"
    "{{ part.text }}{% set state.last = 'text' %}{% set state.texts = state.texts + 1 %}"
    "{% elif state.visuals > 1 and (part.type == 'image' or part.type == 'video') %}"
    "{% if state.last == 'visual' %}{{ ' ' }}{% endif %}"
    "{{ '<' + part.type + '>' }}{% set state.last = 'visual' %}"
    "{% endif %}" NEXT "{% endif %}{{ '<|im_end|>\\n' }}" NEXT ANSWER;

const char *lv_chat_builtin(const char *name)
{
    return strcmp(name, "hub") == 0          ? hub
           : strcmp(name, "conversion") == 0 ? conversion
           : strcmp(name, "qwen_1_5") == 0   ? qwen_1_5
                                             : NULL;
}
