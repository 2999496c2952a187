/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames in a CUDA device's memory: which of them the engine is given where they lie, and that it answers as for the same
 * frames on the host. Argument: the CUDA backend on its stand-in; a stand-in takes the place of GStreamer's memory type.
 * CUDA_MEMORY_MODEL names the model. */
#include <dlfcn.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>

#include "cuda-memory.h"
#include "cuda-stand-in.h"
#include "frame-source.h"
#include "module/standin.h"
#include "reply.h"

/* A ball on a plain ground, moving to the right; rows lie as a decoder lays them, `pitch` bytes apart. */
static GstBuffer *
make_frame (const GstVideoInfo * info, guint pitch, guint time)
{
  guint width = GST_VIDEO_INFO_WIDTH (info), x, y;
  guint height = GST_VIDEO_INFO_HEIGHT (info);
  gsize rows = GST_ROUND_UP_2 (height), size = pitch * rows * 3 / 2;
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  gsize offset[GST_VIDEO_MAX_PLANES] = { 0, pitch * rows };
  gint stride[GST_VIDEO_MAX_PLANES] = { pitch, pitch };
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  memset (map.data, 0xEE, size);
  for (y = 0; y < height; y++)
    for (x = 0; x < width; x++) {
      gint dx = (gint) x - 40 - 50 * (gint) time, dy = (gint) y - 60;
      gboolean ball = dx * dx + dy * dy < 700;

      map.data[y * pitch + x] = ball ? 90 : 70;
      map.data[offset[1] + y / 2 * pitch + x / 2 * 2] = ball ? 100 : 170;
      map.data[offset[1] + y / 2 * pitch + x / 2 * 2 + 1] = ball ? 210 : 100;
    }
  gst_buffer_unmap (buffer, &map);
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_NV12, width, height, 2, offset, stride);
  return buffer;
}

static void
set_info (GstVideoInfo * info, const gchar * more)
{
  gchar *text =
      g_strdup_printf ("video/x-raw, format=NV12, width=190, height=134, "
      "framerate=10/1, colorimetry=bt709%s", more);
  GstCaps *caps = gst_caps_from_string (text);

  fail_unless (gst_video_info_from_caps (info, caps));
  gst_caps_unref (caps);
  g_free (text);
}

static LlavaovFrameSource
source_of (GstBuffer * buffer, const GstVideoInfo * info,
    LlavaovOrientation orientation)
{
  GstLlavaovSample *sample = gst_llavaov_sample_new (buffer, info, 0, 0);
  LlavaovFrameSource source;

  sample->orientation = orientation;
  gst_llavaov_frame_source_init (&source, sample, NULL);
  gst_llavaov_sample_unref (sample);
  return source;
}

/* ---- what the engine is given ---- */

GST_START_TEST (test_what_lies_on_the_device)
{
  static const struct
  {
    const gchar *caps;
    LlavaovOrientation orientation;
    LlavaovMemory offered;
    gboolean in_two, on_device;
  } cases[] = {
    {"", LLAVAOV_ORIENTATION_UPRIGHT, LLAVAOV_MEMORY_CUDA, FALSE, TRUE},
    {", pixel-aspect-ratio=4/3", LLAVAOV_ORIENTATION_UPRIGHT,
        LLAVAOV_MEMORY_CUDA, FALSE, TRUE},
    {"", LLAVAOV_ORIENTATION_UPRIGHT, LLAVAOV_MEMORY_HOST, FALSE, FALSE},
    {"", LLAVAOV_ORIENTATION_ROTATE_90, LLAVAOV_MEMORY_CUDA, FALSE, FALSE},
    {", interlace-mode=interleaved", LLAVAOV_ORIENTATION_UPRIGHT,
        LLAVAOV_MEMORY_CUDA, FALSE, FALSE},
    {", colorimetry=bt2020", LLAVAOV_ORIENTATION_UPRIGHT, LLAVAOV_MEMORY_CUDA,
        FALSE, FALSE},
    {"", LLAVAOV_ORIENTATION_UPRIGHT, LLAVAOV_MEMORY_CUDA, TRUE, FALSE},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstVideoInfo info;
    GstBuffer *host, *buffer;
    LlavaovFrameSource source;
    LlavaovImage image = { 0, };
    LlavaovError error = { 0, };
    const CudaStandInCounts before = cuda_stand_in_counts;

    set_info (&info, cases[i].caps);
    host = make_frame (&info, 256, 0);
    buffer = cuda_stand_in_copy (host);
    if (cases[i].in_two)
      gst_buffer_append_memory (buffer, gst_allocator_alloc (NULL, 16, NULL));
    source = source_of (buffer, &info, cases[i].orientation);
    image.memory = cases[i].offered;
    fail_unless (source.map (source.data, &image, &error) == LLAVAOV_OK,
        "case %u: %s", i, error.message);
    fail_unless_equals_int (image.memory, cases[i].on_device ?
        LLAVAOV_MEMORY_CUDA : LLAVAOV_MEMORY_HOST);
    fail_unless_equals_int (cuda_stand_in_counts.downloads > before.downloads,
        !cases[i].on_device);
    if (cases[i].on_device) {
      fail_unless_equals_int (image.format, LLAVAOV_PIXEL_NV12);
      fail_unless_equals_int (image.stride[0], 256);
      fail_unless_equals_int (image.plane[1] - image.plane[0], 256 * 134);
      fail_unless_equals_int (image.width, 190);
      fail_unless_equals_int (gst_buffer_memcmp (host, 0, image.plane[0],
              256 * 134 * 3 / 2), 0);
    }
    source.unmap (source.data);
    fail_unless_equals_int (cuda_stand_in_counts.mapped, 0);
    source.release (source.data);
    fail_unless_equals_int (GST_MINI_OBJECT_REFCOUNT_VALUE (buffer), 1);
    gst_buffer_unref (buffer);
    gst_buffer_unref (host);
  }
}

GST_END_TEST;

/* ---- what it answers ---- */

typedef struct
{
  LlavaovEngine *engine;
  LlavaovLayout layout;
  LlavaovEncode encode;
  const gchar *caps;
} Way;

/* Two frames, asked about. */
static void
answer (const Way * way, gboolean on_device, Reply * reply)
{
  LlavaovSession *session;
  LlavaovFrame *frames[2];
  LlavaovError error;
  GstVideoInfo info;
  guint i;

  set_info (&info, way->caps);
  fail_unless_equals_int (llavaov_session_open (way->engine, NULL, &session,
          &error), LLAVAOV_OK);
  for (i = 0; i < 2; i++) {
    GstBuffer *buffer = make_frame (&info, 320, i);
    LlavaovFrameSource source;

    if (on_device) {
      GstBuffer *copy = cuda_stand_in_copy (buffer);

      gst_buffer_unref (buffer);
      buffer = copy;
    }
    source = source_of (buffer, &info, LLAVAOV_ORIENTATION_UPRIGHT);
    gst_buffer_unref (buffer);
    source.layout = way->layout;
    source.encode = way->encode;
    fail_unless_equals_int (llavaov_session_push_frame (session, &source,
            &frames[i], &error), LLAVAOV_OK);
  }
  reply_init (reply);
  llavaov_ticket_unref (ask (session, reply, frames, 2, way->layout,
          "What colour is the ball?", 5));
  reply_wait (reply);
  for (i = 0; i < 2; i++)
    llavaov_frame_unref (frames[i]);
  llavaov_session_close (session);
}

static LvStandinCount counts;

static LlavaovEngine *
open_engine (const gchar * device, const gchar * wishes)
{
  LlavaovEngineOptions options = {.size = sizeof (options) };
  LlavaovEngine *engine;
  LlavaovError error = { 0, };

  options.model_path = g_getenv ("CUDA_MEMORY_MODEL");
  options.device = device;
  options.precision = LLAVAOV_PRECISION_F32;
  options.threads = 1;
  g_setenv ("LLAVAOV_STANDIN", wishes, TRUE);
  fail_unless (llavaov_engine_open (&options, &engine, &error) == LLAVAOV_OK,
      "%s", error.message);
  return engine;
}

GST_START_TEST (test_answers_are_the_hosts)
{
  static const struct
  {
    const gchar *device, *wishes, *caps;
    LlavaovLayout layout;
    LlavaovEncode encode;
    guint rows, downloads;      /* copied on the device; planes */
  } cases[] = {
    {"cuda", "", "", LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL,
        2 * (134 + 67), 0},
    {"cuda", "", "", LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_DEMAND, 0, 4},
    {"cuda", "", ", pixel-aspect-ratio=4/3", LLAVAOV_LAYOUT_IMAGES,
        LLAVAOV_ENCODE_ON_ARRIVAL, 0, 4},
    {"cuda", "no-send-rows", "", LLAVAOV_LAYOUT_VIDEO,
        LLAVAOV_ENCODE_ON_ARRIVAL, 0, 4},
    {"cuda", "send=2", "", LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL,
        134 + 134 + 67, 2},     /* the first frame's first plane fails */
    {"cpu", "", "", LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 0, 4},
  };
  LlavaovEngine *engine = open_engine ("cuda", "");
  Reply host[2], device;
  guint i;

  for (i = 0; i < 2; i++) {
    Way way = { engine, cases[2 * i].layout, cases[2 * i].encode,
      cases[2 * i].caps
    };

    answer (&way, FALSE, &host[i]);
    fail_unless (host[i].status == LLAVAOV_OK && host[i].text[0]);
  }
  fail_unless_equals_int (counts ().sent_rows, 0);
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    const guint downloads = cuda_stand_in_counts.downloads;
    const Reply *wanted = &host[cases[i].layout == LLAVAOV_LAYOUT_IMAGES];
    gboolean other = cases[i].wishes[0] || cases[i].device[1] == 'p';
    Way way = { engine, cases[i].layout, cases[i].encode, cases[i].caps };
    guint64 rows;

    if (other)
      way.engine = open_engine (cases[i].device, cases[i].wishes);
    rows = counts ().sent_rows;
    answer (&way, TRUE, &device);
    rows = counts ().sent_rows - rows;
    if (other)
      llavaov_engine_unref (way.engine);
    fail_unless (device.status == LLAVAOV_OK, "case %u: %s", i,
        device.error.message);
    fail_unless_equals_string (device.text, wanted->text);
    fail_unless_equals_int (device.new_tokens, wanted->new_tokens);
    fail_unless_equals_int (rows, cases[i].rows);
    fail_unless_equals_int (cuda_stand_in_counts.downloads - downloads,
        cases[i].downloads);
    fail_unless_equals_int (cuda_stand_in_counts.mapped, 0);
  }
  llavaov_engine_unref (engine);
}

GST_END_TEST;

static Suite *
cuda_memory_suite (void)
{
  Suite *s = suite_create ("cuda-memory");
  TCase *tc = tcase_create ("general");
  void *module = dlopen (g_getenv ("LLAVAOV_CUDA_MODULE"), RTLD_NOW);

  counts = module ? (LvStandinCount) dlsym (module, "lv_standin_counts") : NULL;
  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_what_lies_on_the_device);
  tcase_add_test (tc, test_answers_are_the_hosts);
  return s;
}

GST_CHECK_MAIN (cuda_memory);
