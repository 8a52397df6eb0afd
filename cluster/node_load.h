/*
 * What a node says of itself in the `load` column of its row: how long its lease is, how full it
 * is, and what it offers. One line of words:
 *
 *     lease=5000 memory=12 load=30 lock=BOOT:DEVICE:INODE:PATH shop/carts=3/100 shop/tables=0/50
 *
 * Numbers are ms, percent, and instances of at most so many; the lock is node_lock.h's. Pure.
 */
#ifndef TROUPE_CLUSTER_NODE_LOAD_H
#define TROUPE_CLUSTER_NODE_LOAD_H

#include "buf.h"
#include "membership.h"

enum {
    NODE_LOAD_MAX = CONTROL_LOAD_MAX,         /* bytes: what the store takes */
    NODE_LOAD_HEAD_MAX = NODE_LOCK_MAX + 128, /* of them before the services */
};

/* Bytes that a service of that path takes, at most. */
size_t node_load_of(const char *path);

/* Appends it, terminated. 0, or -1 with ENOMEM. */
int node_load_write(const struct node_row *row, struct buf *out);
/* Fills these fields of row; services go into room for MEMBERSHIP_SERVICES_MAX, and row borrows it.
 * What is not understood is passed over; a lease that is not told is the longest there may be. */
void node_load_read(struct node_row *row, const char *text, struct node_service *room);

#endif
