/*
 * Any program is an actor: it reads a line for each message, and writes a line for each answer.
 *
 *     - name: calc
 *       module: port
 *       args: {exec: "awk -f calc.awk"}
 *
 * The lines are explained in troupe-port(7), and in port_line.h.
 */
#include "port.h"

#include "mono.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    CLOSED_MS = 1000, /* for a program that has closed a pipe to end by itself */
    LAST_READS = 128, /* of what a program that has ended left in its pipe */
};

int64_t port_now_ms(void)
{
    return mono_now().us / 1000;
}

void port_fault(struct port *port, enum port_fault fault, const char *what)
{
    char count[24], more[24];
    uint64_t untold;

    if (!port_faults_count(&port->faults, fault, port_now_ms(), &untold))
        return;
    snprintf(count, sizeof count, "%" PRIu64, port->faults.count[fault]);
    snprintf(more, sizeof more, "%" PRIu64, untold);
    troupe_log(port->self, "warning", "port.fault", "fault", port_fault_name(fault), "what", what,
               "count", count, untold ? "untold" : NULL, more, NULL);
}

/* A cast of the program's that found nobody, or was not understood. */
static void undelivered(struct troupe *self, const char *to, const char *name, const char *why)
{
    char text[PORT_STATUS_SIZE];

    snprintf(text, sizeof text, "%s %s: %s", to, name, why);
    port_fault(troupe_state(self), PORT_FAULT_LOST_CAST, text);
}

/* ---- the end of the program ---------------------------------------------------------------- */

static void on_closed(struct troupe *self, uint64_t count, void *data)
{
    const char *why = data;

    (void)count;
    troupe_exit(self, NULL, "%s", why);
}

void port_is_closed(struct port *port, const char *why)
{
    troupe_after(port->self, CLOSED_MS, on_closed, (void *)why);
}

/* All that it has said, when it can say no more. */
static void hear_last_words(struct port *port)
{
    char text[64];
    size_t rest;

    for (int reads = 0; reads < LAST_READS && (port_hear(port) || port->is_held); reads++)
        port_hear_held(port);
    rest = port_reader_rest(&port->reader);
    snprintf(text, sizeof text, "%zu bytes without a newline", rest);
    if (rest)
        port_fault(port, PORT_FAULT_HALF_LINE, text);
}

/* Its end is the port's, and whoever waits for an answer hears of it. */
static void on_end(struct troupe *self, int fd, unsigned events, void *data)
{
    struct port *port = data;
    char reason[REASON_MAX];

    (void)fd;
    (void)events;
    hear_last_words(port);
    if (port_program_reap(&port->program, reason))
        troupe_exit(self, NULL, "%s", reason);
}

/* ---- the beginning ------------------------------------------------------------------------- */

static int read_args(struct port *port)
{
    struct troupe *self = port->self;
    char why[PORT_ARGS_WHY];
    const char *key;

    port_args_init(&port->args);
    for (unsigned i = 0; (key = troupe_arg_key(self, i)); i++)
        if (port_args_set(&port->args, key, troupe_arg(self, key), why) < 0)
            return troupe_error(self, "args: %s", why);
    if (!port->args.exec)
        return troupe_error(self, "args: exec: missing: expected a command");
    return TROUPE_READY;
}

static int start(struct port *port)
{
    struct troupe *self = port->self;
    const char *command = port->args.exec[0];

    if (port_program_start(&port->program, port->args.exec) < 0)
        return troupe_error(self, "exec: %.100s: %s", command, strerror(errno));
    port_listen(port, true);
    port->ending = troupe_watch(self, port->program.end, 1, on_end, port);
    if (!port_tell_begin(port) || !port->reading || !port->ending)
        return troupe_error(self, "out of memory");
    return port->args.is_ready_by_line ? TROUPE_LATER : TROUPE_READY;
}

static int init(struct troupe *self)
{
    struct port *port = troupe_state(self);
    int result;

    port->self = self;
    port_program_init(&port->program);
    port_requests_init(&port->requests);
    result = read_args(port);
    port_reader_init(&port->reader, port->args.line);
    return result == TROUPE_READY ? start(port) : result;
}

/* ---- the end of the port ------------------------------------------------------------------- */

/* Sleeps until it can be talked to, has said something, or has ended. */
static void wait_for_program(const struct port *port, int64_t ms)
{
    struct pollfd polls[] = {{.fd = port->program.end, .events = POLLIN},
                             {.fd = port->program.out, .events = POLLIN},
                             {.fd = port->program.in, .events = POLLOUT}};

    poll(polls, sizeof polls / sizeof *polls, (int)ms);
}

/* What it was given is written, what it says is heard, until it has ended. True: it has. */
static bool wait_for_end(struct port *port, int64_t ms)
{
    int64_t until_ms = port_now_ms() + ms, left;
    char reason[REASON_MAX];

    while ((left = until_ms - port_now_ms()) > 0) {
        if (!port_tell(port) || !port_requests_wait(&port->requests))
            port_tell_end(port);
        wait_for_program(port, left);
        if (port_hear(port) || port->is_held)
            port_hear_held(port);
        if (port_program_reap(&port->program, reason)) {
            hear_last_words(port);
            return true;
        }
    }
    return false;
}

/* In order: it reads to the end of its input, answers what it has, and goes. Else it is told to. */
static void terminate(struct troupe *self, const char *reason)
{
    struct port *port = troupe_state(self);

    (void)reason;
    port->is_over = true;
    if (port->program.pid && !wait_for_end(port, port->args.grace_ms)) {
        port_program_signal(&port->program, SIGTERM);
        port_program_signal(&port->program, SIGCONT);
        wait_for_end(port, port->args.grace_ms);
    }
    port_listen(port, false);
    troupe_unwatch(self, port->ending);
    port_tell_end(port);
    port_program_finish(&port->program);
    port_requests_finish(&port->requests);
    port_reader_finish(&port->reader);
    port_args_finish(&port->args);
}

TROUPE_ACTOR(.state_size = sizeof(struct port), .init = init, .receive = port_take,
             .terminate = terminate, .undelivered = undelivered);
