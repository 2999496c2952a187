/* SPDX-License-Identifier: Apache-2.0
 * Every bound on what a file, a stream or a prompt can make the engine allocate. */
#ifndef LV_LIMITS_H
#define LV_LIMITS_H

#include <stdint.h>

#define LV_MAX_CONFIG_BYTES (4u << 20)        /* config.json and other small JSON files */
#define LV_MAX_TOKENIZER_BYTES (64u << 20)    /* tokenizer.json; Qwen2's is 7 MB */
#define LV_MAX_SAFETENSORS_HEADER (16u << 20) /* a 72B shard's header is under 1 MB */
#define LV_MAX_SHARDS 512u
#define LV_MAX_TENSORS 16384u /* the 72B checkpoint has 1,389 */
/* Commas in a configuration, an index or a header: 16 a tensor. */
#define LV_MAX_JSON_VALUES (1u << 18)
#define LV_MAX_LAYERS 512u
#define LV_MAX_FEATURE_LAYERS 16u   /* whose outputs the projector reads, concatenated */
#define LV_MAX_PROJECTOR_LAYERS 16u /* and the same number of residual blocks */
#define LV_MAX_HIDDEN 65536u        /* any width: hidden, intermediate, heads * head_dim */
#define LV_MAX_VOCAB (1u << 20)
#define LV_MAX_HEADS 1024u
#define LV_MAX_HEAD_DIM 512u
#define LV_MAX_IMAGE_SIZE 4096u /* edge of a tile */
#define LV_MAX_PINPOINTS 1024u
#define LV_MAX_CONTEXT (1u << 20)
#define LV_MAX_PICTURE_EDGE 16384u       /* edge of a caller's picture */
#define LV_MAX_PROMPT_BYTES (1u << 20)   /* a user's or system prompt */
#define LV_MAX_MESSAGES_BYTES (4u << 20) /* a conversation, as JSON */
#define LV_MAX_MESSAGES 4096u            /* its turns */
#define LV_MAX_VISUALS_PER_REQUEST 1024u /* its pictures and clips */
/* A rendered prompt, or any text that becomes tokens. */
#define LV_MAX_TEXT_BYTES (4 * LV_MAX_PROMPT_BYTES)
/* A chat template, and what rendering it may take. A step is an evaluated node, an element iterated
 * over, or 16 bytes of text handled; a conversation of a few messages takes a few thousand. */
#define LV_MAX_TEMPLATE_SOURCE (1u << 20) /* bytes; the longest released ones have 20,000 */
#define LV_MAX_TEMPLATE_NESTING 200u      /* parentheses and blocks, as Python's own parser */
#define LV_MAX_TEMPLATE_BYTES (UINT64_C(128) << 20) /* all values of one rendering */
#define LV_MAX_TEMPLATE_STEPS (UINT64_C(1) << 24)
#define LV_MAX_TEMPLATE_CALLS 1000u   /* nesting of calls, expressions and values */
#define LV_MAX_TEMPLATE_RANGE 100000u /* of range(), as jinja2's sandbox */
#define LV_MAX_FRAMES_PER_REQUEST 1024u
#define LV_MAX_SCHEMA_BYTES (64u << 10)     /* a JSON schema */
#define LV_MAX_SCHEMA_DEPTH 8u              /* objects and lists in one another */
#define LV_MAX_SCHEMA_STEPS 4096u           /* of the compiled schema: about two a field */
#define LV_MAX_SCHEMA_LITERALS 4096u        /* values of all its enums */
#define LV_MAX_SCHEMA_CHARACTERS 32768u     /* of a string that it describes */
#define LV_MAX_SCHEMA_ITEMS 1024u           /* of a list */
#define LV_MAX_SCHEMA_PATH 1024u            /* bytes of the names on the way to a listed value */
#define LV_MAX_LISTED_VALUES 1024u          /* listed values of an answer with probabilities */
#define LV_MAX_SCHEMA_CLOSING 8192u         /* bytes of the shortest document */
#define LV_MAX_TOKEN_TRIE_BYTES (32u << 20) /* bytes of all tokens of a vocabulary */
#define LV_MAX_NEW_TOKENS 32768u
#define LV_MAX_GENERATION_IDS (1u << 18) /* in all lists of one request's or file's settings */
#define LV_MAX_THREADS 256u
#define LV_MAX_FRAMES_PER_SESSION 4096u  /* living ones */
#define LV_MAX_REQUESTS_PER_SESSION 256u /* waiting or under way */
#define LV_MAX_QUESTIONS 32u             /* of a request */
#define LV_MAX_RESERVATIONS 4096u        /* windows that an engine has taken on */
#define LV_MAX_EARLY_FRAMES 256u         /* of a prompt that is computed while they come */
#define LV_MAX_DRAFT_QUESTIONS 32u       /* of a session, whose latest answers are kept */
#define LV_MAX_DRAFT_ANSWERS 4u          /* of each */
#define LV_MAX_DRAFT_TOKENS 512u         /* of each of these, from its beginning on */
#define LV_MAX_CHOICES 64u               /* labels of a question */
#define LV_MAX_CHOICES_BYTES (64u << 10) /* all labels as they are written */
#define LV_MAX_CHOICE_TOKENS 16u         /* of a label */
#define LV_MAX_SPELLING_TOKENS 20u       /* of a variant of one */
/* Prepared pictures that wait for the encoder. */
#define LV_MAX_SESSION_TILE_BYTES (UINT64_C(2) << 30)
/* Those of a session that are encoded and kept so that later ones can be compared with them. */
#define LV_MAX_KEPT_TILE_BYTES (UINT64_C(16) << 20)
/* Those of all sessions of an engine, and the embeddings of the same pictures. */
#define LV_MAX_KEPT_BYTES (UINT64_C(64) << 20)

/* Of servers that answer in place of this machine, none of which is trusted. */
#define LV_MAX_REMOTE_SERVERS 16u
#define LV_MAX_REMOTE_URL 2048u        /* bytes of one address */
#define LV_MAX_REMOTE_KEY 4096u        /* bytes of the key */
#define LV_MAX_REMOTE_CALLS 64u        /* under way or waiting to be tried again */
#define LV_MAX_REMOTE_REPLY (8u << 20) /* bytes of a whole reply */
#define LV_MAX_REMOTE_LINE (1u << 20)  /* of a line of a stream */
#define LV_MAX_REMOTE_TEXT (1u << 20)  /* of an answer */
#define LV_MAX_REMOTE_LOGPROBS 8192u   /* of a reply */
#define LV_MAX_REMOTE_WANTED 128u /* tokens whose probabilities a request asks for: vLLM's bound */
#define LV_MAX_REMOTE_BODY (UINT64_C(1) << 30) /* of a request: its pictures */

#endif
