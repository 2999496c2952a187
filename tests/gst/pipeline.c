/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline.h"

#include <glib/gstdio.h>

gchar *folder;

void
run_clear (Run * run)
{
  g_ptr_array_unref (run->answers);
  g_ptr_array_unref (run->progress);
  g_ptr_array_unref (run->warnings);
  g_clear_error (&run->error);
  g_free (run->error_source);
}

static void
note (Run * run, GstMessage * message)
{
  const GstStructure *structure = gst_message_get_structure (message);
  const gchar *name;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      if (!gst_structure_has_name (structure, "llavaov-answer"))
        break;
      g_ptr_array_add (run->answers, g_strdup (gst_structure_get_string
              (structure, "text")));
      if (strcmp (G_OBJECT_TYPE_NAME (GST_MESSAGE_SRC (message)), "GstLlavaov"))
        run->n_foreign++;
      break;
    case GST_MESSAGE_PROPERTY_NOTIFY:
      gst_message_parse_property_notify (message, NULL, &name, NULL);
      if (!strcmp (name, "last-answer"))
        run->n_notified++;
      break;
    case GST_MESSAGE_PROGRESS:{
      gchar *text;

      gst_message_parse_progress (message, NULL, NULL, &text);
      g_ptr_array_add (run->progress, text);
      break;
    }
    case GST_MESSAGE_WARNING:{
      GError *warning;

      gst_message_parse_warning (message, &warning, NULL);
      g_ptr_array_add (run->warnings, g_strdup (warning->message));
      g_error_free (warning);
      break;
    }
    case GST_MESSAGE_ERROR:
      if (run->error == NULL) {
        gst_message_parse_error (message, &run->error, NULL);
        run->error_source = g_strdup (GST_MESSAGE_SRC_NAME (message));
      }
      break;
    case GST_MESSAGE_EOS:
      run->eos = TRUE;
      break;
    default:
      break;
  }
}

void
run_pipeline (GstElement * pipeline, Run * run)
{
  run_pipeline_unless (pipeline, run, NULL, NULL);
}

void
run_pipeline_unless (GstElement * pipeline, Run * run,
    gboolean (*stalled) (gpointer data), gpointer data)
{
  guint quiet = 0;
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  gulong watch =
      gst_element_add_property_deep_notify_watch (pipeline, NULL, TRUE);

  memset (run, 0, sizeof (*run));
  run->answers = g_ptr_array_new_with_free_func (g_free);
  run->progress = g_ptr_array_new_with_free_func (g_free);
  run->warnings = g_ptr_array_new_with_free_func (g_free);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (!run->eos && run->error == NULL && quiet < 4) {
    message = gst_bus_timed_pop (bus, 10 * GST_SECOND);
    if (message == NULL && stalled != NULL && stalled (data))
      break;
    quiet = message ? 0 : quiet + 1;
    if (message) {
      note (run, message);
      gst_message_unref (message);
    }
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  while ((message = gst_bus_pop (bus)))
    gst_message_unref (message);
  gst_element_remove_property_notify_watch (pipeline, watch);
  gst_object_unref (bus);
}

void
run_line (Run * run, const gchar * format, ...)
{
  GError *error = NULL;
  GstElement *pipeline;
  va_list arguments;
  gchar *line;

  va_start (arguments, format);
  line = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  pipeline = gst_parse_launch (line, &error);
  fail_unless (error == NULL, "%s: %s", line, error ? error->message : "");
  run_pipeline (pipeline, run);
  gst_object_unref (pipeline);
  g_free (line);
}

void
expect_answers (Run * run, guint n)
{
  fail_unless (run->error == NULL, "%s", run->error ? run->error->message : "");
  fail_unless (run->eos);
  fail_unless_equals_int (run->answers->len, n);
  fail_unless_equals_int (run->n_notified, n);
  fail_unless_equals_int (run->n_foreign, 0);
}

void
expect_answer (Run * run, guint i, const gchar * text)
{
  fail_unless_equals_string (g_ptr_array_index (run->answers, i), text);
}

void
make_file (const gchar * name, const gchar * chain)
{
  Run run;

  run_line (&run, RAW "%s ! filesink location=%s/%s", chain, folder, name);
  fail_unless (run.error == NULL, "%s: %s", chain,
      run.error ? run.error->message : "");
  run_clear (&run);
}

void
make_folder (void)
{
  folder = g_dir_make_tmp ("llavaov-XXXXXX", NULL);
  fail_unless (folder != NULL);
}

void
remove_folder (void)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (dir))) {
    gchar *path = g_build_filename (folder, name, NULL);

    g_remove (path);
    g_free (path);
  }
  g_dir_close (dir);
  g_rmdir (folder);
  g_free (folder);
}

gchar *
read_text (const gchar * name, gsize * size)
{
  gchar *path = g_build_filename (folder, name, NULL), *text = NULL;

  fail_unless (g_file_get_contents (path, &text, size, NULL));
  g_free (path);
  return text;
}
