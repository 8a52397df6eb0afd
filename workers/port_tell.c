/* Messages become lines, and lines go to the program as it takes them. */
#include "port.h"

#include "loop.h"
#include "raw.h"
#include "wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum {
    UNLIMITED_MS =
        60000, /* a caller that did not say how long it waits: as for raw calls (PROTOCOL 1) */
    EXPIRE_MS = 100,
    PIECES = 64, /* lines that are written at once */
};

/* ---- as a line ----------------------------------------------------------------------------- */

static int put_number(struct buf *line, char type, const union wire_value *value)
{
    char text[512];
    int length = wire_value_text(type, value, text, sizeof text);

    return raw_put(line, false, text, (size_t)length);
}

static int put_bytes(struct buf *line, struct troupe_bytes bytes)
{
    if (bytes.size && memchr(bytes.at, '\0', bytes.size)) {
        errno = EBADMSG;
        return -1;
    }
    return raw_put(line, false, bytes.at, bytes.size);
}

static int put_argument(struct buf *line, const struct troupe_message *message, unsigned index)
{
    char type = troupe_type(message, index);

    switch (type) {
    case 'i':
    case 'I':
        return put_number(line, type, &(union wire_value){.i = troupe_int(message, index)});
    case 'u':
    case 'U':
        return put_number(line, type, &(union wire_value){.u = troupe_uint(message, index)});
    case 'f':
        return put_number(line, type, &(union wire_value){.f = troupe_double(message, index)});
    default:
        return put_bytes(line, troupe_bytes(message, index));
    }
}

/* REF MESSAGE ARG… and a newline. 0; or -1 with ENOMEM, or EBADMSG: a byte that no line can hold.
 */
static int write_line(const struct troupe_message *message, uint64_t ref, struct buf *line)
{
    const char *name = troupe_name(message);

    if ((ref ? buf_printf(line, "%" PRIu64, ref) : buf_append(line, "-", 1)) < 0 ||
        raw_put(line, false, name, strlen(name)) < 0)
        return -1;
    for (unsigned i = 0; i < troupe_count(message); i++)
        if (put_argument(line, message, i) < 0)
            return -1;
    return buf_append(line, "\n", 1);
}

/* ---- taking on ----------------------------------------------------------------------------- */

static void give_up(struct troupe_message *message)
{
    troupe_refuse(message, "timeout");
}

static void on_expiring(struct troupe *self, uint64_t count, void *data)
{
    struct port *port = data;

    (void)count;
    port->expiring = 0;
    port_requests_expire(&port->requests, port_now_ms(), give_up);
    if (port->requests.asked)
        port->expiring = troupe_after(self, EXPIRE_MS, on_expiring, port);
    port_balance(port);
}

static bool is_full(const struct port *port)
{
    return port->requests.count >= port->args.queue || port->requests.bytes >= port->args.bytes;
}

/* What cannot be held waits in the mailbox, so that pressure reaches the senders (SEMANTICS 6). */
void port_balance(struct port *port)
{
    bool pause = is_full(port) || port->program.in < 0;

    if (pause == port->is_paused || port->is_over)
        return;
    port->is_paused = pause;
    if (pause)
        troupe_pause(port->self);
    else
        troupe_resume(port->self);
}

/* At the end of the loop's turn, so that what comes together is written together. */
static void tell_soon(struct port *port)
{
    if (!port->writing && !port->is_over)
        ev_prepare_start(troupe_loop(port->self), &port->telling);
}

/* The line is the port's from here on. */
static void take_on(struct port *port, struct troupe_message *message, struct buf *line)
{
    struct troupe_message *kept = NULL;
    int64_t left = troupe_time_left(message);

    if (troupe_is_call(message) && !(kept = troupe_keep(message))) {
        buf_finish(line);
        return;
    }
    if (port_requests_add(&port->requests, kept, port_now_ms() + (left < 0 ? UNLIMITED_MS : left),
                          (char *)line->data, buf_length(line)) < 0) {
        buf_finish(line);
        troupe_refuse(kept ? kept : message, "overloaded out of memory");
        return;
    }
    if (kept && !port->expiring)
        port->expiring = troupe_after(port->self, EXPIRE_MS, on_expiring, port);
    tell_soon(port);
    port_balance(port);
}

void port_take(struct troupe *self, struct troupe_message *message)
{
    struct port *port = troupe_state(self);
    uint64_t ref = troupe_is_call(message) ? port_requests_next_ref(&port->requests) : 0;
    struct buf line = {0};

    if (write_line(message, ref, &line) < 0) {
        bool is_bad = errno == EBADMSG;

        buf_finish(&line);
        troupe_refuse(message,
                      is_bad ? "bad_message %.64s: a NUL byte: a line cannot hold it"
                             : "overloaded out of memory: %.64s",
                      troupe_name(message));
    } else if (buf_length(&line) > port->args.line + 1) {
        buf_finish(&line);
        troupe_refuse(message, "bad_message %.64s: longer than a line may be: %zu bytes",
                      troupe_name(message), port->args.line);
    } else {
        take_on(port, message, &line);
    }
}

/* ---- writing ------------------------------------------------------------------------------- */

static void on_writable(struct troupe *self, int fd, unsigned events, void *data)
{
    (void)self;
    (void)fd;
    (void)events;
    port_tell(data);
}

static void watch(struct port *port, bool wanted)
{
    if (wanted && !port->writing)
        port->writing = troupe_watch(port->self, port->program.in, 2, on_writable, port);
    else if (!wanted && port->writing) {
        troupe_unwatch(port->self, port->writing);
        port->writing = 0;
    }
}

void port_tell_end(struct port *port)
{
    ev_prepare_stop(troupe_loop(port->self), &port->telling);
    watch(port, false);
    troupe_unwatch(port->self, port->refusing);
    port->refusing = 0;
    port_program_close_input(&port->program);
    port_balance(port);
}

static void refused(struct port *port)
{
    port_tell_end(port);
    port_is_closed(port, "error port: the program has closed its input");
}

/* The end of a pipe that is written never becomes readable, but when there is no reader. */
static void on_refused(struct troupe *self, int fd, unsigned events, void *data)
{
    (void)self;
    (void)fd;
    (void)events;
    refused(data);
}

static void on_turn_end(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    (void)events;
    ev_prepare_stop(loop, prepare);
    port_tell(container_of(prepare, struct port, telling));
}

bool port_tell_begin(struct port *port)
{
    ev_prepare_init(&port->telling, on_turn_end);
    port->refusing = troupe_watch(port->self, port->program.in, 1, on_refused, port);
    return port->refusing != 0;
}

/* False: the pipe is full, or nothing is to be written. */
static bool write_some(struct port *port)
{
    struct iovec pieces[PIECES];
    int count = port_requests_pieces(&port->requests, pieces, PIECES);
    ssize_t n = count ? writev(port->program.in, pieces, count) : 0;

    if (n > 0)
        port_requests_wrote(&port->requests, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        refused(port);
    return n > 0 || (n < 0 && errno == EINTR);
}

bool port_tell(struct port *port)
{
    while (port->program.in >= 0 && write_some(port))
        ;
    watch(port, port->program.in >= 0 && port_requests_wait(&port->requests));
    port_balance(port);
    return port->program.in >= 0;
}
