/* SPDX-License-Identifier: Apache-2.0
 *
 * Which units of an encoded stream are decoded, with `decode`: the decision alone, without pads.
 *
 * Not thread-safe: the owner holds its lock around every call.
 */
#ifndef GST_LLAVAOV_KEYFRAMES_H
#define GST_LLAVAOV_KEYFRAMES_H

#include "properties.h"

G_BEGIN_DECLS

/* `auto` looks at so many distances between keyframes. */
#define GST_LLAVAOV_KEYFRAME_GAPS 5

typedef struct
{
  GstClockTime longest_gap;     /* auto: keyframes are enough when none is further from the next than this */
  GstClockTime patience;        /* without a keyframe for longer than this all is decoded */
} GstLlavaovKeyframeLimits;

typedef struct
{
  GstLlavaovDecode mode;
  gboolean only;                /* delta units are left out now */
  GstClockTime gaps[GST_LLAVAOV_KEYFRAME_GAPS];
  guint n_gaps;                 /* of them known; the latest is gaps[(n_gaps - 1) % GST_LLAVAOV_KEYFRAME_GAPS] */
  GstClockTime keyframe;        /* when the latest was shown, or NONE */
  GstClockTime latest;          /* of the units since, or NONE */
  GstClockTime without;         /* how long there has been no keyframe; holes in the stream do not count */
  gboolean lacking;             /* for longer than there is patience for */
} GstLlavaovKeyframes;

void gst_llavaov_keyframes_init (GstLlavaovKeyframes * keyframes,
    GstLlavaovDecode mode);
/* What follows is not what came before: a flush, another segment. */
void gst_llavaov_keyframes_jump (GstLlavaovKeyframes * keyframes);

/* Takes the next unit, of this time, which may be NONE. Whether it is decoded. `only` changes at keyframes, and where there have been
 * none for too long: then *lacking is set, once. */
gboolean gst_llavaov_keyframes_take (GstLlavaovKeyframes * keyframes,
    gboolean is_keyframe, GstClockTime time,
    const GstLlavaovKeyframeLimits * limits, gboolean * lacking);

G_END_DECLS

#endif
