/* SPDX-License-Identifier: Apache-2.0
 * One camera: a pipeline that is built when the camera is there, torn down when it goes, and built
 * again after a pause that doubles from 1 to 30 seconds.
 */
#ifndef CAMERA_H
#define CAMERA_H

#include <gst/gst.h>

typedef struct Camera Camera;

/* Everything that all cameras share. All functions run on the thread of the default main context,
 * except on_line. */
typedef struct CameraHooks {
    /* An answer, or an alert that is raised or cleared: one JSON object without a newline; called on
     * a streaming thread. */
    void (*on_line)(gpointer data, const gchar *json, gsize length);
    /* A file has been read to its end; the camera does nothing more. */
    void (*on_finished)(gpointer data);
    /* What no reconnecting can mend: the model, the device, a property. */
    void (*on_fatal)(gpointer data, const gchar *camera, const gchar *text);
    gpointer data;
} CameraHooks;

typedef struct CameraSettings {
    gchar *name, *uri, *prompt;
    /* Properties of the element, as written on a command line: name=value, NULL-terminated; may be
     * NULL. */
    gchar **properties;
    guint stall_seconds; /* without a frame for so long the camera counts as gone */
} CameraSettings;

/* Takes over the settings' strings. The hooks must outlive the camera. */
Camera *camera_new(const CameraSettings *settings, const CameraHooks *hooks);
void camera_start(Camera *camera);
/* Its name, as long as it lives. */
const gchar *camera_name(const Camera *camera);
/* Asks a question (docs/asking.md), or, before there is a picture, once there is one; up to 8 wait for that. What cannot be
 * asked is said on standard error. */
void camera_ask(Camera *camera, const GstStructure *fields);
void camera_free(Camera *camera);

#endif
