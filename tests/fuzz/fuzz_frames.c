/* SPDX-License-Identifier: Apache-2.0
 * Caps and a buffer made of the input's bytes: memories, metas, flags, map functions. What the
 * element makes of such a frame is mapped, prepared as the engine does, and unmapped. Pixels lie
 * between missing pages, since GStreamer and Orc know nothing of AddressSanitizer. */
#include "fuzz.h"

#include <gst/video/video.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "checkpoint/preprocess.h"
#include "checkpoint/preprocessor_config.h"
#include "guard.h"
#include "picture/color.h"
#include "picture/display.h"
#include "picture/image.h"
#include "picture/picture.h"
#include "frame-source.h"

typedef struct Input {
    const uint8_t *data;
    size_t size;
} Input;

static unsigned byte(Input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static unsigned word(Input *in)
{
    const unsigned high = byte(in);
    return high << 8 | byte(in);
}

static bool chance(Input *in, unsigned of_256)
{
    return byte(in) < of_256;
}

/* Mostly near value; sometimes anything. */
static int64_t near(Input *in, int64_t value)
{
    const unsigned how = byte(in);
    if (how < 128)
        return value;
    if (how < 200)
        return value + (int8_t)byte(in);
    if (how < 215)
        return (int64_t) - (uint64_t)value;
    if (how < 230)
        return (int64_t)((uint64_t)value * (byte(in) % 5)) / 2;
    if (how < 250)
        return (int16_t)word(in);
    return (int64_t)((uint64_t)word(in) << 48 | (uint64_t)word(in) << 16 | word(in));
}

static void start(void)
{
    static bool started;
    if (started)
        return;
    started = true;
    g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE);
    g_setenv("GST_PLUGIN_SYSTEM_PATH_1_0", "", TRUE);
    g_setenv("GST_PLUGIN_PATH_1_0", "", TRUE);
    gst_init(NULL, NULL);
    /* What GStreamer calls a programming error is one. */
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
}

/* ---- caps ---- */

static const char *const interlace_modes[] = {
    "progressive", "interleaved", "mixed", "fields", "alternate"};
static const char *const colorimetries[] = {
    "bt601", "bt709", "bt2020", "1:4:16:3", "2:4:1:0", "smpte240m"};
static const char *const multiviews[] = {
    "mono", "side-by-side", "top-bottom", "frame-by-frame", "separated", "row-interleaved"};
#define PICK(in, names) names[byte(in) % G_N_ELEMENTS(names)]

static gint edge(Input *in)
{
    if (chance(in, 248))
        return 1 + byte(in) % 40;
    return chance(in, 192) ? (gint)word(in) % 700 : (gint)near(in, 1);
}

static bool make_info(Input *in, GstVideoInfo *info)
{
    guint n;
    const GstVideoFormat *formats = gst_video_formats_raw(&n);
    const char *format = gst_video_format_to_string(formats[byte(in) % n]);
    const gint width = edge(in), height = edge(in);
    GstCaps *caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, format, "width",
        G_TYPE_INT, width, "height", G_TYPE_INT, height, "framerate", GST_TYPE_FRACTION,
        chance(in, 128) ? 25 : 0, 1, NULL);
    if (chance(in, 128))
        gst_caps_set_simple(caps, "interlace-mode", G_TYPE_STRING, PICK(in, interlace_modes), NULL);
    if (chance(in, 64))
        gst_caps_set_simple(caps, "field-order", G_TYPE_STRING,
            chance(in, 128) ? "top-field-first" : "bottom-field-first", NULL);
    if (chance(in, 64))
        gst_caps_set_simple(caps, "colorimetry", G_TYPE_STRING, PICK(in, colorimetries), NULL);
    if (chance(in, 32))
        gst_caps_set_simple(caps, "multiview-mode", G_TYPE_STRING, PICK(in, multiviews), "views",
            G_TYPE_INT, byte(in) % 4, NULL);
    const bool ok = gst_video_info_from_caps(info, caps);
    gst_caps_unref(caps);
    return ok;
}

/* ---- buffers ---- */

static gsize at_most(int64_t value, gsize most)
{
    return value < 0 ? 0 : (gsize)value > most ? most : (gsize)value;
}

/* Where rows lie, and how many bytes that takes. */
typedef struct Shape {
    GstVideoInfo info;
    gsize size;
} Shape;

/* Not a byte between rows, between planes or behind the last one. */
static void pack(Shape *shape, const GstVideoInfo *info)
{
    const GstVideoFormatInfo *format = info->finfo;
    shape->size = 0;
    for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(info); i++) {
        gsize row = 0, rows = 0;
        for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++) {
            if (GST_VIDEO_FORMAT_INFO_PLANE(format, c) != i)
                continue;
            row = MAX(row, (gsize)GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, c, info->width) *
                               (gsize)GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c));
            rows = MAX(rows, (gsize)GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(
                                 format, c, GST_VIDEO_INFO_FIELD_HEIGHT(info)));
        }
        shape->info.offset[i] = shape->size;
        shape->info.stride[i] = (gint)row;
        shape->size += row * rows;
    }
}

/* As the caps have it, larger, or packed. */
static void make_shape(Input *in, const GstVideoInfo *info, Shape *shape)
{
    const gint width = GST_VIDEO_INFO_WIDTH(info), height = GST_VIDEO_INFO_FIELD_HEIGHT(info);
    const unsigned how = byte(in);
    shape->info = *info;
    shape->size = info->size;
    if (how < 64 && width < 2000 && height < 2000) {
        /* On the right and below, as decoders do. */
        gst_video_info_set_format(&shape->info, GST_VIDEO_INFO_FORMAT(info),
            (guint)width + byte(in) % 32, (guint)height + byte(in) % 32);
        shape->size = shape->info.size;
    } else if (how < 144 && GST_VIDEO_FORMAT_INFO_PSTRIDE(info->finfo, 0)) {
        pack(shape, info);
    }
}

/* Memories, together about as large as the shape wants. */
static void add_memories(Input *in, GstBuffer *buffer, gsize size)
{
    unsigned n = chance(in, 160) ? 1 : byte(in) % 5;
    gsize left = at_most(near(in, (int64_t)size), GUARD_BYTES);
    for (unsigned i = 0; i < n; i++) {
        gsize bytes = i + 1 == n ? left : at_most(near(in, (int64_t)(size / 3 * 2)), left);
        left -= bytes;
        /* A memory may show a part of what it has. */
        const gsize before = chance(in, 32) ? byte(in) % 64 : 0;
        const gsize behind = chance(in, 32) ? byte(in) % 64 : 0;
        if (before + bytes + behind > GUARD_BYTES)
            continue;
        gst_buffer_append_memory(
            buffer, gst_memory_new_wrapped(chance(in, 128) ? GST_MEMORY_FLAG_READONLY : 0,
                        guard_place(i, before + bytes + behind, chance(in, 96)),
                        before + bytes + behind, before, bytes, NULL, NULL));
    }
}

/* A map function of somebody's own: what it says of its memory is true, the rest is not. */
static struct {
    uint8_t *at;
    gsize bytes;
    gint64 offset[GST_VIDEO_MAX_PLANES];
    gint stride[GST_VIDEO_MAX_PLANES];
    bool fails;
    int open;
} own;

static gboolean own_map(GstVideoMeta *meta, guint plane, GstMapInfo *info, gpointer *data,
    gint *stride, GstMapFlags flags)
{
    if (own.fails)
        return FALSE;
    info->data = own.at;
    info->size = own.bytes;
    *data = (gpointer)((uintptr_t)own.at + (uintptr_t)own.offset[plane]);
    *stride = own.stride[plane];
    own.open++;
    return TRUE;
}

static gboolean own_unmap(GstVideoMeta *meta, guint plane, GstMapInfo *info)
{
    own.open--;
    return TRUE;
}

static void add_meta(Input *in, GstBuffer *buffer, const GstVideoInfo *info, Shape *shape)
{
    const gint height = GST_VIDEO_INFO_FIELD_HEIGHT(info);
    GstVideoInfo *larger = &shape->info;
    GstVideoMeta *meta = gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE,
        GST_VIDEO_INFO_FORMAT(info), 1, 1, GST_VIDEO_INFO_N_PLANES(info), larger->offset,
        larger->stride);
    meta->width = (guint)near(in, GST_VIDEO_INFO_WIDTH(larger));
    meta->height = (guint)near(
        in, chance(in, 128) ? GST_VIDEO_INFO_HEIGHT(larger) : GST_VIDEO_INFO_FIELD_HEIGHT(larger));
    meta->flags = byte(in);
    if (chance(in, 8))
        meta->format = byte(in);
    if (chance(in, 8))
        meta->n_planes = byte(in) % (GST_VIDEO_MAX_PLANES + 1);
    for (int i = 0; i < GST_VIDEO_MAX_PLANES; i++) {
        meta->offset[i] = (gsize)near(in, (int64_t)meta->offset[i]);
        meta->stride[i] = (gint)near(in, meta->stride[i]);
        /* Upside down: from the last row upwards. */
        if (chance(in, 24) && meta->stride[i] > 0) {
            meta->offset[i] += (gsize)meta->stride[i] * (gsize)(height > 0 ? height - 1 : 0);
            meta->stride[i] = -meta->stride[i];
        }
        own.offset[i] = near(in, (int64_t)(meta->offset[i] & 0xFFFFF));
        own.stride[i] = (gint)near(in, meta->stride[i]);
    }
    meta->alignment.padding_top = byte(in);
    meta->alignment.padding_left = byte(in);
    if (chance(in, 32)) {
        meta->map = own_map;
        meta->unmap = own_unmap;
        own.fails = chance(in, 16);
        own.bytes = at_most(near(in, (int64_t)shape->size), GUARD_BYTES);
        own.at = guard_place(GUARD_SLOTS - 1, own.bytes, chance(in, 96));
    }
}

static GstBuffer *make_buffer(Input *in, const GstVideoInfo *info)
{
    GstBuffer *buffer = gst_buffer_new();
    Shape shape;
    make_shape(in, info, &shape);
    add_memories(in, buffer, shape.size);
    if (chance(in, 160))
        add_meta(in, buffer, info, &shape);
    if (chance(in, 48)) {
        GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
        crop->x = chance(in, 224) ? byte(in) % 64 : word(in) << 16 | word(in);
        crop->y = chance(in, 224) ? byte(in) % 64 : word(in) << 16 | word(in);
        /* Up to the edge, or about that. */
        crop->width = (guint)near(in, GST_VIDEO_INFO_WIDTH(info) - (gint64)crop->x) + byte(in) % 3;
        crop->height = (guint)near(in, GST_VIDEO_INFO_HEIGHT(info) - (gint64)crop->y);
    }
    GST_BUFFER_FLAGS(buffer) |= (byte(in) & 0x1F) * GST_VIDEO_BUFFER_FLAG_INTERLACED;
    return buffer;
}

/* ---- what becomes of it ---- */

/* Every byte that the image says it has. */
static void touch(const LlavaovImage *image)
{
    LvPlaneSize planes[3];
    for (uint32_t i = 0, n = lv_image_planes(image, planes); i < n; i++) {
        uint8_t *copy = g_malloc(planes[i].row_bytes);
        for (uint32_t y = 0; y < planes[i].rows; y++)
            memcpy(copy, image->plane[i] + (ptrdiff_t)y * image->stride[i], planes[i].row_bytes);
        g_free(copy);
    }
}

/* The resize reads no more of a picture than this, and is slow: some pictures go through it. */
static void read_colours(const LlavaovImage *image)
{
    LlavaovError error;
    uint8_t *rgb = g_malloc((gsize)image->width * image->height * 3);
    FUZZ_CHECK(lv_color_to_rgb(image, rgb, &error) == LLAVAOV_OK);
    g_free(rgb);
}

static void resize(const LlavaovImage *image)
{
    LvConfig config = {.vision = {.image_size = 28, .patch_size = 14, .grid = 2, .n_channels = 3}};
    LlavaovError error;
    LvTiles tiles = {0};
    lv_preprocess_default(&config);
    FUZZ_CHECK(lv_picture_prepare(&config, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_RESIZE_TORCHVISION, image,
                   NULL, &tiles, &error) == LLAVAOV_OK);
    lv_tiles_free(&tiles);
}

static void prepare(const LlavaovImage *image, bool whole)
{
    LlavaovError error = {0};
    LlavaovImage shown = *image;
    uint8_t *pixels = NULL;
    if (lv_image_check(image, &error)) {
        /* Only what the engine itself refuses. */
        FUZZ_CHECK(image->width > LV_MAX_PICTURE_EDGE || image->height > LV_MAX_PICTURE_EDGE);
        return;
    }
    touch(image);
    if (!lv_image_as_shown(image))
        FUZZ_CHECK(lv_image_show(image, NULL, &shown, &pixels, &error) == LLAVAOV_OK);
    else
        read_colours(image);
    if (whole)
        resize(&shown);
    lv_free(pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = {data, size};
    GstVideoInfo info;
    LlavaovFrameSource source;
    LlavaovImage image = {0};
    LlavaovError error = {0};
    start();
    memset(&own, 0, sizeof own);
    if (!make_info(&in, &info))
        return 0;
    GstBuffer *buffer = make_buffer(&in, &info);
    GstLlavaovSample *sample = gst_llavaov_sample_new(buffer, &info, 0, GST_CLOCK_TIME_NONE);
    sample->orientation = byte(&in) % (LLAVAOV_ORIENTATION_ROTATE_270 + 1);
    gst_llavaov_frame_source_init(&source, sample, NULL);
    const bool whole = !chance(&in, 244);
    const LlavaovStatus status = source.map(source.data, &image, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (status == LLAVAOV_OK) {
        prepare(&image, whole);
        source.unmap(source.data);
    }
    source.release(source.data);
    FUZZ_CHECK(own.open == 0 && GST_MINI_OBJECT_REFCOUNT_VALUE(buffer) == 1);
    gst_llavaov_sample_unref(sample);
    gst_buffer_unref(buffer);
    return 0;
}
