/* SPDX-License-Identifier: Apache-2.0
 *
 * What an element has of its model: the chat template, the engine it shares, a session of its own.
 *
 * The lock rule: the members are written by the functions of model.c alone, with the lock of the windows held around every
 * call: the worker waits for them. Only the worker's thread calls those functions while it runs, so it reads chat_template,
 * user and engine without the lock; everybody else reads with it. What a member points to is thread-safe, and valid until
 * gst_llavaov_model_stop().
 */
#ifndef GST_LLAVAOV_MODEL_H
#define GST_LLAVAOV_MODEL_H

#include "engine-registry.h"

G_BEGIN_DECLS

/* All zero: nothing is there. */
typedef struct
{
  LlavaovChatTemplate *chat_template;   /* NULL: the engine's own; owned */
  GstLlavaovEngineUser *user;   /* from READY to PAUSED until the worker has ended; owned */
  LlavaovEngine *engine;        /* once loaded; owned by `user` */
  LlavaovSession *session;      /* once everything has been checked; owned */
  gboolean ready;               /* the property `ready` */
  gboolean warned_generation;   /* of generation settings of the checkpoint that have no effect */
  gboolean frames_checked;      /* that the question fits with all its frames */
} GstLlavaovModel;

/* From READY to PAUSED, before the worker runs. Takes the template (or NULL). */
void gst_llavaov_model_start (GstLlavaovModel * model,
    LlavaovChatTemplate * chat_template);
/* The hold on the engine, which is taken. Before the worker runs. */
void gst_llavaov_model_set_user (GstLlavaovModel * model,
    GstLlavaovEngineUser * user);
/* It has been loaded. */
void gst_llavaov_model_set_engine (GstLlavaovModel * model,
    LlavaovEngine * engine);
/* Questions can be asked. Takes the session. */
void gst_llavaov_model_set_session (GstLlavaovModel * model,
    LlavaovSession * session, gboolean ready);
/* The worker has been left to end by itself: nothing will be asked any more. Any thread. */
void gst_llavaov_model_set_not_ready (GstLlavaovModel * model);

/* TRUE the first time in a run. */
gboolean gst_llavaov_model_warn_generation (GstLlavaovModel * model);
void gst_llavaov_model_set_frames_checked (GstLlavaovModel * model);

/* The session (or NULL), to be closed by the caller without the lock. After the worker's last use of it. */
LlavaovSession *gst_llavaov_model_take_session (GstLlavaovModel * model);
/* Back to nothing, after take_session. Returns what there was, to be released by the caller without the lock. */
GstLlavaovModel gst_llavaov_model_stop (GstLlavaovModel * model);
/* Gives back the engine and the template of what gst_llavaov_model_stop() returned. Without the lock. */
void gst_llavaov_model_release (GstLlavaovModel * was);

G_END_DECLS

#endif
