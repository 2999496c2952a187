/* SPDX-License-Identifier: Apache-2.0 */
#include "keyframes.h"

/* What a unit counts where times do not say, and at most, so that a camera that was silent is not one without keyframes. */
#define UNTIMED (40 * GST_MSECOND)
#define LONGEST_STEP GST_SECOND
/* Times that came over a network swing by so much. */
#define SWING (50 * GST_MSECOND)

void
gst_llavaov_keyframes_init (GstLlavaovKeyframes * keyframes,
    GstLlavaovDecode mode)
{
  memset (keyframes, 0, sizeof (*keyframes));
  keyframes->mode = mode;
  keyframes->only = mode == GST_LLAVAOV_DECODE_KEYFRAMES;
  gst_llavaov_keyframes_jump (keyframes);
}

void
gst_llavaov_keyframes_jump (GstLlavaovKeyframes * keyframes)
{
  keyframes->keyframe = keyframes->latest = GST_CLOCK_TIME_NONE;
  keyframes->without = 0;
}

static gboolean
gaps_are_within (const GstLlavaovKeyframes * keyframes, GstClockTime limit)
{
  guint i;

  for (i = 0; i < GST_LLAVAOV_KEYFRAME_GAPS; i++)
    if (keyframes->gaps[i] > limit && keyframes->gaps[i] - limit > SWING)
      return FALSE;
  return keyframes->n_gaps >= GST_LLAVAOV_KEYFRAME_GAPS;
}

static void
take_keyframe (GstLlavaovKeyframes * keyframes, GstClockTime time,
    const GstLlavaovKeyframeLimits * limits)
{
  GstClockTime gap = keyframes->without;

  keyframes->without = 0;
  if (GST_CLOCK_TIME_IS_VALID (time) &&
      GST_CLOCK_TIME_IS_VALID (keyframes->keyframe)) {
    if (time == keyframes->keyframe)    /* another part of the same picture */
      return;
    gap = time > keyframes->keyframe ? time - keyframes->keyframe : 0;
  }
  if (GST_CLOCK_TIME_IS_VALID (keyframes->keyframe) || gap)
    keyframes->gaps[keyframes->n_gaps++ % GST_LLAVAOV_KEYFRAME_GAPS] = gap;
  keyframes->keyframe = time;
  if (keyframes->mode == GST_LLAVAOV_DECODE_AUTO)
    keyframes->only = gaps_are_within (keyframes, limits->longest_gap);
  else if (!keyframes->only)
    keyframes->only = gaps_are_within (keyframes, limits->patience);
}

/* Units come in the order in which they are decoded: their times go back and forth by a few frames. */
static void
count_time (GstLlavaovKeyframes * keyframes, GstClockTime time)
{
  if (!GST_CLOCK_TIME_IS_VALID (time))
    keyframes->without += UNTIMED;
  else if (!GST_CLOCK_TIME_IS_VALID (keyframes->latest))
    keyframes->latest = time;
  else if (time > keyframes->latest) {
    keyframes->without += MIN (time - keyframes->latest, LONGEST_STEP);
    keyframes->latest = time;
  }
}

gboolean
gst_llavaov_keyframes_take (GstLlavaovKeyframes * keyframes,
    gboolean is_keyframe, GstClockTime time,
    const GstLlavaovKeyframeLimits * limits, gboolean * lacking)
{
  *lacking = FALSE;
  if (keyframes->mode == GST_LLAVAOV_DECODE_ALL)
    return TRUE;
  count_time (keyframes, time);
  if (is_keyframe) {
    take_keyframe (keyframes, time, limits);
    return TRUE;
  }
  if (keyframes->without > limits->patience) {
    *lacking = !keyframes->lacking;
    keyframes->lacking = TRUE;
    keyframes->only = FALSE;
    keyframes->n_gaps = 0;
  }
  return !keyframes->only;
}
