/*
 * Sending: what troupe.h's section 4 offers, on contacts and calls. Private to the runtime.
 */
#ifndef TROUPE_CAST_H
#define TROUPE_CAST_H

#include "envelope.h"
#include "values.h"

/* A cast of packed values. 0, or -1 with errno as troupe_cast(). */
int cast_payload(struct troupe *self, const char *to, const char *name, const struct payload *payload);

/* Members that get it by another way: addr_hash() of each. */
struct cast_except {
    uint64_t hashes[ENVELOPE_MAX_BLOCKED];
    unsigned count;
};

/* The same to all members in that node of a group, `SCOPE:GROUP`, but for these: its sys/node hands it on. */
int cast_to_group(struct troupe *self, const char *node, const char *group,
                  const struct cast_except *except, const char *name, const struct payload *payload);

/* The failure that says why a message could not even be queued, for this errno. */
const char *cast_failure(int code);

#endif
