/*
 * How a contact leaves its connection when its receiver has others waiting (seat.h): it says so on
 * it, holds back what is sent meanwhile, and sends that by another connection as soon as the
 * receiver has taken all that came by the first: so the order is kept. The first stays until the
 * answers that it owes have come. Private to the runtime.
 */
#ifndef TROUPE_YIELD_H
#define TROUPE_YIELD_H

struct contact;
struct envelope;

/* An EVENT without a number has come. */
void yield_on_event(struct contact *contact, const struct envelope *env);
/* The connection that is being left has ended by itself. */
void yield_on_close(struct contact *old);
/* Frees one that is left and no longer needed; nothing while it is. */
void yield_check(struct contact *old);

#endif
