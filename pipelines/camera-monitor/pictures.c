/* SPDX-License-Identifier: Apache-2.0 */
#include "pictures.h"

#include <gst/video/video.h>

#define WANTED_FOR (5 * G_TIME_SPAN_SECOND)
#define BETWEEN (900 * G_TIME_SPAN_MILLISECOND)
#define PATIENCE (2 * GST_SECOND)

/* Of a camera; a reference each for the table, its pad's probe and the picture being made. */
typedef struct LastPicture {
    Pictures *owner;
    gint wanted; /* atomic: whether a frame is to be taken */
    gint busy;   /* atomic: one has been */
    GMutex lock; /* of the rest */
    gint64 wanted_until, due;
    gint64 made;
    guint64 number;
    GBytes *jpeg;
} LastPicture;

typedef struct CameraFrame {
    LastPicture *picture;
    GstSample *frame;
} CameraFrame;

struct Pictures {
    GMutex lock;
    GHashTable *by_name;
    GThreadPool *workers;
    gboolean closed;
    gint references; /* atomic: its owner's, and of each LastPicture */
};

static void unref_owner(Pictures *pictures)
{
    if (!g_atomic_int_dec_and_test(&pictures->references))
        return;
    g_mutex_clear(&pictures->lock);
    g_free(pictures);
}

static void clear_picture(gpointer data)
{
    LastPicture *picture = data;

    g_clear_pointer(&picture->jpeg, g_bytes_unref);
    g_mutex_clear(&picture->lock);
    unref_owner(picture->owner);
}

static void unref_picture(gpointer data)
{
    g_atomic_rc_box_release_full(data, clear_picture);
}

static GstCaps *caps_for(GstSample *frame)
{
    GstVideoInfo info;
    gint width, height;

    if (!gst_sample_get_caps(frame) || !gst_video_info_from_caps(&info, gst_sample_get_caps(frame)))
        return NULL;
    width = MIN(info.width, PICTURES_WIDTH);
    height = (gint)gst_util_uint64_scale_int(
        (guint64)width * (guint)info.height * (guint)MAX(info.par_d, 1), 1,
        MAX(info.width * MAX(info.par_n, 1), 1));
    return gst_caps_new_simple("image/jpeg", "width", G_TYPE_INT, MAX(width & ~1, 2), "height",
        G_TYPE_INT, CLAMP(height & ~1, 2, 4096), "pixel-aspect-ratio", GST_TYPE_FRACTION, 1, 1,
        NULL);
}

static GBytes *jpeg_of(GstSample *frame)
{
    GstCaps *caps = caps_for(frame);
    GstSample *made = caps ? gst_video_convert_sample(frame, caps, PATIENCE, NULL) : NULL;
    GBytes *jpeg = NULL;
    GstMapInfo map;

    if (made && gst_buffer_map(gst_sample_get_buffer(made), &map, GST_MAP_READ)) {
        jpeg = g_bytes_new(map.data, map.size);
        gst_buffer_unmap(gst_sample_get_buffer(made), &map);
    }
    g_clear_pointer(&made, gst_sample_unref);
    g_clear_pointer(&caps, gst_caps_unref);
    return jpeg;
}

static gboolean is_closed(Pictures *pictures)
{
    gboolean closed;

    g_mutex_lock(&pictures->lock);
    closed = pictures->closed;
    g_mutex_unlock(&pictures->lock);
    return closed;
}

static void work(gpointer data, gpointer unused)
{
    CameraFrame *job = data;
    LastPicture *picture = job->picture;
    GBytes *jpeg = is_closed(picture->owner) ? NULL : jpeg_of(job->frame);

    gst_sample_unref(job->frame);
    g_mutex_lock(&picture->lock);
    if (jpeg) {
        g_clear_pointer(&picture->jpeg, g_bytes_unref);
        picture->jpeg = jpeg;
        picture->number++;
        picture->made = g_get_real_time();
    }
    g_mutex_unlock(&picture->lock);
    g_atomic_int_set(&picture->busy, FALSE);
    unref_picture(picture);
    g_free(job);
}

/* Whether it is time for the next. */
static gboolean is_due(LastPicture *picture)
{
    gint64 now = g_get_monotonic_time();
    gboolean due;

    g_mutex_lock(&picture->lock);
    due = now >= picture->due && now < picture->wanted_until;
    if (now >= picture->wanted_until)
        g_atomic_int_set(&picture->wanted, FALSE);
    if (due)
        picture->due = now + BETWEEN;
    g_mutex_unlock(&picture->lock);
    return due;
}

static void take(LastPicture *picture, GstPad *pad, GstBuffer *buffer)
{
    GstCaps *caps = gst_pad_get_current_caps(pad);
    CameraFrame *job = g_new0(CameraFrame, 1);
    gboolean closed;

    job->picture = g_atomic_rc_box_acquire(picture);
    job->frame = gst_sample_new(buffer, caps, NULL, NULL);
    g_clear_pointer(&caps, gst_caps_unref);
    g_mutex_lock(&picture->owner->lock);
    closed = picture->owner->closed;
    if (!closed)
        g_thread_pool_push(picture->owner->workers, job, NULL);
    g_mutex_unlock(&picture->owner->lock);
    if (closed) {
        gst_sample_unref(job->frame);
        unref_picture(picture);
        g_free(job);
    }
}

static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    LastPicture *picture = data;

    if (g_atomic_int_get(&picture->wanted) && !g_atomic_int_get(&picture->busy) &&
        is_due(picture)) {
        g_atomic_int_set(&picture->busy, TRUE);
        take(picture, pad, GST_PAD_PROBE_INFO_BUFFER(info));
    }
    return GST_PAD_PROBE_OK;
}

Pictures *pictures_new(void)
{
    Pictures *pictures = g_new0(Pictures, 1);

    pictures->references = 1;
    g_mutex_init(&pictures->lock);
    pictures->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_picture);
    pictures->workers = g_thread_pool_new(work, NULL, 1, FALSE, NULL);
    return pictures;
}

static LastPicture *find_or_add(Pictures *pictures, const gchar *name)
{
    LastPicture *picture = g_hash_table_lookup(pictures->by_name, name);

    if (picture)
        return picture;
    picture = g_atomic_rc_box_new0(LastPicture);
    picture->owner = pictures;
    g_atomic_int_inc(&pictures->references);
    g_mutex_init(&picture->lock);
    g_hash_table_insert(pictures->by_name, g_strdup(name), picture);
    return picture;
}

void pictures_add(Pictures *pictures, const gchar *name)
{
    g_mutex_lock(&pictures->lock);
    find_or_add(pictures, name);
    g_mutex_unlock(&pictures->lock);
}

void pictures_watch(Pictures *pictures, const gchar *name, GstPad *pad)
{
    LastPicture *picture;

    g_mutex_lock(&pictures->lock);
    picture = g_atomic_rc_box_acquire(find_or_add(pictures, name));
    g_mutex_unlock(&pictures->lock);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, picture, unref_picture);
}

void pictures_forget(Pictures *pictures, const gchar *name)
{
    g_mutex_lock(&pictures->lock);
    g_hash_table_remove(pictures->by_name, name);
    g_mutex_unlock(&pictures->lock);
}

GBytes *pictures_get(Pictures *pictures, const gchar *name, guint64 after, guint64 *number,
    gint64 *made, gboolean *found)
{
    GBytes *jpeg = NULL;
    LastPicture *picture;

    g_mutex_lock(&pictures->lock);
    picture = g_hash_table_lookup(pictures->by_name, name);
    *found = picture != NULL;
    if (picture) {
        g_mutex_lock(&picture->lock);
        picture->wanted_until = g_get_monotonic_time() + WANTED_FOR;
        g_atomic_int_set(&picture->wanted, TRUE);
        *number = picture->number;
        *made = picture->made;
        if (picture->jpeg && picture->number != after)
            jpeg = g_bytes_ref(picture->jpeg);
        g_mutex_unlock(&picture->lock);
    }
    g_mutex_unlock(&pictures->lock);
    return jpeg;
}

void pictures_free(Pictures *pictures)
{
    g_mutex_lock(&pictures->lock);
    pictures->closed = TRUE;
    g_mutex_unlock(&pictures->lock);
    g_thread_pool_free(pictures->workers, FALSE, TRUE);
    g_hash_table_unref(pictures->by_name);
    unref_owner(pictures);
}
