/* SPDX-License-Identifier: Apache-2.0 */
#include "text-push.h"

#include "answers.h"

static void
push_caps (GstPad * pad)
{
  GstCaps *allowed, *current;
  GstCaps *caps = NULL;

  gst_pad_check_reconfigure (pad);
  allowed = gst_pad_get_allowed_caps (pad);
  if (allowed && !gst_caps_is_empty (allowed))
    caps = gst_caps_fixate (gst_caps_copy_nth (allowed, 0));
  gst_clear_caps (&allowed);
  if (caps == NULL)
    caps = gst_caps_new_simple ("text/x-raw", "format", G_TYPE_STRING, "utf8",
        NULL);
  current = gst_pad_get_current_caps (pad);
  if (current == NULL || !gst_caps_is_equal (current, caps))
    gst_pad_push_event (pad, gst_event_new_caps (caps));
  gst_clear_caps (&current);
  gst_caps_unref (caps);
}

static gboolean
takes_json (GstPad * pad)
{
  GstCaps *caps = gst_pad_get_current_caps (pad);
  gboolean json = caps && gst_structure_has_name (gst_caps_get_structure (caps,
          0), "application/x-json");

  gst_clear_caps (&caps);
  return json;
}

static gchar *
json_line (const GstStructure * structure)
{
  gchar *line = gst_llavaov_answer_to_json (structure);
  gchar *text = g_strconcat (line, "\n", NULL);

  g_free (line);
  return text;
}

/* Takes the text. */
static GstFlowReturn
push_text (GstPad * pad, const GstLlavaovTextItem * item, gchar * text)
{
  GstBuffer *buffer = gst_buffer_new_wrapped (text, strlen (text));

  GST_BUFFER_PTS (buffer) = item->timestamp;
  GST_BUFFER_DURATION (buffer) = item->duration;
  return gst_pad_push (pad, buffer);
}

/* What is said of alerts stands on lines of its own; between subtitles it would be no text that somebody reads, nor would an
 * answer to a question that was asked in between. */
static GstFlowReturn
push_answer (GstPad * pad, const GstLlavaovTextItem * item)
{
  GstFlowReturn flow;
  guint i;

  if (!takes_json (pad) && gst_structure_has_field (item->answer, "ask-id"))
    return GST_FLOW_OK;
  if (!takes_json (pad))
    return push_text (pad, item,
        g_strdup (gst_structure_get_string (item->answer, "text")));
  flow = push_text (pad, item, json_line (item->answer));
  for (i = 0; item->alerts && i < item->alerts->len && flow == GST_FLOW_OK; i++)
    flow = push_text (pad, item,
        json_line (g_ptr_array_index (item->alerts, i)));
  return flow;
}

/* Consumers take either end of a gap for how far the text has come: splitmuxsink its start, textoverlay its end. So both
 * ends of the last one are as far as can be. */
static void
push_gap (GstPad * pad, const GstLlavaovTextItem * item)
{
  GstClockTime start = item->timestamp, duration = item->duration;
  gboolean back = item->backwards;

  if (duration > 1)
    gst_pad_push_event (pad, gst_event_new_gap (start + back, duration - 1));
  gst_pad_push_event (pad, gst_event_new_gap (back ? start : start + duration -
          1, 1));
}

GstFlowReturn
gst_llavaov_text_push (GstPad * pad, GstLlavaovTextItem * item)
{
  if (item->event) {
    gst_pad_push_event (pad, g_steal_pointer (&item->event));
  } else if (item->caps) {
    push_caps (pad);
  } else if (item->answer) {
    if (gst_pad_check_reconfigure (pad))
      push_caps (pad);
    return push_answer (pad, item);
  } else {
    push_gap (pad, item);
  }
  return GST_FLOW_OK;
}
