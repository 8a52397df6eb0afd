/*
 * What a port has taken on: lines that its program has not taken yet, in order, and calls that it
 * has not answered yet, by their number. A call is both at first; a cast ends with its line. Does
 * no I/O, and knows messages by their address only.
 */
#ifndef TROUPE_PORT_REQUESTS_H
#define TROUPE_PORT_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>
#include <uthash.h>

struct troupe_message;

struct port_request {
    uint64_t ref;                   /* 0: a cast */
    struct troupe_message *message; /* NULL: a cast, or answered before it was taken */
    int64_t until_ms;               /* when its caller gives up */
    char *line;                     /* NULL: taken by the program */
    size_t size, written;
    TAILQ_ENTRY(port_request) in_unwritten;
    UT_hash_handle hh; /* in asked, while it has a message */
};

struct port_requests {
    struct port_request *asked;
    TAILQ_HEAD(, port_request) unwritten;
    size_t count; /* of all; the bound of a port's `queue` */
    size_t bytes; /* of lines that are not taken yet */
    uint64_t last_ref;
};

void port_requests_init(struct port_requests *requests);
/* Frees all but messages. */
void port_requests_finish(struct port_requests *requests);

/* The number that the next call will have: 1, 2 … */
uint64_t port_requests_next_ref(const struct port_requests *requests);
/* Takes on a line (owned from now on), with a call's message or NULL. 0, or -1 (ENOMEM): the line
 * is the caller's still. */
int port_requests_add(struct port_requests *requests, struct troupe_message *message,
                      int64_t until_ms, char *line, size_t size);

/* The program has not taken all lines yet. */
bool port_requests_wait(const struct port_requests *requests);
/* What is to be written now, at most so many pieces: how many; then how many bytes of them the
 * program has taken. The pieces are valid until the next call here. */
int port_requests_pieces(const struct port_requests *requests, struct iovec *pieces, int most);
void port_requests_wrote(struct port_requests *requests, size_t n);

/* The message of call ref, which is no longer asked; or NULL. */
struct troupe_message *port_requests_answered(struct port_requests *requests, uint64_t ref);
/* Was there ever such a call? */
bool port_requests_knew(const struct port_requests *requests, uint64_t ref);

/* Gives the messages of all calls whose time is up to `expired`. What the program has not begun to
 * read of them it will never see. */
void port_requests_expire(struct port_requests *requests, int64_t now_ms,
                          void (*expired)(struct troupe_message *message));

#endif
