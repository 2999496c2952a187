/* SPDX-License-Identifier: Apache-2.0
 * What the commands of llavaov-tool share. */
#ifndef LV_TOOL_H
#define LV_TOOL_H

#include <jansson.h>

#include "backend/backend.h"
#include "checkpoint/checkpoint.h"
#include "model/model.h"
#include "model/projector.h"
#include "npy.h"
#include "text/chat.h"

#define TOOL_MOST_THEN 64

/* The command line. */
typedef struct ToolOptions {
    const char *model, *device, *cpu_mask, *out;
    LlavaovPrecision precision, kv_precision;
    const char *quantized_cache;
    uint32_t threads;
    LlavaovResize resize;
    LlavaovLayout layout;
    uint32_t width, height;       /* --size */
    uint32_t to_width, to_height; /* --to */
    uint32_t n_frames;            /* --frames */
    uint32_t every;               /* --every: pictures of an answer; 0: all */
    const char *prompt, *system, *ids_file, *features_file;
    const char *chat_template, *messages_file, *schema_file;
    const char *then[TOOL_MOST_THEN]; /* --then: questions that go on from the answer */
    uint32_t n_then;
    uint32_t n_images, n_videos; /* template: --images, --videos */
    uint32_t last;               /* --last: rows */
    bool special, chat, json, stream, serve;
    LvPoolOrder pool;
    LlavaovGeneration generation;
    LlavaovChoices choices; /* labels NULL: none */
    uint32_t own;           /* the LlavaovSetting that options have set */
    bool greedy;
    uint32_t repeat, context;
    uint32_t in_flight; /* answer: requests at a time */
    char **arguments;   /* after the options */
    size_t n_arguments;
} ToolOptions;

/* A command returns a status and fills *error. */
typedef LlavaovStatus ToolCommand(const ToolOptions *options, LlavaovError *error);

ToolCommand tool_tokenize, tool_detokenize, tool_resize, tool_layout, tool_features, tool_logits,
    tool_generate, tool_choose, tool_calibrate, tool_template, tool_bench, tool_check_weights,
    tool_inspect, tool_quantize, tool_doctor, tool_answer;

/* A new list of token ids; NULL without memory. */
json_t *tool_json_ids(const int32_t *ids, size_t n);
/* Prints JSON and a newline to options->out or standard output; takes the
 * reference. NULL: there was no memory to make it. */
LlavaovStatus tool_print_json(const ToolOptions *options, json_t *json, LlavaovError *error);

/* The answer about choices as fields of `answer`. */
/* "json-values" */
LlavaovStatus tool_add_json_values(json_t *answer, const LlavaovAnswer *a);
LlavaovStatus tool_add_chosen(json_t *answer, const LlavaovChosen *chosen);
/* The same for people, from those fields. */
void tool_print_chosen(const json_t *answer);

/* ---- pictures (input.c) ---- */

/* 8-bit RGB pictures from files, .npy or raw bytes. */
typedef struct ToolPictures {
    LlavaovImage *images;
    size_t n;
    void **blocks; /* the files' memory */
    size_t n_blocks;
} ToolPictures;
/* --layout for n pictures: one of `images` is a single image, as it is to the reference. */
static inline LlavaovLayout tool_layout_for(const ToolOptions *options, size_t n)
{
    return options->layout == LLAVAOV_LAYOUT_IMAGES && n == 1 ? LLAVAOV_LAYOUT_IMAGE
                                                              : options->layout;
}
/* From options->arguments: .npy uint8 [H, W, 3] or [T, H, W, 3], anything else raw RGB of --size.
 */
LlavaovStatus tool_read_pictures(
    const ToolOptions *options, ToolPictures *pictures, LlavaovError *error);
void tool_free_pictures(ToolPictures *pictures);

/* ---- conversations (chat.c) ---- */

/* The --chat-template of the folder; says on stderr which one that is. */
LlavaovStatus tool_open_template(
    const ToolOptions *options, LlavaovChatTemplate **chat_template, LlavaovError *error);

/* The ids of a prompt about visuals of one kind, in its template. */
LlavaovStatus tool_prompt_ids(const ToolOptions *options, LvTokenizer *tokenizer,
    LvPlaceholders placeholders, const char *prompt, const LvChatVisual *visuals, size_t n_visuals,
    LvTokens *ids, LlavaovError *error);

/* What a prompt decodes to without special tokens, as transformers' pipelines show it: lv_free. */
LlavaovStatus tool_prompt_text(const ToolOptions *options, const LlavaovChatTemplate *chat_template,
    const LvConversation *conversation, char **text, LlavaovError *error);

/* Becomes llavaov-motion with these arguments. Returns an exit status when it cannot. */
int tool_motion(char **argv);

/* --messages: the file's text, and the pictures of each of its images and videos. */
typedef struct ToolMessages {
    char *text;
    LvConversation conversation;
    ToolPictures *pictures;     /* [conversation.n_media] */
    LlavaovLayout image_layout; /* of all images */
} ToolMessages;
LlavaovStatus tool_read_messages(
    const ToolOptions *options, ToolMessages *messages, LlavaovError *error);
/* The same of messages->text, which it takes (NULL: no memory); options->messages_file stands for it
 * in errors. */
LlavaovStatus tool_parse_messages(
    const ToolOptions *options, ToolMessages *messages, LlavaovError *error);
void tool_free_messages(ToolMessages *messages);

/* ---- the engine (open.c) ---- */

/* As the options say; warns on stderr of settings of the checkpoint that have no effect. */
LlavaovStatus tool_open_engine(
    const ToolOptions *options, LlavaovEngine **engine, LlavaovError *error);

/* ---- the model without threads and sessions (open.c) ---- */

typedef struct ToolModel {
    LvCheckpoint *checkpoint;
    LvTokenizer *tokenizer;
    LvBackend *backend;
    LvModel *model;
} ToolModel;
LlavaovStatus tool_open_tokenizer(
    const ToolOptions *options, LvTokenizer **tokenizer, LlavaovError *error);
LlavaovStatus tool_open_model(const ToolOptions *options, ToolModel *model, LlavaovError *error);
void tool_close_model(ToolModel *model);

/* The vectors that take the placeholders' places: [tokens, H], newlines included, and the number of
 * tokens of each visual (a video is one). each: lv_free. */
LlavaovStatus tool_visual_rows(const ToolOptions *options, ToolModel *model,
    const ToolPictures *pictures, LvTensor *rows, uint32_t **each, size_t *n_visuals,
    LlavaovError *error);

#endif
