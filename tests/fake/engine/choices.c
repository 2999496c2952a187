/* SPDX-License-Identifier: Apache-2.0 */
#include "choices.h"

#include <math.h>
#include <string.h>

#include "base/status.h"

/* Only what tests of the element want to go wrong; with an engine, the label "long" takes too many
 * tokens. */
LlavaovStatus llavaov_choices_check(
    const LlavaovEngine *engine, const LlavaovChoices *choices, LlavaovError *error)
{
    if (!choices->labels || !strchr(choices->labels, '|') ||
        (engine && strstr(choices->labels, "long")))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "choices",
            "choices: labels that the fake does not take");
    return LLAVAOV_OK;
}

void fake_choose(const LlavaovChoices *choices, const gchar *prompt, guint8 first, FakeChosen *c)
{
    const gboolean level = g_str_has_prefix(prompt, "level");
    double left = 1;
    gsize i, best = 0;

    c->labels = g_strsplit(choices->labels, "|", 0);
    c->chosen = (LlavaovChosen){.labels = (const char *const *)c->labels,
        .n = g_strv_length(c->labels),
        .label_mass = strcmp(prompt, "doubt") && (!level || first <= 100) ? 0.75 : 0.01,
        .argmax_is_label = strcmp(prompt, "doubt") != 0,
        .wanted = strcmp(prompt, "doubt") ? c->labels[0] : "Perhaps"};
    c->chosen.logprobs = c->logprobs = g_new(double, c->chosen.n);
    c->chosen.probabilities = c->probabilities = g_new(double, c->chosen.n);
    for (i = 0; i < c->chosen.n; i++) {
        c->probabilities[i] = i + 1 < c->chosen.n ? left / 2 : left;
        if (level && i == 0)
            c->probabilities[0] = MIN(first, 100) / 100.0;
        best = c->probabilities[i] > c->probabilities[best] ? i : best;
        c->logprobs[i] = log(c->probabilities[i] * c->chosen.label_mass);
        left -= c->probabilities[i];
    }
    c->chosen.winner = best;
    c->chosen.confidence = c->probabilities[best];
    c->chosen.valid = c->chosen.label_mass >= choices->min_mass;
}

void fake_chosen_clear(FakeChosen *c)
{
    g_strfreev(c->labels);
    g_free(c->logprobs);
    g_free(c->probabilities);
    *c = (FakeChosen){0};
}
