/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda-stand-in.h"

#include <string.h>

#include <gst/video/video.h>

#include "cuda-memory.h"

CudaStandInCounts cuda_stand_in_counts;

typedef struct
{
  GstMemory memory;
  guint8 *device;
} StandInMemory;

typedef GstAllocator StandInAllocator;
typedef GstAllocatorClass StandInAllocatorClass;
static GType stand_in_allocator_get_type (void);
G_DEFINE_TYPE (StandInAllocator, stand_in_allocator, GST_TYPE_ALLOCATOR);

static GstMemory *
stand_in_alloc (GstAllocator * allocator, gsize size,
    GstAllocationParams * params)
{
  StandInMemory *memory = g_new0 (StandInMemory, 1);

  memory->device = g_malloc (size);
  gst_memory_init (GST_MEMORY_CAST (memory), 0, allocator, NULL, size, 0, 0,
      size);
  return GST_MEMORY_CAST (memory);
}

static void
stand_in_free (GstAllocator * allocator, GstMemory * memory)
{
  g_free (((StandInMemory *) memory)->device);
  g_free (memory);
}

static gpointer
stand_in_map (GstMemory * memory, GstMapInfo * info, gsize most)
{
  guint8 *device = ((StandInMemory *) memory)->device;

  cuda_stand_in_counts.mapped++;
  if (info->flags & GST_LLAVAOV_MAP_CUDA) {
    cuda_stand_in_counts.on_device++;
    return device;
  }
  cuda_stand_in_counts.downloads++;
  info->user_data[0] = g_memdup2 (device, most);
  return info->user_data[0];
}

static void
stand_in_unmap (GstMemory * memory, GstMapInfo * info)
{
  cuda_stand_in_counts.mapped--;
  g_free (info->user_data[0]);
  info->user_data[0] = NULL;
}

static void
stand_in_allocator_class_init (StandInAllocatorClass * class)
{
  class->alloc = stand_in_alloc;
  class->free = stand_in_free;
}

static void
stand_in_allocator_init (StandInAllocator * allocator)
{
  allocator->mem_type = "gst.cuda.memory";
  allocator->mem_map_full = stand_in_map;
  allocator->mem_unmap_full = stand_in_unmap;
  GST_OBJECT_FLAG_SET (allocator, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

GstBuffer *
cuda_stand_in_copy (GstBuffer * buffer)
{
  GstAllocator *allocator = g_object_new (stand_in_allocator_get_type (), NULL);
  gsize size = gst_buffer_get_size (buffer);
  GstMemory *memory = gst_allocator_alloc (allocator, size, NULL);
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  GstBuffer *copy = gst_buffer_new ();

  gst_buffer_extract (buffer, 0, ((StandInMemory *) memory)->device, size);
  gst_buffer_append_memory (copy, memory);
  gst_buffer_copy_into (copy, buffer, GST_BUFFER_COPY_METADATA, 0, -1);
  /* That of another memory is not copied. */
  if (meta && gst_buffer_get_video_meta (copy) == NULL)
    gst_buffer_add_video_meta_full (copy, meta->flags, meta->format,
        meta->width, meta->height, meta->n_planes, meta->offset, meta->stride);
  gst_object_unref (allocator);
  return copy;
}
