/*
 * The messages that a program has said it understands, as the runtime wants them (troupe_declare):
 * entries are only added, and stay where they are. Pure but for memory.
 */
#ifndef TROUPE_PORT_TABLE_H
#define TROUPE_PORT_TABLE_H

#include "troupe.h"

enum { PORT_TABLE_MAX = 250 };

struct port_table {
    struct troupe_handler entries[PORT_TABLE_MAX + 1]; /* {0} behind the last */
    size_t count;
};

/* Adds NAME, ARGUMENTS, REPLY, HELP, of which those behind the last given are NULL (copied). 0; or
 * -1 with *why, a static phrase. */
int port_table_add(struct port_table *table, char *const *fields,
                   void (*handle)(struct troupe *self, struct troupe_message *message),
                   const char **why);
/* The entry of that name, or NULL. */
const struct troupe_handler *port_table_find(const struct port_table *table, const char *name);
void port_table_finish(struct port_table *table);

#endif
