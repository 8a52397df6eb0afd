/*
 * Orders: the control socket of Troupe's own programs (PROTOCOL 4), whose loop is their own. It answers
 * PING, and tells of the one order that they get: to stop; also when their supervisor has gone.
 */
#ifndef TROUPE_ORDERS_H
#define TROUPE_ORDERS_H

#include <ev.h>

struct orders {
    int fd; /* -1: nobody supervises */
    ev_io io;
    void (*on_stop)(void *data); /* may come again */
    void *data;
};

/* The descriptor is that of TROUPE_CONTROL, which what this program executes does not get. */
void orders_init(struct orders *orders, void (*on_stop)(void *data), void *data);
void orders_start(struct orders *orders, struct ev_loop *loop);
/* One line or more, with their ends: "READY\n". */
void orders_say(const struct orders *orders, const char *lines);

#endif
