/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers in the memory of a CUDA device (video/x-raw(memory:CUDAMemory)), known by the names that GStreamer gives them: its
 * library for them is neither needed nor linked. On any thread.
 */
#ifndef GST_LLAVAOV_CUDA_MEMORY_H
#define GST_LLAVAOV_CUDA_MEMORY_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_LLAVAOV_CUDA_CAPS \
    "video/x-raw(memory:CUDAMemory), format = (string) NV12, width = (int) [ 1, MAX ], " \
    "height = (int) [ 1, MAX ], framerate = (fraction) [ 0, MAX ]"

/* GST_MAP_CUDA of GStreamer 1.22 to 1.28: what is mapped is the device's address. Without it the memory is downloaded. */
#define GST_LLAVAOV_MAP_CUDA ((GstMapFlags) (GST_MAP_FLAG_LAST << 1))

/* All of the buffer is one such memory. */
gboolean gst_llavaov_cuda_memory_holds (GstBuffer * buffer);

/* Waits until what writes the buffer's memory is done. From 1.24 on mapping does not. */
void gst_llavaov_cuda_memory_wait (GstBuffer * buffer);

G_END_DECLS

#endif
