/* SPDX-License-Identifier: Apache-2.0
 *
 * Live windows close by the pipeline's clock, whether frames come or not: the clock wakes the worker when the next one is
 * over, and the worker closes it. Times are running times in nanoseconds; "the lock" is that of the windows.
 */
#ifndef GST_LLAVAOV_CLOCK_H
#define GST_LLAVAOV_CLOCK_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Running time by the clock, or NONE without one or out of PLAYING. Without the lock. */
GstClockTime gst_llavaov_clock_now (GstLlavaovElement * self);

/* Finds what the wall clock shows at running time 0, for the windows that open from here on. To be called again and again: the
 * base time comes with PLAYING only, and either clock may be set. With the lock. */
void gst_llavaov_clock_update_utc (GstLlavaovElement * self, GstClockTime now);

/* A frame of this running time has come at `now`. Sources with buffers, slow decoders and bursts after a late start bring
 * frames later than upstream's latency promises; live windows close later by as much. With the lock. */
void gst_llavaov_clock_update_lag (GstLlavaovElement * self, GstClockTime now,
    GstClockTime running);

/* How far a live stream has come at `now`, given how late its frames are; NONE stays NONE. With the lock. */
GstClockTime gst_llavaov_clock_stream_position (GstLlavaovElement * self,
    GstClockTime now);

/* Asks the clock to wake the worker when the next live window ends, if one will. With the lock, which it releases
 * meanwhile. */
void gst_llavaov_clock_schedule (GstLlavaovElement * self);
/* Takes that back. Without the lock, once the worker has been joined. */
void gst_llavaov_clock_cancel (GstLlavaovElement * self);

/* Closes the live windows whose time is over. Without the lock. */
void gst_llavaov_clock_close_windows (GstLlavaovElement * self);

/* The clock runs in PLAYING only. Without the lock. */
void gst_llavaov_clock_set_playing (GstLlavaovElement * self,
    gboolean playing);

G_END_DECLS

#endif
