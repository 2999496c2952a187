/* SPDX-License-Identifier: Apache-2.0
 *
 * The properties that llavaov and llavaovelement share: one table, one storage.
 *
 * Not thread-safe by itself: the owner holds its object lock around every call.
 */
#ifndef GST_LLAVAOV_SETTINGS_H
#define GST_LLAVAOV_SETTINGS_H

#include <gst/gst.h>

#include "llavaov.h"

G_BEGIN_DECLS

#define GST_LLAVAOV_MAX_FRAMES 128
#define GST_LLAVAOV_DEFAULT_PROMPT "Describe what happens in this video."

typedef enum
{
  GST_LLAVAOV_SAMPLING_WINDOW,
  GST_LLAVAOV_SAMPLING_CLIP
} GstLlavaovSampling;

typedef enum
{
  GST_LLAVAOV_LAYOUT_AUTO,
  GST_LLAVAOV_LAYOUT_VIDEO,
  GST_LLAVAOV_LAYOUT_IMAGE,
  GST_LLAVAOV_LAYOUT_IMAGES
} GstLlavaovLayout;

typedef enum
{
  GST_LLAVAOV_OVERLOAD_AUTO,
  GST_LLAVAOV_OVERLOAD_BLOCK,
  GST_LLAVAOV_OVERLOAD_NEWEST
} GstLlavaovOverload;

typedef enum
{
  GST_LLAVAOV_META_NONE,
  GST_LLAVAOV_META_ONCE,
  GST_LLAVAOV_META_STICKY
} GstLlavaovMetaMode;

typedef enum
{
  GST_LLAVAOV_TEXT_AUTO,
  GST_LLAVAOV_TEXT_ARRIVAL,
  GST_LLAVAOV_TEXT_WINDOW
} GstLlavaovTextTiming;

typedef enum
{
  GST_LLAVAOV_GENERATION_GREEDY,
  GST_LLAVAOV_GENERATION_CHECKPOINT
} GstLlavaovGenerationMode;

/* Ids of all properties; the read-only ones are answered by the element. */
typedef enum
{
  GST_LLAVAOV_PROP_PROMPT = 1,
  GST_LLAVAOV_PROP_PROMPT_FILE,
  GST_LLAVAOV_PROP_SYSTEM_PROMPT,
  GST_LLAVAOV_PROP_MODEL_PATH,
  GST_LLAVAOV_PROP_DEVICE,
  GST_LLAVAOV_PROP_PRECISION,
  GST_LLAVAOV_PROP_ENGINE_ID,
  GST_LLAVAOV_PROP_CHAT_TEMPLATE,
  GST_LLAVAOV_PROP_WINDOW,
  GST_LLAVAOV_PROP_INTERVAL,
  GST_LLAVAOV_PROP_FRAMES,
  GST_LLAVAOV_PROP_SAMPLING,
  GST_LLAVAOV_PROP_LAYOUT,
  GST_LLAVAOV_PROP_GENERATION,
  GST_LLAVAOV_PROP_MAX_NEW_TOKENS,
  GST_LLAVAOV_PROP_TEMPERATURE,
  GST_LLAVAOV_PROP_TOP_K,
  GST_LLAVAOV_PROP_TOP_P,
  GST_LLAVAOV_PROP_REPETITION_PENALTY,
  GST_LLAVAOV_PROP_SEED,
  GST_LLAVAOV_PROP_OVERLOAD,
  GST_LLAVAOV_PROP_MAX_PENDING,
  GST_LLAVAOV_PROP_POST_MESSAGES,
  GST_LLAVAOV_PROP_META_MODE,
  GST_LLAVAOV_PROP_TEXT_TIMING,
  GST_LLAVAOV_PROP_STREAM_NAME,
  /* read-only */
  GST_LLAVAOV_PROP_STATS,
  GST_LLAVAOV_PROP_LAST_ANSWER,
  GST_LLAVAOV_PROP_READY
} GstLlavaovProperty;

typedef struct _GstLlavaovSettings
{
  gchar *prompt, *prompt_file, *system_prompt;
  gchar *model_path, *device, *precision, *engine_id, *chat_template;
  guint64 window, interval;
  guint frames;
  GstLlavaovSampling sampling;
  GstLlavaovLayout layout;
  GstLlavaovGenerationMode generation_mode;
  guint own;                    /* the LlavaovSetting that the user has set, to any value */
  LlavaovGeneration generation; /* what mode and properties come to */
  GstLlavaovOverload overload;
  guint max_pending;
  gboolean post_messages;
  GstLlavaovMetaMode meta_mode;
  GstLlavaovTextTiming text_timing;
  gchar *stream_name;
} GstLlavaovSettings;

GType gst_llavaov_sampling_get_type (void);
GType gst_llavaov_layout_get_type (void);
GType gst_llavaov_overload_get_type (void);
GType gst_llavaov_meta_mode_get_type (void);
GType gst_llavaov_text_timing_get_type (void);
GType gst_llavaov_generation_mode_get_type (void);

/* Installs every property of the table on a class. */
void gst_llavaov_settings_install (GObjectClass * klass);

void gst_llavaov_settings_init (GstLlavaovSettings * settings);
void gst_llavaov_settings_clear (GstLlavaovSettings * settings);

/* A deep copy; clear it. */
void gst_llavaov_settings_copy (const GstLlavaovSettings * settings,
    GstLlavaovSettings * copy);

/* FALSE when the id is not one of the writable properties. */
gboolean gst_llavaov_settings_set (GstLlavaovSettings * settings, guint id,
    const GValue * value);
gboolean gst_llavaov_settings_get (const GstLlavaovSettings * settings,
    guint id, GValue * value);

G_END_DECLS

#endif
