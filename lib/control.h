/*
 * The vocabulary of control requests (PROTOCOL 3): what may be asked of a `.supervisor` and of
 * sys/log, in which words, and what comes back. A request is a CONTROL envelope: type = verb,
 * payload = words (wire.h). Each is answered exactly once: CONTROL_REPLY, whose type names the
 * shape ("words", "facts", "rows"), or ERROR, whose payload is one line `HEAD TEXT`. Subscriptions
 * go on with EVENT envelopes of the same ref until the connection ends.
 */
#ifndef TROUPE_CONTROL_H
#define TROUPE_CONTROL_H

/* ---- every supervisor (mailbox: PATH/.supervisor; the root's is .supervisor) -------------- */
#define CONTROL_PS      "ps"      /* [NAME…] → rows: its direct children, in start order (or those named) */
#define CONTROL_PS_BRIEF "ps-brief" /* the same, with one cheap read of /proc a row: without cpu_ms,
                                     * threads, fds and uid */
#define CONTROL_SELF    "self"    /* → rows: one, the supervisor itself */
#define CONTROL_STATUS  "status"  /* NAME → facts, in the order to be shown */
#define CONTROL_WHY     "why"     /* NAME → words: lines of prose, also for names that are gone */
#define CONTROL_START   "start"   /* NAME → words when it is ready */
#define CONTROL_STOP    "stop"    /* NAME → words when every member is gone */
#define CONTROL_RESTART "restart" /* NAME → words when it is ready again */
#define CONTROL_ADD     "add"     /* YAML LABEL CWD [K=V…] → words: path */
#define CONTROL_ADD_TEMPLATE "add-template" /* NAME|"" [ARG…] → words: path */
#define CONTROL_REMOVE  "rm"      /* NAME → words */
#define CONTROL_COUNTS  "counts"  /* → facts: specs, active, supervisors, workers (OTP count_children) */
#define CONTROL_ACTIVATE "activate" /* ID, of a service → words when it is ready: ADDRESS#EPOCH; or NODE
                                     * "elsewhere", where it is reached */
#define CONTROL_ELSEWHERE "elsewhere"
#define CONTROL_SERVICE "service" /* → facts of a service: instances, max, activations, … */
#define CONTROL_EVENTS  "events"  /* → rows (snapshot of the children), then EVENTs with facts */

/* ---- links and monitors between supervisors (SEMANTICS 7) ------------------------------------
 * Ends are believed only on a connection that one has opened to a `.supervisor` oneself. */
#define CONTROL_WATCH    "watch"    /* KIND(monitor|link|ended) WATCHER TARGET → words: TARGET#N, and
                                     * once an EVENT `down` of the same ref, words TARGET#N REASON,
                                     * "1" if it ended by order, else "0" */
#define CONTROL_UNWATCH  "unwatch"  /* REF of a watch of this connection → words */
#define CONTROL_NOTIFY   "notify"   /* WATCHER TARGET: its child WATCHER is linked to TARGET, which it
                                     * watches like any asker → words: WATCHER#N, once that stands */
#define CONTROL_UNNOTIFY "unnotify" /* WATCHER TARGET → words */
#define EVENT_DOWN       "down"
#define CONTROL_WATCH_MONITOR "monitor"
#define CONTROL_WATCH_LINK    "link"
#define CONTROL_WATCH_ENDED   "ended"

/* ---- process groups: what a supervisor tells sys/node of its children (CLUSTER 3) --------------
 * All of it first, then the changes in order; when the connection ends, all of them have left. */
#define CONTROL_GROUP_SNAPSHOT "group-snapshot" /* [MEMBER#N SCOPE GROUP COUNT]… → words */
#define CONTROL_GROUP_JOIN     "group-join"     /* MEMBER#N SCOPE GROUP COUNT → words */
#define CONTROL_GROUP_LEAVE    "group-leave"    /* MEMBER#N SCOPE GROUP COUNT → words */
#define CONTROL_GROUP_END      "group-end"      /* MEMBER#N: has left all → words */

/* ---- sys/node (mailbox: sys/node), for whoever may look ---------------------------------------
 * A member is PATH@NODE#N, and is named as often as it has joined. WHICH: all, local. */
#define CONTROL_GROUPS   "groups"   /* WHICH [SCOPE] → words [SCOPE GROUP MEMBERS]… (distinct ones) */
#define CONTROL_MEMBERS  "members"  /* WHICH SCOPE GROUP → words MEMBER… */
#define CONTROL_GROUP_WATCH "group-watch" /* SCOPE [GROUP] → words [GROUP MEMBER]…, those of now; then
                                           * EVENTs join, leave: words [GROUP MEMBER]… */
#define CONTROL_GROUP_UNWATCH "group-unwatch" /* REF of a group-watch of this connection → words */
#define CONTROL_NODES    "nodes"    /* → words, CONTROL_NODES_COLUMNS for each node that is known */
#define CONTROL_NODE_WATCH "node-watch" /* → words NODE…, those that are connected now; then EVENTs node-up:
                                         * words NODE; node-down: words NODE REASON */
#define CONTROL_CONNECT  "connect"  /* URL → words, once it will be dialled */
#define CONTROL_DISCONNECT "disconnect" /* NODE → words: it is not dialled again, and refused */
#define EVENT_GROUP_JOIN  "join"
#define EVENT_GROUP_LEAVE "leave"
#define EVENT_NODE_UP     "node-up"
#define EVENT_NODE_DOWN   "node-down"
/* NAME STATE(up|down|dialling|unwanted) URL GENERATION SINCE_US RTT_US QUEUED_BYTES IN_BYTES OUT_BYTES
 * CHANNELS MEMBERS REASON: "" where it is not known. */
enum { CONTROL_NODES_COLUMNS = 12 };

/* ---- attached processes: a connection is their control socket (PROTOCOL 4) ------------------- */
#define CONTROL_ATTACH "attach" /* NAME|"" PID MAILBOX(0|1) → words: ADDRESS#N (and the bound, listening
                                 * mailbox); "", at the root only: run/PID */
#define CONTROL_LINE   "line"   /* LINE…: to the supervisor; not answered */
#define EVENT_LINE     "line"   /* words LINE…, of the ref of `attach`: from the supervisor */

/* ---- the root only ------------------------------------------------------------------------ */
#define CONTROL_UP      "up"      /* N FILE×N [K=V…] → words: the applications added, once accepted;
                                   * their starts show as events. ERROR config MESSAGES: many lines */
#define CONTROL_DOWN    "down"    /* [APP…] → words when gone; without APP the whole node */
#define CONTROL_WANT_NODE "want-node" /* → words: sys/node is started, if it was not */
#define CONTROL_WANT_STORE "want-store" /* → words: the same for sys/store */
#define CONTROL_NODE    "node"    /* → facts: node, pid, guard, generation, version, started, run, state */

/* ---- sys/log (mailbox: sys/log) ----------------------------------------------------------- */
#define CONTROL_LOG_OPEN  "log-open"  /* PATH STREAM(out|err|both), with the pipe's read end → words */
#define CONTROL_LOG_CLOSE "log-close" /* PATH → words: the actor is gone for good; what is in the pipe is read first */
#define CONTROL_LOG       "log"       /* PATH("" all) COUNT FOLLOW(0|1) → EVENTs `lines` with words
                                       * PATH STREAM WALL_US TEXT ×n, oldest first; the history's
                                       * end is the reply; then more EVENTs when FOLLOW is 1 */
#define CONTROL_LOG_WATCH "log-watch" /* PATH REGEX [SINCE_US [UNREAD [UNREAD_ERR]]] → words (the line)
                                       * when a line matches that comes after the request; SINCE_US
                                       * not 0: or was written since that wall clock. UNREAD: bytes
                                       * that were in the pipe when it was asked: they came before */

/* ---- sys/node, for services (CLUSTER 4) ----------------------------------------------------- */
/* What one node may offer: all of it is told in one text, LOAD of its row. */
enum {
    CONTROL_SERVICES_MAX = 512,
    CONTROL_PATHS_MAX = 48 << 10, /* bytes of their paths */
    CONTROL_LOAD_MAX = 64 << 10,
};
#define CONTROL_OFFER   "offer"   /* SERVICE SHARD OF MAX STRATEGY [ID EPOCH]…: from the service's supervisor, or
                                   * from one of those that share it (shard.h; else 0 1), with what lives under
                                   * it; holds for as long as the connection → words, then EVENTs `start` and
                                   * `lease` */
#define EVENT_START     "start"   /* words ID EPOCH: it is to be started with that epoch; then comes one of: */
#define CONTROL_PLACED  "placed"  /* ID EPOCH: it is ready → words */
#define CONTROL_VACATED "vacated" /* ID EPOCH WHY: it could not be started, or has ended, and nothing is left
                                   * of it → words */
#define EVENT_LEASE     "lease"   /* words UNTIL: nothing may run longer (ms of CLOCK_BOOTTIME) */
#define CONTROL_WHERE   "where"   /* SERVICE ID → words NODE, which has it, or is about to; ERROR noproc: none. It
                                   * is not started for that */
#define CONTROL_PLACE   "place"   /* SERVICE ID → words NODE: it is ready there. ERROR: a failure of a call */

/* ---- sys/store (mailbox: sys/store): rows (workers/store_backend.h), for the node's own processes ----
 * Requests carry typed values (wire.h), in the order and format given here; so do replies, of type
 * `values`. An epoch 0 tests nothing; a version -1 is any, 0 is none yet; a beat -1 is any. An answer comes
 * by the envelope's deadline, else 5 s. */
#define CONTROL_STATE_GET   "state-get"   /* sss SERVICE ID NAME → IIIIB VERSION EPOCH SAVED_US SCHEMA
                                           * VALUE */
#define CONTROL_STATE_PUT   "state-put"   /* sssIIIB SERVICE ID NAME EPOCH VERSION SCHEMA VALUE → I VERSION */
#define CONTROL_STATE_RM    "state-rm"    /* sssII SERVICE ID NAME EPOCH VERSION → nothing */
#define CONTROL_STATE_LIST  "state-list"  /* sssI SERVICE ID|"" NAME|"" LIMIT(0: 10,000): those after that row
                                           * → words [ID NAME VERSION SIZE SAVED_US]… */
#define CONTROL_EPOCH       "epoch"       /* nothing → I EPOCH */
#define CONTROL_PLACE_CLAIM "place-claim" /* ssssI SERVICE ID NODE GENERATION EPOCH(own one of before, or 0)
                                           * → I EPOCH */
#define CONTROL_PLACE_FREE  "place-free"  /* ssI SERVICE ID EPOCH → nothing */
#define CONTROL_PLACE_READ  "place-read"  /* ss SERVICE ID → ssI NODE GENERATION EPOCH, unless it is free */
#define CONTROL_PLACE_LIST  "place-list"  /* sssssI SERVICE|"" NODE|"" GENERATION|"" AFTER|"" ID|"" LIMIT: of a
                                           * service, of a node, or all; those after that service and id
                                           * → words [SERVICE ID NODE GENERATION EPOCH]… */
#define CONTROL_REMINDER_PUT "reminder-put" /* sssIIIIs SERVICE ID NAME EPOCH VERSION DUE_US PERIOD_US(0: once)
                                             * MESSAGE → I VERSION */
#define CONTROL_REMINDER_RM  "reminder-rm"  /* sssII SERVICE ID NAME EPOCH VERSION → nothing */
#define CONTROL_REMINDER_DUE "reminder-due" /* II UNTIL_US LIMIT → words [SERVICE ID NAME DUE_US PERIOD_US
                                             * MESSAGE VERSION]…, by due */
#define CONTROL_REMINDER_ADVANCE "reminder-advance" /* sssII SERVICE ID NAME VERSION DUE_US(0: it is over)
                                                     * → I VERSION */
#define CONTROL_REMINDER_SET "reminder-set" /* DUE_US: to sys/node, from sys/store: one was set that is due sooner than
                                             * all that it was told of; 0: sys/store has begun → words */
#define CONTROL_NODE_INSERT "node-insert" /* ssssss NODE GENERATION STATE URL SERVICES LOAD → nothing */
#define CONTROL_NODE_BEAT   "node-beat"   /* ssss NODE GENERATION STATE LOAD → I BEAT */
#define CONTROL_NODE_SET    "node-set"    /* sssIs NODE GENERATION STATE BEAT WANTED → nothing */
#define CONTROL_NODE_RM     "node-rm"     /* ss NODE GENERATION, which must be dead → nothing */
#define CONTROL_NODE_LIST   "node-list"   /* nothing → words [NODE GENERATION STATE BEAT URL SERVICES LOAD]… */
#define CONTROL_E_NOT_FOUND   "not_found"   /* the store has answered: there is no such row */
#define CONTROL_E_CONFLICT    "conflict"    /* then what there is. State, reminder: VERSION (0: none). Claim: NODE
                                             * GENERATION EPOCH. Free: EPOCH. Node: GENERATION STATE BEAT */
#define CONTROL_E_FENCED      "fenced"      /* another has the place; a claimer's node is dead */
#define CONTROL_E_UNREACHABLE "unreachable" /* then `unsent` (nothing was accepted) or `sent` (that is not
                                             * known), and why */
#define CONTROL_E_OVERLOADED  "overloaded"  /* too much waits for the store */

/* ---- heads of errors, and the exit status that the command line gives for them ------------- */
#define CONTROL_E_NOPROC   "noproc"   /* 3: no such child */
#define CONTROL_E_DENIED   "denied"   /* 5 */
#define CONTROL_E_CONFIG   "config"   /* 7: lines FILE:LINE:COLUMN: PATH: … */
#define CONTROL_E_REFUSED  "refused"  /* 1: in words why: "already running", "temporary", … */
#define CONTROL_E_STOPPING "stopping" /* 1: a stop is under way */
#define CONTROL_E_STARTING "starting" /* 1: a start is under way */
#define CONTROL_E_FAILED   "failed"   /* 1: the start failed: then the reason */
#define CONTROL_E_OVERLOADED "overloaded" /* 1: a service has as many instances as it may */
#define CONTROL_E_UNKNOWN  "unknown_request" /* 2 */
#define CONTROL_E_BAD      "bad_request"     /* 2 */

/* ---- events (facts: ts t, level s, path s, pid n, incarnation n, state s, then the event's own) */
#define EVENT_CHILD_ADDED    "child.added"
#define EVENT_CHILD_WAITING  "child.waiting"  /* for: the paths it is linked to */
#define EVENT_CHILD_START    "child.start"    /* forked */
#define EVENT_CHILD_READY    "child.ready"    /* took d, text s */
#define EVENT_CHILD_STATUS   "child.status"   /* text s */
#define EVENT_CHILD_STOP     "child.stop"     /* asked to stop; by s */
#define EVENT_CHILD_EXIT     "child.exit"     /* reason s, ran d */
#define EVENT_CHILD_RESTART  "child.restart"  /* why s, in window/total */
#define EVENT_CHILD_BACKOFF  "child.backoff"  /* restart_in d */
#define EVENT_CHILD_STOPPED  "child.stopped"
#define EVENT_CHILD_EXITED   "child.exited"   /* stays down */
#define EVENT_CHILD_FAILED   "child.failed"   /* reason s */
#define EVENT_CHILD_PAUSED   "child.paused"
#define EVENT_CHILD_RESUMED  "child.resumed"
#define EVENT_CHILD_REMOVED  "child.removed"
#define EVENT_CHILD_STRAY    "child.stray"    /* a process that escaped was ended; stray n */
#define EVENT_CHILD_ATTACHED "child.attached" /* a process attached itself */
#define EVENT_FORGED         "supervisor.forged" /* somebody told an end who has none to tell; by s */
#define EVENT_GIVE_UP        "supervisor.giveup" /* reason s */
#define EVENT_SUPERVISOR_UP  "supervisor.ready"
#define EVENT_NODE_READY     "node.ready"     /* all applications given at its start are settled */
#define EVENT_NODE_STOPPING  "node.stopping"

#endif
