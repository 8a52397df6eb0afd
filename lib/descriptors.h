/*
 * Descriptors that the author watches (troupe_watch). They rest while a handler waits, so that nothing
 * of the author's runs within another. Private to the runtime.
 */
#ifndef TROUPE_DESCRIPTORS_H
#define TROUPE_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct troupe;

struct descriptors {
    LIST_HEAD(, descriptor) all;
    uint64_t last;
    bool held;
};

void descriptors_hold(struct troupe *self, bool held);
void descriptors_finish(struct troupe *self);

#endif
