#include "descriptors.h"

#include "runtime.h"

#include <stdlib.h>

struct descriptor {
    LIST_ENTRY(descriptor) link;
    struct troupe *self;
    uint64_t number;
    ev_io watcher;
    troupe_on_ready *fn;
    void *data;
};

_Static_assert(EV_READ == 1 && EV_WRITE == 2, "troupe.h promises these numbers");

static void on_ready(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct descriptor *descriptor = container_of(watcher, struct descriptor, watcher);
    struct troupe *self = descriptor->self;

    (void)loop;
    if (self->busy || self->waiting || self->ending || self->enough)
        return; /* it is ready still, later */
    agenda_enter(self);
    descriptor->fn(self, watcher->fd, (unsigned)revents & (EV_READ | EV_WRITE), descriptor->data);
    agenda_leave(self);
}

uint64_t troupe_watch(struct troupe *self, int fd, unsigned events, troupe_on_ready *fn, void *data)
{
    struct descriptor *descriptor = calloc(1, sizeof *descriptor);

    if (!descriptor)
        return 0;
    descriptor->self = self;
    descriptor->number = ++self->descriptors.last;
    descriptor->fn = fn;
    descriptor->data = data;
    ev_io_init(&descriptor->watcher, on_ready, fd, (int)(events & (EV_READ | EV_WRITE)));
    LIST_INSERT_HEAD(&self->descriptors.all, descriptor, link);
    if (!self->descriptors.held)
        ev_io_start(self->loop, &descriptor->watcher);
    return descriptor->number;
}

static void forget(struct descriptor *descriptor)
{
    ev_io_stop(descriptor->self->loop, &descriptor->watcher);
    LIST_REMOVE(descriptor, link);
    free(descriptor);
}

void troupe_unwatch(struct troupe *self, uint64_t watch)
{
    struct descriptor *descriptor;

    LIST_FOREACH(descriptor, &self->descriptors.all, link)
    if (descriptor->number == watch) {
        forget(descriptor);
        return;
    }
}

void descriptors_hold(struct troupe *self, bool held)
{
    struct descriptor *descriptor;

    self->descriptors.held = held;
    LIST_FOREACH(descriptor, &self->descriptors.all, link)
    if (held)
        ev_io_stop(self->loop, &descriptor->watcher);
    else
        ev_io_start(self->loop, &descriptor->watcher);
}

void descriptors_finish(struct troupe *self)
{
    while (!LIST_EMPTY(&self->descriptors.all))
        forget(LIST_FIRST(&self->descriptors.all));
}
