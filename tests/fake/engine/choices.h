/* SPDX-License-Identifier: Apache-2.0
 * What the fake engine makes of labels: the first has half of the probability, the next half of what
 * is left, and so on; all together have 0.75 of that of all answers, and 0.01 when the prompt is
 * "doubt". */
#ifndef FAKE_CHOICES_H
#define FAKE_CHOICES_H

#include <glib.h>

#include "llavaov.h"

typedef struct FakeChosen {
    LlavaovChosen chosen;
    gchar **labels;
    double *logprobs, *probabilities;
} FakeChosen;

void fake_choose(const LlavaovChoices *choices, const gchar *prompt, FakeChosen *chosen);
void fake_chosen_clear(FakeChosen *chosen);

#endif
