#include "parent.h"

#include "loop.h"
#include "mono.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    PARENT_DATAGRAM = 8192,          /* what we put together */
    PARENT_RECEIVED = 65536,         /* what we expect */
    PARENT_OUTBOX_MAX = 1024 * 1024, /* more than that nobody reads: signs of life are left out */
};

/* ---- from the supervisor ------------------------------------------------------------------- */

/* Returns whether there may be more. */
static bool read_datagram(struct parent *parent)
{
    char bytes[PARENT_RECEIVED + 1];
    struct ctl_line line;
    size_t at = 0;
    ssize_t size = recv(parent->fd, bytes, PARENT_RECEIVED, MSG_DONTWAIT);

    if (size < 0)
        return errno == EINTR;
    if (size == 0) {
        ev_io_stop(parent->loop, &parent->reader);
        parent->on_gone(parent);
        return false;
    }
    while (ctl_next(bytes, (size_t)size, &at, &line))
        parent->on_line(parent, &line);
    return true;
}

void parent_poll(struct parent *parent)
{
    for (int i = 0; i < 16 && parent->fd >= 0 && read_datagram(parent); i++)
        ;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    parent_poll(container_of(watcher, struct parent, reader));
}

bool parent_is_there(const struct parent *parent)
{
    return parent->fd >= 0;
}

/* ---- to the supervisor --------------------------------------------------------------------- */

/* As many whole lines as fit into one datagram. */
static size_t next_datagram(const struct buf *outbox)
{
    size_t length = buf_length(outbox);
    const uint8_t *front = buf_front(outbox), *newline;

    if (length <= PARENT_DATAGRAM)
        return length;
    newline = memrchr(front, '\n', PARENT_DATAGRAM);
    if (!newline)
        newline = memchr(front, '\n', length);
    return newline ? (size_t)(newline - front) + 1 : length;
}

/* Returns 0 when all is sent, or -1 with errno. */
static int flush(struct parent *parent)
{
    while (buf_length(&parent->outbox) > 0) {
        size_t size = next_datagram(&parent->outbox);

        if (send(parent->fd, buf_front(&parent->outbox), size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        buf_consume(&parent->outbox, size);
    }
    return 0;
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct parent *parent = container_of(watcher, struct parent, writer);

    (void)revents;
    if (flush(parent) == 0 || errno != EAGAIN)
        ev_io_stop(loop, watcher);
}

static bool is_dispensable(enum ctl_verb verb)
{
    return verb == CTL_STATUS || verb == CTL_HEARTBEAT;
}

void parent_say(struct parent *parent, enum ctl_verb verb, const char *text)
{
    const char *name = ctl_verb_text(verb);
    size_t from;

    if (parent->fd < 0)
        return;
    if (buf_length(&parent->outbox) > PARENT_OUTBOX_MAX && is_dispensable(verb))
        return;
    from = buf_length(&parent->outbox);
    if (buf_printf(&parent->outbox, "%s%s%s", name, text && *text ? " " : "", text ? text : "") < 0)
        return;
    for (uint8_t *at = buf_front(&parent->outbox) + from;
         at < parent->outbox.data + parent->outbox.end; at++)
        if (*at == '\n' || *at == '\r')
            *at = ' ';
    if (buf_append(&parent->outbox, "\n", 1) < 0)
        return;
    if (flush(parent) < 0 && errno == EAGAIN)
        ev_io_start(parent->loop, &parent->writer);
}

void parent_drain(struct parent *parent, int ms)
{
    struct mono deadline = mono_add_ms(mono_now(), ms);
    struct pollfd writable = {.fd = parent->fd, .events = POLLOUT};

    while (parent->fd >= 0 && flush(parent) < 0 && errno == EAGAIN) {
        int64_t left = mono_diff_ms(deadline, mono_now());

        if (left <= 0 || (poll(&writable, 1, (int)left) < 0 && errno != EINTR))
            return;
    }
}

void parent_last_state(struct parent *parent, const void *bytes, size_t size)
{
    char verb[] = "LAST_STATE\n";
    struct iovec parts[] = {{verb, sizeof verb - 1}, {(void *)bytes, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct pollfd writable = {.fd = parent->fd, .events = POLLOUT};

    if (parent->fd < 0)
        return;
    for (int i = 0; i < 10; i++) {
        if (sendmsg(parent->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != EAGAIN)
            return;
        poll(&writable, 1, 100);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

void parent_init(struct parent *parent, struct ev_loop *loop, int fd,
                 void (*on_line)(struct parent *, struct ctl_line *),
                 void (*on_gone)(struct parent *))
{
    *parent = (struct parent){.loop = loop, .fd = fd, .on_line = on_line, .on_gone = on_gone};
    ev_io_init(&parent->reader, on_readable, fd, EV_READ);
    ev_io_init(&parent->writer, on_writable, fd, EV_WRITE);
    ev_set_priority(&parent->reader, EV_MAXPRI);
}

void parent_start(struct parent *parent)
{
    if (parent->fd >= 0)
        ev_io_start(parent->loop, &parent->reader);
}

void parent_finish(struct parent *parent)
{
    ev_io_stop(parent->loop, &parent->reader);
    ev_io_stop(parent->loop, &parent->writer);
    buf_finish(&parent->outbox);
}
