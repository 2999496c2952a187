/* SPDX-License-Identifier: Apache-2.0
 * What the fake engine makes of labels: the first has half of the probability, the next half of what
 * is left, and so on; all together have 0.75 of that of all answers, and 0.01 when the prompt is
 * "doubt". To the prompt "level", and to others that begin so, the first label has as many hundredths as
 * the first frame has in its first byte; from 101 on all labels together have 0.01. */
#ifndef FAKE_CHOICES_H
#define FAKE_CHOICES_H

#include <glib.h>

#include "llavaov.h"

typedef struct FakeChosen {
    LlavaovChosen chosen;
    gchar **labels;
    double *logprobs, *probabilities;
} FakeChosen;

/* first: that byte. */
void fake_choose(
    const LlavaovChoices *choices, const gchar *prompt, guint8 first, FakeChosen *chosen);
void fake_chosen_clear(FakeChosen *chosen);

#endif
