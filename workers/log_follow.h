/*
 * Followers: who asked to see lines as they come. One that does not read loses lines and is told
 * how many; it never makes anybody wait, and never holds more than its bound.
 */
#ifndef TROUPE_LOG_FOLLOW_H
#define TROUPE_LOG_FOLLOW_H

#include "log_reader.h"
#include "peer.h"

struct log_followers;
struct log_follower;

/* NULL with errno. */
struct log_followers *log_followers_create(struct ev_loop *loop);
void log_followers_destroy(struct log_followers *followers);

/* Begins in silence: what comes is held (up to a bound) until log_follower_go_live(). */
struct log_follower *log_follower_add(struct log_followers *followers, struct peer *peer,
                                      uint64_t ref, const char *path);
/* Forgets what is held: the history that is about to be read will contain it. */
void log_follower_forget(struct log_follower *follower);
void log_follower_go_live(struct log_follower *follower);
/* Removes all of a peer that is going away. */
void log_followers_remove(struct log_followers *followers, const struct peer *peer);

void log_followers_chunk(struct log_followers *followers, const struct log_chunk *chunk);

#endif
