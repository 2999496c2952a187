/* SPDX-License-Identifier: Apache-2.0
 * One camera: a pipeline that is built when the camera is there, torn down when it goes, and built
 * again after a pause that doubles from 1 to 30 seconds.
 */
#ifndef CAMERA_H
#define CAMERA_H

#include "config.h"

#include <gst/gst.h>

typedef struct Camera Camera;

typedef enum CameraState {
    CAMERA_STARTING,     /* no frame yet */
    CAMERA_UP,           /* frames come */
    CAMERA_RECONNECTING, /* it is away */
    CAMERA_ENDED,        /* a file, at its end */
} CameraState;

/* A snapshot; the strings live as long as nothing is done with the camera. */
typedef struct CameraStatus {
    CameraState state;
    gint64 since;                  /* of this state, µs since 1970 */
    const gchar *reason;           /* why it is away; NULL in other states */
    gboolean enabled;              /* FALSE: nothing is asked; video goes on */
    guint64 reconnects;            /* how often it has been away */
    guint n_questions;             /* 1 at least */
    const gchar *const *questions; /* their names; of a camera with one prompt {NULL} */
    const gchar *const *prompts;   /* in the same order */
} CameraStatus;

/* Everything that all cameras share. All functions run on the thread of the default main context,
 * except on_line. */
typedef struct CameraHooks {
    /* An answer, or an alert that is raised or cleared: one JSON object without a newline; called on
     * a streaming thread. */
    void (*on_line)(gpointer data, const gchar *json, gsize length);
    /* What camera_status() says has changed. May be NULL. */
    void (*on_status)(gpointer data, Camera *camera);
    /* Its pipeline is built and about to start, for the first time or again. May be NULL. */
    void (*on_built)(gpointer data, Camera *camera);
    /* ... is about to be stopped. May be NULL. */
    void (*on_stopping)(gpointer data, Camera *camera);
    /* A window was dropped, for one of the element's reasons. May be NULL. */
    void (*on_drop)(gpointer data, Camera *camera, const gchar *reason);
    /* A file has been read to its end; the camera does nothing more. */
    void (*on_finished)(gpointer data);
    /* What no reconnecting can mend: the model, the device, a property. */
    void (*on_fatal)(gpointer data, const gchar *camera, const gchar *text);
    gpointer data;
} CameraHooks;

/* Copies what it needs of the settings. The hooks must outlive the camera. All functions on the thread of the
 * default main context. */
Camera *camera_new(const ConfigCamera *settings, const CameraHooks *hooks);
void camera_start(Camera *camera);
/* Its name, as long as it lives. */
const gchar *camera_name(const Camera *camera);
CameraStatus camera_status(const Camera *camera);
/* What it was made from, as long as it lives. */
const ConfigCamera *camera_settings(const Camera *camera);
/* The element llavaov of the pipeline that there is now, or NULL; another after each reconnect. Not a new reference. */
GstElement *camera_element(const Camera *camera);
/* Asks a question (docs/asking.md), or, before there is a picture, once there is one; up to 8 wait for that. What cannot be
 * asked is said on standard error. */
void camera_ask(Camera *camera, const GstStructure *fields);
/* Counts from the next window on, and outlives reconnects, not the program. */
void camera_set_enabled(Camera *camera, gboolean enabled);
/* The same of the prompt of a question; NULL: the only one. FALSE: it has no such question. */
gboolean camera_set_prompt(Camera *camera, const gchar *question, const gchar *prompt);
void camera_free(Camera *camera);

#endif
