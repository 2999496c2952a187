/* SPDX-License-Identifier: Apache-2.0 */
#include "gstllavaov.h"

GST_DEBUG_CATEGORY (gst_llavaov_debug);

static gboolean
plugin_init (GstPlugin * plugin)
{
  GST_DEBUG_CATEGORY_INIT (gst_llavaov_debug, "llavaov", 0,
      "questions and answers about video");
  return GST_ELEMENT_REGISTER (llavaov, plugin) |
      GST_ELEMENT_REGISTER (llavaovelement, plugin);
}

#define PACKAGE "llavaov"
/* The macro leaves GStreamer's own reserved field out. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, llavaov,
    "Answers questions about live video with LLaVA-OneVision", plugin_init,
    LLAVAOV_VERSION, "Apache 2.0", "llavaov", "Unknown package origin")
