/* SPDX-License-Identifier: Apache-2.0
 *
 * The same picture in buffers of many kinds must be the same picture to the engine; a buffer that does not hold what its caps
 * say must be refused. Pixels lie between unmapped pages: reading past them faults. */
#include <gst/check/gstcheck.h>

#include "picture/color.h"
#include "picture/image.h"
#include "frame-source.h"
#include "../fuzz/guard.h"

#define WIDTH 45
#define HEIGHT 22

/* ---- pictures ---- */

/* What the engine would see of a buffer, as RGB bytes; NULL: error says why not. */
static guint8 *
see (GstBuffer * buffer, const GstVideoInfo * info, guint * width,
    guint * height, LlavaovError * error)
{
  GstLlavaovSample *sample = gst_llavaov_sample_new (buffer, info, 0,
      GST_CLOCK_TIME_NONE);
  LlavaovFrameSource source;
  LlavaovImage image = { 0, };
  guint8 *rgb = NULL;

  gst_llavaov_frame_source_init (&source, sample, NULL);
  if (source.map (source.data, &image, error) == LLAVAOV_OK) {
    if (lv_image_check (&image, error) == LLAVAOV_OK) {
      *width = image.width;
      *height = image.height;
      /* What is stored, not what is shown. */
      image.height = lv_image_rows (&image);
      image.scan = LLAVAOV_SCAN_PROGRESSIVE;
      rgb = g_malloc (image.width * image.height * 3);
      fail_unless (lv_color_to_rgb (&image, rgb, error) == LLAVAOV_OK);
    }
    source.unmap (source.data);
  }
  source.release (source.data);
  gst_llavaov_sample_unref (sample);
  fail_unless_equals_int (GST_MINI_OBJECT_REFCOUNT_VALUE (buffer), 1);
  return rgb;
}

static GstMemory *
guarded (guint slot, gconstpointer data, gsize bytes, gboolean front)
{
  guint8 *at = guard_place (slot, bytes, front);

  if (data)
    memcpy (at, data, bytes);
  return gst_memory_new_wrapped (GST_MEMORY_FLAG_READONLY, at, bytes, 0, bytes,
      NULL, NULL);
}

/* Bytes of any format are some picture. */
static guint8 *
noise (gsize bytes, guint seed)
{
  GRand *rand = g_rand_new_with_seed (seed);
  guint8 *data = g_malloc (bytes);
  gsize i;

  for (i = 0; i < bytes; i++)
    data[i] = g_rand_int (rand);
  g_rand_free (rand);
  return data;
}

/* ---- layouts ---- */

typedef struct
{
  const gchar *name;
  gboolean meta;                /* strides and offsets differ from those of the caps */
  gint wider;                   /* extra bytes in a row; -1: no padding at all */
  gboolean upwards;             /* negative strides */
  gboolean backwards;           /* the last plane first */
  gboolean apart;               /* a memory for each plane */
  guint cut;                    /* memories of this many bytes */
  gboolean front;               /* behind the unmapped page instead of in front of it */
  gboolean shortest;            /* nothing behind the last row's last pixel */
  gboolean own_map;             /* the meta has a map function of its own */
} Layout;

static const Layout layouts[] = {
  {"as the caps say",.front = FALSE},
  {"nothing behind the last pixel",.shortest = TRUE},
  {"wider rows", TRUE,.wider = 24},
  {"rows without padding", TRUE,.wider = -1},
  {"rows without padding, behind a page", TRUE,.wider = -1,.front = TRUE},
  {"bottom row first", TRUE,.upwards = TRUE},
  {"bottom row first, behind a page", TRUE,.upwards = TRUE,.front = TRUE},
  {"last plane first", TRUE,.backwards = TRUE},
  {"a memory for each plane",.meta = TRUE,.apart = TRUE},
  {"two memories without a meta",.cut = 1000},
  {"many memories",.meta = TRUE,.cut = 150,.wider = 3},
  {"many memories, bottom row first",.meta = TRUE,.cut = 150,.upwards = TRUE},
  {"a map function of its own",.meta = TRUE,.own_map = TRUE,.wider = 5},
  {"a map function of its own, bottom row first",.meta = TRUE,
      .own_map = TRUE,.upwards = TRUE},
};

static const gchar *formats[] = { "I420", "NV12", "RGB", "BGR", "RGBA", "BGRx",
  "YV12", "NV21", "YUY2", "UYVY", "Y42B", "Y41B", "YUV9", "Y444", "GRAY8",
  "GRAY16_LE", "RGB16", "RGB8P", "ARGB64_LE", "P010_10LE", "I420_10LE", "v210",
  "UYVP", "IYU1", "IYU2", "NV12_10LE32", "NV16_10LE32", "NV12_10LE40",
  "GRAY10_LE32", "NV12_4L4", "NV12_64Z32", "NV12_32L32", "A420", "AV12", "GBRA"
};

static gboolean
map_own (GstVideoMeta * meta, guint plane, GstMapInfo * info, gpointer * data,
    gint * stride, GstMapFlags flags)
{
  if (!gst_buffer_map (meta->buffer, info, GST_MAP_READ))
    return FALSE;
  *data = info->data + meta->offset[plane];
  *stride = meta->stride[plane];
  return TRUE;
}

static gboolean
unmap_own (GstVideoMeta * meta, guint plane, GstMapInfo * info)
{
  gst_buffer_unmap (meta->buffer, info);
  return TRUE;
}

/* Rows and their bytes after the format's description, written apart from the element's. FALSE: a block. */
static gboolean
plane_rows (const GstVideoInfo * info, guint plane, gsize * row_bytes,
    guint * rows)
{
  const GstVideoFormatInfo *format = info->finfo;
  guint i;
  gsize end = plane + 1 < info->finfo->n_planes ? info->offset[plane + 1] :
      info->size;

  *row_bytes = 0;
  *rows = 1;
  if (GST_VIDEO_FORMAT_INFO_IS_TILED (format) || (plane == 1
          && GST_VIDEO_FORMAT_INFO_HAS_PALETTE (format))) {
    *row_bytes = end - info->offset[plane];
    return FALSE;
  }
  *rows = (end - info->offset[plane]) / info->stride[plane];
  if (format->pixel_stride[0] == 0) {
    *row_bytes = info->stride[plane];
    return TRUE;
  }
  for (i = 0; i < format->n_components; i++) {
    gsize pixels = (info->width + (1 << format->w_sub[i]) - 1) >>
        format->w_sub[i];

    if (format->plane[i] == plane) {
      *row_bytes = MAX (*row_bytes, pixels * format->pixel_stride[i]);
      *rows = (info->height + (1 << format->h_sub[i]) - 1) >> format->h_sub[i];
    }
  }
  return TRUE;
}

/* The bytes of a picture in GStreamer's own layout, laid out in another way. */
static GstBuffer *
lay_out (const Layout * layout, const GstVideoInfo * info, const guint8 * data)
{
  guint n = GST_VIDEO_INFO_N_PLANES (info), i, k, y, rows;
  GstBuffer *buffer = gst_buffer_new ();
  gsize offset[4] = { 0, }, begin[4], bytes[4], end = 0, row_bytes;
  gint stride[4] = { 0, };
  guint8 *made;
  GstVideoMeta *meta;

  if (!layout->meta) {
    gsize size = info->size;

    if (layout->shortest && plane_rows (info, n - 1, &row_bytes, &rows))
      size = info->offset[n - 1] + (rows - 1) * info->stride[n - 1] + row_bytes;
    if (layout->cut) {
      gst_buffer_append_memory (buffer, guarded (0, data, layout->cut, FALSE));
      gst_buffer_append_memory (buffer, guarded (1, data + layout->cut,
              size - layout->cut, FALSE));
    } else {
      gst_buffer_append_memory (buffer, guarded (0, data, size, FALSE));
    }
    return buffer;
  }
  made = g_malloc0 (GUARD_BYTES);
  for (k = 0; k < n; k++) {
    i = layout->backwards ? n - 1 - k : k;
    begin[i] = end;
    stride[i] = info->stride[i];
    if (!plane_rows (info, i, &row_bytes, &rows)) {
      offset[i] = end;
      memcpy (made + end, data + info->offset[i], row_bytes);
      bytes[i] = row_bytes;
      end += bytes[i];
      continue;
    }
    stride[i] = layout->wider < 0 ? (gint) row_bytes :
        info->stride[i] + layout->wider;
    bytes[i] = (rows - 1) * stride[i] + row_bytes;
    offset[i] = end;
    if (layout->upwards) {
      offset[i] += (rows - 1) * stride[i];
      stride[i] = -stride[i];
    }
    for (y = 0; y < rows; y++)
      memcpy (made + offset[i] + (gint) y * stride[i],
          data + info->offset[i] + y * info->stride[i], row_bytes);
    end += bytes[i];
  }
  if (layout->apart) {
    for (i = 0; i < n; i++)
      gst_buffer_append_memory (buffer, guarded (i, made + begin[i], bytes[i],
              layout->front));
  } else if (layout->cut) {
    /* A buffer has room for so many memories: the last one takes the rest. */
    for (i = 0; end > begin[0] + i * layout->cut && i < GUARD_SLOTS; i++) {
      gsize at = i * layout->cut;

      gst_buffer_append_memory (buffer, guarded (i, made + at,
              i + 1 == GUARD_SLOTS ? end - at : MIN (layout->cut, end - at),
              FALSE));
    }
  } else {
    gst_buffer_append_memory (buffer, guarded (0, made, end, layout->front));
  }
  meta = gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_INFO_FORMAT (info), info->width, info->height, n, offset,
      stride);
  if (layout->own_map) {
    meta->map = map_own;
    meta->unmap = unmap_own;
  }
  g_free (made);
  return buffer;
}

/* ---- tests ---- */

GST_START_TEST (test_layouts_are_the_same_picture)
{
  const gchar *format = formats[__i__];
  GstVideoInfo info;
  guint8 *data, *expected, *seen;
  guint i, width, height;
  GstBuffer *buffer;
  LlavaovError error = { 0, };

  fail_unless (gst_video_info_set_format (&info,
          gst_video_format_from_string (format), WIDTH, HEIGHT));
  data = noise (info.size, __i__);
  /* Ordinary memory with room behind it. */
  buffer = gst_buffer_new_wrapped_full (0, data, info.size, 0, info.size, NULL,
      NULL);
  expected = see (buffer, &info, &width, &height, &error);
  gst_buffer_unref (buffer);
  fail_unless (expected != NULL, "%s: %s", format, error.message);
  fail_unless (width == WIDTH && height == HEIGHT);
  for (i = 0; i < G_N_ELEMENTS (layouts); i++) {
    buffer = lay_out (&layouts[i], &info, data);
    seen = see (buffer, &info, &width, &height, &error);
    fail_unless (seen != NULL, "%s, %s: %s", format, layouts[i].name,
        error.message);
    fail_unless (width == WIDTH && height == HEIGHT);
    fail_unless (!memcmp (seen, expected, WIDTH * HEIGHT * 3),
        "%s, %s: another picture", format, layouts[i].name);
    g_free (seen);
    gst_buffer_unref (buffer);
  }
  g_free (expected);
  g_free (data);
}

GST_END_TEST;

/* A part of a larger picture is that part of it. */
GST_START_TEST (test_crop)
{
  static const guint parts[][4] = { {0, 0, 45, 22}, {0, 0, 20, 10},
  {8, 4, 37, 18}, {42, 20, 1, 1}, {2, 20, 43, 2}, {12, 8, 1, 14}
  };
  const gchar *format = formats[__i__];
  GstVideoInfo info, shown;
  guint8 *data, *whole, *seen;
  guint i, width, height, y;
  GstBuffer *buffer;
  LlavaovError error = { 0, };

  fail_unless (gst_video_info_set_format (&info,
          gst_video_format_from_string (format), WIDTH, HEIGHT));
  /* Of one colour, since the converter may interpolate chroma across the part's edge. */
  data = g_malloc0 (info.size);
  memset (data, 0x55, info.size);
  buffer = gst_buffer_new ();
  gst_buffer_append_memory (buffer, guarded (0, data, info.size, FALSE));
  whole = see (buffer, &info, &width, &height, &error);
  fail_unless (whole != NULL, "%s: %s", format, error.message);
  gst_buffer_unref (buffer);
  for (i = 0; i < G_N_ELEMENTS (parts); i++) {
    const guint *part = parts[i];
    GstVideoCropMeta *crop;

    fail_unless (gst_video_info_set_format (&shown,
            GST_VIDEO_INFO_FORMAT (&info), part[2], part[3]));
    buffer = gst_buffer_new ();
    gst_buffer_append_memory (buffer, guarded (0, data, info.size, FALSE));
    gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
        GST_VIDEO_INFO_FORMAT (&info), WIDTH, HEIGHT, info.finfo->n_planes,
        info.offset, info.stride);
    crop = gst_buffer_add_video_crop_meta (buffer);
    crop->x = part[0];
    crop->y = part[1];
    crop->width = part[2];
    crop->height = part[3];
    seen = see (buffer, &shown, &width, &height, &error);
    fail_unless (seen != NULL, "%s %u: %s", format, i, error.message);
    fail_unless (width == part[2] && height == part[3]);
    for (y = 0; y < height; y++)
      fail_unless (!memcmp (seen + y * width * 3, whole + ((part[1] + y) *
                  WIDTH + part[0]) * 3, width * 3), "%s, part %u, row %u",
          format, i, y);
    g_free (seen);
    gst_buffer_unref (buffer);
  }
  g_free (whole);
  g_free (data);
}

GST_END_TEST;

/* Every pixel says where it is from. */
GST_START_TEST (test_crop_takes_the_right_pixels)
{
  GstVideoInfo info, shown;
  GstBuffer *buffer;
  GstVideoCropMeta *crop;
  guint8 *seen;
  guint width, height, x, y;
  LlavaovError error = { 0, };
  static const GstVideoFormat plain[] = { GST_VIDEO_FORMAT_RGB,
    GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_xRGB
  };
  GstMapInfo map;

  fail_unless (gst_video_info_set_format (&info, plain[__i__], 64, 32));
  fail_unless (gst_video_info_set_format (&shown, plain[__i__], 20, 10));
  buffer = gst_buffer_new_allocate (NULL, info.size, NULL);
  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_WRITE));
  for (y = 0; y < 32; y++)
    for (x = 0; x < 64; x++)
      memset (map.data + y * info.stride[0] + x *
          info.finfo->pixel_stride[0], x + 5 * y, info.finfo->pixel_stride[0]);
  gst_buffer_unmap (buffer, &map);
  gst_buffer_add_video_meta (buffer, GST_VIDEO_FRAME_FLAG_NONE, plain[__i__],
      64, 32);
  crop = gst_buffer_add_video_crop_meta (buffer);
  crop->x = 30;
  crop->y = 12;
  crop->width = 20;
  crop->height = 10;
  seen = see (buffer, &shown, &width, &height, &error);
  fail_unless (seen != NULL, "%s", error.message);
  for (y = 0; y < 10; y++)
    for (x = 0; x < 20; x++)
      fail_unless_equals_int (seen[(y * 20 + x) * 3 + 1],
          30 + x + 5 * (12 + y));
  g_free (seen);
  gst_buffer_unref (buffer);
}

GST_END_TEST;

/* A buffer has one field: half the rows, and the picture has all. */
GST_START_TEST (test_alternate_fields)
{
  static const gchar *sizes[] = { "height=22", "height=21", "height=2",
    "height=4"
  };
  guint i, width, height;
  LlavaovError error = { 0, };

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    gchar *text = g_strdup_printf ("video/x-raw(format:Interlaced), format=%s, "
        "width=%d, %s, framerate=25/1, interlace-mode=alternate",
        formats[__i__], WIDTH, sizes[i]);
    GstCaps *caps = gst_caps_from_string (text);
    GstVideoInfo info;
    GstBuffer *buffer = gst_buffer_new ();
    guint8 *data, *seen;

    fail_unless (gst_video_info_from_caps (&info, caps));
    data = noise (info.size, i);
    gst_buffer_append_memory (buffer, guarded (0, data, info.size, FALSE));
    GST_BUFFER_FLAG_SET (buffer, i % 2 ? GST_VIDEO_BUFFER_FLAG_TOP_FIELD :
        GST_VIDEO_BUFFER_FLAG_BOTTOM_FIELD);
    seen = see (buffer, &info, &width, &height, &error);
    fail_unless (seen != NULL, "%s: %s", text, error.message);
    fail_unless_equals_int (width, WIDTH);
    fail_unless_equals_int (height, GST_VIDEO_INFO_HEIGHT (&info));
    g_free (seen);
    gst_buffer_unref (buffer);
    gst_caps_unref (caps);
    g_free (data);
    g_free (text);
  }
}

GST_END_TEST;

/* ---- refusals ---- */

static const struct
{
  const gchar *caps;            /* format, width, height, more */
  gint bytes;                   /* of the buffer, -1: none */
  const gchar *meta;            /* format:width:height:offsets:strides, or NULL */
  gint crop[4];
  const gchar *expected;        /* in the message */
} refusals[] = {
  {"NV12, width=640, height=480", 460799, NULL, {0}, "a buffer has 460799 "
      "bytes, and NV12 of 640x480 needs 460800, with rows every 640, 640"},
  {"I420, width=640, height=480", 230400, NULL, {0}, "needs 460800"},
  {"I420, width=640, height=480", -1, NULL, {0}, "a buffer has 0 bytes"},
  {"I420, width=640, height=480, interlace-mode=alternate", 230399, NULL, {0},
      "I420 of 640x240 needs 230400"},
  {"RGB, width=333, height=200", 199800, NULL, {0}, "these rows seem to have "
      "no padding: pad them, or attach a GstVideoMeta with the strides 999"},
  {"GRAY8, width=16, height=8", 127, "GRAY8:16:8:0:16", {0},
      "as its GstVideoMeta says"},
  {"GRAY8, width=16, height=8", 128, "GRAY8:16:8:1:16", {0}, "needs 129"},
  {"GRAY8, width=16, height=8", 128, "GRAY8:16:8:0:15", {0}, "the stride 15"},
  {"GRAY8, width=16, height=8", 128, "GRAY8:16:8:0:0", {0}, "the stride 0"},
  {"GRAY8, width=16, height=8", 128, "GRAY8:16:8:111:-16", {0},
      "begins at byte 111"},
  {"GRAY8, width=16, height=8", 128, "GRAY8:16:8:113:-16", {0}, "needs 129"},
  {"GRAY8, width=16, height=8", 128, "GRAY8:16:8:18446744073709551615:16", {0},
      "begins at byte 18446744073709551615"},
  {"GRAY8, width=16, height=8", 128, "GRAY8:16:8:0:2147483647", {0},
      "needs 15032385545"},
  {"GRAY8, width=16, height=8", 128, "RGB:16:8:0:16", {0},
      "GstVideoMeta says RGB of 16x8"},
  {"GRAY8, width=16, height=8", 128, "GRAY8:8:8:0:16", {0},
      "says GRAY8 of 8x8 in 1 planes, the caps GRAY8 of 16x8"},
  {"GRAY8, width=16, height=8", 128, NULL, {10, 0, 7, 8},
      "GstVideoCropMeta shows 7x8 at (10, 0), outside 16x8"},
  {"GRAY8, width=16, height=8", 128, NULL, {0, 8, 16, 1}, "outside 16x8"},
  {"GRAY8, width=16, height=8", 128, NULL, {-1, 0, 2, 8}, "outside 16x8"},
  {"RGB8P, width=16, height=8", 1151, NULL, {0}, "needs 1152"},
  {"NV12_4L4, width=16, height=8", 191, NULL, {0}, "needs 192"},
  {"v210, width=48, height=2", 255, NULL, {0}, "with rows every 128 bytes"},
  {"GRAY8, width=70000, height=1", 70000, NULL, {0}, "no picture"},
};

GST_START_TEST (test_what_is_not_there_is_refused)
{
  gboolean field = strstr (refusals[__i__].caps, "alternate") != NULL;
  gchar *text = g_strdup_printf ("video/x-raw%s, format=%s", field ?
      "(format:Interlaced)" : "", refusals[__i__].caps);
  GstCaps *caps = gst_caps_from_string (text);
  GstBuffer *buffer = gst_buffer_new ();
  const gint *crop = refusals[__i__].crop;
  LlavaovError error = { 0, };
  guint width, height;
  GstVideoInfo info;

  fail_unless (gst_video_info_from_caps (&info, caps));
  if (refusals[__i__].bytes >= 0)
    gst_buffer_append_memory (buffer, guarded (0, NULL, refusals[__i__].bytes,
            FALSE));
  if (refusals[__i__].meta) {
    gchar **part = g_strsplit (refusals[__i__].meta, ":", 5);
    gsize offset[4] = { g_ascii_strtoull (part[3], NULL, 10), };
    gint stride[4] = { atoi (part[4]), };
    GstVideoMeta *meta = gst_buffer_add_video_meta_full (buffer,
        GST_VIDEO_FRAME_FLAG_NONE, gst_video_format_from_string (part[0]),
        atoi (part[1]), atoi (part[2]), 1, offset, stride);

    fail_unless (meta != NULL);
    g_strfreev (part);
  }
  if (crop[2]) {
    GstVideoCropMeta *meta = gst_buffer_add_video_crop_meta (buffer);

    meta->x = crop[0];
    meta->y = crop[1];
    meta->width = crop[2];
    meta->height = crop[3];
  }
  fail_unless (see (buffer, &info, &width, &height, &error) == NULL);
  fail_unless_equals_int (error.status, LLAVAOV_ERROR_FORMAT);
  fail_unless (strstr (error.message, refusals[__i__].expected) != NULL,
      "%s\nand not\n%s", error.message, refusals[__i__].expected);
  gst_buffer_unref (buffer);
  gst_caps_unref (caps);
  g_free (text);
}

GST_END_TEST;

static Suite *
frames_suite (void)
{
  Suite *s = suite_create ("frames");
  TCase *tc = tcase_create ("frames");
  gint n = G_N_ELEMENTS (formats);

  suite_add_tcase (s, tc);
  tcase_add_loop_test (tc, test_layouts_are_the_same_picture, 0, n);
  tcase_add_loop_test (tc, test_crop, 0, n);
  tcase_add_loop_test (tc, test_crop_takes_the_right_pixels, 0, 4);
  tcase_add_loop_test (tc, test_alternate_fields, 0, n);
  tcase_add_loop_test (tc, test_what_is_not_there_is_refused, 0,
      G_N_ELEMENTS (refusals));
  return s;
}

GST_CHECK_MAIN (frames);
