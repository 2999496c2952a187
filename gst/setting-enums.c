/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of those properties that are choices, with what gst-inspect says of them. */
#include "settings.h"

GType
gst_llavaov_sampling_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    {GST_LLAVAOV_SAMPLING_WINDOW, "An answer for every window", "window"},
    {GST_LLAVAOV_SAMPLING_CLIP, "One answer for the whole stream, at its end",
        "clip"},
    {0, NULL, NULL}
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_enum_register_static ("GstLlavaovSampling", values));
  return type;
}

GType
gst_llavaov_layout_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    {GST_LLAVAOV_LAYOUT_AUTO,
        "A single still picture as image, all else as video", "auto"},
    {GST_LLAVAOV_LAYOUT_VIDEO, "Pooled frames in time order", "video"},
    {GST_LLAVAOV_LAYOUT_IMAGE,
        "One picture in any-resolution tiles", "image"},
    {GST_LLAVAOV_LAYOUT_IMAGES,
        "Every frame an image of its own; with frames=1, which then stays so, "
          "in any-resolution tiles", "images"},
    {0, NULL, NULL}
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_enum_register_static ("GstLlavaovLayout", values));
  return type;
}

GType
gst_llavaov_overload_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    {GST_LLAVAOV_OVERLOAD_AUTO, "Newest for live streams, block for files",
        "auto"},
    {GST_LLAVAOV_OVERLOAD_BLOCK, "Wait: every window is answered", "block"},
    {GST_LLAVAOV_OVERLOAD_NEWEST, "Never wait: drop the older waiting window",
        "newest"},
    {0, NULL, NULL}
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_enum_register_static ("GstLlavaovOverload", values));
  return type;
}

GType
gst_llavaov_meta_mode_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    {GST_LLAVAOV_META_NONE, "No meta", "none"},
    {GST_LLAVAOV_META_ONCE, "On one buffer for each answer", "once"},
    {GST_LLAVAOV_META_STICKY, "The latest answer on every buffer", "sticky"},
    {0, NULL, NULL}
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_enum_register_static ("GstLlavaovMetaMode", values));
  return type;
}

GType
gst_llavaov_text_timing_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    {GST_LLAVAOV_TEXT_AUTO,
          "Window for files, arrival for live streams and where text and video meet",
        "auto"},
    {GST_LLAVAOV_TEXT_ARRIVAL, "Stamped when the answer is there", "arrival"},
    {GST_LLAVAOV_TEXT_WINDOW, "Stamped with the window that was asked about",
        "window"},
    {0, NULL, NULL}
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_enum_register_static ("GstLlavaovTextTiming", values));
  return type;
}

GType
gst_llavaov_generation_mode_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    {GST_LLAVAOV_GENERATION_GREEDY,
          "The likeliest token each time, and nothing of the checkpoint's but the ids that end an answer; "
          "properties of their own change that",
        "greedy"},
    {GST_LLAVAOV_GENERATION_CHECKPOINT,
          "As transformers' generate() takes it from the checkpoint's generation_config.json, but for what has a property that was set",
        "checkpoint"},
    {0, NULL, NULL}
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_enum_register_static ("GstLlavaovGenerationMode", values));
  return type;
}
