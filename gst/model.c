/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

void
gst_llavaov_model_start (GstLlavaovModel * model,
    LlavaovChatTemplate * chat_template)
{
  model->chat_template = chat_template;
  model->frames_checked = FALSE;
  model->warned_generation = FALSE;
}

void
gst_llavaov_model_set_user (GstLlavaovModel * model,
    GstLlavaovEngineUser * user)
{
  model->user = user;
}

void
gst_llavaov_model_set_engine (GstLlavaovModel * model, LlavaovEngine * engine)
{
  model->engine = engine;
}

void
gst_llavaov_model_set_session (GstLlavaovModel * model,
    LlavaovSession * session, gboolean ready)
{
  model->session = session;
  model->ready = ready;
}

void
gst_llavaov_model_set_not_ready (GstLlavaovModel * model)
{
  model->ready = FALSE;
}

gboolean
gst_llavaov_model_warn_generation (GstLlavaovModel * model)
{
  gboolean first = !model->warned_generation;

  model->warned_generation = TRUE;
  return first;
}

void
gst_llavaov_model_set_frames_checked (GstLlavaovModel * model)
{
  model->frames_checked = TRUE;
}

LlavaovSession *
gst_llavaov_model_take_session (GstLlavaovModel * model)
{
  return g_steal_pointer (&model->session);
}

GstLlavaovModel
gst_llavaov_model_stop (GstLlavaovModel * model)
{
  GstLlavaovModel was = *model;

  memset (model, 0, sizeof (*model));
  return was;
}

void
gst_llavaov_model_release (GstLlavaovModel * was)
{
  if (was->user)
    gst_llavaov_engine_release (was->user);
  if (was->chat_template)
    llavaov_chat_template_unref (was->chat_template);
}
