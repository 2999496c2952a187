/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay-lines.h"

/* No picture shows more, and laying text out takes time. */
#define MAX_CHARACTERS 2000
#define MAX_ANSWERS 32

#define ELLIPSIS "\xe2\x80\xa6"
/* A line ends without a paragraph ending, as Pango shows at least one line of each paragraph. */
#define LINE_SEPARATOR "\xe2\x80\xa8"

static void
line_free (gpointer data)
{
  GstLlavaovOverlayLine *line = data;

  g_free (line->question);
  g_free (line->text);
  g_free (line->confidence);
  g_free (line);
}

static gboolean
is_break (gunichar c)
{
  return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029;
}

static gchar *
tidy (const gchar * text)
{
  gchar *valid = g_utf8_make_valid (text, -1);
  GString *tidied = g_string_new (NULL);
  const gchar *at;
  guint n = 0;

  g_strstrip (valid);
  for (at = valid; *at && n < MAX_CHARACTERS; at = g_utf8_next_char (at), n++) {
    gunichar c = g_utf8_get_char (at);

    if (is_break (c)) {
      while (is_break (g_utf8_get_char (g_utf8_next_char (at))))
        at = g_utf8_next_char (at);
      g_string_append (tidied, LINE_SEPARATOR);
    } else if (g_unichar_iscntrl (c))
      g_string_append_c (tidied, ' ');
    else
      g_string_append_unichar (tidied, c);
  }
  if (*at)
    g_string_append (tidied, ELLIPSIS);
  g_free (valid);
  return g_string_free (tidied, FALSE);
}

static gchar *
tidy_field (const GstStructure * answer, const gchar * field)
{
  const gchar *text = gst_structure_get_string (answer, field);

  return text ? tidy (text) : NULL;
}

static GstLlavaovOverlayMood
mood (const GstStructure * answer)
{
  const gchar *state = gst_structure_get_string (answer, "alert");

  if (state == NULL)
    return GST_LLAVAOV_OVERLAY_NEUTRAL;
  if (g_str_equal (state, "raised") || g_str_equal (state, "falling"))
    return GST_LLAVAOV_OVERLAY_RAISED;
  if (g_str_equal (state, "clear"))
    return GST_LLAVAOV_OVERLAY_CALM;
  return GST_LLAVAOV_OVERLAY_UNSURE;
}

static GstLlavaovOverlayLine *
line_new (const GstStructure * answer, GstLlavaovOverlayShow show)
{
  GstLlavaovOverlayLine *line = g_new0 (GstLlavaovOverlayLine, 1);
  gdouble confidence;

  if (show & GST_LLAVAOV_OVERLAY_PROMPT)
    line->question = tidy_field (answer, "prompt");
  if (line->question == NULL && show & (GST_LLAVAOV_OVERLAY_QUESTION |
          GST_LLAVAOV_OVERLAY_PROMPT))
    line->question = tidy_field (answer, "question");
  line->text = tidy_field (answer, "text");
  if (show & GST_LLAVAOV_OVERLAY_CONFIDENCE &&
      gst_structure_get_double (answer, "confidence", &confidence))
    line->confidence = g_strdup_printf ("%.0f %%",
        CLAMP (confidence, 0, 1) * 100);
  if (!gst_structure_get_boolean (answer, "valid", &line->valid))
    line->valid = TRUE;
  if (show & GST_LLAVAOV_OVERLAY_ALERT)
    line->mood = mood (answer);
  return line;
}

GPtrArray *
gst_llavaov_overlay_lines (const GstStructure * answer,
    GstLlavaovOverlayShow show)
{
  const GValue *answers = gst_structure_get_value (answer, "answers");
  GPtrArray *lines = g_ptr_array_new_with_free_func (line_free);
  guint i, n;

  if (answers == NULL || !GST_VALUE_HOLDS_ARRAY (answers)) {
    g_ptr_array_add (lines, line_new (answer, show));
    return lines;
  }
  n = MIN (gst_value_array_get_size (answers), MAX_ANSWERS);
  for (i = 0; i < n; i++) {
    const GValue *one = gst_value_array_get_value (answers, i);

    if (GST_VALUE_HOLDS_STRUCTURE (one) && gst_value_get_structure (one))
      g_ptr_array_add (lines, line_new (gst_value_get_structure (one), show));
  }
  return lines;
}
