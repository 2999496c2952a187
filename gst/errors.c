/* SPDX-License-Identifier: Apache-2.0 */
#include "errors.h"

#include "alert-settings.h"
#include "choices.h"
#include "triggers.h"

#include <errno.h>
#include <stdio.h>

#include <glib/gstdio.h>

#define MAX_PROMPT_BYTES (1u << 20)

static const struct
{
  LlavaovStatus status;
  gboolean library;             /* LIBRARY, else RESOURCE */
  gint code;
} table[] = {
  {LLAVAOV_ERROR_NOT_FOUND, FALSE, GST_RESOURCE_ERROR_NOT_FOUND},
  {LLAVAOV_ERROR_IO, FALSE, GST_RESOURCE_ERROR_READ},
  {LLAVAOV_ERROR_FORMAT, FALSE, GST_RESOURCE_ERROR_READ},
  {LLAVAOV_ERROR_UNSUPPORTED, FALSE, GST_RESOURCE_ERROR_SETTINGS},
  {LLAVAOV_ERROR_ARGUMENT, FALSE, GST_RESOURCE_ERROR_SETTINGS},
  {LLAVAOV_ERROR_MEMORY, FALSE, GST_RESOURCE_ERROR_NO_SPACE_LEFT},
  {LLAVAOV_ERROR_DEVICE, FALSE, GST_RESOURCE_ERROR_SETTINGS},
  {LLAVAOV_ERROR_CONTEXT_FULL, FALSE, GST_RESOURCE_ERROR_SETTINGS},
  {LLAVAOV_ERROR_CANCELLED, FALSE, GST_RESOURCE_ERROR_FAILED},
  {LLAVAOV_ERROR_NUMERIC, FALSE, GST_RESOURCE_ERROR_FAILED},
  {LLAVAOV_ERROR_INTERNAL, TRUE, GST_LIBRARY_ERROR_FAILED},
  {LLAVAOV_ERROR_LATE, FALSE, GST_RESOURCE_ERROR_FAILED},
  {LLAVAOV_ERROR_REMOTE, FALSE, GST_RESOURCE_ERROR_READ},
  {LLAVAOV_ERROR_REMOTE_DOWN, FALSE, GST_RESOURCE_ERROR_NOT_FOUND},
  {LLAVAOV_ERROR_REMOTE_UNFIT, FALSE, GST_RESOURCE_ERROR_SETTINGS},
};

void
gst_llavaov_error_code (LlavaovStatus status, GQuark * domain, gint * code)
{
  guint i;

  *domain = GST_LIBRARY_ERROR;
  *code = GST_LIBRARY_ERROR_FAILED;
  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    if (table[i].status == status) {
      *domain = table[i].library ? GST_LIBRARY_ERROR : GST_RESOURCE_ERROR;
      *code = table[i].code;
    }
  }
}

static gboolean
is_of_checkpoint (LlavaovStatus status)
{
  return status == LLAVAOV_ERROR_NOT_FOUND || status == LLAVAOV_ERROR_IO ||
      status == LLAVAOV_ERROR_FORMAT || status == LLAVAOV_ERROR_NUMERIC ||
      status == LLAVAOV_ERROR_UNSUPPORTED;
}

/* The property whose value is the cause, where the message does not begin with it. Free it. */
static gchar *
name_property (const LlavaovError * error, const GstLlavaovSettings * settings,
    const gchar * model_path)
{
  const gchar *name = NULL, *value = NULL;

  switch (error->about) {
    case LLAVAOV_ABOUT_OPTION:
      if (error->status == LLAVAOV_ERROR_UNSUPPORTED &&
          !strcmp (error->subject, "precision")) {
        name = "precision";
        value = settings->precision;
      } else if (error->status == LLAVAOV_ERROR_UNSUPPORTED &&
          !strcmp (error->subject, "kv-precision")) {
        name = "kv-precision";
        value = settings->kv_precision;
      }
      break;
    case LLAVAOV_ABOUT_PICTURE:
    case LLAVAOV_ABOUT_PROMPT:
      break;
    case LLAVAOV_ABOUT_NOTHING:
    case LLAVAOV_ABOUT_FILE:
    case LLAVAOV_ABOUT_TENSOR:
    case LLAVAOV_ABOUT_DEVICE:
      if (error->status == LLAVAOV_ERROR_DEVICE) {
        name = "device";
        value = settings->device;
      } else if (error->about != LLAVAOV_ABOUT_DEVICE &&
          is_of_checkpoint (error->status)) {
        name = "model-path";
        value = model_path;
      }
      break;
  }
  return name ? g_strdup_printf ("%s=\"%s\": ", name, value) : g_strdup ("");
}

static gchar *
debug_text (const LlavaovError * error)
{
  return g_strdup_printf ("%s%s%s", llavaov_status_name (error->status),
      error->subject[0] ? ", " : "", error->subject);
}

void
gst_llavaov_post_error (GstElement * element, const LlavaovError * error,
    const GstLlavaovSettings * settings, const gchar * model_path)
{
  gchar *property =
      name_property (error, settings, model_path ? model_path : "");
  gchar *text = g_strconcat (property, error->message, NULL);
  GQuark domain;
  gint code;

  gst_llavaov_error_code (error->status, &domain, &code);
  g_free (property);
  gst_element_message_full (element, GST_MESSAGE_ERROR, domain, code, text,
      debug_text (error), __FILE__, GST_FUNCTION, __LINE__);
}

void
gst_llavaov_post_warning (GstElement * element, const LlavaovError * error,
    const gchar * what)
{
  GQuark domain;
  gint code;

  gst_llavaov_error_code (error->status, &domain, &code);
  gst_element_message_full (element, GST_MESSAGE_WARNING, domain, code,
      g_strdup_printf ("%s: %s", what, error->message), debug_text (error),
      __FILE__, GST_FUNCTION, __LINE__);
}

gboolean
gst_llavaov_bad_value (LlavaovError * error, const gchar * property,
    const gchar * value, const gchar * hint)
{
  error->status = LLAVAOV_ERROR_ARGUMENT;
  error->about = LLAVAOV_ABOUT_OPTION;
  g_strlcpy (error->subject, property, sizeof (error->subject));
  g_snprintf (error->message, sizeof (error->message), "%s=\"%s\": %s",
      property, value, hint);
  return FALSE;
}

/* "this build has auto, ... and f16" */
static gchar *
precision_names (void)
{
  GString *text = g_string_new ("this build has ");
  guint i;

  for (i = 0; llavaov_precision_name (i); i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "" :
        llavaov_precision_name (i + 1) ? ", " : " and ",
        llavaov_precision_name (i));
  return g_string_free (text, FALSE);
}

gboolean
gst_llavaov_check_settings (const GstLlavaovSettings * settings,
    LlavaovPrecision * precision, LlavaovError * error)
{
  GstLlavaovAlertRule rule;
  LlavaovPrecision kv_precision;
  gchar *known;

  error->status = llavaov_device_check (settings->device, error);
  if (error->status != LLAVAOV_OK) {
    error->about = LLAVAOV_ABOUT_OPTION;
    return FALSE;
  }
  if (!llavaov_precision_from_name (settings->precision, precision)) {
    known = precision_names ();
    gst_llavaov_bad_value (error, "precision", settings->precision, known);
    g_free (known);
    return FALSE;
  }
  if (!llavaov_precision_from_name (settings->kv_precision, &kv_precision))
    return gst_llavaov_bad_value (error, "kv-precision", settings->kv_precision,
        "this build has auto, f32 and f16");
  if (settings->engine_id && !*settings->engine_id)
    return gst_llavaov_bad_value (error, "engine-id", "",
        "a name must not be empty");
  return gst_llavaov_triggers_check (settings, error) &&
      gst_llavaov_choices_check (settings, error) &&
      gst_llavaov_alert_rule (settings, &rule, error);
}

/* At most one byte more than the file may have, so that a device file cannot fill the memory. */
static gchar *
read_bytes (const gchar * path, gsize most, gsize * size, gint * cause)
{
  FILE *file = g_fopen (path, "rb");
  gchar *text;

  *cause = errno;
  if (file == NULL)
    return NULL;
  text = g_malloc (most + 2);
  *size = fread (text, 1, most + 1, file);
  if (ferror (file)) {
    *cause = errno;
    g_clear_pointer (&text, g_free);
  } else {
    text[*size] = '\0';
  }
  fclose (file);
  return text;
}

gchar *
gst_llavaov_read_file (const gchar * property, const gchar * path, gsize most,
    LlavaovError * error)
{
  gsize size = 0;
  gint cause = 0;
  gchar *text = read_bytes (path, most, &size, &cause), *hint;

  if (text == NULL) {
    gst_llavaov_bad_value (error, property, path, g_strerror (cause));
    error->status = cause == ENOENT ? LLAVAOV_ERROR_NOT_FOUND :
        LLAVAOV_ERROR_IO;
    return NULL;
  }
  if (size <= most && g_utf8_validate (text, size, NULL))
    return text;
  hint = size > most ? g_strdup_printf ("longer than %u KiB",
      (guint) (most / 1024)) : g_strdup ("not valid UTF-8 text");
  gst_llavaov_bad_value (error, property, path, hint);
  g_free (hint);
  g_free (text);
  return NULL;
}

gchar *
gst_llavaov_read_prompt (const GstLlavaovSettings * settings,
    LlavaovError * error)
{
  gchar *text;
  gsize size;

  if (settings->system_prompt
      && !g_utf8_validate (settings->system_prompt, -1, NULL)) {
    gst_llavaov_bad_value (error, "system-prompt", "...", "not valid UTF-8");
    return NULL;
  }
  if (settings->prompt_file == NULL) {
    if (!g_utf8_validate (settings->prompt, -1, NULL)) {
      gst_llavaov_bad_value (error, "prompt", "...", "not valid UTF-8");
      return NULL;
    }
    return g_strdup (settings->prompt);
  }
  text = gst_llavaov_read_file ("prompt-file", settings->prompt_file,
      MAX_PROMPT_BYTES, error);
  if (text == NULL)
    return NULL;
  size = strlen (text);
  while (size && (text[size - 1] == '\n' || text[size - 1] == '\r'))
    text[--size] = '\0';
  return text;
}
