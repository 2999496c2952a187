/* SPDX-License-Identifier: Apache-2.0
 * Where records go, and news of cameras: from the cameras to everybody who wants them, such as standard
 * output, the spool of the sinks, metrics and the page.
 */
#ifndef FLOW_H
#define FLOW_H

#include "camera.h"
#include "record.h"

typedef struct RecordFlow RecordFlow;

typedef struct Observer {
    /* On a streaming thread, one at a time; must be quick, since video waits. Take a reference to keep it. May be NULL. */
    void (*on_record)(gpointer data, Record *record);
    /* Another state, prompt or switch of a camera (camera_status()); on the thread of the default main context. May be NULL. */
    void (*on_camera)(gpointer data, Camera *camera);
    /* Its pipeline has been built, and is about to start; the same thread. May be NULL. */
    void (*on_built)(gpointer data, Camera *camera);
    /* ... is about to be stopped. May be NULL. */
    void (*on_stopping)(gpointer data, Camera *camera);
    /* A window was dropped, for one of the element's reasons; the same thread. May be NULL. */
    void (*on_drop)(gpointer data, Camera *camera, const gchar *reason);
    /* This camera is about to be freed: it was taken out of the configuration, or the program ends. The same thread. May be NULL. */
    void (*on_gone)(gpointer data, Camera *camera);
    gpointer data;
} Observer;

RecordFlow *flow_new(void);
/* All observers are added before the first camera starts, and are told in this order. The Observer is copied. */
void flow_add(RecordFlow *flow, const Observer *observer);
void flow_record(RecordFlow *flow, Record *record);
void flow_camera(RecordFlow *flow, Camera *camera);
void flow_built(RecordFlow *flow, Camera *camera);
void flow_stopping(RecordFlow *flow, Camera *camera);
void flow_drop(RecordFlow *flow, Camera *camera, const gchar *reason);
void flow_gone(RecordFlow *flow, Camera *camera);
void flow_free(RecordFlow *flow);

#endif
