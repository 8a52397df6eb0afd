/*
 * A LINK on its way (SEMANTICS 7): one's own half, to hear of the other's end, and the other's
 * half, to be heard of. The own half is made first; PEER is whole or not at all. Answered once.
 */
#ifndef TROUPE_LINKING_H
#define TROUPE_LINKING_H

#include "addr.h"
#include "party.h"

struct peer;

enum link_mode { LINK_MONITOR = 1, LINK_NOTIFY = 2, LINK_PEER = 3 };

/* "MONITOR", "NOTIFY", "PEER". Returns the mode, or 0. */
enum link_mode link_mode_of(const char *text);

/* Links the party with what is at addr; it gets LINKED or DOWN 0. */
void linking_begin(struct party *party, enum link_mode mode, const struct addr *addr);
/* The same for somebody else's NOTIFY: the party will hear of the end of addr; the request of that
 * peer is answered. */
void linking_begin_for(struct party *party, const struct addr *addr, struct peer *peer,
                       uint64_t ref);
/* Subtracts. */
void linking_undo(struct party *party, enum link_mode mode, const struct addr *addr);
/* The party hears of that end no more. */
void linking_undo_own(struct party *party, const char *path);

/* The watch that is somebody's own half stands, or is over. */
void linking_on_stand(struct party *party, struct watch *watch);
void linking_on_over(struct party *party, struct watch *watch);
/* The party's incarnation is over, and so is all that it asked for. */
void linking_drop_all(struct party *party);
/* Nobody waits for an answer on that connection any more. */
void linking_forget_peer(struct backplane *plane, const struct peer *peer);

#endif
