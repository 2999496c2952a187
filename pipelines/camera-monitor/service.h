/* SPDX-License-Identifier: Apache-2.0
 * What systemd is told of a service with Type=notify: datagrams of lines to the socket that NOTIFY_SOCKET names (sd_notify(3)).
 * Without that variable nobody is told. Written here, since it is one sendto(), and libsystemd would be a library more.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <glib.h>

typedef struct Service Service;

/* Pats the watchdog, where systemd has set one, from the thread of the default main context: a program whose loop hangs is
 * killed. Takes the variables out of the environment. */
Service *service_new(void);
/* Lines such as READY=1. */
void service_tell(Service *service, const gchar *lines);
/* RELOADING=1; service_tell() with READY=1 ends it. */
void service_reloading(Service *service);
void service_free(Service *service);

#endif
