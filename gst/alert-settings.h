/* SPDX-License-Identifier: Apache-2.0
 *
 * The properties alert-...: what they say, and whether they can be meant. Pure functions.
 */
#ifndef GST_LLAVAOV_ALERT_SETTINGS_H
#define GST_LLAVAOV_ALERT_SETTINGS_H

#include "alert-state.h"
#include "settings.h"

G_BEGIN_DECLS

/* labels is 0 without alert-on, and the rest then left alone. FALSE: error is filled. What is wrong with choices themselves is not
 * said here. */
gboolean gst_llavaov_alert_rule (const GstLlavaovSettings * settings,
    GstLlavaovAlertRule * rule, LlavaovError * error);

G_END_DECLS

#endif
