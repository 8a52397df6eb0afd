/*
 * Receivers that a program has waited for in vain: it does not wait for them again until they take
 * something. The last few of them, by address. Pure.
 */
#ifndef TROUPE_PORT_DEAF_H
#define TROUPE_PORT_DEAF_H

#include "addr.h"

#include <stdbool.h>

enum { PORT_DEAF_MOST = 16 };

struct port_deaf {
    char addresses[PORT_DEAF_MOST][ADDR_TEXT_MAX + 1]; /* "": none */
    unsigned next;                                     /* the oldest, to be replaced */
};

bool port_deaf_is(const struct port_deaf *deaf, const char *address);
void port_deaf_add(struct port_deaf *deaf, const char *address);
void port_deaf_remove(struct port_deaf *deaf, const char *address);

#endif
