/* SPDX-License-Identifier: Apache-2.0 */
#include "option-error.h"

gboolean
gst_llavaov_option_error (LlavaovError * error, const gchar * property,
    const gchar * format, ...)
{
  const gchar *end;
  va_list arguments;
  gsize n;

  error->status = LLAVAOV_ERROR_ARGUMENT;
  error->about = LLAVAOV_ABOUT_OPTION;
  g_strlcpy (error->subject, property, sizeof (error->subject));
  n = g_snprintf (error->message, sizeof (error->message), "%s: ", property);
  va_start (arguments, format);
  g_vsnprintf (error->message + n, sizeof (error->message) - n, format,
      arguments);
  va_end (arguments);
  if (!g_utf8_validate (error->message, -1, &end))
    error->message[end - error->message] = '\0';        /* it was cut */
  return FALSE;
}
