/*
 * Other supervisors (and whoever may look) that ask us for ends: watch, unwatch, notify, unnotify
 * (lib/control.h). Each connection is a watcher whose monitors are the numbers of its requests. One
 * whose outbox is full is told later, when it has read.
 */
#ifndef TROUPE_ASKERS_H
#define TROUPE_ASKERS_H

#include "backplane.h"
#include "requests.h"

void askers_watch(const struct request *request);
void askers_unwatch(const struct request *request);
void askers_notify(const struct request *request);
void askers_unnotify(const struct request *request);

/* Tells those whose connections were full. True: one still is. */
bool askers_tell_all(struct backplane *plane);
void askers_forget(struct backplane *plane, const struct peer *peer);
void askers_finish(struct backplane *plane);

#endif
