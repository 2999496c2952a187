/* SPDX-License-Identifier: Apache-2.0 */
#include "flow.h"

struct RecordFlow {
    GMutex lock; /* one record at a time */
    GArray *observers;
};

RecordFlow *flow_new(void)
{
    RecordFlow *flow = g_new0(RecordFlow, 1);

    g_mutex_init(&flow->lock);
    flow->observers = g_array_new(FALSE, FALSE, sizeof(Observer));
    return flow;
}

void flow_add(RecordFlow *flow, const Observer *observer)
{
    g_array_append_val(flow->observers, *observer);
}

void flow_record(RecordFlow *flow, Record *record)
{
    g_mutex_lock(&flow->lock);
    for (guint i = 0; i < flow->observers->len; i++) {
        const Observer *observer = &g_array_index(flow->observers, Observer, i);

        if (observer->on_record)
            observer->on_record(observer->data, record);
    }
    g_mutex_unlock(&flow->lock);
}

void flow_camera(RecordFlow *flow, Camera *camera)
{
    for (guint i = 0; i < flow->observers->len; i++) {
        const Observer *observer = &g_array_index(flow->observers, Observer, i);

        if (observer->on_camera)
            observer->on_camera(observer->data, camera);
    }
}

void flow_built(RecordFlow *flow, Camera *camera)
{
    for (guint i = 0; i < flow->observers->len; i++) {
        const Observer *observer = &g_array_index(flow->observers, Observer, i);

        if (observer->on_built)
            observer->on_built(observer->data, camera);
    }
}

void flow_stopping(RecordFlow *flow, Camera *camera)
{
    for (guint i = 0; i < flow->observers->len; i++) {
        const Observer *observer = &g_array_index(flow->observers, Observer, i);

        if (observer->on_stopping)
            observer->on_stopping(observer->data, camera);
    }
}

void flow_drop(RecordFlow *flow, Camera *camera, const gchar *reason)
{
    for (guint i = 0; i < flow->observers->len; i++) {
        const Observer *observer = &g_array_index(flow->observers, Observer, i);

        if (observer->on_drop)
            observer->on_drop(observer->data, camera, reason);
    }
}

void flow_gone(RecordFlow *flow, Camera *camera)
{
    for (guint i = 0; i < flow->observers->len; i++) {
        const Observer *observer = &g_array_index(flow->observers, Observer, i);

        if (observer->on_gone)
            observer->on_gone(observer->data, camera);
    }
}

void flow_free(RecordFlow *flow)
{
    g_array_unref(flow->observers);
    g_mutex_clear(&flow->lock);
    g_free(flow);
}
