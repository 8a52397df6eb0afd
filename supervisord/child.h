/*
 * A child of a supervisor: one actor through all its incarnations, as a finite machine that can be
 * seen whole in child.c's table. Decides nothing about others: it reports to its supervisor when it
 * is ready and when an incarnation has ended, members and all (SEMANTICS 2), exactly once each.
 */
#ifndef TROUPE_CHILD_H
#define TROUPE_CHILD_H

#include "backoff.h"
#include "buf.h"
#include "intensity.h"
#include "members.h"
#include "mono.h"
#include "pages.h"
#include "party.h"
#include "probe.h"
#include "reason.h"
#include "reserve.h"
#include "spec.h"
#include "table.h"

#include <ev.h>
#include <stdbool.h>
#include <sys/types.h>

struct fence_mark;
struct module;
struct supervisor;

enum child_state {
    CHILD_DOWN,     /* no process; `rest` says why */
    CHILD_BACKOFF,  /* will start when its time has come */
    CHILD_WAITING,  /* will start when what it is linked to is ready */
    CHILD_STARTING, /* has a process, not ready yet */
    CHILD_READY,
    CHILD_STOPPING, /* was told to stop */
    CHILD_BURYING,  /* ended by itself; its other members are being stopped */
    CHILD_STATES
};

enum child_event {
    CHILD_EV_START,   /* shall run */
    CHILD_EV_STOP,    /* shall not (child->order says on whose behalf) */
    CHILD_EV_LINKED,  /* all it is linked to are ready */
    CHILD_EV_READY,   /* says it is ready */
    CHILD_EV_ENDED,   /* its leader has ended (still a zombie) */
    CHILD_EV_EMPTY,   /* no member is left */
    CHILD_EV_TIMEOUT, /* the timer of the present state */
    CHILD_EVENTS
};

/* Why a child is down. */
enum child_rest { REST_NEW, REST_STOPPED, REST_EXITED, REST_FAILED };

/* On whose behalf a child is stopped: what happens after its end follows from this. */
enum child_order {
    ORDER_NONE,     /* it ended by itself */
    ORDER_FAULT,    /* we ended it for a fault of its own: fault_reason */
    ORDER_BATCH,    /* by the strategy, or because the supervisor ends */
    ORDER_PERSON,   /* stays down until a person starts it */
    ORDER_RESTART,  /* a person wants it down and up again */
    ORDER_REMOVE,   /* … and forgotten */
};

struct child {
    struct supervisor *supervisor;
    const struct spec *spec;
    const struct module *module; /* found and loaded by its first start */
    uint64_t claimed;      /* of a service with state: the epoch that the next incarnation has; 0: it has none */
    int64_t claim_delay_ms; /* it is being asked for: what was decided then */
    bool is_claiming;
    struct spec given;     /* of a service: the template, but for its name; all else is the template's */
    struct spec *own_spec; /* children added while running own theirs; else NULL */
    struct table_slot *slot; /* what outlives the supervisor: incarnation, held, ends … */

    /* asked of every child at every turn, so side by side */
    enum child_state state;
    enum child_rest rest;
    enum child_order order;
    bool to_stop, to_start, to_forget; /* the strategy's batch */
    unsigned stop_rank;                /* the order among stops, if it is not the start order's reverse */
    enum child_order batch_order;      /* on whose behalf the batch stops it; NONE: its own */
    bool due;     /* shall start by itself, outside of a batch */
    bool doomed;  /* shall be forgotten when no callback can hold it any more */
    bool settled; /* was ready once in this run of its supervisor: a failure is no longer one to boot */
    bool dynamic;                      /* came by `add` */
    bool asked_by_person;              /* the start under way is a person's: no automatic retry */
    bool was_ready;                    /* in the present incarnation */

    char path[ADDR_PATH_MAX + 1];
    char fault_reason[REASON_MAX];

    pid_t pid;
    struct members members;
    bool leader_ended; /* a zombie that we hold, so that its number stays ours */
    bool reaped;
    int wait_status;   /* valid once reaped */
    bool killed;       /* we have sent SIGKILL */
    bool out_of_grace; /* who is left after its leader is killed, not asked */
    bool paused;
    bool left_members; /* its last leader ended with 0 and left processes behind */

    /* what the child said on its control socket */
    bool pinged; /* modules with a watchdog: asked, and not answered yet */
    bool ignored;
    char said_reason[REASON_MAX];
    enum need need;
    long need_delay_ms;

    int control_fd, mailbox_fd, log_fd[2];
    struct page_place page;
    ev_io control;
    ev_timer timer;    /* start timeout, grace, back-off: one at a time */
    ev_timer watchdog;
    struct probe probe;
    uint64_t log_watch; /* our request to sys/log while `ready: log` waits; 0 */
    struct party party;  /* to links and monitors; holds what the control socket does not take yet */

    struct mono started, not_before;
    struct fence_mark *fence; /* of a supervisor whose children live by a lease; else NULL */
    uint64_t epoch; /* that sys/node has given it (offers.h); 0: none, or it is told as gone */
    int64_t start_took_ms;
    struct backoff backoff;
    int64_t scarce_ms; /* delay of the last try that failed for want of resources; 0 */
    struct mono scarce_since;
    struct intensity restarts; /* its own, for RST */
    struct intensity allowance; /* `sys`: its restarts weigh on this, not on the root's intensity */
    bool has_allowance;

    UT_hash_handle by_pid, by_name;
};

/* Room for n children, zeroed, which forked processes do not have; NULL with errno. */
struct child *child_cribs(size_t n);
/* A child that is down. Takes over own_spec (may be NULL: spec is then the supervisor's).
 * NULL with errno: ENOSPC, ENOMEM, ENAMETOOLONG. */
struct child *child_create(struct supervisor *supervisor, const struct spec *spec,
                           struct spec *own_spec);
/* Only when down; takes NULL. gone: the name is forgotten, its mailbox goes. */
void child_destroy(struct child *child, bool gone);
/* Takes its mailbox away while it stays down; the next start brings it back. */
void child_unbind(struct child *child);

void child_handle(struct child *child, enum child_event event);

/* Starts it, now or when its back-off and links allow. */
void child_start(struct child *child);
/* Stops it; reports through supervisor_on_end when done (at once when it is not running). */
void child_stop(struct child *child, enum child_order order);
/* Ends it for a fault: "timeout:watchdog", "cascade shop/db exit:1". */
void child_fault(struct child *child, const char *reason);
/* Orders something, before all else that waits to be told. False when it cannot be told anything. */
bool child_say(struct child *child, const char *text);
/* A line that a member sent to NOTIFY_SOCKET, but READY=1. */
void child_on_notify(struct child *child, const char *line);

bool child_has_process(const struct child *child);
/* It has none, but will be given one if nobody stops that. */
bool child_will_start(const struct child *child);
const char *child_state_text(const struct child *child);
int child_row_state(const struct child *child);
const char *child_name(const struct child *child);
/* Is it an actor of a service? The inner supervisors of one are not. */
bool child_is_of_service(const struct child *child);
/* By whose cgroups its members are told from others (members.h). NULL: by its mark alone. An actor of a
 * service is one of thousands that come and go, and a cgroup of its own took longer to make and to remove
 * than its fork: it lives in its supervisor's. */
const struct cgroup_base *child_cgroups(const struct child *child);

#endif
