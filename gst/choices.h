/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions whose answer is one of some labels: from the settings to the engine, and from what it makes of them to the fields of
 * an answer. Pure functions.
 */
#ifndef GST_LLAVAOV_CHOICES_H
#define GST_LLAVAOV_CHOICES_H

#include "settings.h"

G_BEGIN_DECLS

/* labels: those to ask with; they are not copied. */
LlavaovChoices gst_llavaov_choices_of (const GstLlavaovSettings * settings,
    const gchar * labels);

/* Whether what can be said of the settings without a model is right; without choices it is. FALSE: error is filled. */
gboolean gst_llavaov_choices_check (const GstLlavaovSettings * settings,
    LlavaovError * error);
/* FALSE: a property that is about generated text was set to something else than its default beside choices, and error names it. */
gboolean gst_llavaov_choices_agree (const GstLlavaovSettings * settings,
    LlavaovError * error);

/* The fields that an answer with choices has more than others. */
GstStructure *gst_llavaov_chosen_to_structure (const LlavaovChosen * chosen);

G_END_DECLS

#endif
