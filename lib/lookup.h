/*
 * Looking a name up: the full address of whoever listens at a path, from its HELLO. Private to the
 * runtime.
 */
#ifndef TROUPE_LOOKUP_H
#define TROUPE_LOOKUP_H

#include <sys/queue.h>

struct contact;
struct lookup;

LIST_HEAD(lookups, lookup);

/* What contact.c reports: the other has said who it is; nobody is there. */
void lookup_on_open(struct contact *contact);
void lookup_on_nobody(struct contact *contact);

#endif
