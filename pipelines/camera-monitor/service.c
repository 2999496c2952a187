/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct Service {
    int fd; /* below 0: nobody listens */
    struct sockaddr_un address;
    socklen_t length;
    guint timer;
};

static gboolean pat(gpointer data)
{
    service_tell(data, "WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

/* '@' stands for an abstract name's NUL. */
static gboolean take_address(Service *service, const gchar *name)
{
    gsize length = strlen(name);

    if ((*name != '/' && *name != '@') || length >= sizeof service->address.sun_path)
        return FALSE;
    service->address.sun_family = AF_UNIX;
    memcpy(service->address.sun_path, name, length);
    if (*name == '@')
        service->address.sun_path[0] = '\0';
    service->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return TRUE;
}

/* Microseconds; 0: systemd watches nobody, or another process. */
static guint64 watchdog(void)
{
    const gchar *time = g_getenv("WATCHDOG_USEC"), *process = g_getenv("WATCHDOG_PID");

    if (!time || (process && g_ascii_strtoull(process, NULL, 10) != (guint64)getpid()))
        return 0;
    return g_ascii_strtoull(time, NULL, 10);
}

Service *service_new(void)
{
    Service *service = g_new0(Service, 1);
    const gchar *name = g_getenv("NOTIFY_SOCKET");
    guint64 time = watchdog();

    service->fd =
        name && take_address(service, name) ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (name && service->fd < 0)
        g_printerr("camera-monitor: NOTIFY_SOCKET: cannot be used\n");
    if (service->fd >= 0 && time >= 2000)
        service->timer = g_timeout_add((guint)MIN(time / 2000, G_MAXUINT), pat, service);
    g_unsetenv("NOTIFY_SOCKET");
    g_unsetenv("WATCHDOG_USEC");
    g_unsetenv("WATCHDOG_PID");
    return service;
}

void service_tell(Service *service, const gchar *lines)
{
    if (service->fd >= 0 && sendto(service->fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT,
                                (const struct sockaddr *)&service->address, service->length) < 0)
        return; /* nobody is there to be told of that */
}

void service_reloading(Service *service)
{
    gchar *lines =
        g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());

    service_tell(service, lines);
    g_free(lines);
}

void service_free(Service *service)
{
    if (service->timer)
        g_source_remove(service->timer);
    if (service->fd >= 0)
        close(service->fd);
    g_free(service);
}
