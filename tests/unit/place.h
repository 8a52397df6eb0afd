/*
 * A place to test sockets in: a directory of its own, and a loop whose turns end soon. For one test
 * program, whose file includes it.
 */
#ifndef TESTS_UNIT_PLACE_H
#define TESTS_UNIT_PLACE_H

#include "loop.h"
#include "mono.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 10000 };

static char dir[64];
static struct ev_loop *loop;
static ev_timer place_tick;

/* Runs the loop until condition holds; false when it took too long. */
#define UNTIL(condition)                                                                           \
    ({                                                                                             \
        struct mono start_ = mono_now();                                                           \
        bool holds_ = (condition);                                                                 \
        while (!holds_ && mono_diff_ms(mono_now(), start_) < PATIENCE_MS) {                        \
            ev_run(loop, EVRUN_ONCE);                                                              \
            holds_ = (condition);                                                                  \
        }                                                                                          \
        holds_;                                                                                    \
    })

static void place_on_tick(struct ev_loop *l, ev_timer *w, int revents)
{
    (void)l;
    (void)w;
    (void)revents;
}

/* 0, or -1 with errno. The directory is named after the test. */
static int place_make(const char *name)
{
    snprintf(dir, sizeof dir, "/tmp/troupe-%s.XXXXXX", name);
    if (!mkdtemp(dir))
        return -1;
    loop = loop_create();
    if (!loop)
        return -1;
    ev_timer_init(&place_tick, place_on_tick, 0.002, 0.002);
    ev_timer_start(loop, &place_tick);
    return 0;
}

/* What is in the directory, its test removes, and then the directory. */
static void place_leave(void)
{
    ev_timer_stop(loop, &place_tick);
    ev_loop_destroy(loop);
}

#endif
