/*
 * Whom this node dials: what its configuration and `connect` say, and, when it is transitive, what
 * proven peers tell of their own peers (CLUSTER 1). Pure but for memory: times and random numbers
 * are arguments; the caller dials and says what came of it.
 *
 * A target is a URL; the name behind it is known once it has proven itself. Never is a node dialled
 * with which there is a session, nor one that was disconnected by order, until somebody says
 * connect. Of two nodes that hear of each other the lower-named dials at once and the higher-named
 * a little later, if it must at all.
 */
#ifndef TROUPE_CLUSTER_MESH_H
#define TROUPE_CLUSTER_MESH_H

#include "auth.h"
#include "dialing.h"

#include <stdbool.h>
#include <stddef.h>

enum { MESH_LEARNED_MAX = 1024 }; /* targets that peers told of */

/* Which peers of its peers a node dials. None: it is isolated. In clear text beyond this host's
 * loopback only where the network is trusted. */
enum mesh_learning { MESH_LEARNS_NONE, MESH_LEARNS_PRIVATE, MESH_LEARNS_ALL };

enum mesh_origin { MESH_ORDERED, MESH_LEARNED };

struct mesh_target {
    char url[AUTH_URL_MAX + 1];
    char name[ADDR_PART_MAX + 1]; /* "" until known */
    enum mesh_origin origin;
    char why[128]; /* what came of the last try; for people, set by the caller */
    bool is_asked; /* connected by order after the last disconnect that could have meant it */
    struct dialing dialing;
    struct mesh_target *prev, *next;
};

struct mesh {
    char name[ADDR_PART_MAX + 1]; /* ours */
    char url[AUTH_URL_MAX + 1];
    enum mesh_learning learning;
    struct mesh_target *targets;
    size_t learned;
    struct mesh_unwanted *unwanted;
};

/* url: where we listen, "" nowhere. */
void mesh_init(struct mesh *mesh, const char *name, const char *url, enum mesh_learning learning);
void mesh_finish(struct mesh *mesh);

/* Configuration, or `connect`: dialled at once, even if it was disconnected. Returns the target, or
 * NULL when it is our own URL. */
struct mesh_target *mesh_connect(struct mesh *mesh, const char *url, int64_t now_ms);
/* A proven peer (is_tls: that we have by TLS) has itself a peer. True: it is new and will be
 * dialled. Not when it is known, unwanted, or ourselves, when there is no room, nor in clear text
 * when we heard of it, or listen, by TLS; nor beyond what enum mesh_learning says. */
bool mesh_learn(struct mesh *mesh, const char *name, const char *url, bool is_tls, int64_t now_ms,
                uint32_t random);
/* `disconnect`: no target of that name is dialled, and mesh_is_unwanted(). */
void mesh_disconnect(struct mesh *mesh, const char *name);
bool mesh_is_unwanted(const struct mesh *mesh, const char *name);
void mesh_each_unwanted(const struct mesh *mesh, void (*visit)(void *ctx, const char *name), void *ctx);

/* One that is due, now being tried, or NULL. */
struct mesh_target *mesh_try(struct mesh *mesh, int64_t now_ms);
/* When the next one is due; INT64_MAX: none. */
int64_t mesh_due_ms(const struct mesh *mesh);
/* It has proven to be of this name: if it was connected by order, that node is wanted again. */
void mesh_identified(struct mesh *mesh, struct mesh_target *target, const char *name);
/* It came to nothing. has_session: there is one with its name all the same. A target that turned
 * out to be ourselves is not tried again. */
void mesh_failed(struct mesh_target *target, enum auth_reason reason, bool has_session,
                 int64_t now_ms, uint32_t random);
/* A session with that name began, or ended. */
void mesh_session(struct mesh *mesh, const char *name);
void mesh_session_ended(struct mesh *mesh, const char *name, int64_t now_ms, uint32_t random);

#endif
