/* Lines in datagrams of a SEQPACKET socket: what a child and its supervisor have. */
#include "loop.h"
#include "parent.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    PARENT_RECEIVED = 65536, /* what we expect of one */
    PARENT_DATAGRAMS = 16,   /* are read at once */
};

static void finish(struct parent *parent)
{
    ev_io_stop(parent->loop, &parent->reader);
    ev_io_stop(parent->loop, &parent->writer);
}

/* Returns whether there may be more. */
static bool read_datagram(struct parent *parent)
{
    static char bytes[PARENT_RECEIVED + 1]; /* not on the stack: see receive_chunk() */
    ssize_t size = recv(parent->fd, bytes, PARENT_RECEIVED, MSG_DONTWAIT);

    if (size < 0)
        return errno == EINTR;
    if (size == 0) {
        finish(parent);
        parent->way = NULL;
        parent->on_gone(parent);
        return false;
    }
    parent_take(parent, bytes, (size_t)size);
    return true;
}

static void poll_socket(struct parent *parent)
{
    for (int i = 0; i < PARENT_DATAGRAMS && read_datagram(parent); i++)
        ;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    poll_socket(container_of(watcher, struct parent, reader));
}

static int send_datagram(struct parent *parent, const char *lines, size_t size)
{
    while (send(parent->fd, lines, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            ev_io_start(parent->loop, &parent->writer);
        return -1;
    }
    return 0;
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)revents;
    ev_io_stop(loop, watcher);
    parent_flush(container_of(watcher, struct parent, writer));
}

static bool wait_writable(struct parent *parent, int ms)
{
    struct pollfd writable = {.fd = parent->fd, .events = POLLOUT};

    if (buf_length(&parent->outbox) == 0)
        return false;
    return poll(&writable, 1, ms) >= 0 || errno == EINTR;
}

static void start(struct parent *parent)
{
    ev_io_start(parent->loop, &parent->reader);
}

static const struct parent_way BY_SOCKET = {.start = start,
                                            .poll = poll_socket,
                                            .send = send_datagram,
                                            .wait = wait_writable,
                                            .finish = finish};

void parent_by_socket(struct parent *parent, int fd)
{
    if (fd < 0)
        return;
    parent->way = &BY_SOCKET;
    parent->fd = fd;
    ev_io_init(&parent->reader, on_readable, fd, EV_READ);
    ev_io_init(&parent->writer, on_writable, fd, EV_WRITE);
    ev_set_priority(&parent->reader, EV_MAXPRI);
}

void parent_last_state(struct parent *parent, const void *bytes, size_t size)
{
    char verb[] = "LAST_STATE\n";
    struct iovec parts[] = {{verb, sizeof verb - 1}, {(void *)bytes, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct pollfd writable = {.fd = parent->fd, .events = POLLOUT};

    if (parent->way != &BY_SOCKET)
        return;
    for (int i = 0; i < 10; i++) {
        if (sendmsg(parent->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != EAGAIN)
            return;
        poll(&writable, 1, 100);
    }
}
