/*
 * What a store that is a server of its own can suffer, and must not lose: killed during saves,
 * halted, answers lost on their way. The same for each kind of server; a test program says how it
 * is started.
 */
#ifndef TESTS_UNIT_STORE_SERVERS_H
#define TESTS_UNIT_STORE_SERVERS_H

#include "store_suite.h"

#include <sys/types.h>

struct store_server_kind {
    struct store_config config; /* reaches the server by its socket */
    const char *socket;
    /* The same by another socket, which a relay of the suite listens at. */
    struct store_config relayed;
    const char *relay_socket;
    /* In a child of the test: becomes the server. */
    void (*become)(void);
};

/* Starts the server; it dies with the test. Started again by itself until it stays, when it was
 * killed. */
void server_start(const struct store_server_kind *kind);
/* Ends it, when a test is over. */
void server_end(void);
/* Becomes another user, for servers that refuse root. Only in a child. */
void become_user(const char *name);

void store_servers_suite(const struct store_server_kind *kind);

#endif
