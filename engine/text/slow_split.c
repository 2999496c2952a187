/* SPDX-License-Identifier: Apache-2.0 */
#include "text/slow_split.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "text/slow_trie.h"
#include "text/unicode.h"
#include "text/utf8.h"

static bool push(LvSlowPieces *pieces, const unsigned char *text, size_t bytes, bool user)
{
    if (pieces->n == pieces->capacity) {
        size_t capacity = pieces->capacity * 2 + 16;
        LvSlowPiece *grown = lv_realloc(pieces->piece, capacity, sizeof *grown);
        if (!grown)
            return false;
        pieces->piece = grown;
        pieces->capacity = capacity;
    }
    pieces->piece[pieces->n++] = (LvSlowPiece){.text = text, .bytes = bytes, .user = user};
    return true;
}

/* The token that a piece is; user text never is a special one. */
static const LvAddedToken *token_of(const LvAddedTokens *added, const LvSlowPiece *piece)
{
    const LvAddedToken *token =
        piece->bytes ? lv_added_tokens_find(added, (const char *)piece->text, piece->bytes) : NULL;
    return token && token->special && piece->user ? NULL : token;
}

/* Appends text: merged with the last piece where both are plain text and one of them is the user's,
 * since there is no seam between them; cuts inside the template's text remain. */
static bool put(const LvAddedTokens *added, LvSlowPieces *pieces, const unsigned char *text,
    size_t bytes, bool user, bool seam)
{
    const LvSlowPiece piece = {.text = text, .bytes = bytes, .user = user};
    LvSlowPiece *last = pieces->n ? &pieces->piece[pieces->n - 1] : NULL;
    if (!bytes)
        return true;
    if (last && (seam || (user && last->user)) && !token_of(added, &piece) &&
        !token_of(added, last)) {
        last->bytes += bytes;
        last->user |= user;
        return true;
    }
    return push(pieces, text, bytes, user);
}

static bool put_stretch(const LvAddedTokens *added, const unsigned char *text,
    const LvStretch *stretch, LvCuts *cuts, LvSlowPieces *pieces)
{
    size_t at = stretch->begin;
    cuts->n = 0;
    if (!lv_slow_trie_cut(added, text, stretch->begin, stretch->end, cuts) ||
        !lv_cuts_add(cuts, stretch->end))
        return false;
    for (size_t i = 0; i < cuts->n; i++) {
        if (cuts->at[i] <= at)
            continue;
        if (!put(added, pieces, text + at, cuts->at[i] - at, stretch->user, at == stretch->begin))
            return false;
        at = cuts->at[i];
    }
    return true;
}

/* ---- what tokens do to what stands beside them ---- */

static void strip_left(LvSlowPiece *piece)
{
    const unsigned char *p = piece->text, *end = p + piece->bytes;
    while (p < end) {
        const unsigned char *next = p;
        if (!lv_python_space(lv_utf8_next(&next)))
            break;
        p = next;
    }
    piece->text = p;
    piece->bytes = (size_t)(end - p);
}

static void strip_right(LvSlowPiece *piece)
{
    while (piece->bytes) {
        const unsigned char *p = piece->text + piece->bytes - 1;
        while ((*p & 0xC0) == 0x80)
            p--;
        const unsigned char *next = p;
        if (!lv_python_space(lv_utf8_next(&next)))
            return;
        piece->bytes = (size_t)(p - piece->text);
    }
}

/* left and right together, in right's or left's place; the other becomes empty. */
static bool join(LvSlowPiece *left, LvSlowPiece *right, LvSlowPiece *place, LvSlowPiece *empty)
{
    unsigned char *both = lv_alloc(left->bytes + right->bytes + 1, 1);
    if (!both)
        return false;
    memcpy(both, left->text, left->bytes);
    memcpy(both + left->bytes, right->text, right->bytes);
    const LvSlowPiece joined = {.text = both,
        .bytes = left->bytes + right->bytes,
        .owned = both,
        .user = left->user || right->user};
    lv_free(place->owned);
    *place = joined;
    empty->bytes = 0;
    return true;
}

static bool apply(
    const LvAddedToken *token, LvSlowPiece *left, LvSlowPiece *piece, LvSlowPiece *right)
{
    /* The text before stripping decides about single_word. */
    const bool has_left = left && left->bytes, has_right = right && right->bytes;
    const bool left_word = has_left && left->text[left->bytes - 1] != ' ';
    const bool right_word = has_right && right->text[0] != ' ';
    if (token->rstrip && has_right)
        strip_left(right);
    if (token->lstrip && has_left)
        strip_right(left);
    if (token->single_word && left_word)
        return join(left, piece, left, piece);
    if (token->single_word && right_word)
        return join(piece, right, right, piece);
    return true;
}

LlavaovStatus lv_slow_split(const LvAddedTokens *added, const unsigned char *text, size_t bytes,
    const LvStretch *stretches, size_t n_stretches, LvSlowPieces *pieces, LlavaovError *error)
{
    LvCuts cuts = {0};
    size_t done = 0;
    bool good = true;
    for (size_t i = 0; i < n_stretches && good; i++) {
        const LvStretch *stretch = &stretches[i];
        good = put(added, pieces, text + done, stretch->begin - done, true, true) &&
               put_stretch(added, text, stretch, &cuts, pieces);
        done = stretch->end;
    }
    good = good && put(added, pieces, text + done, bytes - done, true, true);
    lv_free(cuts.at);
    for (size_t i = 0; i < pieces->n && good; i++) {
        LvSlowPiece *piece = &pieces->piece[i];
        const LvAddedToken *token = token_of(added, piece);
        if (token && (token->lstrip || token->rstrip || token->single_word))
            good = apply(token, i ? piece - 1 : NULL, piece, i + 1 < pieces->n ? piece + 1 : NULL);
    }
    for (size_t i = 0; i < pieces->n && good; i++)
        pieces->piece[i].token = token_of(added, &pieces->piece[i]);
    return good ? LLAVAOV_OK
                : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL,
                      "out of memory for the tokens of %zu bytes", bytes);
}

void lv_slow_pieces_free(LvSlowPieces *pieces)
{
    for (size_t i = 0; i < pieces->n; i++)
        lv_free(pieces->piece[i].owned);
    lv_free(pieces->piece);
    *pieces = (LvSlowPieces){0};
}
