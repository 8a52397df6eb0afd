/*
 * Processes attached to this supervisor (SEMANTICS 7, PROTOCOL 3): not its children, not started,
 * restarted or ended by it, but parties to links and monitors as children are, seen in ps, status
 * and why. Each is a connection to our mailbox; when that ends, the process has ended for us, with
 * the reason that it said last, else `dropped`.
 */
#ifndef TROUPE_ATTACHED_H
#define TROUPE_ATTACHED_H

#include "mono.h"
#include "party.h"
#include "requests.h"
#include "table.h"

#include <sys/types.h>

struct attached_waiter;

struct attached {
    struct supervisor *supervisor;
    struct peer *peer;
    uint64_t ref; /* of its request: what it is told goes under that number */
    char path[ADDR_PATH_MAX + 1];
    uint64_t incarnation;
    pid_t pid;          /* as it said; never signalled */
    int64_t started_us; /* wall clock */
    struct mono started;
    char status[TABLE_STATUS];
    char said_reason[REASON_MAX];
    bool has_mailbox;
    bool is_stopping; /* was asked to end */
    bool is_full;     /* its connection was */
    struct party party;
    struct attached_waiter *waiters; /* for its end */
    struct attached *next;           /* oldest first */
    UT_hash_handle hh;
};

struct attachments {
    struct supervisor *supervisor;
    struct attached *first;
    struct attached *by_peer;
};

void attached_init(struct attachments *attachments, struct supervisor *supervisor);
void attached_finish(struct attachments *attachments);

/* The requests `attach` and `line`. */
void attached_attach(const struct request *request);
void attached_line(const struct request *request);
/* Asks it to end; answers when it has. */
void attached_stop(struct attached *attached, const struct request *request);
/* Asks all to end: the supervisor does. It does not wait for them. */
void attached_stop_all(struct attachments *attachments);

/* By what the supervisor calls it: the last part of its path, or `run/PID`; NULL. */
struct attached *attached_find(const struct attachments *attachments, const char *name);
/* Tells those whose connections were full. True: one still is. */
bool attached_tell_all(struct attachments *attachments);
/* A connection is gone: a process, or somebody who waits for one's end. */
void attached_forget_peer(struct attachments *attachments, const struct peer *peer);

#endif
