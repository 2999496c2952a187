/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay-settings.h"

#define DEFAULT_SHOW (GST_LLAVAOV_OVERLAY_QUESTION | \
    GST_LLAVAOV_OVERLAY_CONFIDENCE | GST_LLAVAOV_OVERLAY_ALERT)
#define DEFAULT_MAX_HEIGHT (1. / 3)

enum
{
  PROP_0,
  PROP_FONT_DESC,
  PROP_POSITION,
  PROP_SHOW,
  PROP_MAX_HEIGHT,
  PROP_HOLD_TIME
};

#define GST_TYPE_LLAVAOV_OVERLAY_POSITION (position_get_type ())
static GType
position_get_type (void)
{
  static const GEnumValue values[] = {
    {GST_LLAVAOV_OVERLAY_TOP, "At the top", "top"},
    {GST_LLAVAOV_OVERLAY_BOTTOM, "At the bottom", "bottom"},
    {0, NULL, NULL}
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_enum_register_static ("GstLlavaovOverlayPosition", values));
  return type;
}

#define GST_TYPE_LLAVAOV_OVERLAY_SHOW (show_get_type ())
static GType
show_get_type (void)
{
  static const GFlagsValue values[] = {
    {GST_LLAVAOV_OVERLAY_QUESTION, "The question's name, where it has one",
        "question"},
    {GST_LLAVAOV_OVERLAY_PROMPT, "The question as it was put", "prompt"},
    {GST_LLAVAOV_OVERLAY_CONFIDENCE, "How probable a label is", "confidence"},
    {GST_LLAVAOV_OVERLAY_ALERT, "The alert's state, as a colour", "alert"},
    {0, NULL, NULL}
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_flags_register_static ("GstLlavaovOverlayShow", values));
  return type;
}

void
gst_llavaov_overlay_settings_install (GObjectClass * klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
      GST_PARAM_MUTABLE_PLAYING;

  g_object_class_install_property (klass, PROP_FONT_DESC,
      g_param_spec_string ("font-desc", "Font",
          "Font, as Pango describes it, e.g. \"Serif Bold 24\"; its size is in "
          "pixels of a picture of 480 lines (NULL = Sans 20)", NULL, flags));
  g_object_class_install_property (klass, PROP_POSITION,
      g_param_spec_enum ("position", "Position", "Where the answer is drawn",
          GST_TYPE_LLAVAOV_OVERLAY_POSITION, GST_LLAVAOV_OVERLAY_BOTTOM,
          flags));
  g_object_class_install_property (klass, PROP_SHOW,
      g_param_spec_flags ("show", "Show", "What is shown beside the answer",
          GST_TYPE_LLAVAOV_OVERLAY_SHOW, DEFAULT_SHOW, flags));
  g_object_class_install_property (klass, PROP_MAX_HEIGHT,
      g_param_spec_double ("max-height", "Largest height",
          "Share of the picture's height that answers may take, one line at the "
          "least; what is longer ends with an ellipsis", 0, 1,
          DEFAULT_MAX_HEIGHT, flags));
  g_object_class_install_property (klass, PROP_HOLD_TIME,
      g_param_spec_uint64 ("hold-time", "Hold time",
          "How long an answer stays when no other comes (ns; 0 = three times "
          "its window, at least 10 s)", 0, G_MAXUINT64, 0, flags));
  gst_type_mark_as_plugin_api (GST_TYPE_LLAVAOV_OVERLAY_POSITION, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_LLAVAOV_OVERLAY_SHOW, 0);
}

void
gst_llavaov_overlay_settings_init (GstLlavaovOverlaySettings * settings)
{
  *settings = (GstLlavaovOverlaySettings) {
  .style = { NULL, GST_LLAVAOV_OVERLAY_BOTTOM, DEFAULT_MAX_HEIGHT },.show =
        DEFAULT_SHOW};
}

void
gst_llavaov_overlay_settings_clear (GstLlavaovOverlaySettings * settings)
{
  g_clear_pointer (&settings->style.font, g_free);
}

gboolean
gst_llavaov_overlay_settings_set (GstLlavaovOverlaySettings * settings,
    guint id, const GValue * value)
{
  switch (id) {
    case PROP_FONT_DESC:
      g_free (settings->style.font);
      settings->style.font = g_value_dup_string (value);
      return TRUE;
    case PROP_POSITION:
      settings->style.position = g_value_get_enum (value);
      return TRUE;
    case PROP_SHOW:
      settings->show = g_value_get_flags (value);
      return TRUE;
    case PROP_MAX_HEIGHT:
      settings->style.max_height = g_value_get_double (value);
      return TRUE;
    case PROP_HOLD_TIME:
      settings->hold_time = g_value_get_uint64 (value);
      return TRUE;
    default:
      return FALSE;
  }
}

gboolean
gst_llavaov_overlay_settings_get (const GstLlavaovOverlaySettings * settings,
    guint id, GValue * value)
{
  switch (id) {
    case PROP_FONT_DESC:
      g_value_set_string (value, settings->style.font);
      return TRUE;
    case PROP_POSITION:
      g_value_set_enum (value, settings->style.position);
      return TRUE;
    case PROP_SHOW:
      g_value_set_flags (value, settings->show);
      return TRUE;
    case PROP_MAX_HEIGHT:
      g_value_set_double (value, settings->style.max_height);
      return TRUE;
    case PROP_HOLD_TIME:
      g_value_set_uint64 (value, settings->hold_time);
      return TRUE;
    default:
      return FALSE;
  }
}
