/* SPDX-License-Identifier: Apache-2.0
 * Callers' pictures: when a frame comes they are copied into pinned memory and sent from there,
 * beside whatever the device computes, or copied where they lie on the device already; when it is encoded they are turned into patches. One piece
 * of pinned memory serves all pictures that wait, and one of the device, with the same places. A
 * place is used again when the device has read it. */
#include "backend/cuda/cuda.h"

#include <string.h>

#include "picture/image.h"
#include "picture/resize_weights.h"

#define ALIGNMENT 256u /* of the parts of a picture */

/* In pinned memory and on the device: the weights of both axes, then the planes without gaps
 * between rows. */
typedef struct LvHeld {
    LvPicture base; /* bytes: in pinned memory */
    struct LvHeld *next;
    size_t at; /* its place */
    LvCudaPicture args;
    LvCudaEvent *sent; /* recorded behind its copy */
    int code;          /* of sending it */
    bool read;         /* by kernels */
} LvHeld;

int lv_pictures_open(LvCuda *cuda, uint64_t tiles)
{
    LvPictures *p = &cuda->pictures;
    void *host = NULL, *device = NULL;
    p->bytes = lv_pictures_host_bytes(tiles);
    p->most = lv_pictures_most(tiles);
    int code = lv_runtime_alloc_pinned(cuda->runtime, p->bytes, &host);
    p->host = code == 0 ? host : NULL;
    if (code == 0)
        code = lv_memory_take(cuda->memory, lv_pictures_device_bytes(tiles), true, &device);
    p->device = device;
    p->between = p->device + p->bytes;
    if (code == 0)
        code = lv_runtime_event_open(cuda->runtime, &p->read);
    return code;
}

void lv_pictures_close(LvCuda *cuda)
{
    LvPictures *p = &cuda->pictures;
    while (p->spare) {
        LvHeld *held = p->spare;
        p->spare = held->next;
        lv_runtime_event_close(cuda->runtime, held->sent);
        lv_free(held);
    }
    if (p->read)
        lv_runtime_event_close(cuda->runtime, p->read);
    lv_memory_give(cuda->memory, p->device);
    if (p->host)
        lv_runtime_free_pinned(cuda->runtime, p->host);
    lv_axis_tables_free(&p->tables);
    p->read = NULL;
    p->device = p->host = NULL;
}

/* ---- room ---- */

/* The first gap that is wide enough. Lock held. */
static bool reserve(LvPictures *p, LvHeld *held)
{
    LvHeld **place = &p->first;
    size_t at = 0;
    while (*place && (*place)->at - at < held->base.bytes) {
        at = (*place)->at + (*place)->base.bytes;
        place = &(*place)->next;
    }
    if (!*place && p->bytes - at < held->base.bytes)
        return false;
    held->at = at;
    held->next = *place;
    *place = held;
    return true;
}

/* Places `bytes` behind what has been placed. */
static size_t place(size_t *end, size_t bytes)
{
    const size_t at = *end;
    *end = lv_round_up(at + bytes, ALIGNMENT);
    return at;
}

/* ---- taking ---- */

/* What stands where, once the weights are known; false: it is too large, or there is no room now.
 * Lock held. */
static bool lay_out(LvPictures *p, LvHeld *held, const LvPlaneSize *planes, uint32_t n_planes,
    const LvAxisTable *const tables[2])
{
    LvCudaPicture *a = &held->args;
    size_t end = 0, weights[2], pixels[3];
    for (int i = 0; i < 2; i++)
        weights[i] = place(&end, tables[i]->bytes);
    for (uint32_t i = 0; i < n_planes; i++)
        pixels[i] = place(&end, (size_t)planes[i].row_bytes * planes[i].rows);
    held->base.bytes = end;
    const size_t between = lv_cuda_picture_workspace(
        tables[0]->in, tables[1]->in, tables[0]->out, tables[1]->out, a->down_first);
    if (end + between > p->most || !reserve(p, held))
        return false;
    char *device = p->device + held->at;
    a->across = lv_axis_on_device(tables[0], device + weights[0]);
    a->down = lv_axis_on_device(tables[1], device + weights[1]);
    for (uint32_t i = 0; i < n_planes; i++) {
        a->row_bytes[i] = planes[i].row_bytes;
        a->plane[i] = (uint8_t *)device + pixels[i];
    }
    a->between = (uint8_t *)p->between;
    return true;
}

/* Where the host's copy of something on the device lies. */
static char *host_of(const LvPictures *p, const void *device)
{
    return p->host + ((const char *)device - p->device);
}

static void copy_plane(char *to, const uint8_t *from, ptrdiff_t stride, LvPlaneSize size)
{
    if (stride == (ptrdiff_t)size.row_bytes) {
        memcpy(to, from, (size_t)size.row_bytes * size.rows);
        return;
    }
    for (uint32_t y = 0; y < size.rows; y++)
        memcpy(to + (size_t)y * size.row_bytes, from + (ptrdiff_t)y * stride, size.row_bytes);
}

/* Room for a picture, with its weights in it. Lock held. */
static LlavaovStatus make_room(LvPictures *p, LvHeld *held, const LvPlaneSize *planes,
    uint32_t n_planes, LlavaovResize resize, LvFilter filter, const uint32_t field[2], bool *done,
    LlavaovError *error)
{
    LvCudaPicture *a = &held->args;
    const LvAxisTable *tables[2];
    LlavaovStatus status =
        lv_axis_tables_get(&p->tables, resize, filter, field, a->tile_size, tables, error);
    if (status != LLAVAOV_OK)
        return status;
    *done = lay_out(p, held, planes, n_planes, tables);
    const void *places[2] = {a->across.begin, a->down.begin};
    for (int i = 0; i < 2 && *done; i++)
        if (tables[i]->bytes)
            memcpy(host_of(p, places[i]), tables[i]->data, tables[i]->bytes);
    return LLAVAOV_OK;
}

LvCudaValues lv_cuda_values(const LvPixelValues *values)
{
    static const LvPixelValues released = LV_PIXEL_VALUES_RELEASED;
    const LvPixelValues *v = values ? values : &released;
    return (LvCudaValues){.scale = v->scale,
        .mean = {v->mean[0], v->mean[1], v->mean[2]},
        .std = {v->std[0], v->std[1], v->std[2]}};
}

static LvCudaPicture describe(const LlavaovImage *image, const LvPreprocess *pre,
    const uint32_t field[2], uint32_t tile_size, LlavaovResize resize)
{
    return (LvCudaPicture){.values = lv_cuda_values(&pre->values),
        .pad = {pre->pad[0], pre->pad[1], pre->pad[2]},
        .pixels = (LvCudaPixels)image->format,
        .bt709 = image->matrix == LLAVAOV_MATRIX_BT709,
        .full_range = image->range == LLAVAOV_RANGE_FULL,
        .width = image->width,
        .height = image->height,
        .side_left = (field[0] - image->width) / 2,
        .side_top = (field[1] - image->height) / 2,
        .down_first = lv_resize_down_first(resize, field[0], field[1], tile_size, tile_size),
        .tile_rows = 1,
        .tile_cols = 1,
        .tile_size = tile_size};
}

static LvHeld *new_held(LvCuda *cuda)
{
    LvPictures *p = &cuda->pictures;
    pthread_mutex_lock(&p->lock);
    LvHeld *held = p->spare;
    if (held)
        p->spare = held->next;
    pthread_mutex_unlock(&p->lock);
    if (held) {
        *held = (LvHeld){.sent = held->sent};
        return held;
    }
    held = lv_calloc(1, sizeof *held);
    if (held && lv_runtime_event_open(cuda->runtime, &held->sent) != 0) {
        lv_free(held);
        held = NULL;
    }
    return held;
}

static void spare_held(LvPictures *p, LvHeld *held)
{
    pthread_mutex_lock(&p->lock);
    held->next = p->spare;
    p->spare = held;
    pthread_mutex_unlock(&p->lock);
}

/* The kernels resize to a whole tile; all else is the host's. */
static bool fills_tile(const LvPreprocess *pre, uint32_t tile)
{
    return pre->padding == LV_PADDING_ALWAYS && pre->resize && pre->height == tile &&
           pre->width == tile && !pre->crop_height;
}

/* All of it from the host. A device that fails here is reported by the operation that wants the
 * picture. */
static void send_picture(
    LvCuda *cuda, LvHeld *held, const LlavaovImage *image, const LvPlaneSize *planes, uint32_t n)
{
    LvPictures *p = &cuda->pictures;
    for (uint32_t i = 0; i < n; i++)
        copy_plane(host_of(p, held->args.plane[i]), image->plane[i], image->stride[i], planes[i]);
    pthread_mutex_lock(&p->lock);
    held->code = lv_runtime_send(
        cuda->runtime, p->device + held->at, p->host + held->at, held->base.bytes, held->sent);
    pthread_mutex_unlock(&p->lock);
}

/* The weights from the host, the planes from the device, which is waited for: the caller takes them
 * back. False: it cannot. */
static bool send_planes(
    LvCuda *cuda, LvHeld *held, const LlavaovImage *image, const LvPlaneSize *planes, uint32_t n)
{
    LvPictures *p = &cuda->pictures;
    char *to = p->device + held->at;
    const size_t weights = (size_t)((const char *)held->args.plane[0] - to);
    pthread_mutex_lock(&p->lock);
    int code = lv_runtime_send(cuda->runtime, to, p->host + held->at, weights, held->sent);
    for (uint32_t i = 0; i < n && code == 0; i++)
        code = lv_runtime_send_rows(cuda->runtime, (void *)held->args.plane[i], planes[i].row_bytes,
            image->plane[i], (size_t)image->stride[i], planes[i].row_bytes, planes[i].rows,
            held->sent);
    pthread_mutex_unlock(&p->lock);
    return code == 0 && lv_runtime_event_wait(cuda->runtime, held->sent) == 0;
}

LlavaovStatus lv_cuda_picture_take(LvBackend *backend, const LlavaovImage *image,
    LlavaovLayout layout, LlavaovResize resize, const LvConfig *config, LvPicture **picture,
    LlavaovError *error)
{
    const LvVisionConfig *vision = &config->vision;
    const LvPreprocess *pre = lv_preprocess_of(config, layout);
    LvCuda *cuda = lv_cuda(backend);
    LvPictures *p = &cuda->pictures;
    LvPlaneSize planes[3];
    const uint32_t n_planes = lv_image_planes(image, planes);
    size_t bytes = 0;
    *picture = NULL;
    for (uint32_t i = 0; i < n_planes; i++)
        bytes += (size_t)planes[i].row_bytes * planes[i].rows;
    if (bytes > p->most || vision->n_channels != 3 || !vision->image_size ||
        vision->image_size > LV_MAX_IMAGE_SIZE || layout == LLAVAOV_LAYOUT_IMAGE ||
        !fills_tile(pre, vision->image_size))
        return LLAVAOV_OK;
    uint32_t field[2] = {image->width, image->height};
    if (layout == LLAVAOV_LAYOUT_IMAGES)
        field[0] = field[1] = image->width > image->height ? image->width : image->height;
    LvHeld *held = new_held(cuda);
    if (!held)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a picture");
    held->args = describe(image, pre, field, vision->image_size, resize);
    bool done = false;
    pthread_mutex_lock(&p->lock);
    LlavaovStatus status =
        make_room(p, held, planes, n_planes, resize, pre->filter, field, &done, error);
    pthread_mutex_unlock(&p->lock);
    if (!done) {
        spare_held(p, held);
        return status;
    }
    if (image->memory == LLAVAOV_MEMORY_HOST)
        send_picture(cuda, held, image, planes, n_planes);
    else if (!send_planes(cuda, held, image, planes, n_planes)) {
        lv_cuda_picture_free(backend, &held->base);
        return LLAVAOV_OK;
    }
    *picture = &held->base;
    return LLAVAOV_OK;
}

void lv_cuda_picture_free(LvBackend *backend, LvPicture *picture)
{
    LvCuda *cuda = lv_cuda(backend);
    LvPictures *p = &cuda->pictures;
    LvHeld *held = (LvHeld *)picture;
    if (!held)
        return;
    /* The next picture here must not be written while this one is copied or read: it holds indices.
     * A device that fails here reads no more. */
    lv_runtime_event_wait(cuda->runtime, held->read ? p->read : held->sent);
    pthread_mutex_lock(&p->lock);
    LvHeld **link = &p->first;
    while (*link != held)
        link = &(*link)->next;
    *link = held->next;
    held->next = p->spare;
    p->spare = held;
    pthread_mutex_unlock(&p->lock);
}

/* ---- patches ---- */

uint32_t lv_picture_tile_size(const LvPicture *picture)
{
    return ((const LvHeld *)picture)->args.tile_size;
}

int lv_picture_patches(LvCuda *cuda, LvPicture *picture, const LvCudaPatches *patches)
{
    const LvPictures *p = &cuda->pictures;
    LvHeld *held = (LvHeld *)picture;
    LvCudaPicture args = held->args;
    args.patches = patches->patches;
    args.patch_stride = patches->patch_stride;
    args.patch = patches->patch;
    args.patch_cols = patches->patch_cols;
    args.type = patches->type;
    int code = held->code;
    if (code == 0)
        code = lv_runtime_await(cuda->runtime, held->sent);
    if (code == 0)
        code = lv_cuda_launched(cuda, lv_cuda_picture(lv_runtime_stream(cuda->runtime), &args));
    if (code == 0)
        code = lv_runtime_event_record(cuda->runtime, p->read);
    held->read = code == 0;
    return code;
}
