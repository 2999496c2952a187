/* SPDX-License-Identifier: Apache-2.0
 * How many tokens the shortest way to the end of a document takes. */
#ifndef LV_CLOSING_H
#define LV_CLOSING_H

#include "schema/token_trie.h"
#include "schema/walk.h"

/* Scratch, and what was found before; of one schema and one trie. */
typedef struct LvClosing LvClosing;

/* NULL without memory. */
LvClosing *lv_closing_open(void);
void lv_closing_close(LvClosing *closing);

/* Fewest tokens that spell the bytes of lv_walk_closing_byte, one after another; UINT32_MAX without
 * memory. Whoever takes the first of these tokens needs one less behind it. */
uint32_t lv_closing_tokens(
    LvClosing *closing, const LvProgram *program, const LvTokenTrie *trie, const LvWalk *walk);

#endif
