/* SPDX-License-Identifier: Apache-2.0
 *
 * A memory type with the name and the flag of GStreamer's for CUDA devices, over the heap: what is mapped for the device is
 * the memory itself, what is mapped for the host a copy that is counted.
 */
#ifndef CUDA_STAND_IN_H
#define CUDA_STAND_IN_H

#include <gst/gst.h>

typedef struct
{
  guint on_device, downloads, mapped;   /* how often; and now */
} CudaStandInCounts;

/* A copy of the buffer's bytes in such memory, with the buffer's metas. */
GstBuffer *cuda_stand_in_copy (GstBuffer * buffer);

extern CudaStandInCounts cuda_stand_in_counts;

#endif
