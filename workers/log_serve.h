/*
 * sys/log's mailbox: the requests of control.h (log-open, log-close, log, log-watch), who may make
 * them (root and the node's user), and what is to be undone when a connection ends.
 *
 * log-watch takes a third word, a wall clock in microseconds: then lines in the files since that
 * time count as well. So a supervisor that lost its connection misses nothing.
 */
#ifndef TROUPE_LOG_SERVE_H
#define TROUPE_LOG_SERVE_H

#include "log_jobs.h"
#include "log_reader.h"

struct log_server;

struct log_server_config {
    struct ev_loop *loop;
    int listen_fd;        /* taken over */
    const char *self;     /* this actor's address: "sys/log@east#3" */
    const char *own_path; /* "sys/log" */
    unsigned max_conns;
    struct log_jobs *jobs;
};

/* NULL with errno. The reader comes later: it tells the server of each chunk. */
struct log_server *log_server_create(const struct log_server_config *config);
void log_server_set_reader(struct log_server *server, struct log_reader *reader);
void log_server_destroy(struct log_server *server);

/* Something was read: for followers and watches. */
void log_server_chunk(struct log_server *server, const struct log_chunk *chunk);

#endif
