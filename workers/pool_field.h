/*
 * What a message says in one of its arguments: the key of a job, its worker, its priority. The same
 * value is the same text, whether it came as a number or in a raw line.
 */
#ifndef TROUPE_WORKERS_POOL_FIELD_H
#define TROUPE_WORKERS_POOL_FIELD_H

#include <troupe.h>

enum { POOL_FIELD_ROOM = 32 };

/* Argument number `field`, from 1, as text: in the message, or in room. at NULL: there is none. */
struct troupe_bytes pool_field_text(const struct troupe_message *message, uint64_t field,
                                    char room[POOL_FIELD_ROOM]);

#endif
