/* SPDX-License-Identifier: Apache-2.0
 *
 * The pictures that the engine makes of buffers, compared with those of videoconvert and videoflip: all raw formats,
 * interlacing, colours, odd sizes, orientations. */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include "base/alloc.h"
#include "picture/display.h"
#include "picture/image.h"
#include "picture/pixels.h"
#include "frame-source.h"

/* A picture in RGB without padding. */
typedef struct
{
  guint width, height;
  guint8 *rgb;
} Picture;

static void
picture_clear (Picture * picture)
{
  g_free (picture->rgb);
  picture->rgb = NULL;
}

/* What the model sees. */
static void
sample_picture (const GstVideoInfo * info, GstBuffer * buffer,
    LlavaovOrientation orientation, Picture * picture)
{
  GstLlavaovSample *sample = gst_llavaov_sample_new (buffer, info, 0, 0);
  LlavaovError error = { 0, };
  LlavaovFrameSource source;
  LlavaovImage image = { 0, }, shown;
  guint8 *pixels;

  sample->orientation = orientation;
  gst_llavaov_frame_source_init (&source, sample, NULL);
  gst_llavaov_sample_unref (sample);
  fail_unless (source.map (source.data, &image, &error) == LLAVAOV_OK,
      "%s of %dx%d: %s", GST_VIDEO_INFO_NAME (info),
      GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info), error.message);
  fail_unless_equals_int (lv_image_check (&image, &error), LLAVAOV_OK);
  fail_unless_equals_int (lv_image_show (&image, NULL, &shown, &pixels, &error),
      LLAVAOV_OK);
  source.unmap (source.data);
  source.release (source.data);
  picture->width = shown.width;
  picture->height = shown.height;
  picture->rgb = g_memdup2 (pixels, shown.width * shown.height * 3);
  lv_free (pixels);
}

/* What an element makes of it: the rows as stored, or those of one field if there is only one. */
static void
element_picture (const gchar * line, GstCaps * caps, GstBuffer * buffer,
    GstTagList * tags, Picture * picture)
{
  GstHarness *h = gst_harness_new_parse (line);
  GstVideoFrame frame;
  GstVideoInfo info;
  GstBuffer *out;
  GstCaps *got;
  guint y;

  gst_harness_set_src_caps (h, gst_caps_ref (caps));
  if (tags)
    gst_harness_push_event (h, gst_event_new_tag (tags));
  fail_unless_equals_int (gst_harness_push (h, gst_buffer_ref (buffer)),
      GST_FLOW_OK);
  out = gst_harness_pull (h);
  got = gst_pad_get_current_caps (h->sinkpad);
  fail_unless (gst_video_info_from_caps (&info, got));
  fail_unless (gst_video_frame_map (&frame, &info, out, GST_MAP_READ));
  picture->width = GST_VIDEO_INFO_WIDTH (&info);
  picture->height = GST_VIDEO_INFO_FIELD_HEIGHT (&info);
  picture->rgb = g_malloc (picture->width * picture->height * 3);
  for (y = 0; y < picture->height; y++)
    memcpy (picture->rgb + y * picture->width * 3,
        (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&frame, 0) +
        y * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, 0), picture->width * 3);
  gst_video_frame_unmap (&frame);
  gst_caps_unref (got);
  gst_buffer_unref (out);
  gst_harness_teardown (h);
}

/* ---- interlacing, as docs/pictures.md has it ---- */

typedef struct
{
  const gchar *name;
  const gchar *caps;            /* behind format and size */
  guint flags;                  /* GstVideoBufferFlags */
  gint parity;                  /* of the rows that stay; -1: all */
  gboolean lone;                /* the other field is not used */
} Scan;

#define TF GST_VIDEO_BUFFER_FLAG_TFF
#define IL GST_VIDEO_BUFFER_FLAG_INTERLACED
#define ONE GST_VIDEO_BUFFER_FLAG_ONEFIELD
#define RF GST_VIDEO_BUFFER_FLAG_RFF
static const Scan scans[] = {
  {"progressive", "", 0, -1, FALSE},
  {"progressive, flags that mean nothing", "", IL | TF | ONE, -1, FALSE},
  {"tff", ", interlace-mode=interleaved, field-order=top-field-first", 0, 0,
      FALSE},
  {"bff", ", interlace-mode=interleaved, field-order=bottom-field-first", 0, 1,
      FALSE},
  {"tff by flag", ", interlace-mode=interleaved", TF | IL, 0, FALSE},
  {"bff by flag", ", interlace-mode=interleaved", IL | RF, 1, FALSE},
  {"mixed, progressive", ", interlace-mode=mixed", TF, -1, FALSE},
  {"mixed, tff", ", interlace-mode=mixed", IL | TF | RF, 0, FALSE},
  {"mixed, bff", ", interlace-mode=mixed", IL, 1, FALSE},
  {"mixed, one field, top", ", interlace-mode=mixed", IL | TF | ONE, 0, TRUE},
  {"mixed, one field, bottom", ", interlace-mode=mixed", IL | ONE, 1, TRUE},
  {"fields, without metas", ", interlace-mode=fields", TF, 0, FALSE},
  {"alternate, top", ", interlace-mode=alternate", TF | ONE, 0, TRUE},
  {"alternate, bottom", ", interlace-mode=alternate", ONE, 1, TRUE},
};

static gboolean
is_alternate (const Scan * scan)
{
  return strstr (scan->caps, "alternate") != NULL;
}

static gint
median (gint a, gint b, gint c)
{
  return MAX (MIN (a, b), MIN (MAX (a, b), c));
}

/* Rows as they are stored to what is shown. */
static void
deinterlace (Picture * picture, const Scan * scan, guint height)
{
  guint row = picture->width * 3, x;
  gint parity = height == 1 ? 0 : scan->parity, y;
  guint8 *out = g_malloc (row * height);

  for (y = 0; y < (gint) height; y++) {
    gint up = y ? y - 1 : y + 1, down = y + 1 < (gint) height ? y + 1 : y - 1;
    gint step = is_alternate (scan) ? 2 : 1;

    for (x = 0; x < row; x++) {
#define STORED(y) picture->rgb[(y) / step * row + x]
      if (scan->parity < 0 || y % 2 == parity)
        out[y * row + x] = STORED (y);
      else if (scan->lone)
        out[y * row + x] = (STORED (up) + STORED (down) + 1) / 2;
      else
        out[y * row + x] = median (STORED (up), STORED (y), STORED (down));
    }
  }
  g_free (picture->rgb);
  picture->rgb = out;
  picture->height = height;
}

/* ---- pictures ---- */

static GstCaps *
make_caps (GstVideoFormat format, const gint * size, const gchar * more)
{
  gchar *text = g_strdup_printf ("video/x-raw%s, format=%s, width=%d, "
      "height=%d, framerate=25/1%s", strstr (more, "alternate") ?
      "(format:Interlaced)" : "", gst_video_format_to_string (format), size[0],
      size[1], more);
  GstCaps *caps = gst_caps_from_string (text);

  fail_unless (caps != NULL, "%s", text);
  g_free (text);
  return caps;
}

/* Random bytes. */
static GstBuffer *
noise (const GstVideoInfo * info, GRand * random)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, info->size, NULL);
  GstMapInfo map;
  gsize i;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  for (i = 0; i < map.size; i++)
    map.data[i] = g_rand_int (random);
  gst_buffer_unmap (buffer, &map);
  return buffer;
}

/* Colours that change slowly, from the converter; the engine replicates chroma where videoconvert may interpolate it. */
static GstBuffer *
slopes (const GstVideoInfo * info)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, info->size, NULL), *rgb;
  GstVideoConverter *converter;
  GstVideoFrame from, to;
  GstVideoInfo source;
  guint x, y;

  gst_video_info_set_interlaced_format (&source, GST_VIDEO_FORMAT_RGB,
      info->interlace_mode, info->width, info->height);
  source.fps_n = info->fps_n;
  source.fps_d = info->fps_d;
  rgb = gst_buffer_new_allocate (NULL, source.size, NULL);
  gst_buffer_memset (buffer, 0, 128, -1);
  gst_video_frame_map (&from, &source, rgb, GST_MAP_READWRITE);
  gst_video_frame_map (&to, info, buffer, GST_MAP_READWRITE);
  for (y = 0; y < (guint) GST_VIDEO_INFO_FIELD_HEIGHT (&source); y++) {
    guint8 *row = (guint8 *) from.data[0] + y * source.stride[0];

    for (x = 0; x < (guint) info->width; x++) {
      row[3 * x] = 60 + x / 2;
      row[3 * x + 1] = 200 - x / 2 - y / 2;
      row[3 * x + 2] = 40 + y / 2;
    }
  }
  converter = gst_video_converter_new (&source, info, NULL);
  gst_video_converter_frame (converter, &from, &to);
  gst_video_converter_free (converter);
  gst_video_frame_unmap (&from);
  gst_video_frame_unmap (&to);
  gst_buffer_unref (rgb);
  return buffer;
}

static gboolean
is_read_by_engine (const GstVideoInfo * info)
{
  return GST_VIDEO_INFO_FORMAT (info) == GST_VIDEO_FORMAT_I420 ||
      GST_VIDEO_INFO_FORMAT (info) == GST_VIDEO_FORMAT_NV12;
}

/* A field as the picture of half the height that it is. GStreamer's converter, asked for fields as such, takes the rows of
 * their chroma for those of two fields and does not interpolate them. */
static GstCaps *
make_progressive (GstVideoInfo * info, GstCaps * caps, GstBuffer * buffer)
{
  GstCaps *copy = gst_caps_copy (caps);

  gst_caps_set_features (copy, 0, NULL);
  gst_caps_set_simple (copy, "interlace-mode", G_TYPE_STRING, "progressive",
      "height", G_TYPE_INT, GST_VIDEO_INFO_FIELD_HEIGHT (info), NULL);
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_INFO_FORMAT (info), GST_VIDEO_INFO_WIDTH (info),
      GST_VIDEO_INFO_FIELD_HEIGHT (info), GST_VIDEO_INFO_N_PLANES (info),
      info->offset, info->stride);
  return copy;
}

/* Layouts in which videoconvert reads rows or pixels of chroma that lie behind the buffer's end: two fields of a height that
 * is no multiple of four in the formats where each needs its own last row; an odd number of samples in whole words. */
static gboolean
has_no_reference (const GstVideoInfo * info, const Scan * scan)
{
  switch (GST_VIDEO_INFO_FORMAT (info)) {
    case GST_VIDEO_FORMAT_P010_10LE:
    case GST_VIDEO_FORMAT_P010_10BE:
    case GST_VIDEO_FORMAT_P012_LE:
    case GST_VIDEO_FORMAT_P012_BE:
    case GST_VIDEO_FORMAT_P016_LE:
    case GST_VIDEO_FORMAT_P016_BE:
    case GST_VIDEO_FORMAT_AV12:
      return scan->parity >= 0 && !is_alternate (scan) && info->height % 4 == 2;
    case GST_VIDEO_FORMAT_NV12_10LE32:
    case GST_VIDEO_FORMAT_NV16_10LE32:
      return info->width == 3;
    case GST_VIDEO_FORMAT_UYVP:
      return info->width % 2;
    default:
      return FALSE;
  }
}

/* MediaTek's tiles of 10 bits, in GStreamer 1.24 and newer. */
static gboolean
is_mediatek (const GstVideoInfo * info)
{
  return g_str_has_prefix (GST_VIDEO_INFO_NAME (info), "MT2110");
}

/* A sample of one of their planes, as the formats are defined: tiles of 16 bytes in each row lie one behind the other, and in
 * a tile blocks of four rows. A block is 16 bytes of lower bits, two a sample, then 64 of the upper eight. A byte of lower bits
 * belongs to the four rows of a column (T) or to four neighbours in a row (R). */
static guint16
mediatek_sample (const guint8 * plane, guint across, guint tile_rows,
    gboolean raster, guint x, guint y)
{
  guint tile = y / tile_rows * across + x / 16, column = x % 16, row = y % 4;
  const guint8 *block = plane + 80 * (tile * tile_rows / 4 + y % tile_rows / 4);
  guint lower = raster ? block[4 * row + column / 4] >> (2 * (column % 4)) :
      block[column] >> (2 * row);

  return block[16 + 16 * row + column] << 2 | (lower & 3);
}

/* videoconvert does not read the tiles that the picture's right edge cuts, and takes the chroma of two fields for that of one
 * picture: what it makes of the same samples in rows is right. There are whole tiles of them. */
static GstBuffer *
mediatek_in_rows (const GstVideoInfo * info, GstBuffer * buffer, GstCaps * caps)
{
  gboolean raster = g_str_has_suffix (GST_VIDEO_INFO_NAME (info), "R");
  guint width = GST_ROUND_UP_16 (info->width), y, x, plane;
  GstVideoInfo rows;
  GstBuffer *made;
  GstMapInfo from, to;

  gst_video_info_set_format (&rows, GST_VIDEO_FORMAT_P010_10LE, width,
      GST_ROUND_UP_32 (info->height));
  made = gst_buffer_new_allocate (NULL, rows.size, NULL);
  gst_buffer_map (buffer, &from, GST_MAP_READ);
  gst_buffer_map (made, &to, GST_MAP_WRITE);
  for (plane = 0; plane < 2; plane++)
    for (y = 0; y < (guint) rows.height >> plane; y++)
      for (x = 0; x < width; x++)
        GST_WRITE_UINT16_LE (to.data + rows.offset[plane] +
            y * rows.stride[plane] + 2 * x,
            mediatek_sample (from.data + info->offset[plane], width / 16,
                32 >> plane, raster, x, y) << 6);
  gst_buffer_unmap (buffer, &from);
  gst_buffer_unmap (made, &to);
  gst_buffer_copy_into (made, buffer, GST_BUFFER_COPY_FLAGS, 0, -1);
  gst_buffer_add_video_meta_full (made, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_P010_10LE, info->width, info->height, 2, rows.offset,
      rows.stride);
  gst_caps_set_simple (caps, "format", G_TYPE_STRING, "P010_10LE", NULL);
  return made;
}

/* The greatest difference from videoconvert's picture. */
static guint
difference (GstCaps * caps, const Scan * scan, GRand * random)
{
  Picture seen, wanted;
  GstVideoInfo info;
  GstBuffer *buffer;
  guint most = 0, i, n;

  fail_unless (gst_video_info_from_caps (&info, caps));
  buffer = is_read_by_engine (&info) ? slopes (&info) : noise (&info, random);
  GST_BUFFER_FLAG_SET (buffer, scan->flags);
  sample_picture (&info, buffer, LLAVAOV_ORIENTATION_UPRIGHT, &seen);
  caps = is_alternate (scan) ? make_progressive (&info, caps, buffer) :
      gst_caps_copy (caps);
  if (is_mediatek (&info)) {
    GstBuffer *tiled = buffer;
    GstVideoInfo stored;

    gst_video_info_from_caps (&stored, caps);
    buffer = mediatek_in_rows (&stored, tiled, caps);
    gst_buffer_unref (tiled);
  }
  element_picture ("videoconvert ! capsfilter caps=\"video/x-raw, format=RGB, "
      "colorimetry=sRGB\"", caps, buffer, NULL, &wanted);
  gst_caps_unref (caps);
  deinterlace (&wanted, scan, info.height);
  fail_unless_equals_int (seen.width, wanted.width);
  fail_unless_equals_int (seen.height, wanted.height);
  n = has_no_reference (&info, scan) ? 0 : seen.width * seen.height * 3;
  for (i = 0; i < n; i++)
    most = MAX (most, (guint) ABS (seen.rgb[i] - wanted.rgb[i]));
  picture_clear (&seen);
  picture_clear (&wanted);
  gst_buffer_unref (buffer);
  return most;
}

/* The converter's own formats: none. The engine's own YUV: what its replicated chroma and videoconvert's matrix of 8 bits
 * differ by on slopes. */
static guint
tolerance (GstCaps * caps)
{
  GstVideoInfo info;

  gst_video_info_from_caps (&info, caps);
  return is_read_by_engine (&info) ? 8 : 0;
}

static void
check_difference (GstCaps * caps, const Scan * scan, GRand * random)
{
  guint most = difference (caps, scan, random);

  gchar *text = gst_caps_to_string (caps);

  fail_unless (most <= tolerance (caps), "%s, %s: %u", scan->name, text, most);
  g_free (text);
  gst_caps_unref (caps);
}

static const gint sizes[][2] = { {17, 13}, {34, 22}, {1, 1}, {2, 2}, {3, 5},
{6, 12}
};

GST_START_TEST (test_every_format)
{
  const Scan *scan = &scans[__i__];
  GRand *random = g_rand_new_with_seed (11 + __i__);
  guint n_formats, f, s;
  const GstVideoFormat *formats = gst_video_formats_raw (&n_formats);

  for (f = 0; f < n_formats; f++)
    for (s = __i__ % 2; s < G_N_ELEMENTS (sizes); s += 2)
      check_difference (make_caps (formats[f], sizes[s], scan->caps), scan,
          random);
  fail_unless (n_formats >= 108, "%u", n_formats);
  g_rand_free (random);
}

GST_END_TEST;

/* Where no tile is cut videoconvert reads them itself, and says what mediatek_sample() says; it leaves the lowest bits of 16
 * empty, so that rounding may differ. */
GST_START_TEST (test_whole_tiles)
{
  static const gchar *const names[] = { "MT2110T", "MT2110R" };
  static const gint size[] = { 48, 70 };
  GRand *random = g_rand_new_with_seed (16);
  guint i, k;

  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    GstVideoFormat format = gst_video_format_from_string (names[i]);
    Picture seen, wanted;
    GstVideoInfo info;
    GstBuffer *buffer;
    GstCaps *caps;

    if (format == GST_VIDEO_FORMAT_UNKNOWN)
      continue;
    caps = make_caps (format, size, "");
    fail_unless (gst_video_info_from_caps (&info, caps));
    buffer = noise (&info, random);
    sample_picture (&info, buffer, LLAVAOV_ORIENTATION_UPRIGHT, &seen);
    element_picture
        ("videoconvert ! capsfilter caps=\"video/x-raw, format=RGB, "
        "colorimetry=sRGB\"", caps, buffer, NULL, &wanted);
    for (k = 0; k < seen.width * seen.height * 3; k++)
      fail_unless (ABS (seen.rgb[k] - wanted.rgb[k]) <= 1, "%s: %u, %d and %d",
          names[i], k, seen.rgb[k], wanted.rgb[k]);
    picture_clear (&seen);
    picture_clear (&wanted);
    gst_buffer_unref (buffer);
    gst_caps_unref (caps);
  }
  g_rand_free (random);
}

GST_END_TEST;

/* Both fields in one buffer, each with a meta of its own: the first is what a buffer of that field alone is. */
GST_START_TEST (test_fields_with_metas)
{
  GRand *random = g_rand_new_with_seed (15);
  guint s, parity;

  for (s = 0; s < G_N_ELEMENTS (sizes); s++)
    for (parity = 0; parity < 2; parity++) {
      GstCaps *caps = make_caps (GST_VIDEO_FORMAT_NV12, sizes[s],
          ", interlace-mode=fields");
      GstVideoInfo info, field;
      GstBuffer *both, *lone;
      Picture seen, wanted;
      guint id;

      gst_video_info_from_caps (&info, caps);
      gst_video_info_set_interlaced_format (&field, GST_VIDEO_FORMAT_NV12,
          GST_VIDEO_INTERLACE_MODE_ALTERNATE, sizes[s][0], sizes[s][1]);
      lone = noise (&field, random);
      both = gst_buffer_append (gst_buffer_copy_deep (lone), noise (&field,
              random));
      for (id = 0; id < 2; id++) {
        gsize offset[GST_VIDEO_MAX_PLANES] = { id * field.size,
          id * field.size + field.offset[1]
        };

        gst_buffer_add_video_meta_full (both, 0, GST_VIDEO_FORMAT_NV12,
            sizes[s][0], GST_VIDEO_INFO_FIELD_HEIGHT (&field), 2, offset,
            field.stride)->id = id;
      }
      GST_BUFFER_FLAG_SET (both, parity ? 0 : TF);
      GST_BUFFER_FLAG_SET (lone, parity ? ONE : TF | ONE);
      field.colorimetry = info.colorimetry;
      sample_picture (&info, both, LLAVAOV_ORIENTATION_UPRIGHT, &seen);
      sample_picture (&field, lone, LLAVAOV_ORIENTATION_UPRIGHT, &wanted);
      fail_unless_equals_int (seen.height, sizes[s][1]);
      fail_unless_equals_int (wanted.height, sizes[s][1]);
      fail_unless (!memcmp (seen.rgb, wanted.rgb,
              seen.width * seen.height * 3));
      picture_clear (&seen);
      picture_clear (&wanted);
      gst_buffer_unref (both);
      gst_buffer_unref (lone);
      gst_caps_unref (caps);
    }
  g_rand_free (random);
}

GST_END_TEST;

/* Matrices, ranges and chroma sites that caps may name. */
GST_START_TEST (test_every_colour)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_I420,
    GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_Y444,
    GST_VIDEO_FORMAT_UYVY, GST_VIDEO_FORMAT_v210, GST_VIDEO_FORMAT_P010_10LE,
    GST_VIDEO_FORMAT_Y41B, GST_VIDEO_FORMAT_AYUV64
  };
  static const gint matrices[] = { GST_VIDEO_COLOR_MATRIX_FCC,
    GST_VIDEO_COLOR_MATRIX_BT709, GST_VIDEO_COLOR_MATRIX_BT601,
    GST_VIDEO_COLOR_MATRIX_SMPTE240M, GST_VIDEO_COLOR_MATRIX_BT2020
  };
  static const gchar *const sites[] = { "jpeg", "mpeg2", "dv", "cosited",
    "v-cosited"
  };
  GRand *random = g_rand_new_with_seed (12);
  guint f, m, r, c, s;

  for (f = 0; f < G_N_ELEMENTS (formats); f++)
    for (m = 0; m < G_N_ELEMENTS (matrices); m++)
      for (r = 1; r <= 2; r++)
        for (c = 0; c < G_N_ELEMENTS (sites); c++)
          for (s = 0; s < 4; s += 2) {
            gchar *more = g_strdup_printf ("%s, colorimetry=%u:%d:5:1, "
                "chroma-site=%s", scans[s].caps, r, matrices[m], sites[c]);

            check_difference (make_caps (formats[f], sizes[(c + s) % 3], more),
                &scans[s], random);
            g_free (more);
          }
  g_rand_free (random);
}

GST_END_TEST;

GST_START_TEST (test_rgb_of_limited_range)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_RGB,
    GST_VIDEO_FORMAT_BGR, GST_VIDEO_FORMAT_RGBA, GST_VIDEO_FORMAT_BGRx,
    GST_VIDEO_FORMAT_xRGB, GST_VIDEO_FORMAT_ARGB64, GST_VIDEO_FORMAT_GBR_10LE,
    GST_VIDEO_FORMAT_r210
  };
  GRand *random = g_rand_new_with_seed (13);
  guint f;

  for (f = 0; f < G_N_ELEMENTS (formats); f++)
    check_difference (make_caps (formats[f], sizes[0],
            ", colorimetry=2:1:7:1"), &scans[0], random);
  g_rand_free (random);
}

GST_END_TEST;

static const gchar *const orientations[] = { "rotate-0", "flip-rotate-0",
  "rotate-180", "flip-rotate-180", "flip-rotate-270", "rotate-90",
  "flip-rotate-90", "rotate-270"
};

GST_START_TEST (test_orientations_are_videoflips)
{
  GRand *random = g_rand_new_with_seed (14);
  guint i, s;

  for (i = 0; i < G_N_ELEMENTS (orientations); i++)
    for (s = 0; s < G_N_ELEMENTS (sizes); s++) {
      GstCaps *caps = make_caps (GST_VIDEO_FORMAT_RGB, sizes[s], "");
      Picture seen, wanted;
      GstVideoInfo info;
      GstBuffer *buffer;

      gst_video_info_from_caps (&info, caps);
      buffer = noise (&info, random);
      sample_picture (&info, buffer, i, &seen);
      element_picture ("videoflip video-direction=auto", caps, buffer,
          gst_tag_list_new (GST_TAG_IMAGE_ORIENTATION, orientations[i], NULL),
          &wanted);
      fail_unless_equals_int (seen.width, wanted.width);
      fail_unless_equals_int (seen.height, wanted.height);
      fail_unless (!memcmp (seen.rgb, wanted.rgb, seen.width * seen.height * 3),
          "%s %dx%d", orientations[i], sizes[s][0], sizes[s][1]);
      picture_clear (&seen);
      picture_clear (&wanted);
      gst_buffer_unref (buffer);
      gst_caps_unref (caps);
    }
  g_rand_free (random);
}

GST_END_TEST;

/* The pixel aspect ratio of caps reaches the engine, and a picture becomes as wide as GStreamer's sinks show it. */
GST_START_TEST (test_shapes_of_pixels)
{
  static const gint shapes[][2] = { {1, 1}, {64, 45}, {16, 15}, {8, 9},
  {32, 27}, {4, 3}, {12, 11}, {1, 2}
  };
  guint i, turned;

  for (i = 0; i < G_N_ELEMENTS (shapes); i++)
    for (turned = 0; turned < 2; turned++) {
      static const gint size[] = { 72, 58 };
      gchar *more = g_strdup_printf (", pixel-aspect-ratio=%d/%d",
          shapes[i][0], shapes[i][1]);
      GstCaps *caps = make_caps (GST_VIDEO_FORMAT_NV12, size, more);
      LlavaovImage image = { 0, }, shown;
      LlavaovFrameSource source;
      LlavaovError error;
      GstLlavaovSample *sample;
      guint n, d, width, height;
      guint8 *pixels;
      GstVideoInfo info;
      GstBuffer *buffer;

      gst_video_info_from_caps (&info, caps);
      buffer = gst_buffer_new_allocate (NULL, info.size, NULL);
      sample = gst_llavaov_sample_new (buffer, &info, 0, 0);
      sample->orientation = turned ? LLAVAOV_ORIENTATION_ROTATE_90 :
          LLAVAOV_ORIENTATION_UPRIGHT;
      gst_llavaov_frame_source_init (&source, sample, NULL);
      gst_llavaov_sample_unref (sample);
      fail_unless (source.map (source.data, &image, &error) == LLAVAOV_OK);
      fail_unless (lv_image_show (&image, NULL, &shown, &pixels,
              &error) == LLAVAOV_OK);
      source.unmap (source.data);
      source.release (source.data);
      lv_image_square_size (&shown, &width, &height);
      fail_unless_equals_int (height, size[!turned]);
      fail_unless (gst_video_calculate_display_ratio (&n, &d, size[turned],
              size[!turned], shapes[i][turned], shapes[i][!turned], 1, 1));
      fail_unless_equals_int (width,
          gst_util_uint64_scale_int_round (height, n, d));
      lv_free (pixels);
      gst_buffer_unref (buffer);
      gst_caps_unref (caps);
      g_free (more);
    }
}

GST_END_TEST;

static Suite *
pictures_suite (void)
{
  Suite *s = suite_create ("pictures");
  TCase *tc = tcase_create ("pictures");

  suite_add_tcase (s, tc);
  tcase_add_loop_test (tc, test_every_format, 0, G_N_ELEMENTS (scans));
  tcase_add_test (tc, test_whole_tiles);
  tcase_add_test (tc, test_fields_with_metas);
  tcase_add_test (tc, test_every_colour);
  tcase_add_test (tc, test_rgb_of_limited_range);
  tcase_add_test (tc, test_orientations_are_videoflips);
  tcase_add_test (tc, test_shapes_of_pixels);
  return s;
}

GST_CHECK_MAIN (pictures);
