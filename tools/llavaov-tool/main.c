/* SPDX-License-Identifier: Apache-2.0
 * llavaov-tool: the engine on the command line. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tool.h"

static const struct {
    const char *name;
    ToolCommand *run;
} commands[] = {
    {"tokenize", tool_tokenize},
    {"detokenize", tool_detokenize},
    {"resize", tool_resize},
    {"layout", tool_layout},
    {"features", tool_features},
    {"logits", tool_logits},
    {"generate", tool_generate},
    {"choose", tool_choose},
    {"calibrate", tool_calibrate},
    {"template", tool_template},
    {"bench", tool_bench},
    {"check-weights", tool_check_weights},
    {"inspect", tool_inspect},
    {"quantize", tool_quantize},
    {"doctor", tool_doctor},
    {"answer", tool_answer},
};

/* Commands with options of their own. */
static const struct {
    const char *name;
    int (*run)(char **argv);
} programs[] = {
    {"motion", tool_motion},
};

enum {
    OPTION_CPU_MASK = 256,
    OPTION_PRECISION,
    OPTION_KV_PRECISION,
    OPTION_QUANTIZED_CACHE,
    OPTION_RESIZE,
    OPTION_TO,
    OPTION_SYSTEM,
    OPTION_IDS,
    OPTION_LAST,
    OPTION_FEATURES,
    OPTION_EVERY,
    OPTION_THEN,
    OPTION_SPECIAL,
    OPTION_CHAT,
    OPTION_STREAM,
    OPTION_SERVE,
    OPTION_POOL,
    OPTION_TEMPERATURE,
    OPTION_TOP_K,
    OPTION_TOP_P,
    OPTION_PENALTY,
    OPTION_SEED,
    OPTION_NO_SPECULATE,
    OPTION_GREEDY,
    OPTION_REPEAT,
    OPTION_CONTEXT,
    OPTION_CHAT_TEMPLATE,
    OPTION_MESSAGES,
    OPTION_IMAGES,
    OPTION_VIDEOS,
    OPTION_CHOICES,
    OPTION_VARIANTS,
    OPTION_HINT,
    OPTION_CHOICES_TEMPERATURE,
    OPTION_MIN_MASS,
    OPTION_JSON_SCHEMA,
    OPTION_IN_FLIGHT
};

static const struct argp_option options[] = {
    {"model", 'm', "DIR", 0, "checkpoint folder (default: $LLAVAOV_MODEL)", 1},
    {"device", 'd', "NAME", 0, "auto, cpu, cuda or cuda:N", 1},
    {"precision", OPTION_PRECISION, "NAME", 0, LLAVAOV_PRECISION_NAMES, 1},
    {"kv-precision", OPTION_KV_PRECISION, "NAME", 0, "of keys and values: auto, f32 or f16", 1},
    {"quantized-cache", OPTION_QUANTIZED_CACHE, "DIR", 0,
        "generate: where weights of int8 and int4 are kept", 1},
    {"threads", 't', "N", 0, "compute threads; 0 = one per processor", 1},
    {"cpu-mask", OPTION_CPU_MASK, "NAME", 0, "auto, baseline, avx2 or avx512; on Arm neon", 1},
    {"resize", OPTION_RESIZE, "NAME", 0, "torchvision, pillow or auto (default): as the checkpoint",
        1},
    {"out", 'o', "FILE", 0, "where the result goes", 1},
    {"layout", 'l', "NAME", 0, "video (default), image or images", 2},
    {"size", 's', "WxH", 0, "size of raw pictures", 2},
    {"frames", 'n', "N", 0, "number of frames (layout, tokenize --chat)", 2},
    {"to", OPTION_TO, "WxH", 0, "size to resize to", 2},
    {"pool", OPTION_POOL, "WHEN", 0, "features: pool video frames early (default) or literal", 2},
    {"prompt", 'p', "TEXT", 0, "the question", 3},
    {"system", OPTION_SYSTEM, "TEXT", 0, "system prompt (default none)", 3},
    {"special", OPTION_SPECIAL, NULL, 0,
        "special tokens in the text are tokens (tokenize) or shown (detokenize)", 3},
    {"chat", OPTION_CHAT, NULL, 0,
        "tokenize: the whole prompt with the template and --frames placeholders", 3},
    {"chat-template", OPTION_CHAT_TEMPLATE, "NAME", 0,
        "hub, conversion, qwen_1_5 or a file (default: the checkpoint's own)", 3},
    {"messages", OPTION_MESSAGES, "FILE", 0,
        "template, generate: a conversation as JSON, instead of --prompt and --system", 3},
    {"images", OPTION_IMAGES, "N", 0, "template: images before the prompt", 3},
    {"videos", OPTION_VIDEOS, "N", 0, "template: videos before the prompt", 3},
    {"ids", OPTION_IDS, "FILE", 0, "logits: token ids from an .npy file instead of a prompt", 3},
    {"last", OPTION_LAST, "N", 0, "logits: of the last N positions; 0 = all", 3},
    {"features", OPTION_FEATURES, "FILE", 0, "logits: the vectors of `features` too, as .npy", 3},
    {"every", OPTION_EVERY, "N", 0,
        "generate: an answer about the first N pictures, the next N, ...", 4},
    {"then", OPTION_THEN, "TEXT", 0,
        "generate, choose: another question of the same conversation, behind the answer; may be "
        "given "
        "several times",
        4},
    {"greedy", OPTION_GREEDY, NULL, 0,
        "nothing from the checkpoint's generation_config.json but the ids that end an answer: the "
        "likeliest token each time, no penalty, no rules, 256 tokens. Without this, generate takes "
        "all of the file, as transformers' generate() does",
        4},
    {"max-new-tokens", 'N', "N", 0, "longest answer (default: the checkpoint's, else 256)", 4},
    {"temperature", OPTION_TEMPERATURE, "X", 0,
        "0 = greedy (default: the checkpoint's where it says do_sample, else 0)", 4},
    {"top-k", OPTION_TOP_K, "N", 0, "0 = off (default: the checkpoint's, else 50)", 4},
    {"top-p", OPTION_TOP_P, "X", 0, "1 = off (default: the checkpoint's, else 1)", 4},
    {"repetition-penalty", OPTION_PENALTY, "X", 0,
        "1 = off (default: the checkpoint's, else 1); on without sampling too", 4},
    {"seed", OPTION_SEED, "N", 0, "of the draws", 4},
    {"no-speculate", OPTION_NO_SPECULATE, NULL, 0,
        "generate: one token a step, also where an answer repeats an earlier one (with --every)",
        4},
    {"json-schema", OPTION_JSON_SCHEMA, "FILE", 0,
        "generate: the answer is a JSON document of this schema (docs/json.md)", 4},
    {"choices", OPTION_CHOICES, "LABELS", 0, "choose: the labels, such as 'yes|no'", 4},
    {"choices-variants", OPTION_VARIANTS, "NAMES", 0,
        "choose: how else labels may be spelled: none, case (default), space or case+space", 4},
    {"choices-hint", OPTION_HINT, NULL, 0, "choose: name the labels in the prompt", 4},
    {"choices-temperature", OPTION_CHOICES_TEMPERATURE, "X", 0,
        "choose: divides the logarithms before they are normalised (default 1)", 4},
    {"choices-min-mass", OPTION_MIN_MASS, "X", 0,
        "choose: not valid with less on all labels together (default 0.05)", 4},
    {"in-flight", OPTION_IN_FLIGHT, "N", 0, "answer: requests computed at a time (default 8)", 4},
    {"json", 'j', NULL, 0, "generate, choose: one JSON object instead of the text", 4},
    {"stream", OPTION_STREAM, NULL, 0, "generate: print the text as it comes", 4},
    {"repeat", OPTION_REPEAT, "N", 0, "bench: runs of each kind (default 3)", 5},
    {"context", OPTION_CONTEXT, "N", 0,
        "bench: tokens of the prefill and before decoding (default 1599)", 5},
    {"serve", OPTION_SERVE, NULL, 0,
        "bench: take commands from standard input, answer each with a JSON line", 5},
    {0},
};

static void parse_size(
    struct argp_state *state, const char *text, uint32_t *width, uint32_t *height)
{
    char end;
    if (sscanf(text, "%ux%u%c", width, height, &end) != 2 || *width == 0 || *height == 0)
        argp_error(state, "%s: a size such as 640x480 is wanted", text);
}

static uint64_t parse_number(struct argp_state *state, const char *text, uint64_t most)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value > most)
        argp_error(state, "%s: a number from 0 to %llu is wanted", text, (unsigned long long)most);
    return value;
}

static double parse_real(struct argp_state *state, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end)
        argp_error(state, "%s: a number is wanted", text);
    return value;
}

/* Index of text among names. */
static int choose(struct argp_state *state, const char *text, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    argp_error(state, "%s: unknown", text);
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const resizes[] = {"auto", "torchvision", "pillow", NULL};
    static const char *const layouts[] = {"video", "image", "images", NULL};
    static const char *const variants[] = {"none", "case", "space", "case+space", NULL};
    static const char *const pools[] = {"early", "literal", NULL};
    ToolOptions *o = state->input;
    switch (key) {
    case 'm':
        o->model = text;
        break;
    case 'd':
        o->device = text;
        break;
    case OPTION_PRECISION:
        if (!llavaov_precision_from_name(text, &o->precision))
            argp_error(state, "%s: unknown", text);
        break;
    case OPTION_KV_PRECISION:
        if (!llavaov_precision_from_name(text, &o->kv_precision))
            argp_error(state, "%s: unknown", text);
        break;
    case OPTION_QUANTIZED_CACHE:
        o->quantized_cache = text;
        break;
    case 't':
        o->threads = (uint32_t)parse_number(state, text, 256);
        break;
    case OPTION_CPU_MASK:
        o->cpu_mask = text;
        break;
    case OPTION_RESIZE:
        o->resize = (LlavaovResize)choose(state, text, resizes);
        break;
    case 'o':
        o->out = text;
        break;
    case 'l':
        o->layout = (LlavaovLayout)choose(state, text, layouts);
        break;
    case 's':
        parse_size(state, text, &o->width, &o->height);
        break;
    case OPTION_TO:
        parse_size(state, text, &o->to_width, &o->to_height);
        break;
    case 'n':
        o->n_frames = (uint32_t)parse_number(state, text, 1024);
        break;
    case OPTION_POOL:
        o->pool = (LvPoolOrder)choose(state, text, pools);
        break;
    case 'p':
        o->prompt = text;
        break;
    case OPTION_SYSTEM:
        o->system = text;
        break;
    case OPTION_SPECIAL:
        o->special = true;
        break;
    case OPTION_CHAT:
        o->chat = true;
        break;
    case OPTION_IDS:
        o->ids_file = text;
        break;
    case OPTION_FEATURES:
        o->features_file = text;
        break;
    case OPTION_EVERY:
        o->every = (uint32_t)parse_number(state, text, 1024);
        break;
    case OPTION_THEN:
        if (o->n_then == TOOL_MOST_THEN)
            argp_error(state, "--then: more than %d questions", TOOL_MOST_THEN);
        o->then[o->n_then++] = text;
        break;
    case OPTION_LAST:
        o->last = (uint32_t)parse_number(state, text, UINT32_MAX);
        break;
    case 'N':
        o->generation.max_new_tokens = (uint32_t)parse_number(state, text, UINT32_MAX);
        o->own |= LLAVAOV_SETTING_MAX_NEW_TOKENS;
        break;
    case OPTION_TEMPERATURE:
        o->generation.temperature = parse_real(state, text);
        o->own |= LLAVAOV_SETTING_TEMPERATURE;
        break;
    case OPTION_TOP_K:
        o->generation.top_k = (uint32_t)parse_number(state, text, UINT32_MAX);
        o->own |= LLAVAOV_SETTING_TOP_K;
        break;
    case OPTION_TOP_P:
        o->generation.top_p = parse_real(state, text);
        o->own |= LLAVAOV_SETTING_TOP_P;
        break;
    case OPTION_PENALTY:
        o->generation.repetition_penalty = parse_real(state, text);
        o->own |= LLAVAOV_SETTING_REPETITION_PENALTY;
        break;
    case OPTION_GREEDY:
        o->greedy = true;
        break;
    case OPTION_NO_SPECULATE:
        o->generation.without_drafts = 1;
        break;
    case OPTION_SEED:
        o->generation.seed = parse_number(state, text, UINT64_MAX);
        break;
    case 'j':
        o->json = true;
        break;
    case OPTION_STREAM:
        o->stream = true;
        break;
    case OPTION_REPEAT:
        o->repeat = (uint32_t)parse_number(state, text, 10000);
        break;
    case OPTION_CONTEXT:
        o->context = (uint32_t)parse_number(state, text, 1000000);
        break;
    case OPTION_SERVE:
        o->serve = true;
        break;
    case OPTION_CHAT_TEMPLATE:
        o->chat_template = text;
        break;
    case OPTION_MESSAGES:
        o->messages_file = text;
        break;
    case OPTION_JSON_SCHEMA:
        o->schema_file = text;
        break;
    case OPTION_IMAGES:
        o->n_images = (uint32_t)parse_number(state, text, 1024);
        break;
    case OPTION_VIDEOS:
        o->n_videos = (uint32_t)parse_number(state, text, 1024);
        break;
    case OPTION_CHOICES:
        o->choices.labels = text;
        break;
    case OPTION_VARIANTS:
        o->choices.variants = (uint32_t)choose(state, text, variants);
        break;
    case OPTION_HINT:
        o->choices.hint = 1;
        break;
    case OPTION_CHOICES_TEMPERATURE:
        o->choices.temperature = parse_real(state, text);
        break;
    case OPTION_IN_FLIGHT:
        o->in_flight = (uint32_t)parse_number(state, text, 256);
        if (o->in_flight == 0)
            argp_error(state, "--in-flight: at least 1");
        break;
    case OPTION_MIN_MASS:
        o->choices.min_mass = parse_real(state, text);
        break;
    case ARGP_KEY_END:
        if (o->greedy && o->generation.temperature > 0)
            argp_error(state, "--greedy and --temperature %g contradict each other",
                o->generation.temperature);
        o->generation.as_checkpoint = o->greedy ? 0 : LLAVAOV_SETTING_ALL & ~o->own;
        break;
    case ARGP_KEY_ARGS:
        o->arguments = state->argv + state->next;
        o->n_arguments = (size_t)(state->argc - state->next);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const char doc[] =
    "The LLaVA-OneVision engine on the command line.\v"
    "COMMAND is one of\n"
    "  tokenize TEXT...          ids of a text, as JSON\n"
    "  detokenize ID...          text of ids, as JSON\n"
    "  resize --to WxH FILE      one picture, resized, as .npy\n"
    "  layout [FILE...]          tiles and tokens, as JSON; with files and -o, the tiles as .npy\n"
    "  features FILE...          the vectors that enter the decoder, as .npy\n"
    "  logits [FILE...]          of a prompt or of --ids, as .npy\n"
    "  generate -p TEXT FILE...  an answer\n"
    "  choose -p TEXT --choices LABELS FILE...\n"
    "                            which label is the answer, and how sure that is\n"
    "  answer                    requests as JSON lines on standard input, answers as JSON lines\n"
    "  calibrate FILE.jsonl      the choices-temperature that fits answers whose truth is known\n"
    "  motion CLIP               what trigger=motion makes of a clip, as CSV; motion --help says "
    "more\n"
    "  template [DIR]            the prompt that the chat template makes, and its ids\n"
    "  bench                     time of encoding, prefill and decoding\n"
    "  check-weights [DIR]       known logits of the released checkpoints, and a summary of the "
    "weights\n"
    "  inspect [DIR]             what a folder is, what running it takes, and every reason why it "
    "would not run\n"
    "  quantize DIR OUT          a new folder with the weights in --precision (nf4, fp4, nf4-dq, "
    "fp4-dq)\n"
    "  doctor [ROOT]             what an installation lacks (GStreamer, plugin, decoders, model, "
    "driver, GPU), and what to type; devices\n"
    "                            are looked for below ROOT\n\n"
    "FILE is .npy (uint8, [H, W, 3] or [T, H, W, 3]) or raw RGB of --size.\n"
    "Messages are [{\"role\": ..., \"content\": [{\"type\": \"text\", \"text\": ...}, "
    "{\"type\": \"image\", \"path\": FILE}, {\"type\": \"video\", \"path\": FILE}]}, ...].";

int main(int argc, char **argv)
{
    const struct argp argp = {options, parse, "COMMAND [ARGUMENT...]", doc, NULL, NULL, NULL};
    ToolOptions o = {.model = getenv("LLAVAOV_MODEL"),
        .resize = LLAVAOV_RESIZE_AUTO,
        .generation = llavaov_generation_checkpoint(),
        .choices = llavaov_choices_default(NULL),
        .repeat = 3,
        .context = 1599,
        .in_flight = 8};
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (argc > 1 && strcmp(argv[1], programs[i].name) == 0)
            return programs[i].run(argv + 1);
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.n_arguments == 0) {
        argp_help(&argp, stderr, ARGP_HELP_STD_USAGE, argv[0]);
        return 2;
    }
    const char *name = o.arguments[0];
    o.arguments++;
    o.n_arguments--;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(name, commands[i].name) != 0)
            continue;
        LlavaovError error = {0};
        LlavaovStatus status = commands[i].run(&o, &error);
        if (status == LLAVAOV_OK)
            return 0;
        fprintf(stderr, "%s: %s: %s\n", argv[0], llavaov_status_name(status), error.message);
        return 1;
    }
    fprintf(stderr, "%s: %s is no command; see --help\n", argv[0], name);
    return 2;
}
