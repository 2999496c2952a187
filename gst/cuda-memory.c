/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda-memory.h"

#include <dlfcn.h>

#define LIBRARY "libgstcuda-1.0.so.0"

typedef gboolean (*Wait) (GstMemory * memory);

/* Whoever made the memory has loaded the library. It has no such function before 1.24, and then waits by itself. */
static gpointer
find_wait (gpointer unused)
{
  void *library = dlopen (LIBRARY, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);

  return library ? dlsym (library, "gst_cuda_memory_sync") : NULL;
}

gboolean
gst_llavaov_cuda_memory_holds (GstBuffer * buffer)
{
  return gst_buffer_n_memory (buffer) == 1 &&
      gst_memory_is_type (gst_buffer_peek_memory (buffer, 0),
      "gst.cuda.memory");
}

void
gst_llavaov_cuda_memory_wait (GstBuffer * buffer)
{
  static GOnce once = G_ONCE_INIT;
  GstMemory *memory = gst_buffer_peek_memory (buffer, 0);
  GType library_type = g_type_from_name ("GstCudaAllocator");
  Wait wait;

  /* The library's own memory; another of that name is its maker's business. */
  if (library_type == 0 || memory->allocator == NULL ||
      !g_type_is_a (G_OBJECT_TYPE (memory->allocator), library_type))
    return;
  wait = (Wait) g_once (&once, find_wait, NULL);
  if (wait)
    wait (memory);
}
