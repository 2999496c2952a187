/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin of its own: whoever draws nothing loads no fonts. */
#include "gstllavaovoverlay.h"

static gboolean
plugin_init (GstPlugin * plugin)
{
  return GST_ELEMENT_REGISTER (llavaovoverlay, plugin);
}

#define PACKAGE "llavaov"
/* The macro leaves GStreamer's own reserved field out. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, llavaovoverlay,
    "Draws the answers of llavaov on the video", plugin_init,
    PACKAGE_VERSION, "Apache 2.0", "llavaov", "Unknown package origin")
