/* SPDX-License-Identifier: Apache-2.0
 * Questions that are asked at once, each in a session of its own, and the answers of two devices.
 */
#ifndef REQUESTS_H
#define REQUESTS_H

#include "backend/backend.h"
#include "reply.h"

typedef struct Question {
    const char *prompt;
    LlavaovGeneration generation;
    const LlavaovImage *pictures; /* [n_pictures], a video; not kept */
    size_t n_pictures;            /* at most MOST_PICTURES */
} Question;

enum { MOST_QUESTIONS = 8, MOST_PICTURES = 2 };

/* Asks n questions together and waits for all of their answers. */
void ask_all(LlavaovEngine *engine, const Question *questions, size_t n, Reply *replies);

/* Fails the test unless both were answered, with the same tokens and text, of one token at least.
 */
void same_answer(const Reply *a, const Reply *b);

/* The device "cuda" gives the CPU's tokens, both in float32. `watch` changes the table of its
 * operations before anything is asked, to forbid some. */
void answers_are_the_cpus(
    const char *model, const Question *questions, size_t n, void (*watch)(LvBackendOps *ops));

#endif
