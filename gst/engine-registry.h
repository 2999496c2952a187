/* SPDX-License-Identifier: Apache-2.0
 *
 * The engines of this process: one for each engine-id, or for each (checkpoint folder, device with its settings, precision)
 * where no id is given. They load in a thread of their own; the last user's release cancels a load or frees the weights.
 *
 * Thread-safe.
 */
#ifndef GST_LLAVAOV_ENGINE_REGISTRY_H
#define GST_LLAVAOV_ENGINE_REGISTRY_H

#include <gst/gst.h>

#include "settings.h"

G_BEGIN_DECLS

typedef enum
{
  GST_LLAVAOV_ENGINE_LOADING,
  GST_LLAVAOV_ENGINE_READY,
  GST_LLAVAOV_ENGINE_FAILED
} GstLlavaovEngineState;

/* One user's hold on an engine. */
typedef struct _GstLlavaovEngineUser GstLlavaovEngineUser;

/* Something has changed: read it with gst_llavaov_engine_poll(). Called with the registry's lock held, so it may only
 * wake somebody up. */
typedef void (*GstLlavaovEngineChanged) (gpointer data);

/* Starts or joins the load and returns at once. NULL when engine-id names an engine that was opened with other options;
 * error says so. */
GstLlavaovEngineUser *gst_llavaov_engine_acquire (const GstLlavaovSettings * settings, LlavaovPrecision precision,
    GstLlavaovEngineChanged changed, gpointer data, LlavaovError * error);

/* Whether servers compute. */
gboolean gst_llavaov_engine_is_remote (const GstLlavaovSettings * settings);
/* What the settings say of servers; strings are theirs. */
LlavaovRemoteOptions gst_llavaov_engine_remote_options (const GstLlavaovSettings
    * settings);

/* Where the load stands. percent and error may be NULL. *engine is filled in state READY, owned by the user. */
GstLlavaovEngineState gst_llavaov_engine_poll (GstLlavaovEngineUser * user,
    guint * percent, LlavaovEngine ** engine, LlavaovError * error);

/* The engine is of no more use: its users keep it, but whoever acquires it from now on loads another. */
void gst_llavaov_engine_give_up (GstLlavaovEngineUser * user);

/* `changed` is not called any more once this returns. */
void gst_llavaov_engine_release (GstLlavaovEngineUser * user);

/* The checkpoint that model-path NULL means: LLAVAOV_MODEL, else the bundled one. Free it. */
gchar *gst_llavaov_engine_default_model (void);

G_END_DECLS

#endif
