/*
 * Private libev loops (ARCHITECTURE, decision 7). Never the default loop, never ev_child.
 */
#ifndef TROUPE_LOOP_H
#define TROUPE_LOOP_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#ifndef container_of
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#endif

/* From now on libev takes its memory where the caller's code does, and a process without any ends.
 * Once, before its first loop. */
void loop_share_memory(void);
/* A fresh epoll loop, or NULL with errno. Also ignores SIGPIPE in this process. */
struct ev_loop *loop_create(void);

/* Runs until something has happened, at most for ms (0: only what is due). */
void loop_run_for(struct ev_loop *loop, int64_t ms);

/* Call in a forked child that goes on without exec: stops the n inherited signal watchers (libev's
 * signal table is global; a new loop would abort), unblocks all signals, and returns a new loop.
 * The inherited loop is abandoned: neither run nor destroyed (its epoll descriptor is closed by the
 * caller's close_range). */
struct ev_loop *loop_after_fork(struct ev_loop *inherited, ev_signal *const *signals, size_t n);

#endif
