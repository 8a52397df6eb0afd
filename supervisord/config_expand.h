/*
 * ${VAR}, ${VAR:-default}, $${ and ${replica} in values (CONFIG). Pure: text in, text out.
 *
 * Some texts are expanded twice: when they are read, and at each spawn (spec_expand_replica()).
 * For these, what the second expansion must see is kept: ${replica} and $${ stand as written, and a
 * ${ that came out of a variable is written $${.
 */
#ifndef TROUPE_CONFIG_EXPAND_H
#define TROUPE_CONFIG_EXPAND_H

#include "buf.h"

#include <stdbool.h>

struct expansion {
    char *const *environment; /* "K=V", NULL-terminated; may be NULL */
    bool for_spawn;
    unsigned replica;  /* 0: ${replica} is an error */
    bool used_replica; /* out: ${replica} was replaced by its number */
};

/* Appends the expanded text and a NUL to out. 0; or -1 with ENOMEM, or with EINVAL and what is
 * wrong in why. */
int config_expand(struct expansion *expansion, const char *text, struct buf *out, char *why,
                  size_t size);
/* Appends text so that the expansion at a spawn gives it back, with a NUL. 0 or -1 (ENOMEM). */
int config_escape_for_spawn(const char *text, struct buf *out);
/* The value of a variable, or NULL. */
const char *config_variable(char *const *environment, const char *name, size_t length);

#endif
