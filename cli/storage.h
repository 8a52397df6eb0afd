/*
 * What is asked of sys/store, which keeps the state of actors (lib/control.h).
 */
#ifndef TROUPE_CLI_STORAGE_H
#define TROUPE_CLI_STORAGE_H

#include "cli.h"

/* A row of state: that of `shop/carts/42` is of the service `shop/carts`, with the id `42`. */
struct storage_row {
    char path[ADDR_PATH_MAX + 1];
    char service[ADDR_PATH_MAX + 1];
    const char *id; /* within path */
    const char *name;
};

/* Reads an address and a name. 0, or an exit status after having said why. */
int storage_row(struct cli *cli, const char *address, const char *name, struct storage_row *row);

/* One request with values, one answer: ANSWER_VALUES, or ANSWER_WORDS. what is named when it fails.
 * 0 and answer (to be finished), else an exit status after having said why. */
int storage_ask(struct cli *cli, const char *what, const char *verb, const char *format,
                const union wire_value *values, struct answer *answer);

static inline union wire_value storage_text(const char *text)
{
    return (union wire_value){.bytes = {(char *)text, __builtin_strlen(text)}};
}

#endif
