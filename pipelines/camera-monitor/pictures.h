/* SPDX-License-Identifier: Apache-2.0
 * The latest picture of each camera as JPEG. None is made but while somebody looks: one a second of each camera at most, by one
 * thread for all. The live path gives it a reference to a frame, and nothing else.
 */
#ifndef PICTURES_H
#define PICTURES_H

#include <gst/gst.h>

#define PICTURES_WIDTH 640

typedef struct Pictures Pictures;

Pictures *pictures_new(void);
/* There is this camera, with a picture or without. */
void pictures_add(Pictures *pictures, const gchar *name);
/* Frames that leave the pad belong to this camera from now on, until the pad is gone. */
void pictures_watch(Pictures *pictures, const gchar *name, GstPad *pad);
void pictures_forget(Pictures *pictures, const gchar *name);
/* Somebody looks: the next frames become pictures. Returns the latest one if it is newer than `after`, with its number
 * and when it was made (µs since 1970), else NULL. found: whether there is such a camera. From any thread. */
GBytes *pictures_get(Pictures *pictures, const gchar *name, guint64 after, guint64 *number,
    gint64 *made, gboolean *found);
/* Waits for the picture that is being made. Pads may go on. */
void pictures_free(Pictures *pictures);

#endif
