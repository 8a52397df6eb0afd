/*
 * The parts of a port, which makes any program an actor: port.c starts and ends it, port_tell.c
 * hands messages to the program, port_hear.c does what the program says. Private to them.
 */
#ifndef TROUPE_PORT_H
#define TROUPE_PORT_H

#include "port_args.h"
#include "port_deaf.h"
#include "port_faults.h"
#include "port_line.h"
#include "port_program.h"
#include "port_reader.h"
#include "port_requests.h"
#include "port_table.h"
#include "troupe.h"

#include <ev.h>

enum { PORT_STATUS_SIZE = 512 };

struct port {
    struct troupe *self;
    struct port_args args;
    struct port_program program;
    struct port_reader reader;
    struct port_requests requests;
    struct port_table table;
    struct port_faults faults;
    struct port_deaf deaf;

    bool takes_others; /* messages that it has not described; asked only once it has described some
                        */
    ev_prepare telling;                          /* writes what has come in this turn of the loop */
    uint64_t reading, writing, refusing, ending; /* watches, or 0 */
    uint64_t expiring; /* timer that looks for callers who have given up, or 0 */
    bool is_paused;    /* it has as much as it can hold */
    bool is_over;      /* the port is ending: no message will be taken */

    struct port_line
        held; /* a cast whose receiver does not keep up; nothing is read until it is sent */
    bool is_held;
    int64_t held_since_ms;

    char status[PORT_STATUS_SIZE]; /* what it said last, not yet passed on */
    uint64_t telling_status;       /* timer, or 0 */
};

int64_t port_now_ms(void);
/* Counts what the program did wrong, and perhaps logs it. */
void port_fault(struct port *port, enum port_fault fault, const char *what);
/* The program has closed one of its ends: it gets a moment to end by itself. */
void port_is_closed(struct port *port, const char *why);

/* ---- port_tell.c ---- */

/* Takes a message on: a handler, and what takes all others. */
void port_take(struct troupe *self, struct troupe_message *message);
/* Writes what the program takes now. False: it takes nothing any more. */
bool port_tell(struct port *port);
/* Looks after the program's input. False: ENOMEM. */
bool port_tell_begin(struct port *port);
/* The program will read the end of its input behind what it has. */
void port_tell_end(struct port *port);
/* Something was answered or written: takes messages again if it may. */
void port_balance(struct port *port);

/* ---- port_hear.c ---- */

/* Begins and ends to listen. */
void port_listen(struct port *port, bool listen);
/* Reads once and does what was said. False: nothing more is there now. */
bool port_hear(struct port *port);
/* Sends what is held, or loses it, and does what was said after it. */
void port_hear_held(struct port *port);

#endif
