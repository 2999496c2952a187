/* SPDX-License-Identifier: Apache-2.0
 *
 * Which pictures of H.264 depend on no other one. A parser's flag says so of more: also of points from which on the pictures become
 * whole bit by bit (recovery points of intra refresh), and of pictures of which a part is whole.
 *
 * Thread-safe: there is no state.
 */
#ifndef GST_LLAVAOV_H264_H
#define GST_LLAVAOV_H264_H

#include <glib.h>

G_BEGIN_DECLS

/* Whether all slices of an access unit are intra coded; TRUE where there is none to be found. length_size: bytes of the length in front of a
 * NAL unit, 1 to 4 (stream-format avc, avc3), or 0 where start codes are (byte-stream). */
gboolean gst_llavaov_h264_is_intra (const guint8 * data, gsize size,
    guint length_size);

G_END_DECLS

#endif
