/* SPDX-License-Identifier: Apache-2.0
 * How transformers' slow tokenizers find added tokens: PreTrainedTokenizer.tokenize() and its Trie,
 * step by step, including where they do not find the leftmost longest token. */
#ifndef LV_SLOW_SPLIT_H
#define LV_SLOW_SPLIT_H

#include "text/added_tokens.h"

/* Bytes begin .. end of a text: a template's, or a user's, where special tokens stay text. In
 * normalised text, bytes that stem from both sides of a seam belong to neither. */
typedef struct LvStretch {
    size_t begin, end;
    bool user;
} LvStretch;

/* A part of the text: an added token, or plain text (token is NULL). */
typedef struct LvSlowPiece {
    const unsigned char *text; /* in the caller's text, or owned */
    size_t bytes;
    unsigned char *owned;
    bool user; /* contains user text */
    const LvAddedToken *token;
} LvSlowPiece;

typedef struct LvSlowPieces {
    LvSlowPiece *piece;
    size_t n, capacity;
} LvSlowPieces;

/* Splits text, which is normalised UTF-8. Zero-initialise pieces, which live as long as text and
 * added, and free them also after a failure. It fails only if memory runs out. */
LlavaovStatus lv_slow_split(const LvAddedTokens *added, const unsigned char *text, size_t bytes,
    const LvStretch *stretches, size_t n_stretches, LvSlowPieces *pieces, LlavaovError *error);
void lv_slow_pieces_free(LvSlowPieces *pieces);

#endif
