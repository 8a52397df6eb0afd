/*
 * What sys/node has to say itself on a channel whose mailbox has not said HELLO: nothing may come before that,
 * so refusals wait, whole ones, each after its size.
 */
#ifndef TROUPE_CLUSTER_EARLY_H
#define TROUPE_CLUSTER_EARLY_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0; or -1: too much waits already, or memory is short. size: below 64 KiB. */
int early_keep(struct buf *early, const uint8_t *bytes, size_t size);
/* The next one, valid until the buffer changes; false: there is none. */
bool early_take(struct buf *early, const uint8_t **bytes, size_t *size);
/* That one, of this size, has been said. */
void early_drop(struct buf *early, size_t size);

#endif
