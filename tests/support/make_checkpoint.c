/* SPDX-License-Identifier: Apache-2.0
 * make-checkpoint: writes a checkpoint folder with random weights (checkpoint_writer.h). */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_writer.h"

static const struct argp_option options[] = {
    {"preset", 'p', "NAME", 0,
        "0.5b, 7b, tiny or mini (default tiny); give it before the other options", 0},
    {"dtype", 'd', "DTYPE", 0, "f32, f16, bf16 or mixed", 0},
    {"layout", 'l', "LAYOUT", 0, "a, bare, b1, b2 or c", 0},
    {"shards", 'n', "N", 0, "number of safetensors files", 0},
    {"seed", 's', "N", 0, "seed of the weights", 0},
    {"tokenizer", 't', "FILE", 0,
        "tokenizer.json to copy, or \"bytes\" for a generated one with its special ids", 0},
    {"tied", 1, NULL, 0, "head tied to the embedding", 0},
    {"untied", 2, NULL, 0, "head of its own", 0},
    {"set", 'S', "FIELD=VALUE", 0, "any field of LvWriterSpec, e.g. text.layers=3", 0},
    {0},
};

typedef struct Arguments {
    LvWriterSpec spec;
    const char *folder;
} Arguments;

static void set(struct argp_state *state, const char *field, const char *value)
{
    Arguments *arguments = state->input;
    if (!lv_writer_set(&arguments->spec, field, value))
        argp_error(state, "%s=%s: unknown", field, value);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    Arguments *arguments = state->input;
    switch (key) {
    case 'p':
        if (!lv_writer_preset(argument, &arguments->spec))
            argp_error(state, "%s: no such preset", argument);
        break;
    case 'd':
        set(state, "dtype", argument);
        break;
    case 'l':
        set(state, "layout", argument);
        break;
    case 'n':
        set(state, "shards", argument);
        break;
    case 's':
        set(state, "seed", argument);
        break;
    case 't':
        if (strcmp(argument, "bytes") == 0)
            lv_writer_generate_tokenizer(&arguments->spec);
        else
            set(state, "tokenizer", argument);
        break;
    case 1:
    case 2:
        set(state, "tied", key == 1 ? "true" : "false");
        break;
    case 'S': {
        char *equals = strchr(argument, '=');
        if (!equals)
            argp_error(state, "%s: FIELD=VALUE wanted", argument);
        *equals = '\0';
        set(state, argument, equals + 1);
        break;
    }
    case ARGP_KEY_ARG:
        if (arguments->folder)
            argp_usage(state);
        arguments->folder = argument;
        break;
    case ARGP_KEY_END:
        if (!arguments->folder)
            argp_usage(state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        options, parse, "FOLDER", "Writes a checkpoint folder with random weights.", 0, 0, 0};
    Arguments arguments = {0};
    lv_writer_preset("tiny", &arguments.spec);
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    LlavaovError error;
    if (lv_write_checkpoint(arguments.folder, &arguments.spec, &error)) {
        fprintf(stderr, "make-checkpoint: %s\n", error.message);
        return 1;
    }
    return 0;
}
