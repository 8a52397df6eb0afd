/*
 * sys/store's mailbox: control.h's requests to rows, from root and the node's user, checked and
 * handed to the store; what it answers goes back. A connection that ends takes nothing back: what
 * it asked for is carried out, and told to nobody.
 */
#ifndef TROUPE_STORE_SERVE_H
#define TROUPE_STORE_SERVE_H

#include "store_backend.h"
#include "store_herald.h"

struct store_server;

/* listen_fd is taken over; self is this actor's address ("sys/store@east#3"), kept, and so are
 * store and herald, which is told of reminders; both outlive the server. NULL with errno. */
struct store_server *store_server_create(struct ev_loop *loop, int listen_fd, const char *self,
                                         unsigned max_conns, struct store *store,
                                         struct herald *herald);
/* Closes all connections; their requests must have been answered, or the store be closed right
 * after. Takes NULL. */
void store_server_destroy(struct store_server *server);

#endif
