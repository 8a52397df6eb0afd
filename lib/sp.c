#include "sp.h"

#include "buf.h"
#include "fault.h"
#include "rundir.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 8,
    FRAME_HEADER_SIZE = SP_FRAME_HEADER,
    FRAME_MESSAGE = 1,
    CHUNK_SIZE = 65536,          /* one recv */
    TURN_BYTES = 4 * CHUNK_SIZE, /* of one connection in one loop turn … */
    TURN_MESSAGES = 256,
    TURN_ACCEPTS = 64,
    RETRY_MS = 10,
    REFUSED_MS = 1000,
    GONE_MS = 1000,    /* between two looks whether one that is not read any more is there still */
    DEAF_MS = 30000,   /* of a connection that is not read any more, and not closed */
    ACCEPT_RETRY_MS = 1000,
    CROWDED_MS = 20, /* while others wait for a connection to be closed */
    FDS_MAX = 8,          /* of one recvmsg */
    FDS_WAITING_MAX = 32, /* received and not yet handed over */
    DEFAULT_MAX_MESSAGE = 16 << 20,
    DEFAULT_MAX_OUTBOX = 8 << 20,
    DEFAULT_MAX_CONNS = 1024,
};

int64_t sp_flush_ms = 5000;

int64_t sp_unheard_ms = 5000, sp_starting_ms = 60000;

enum state {
    DIALING,  /* no descriptor yet */
    GREETING, /* the other's header has not come */
    OPEN,
    FLUSHING, /* closed by its owner, who hears no more of it; the outbox is being written */
    CLOSED,   /* no descriptor; freed when the last callback has returned */
};

/* A descriptor that travels with a frame; places are counted from the stream's first byte. */
struct passenger {
    uint64_t start, end;
    int fd;
};

struct passengers {
    struct passenger *at;
    size_t count, size;
};

struct sp_conn {
    struct ev_loop *loop;
    struct sp_listener *listener; /* NULL: a dialer, or a listener's that is closed */
    struct sp_conn *prev, *next;
    struct sp_handlers handlers;
    struct sp_limits limits;
    void *data;
    enum state state;
    enum sp_protocol protocol;
    struct ucred creds;
    int fd;
    unsigned depth; /* callbacks that are under way */
    bool is_dialer;
    bool opened; /* the owner knows of it */
    bool paused;
    bool broken;  /* nothing can be written any more */
    bool ended;   /* nothing can be read any more */
    bool is_deaf; /* … because we said so: what we write still goes */
    bool is_read; /* … and all that had come by then has been */
    bool is_told; /* … and the owner knows */
    bool drained; /* the last recv found nothing */
    char why[96];

    ev_io reader, writer;
    ev_timer timer;     /* what it means depends on the state */
    ev_idle more;       /* frames wait in `in` though nothing may come from the socket */
    ev_prepare flusher; /* never started: fed with the lowest priority, it runs at the turn's end */

    size_t drain_below; /* the owner hears when the outbox is shorter than this; 0: it does not ask */
    struct buf in, out;
    size_t out_kept; /* bytes at the front of `out` that are written and may have to go again */
    uint64_t in_taken, out_written; /* stream places of in.start and out's first unwritten byte */
    const uint8_t *pinned;          /* in.data while a body in it is shown to the owner */
    struct passengers arrived, departing;
    struct mono partial_since, active_at, broken_at;
    int64_t idle_ms;

    /* dialers */
    char *run_dir, *path;
    struct mono deadline, refused_since;
    struct mono unheard_since, starting_since; /* of ends before, and after, the other's header */
    size_t out_head; /* what of our SP header is still at the front of `out` */
    bool settled;    /* the other has begun to handle what we send */
};

struct sp_listener {
    struct ev_loop *loop;
    int fd;
    struct sp_limits limits;
    struct sp_handlers handlers;
    void *data;
    ev_io acceptor;
    ev_timer retry; /* accept failed for want of something that others may free */
    struct sp_conn *conns;
    unsigned count;
    bool rests;
    int only; /* the protocol of those who are greeted; others wait. 0: all are */
};

static void on_readable(struct ev_loop *loop, ev_io *w, int revents);
static void on_writable(struct ev_loop *loop, ev_io *w, int revents);
static void on_timer(struct ev_loop *loop, ev_timer *w, int revents);
static void on_more(struct ev_loop *loop, ev_idle *w, int revents);
static void on_flush(struct ev_loop *loop, ev_prepare *w, int revents);
static void flush(struct sp_conn *conn);
static bool may_dial_again(const struct sp_conn *conn);
static void dial_again(struct sp_conn *conn);

/* ---- the codec ---------------------------------------------------------------------------- */

void sp_header_write(enum sp_protocol protocol, uint8_t out[8])
{
    const uint8_t header[HEADER_SIZE] = {
        0, 'S', 'P', 0, (uint8_t)((unsigned)protocol >> 8), (uint8_t)protocol, 0, 0};

    memcpy(out, header, sizeof header);
}

int sp_header_read(const uint8_t in[8])
{
    if (in[0] || in[1] != 'S' || in[2] != 'P' || in[3] || in[6] || in[7])
        return -1;
    return in[4] << 8 | in[5];
}

size_t sp_request_header(const uint8_t *body, size_t size)
{
    for (size_t end = 4; end <= size && end <= SP_REQUEST_HEADER_MAX; end += 4)
        if (body[end - 4] & 0x80)
            return end;
    return 0;
}

/* What a listener answers to a dialer's protocol; -1: nothing. */
static int complement(int protocol)
{
    switch (protocol) {
    case SP_PUSH:
        return SP_PULL;
    case SP_REQ:
        return SP_REP;
    case SP_SUB:
        return SP_PUB;
    case SP_PAIR0:
        return SP_PAIR0;
    default:
        return -1;
    }
}

static void put_length(uint8_t *at, uint64_t n)
{
    n = htobe64(n);
    memcpy(at, &n, sizeof n);
}

static uint64_t get_length(const uint8_t *at)
{
    uint64_t n;

    memcpy(&n, at, sizeof n);
    return be64toh(n);
}

int sp_frame_size(const uint8_t *at, size_t have, size_t *size)
{
    uint64_t body;

    if (have < FRAME_HEADER_SIZE || at[0] != FRAME_MESSAGE)
        return -1;
    body = get_length(at + 1);
    if (body > have - FRAME_HEADER_SIZE)
        return -1;
    *size = FRAME_HEADER_SIZE + (size_t)body;
    return 0;
}

/* ---- descriptors that travel -------------------------------------------------------------- */

static int passengers_add(struct passengers *list, struct passenger passenger)
{
    if (list->count == list->size) {
        size_t size = list->size ? 2 * list->size : 4;
        void *at = realloc(list->at, size * sizeof *list->at);

        if (!at)
            return -1;
        list->at = at;
        list->size = size;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): size > 0 means at */
    list->at[list->count++] = passenger;
    return 0;
}

static void passengers_drop_first(struct passengers *list)
{
    list->count--;
    memmove(list->at, list->at + 1, list->count * sizeof *list->at);
}

static void passengers_finish(struct passengers *list)
{
    for (size_t i = 0; i < list->count; i++)
        close(list->at[i].fd);
    free(list->at);
    *list = (struct passengers){0};
}

/* ---- life --------------------------------------------------------------------------------- */

static struct sp_limits with_defaults(const struct sp_limits *limits)
{
    struct sp_limits l = limits ? *limits : (struct sp_limits){0};

    if (!l.max_message)
        l.max_message = DEFAULT_MAX_MESSAGE;
    if (!l.max_outbox)
        l.max_outbox = DEFAULT_MAX_OUTBOX;
    if (!l.max_conns)
        l.max_conns = DEFAULT_MAX_CONNS;
    return l;
}

static struct sp_conn *conn_create(struct ev_loop *loop, const struct sp_limits *limits,
                                   const struct sp_handlers *handlers, void *data)
{
    struct sp_conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        return NULL;
    conn->loop = loop;
    conn->limits = *limits;
    conn->handlers = *handlers;
    conn->data = data;
    conn->fd = -1;
    ev_init(&conn->reader, on_readable);
    ev_init(&conn->writer, on_writable);
    ev_init(&conn->timer, on_timer);
    ev_init(&conn->more, on_more);
    ev_set_priority(&conn->more, EV_MAXPRI); /* runs once a turn, however busy the loop is */
    ev_init(&conn->flusher, on_flush);
    ev_set_priority(&conn->flusher, EV_MINPRI);
    return conn;
}

static void conn_free(struct sp_conn *conn)
{
    buf_finish(&conn->in);
    buf_finish(&conn->out);
    free(conn->run_dir);
    free(conn->path);
    free(conn);
}

static void enter(struct sp_conn *conn)
{
    conn->depth++;
}

static void leave(struct sp_conn *conn)
{
    if (--conn->depth == 0 && conn->state == CLOSED)
        conn_free(conn);
}

static void leave_listener(struct sp_conn *conn)
{
    struct sp_listener *listener = conn->listener;

    if (!listener)
        return;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        listener->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    conn->listener = NULL;
    listener->count--;
    if (listener->rests)
        return;
    ev_timer_stop(listener->loop, &listener->retry);
    ev_io_start(listener->loop, &listener->acceptor);
}

/* Ends everything but the memory, which a caller further up may still look at. */
static void shut(struct sp_conn *conn)
{
    conn->state = CLOSED;
    ev_io_stop(conn->loop, &conn->reader);
    ev_io_stop(conn->loop, &conn->writer);
    ev_timer_stop(conn->loop, &conn->timer);
    ev_idle_stop(conn->loop, &conn->more);
    ev_clear_pending(conn->loop, &conn->flusher);
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    if (!conn->limits.again)
        buf_finish(&conn->out); /* else its owner may want what was not written */
    passengers_finish(&conn->arrived);
    passengers_finish(&conn->departing);
    leave_listener(conn);
}

/* The connection ends, and not by its owner. Only between enter() and leave(). */
static void finish(struct sp_conn *conn, const char *why)
{
    bool tell = conn->state < FLUSHING && (conn->opened || conn->is_dialer);

    if (conn->state == CLOSED)
        return;
    shut(conn);
    if (tell && conn->handlers.on_close)
        conn->handlers.on_close(conn, why);
}

static void set_timer(struct sp_conn *conn, int64_t ms)
{
    ev_now_update(conn->loop); /* a slow handler must not eat this time */
    ev_timer_stop(conn->loop, &conn->timer);
    ev_timer_set(&conn->timer, (double)(ms > 0 ? ms : 0) / 1000, 0);
    ev_timer_start(conn->loop, &conn->timer);
}

/* When the connection is to be looked at for its age, in ms from now; -1: never. */
static int64_t age_limit(const struct sp_conn *conn, struct mono now)
{
    int64_t left = -1, idle;

    if (mono_is_set(conn->partial_since) && !conn->paused)
        left = SP_PARTIAL_MS - mono_diff_ms(now, conn->partial_since);
    if (conn->idle_ms && !sp_conn_queued(conn)) {
        idle = conn->idle_ms - mono_diff_ms(now, conn->active_at);
        left = left < 0 || idle < left ? idle : left;
    }
    if (conn->is_read && (left < 0 || left > GONE_MS))
        left = GONE_MS;
    return left;
}

/* The timer may ring early, never late: due moments only move away while it runs. */
static void watch_age(struct sp_conn *conn)
{
    int64_t left = age_limit(conn, mono_now());

    if (left < 0)
        return;
    if (ev_is_active(&conn->timer) &&
        ev_timer_remaining(conn->loop, &conn->timer) * 1000 <= (double)left + 1)
        return;
    set_timer(conn, left + 1);
}

/* ---- reading ------------------------------------------------------------------------------ */

static void keep_fd(struct sp_conn *conn, int fd, uint64_t place)
{
    /* One a frame: the sender ends its write where the frame ends, so the last byte tells whose. */
    struct passenger *last =
        conn->arrived.count ? &conn->arrived.at[conn->arrived.count - 1] : NULL;

    if ((last && last->end == place) || conn->arrived.count >= FDS_WAITING_MAX ||
        passengers_add(&conn->arrived, (struct passenger){.end = place, .fd = fd}))
        close(fd);
}

static void keep_fds(struct sp_conn *conn, struct msghdr *msg, uint64_t place)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            keep_fd(conn, fd, place);
        }
    }
}

static void read_ended(struct sp_conn *conn, const char *why)
{
    conn->ended = true;
    snprintf(conn->why, sizeof conn->why, "%s", why);
    ev_io_stop(conn->loop, &conn->reader);
}

/* One phrase for an end, whether or not something of ours was still unread at the other side. */
static const char *phrase(int code)
{
    return code == ECONNRESET || code == EPIPE ? "end of stream" : strerror(code);
}

/* While an owner looks at a body in `in`, that memory stays as it is; what follows moves away. */
static int unpin(struct sp_conn *conn)
{
    struct buf fresh = {0};

    if (!conn->pinned)
        return 0;
    if (buf_append(&fresh, buf_front(&conn->in), buf_length(&conn->in)))
        return -1;
    conn->in = fresh; /* the old memory belongs to deliver(), further up the stack */
    conn->pinned = NULL;
    return 0;
}

static ssize_t receive_chunk(struct sp_conn *conn)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    static uint8_t bytes[CHUNK_SIZE]; /* on the stack, it would leave copied pages far down there */
    struct iovec iov = {bytes, sizeof bytes};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    ssize_t n = fault_hits("read") ? -1 : recvmsg(conn->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (n > 0) {
        keep_fds(conn, &msg, conn->in_taken + buf_length(&conn->in) + (uint64_t)n);
        if (unpin(conn) || buf_append(&conn->in, bytes, (size_t)n))
            read_ended(conn, "out of memory");
    } else if (n == 0 && conn->is_deaf) {
        conn->is_read = true;
        ev_io_stop(conn->loop, &conn->reader);
    } else if (n == 0) {
        read_ended(conn, "end of stream");
    } else if (errno != EAGAIN && errno != EINTR) {
        read_ended(conn, phrase(errno));
    }
    return n;
}

static bool has_frame(const struct sp_conn *conn);

/* Until there is something to be handled: large frames come in large pieces. */
static void receive(struct sp_conn *conn)
{
    size_t total = 0;
    ssize_t n = 0;

    if (conn->ended)
        return;
    do {
        n = receive_chunk(conn);
        total += n > 0 ? (size_t)n : 0;
    } while (n == CHUNK_SIZE && total < TURN_BYTES && !conn->ended && !has_frame(conn));
    conn->drained = n < CHUNK_SIZE;
    if (total && conn->idle_ms)
        conn->active_at = mono_now();
}

static void consume(struct sp_conn *conn, size_t n)
{
    conn->in_taken += n;
    buf_consume(&conn->in, n);
}

/* A dialer's header, at a listener. Refusals are silent: the owner has not heard of it. */
static void greet_dialer(struct sp_conn *conn, int protocol)
{
    int answer = complement(protocol);
    uint8_t header[HEADER_SIZE];

    if (answer < 0) {
        finish(conn, "not a protocol that is served");
        return;
    }
    sp_header_write((enum sp_protocol)answer, header);
    if (buf_append(&conn->out, header, sizeof header)) {
        finish(conn, "out of memory");
        return;
    }
    conn->protocol = (enum sp_protocol)protocol;
    conn->state = OPEN;
    if (conn->handlers.on_open && !conn->handlers.on_open(conn)) {
        if (conn->state == OPEN)
            shut(conn);
        return;
    }
    conn->opened = true;
    if (conn->state == OPEN)
        ev_feed_event(conn->loop, &conn->flusher, EV_CUSTOM);
}

static void greet_listener(struct sp_conn *conn, int protocol)
{
    if (protocol != complement((int)conn->protocol)) {
        snprintf(conn->why, sizeof conn->why, "protocol 0x%02x: expected 0x%02x", protocol,
                 (unsigned)complement((int)conn->protocol));
        finish(conn, conn->why);
        return;
    }
    conn->state = OPEN;
    conn->opened = true;
    if (conn->handlers.on_open)
        conn->handlers.on_open(conn);
}

/* At a listener that greets some only. The header stays where it is. */
static bool is_to_wait(const struct sp_conn *conn, int protocol)
{
    return conn->listener && conn->listener->only && protocol >= 0 &&
           protocol != conn->listener->only;
}

static void let_wait(struct sp_conn *conn)
{
    ev_timer_stop(conn->loop, &conn->timer);
    sp_conn_pause(conn, true);
}

static bool take_header(struct sp_conn *conn)
{
    int protocol;

    if (buf_length(&conn->in) < HEADER_SIZE)
        return false;
    protocol = sp_header_read(buf_front(&conn->in));
    if (is_to_wait(conn, protocol)) {
        let_wait(conn);
        return false;
    }
    consume(conn, HEADER_SIZE);
    ev_timer_stop(conn->loop, &conn->timer);
    conn->active_at = mono_now();
    if (protocol < 0)
        finish(conn, "not an SP header");
    else if (conn->is_dialer)
        greet_listener(conn, protocol);
    else
        greet_dialer(conn, protocol);
    return true;
}

/* The descriptor of the frame that ends at this place, or -1. */
static int take_fd(struct sp_conn *conn, uint64_t end)
{
    int fd = -1;

    while (conn->arrived.count && conn->arrived.at[0].end <= end) {
        if (fd >= 0)
            close(conn->arrived.at[0].fd);
        else
            fd = conn->arrived.at[0].fd;
        passengers_drop_first(&conn->arrived);
    }
    return fd;
}

static bool has_frame(const struct sp_conn *conn)
{
    size_t have = buf_length(&conn->in);

    if (conn->state != OPEN)
        return have >= HEADER_SIZE;
    return have >= FRAME_HEADER_SIZE &&
           have - FRAME_HEADER_SIZE >= get_length(buf_front(&conn->in) + 1);
}

/* Shows one body. The owner may close the connection, or run the loop within: then later frames
 * are read, and delivered, from a buffer of their own (unpin). */
static void deliver(struct sp_conn *conn, size_t size)
{
    uint8_t *memory = conn->in.data;
    const uint8_t *body = buf_front(&conn->in) + FRAME_HEADER_SIZE;

    conn->in.start += FRAME_HEADER_SIZE + size;
    conn->in_taken += FRAME_HEADER_SIZE + size;
    conn->partial_since = (struct mono){0};
    conn->pinned = memory;
    if (has_frame(conn) || conn->ended)
        ev_idle_start(conn->loop, &conn->more); /* for a loop that is run within */
    conn->handlers.on_message(conn, body, size, take_fd(conn, conn->in_taken));
    if (conn->in.data != memory) {
        free(memory);
        return;
    }
    conn->pinned = NULL;
    buf_consume(&conn->in, 0);
}

static bool take_frame(struct sp_conn *conn)
{
    const uint8_t *at = buf_front(&conn->in);
    size_t have = buf_length(&conn->in);
    uint64_t size;

    if (have && at[0] != FRAME_MESSAGE) {
        snprintf(conn->why, sizeof conn->why, "frame of type 0x%02x: expected 0x01", at[0]);
        finish(conn, conn->why);
        return false;
    }
    if (have < FRAME_HEADER_SIZE)
        return false;
    size = get_length(at + 1);
    if (size > conn->limits.max_message) {
        snprintf(conn->why, sizeof conn->why, "frame of %" PRIu64 " bytes: more than %zu", size,
                 conn->limits.max_message);
        finish(conn, conn->why);
        return false;
    }
    if (have - FRAME_HEADER_SIZE < size || unpin(conn))
        return false;
    deliver(conn, (size_t)size);
    return true;
}

static bool is_reading(const struct sp_conn *conn)
{
    return conn->state < FLUSHING && !conn->paused;
}

/* One that hears no more still answers what it has heard, and then ends. It is not waited for for ever. */
static bool answers_may_come(const struct sp_conn *conn)
{
    return conn->limits.again && conn->settled &&
           mono_diff_ms(mono_now(), conn->broken_at) < DEAF_MS;
}

/* All whole frames have been delivered: what is left to decide. */
static void settle(struct sp_conn *conn)
{
    if (conn->ended || (conn->broken && conn->drained && !answers_may_come(conn))) {
        if (may_dial_again(conn))
            dial_again(conn);
        else
            finish(conn, conn->why);
        return;
    }
    if (conn->broken && !conn->drained)
        ev_idle_start(conn->loop, &conn->more);
    if (conn->state != OPEN)
        return;
    if (conn->broken) {
        set_timer(conn, DEAF_MS);
        return;
    }
    if (!buf_length(&conn->in))
        conn->partial_since = (struct mono){0};
    else if (!mono_is_set(conn->partial_since))
        conn->partial_since = mono_now();
    watch_age(conn);
    if (conn->is_read && !conn->is_told && conn->handlers.on_heard) {
        conn->is_told = true;
        conn->handlers.on_heard(conn);
    }
}

static void process(struct sp_conn *conn)
{
    int budget = TURN_MESSAGES;

    while (is_reading(conn) && (conn->state == OPEN ? take_frame(conn) : take_header(conn))) {
        if (--budget == 0)
            break;
    }
    if (!is_reading(conn))
        return;
    if (has_frame(conn)) {
        ev_idle_start(conn->loop, &conn->more);
        return;
    }
    ev_idle_stop(conn->loop, &conn->more);
    settle(conn);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct sp_conn *conn = container_of(w, struct sp_conn, reader);

    (void)loop;
    (void)revents;
    if (ev_is_active(&conn->more))
        return; /* first what is here already */
    enter(conn);
    receive(conn);
    process(conn);
    leave(conn);
}

/* First what is here already, else what has come. */
static void read_on(struct sp_conn *conn)
{
    ev_idle_stop(conn->loop, &conn->more);
    enter(conn);
    if (!has_frame(conn))
        receive(conn);
    process(conn);
    leave(conn);
}

static void on_more(struct ev_loop *loop, ev_idle *w, int revents)
{
    struct sp_conn *conn = container_of(w, struct sp_conn, more);

    (void)loop;
    (void)revents;
    read_on(conn);
}

/* ---- writing ------------------------------------------------------------------------------ */

/* How much may go in one sendmsg: up to a frame with a descriptor, or that frame alone. */
static size_t sendable(const struct sp_conn *conn, int *fd)
{
    size_t queued = sp_conn_queued(conn);
    const struct passenger *first = conn->departing.at;

    *fd = -1;
    if (!conn->departing.count)
        return queued;
    if (conn->out_written < first->start)
        return (size_t)(first->start - conn->out_written);
    *fd = first->fd;
    return (size_t)(first->end - conn->out_written);
}

static ssize_t send_chunk(struct sp_conn *conn)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    int fd;
    struct iovec iov = {buf_front(&conn->out) + conn->out_kept, sendable(conn, &fd)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *c = &control.align;
    ssize_t n;

    if (fd >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control.space;
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    n = fault_hits("write") ? -1 : sendmsg(conn->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0 && fd >= 0) {
        close(fd); /* it went with the first byte */
        passengers_drop_first(&conn->departing);
    }
    return n;
}

/* The other side reads no more. What it has written before is still read (a reply that is there
 * wins), then the connection ends. */
static void write_failed(struct sp_conn *conn)
{
    conn->broken = true;
    conn->broken_at = mono_now();
    if (!conn->ended)
        snprintf(conn->why, sizeof conn->why, "%s", phrase(errno));
    if (!conn->limits.again)
        buf_finish(&conn->out);
    passengers_finish(&conn->departing);
    ev_io_stop(conn->loop, &conn->writer);
    if (is_reading(conn))
        ev_idle_start(conn->loop, &conn->more);
}

static size_t front_size(const struct sp_conn *conn)
{
    if (conn->out_head)
        return conn->out_head;
    return FRAME_HEADER_SIZE + (size_t)get_length(buf_front(&conn->out) + 1);
}

/* What is written need not be kept: but a frame that may have to go again is, until all of it is
 * written, and until the other has begun to handle anything at all. */
static void let_go(struct sp_conn *conn)
{
    size_t size = conn->out_kept;

    if (conn->limits.again && !conn->settled)
        return;
    while (conn->limits.again && conn->out_kept && (size = front_size(conn)) <= conn->out_kept) {
        conn->out_head = 0;
        conn->out_kept -= size;
        conn->out.start += size;
    }
    if (!conn->limits.again) {
        conn->out.start += size;
        conn->out_kept = 0;
    }
    buf_consume(&conn->out, 0);
}

static void write_out(struct sp_conn *conn)
{
    while (sp_conn_queued(conn) && !conn->broken) {
        ssize_t n = send_chunk(conn);

        if (n > 0) {
            conn->out_written += (size_t)n;
            conn->out_kept += (size_t)n;
            let_go(conn);
        } else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
            ev_io_start(conn->loop, &conn->writer);
            return;
        } else if (errno != EINTR) {
            write_failed(conn);
            return;
        }
    }
    ev_io_stop(conn->loop, &conn->writer);
}

static void flush(struct sp_conn *conn)
{
    if (conn->fd < 0)
        return;
    write_out(conn);
    if (conn->state == FLUSHING) {
        if (!sp_conn_queued(conn))
            shut(conn);
        return;
    }
    if (conn->idle_ms && conn->state == OPEN) /* who has not greeted yet is late, not idle */
        watch_age(conn);
    if (buf_length(&conn->out) >= conn->drain_below)
        return;
    conn->drain_below = 0;
    if (conn->handlers.on_drain && !conn->broken)
        conn->handlers.on_drain(conn);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct sp_conn *conn = container_of(w, struct sp_conn, writer);

    (void)loop;
    (void)revents;
    enter(conn);
    flush(conn);
    leave(conn);
}

static void on_flush(struct ev_loop *loop, ev_prepare *w, int revents)
{
    struct sp_conn *conn = container_of(w, struct sp_conn, flusher);

    (void)loop;
    (void)revents;
    enter(conn);
    flush(conn);
    leave(conn);
}

static size_t total_size(const struct iovec *parts, int n)
{
    size_t size = 0;

    for (int i = 0; i < n; i++) {
        if (parts[i].iov_len > SIZE_MAX / 2 - size)
            return SIZE_MAX;
        size += parts[i].iov_len;
    }
    return size;
}

/* An outbox that is less than half full takes any message, however large. */
static bool has_no_room(const struct buf *out, size_t size, size_t limit)
{
    size_t queued = buf_length(out);

    return queued >= limit / 2 && queued + size > limit;
}

static int refuse(int code)
{
    errno = code;
    return -1;
}

static int put_frame(struct buf *out, const struct iovec *parts, int n, size_t size)
{
    uint8_t *to = buf_reserve(out, FRAME_HEADER_SIZE + size);

    if (!to)
        return refuse(ENOMEM);
    *to++ = FRAME_MESSAGE;
    put_length(to, size);
    to += 8;
    for (int i = 0; i < n; to += parts[i++].iov_len) {
        if (parts[i].iov_len)
            memcpy(to, parts[i].iov_base, parts[i].iov_len);
    }
    out->end += FRAME_HEADER_SIZE + size;
    return 0;
}

int sp_frame_append(struct buf *frames, const struct iovec *parts, int n)
{
    size_t size = total_size(parts, n);

    if (size > DEFAULT_MAX_MESSAGE)
        return refuse(EMSGSIZE);
    if (has_no_room(frames, size, DEFAULT_MAX_OUTBOX))
        return refuse(EAGAIN);
    return put_frame(frames, parts, n, size);
}

int sp_send(struct sp_conn *conn, const struct iovec *parts, int n, int fd)
{
    size_t queued = sp_conn_queued(conn), size = total_size(parts, n);
    struct passenger passenger = {.start = conn->out_written + queued, .fd = fd};

    if (conn->state >= FLUSHING || (conn->broken && !conn->limits.again))
        return refuse(ENOTCONN); /* where it goes again, it may wait for the next connection */
    if (size > conn->limits.max_message)
        return refuse(EMSGSIZE);
    if (fd >= 0 && conn->limits.again)
        return refuse(EINVAL); /* a descriptor goes once */
    if (has_no_room(&conn->out, size, conn->limits.max_outbox)) {
        sp_conn_ask_drain(conn, conn->limits.max_outbox / 2);
        return refuse(EAGAIN);
    }
    passenger.end = passenger.start + FRAME_HEADER_SIZE + size;
    if (!buf_reserve(&conn->out, FRAME_HEADER_SIZE + size) ||
        (fd >= 0 && passengers_add(&conn->departing, passenger)))
        return refuse(ENOMEM);
    put_frame(&conn->out, parts, n, size); /* there is room */
    if (conn->idle_ms)
        conn->active_at = mono_now();
    if (conn->fd >= 0 && !ev_is_active(&conn->writer))
        ev_feed_event(conn->loop, &conn->flusher, EV_CUSTOM);
    return 0;
}

/* ---- time --------------------------------------------------------------------------------- */

static bool is_idle(const struct sp_conn *conn, struct mono now)
{
    return conn->idle_ms && !sp_conn_queued(conn) &&
           mono_diff_ms(now, conn->active_at) >= conn->idle_ms;
}

/* Of one that is read to its end no event tells. What it said before is handed over first. */
static bool has_gone(const struct sp_conn *conn)
{
    return conn->is_read && !has_frame(conn) && sp_conn_is_left(conn);
}

static void check_age(struct sp_conn *conn)
{
    struct mono now = mono_now();

    if (is_idle(conn, now) && sp_conn_is_unread(conn))
        conn->active_at = now; /* it is the other that is slow */
    if (mono_is_set(conn->partial_since) && !conn->paused &&
        mono_diff_ms(now, conn->partial_since) >= SP_PARTIAL_MS)
        finish(conn, "half a frame for 30 s");
    else if (has_gone(conn))
        finish(conn, "end of stream");
    else if (is_idle(conn, now))
        finish(conn, "idle");
    else
        watch_age(conn);
}

static void try_dial(struct sp_conn *conn);

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct sp_conn *conn = container_of(w, struct sp_conn, timer);

    (void)loop;
    (void)revents;
    enter(conn);
    if (conn->state == DIALING)
        try_dial(conn);
    else if (conn->state == FLUSHING)
        shut(conn);
    else if (is_reading(conn)) {
        /* We may be the slow side: what has come meanwhile counts. */
        receive(conn);
        process(conn);
        if (conn->state == GREETING)
            finish(conn, "timeout");
        else if (conn->state == OPEN)
            check_age(conn);
    }
    leave(conn);
}

/* ---- dialling ----------------------------------------------------------------------------- */

static void connected(struct sp_conn *conn, int fd)
{
    socklen_t length = sizeof conn->creds;

    conn->fd = fd;
    conn->state = GREETING;
    conn->refused_since = (struct mono){0};
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &conn->creds, &length);
    ev_timer_stop(conn->loop, &conn->timer);
    if (mono_is_set(conn->deadline))
        set_timer(conn, mono_diff_ms(conn->deadline, mono_now()));
    ev_io_set(&conn->reader, fd, EV_READ);
    ev_io_set(&conn->writer, fd, EV_WRITE);
    if (!conn->paused)
        ev_io_start(conn->loop, &conn->reader);
    ev_feed_event(conn->loop, &conn->flusher, EV_CUSTOM);
}

/* Shall a connect that failed with code be tried again? If not, why is set. */
static bool is_worth_another(struct sp_conn *conn, int code)
{
    struct mono now = mono_now();
    const char *why = strerror(code);

    if (code == ECONNREFUSED && !mono_is_set(conn->refused_since))
        conn->refused_since = now;
    if (code == ENOENT ||
        (code == ECONNREFUSED && mono_diff_ms(now, conn->refused_since) >= REFUSED_MS))
        why = "noproc";
    else if (code == EAGAIN || code == ECONNREFUSED)
        why = mono_is_set(conn->deadline) && now.us >= conn->deadline.us ? "timeout" : NULL;
    if (why)
        snprintf(conn->why, sizeof conn->why, "%s", why);
    return !why;
}

/* From the timer: connects, or waits for the next try, or gives up. */
static void try_dial(struct sp_conn *conn)
{
    int fd;

    if (conn->why[0]) {
        finish(conn, conn->why);
        return;
    }
    fd = rundir_connect(conn->run_dir, conn->path);
    if (fd >= 0)
        connected(conn, fd);
    else if (is_worth_another(conn, errno))
        set_timer(conn, RETRY_MS);
    else
        finish(conn, conn->why);
}

/* Nothing was handled there, so all may go again (PROTOCOL 1). Somebody who closes on us for good is
 * not asked for ever. */
static bool has_lasted(struct mono since, int64_t ms)
{
    return mono_is_set(since) && mono_diff_ms(mono_now(), since) >= ms;
}

/* Who sends a header, and no word, is starting. When that fails there will be another. */
static bool may_dial_again(const struct sp_conn *conn)
{
    if (!conn->limits.again || conn->settled || conn->state >= FLUSHING)
        return false;
    return conn->state == OPEN ? !has_lasted(conn->starting_since, sp_starting_ms)
                               : !has_lasted(conn->unheard_since, sp_unheard_ms);
}

static void note_end(struct sp_conn *conn)
{
    struct mono *since = conn->state == OPEN ? &conn->starting_since : &conn->unheard_since;

    if (conn->state == OPEN)
        conn->unheard_since = (struct mono){0};
    if (!mono_is_set(*since))
        *since = mono_now();
}

static void dial_again(struct sp_conn *conn)
{
    note_end(conn);
    ev_io_stop(conn->loop, &conn->reader);
    ev_io_stop(conn->loop, &conn->writer);
    ev_idle_stop(conn->loop, &conn->more);
    ev_clear_pending(conn->loop, &conn->flusher);
    close(conn->fd);
    conn->fd = -1;
    conn->state = DIALING;
    conn->ended = conn->broken = conn->drained = false;
    conn->why[0] = '\0';
    conn->out_written -= conn->out_kept;
    conn->out_kept = 0;
    consume(conn, buf_length(&conn->in));
    conn->partial_since = (struct mono){0};
    set_timer(conn, RETRY_MS);
}

static bool is_shortage(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOMEM || code == ENOBUFS;
}

/* The first try, whose failure is told later. */
static int first_dial(struct sp_conn *conn)
{
    int fd = rundir_connect(conn->run_dir, conn->path);

    if (fd >= 0)
        connected(conn, fd);
    else if (is_shortage(errno))
        return -1;
    else
        set_timer(conn, is_worth_another(conn, errno) ? RETRY_MS : 0);
    return 0;
}

struct sp_conn *sp_dial(struct ev_loop *loop, const char *run_dir, const char *path,
                        enum sp_protocol protocol, struct mono deadline,
                        const struct sp_limits *limits, const struct sp_handlers *handlers,
                        void *data)
{
    struct sp_limits l = with_defaults(limits);
    struct sp_conn *conn = conn_create(loop, &l, handlers, data);
    uint8_t header[HEADER_SIZE];
    int code;

    if (!conn)
        return NULL;
    conn->is_dialer = true;
    conn->protocol = protocol;
    conn->deadline = deadline;
    conn->run_dir = strdup(run_dir);
    conn->path = strdup(path);
    conn->out_head = sizeof header;
    sp_header_write(protocol, header);
    if (conn->run_dir && conn->path && !buf_append(&conn->out, header, sizeof header) &&
        !first_dial(conn))
        return conn;
    code = errno;
    shut(conn);
    conn_free(conn);
    errno = code;
    return NULL;
}

/* ---- listening ---------------------------------------------------------------------------- */

static void adopt(struct sp_listener *listener, struct sp_conn *conn, int fd)
{
    socklen_t length = sizeof conn->creds;

    conn->fd = fd;
    conn->state = GREETING;
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &conn->creds, &length);
    conn->listener = listener;
    conn->next = listener->conns;
    if (conn->next)
        conn->next->prev = conn;
    listener->conns = conn;
    listener->count++;
    ev_io_set(&conn->reader, fd, EV_READ);
    ev_io_set(&conn->writer, fd, EV_WRITE);
    ev_io_start(conn->loop, &conn->reader);
    set_timer(conn, SP_HANDSHAKE_MS);
}

/* Takes one from the queue; -1 with errno. Memory comes first: one that was accepted and closed at
 * once would never come back, if it is nng's. */
static int accept_one(struct sp_listener *listener)
{
    struct sp_conn *conn =
        conn_create(listener->loop, &listener->limits, &listener->handlers, listener->data);
    int fd = -1;

    if (!conn)
        return -1;
    if (!fault_hits("accept"))
        fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        int code = errno;

        conn_free(conn);
        errno = code;
        return -1;
    }
    adopt(listener, conn, fd);
    return 0;
}

static bool is_passing(int code)
{
    return code == EAGAIN || code == EINTR || code == ECONNABORTED;
}

/* Until one of ours closes, or some time has passed. */
static void accept_later(struct sp_listener *listener, int64_t ms)
{
    ev_io_stop(listener->loop, &listener->acceptor);
    ev_timer_stop(listener->loop, &listener->retry);
    ev_timer_set(&listener->retry, (double)ms / 1000, 0);
    ev_timer_start(listener->loop, &listener->retry);
}

static bool is_full(const struct sp_listener *listener)
{
    return listener->count >= listener->limits.max_conns;
}

/* The others wait in the queue. */
static void wait_for_room(struct sp_listener *listener)
{
    if (listener->handlers.on_crowded)
        accept_later(listener, CROWDED_MS); /* to see whether there are any */
    else
        ev_io_stop(listener->loop, &listener->acceptor);
}

static void on_acceptable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct sp_listener *listener = container_of(w, struct sp_listener, acceptor);

    (void)loop;
    (void)revents;
    if (is_full(listener) && listener->handlers.on_crowded)
        listener->handlers.on_crowded(listener, listener->data);
    for (int i = 0; i < TURN_ACCEPTS && !is_full(listener); i++) {
        if (!accept_one(listener))
            continue;
        if (is_passing(errno))
            return;
        accept_later(listener, ACCEPT_RETRY_MS); /* somebody else may have closed */
        return;
    }
    if (is_full(listener))
        wait_for_room(listener);
}

static void on_accept_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct sp_listener *listener = container_of(w, struct sp_listener, retry);

    (void)revents;
    if (!is_full(listener) || listener->handlers.on_crowded)
        ev_io_start(loop, &listener->acceptor);
}

struct sp_listener *sp_listen(struct ev_loop *loop, int fd, const struct sp_limits *limits,
                              const struct sp_handlers *handlers, void *data)
{
    struct sp_listener *listener = calloc(1, sizeof *listener);

    if (!listener)
        return NULL;
    listener->loop = loop;
    listener->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); /* it may have come blocking */
    listener->limits = with_defaults(limits);
    listener->handlers = *handlers;
    listener->data = data;
    ev_io_init(&listener->acceptor, on_acceptable, fd, EV_READ);
    ev_init(&listener->retry, on_accept_retry);
    ev_io_start(loop, &listener->acceptor);
    return listener;
}

int sp_listener_destroy(struct sp_listener *listener, bool keep_fd_open)
{
    int fd = -1;

    if (!listener)
        return -1;
    for (struct sp_conn *conn = listener->conns, *next; conn; conn = next) {
        next = conn->next;
        enter(conn);
        shut(conn);
        leave(conn);
    }
    ev_io_stop(listener->loop, &listener->acceptor);
    ev_timer_stop(listener->loop, &listener->retry);
    if (keep_fd_open)
        fd = listener->fd;
    else
        close(listener->fd);
    free(listener);
    return fd;
}

void sp_listener_rest(struct sp_listener *listener)
{
    listener->rests = true;
    ev_io_stop(listener->loop, &listener->acceptor);
    ev_timer_stop(listener->loop, &listener->retry);
}

void sp_listener_greet(struct sp_listener *listener, int only)
{
    listener->only = only;
    for (struct sp_conn *conn = listener->conns; conn; conn = conn->next)
        if (conn->state == GREETING && conn->paused) {
            set_timer(conn, SP_HANDSHAKE_MS);
            sp_conn_pause(conn, false);
        }
}

void sp_listener_each(struct sp_listener *listener, void (*visit)(struct sp_conn *, void *),
                      void *ctx)
{
    for (struct sp_conn *conn = listener->conns, *next; conn; conn = next) {
        next = conn->next;
        if (conn->opened && conn->state == OPEN)
            visit(conn, ctx);
    }
}

/* ---- what an owner may do with a connection ----------------------------------------------- */

void sp_conn_flush(struct sp_conn *conn)
{
    enter(conn);
    flush(conn);
    leave(conn);
}

void sp_conn_poll(struct sp_conn *conn)
{
    if (conn->state == OPEN && is_reading(conn))
        read_on(conn);
}

void sp_conn_ask_drain(struct sp_conn *conn, size_t below)
{
    if (below > conn->drain_below)
        conn->drain_below = below;
    if (conn->fd >= 0 && !ev_is_active(&conn->writer))
        ev_feed_event(conn->loop, &conn->flusher, EV_CUSTOM);
}

size_t sp_conn_queued(const struct sp_conn *conn)
{
    return buf_length(&conn->out) - conn->out_kept;
}

size_t sp_conn_waiting(const struct sp_conn *conn)
{
    const uint8_t *at = buf_front(&conn->in);
    size_t left = buf_length(&conn->in), size, n = 0;

    for (; sp_frame_size(at, left, &size) == 0; at += size, left -= size)
        n++;
    return n;
}

uint64_t sp_conn_place(const struct sp_conn *conn)
{
    return conn->out_written + sp_conn_queued(conn);
}

uint64_t sp_conn_written(const struct sp_conn *conn)
{
    return conn->out_written;
}

bool sp_conn_is_unread(const struct sp_conn *conn)
{
    int unread = 0;

    return conn->fd >= 0 && ioctl(conn->fd, SIOCOUTQ, &unread) == 0 && unread > 0;
}

bool sp_conn_is_left(const struct sp_conn *conn)
{
    struct pollfd look = {.fd = conn->fd};

    return poll(&look, 1, 0) > 0 && look.revents & POLLHUP;
}

static uint64_t received(const struct sp_conn *conn)
{
    return conn->in_taken + buf_length(&conn->in);
}

uint64_t sp_conn_come(const struct sp_conn *conn)
{
    int waiting = 0;

    if (conn->fd >= 0 && ioctl(conn->fd, FIONREAD, &waiting) < 0)
        waiting = 0;
    return received(conn) + (uint64_t)waiting;
}

uint64_t sp_conn_taken(const struct sp_conn *conn)
{
    return conn->in_taken;
}

bool sp_conn_has_before(const struct sp_conn *conn, uint64_t place)
{
    size_t size;

    if (received(conn) < place && !conn->ended)
        return true;
    return sp_frame_size(buf_front(&conn->in), buf_length(&conn->in), &size) == 0 &&
           conn->in_taken + size <= place;
}

void sp_conn_settle(struct sp_conn *conn)
{
    conn->settled = true;
    conn->unheard_since = conn->starting_since = (struct mono){0};
    let_go(conn);
}

struct buf sp_conn_leftover(struct sp_conn *conn)
{
    struct buf left = conn->out;

    if (left.data) {
        left.start += conn->out_head;
        if (left.start > left.end)
            left.start = left.end;
    }
    conn->out = (struct buf){0};
    conn->out_kept = conn->out_head = 0;
    return left;
}

int sp_conn_send_frames(struct sp_conn *conn, const void *frames, size_t size)
{
    if (conn->state >= FLUSHING || conn->broken)
        return refuse(ENOTCONN);
    if (buf_append(&conn->out, frames, size))
        return refuse(ENOMEM);
    if (conn->fd >= 0 && !ev_is_active(&conn->writer))
        ev_feed_event(conn->loop, &conn->flusher, EV_CUSTOM);
    return 0;
}

void sp_conn_pause(struct sp_conn *conn, bool paused)
{
    if (conn->paused == paused || conn->state >= FLUSHING)
        return;
    conn->paused = paused;
    if (conn->fd < 0)
        return;
    if (paused) {
        ev_io_stop(conn->loop, &conn->reader);
        ev_idle_stop(conn->loop, &conn->more);
        return;
    }
    if (mono_is_set(conn->partial_since))
        conn->partial_since = mono_now();
    if (!conn->ended)
        ev_io_start(conn->loop, &conn->reader);
    ev_idle_start(conn->loop, &conn->more);
}

void sp_conn_set_idle_close(struct sp_conn *conn, int64_t ms)
{
    conn->idle_ms = ms;
    conn->active_at = mono_now();
    if (conn->state == OPEN)
        watch_age(conn);
}

void sp_conn_hear_no_more(struct sp_conn *conn)
{
    conn->is_deaf = true;
    if (conn->fd >= 0)
        shutdown(conn->fd, SHUT_RD);
}

void sp_conn_break(struct sp_conn *conn)
{
    if (conn->fd >= 0)
        shutdown(conn->fd, SHUT_RDWR);
}

void sp_conn_close(struct sp_conn *conn, bool and_flush)
{
    if (conn->state >= FLUSHING)
        return;
    enter(conn);
    if (and_flush && conn->fd >= 0 && !conn->broken) {
        conn->state = FLUSHING;
        ev_io_stop(conn->loop, &conn->reader);
        ev_idle_stop(conn->loop, &conn->more);
        set_timer(conn, sp_flush_ms);
        flush(conn);
    } else {
        shut(conn);
    }
    leave(conn);
}

enum sp_protocol sp_conn_protocol(const struct sp_conn *conn)
{
    return conn->protocol;
}

const struct ucred *sp_conn_creds(const struct sp_conn *conn)
{
    return &conn->creds;
}

void *sp_conn_data(const struct sp_conn *conn)
{
    return conn->data;
}

void sp_conn_set_handlers(struct sp_conn *conn, const struct sp_handlers *handlers)
{
    conn->handlers = *handlers;
}

void sp_conn_set_data(struct sp_conn *conn, void *data)
{
    conn->data = data;
}

struct ev_loop *sp_conn_loop(const struct sp_conn *conn)
{
    return conn->loop;
}
