#include "orders.h"

#include "ctl.h"
#include "loop.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void orders_say(const struct orders *orders, const char *lines)
{
    if (orders->fd >= 0)
        send(orders->fd, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void obey(struct orders *orders, const struct ctl_line *line)
{
    if (line->verb == CTL_PING)
        orders_say(orders, "HEARTBEAT\n");
    else if (line->verb == CTL_STOP || line->verb == CTL_EXIT)
        orders->on_stop(orders->data);
}

static void on_line(struct ev_loop *loop, ev_io *io, int events)
{
    struct orders *orders = container_of(io, struct orders, io);
    static char datagram[CTL_DATAGRAM_MAX + 1];
    ssize_t n = recv(orders->fd, datagram, CTL_DATAGRAM_MAX, MSG_DONTWAIT);
    struct ctl_line line;
    size_t at = 0;

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* the supervisor is gone */
        ev_io_stop(loop, io);
        orders->on_stop(orders->data);
        return;
    }
    while (ctl_next(datagram, (size_t)n, &at, &line))
        obey(orders, &line);
}

void orders_init(struct orders *orders, void (*on_stop)(void *data), void *data)
{
    const char *text = getenv("TROUPE_CONTROL");
    uint64_t fd;

    *orders = (struct orders){.fd = -1, .on_stop = on_stop, .data = data};
    ev_init(&orders->io, on_line);
    if (!text || text_unsigned(text, 0, INT_MAX, &fd) < 0)
        return;
    orders->fd = (int)fd;
    fcntl(orders->fd, F_SETFD, FD_CLOEXEC);
}

void orders_start(struct orders *orders, struct ev_loop *loop)
{
    if (orders->fd < 0)
        return;
    ev_io_set(&orders->io, orders->fd, EV_READ);
    ev_io_start(loop, &orders->io);
}
