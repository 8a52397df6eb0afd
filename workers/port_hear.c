/* What the program says is done. */
#include "port.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_BYTES = 16 << 10, /* at once, so that messages get their turns */
    HELD_RETRY_MS = 10,
    HELD_MOST_MS = 1000, /* then a cast is lost, and the program is read again */
    STATUS_MS = 100,     /* at least between two */
};

/* ---- values -------------------------------------------------------------------------------- */

/* The number that was promised, if it is one; else a text, or bytes when it is none. */
static struct troupe_value value_of(char *field, char type)
{
    char format[] = {type, '\0'};
    union wire_value number;
    size_t length = strlen(field);
    int bad;

    if (type && strchr("iIuUf", type) && wire_values_of_text(format, &field, 1, &number, &bad) == 0)
        return type == 'f'                  ? troupe_value_double(number.f)
               : type == 'i' || type == 'I' ? troupe_value_int(number.i)
                                            : troupe_value_uint(number.u);
    if (text_is_utf8(field, length))
        return troupe_value_text(field);
    return troupe_value_bytes(troupe_bytes_of(field, length));
}

/* types: of the values, or "" or too few where nothing was promised. */
static const struct troupe_value *values_of(char *const *fields, const char *types,
                                            struct troupe_value values[WIRE_VALUES_MAX + 1])
{
    int n = 0;

    for (; fields[n] && n < WIRE_VALUES_MAX; n++) {
        values[n] = value_of(fields[n], *types);
        types += *types != '\0';
    }
    values[n] = (struct troupe_value){0};
    return values;
}

/* ---- answers ------------------------------------------------------------------------------- */

/* The call that is answered; or NULL, and that is a fault. */
static struct troupe_message *answered(struct port *port, uint64_t ref)
{
    struct troupe_message *message = port_requests_answered(&port->requests, ref);
    char text[24];

    if (message)
        return message;
    snprintf(text, sizeof text, "%" PRIu64, ref);
    port_fault(port,
               port_requests_knew(&port->requests, ref) ? PORT_FAULT_LATE : PORT_FAULT_UNKNOWN_REF,
               text);
    return NULL;
}

static void on_answer(struct port *port, const struct port_line *line)
{
    struct troupe_message *message = answered(port, line->ref);
    struct troupe_value values[WIRE_VALUES_MAX + 1];
    const struct troupe_handler *declared;

    if (!message)
        return;
    declared = port_table_find(&port->table, troupe_name(message));
    troupe_reply_values(message, values_of(line->fields, declared ? declared->reply : "", values));
}

/* Failures that have a name of their own (SEMANTICS 6) may be said by a program, too. */
static bool is_named(const char *reason)
{
    static const char *const names[] = {"unknown_message", "bad_message", "overloaded"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);

        if (strncmp(reason, names[i], length) == 0 && (!reason[length] || reason[length] == ' '))
            return true;
    }
    return false;
}

static void on_error(struct port *port, const struct port_line *line)
{
    struct troupe_message *message = answered(port, line->ref);
    char reason[REASON_MAX];

    if (!message)
        return;
    reason_copy(line->count ? line->fields[0] : "", "without a reason", reason);
    if (is_named(reason))
        troupe_refuse(message, "%s", reason);
    else
        troupe_fail(message, "%s", reason);
}

/* A line that is none costs the answer that it would have been. */
static void on_bad(struct port *port, uint64_t ref, enum port_fault fault, const char *why)
{
    struct troupe_message *message = ref ? port_requests_answered(&port->requests, ref) : NULL;

    port_fault(port, fault, why);
    if (message)
        troupe_fail(message, "port: %s", why);
}

/* ---- what is said unasked ------------------------------------------------------------------ */

static void try_again(struct troupe *self, uint64_t count, void *data);

static void lose_cast(struct port *port, const struct port_line *line, int code)
{
    char what[512];

    snprintf(what, sizeof what, "%.255s %.64s: %s", line->fields[0], line->fields[1],
             code == EAGAIN   ? "it does not keep up"
             : code == EINVAL ? "not an address and a message's name"
                              : strerror(code));
    port_fault(port, PORT_FAULT_LOST_CAST, what);
}

/* Sent, or lost: true. False: the receiver's outbox is full, and there is time. */
static bool cast(struct port *port, const struct port_line *line, bool is_last_try)
{
    struct troupe_value values[WIRE_VALUES_MAX + 1];
    const char *to = line->fields[0];
    int code;

    if (troupe_cast_values(port->self, to, line->fields[1],
                           values_of(line->fields + 2, "", values)) == 0) {
        port_deaf_remove(&port->deaf, to);
        return true;
    }
    code = errno;
    if (code == EAGAIN) {
        if (!is_last_try && !port_deaf_is(&port->deaf, to))
            return false;
        port_deaf_add(&port->deaf, to);
    }
    lose_cast(port, line, code);
    return true;
}

static bool try_later(struct port *port)
{
    return troupe_after(port->self, HELD_RETRY_MS, try_again, port) != 0;
}

/* The line is port->held: it stays where it is when it must wait. */
static void on_cast(struct port *port, const struct port_line *line)
{
    if (cast(port, line, false))
        return;
    if (!try_later(port)) {
        cast(port, line, true);
        return;
    }
    port->is_held = true;
    port->held_since_ms = port_now_ms();
    port_listen(port, false);
}

static void on_publish(struct port *port, const struct port_line *line)
{
    struct troupe_value values[WIRE_VALUES_MAX + 1];
    char why[128];

    if (troupe_publish_values(port->self, line->fields[0],
                              values_of(line->fields + 1, "", values)) >= 0)
        return;
    snprintf(why, sizeof why, "publish %.64s: %s", line->fields[0],
             errno == EINVAL ? "not a topic" : strerror(errno));
    on_bad(port, 0, PORT_FAULT_BAD_LINE, why);
}

static void on_log(struct port *port, const struct port_line *line)
{
    const char *level = line->fields[0];

    if (!*level || level[strspn(level, "abcdefghijklmnopqrstuvwxyz")])
        on_bad(port, 0, PORT_FAULT_BAD_LINE, "log: expected a level such as info");
    else
        troupe_log(port->self, level, "port.log", "text", line->fields[1], NULL);
}

static void tell_status(struct troupe *self, uint64_t count, void *data)
{
    struct port *port = data;

    (void)count;
    port->telling_status = 0;
    troupe_status(self, "%s", port->status);
}

/* The last one counts, and is told soon enough. */
static void on_status(struct port *port, const struct port_line *line)
{
    snprintf(port->status, sizeof port->status, "%s", line->fields[0]);
    if (!port->telling_status)
        port->telling_status = troupe_after(port->self, STATUS_MS, tell_status, port);
}

/* A program that describes its messages takes no others, unless it describes * as well. */
static void on_describe(struct port *port, const struct port_line *line)
{
    const char *why;

    if (strcmp(line->fields[0], "*") == 0)
        port->takes_others = true;
    else if (port_table_add(&port->table, line->fields, port_take, &why) < 0)
        on_bad(port, 0, PORT_FAULT_BAD_LINE, why);
    troupe_declare(port->self, port->table.entries, port->takes_others ? port_take : NULL);
}

static void on_ready(struct port *port, const struct port_line *line)
{
    if (line->count)
        troupe_ready_text(port->self, "%s", line->fields[0]);
    troupe_ready(port->self);
}

/* ---- lines --------------------------------------------------------------------------------- */

static void on_line(struct port *port, const struct port_line *line)
{
    static void (*const deeds[])(struct port * port, const struct port_line *line) = {
        [PORT_LINE_ANSWER] = on_answer,     [PORT_LINE_ERROR] = on_error,
        [PORT_LINE_CAST] = on_cast,         [PORT_LINE_PUBLISH] = on_publish,
        [PORT_LINE_LOG] = on_log,           [PORT_LINE_STATUS] = on_status,
        [PORT_LINE_DESCRIBE] = on_describe, [PORT_LINE_READY] = on_ready,
    };

    if (line->kind == PORT_LINE_BAD)
        on_bad(port, line->ref, PORT_FAULT_BAD_LINE, line->why);
    else
        deeds[line->kind](port, line);
}

static void on_long(struct port *port, const char *head, size_t size)
{
    char why[80];

    snprintf(why, sizeof why, "a line of the program is longer than %zu bytes", port->args.line);
    on_bad(port, port_line_ref(head, size), PORT_FAULT_LONG_LINE, why);
}

/* All lines that are there, until one is held. */
static void act(struct port *port)
{
    enum port_read kind;
    char *text;
    size_t size;

    while (!port->is_held &&
           (kind = port_reader_take(&port->reader, &text, &size)) != PORT_READ_NONE) {
        if (kind == PORT_READ_LONG) {
            on_long(port, text, size);
            continue;
        }
        port_line_parse(text, size, &port->held);
        on_line(port, &port->held);
    }
    port_balance(port);
}

static void go_on(struct port *port)
{
    port->is_held = false;
    act(port);
    port_listen(port, !port->is_held);
}

/* The held cast goes, or waits on, or is lost; then what came behind it is done. */
static void try_again(struct troupe *self, uint64_t count, void *data)
{
    struct port *port = data;
    bool is_last_try = port_now_ms() - port->held_since_ms >= HELD_MOST_MS;

    (void)self;
    (void)count;
    if (!port->is_held)
        return;
    if (cast(port, &port->held, is_last_try))
        go_on(port);
    else if (!try_later(port))
        port_hear_held(port);
}

void port_hear_held(struct port *port)
{
    if (!port->is_held)
        return;
    cast(port, &port->held, true);
    go_on(port);
}

bool port_hear(struct port *port)
{
    void *room =
        port->program.out < 0 || port->is_held ? NULL : port_reader_room(&port->reader, READ_BYTES);
    ssize_t n;

    if (!room)
        return false;
    n = read(port->program.out, room, READ_BYTES);
    if (n < 0)
        return errno == EINTR;
    if (n == 0) {
        port_listen(port, false);
        port_program_close_output(&port->program);
        port_is_closed(port, "error port: the program has closed its output");
        return false;
    }
    port_reader_fed(&port->reader, (size_t)n);
    act(port);
    return true;
}

static void on_readable(struct troupe *self, int fd, unsigned events, void *data)
{
    (void)self;
    (void)fd;
    (void)events;
    port_hear(data);
}

void port_listen(struct port *port, bool listen)
{
    if (listen && !port->reading && port->program.out >= 0) {
        port->reading = troupe_watch(port->self, port->program.out, 1, on_readable, port);
    } else if (!listen && port->reading) {
        troupe_unwatch(port->self, port->reading);
        port->reading = 0;
    }
}
