/* SPDX-License-Identifier: Apache-2.0
 *
 * What the frames of the stream are: their caps, which way up they are shown, and whether the one at hand can be read.
 *
 * The lock rule: all members are written by the functions of format.c alone, with the lock, and those are called by the thread
 * that holds the sink pad's stream lock, except where one says otherwise. So that thread reads without the lock; every other
 * one calls a function marked "any thread". The lock is a leaf: nothing else is called or locked with it held.
 */
#ifndef GST_LLAVAOV_FORMAT_H
#define GST_LLAVAOV_FORMAT_H

#include <gst/gst.h>
#include <gst/video/video.h>

#include "llavaov.h"
#include "orientation.h"

G_BEGIN_DECLS

typedef struct
{
  GMutex lock;

  GstVideoInfo info;
  gboolean have_info;           /* caps have come that can be read */
  GstLlavaovOrientation tags;   /* the orientation as tags give it */
  LlavaovOrientation orientation;       /* of the frames that come, once it is known */
  gboolean orientation_known;
  gboolean unreadable;          /* the buffer at hand does not hold what the caps say */
  gboolean warned_unreadable;   /* of these caps */
} GstLlavaovFormat;

void gst_llavaov_format_init (GstLlavaovFormat * format);
void gst_llavaov_format_clear (GstLlavaovFormat * format);
/* Back to no caps and no tags. While the pads are inactive. */
void gst_llavaov_format_start (GstLlavaovFormat * format);

/* Caps; NULL: they cannot be read. */
void gst_llavaov_format_set_info (GstLlavaovFormat * format,
    const GstVideoInfo * info);
/* The size of frames as they are shown, in pixels. FALSE: no caps yet. Any thread. */
gboolean gst_llavaov_format_size (GstLlavaovFormat * format, guint * width,
    guint * height);
/* A STREAM_START or TAG event. The orientation is to be found anew. */
void gst_llavaov_format_tag_event (GstLlavaovFormat * format,
    GstEvent * event);
void gst_llavaov_format_set_orientation (GstLlavaovFormat * format,
    LlavaovOrientation orientation);
/* Whether the buffer at hand can be read. Returns TRUE for the first of these caps that cannot. */
gboolean gst_llavaov_format_set_unreadable (GstLlavaovFormat * format,
    gboolean unreadable);

G_END_DECLS

#endif
