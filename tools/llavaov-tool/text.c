/* SPDX-License-Identifier: Apache-2.0
 * tokenize and detokenize. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/try.h"
#include "picture/layout.h"
#include "tool.h"

/* The whole prompt; the number of placeholders follows from --layout, --frames and --size. */
static LlavaovStatus encode_chat(const ToolOptions *o, LvTokenizer *tokenizer, const char *prompt,
    LvTokens *ids, LlavaovError *error)
{
    LvCheckpoint *checkpoint = NULL;
    LvChatVisual *visuals = lv_calloc((size_t)o->n_frames + 1, sizeof *visuals);
    LlavaovStatus status;
    if (!visuals)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt"));
    LV_TRY(lv_checkpoint_open(o->model, &checkpoint, error));
    const LvConfig *config = lv_checkpoint_config(checkpoint);
    const LlavaovLayout layout = tool_layout_for(o, o->n_frames);
    const bool video = layout == LLAVAOV_LAYOUT_VIDEO;
    if (o->n_frames)
        LV_TRY(lv_layout_check(config, o->layout, error));
    for (uint32_t i = 0; i < o->n_frames; i++) {
        LvAnyresPlan plan = {0};
        if (layout == LLAVAOV_LAYOUT_IMAGE)
            LV_TRY(lv_anyres_plan(config, o->width, o->height, &plan, error));
        visuals[i] =
            (LvChatVisual){video, video ? (uint32_t)lv_video_tokens(config, o->n_frames)
                                  : layout == LLAVAOV_LAYOUT_IMAGE ? plan.n_tokens
                                                                   : lv_multi_image_tokens(config)};
    }
    LV_TRY(tool_prompt_ids(o, tokenizer, lv_placeholders(config), prompt, visuals,
        o->n_frames == 0 ? 0
        : video          ? 1
                         : o->n_frames,
        ids, error));
done:
    if (checkpoint)
        lv_checkpoint_close(checkpoint);
    lv_free(visuals);
    return status;
}

/* With what the tokenizer puts around every text. */
static LlavaovStatus encode_text(const ToolOptions *o, const LvTokenizer *tokenizer,
    const char *text, LvTokens *ids, LlavaovError *error)
{
    LlavaovStatus status = lv_tokenizer_begin(tokenizer, ids, error);
    if (status == LLAVAOV_OK)
        status = lv_tokenizer_encode(tokenizer, text, strlen(text),
            o->special ? LV_SPECIAL_AS_TOKENS : LV_SPECIAL_AS_TEXT, ids, error);
    return status == LLAVAOV_OK ? lv_tokenizer_end(tokenizer, ids, error) : status;
}

LlavaovStatus tool_tokenize(const ToolOptions *o, LlavaovError *error)
{
    LvTokenizer *tokenizer = NULL;
    LvTokens ids = {0};
    LlavaovStatus status;
    LV_TRY(tool_open_tokenizer(o, &tokenizer, error));
    json_t *list = json_array();
    for (size_t i = 0; i < o->n_arguments && status == LLAVAOV_OK; i++) {
        const char *text = o->arguments[i];
        ids.n = 0;
        status = o->chat ? encode_chat(o, tokenizer, text, &ids, error)
                         : encode_text(o, tokenizer, text, &ids, error);
        if (status == LLAVAOV_OK)
            if (json_array_append_new(list, tool_json_ids(ids.ids, ids.n)) != 0)
                status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the result");
    }
    if (status != LLAVAOV_OK) {
        json_decref(list);
        goto done;
    }
    if (json_array_size(list) == 1) {
        json_t *only = json_incref(json_array_get(list, 0));
        json_decref(list);
        list = only;
    }
    status = tool_print_json(o, json_pack("{s:o}", "ids", list), error);
done:
    lv_tokens_free(&ids);
    if (tokenizer)
        lv_tokenizer_close(tokenizer);
    return status;
}

LlavaovStatus tool_detokenize(const ToolOptions *o, LlavaovError *error)
{
    LvTokenizer *tokenizer = NULL;
    LvTokens ids = {0};
    char *text = NULL;
    size_t bytes;
    LlavaovStatus status;
    LV_TRY(tool_open_tokenizer(o, &tokenizer, error));
    for (size_t i = 0; i < o->n_arguments; i++) {
        char *end;
        long id = strtol(o->arguments[i], &end, 10);
        if (*end || end == o->arguments[i] || id < 0 || id > INT32_MAX)
            LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "ids",
                "%s is no token id", o->arguments[i]));
        LV_TRY(lv_tokens_append(&ids, (int32_t)id, error));
    }
    LV_TRY(lv_tokenizer_decode(tokenizer, ids.ids, ids.n, !o->special, &text, &bytes, error));
    LV_TRY(tool_print_json(o, json_pack("{s:o}", "text", json_stringn(text, bytes)), error));
done:
    lv_free(text);
    lv_tokens_free(&ids);
    if (tokenizer)
        lv_tokenizer_close(tokenizer);
    return status;
}
