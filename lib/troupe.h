/*
 * libtroupe: write an actor in C.
 *
 * An actor is one process with a path, a mailbox and a supervisor. Its author writes functions; the
 * runtime in this library owns the process's loop and calls them, one at a time, in one thread. A
 * whole actor is workers/counter.c, about 40 lines. Build it as a shared object:
 *
 *     cc -shared -fPIC -o counter.so counter.c $(pkg-config --cflags --libs troupe)
 *
 * Contents
 *   1. The actor      TROUPE_ACTOR, its table of messages, its life
 *   2. Itself         state, arguments, path, status, exit, drain, last state, log
 *   3. Messages       reading arguments, replying, failing, keeping, forwarding
 *   4. Sending        cast, call, call many, look a name up
 *   5. Links          monitors, links, exits (the backplane)
 *   6. Publishing     to whoever subscribes; sharing a resource
 *   7. Groups         joining, members, sending to a group on all nodes
 *   8. Time and work  timers, delayed sends, descriptors, work that may block
 *   9. State          what outlives the actor, in the node's store; reminders
 *  10. Attached       a process that no supervisor started takes part
 *  11. Programs       readiness and status of an executed program
 *  12. Machinery      what the macros above are made of
 *
 * Conventions. Functions that can fail return 0, or -1 with errno. Texts are UTF-8 and
 * NUL-terminated. Nothing here may be called from another thread or from a signal handler. Misuse
 * that a first run shows (an argument read as another type than declared) ends the actor by
 * abort(), with a line on stderr that says what and where.
 */
#ifndef TROUPE_H
#define TROUPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TROUPE_EXPORT __attribute__((visibility("default")))

struct ev_loop;
struct troupe_work;
struct troupe_stored;

/* The running actor: first argument of everything that it does. */
struct troupe;

/* One message on its way through the actor. Valid until its handler returns, unless kept. */
struct troupe_message;

/* ---- 1. The actor ------------------------------------------------------------------------- */

/* What init returns. An error is said by `return troupe_error(self, "disk full")`. LATER: it goes
 * on starting, by timers, descriptors and answers, until it says troupe_ready(). */
enum troupe_start { TROUPE_READY, TROUPE_IGNORE, TROUPE_ERROR, TROUPE_LATER };

/*
 * One message that the actor understands. The formats are words of these letters:
 *     i u  32 bits, signed and unsigned    I U  64 bits    f  double
 *     s    text                            B    bytes (may hold NULs)
 * In a raw line (PROTOCOL 1) arguments are text, and are checked against the format before the
 * handler sees them: what does not fit is answered `bad_message`. A call whose handler neither
 * replies nor keeps the message is answered for it: with nothing when `reply` is "", else with an
 * error.
 * Names that begin with a dot are the runtime's own: no handler may have one.
 * Two names are special: `describe` is answered by the runtime with this table; and a handler
 * named `raw` gets whole bodies (format "B") when the child's spec says `raw: bytes`, and what it
 * replies goes back as it is.
 */
struct troupe_handler {
    const char *name;
    const char *arguments; /* format; NULL is "" */
    const char *reply;     /* format; NULL is "" */
    void (*handle)(struct troupe *self, struct troupe_message *message);
    const char *help; /* one line, for people */
};

struct troupe_boot; /* what the supervisor hands over; private */

/* What a module is; written with TROUPE_ACTOR. Every member may be left out. */
struct troupe_actor {
    uint32_t abi;  /* set by TROUPE_ACTOR */
    uint32_t size; /* set by TROUPE_ACTOR */
    int (*run)(const struct troupe_actor *actor, const struct troupe_boot *boot);

    size_t state_size; /* bytes that troupe_state() points to, zeroed at the start */

    /* Prepares the actor; messages wait meanwhile. Returns TROUPE_READY; TROUPE_IGNORE (end, and
     * that is all right); TROUPE_LATER; or troupe_error(). A supervisor waits `start_timeout` until
     * it is ready. */
    int (*init)(struct troupe *self);

    const struct troupe_handler *messages; /* ends with {0} */

    /* Messages that the table does not name. Raw lines have all their arguments as texts, typed
     * ones have theirs as they came, others have one: bytes, or none. NULL: such messages are
     * `unknown_message`. */
    void (*receive)(struct troupe *self, struct troupe_message *message);

    /* Runs once at the end, also when init failed, on a stop and when a link ends the actor; not
     * after SIGKILL. reason: SEMANTICS 4. May call troupe_exit() to end for another reason. */
    void (*terminate)(struct troupe *self, const char *reason);

    /* The end of an actor that troupe_monitor() watches: once for each monitor. who is its address
     * with the incarnation ("shop/db#3"), reason true (SEMANTICS 4), "noproc" or "noconnection". */
    void (*down)(struct troupe *self, uint64_t monitor, const char *who, const char *reason);

    /* The end of a linked actor, in order or not. An actor that has this function traps exits: it lives on
     * unless it calls troupe_exit(). One without it is ended by an abnormal one, with `cascade WHO REASON`. */
    void (*exited)(struct troupe *self, const char *who, const char *reason);

    /* A cast that could not be delivered: where it should have gone, its name, and why (a failure
     * of section 4). Without it, such casts vanish, as in Erlang. When 1,000 wait to be told, the rest is
     * told as one, to and name empty: "overloaded 17 more". */
    void (*undelivered)(struct troupe *self, const char *to, const char *name, const char *why);

    /* A stop first finishes what is queued (troupe_drain), as far as the shutdown time allows.
     * Without it, what waits is dropped: callers hear `down shutdown`. */
    bool drains;

    /* What it keeps in the node's store (section 9); ends with {0}. */
    const struct troupe_stored *state;
};

/* Defines this module's actor:
 *     TROUPE_ACTOR(.state_size = sizeof(struct counter), .init = init, .messages = messages) */
#define TROUPE_ACTOR(...)                                                                          \
    TROUPE_EXPORT const struct troupe_actor troupe_actor = {.abi = TROUPE_ABI,                     \
                                                            .size = sizeof(struct troupe_actor),   \
                                                            .run = troupe_actor_run,               \
                                                            __VA_ARGS__}

/* ---- 2. Itself ---------------------------------------------------------------------------- */

/* The actor's own memory: state_size bytes. */
TROUPE_EXPORT void *troupe_state(struct troupe *self);

/* An argument from the child's spec (`args: {start: 10}`), or NULL. */
TROUPE_EXPORT const char *troupe_arg(struct troupe *self, const char *key);
/* The same as a whole number; fallback when it is not given. One that is no number is an error of
 * the config: the actor then fails to start with a reason that names it. */
TROUPE_EXPORT int64_t troupe_arg_int(struct troupe *self, const char *key, int64_t fallback);
/* The key of argument number `index`, from 0, or NULL: for a module that knows all of its own, and
 * refuses others. */
TROUPE_EXPORT const char *troupe_arg_key(struct troupe *self, unsigned index);

/* Where it stands in the tree ("shop/counter"), its node, and which life this is (1: the first). */
TROUPE_EXPORT const char *troupe_path(struct troupe *self);
TROUPE_EXPORT const char *troupe_node(struct troupe *self);
TROUPE_EXPORT uint64_t troupe_incarnation(struct troupe *self);
/* The last part of its path: of a service's actor, its id ("42" of "shop/carts/42"). */
TROUPE_EXPORT const char *troupe_id(struct troupe *self);
/* Its number among `replicas`, from 1; 0 when it is not one of several. */
TROUPE_EXPORT unsigned troupe_replica(struct troupe *self);

/* For init: the text that goes with "ready". */
TROUPE_EXPORT void troupe_ready_text(struct troupe *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* After TROUPE_LATER: it is ready now. Its mailbox opens; what was sent before has waited. */
TROUPE_EXPORT void troupe_ready(struct troupe *self);
/* For init: says why it cannot start. Returns TROUPE_ERROR. */
TROUPE_EXPORT int troupe_error(struct troupe *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What the actor says of itself: `ps` and `status` show it. */
TROUPE_EXPORT void troupe_status(struct troupe *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A sign of life from inside a long handler. Between messages the runtime answers the watchdog by
 * itself; a handler that hangs misses it, and that is what the watchdog is for. */
TROUPE_EXPORT void troupe_heartbeat(struct troupe *self);

/* Ends the actor after the present handler: terminate() runs, what was replied is sent. The reason
 * is one line: "normal", "shutdown TEXT", "error TEXT" …; need is what it wants of its supervisor:
 * NULL, "restart", "restart_after 30s", "finish" or "abort" (SEMANTICS 4). The last call counts. The
 * process ends with status 0 when the reason is orderly, N for "exit:N", 128 and the signal's number
 * for "signal:NAME", else 1: without a need of its own, `exit_codes` of its spec say what it wants. */
TROUPE_EXPORT void troupe_exit(struct troupe *self, const char *need, const char *reason, ...)
    __attribute__((format(printf, 3, 4)));

/* Finishes what has come by now and what was kept, takes nothing new (callers hear `overloaded
 * draining`), then ends with reason, as troupe_exit() does. */
TROUPE_EXPORT void troupe_drain(struct troupe *self, const char *reason);

/* Takes no message until it is resumed: they wait in the mailbox, and when that is full the
 * pressure reaches the senders (SEMANTICS 6). For actors that hand work on and hold all they can.
 * Answers, ends and timers come as ever. */
TROUPE_EXPORT void troupe_pause(struct troupe *self);
TROUPE_EXPORT void troupe_resume(struct troupe *self);

/* The messages that it understands from now on, and what takes the others, in place of .messages and
 * .receive: for an actor that learns at run time what it can do. The table ends with {0} and must
 * stay valid; entries may be added at its end. */
TROUPE_EXPORT void troupe_declare(struct troupe *self, const struct troupe_handler *messages,
                                  void (*receive)(struct troupe *self,
                                                  struct troupe_message *message));

/* What the last incarnation left behind (valid for life), or NULL. */
TROUPE_EXPORT const void *troupe_last_state(struct troupe *self, size_t *size);
/* What the next one will get, sent at this one's end (not after SIGKILL or a crash): a copy of at
 * most 64 KiB. size 0 takes it back. Returns 0; or -1 with EMSGSIZE or ENOMEM. */
TROUPE_EXPORT int troupe_set_last_state(struct troupe *self, const void *bytes, size_t size);
/* Sends it now as well, for what is to outlive SIGKILL and a crash, too. */
TROUPE_EXPORT void troupe_save_last_state(struct troupe *self);

/* One structured line into the actor's log: level "info", event "cart.full", then keys and texts up
 * to a NULL. Plain stdout and stderr are the log too. */
TROUPE_EXPORT void troupe_log(struct troupe *self, const char *level, const char *event, ...)
    __attribute__((sentinel));

/* The loop (libev), for what section 7 does not offer. Callbacks of watchers on it run between
 * messages, in the same thread; but also while a handler waits in a blocking call of section 4, so
 * they must not call such functions themselves, nor count on the handler being done. */
TROUPE_EXPORT struct ev_loop *troupe_loop(struct troupe *self);

/* ---- 3. Messages -------------------------------------------------------------------------- */

/* A range of bytes that somebody else owns. */
struct troupe_bytes {
    const void *at;
    size_t size;
};

static inline struct troupe_bytes troupe_bytes_of(const void *at, size_t size)
{
    return (struct troupe_bytes){at, size};
}

TROUPE_EXPORT const char *troupe_name(const struct troupe_message *message);
/* The sender's address; "" when it did not say (raw nng peers never do), and its user, which the
 * kernel vouches for. */
TROUPE_EXPORT const char *troupe_from(const struct troupe_message *message);
TROUPE_EXPORT uint32_t troupe_from_uid(const struct troupe_message *message);
/* Does somebody wait for an answer? */
TROUPE_EXPORT bool troupe_is_call(const struct troupe_message *message);
/* For how long still, in ms, at least 0; or -1: nobody said (every cast). */
TROUPE_EXPORT int64_t troupe_time_left(const struct troupe_message *message);

/* How many arguments there are, and argument number `index`, from 0, as it was declared: i and I
 * by troupe_int, u and U by troupe_uint (both take either), f, s, B. Owned by the message. */
TROUPE_EXPORT unsigned troupe_count(const struct troupe_message *message);
/* The letter of argument number `index`, or '\0' when there is none: for .receive, and for answers. */
TROUPE_EXPORT char troupe_type(const struct troupe_message *message, unsigned index);
/* How many bytes its arguments take, as they came. */
TROUPE_EXPORT size_t troupe_size(const struct troupe_message *message);
TROUPE_EXPORT int64_t troupe_int(const struct troupe_message *message, unsigned index);
TROUPE_EXPORT uint64_t troupe_uint(const struct troupe_message *message, unsigned index);
TROUPE_EXPORT double troupe_double(const struct troupe_message *message, unsigned index);
TROUPE_EXPORT const char *troupe_text(const struct troupe_message *message, unsigned index);
TROUPE_EXPORT struct troupe_bytes troupe_bytes(const struct troupe_message *message,
                                               unsigned index);

/* Answers: troupe_reply(message), troupe_reply(message, a), troupe_reply(message, a, b) … up to 8
 * values: any integer, double, text or struct troupe_bytes. They are checked against the declared
 * reply: -1 with EINVAL, or EMSGSIZE (the caller then gets an error that says so), and -1 with ENOTCONN
 * when nobody waits any more, or it was forwarded. Does nothing to a cast. A kept message is freed by it. */
#define troupe_reply(...) TROUPE_WITH_VALUES(troupe_reply_values, __VA_ARGS__)

/* Answers `error TEXT`. Otherwise as above. */
TROUPE_EXPORT int troupe_fail(struct troupe_message *message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says that the message was not handled, and why: one of the failures of section 4, as it stands
 * ("overloaded queue full"). Unlike troupe_fail(), it is also told to a cast's sender who wants to hear
 * (.undelivered). Otherwise as above. */
TROUPE_EXPORT int troupe_refuse(struct troupe_message *message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Keeps the message, so that it can be answered after its handler has returned. The actor then owes
 * it one troupe_reply(), troupe_fail(), troupe_forward() or troupe_drop(). Bytes that were read from it
 * before end with the handler: read them again. Returns it; or NULL when memory is short: the caller has
 * then been told. Only messages that came can be kept, not answers or events: that is misuse. */
TROUPE_EXPORT struct troupe_message *troupe_keep(struct troupe_message *message);
/* Gives up a kept message: a caller that still waits gets an error. Takes NULL. */
TROUPE_EXPORT void troupe_drop(struct troupe_message *message);

/* Hands the message on: `to` handles it, and its answer goes back to the asker through this actor
 * (SEMANTICS 6), also when it was kept. Returns 0; or -1 with errno as troupe_cast(), and the message is
 * still to be answered. */
TROUPE_EXPORT int troupe_forward(struct troupe_message *message, const char *to);

/* ---- 4. Sending --------------------------------------------------------------------------- */

/* Addresses are "shop/counter", or "shop/counter#3" for that incarnation only. From one sender to one
 * incarnation, casts and calls arrive in the order they were sent; each at most once. One that is
 * being restarted is waited for.
 *
 * A call ends with an answer or with a failure, one of (SEMANTICS 6): "noproc", "down REASON",
 * "timeout", "noconnection", "overloaded", "unknown_message NAME", "bad_message TEXT", "no_mailbox",
 * "error TEXT", "deadlock".
 *
 * Values are given as for troupe_reply(), up to 8. A single value of bytes goes as
 * it is; others travel with their types and are converted to what the receiver has declared (a text that
 * is a number is taken for one, as in a raw line). */

/* troupe_cast(self, to, name, values…): never waits. 0; or -1 with errno: EAGAIN (the outbox for `to`
 * is full: more than it has read waits here), EINVAL (no address, or a value that cannot travel),
 * EMSGSIZE, ENOMEM. 0 says that it is on its way, not that it arrives. */
#define troupe_cast(self, to, ...) TROUPE_WITH_VALUES_3(troupe_cast_values, self, to, __VA_ARGS__)

/* troupe_call(self, to, timeout_ms, name, values…): waits for the answer, at most timeout_ms (0: 5 s).
 * Meanwhile no message of this actor is handled; stop orders are, and end the wait. Returns the answer,
 * never NULL, to be given to troupe_free(). Its values are read like arguments. */
#define troupe_call(self, to, timeout_ms, ...)                                                     \
    TROUPE_WITH_VALUES_4(troupe_call_values, self, to, timeout_ms, __VA_ARGS__)

/* NULL when the call succeeded, else the failure, owned by the answer. */
TROUPE_EXPORT const char *troupe_failure(const struct troupe_message *answer);
TROUPE_EXPORT void troupe_free(struct troupe_message *answer);

/* What hears the answer of an asynchronous call: exactly once, never within the function that sent
 * it, between messages. The answer is valid during the call. */
typedef void troupe_on_answer(struct troupe *self, struct troupe_message *answer, void *data);

/* troupe_ask(self, to, timeout_ms, on_answer, data, name, values…): the asynchronous call. Returns
 * 0; or -1 with errno as troupe_cast(), and on_answer is not called. */
#define troupe_ask(self, to, timeout_ms, on_answer, data, ...)                                     \
    TROUPE_WITH_VALUES_4(troupe_ask_values, self, to,                                              \
                         ((struct troupe_asking){(timeout_ms), (on_answer), (data)}), __VA_ARGS__)

/* The asynchronous call of `to` with the name and the values of a message that came, be it a call or a
 * cast. Other than with troupe_forward() the message stays ours, to be kept, and answered when the outcome
 * is known: how one hands work to others and stays answerable for it. As troupe_ask(). */
TROUPE_EXPORT int troupe_forward_then(struct troupe_message *message, const char *to, int64_t timeout_ms,
                                      troupe_on_answer *on_answer, void *data);
/* Answers as another has answered: with its values, or with its failure as it stands. A cast's sender
 * hears of failures but "error TEXT", as by troupe_refuse(). Otherwise as troupe_reply(). */
TROUPE_EXPORT int troupe_relay(struct troupe_message *message, const struct troupe_message *answer);

/* The same message to n actors at once; waits until all have answered or failed. answers[i] belongs to
 * to[i]; each is to be freed. */
#define troupe_call_many(self, to, n, answers, timeout_ms, ...)                                    \
    TROUPE_WITH_VALUES_4(troupe_call_many_values, self, to,                                        \
                         ((struct troupe_asking_many){(n), (answers), (timeout_ms)}), __VA_ARGS__)

/* The full address ("shop/db@east#3") of the actor at this path, into out. Waits as troupe_call();
 * 0; or -1 with errno: ENOENT (noproc), ETIMEDOUT, EINVAL. */
TROUPE_EXPORT int troupe_lookup(struct troupe *self, const char *path, int64_t timeout_ms, char *out,
                                size_t size);

/* ---- 5. Links ----------------------------------------------------------------------------- */

/* Asks to hear of the end of `who` (present incarnation, or the next one when it is being restarted):
 * .down is called once. An actor of a service is found by its path on whichever node it lives, and is not
 * started for that; .down then names the node (PATH@NODE). Each monitor counts by itself. Returns its number, or 0 with errno: EINVAL,
 * ENOMEM, ENOTCONN (no supervisor to ask). */
TROUPE_EXPORT uint64_t troupe_monitor(struct troupe *self, const char *who);
/* No longer; .down is not called for it after this. */
TROUPE_EXPORT void troupe_demonitor(struct troupe *self, uint64_t monitor);

/* MONITOR: its abnormal end is mine; NOTIFY: mine is its; PEER: both, or none when one is refused.
 * Modes add up; linking twice is once. */
enum troupe_link { TROUPE_LINK_MONITOR = 1, TROUPE_LINK_NOTIFY = 2, TROUPE_LINK_PEER = 3 };

/* Links to `who`, found as by troupe_monitor(), and waits until both supervisors know. NULL when it stands; else the failure
 * ("noproc", "refused to itself", "denied …", "noconnection"), valid until the next call. */
TROUPE_EXPORT const char *troupe_link(struct troupe *self, enum troupe_link mode, const char *who);
/* Takes these modes away again. */
TROUPE_EXPORT void troupe_unlink(struct troupe *self, enum troupe_link mode, const char *who);

/* ---- 6. Publishing ------------------------------------------------------------------------ */

/* troupe_publish(self, "tick", count, "text" …): TOPIC and values to everyone who has subscribed: actors
 * (below), and nng SUB dialers of the mailbox, who get a line TOPIC, TAB, values and filter by its
 * beginning. Returns how many it was queued for; or -1 with errno: EINVAL (a topic that begins with a
 * dot or has over 255 bytes, a value that cannot travel), EMSGSIZE, ENOMEM: then nobody hears it. A
 * subscriber that does not keep up misses events; they are counted, and actors are told of the gap. */
#define troupe_publish(self, ...) TROUPE_WITH_VALUES_2(troupe_publish_values, self, __VA_ARGS__)
/* The same, and the values are kept as the topic's last, for as long as this actor lives: subscribers
 * that come later can ask for them. This is how an actor shares a resource. */
#define troupe_share(self, ...) TROUPE_WITH_VALUES_2(troupe_share_values, self, __VA_ARGS__)

/* What happens to a subscription. */
enum troupe_event_kind {
    TROUPE_EVENT,  /* troupe_name(): the topic; values as arguments; troupe_sequence() */
    TROUPE_GAP,    /* this one was too slow: troupe_lost() events are missing here */
    TROUPE_ENDED,  /* the last: troupe_failure() says why (as for calls) */
};
/* Runs between messages, never while a handler runs or waits: events wait meanwhile, up to 10,000 or
 * 8 MiB for each subscription; what is more is a gap. The event is valid until it returns. */
typedef void troupe_on_event(struct troupe *self, enum troupe_event_kind kind,
                             struct troupe_message *event, void *data);

enum { TROUPE_LAST = 1 }; /* first what was shared last under topics of this beginning */

/* Subscribes to topics of `who` that begin with `topic` ("" is all): to its present incarnation, or
 * to the next one while it is being restarted. A service's actor is started for it, wherever that
 * is; a subscription does not keep it from its idle stop, and does not go along to where it lives
 * next: TROUPE_ENDED tells of its end (`down shutdown idle`, `down REASON`; `noconnection` when its
 * node is out of reach), and who subscribes again has the next life, on whichever node. Of the
 * 1,024 connections of a mailbox at most 896 may be kept by subscribers and nng's PUSH and SUB
 * clients: one more ends as `overloaded`. on_event is first called after this has returned. Returns
 * the subscription's number, or 0 with errno as troupe_cast(). */
TROUPE_EXPORT uint64_t troupe_subscribe(struct troupe *self, const char *who, const char *topic,
                                        unsigned flags, troupe_on_event *on_event, void *data);
/* Ends it; on_event is not called any more. */
TROUPE_EXPORT void troupe_unsubscribe(struct troupe *self, uint64_t subscription);
/* Of an event: its number in this subscription, from 1; of a gap: the number of the last one that is
 * missing. Numbers go up by one with each event that was owed, heard or missed. */
TROUPE_EXPORT uint64_t troupe_sequence(const struct troupe_message *event);
/* Of a gap: how many are missing. */
TROUPE_EXPORT uint64_t troupe_lost(const struct troupe_message *event);

/* Waits until `who` shares `topic` (exactly this one) and returns its values, as troupe_call() does; a
 * failure when it is not there (noproc), ends first (down REASON), the time is up (timeout), or the caller
 * is to end itself (error ending). timeout_ms 0: no limit. What it returns is what was shared then: who
 * wants to end when the provider does links to it first (troupe_link, TROUPE_LINK_MONITOR), who wants to
 * follow the value subscribes with TROUPE_LAST. */
TROUPE_EXPORT struct troupe_message *troupe_depend(struct troupe *self, const char *who,
                                                   const char *topic, int64_t timeout_ms);

/* ---- 7. Groups ---------------------------------------------------------------------------- */

/* Process groups, as OTP's pg: a named multiset of actors on all nodes that are connected (SEMANTICS 8). A
 * group is named `GROUP` or `SCOPE:GROUP`; the scope is `pg` when none is said. A member leaves with its end.
 *
 * Joins so many times; waits until sys/node has it. NULL, or the failure ("refused …", "overloaded",
 * "timeout"), valid until the next call. */
TROUPE_EXPORT const char *troupe_join(struct troupe *self, const char *group, unsigned times);
/* Leaves so many times, or all when it has joined less often. "not_joined" when it is no member. */
TROUPE_EXPORT const char *troupe_leave(struct troupe *self, const char *group, unsigned times);

enum troupe_where { TROUPE_ALL_NODES, TROUPE_THIS_NODE };
/* Visits the members (PATH@NODE#N), each as often as it has joined, those of this node first. Returns their
 * number; 0 also when there is no such group; or -1 with errno: EINVAL, ENOTCONN (sys/node is away),
 * ETIMEDOUT, EINTR (the actor is to end), EACCES (an actor with a `user:` of its own may not look). */
TROUPE_EXPORT int troupe_members(struct troupe *self, const char *group, enum troupe_where where,
                                 void (*visit)(const char *member, void *data), void *data);
/* Visits the groups of a scope (NULL: `pg`) that have members. As above. */
TROUPE_EXPORT int troupe_groups(struct troupe *self, const char *scope, enum troupe_where where,
                                void (*visit)(const char *group, void *data), void *data);

enum troupe_group_event { TROUPE_GROUP_JOINED, TROUPE_GROUP_LEFT };
typedef void troupe_on_group(struct troupe *self, enum troupe_group_event event, const char *group,
                             const char *member, void *data);
/* Hears who joins and leaves a group, or, by `SCOPE:`, any group of a scope: first those who are members now,
 * as joins, then each change in order. Runs between messages. Returns its number, or 0 with errno: EINVAL,
 * ENOMEM. An actor with a `user:` of its own may not look: it hears nothing. */
TROUPE_EXPORT uint64_t troupe_watch_group(struct troupe *self, const char *group,
                                          troupe_on_group *on_change, void *data);
/* No longer; on_change is not called after this. */
TROUPE_EXPORT void troupe_unwatch_group(struct troupe *self, uint64_t watch);

/* Who gets what is sent to a group; nobody twice, however often it has joined. */
enum troupe_spread {
    TROUPE_TO_ALL,
    TROUPE_TO_ONE,        /* by chance */
    TROUPE_TO_ONE_A_NODE, /* the same, of each node */
    TROUPE_TO_NEAREST,    /* one of this node, or else of another */
};
/* troupe_cast_group(self, group, spread, name, values…): a cast to members of a group. Who is in it is known
 * here and kept up to date: only the first time waits for it. Returns to how many it was sent; or -1 with
 * errno as troupe_cast(), or ENOTCONN, or EACCES: an actor with a `user:` of its own may send to actors, but not
 * look who is in a group. */
#define troupe_cast_group(self, group, spread, ...)                                                \
    TROUPE_WITH_VALUES_4(troupe_cast_group_values, self, group, spread, __VA_ARGS__)

/* ---- 8. Time and work --------------------------------------------------------------------- */

/* All functions called from here run between messages, and never while a handler waits in a blocking
 * call. Numbers of timers are never 0; 0 says ENOMEM. */

/* count: how many periods have passed since the last call (1 unless the actor was busy). */
typedef void troupe_on_time(struct troupe *self, uint64_t count, void *data);
/* Once, not before ms have passed. */
TROUPE_EXPORT uint64_t troupe_after(struct troupe *self, int64_t ms, troupe_on_time *fn, void *data);
/* Every ms, without drift. Periods that were missed come as one call with their count. */
TROUPE_EXPORT uint64_t troupe_every(struct troupe *self, int64_t ms, troupe_on_time *fn, void *data);
/* Casts after ms (troupe_cast_after(self, ms, to, name, values…)). */
#define troupe_cast_after(self, ms, to, ...)                                                       \
    TROUPE_WITH_VALUES_4(troupe_cast_after_values, self, ms, to, __VA_ARGS__)
/* Ends the actor after ms: in order with this reason; or by SIGKILL. */
TROUPE_EXPORT uint64_t troupe_exit_after(struct troupe *self, int64_t ms, const char *reason);
TROUPE_EXPORT uint64_t troupe_kill_after(struct troupe *self, int64_t ms);
/* Takes a timer back; one that has run, or 0, is nothing. */
TROUPE_EXPORT void troupe_cancel(struct troupe *self, uint64_t timer);

/* A descriptor of the actor's own: fn is called while it is readable (1), writable (2), or either (3).
 * The actor goes on owning it. Returns a number for troupe_unwatch(), or 0 (ENOMEM). */
typedef void troupe_on_ready(struct troupe *self, int fd, unsigned events, void *data);
TROUPE_EXPORT uint64_t troupe_watch(struct troupe *self, int fd, unsigned events, troupe_on_ready *fn,
                                    void *data);
TROUPE_EXPORT void troupe_unwatch(struct troupe *self, uint64_t watch);

/* Work that may block: fn runs in a helper process, a copy of this one as it is now. Of its descriptors it
 * has stdin, stdout and stderr; its signals are as after exec; nothing that takes self may be called in it.
 * What it gives to troupe_result() is its result: together at most 16 MiB. Returning 0 is success, anything
 * else failure (a status of 1 to 255); it may also print a line to say why not. It never outlives the actor;
 * processes that it starts itself are the actor's members like all others, and not waited for. */
typedef int troupe_work_fn(void *data, struct troupe_work *work);
/* Adds to the result. 0; or -1 with EMSGSIZE (too much: nothing of this was added) or errno of write. */
TROUPE_EXPORT int troupe_result(struct troupe_work *work, const void *bytes, size_t size);
/* What became of it: failure is NULL, or "exit:1", "signal:SEGV", or "error TEXT" (a result that is too
 * long, no memory for it); the result, also of work that failed, and the text are valid during the call. */
typedef void troupe_on_done(struct troupe *self, const char *failure, struct troupe_bytes result,
                            void *data);
/* Starts it; as many at once as are wanted. on_done is called once, or may be NULL. Returns its number for
 * troupe_cancel_work(), never 0; or 0 with errno of fork, pipe2 or pidfd_open, or ENOMEM. */
TROUPE_EXPORT uint64_t troupe_work(struct troupe *self, troupe_work_fn *fn, void *fn_data,
                                   troupe_on_done *on_done, void *data);
/* Ends the helper by SIGKILL; on_done is not called. Work that is done, or 0, is nothing. */
TROUPE_EXPORT void troupe_cancel_work(struct troupe *self, uint64_t work);

/* The actor is this work (async-backplane's manage): when it is done the actor ends, `normal` or
 * `error work exit:1`; when the actor ends, by a link or a stop, so does the work, and that goes before
 * what the work has come to. 0; or -1 with errno as troupe_work(). */
TROUPE_EXPORT int troupe_manage(struct troupe *self, troupe_work_fn *fn, void *fn_data);
/* The same, but success only calls on_done, tells nobody, and the actor lives on; on_done does not hear of a
 * failure. */
TROUPE_EXPORT int troupe_part_manage(struct troupe *self, troupe_work_fn *fn, void *fn_data,
                                     troupe_on_done *on_done, void *data);

/* ---- 9. State ----------------------------------------------------------------------------- */

/*
 * What outlives the actor is kept by the node's store (`store:` in the config, `state: true` in the
 * child's spec): values by name. All are loaded before init runs; when that cannot be, because the store
 * does not answer or a value cannot be read, the actor fails to start with a reason that says which
 * and why (`error state cart: unreachable …`): it never begins with less than was kept. One that was never
 * saved is as state_size's zeros and init make it.
 *
 *     static const struct troupe_stored kept[] = {
 *         {.name = "cart", .schema = 1, .offset = offsetof(struct cart, items), .size = sizeof(items)}, {0}};
 *     TROUPE_ACTOR(.state_size = sizeof(struct cart), .state = kept, .messages = messages)
 *
 * A save is accepted or not, as a whole. It is over the version that was loaded or accepted last: when
 * another has saved meanwhile, it fails with `conflict`. A service actor that is not the owner of its id
 * any more fails with `fenced`, and ends. Failures are NULL for success, else a line:
 *     conflict         what there is is not what this actor knows; so will all its saves fail
 *     fenced           another is the owner; this actor ends
 *     unreachable WHY  no answer in time. Whether it was accepted is found out by the next save
 *     failed WHY       the store cannot (its disk is full): nothing was changed
 *     overloaded       too much waits for the store
 * Who may not use the store (a `user:` other than the node's) is answered `denied`.
 */

/* Bytes under construction. */
struct troupe_image;
/* Adds to them. 0, or -1 with ENOMEM, which is remembered: who calls it need not look. */
TROUPE_EXPORT int troupe_put(struct troupe_image *image, const void *bytes, size_t size);

/* One value: a part of the actor's memory as it is (offset, size), or what save() makes and load() reads. */
struct troupe_stored {
    const char *name; /* as a part of a path: "cart" */
    uint32_t schema;  /* of what is saved from now on, from 1 */
    size_t offset, size;
    void (*save)(struct troupe *self, struct troupe_image *image);
    /* Reads a value of this schema into the actor's memory, before init. 0, or -1: it cannot be read. */
    int (*load)(struct troupe *self, struct troupe_bytes value);
    /* Makes of a value of an older schema one of the next, and is called until it is this one. 0, or -1. */
    int (*migrate)(struct troupe *self, uint32_t schema, struct troupe_bytes value,
                   struct troupe_image *image);
    /* After each function of the author's that has changed it, it is saved by itself: no further message is
     * handled, and answers wait, until it is accepted. When it is not within 2 s, answers are `error state
     * NAME: FAILURE` instead, and the value is put back (by load, if it has that) to what was accepted last;
     * after `conflict` the actor ends, for its next life to load what there is. Casts and events that were
     * sent do not wait. */
    bool every_message;
};

/* Runs between messages, once. failure: see above; NULL: it is kept. */
typedef void troupe_on_saved(struct troupe *self, const char *failure, void *data);

/* Saves the value as it is now, within 5 s; 2 s when it is one of every_message. Those that are
 * asked for while one is under way become one. on_saved may be NULL. 0; or -1 with EINVAL (no such state), EMSGSIZE (8 MiB is the most), ENOMEM. */
TROUPE_EXPORT int troupe_state_save(struct troupe *self, const char *name, troupe_on_saved *on_saved,
                                    void *data);
/* The same, waiting for at most timeout_ms (0: 5 s), as troupe_call() does. NULL; or the failure, valid
 * until the next call. */
TROUPE_EXPORT const char *troupe_state_save_now(struct troupe *self, const char *name,
                                                int64_t timeout_ms);
/* The version that was loaded or accepted last; 0: it was never saved. */
TROUPE_EXPORT int64_t troupe_state_version(struct troupe *self, const char *name);
/* A service actor's epoch, which only its owner has: a fencing token for whatever else it writes to. No other
 * start of any service's actor has it, and each is greater than those of earlier lives of the same id; it is the
 * incarnation, too. 0 for other actors, whose supervisor sees to it that there is one. */
TROUPE_EXPORT uint64_t troupe_epoch(struct troupe *self);

/* A reminder is a timer that outlives the actor: when it is due, the message is sent to this address, and
 * a service actor is started by it. Its arguments are the reminder's name and a count (format "sU"): ticks
 * that nobody could be told of come as one. At least once. The same name replaces. period_ms 0: once.
 * on_saved may be NULL. 0; or -1 with EINVAL (a name that is none, a time that has passed), ENOMEM. */
TROUPE_EXPORT int troupe_reminder_set(struct troupe *self, const char *name, const char *message,
                                      int64_t after_ms, int64_t period_ms, troupe_on_saved *on_saved,
                                      void *data);
TROUPE_EXPORT int troupe_reminder_clear(struct troupe *self, const char *name, troupe_on_saved *on_saved,
                                        void *data);

/* ---- 10. Attached -------------------------------------------------------------------------- */

/* A process that no supervisor started becomes an actor of a running node ($TROUPE_RUN, or the node named
 * by $TROUPE_NODE, or the only one that runs): with links, monitors, a path (run/PID; or `path`, a free name
 * below an existing supervisor), and a mailbox when there is an actor; `ps`, `status` and `why` show it. It
 * is never restarted; its end is what it says with troupe_detach(), else `dropped`. When the way to its
 * supervisor breaks, it is to end by `noconnection`.
 * actor: TROUPE_ATTACHED(…), or NULL; its init runs in here. Senders are root, the node's user and the
 * process's own. Signals are the process's own matter, but SIGPIPE, which is ignored from now on.
 * NULL with *why (may be NULL: not wanted), a text that is valid until the next call: no node, the supervisor's
 * refusal, or what init said. One a process at a time. */
TROUPE_EXPORT struct troupe *troupe_attach(const struct troupe_actor *actor, const char *path,
                                           const char **why);
/* Serves messages and links until the actor is to end (a stop, a link, troupe_exit()): returns the reason,
 * valid until detached. Outside of this and the next two, and of functions that wait, nothing is heard,
 * and messages wait to be sent. */
TROUPE_EXPORT const char *troupe_serve(struct troupe *self);
/* Serves for at most timeout_ms (0: what is there); false when the actor is to end. */
TROUPE_EXPORT bool troupe_serve_for(struct troupe *self, int64_t timeout_ms);

/* What came first. */
enum troupe_first {
    TROUPE_FIRST_DONE,    /* the work is done: on_done has been called */
    TROUPE_FIRST_MESSAGE, /* one function of the actor was called: a handler, .down, .exited … */
    TROUPE_FIRST_ENDED,   /* the actor is to end: troupe_serve() tells why */
    TROUPE_FIRST_FAILED,  /* the work could not be begun: errno as troupe_work() */
};
/* Runs the work and serves, until it is done or one function of the actor was called (async-backplane's
 * watch). What waited before comes first: then the work is not even begun. Work that was overtaken is ended,
 * and on_done is not called. */
TROUPE_EXPORT enum troupe_first troupe_watch_work(struct troupe *self, troupe_work_fn *fn,
                                                  void *fn_data, troupe_on_done *on_done, void *data);

/* Says goodbye (reason NULL: the one it has, else `normal`): terminate() runs, what was sent goes out; then
 * frees self. Takes NULL. Its name is free again when the supervisor has seen the connection end. */
TROUPE_EXPORT void troupe_detach(struct troupe *self, const char *reason);

#define TROUPE_ATTACHED(...)                                                                       \
    (&(const struct troupe_actor){.abi = TROUPE_ABI, .size = sizeof(struct troupe_actor),          \
                                  .run = troupe_actor_run, __VA_ARGS__})

/* ---- 11. Programs -------------------------------------------------------------------------- */

/* For an executed program that links this library: the same words to its supervisor, through the
 * descriptor named in TROUPE_CONTROL. Return 0; or -1 with errno: ENOTCONN when no supervisor
 * started it. Texts may be NULL. */
TROUPE_EXPORT int troupe_notify_ready(const char *text);
TROUPE_EXPORT int troupe_notify_status(const char *text);
TROUPE_EXPORT int troupe_notify_heartbeat(void);
/* Tells the reason and the need before the program ends by itself. */
TROUPE_EXPORT int troupe_notify_exit(const char *need, const char *reason);

/* ---- 12. Machinery ------------------------------------------------------------------------- */

enum { TROUPE_ABI = 1 };

TROUPE_EXPORT int troupe_actor_run(const struct troupe_actor *actor,
                                   const struct troupe_boot *boot);

/* One value with its type: I, U, f, s, B; 0 ends a list. */
struct troupe_value {
    char type;
    union {
        int64_t i;
        uint64_t u;
        double f;
        struct troupe_bytes bytes;
    } as;
};

/* How an asynchronous call, and one to many, is asked. */
struct troupe_asking {
    int64_t timeout_ms;
    troupe_on_answer *on_answer;
    void *data;
};

struct troupe_asking_many {
    size_t n;
    struct troupe_message **answers;
    int64_t timeout_ms;
};

TROUPE_EXPORT int troupe_reply_values(struct troupe_message *message,
                                      const struct troupe_value *values);
TROUPE_EXPORT int troupe_publish_values(struct troupe *self, const char *topic,
                                        const struct troupe_value *values);
TROUPE_EXPORT int troupe_share_values(struct troupe *self, const char *topic,
                                      const struct troupe_value *values);
TROUPE_EXPORT int troupe_cast_values(struct troupe *self, const char *to, const char *name,
                                     const struct troupe_value *values);
TROUPE_EXPORT struct troupe_message *troupe_call_values(struct troupe *self, const char *to,
                                                        int64_t timeout_ms, const char *name,
                                                        const struct troupe_value *values);
TROUPE_EXPORT int troupe_ask_values(struct troupe *self, const char *to, struct troupe_asking asking,
                                    const char *name, const struct troupe_value *values);
TROUPE_EXPORT void troupe_call_many_values(struct troupe *self, const char *const *to,
                                           struct troupe_asking_many asking, const char *name,
                                           const struct troupe_value *values);
TROUPE_EXPORT int troupe_cast_group_values(struct troupe *self, const char *group,
                                           enum troupe_spread spread, const char *name,
                                           const struct troupe_value *values);
TROUPE_EXPORT uint64_t troupe_cast_after_values(struct troupe *self, int64_t ms, const char *to,
                                                const char *name, const struct troupe_value *values);

static inline struct troupe_value troupe_value_int(int64_t value)
{
    return (struct troupe_value){.type = 'I', .as.i = value};
}

static inline struct troupe_value troupe_value_uint(uint64_t value)
{
    return (struct troupe_value){.type = 'U', .as.u = value};
}

static inline struct troupe_value troupe_value_double(double value)
{
    return (struct troupe_value){.type = 'f', .as.f = value};
}

static inline struct troupe_value troupe_value_text(const char *value)
{
    return (struct troupe_value){.type = 's',
                                 .as.bytes = {value, value ? __builtin_strlen(value) : 0}};
}

static inline struct troupe_value troupe_value_bytes(struct troupe_bytes value)
{
    return (struct troupe_value){.type = 'B', .as.bytes = value};
}

/* clang-format off */
#define TROUPE_VALUE(x) _Generic((x),                                                              \
    char: troupe_value_int, signed char: troupe_value_int, short: troupe_value_int,                \
    int: troupe_value_int, long: troupe_value_int, long long: troupe_value_int,                    \
    bool: troupe_value_uint, unsigned char: troupe_value_uint,                                     \
    unsigned short: troupe_value_uint, unsigned: troupe_value_uint,                                \
    unsigned long: troupe_value_uint, unsigned long long: troupe_value_uint,                       \
    float: troupe_value_double, double: troupe_value_double,                                       \
    char *: troupe_value_text, const char *: troupe_value_text,                                    \
    struct troupe_bytes: troupe_value_bytes)(x)

#define TROUPE_LIST(...) (const struct troupe_value[]){__VA_ARGS__ {0}}
#define TROUPE_V0()
#define TROUPE_V1(a) TROUPE_VALUE(a),
#define TROUPE_V2(a, ...) TROUPE_VALUE(a), TROUPE_V1(__VA_ARGS__)
#define TROUPE_V3(a, ...) TROUPE_VALUE(a), TROUPE_V2(__VA_ARGS__)
#define TROUPE_V4(a, ...) TROUPE_VALUE(a), TROUPE_V3(__VA_ARGS__)
#define TROUPE_V5(a, ...) TROUPE_VALUE(a), TROUPE_V4(__VA_ARGS__)
#define TROUPE_V6(a, ...) TROUPE_VALUE(a), TROUPE_V5(__VA_ARGS__)
#define TROUPE_V7(a, ...) TROUPE_VALUE(a), TROUPE_V6(__VA_ARGS__)
#define TROUPE_V8(a, ...) TROUPE_VALUE(a), TROUPE_V7(__VA_ARGS__)

#define TROUPE_PICK(_0, _1, _2, _3, _4, _5, _6, _7, _8, name, ...) name
#define TROUPE_C0(f, m) f((m), TROUPE_LIST())
#define TROUPE_C1(f, m, ...) f((m), TROUPE_LIST(TROUPE_V1(__VA_ARGS__)))
#define TROUPE_C2(f, m, ...) f((m), TROUPE_LIST(TROUPE_V2(__VA_ARGS__)))
#define TROUPE_C3(f, m, ...) f((m), TROUPE_LIST(TROUPE_V3(__VA_ARGS__)))
#define TROUPE_C4(f, m, ...) f((m), TROUPE_LIST(TROUPE_V4(__VA_ARGS__)))
#define TROUPE_C5(f, m, ...) f((m), TROUPE_LIST(TROUPE_V5(__VA_ARGS__)))
#define TROUPE_C6(f, m, ...) f((m), TROUPE_LIST(TROUPE_V6(__VA_ARGS__)))
#define TROUPE_C7(f, m, ...) f((m), TROUPE_LIST(TROUPE_V7(__VA_ARGS__)))
#define TROUPE_C8(f, m, ...) f((m), TROUPE_LIST(TROUPE_V8(__VA_ARGS__)))
#define TROUPE_WITH_VALUES(f, ...)                                                                 \
    TROUPE_PICK(__VA_ARGS__, TROUPE_C8, TROUPE_C7, TROUPE_C6, TROUPE_C5, TROUPE_C4, TROUPE_C3,     \
                TROUPE_C2, TROUPE_C1, TROUPE_C0, 0)(f, __VA_ARGS__)

#define TROUPE_D0(f, s, t) f((s), (t), TROUPE_LIST())
#define TROUPE_D1(f, s, t, ...) f((s), (t), TROUPE_LIST(TROUPE_V1(__VA_ARGS__)))
#define TROUPE_D2(f, s, t, ...) f((s), (t), TROUPE_LIST(TROUPE_V2(__VA_ARGS__)))
#define TROUPE_D3(f, s, t, ...) f((s), (t), TROUPE_LIST(TROUPE_V3(__VA_ARGS__)))
#define TROUPE_D4(f, s, t, ...) f((s), (t), TROUPE_LIST(TROUPE_V4(__VA_ARGS__)))
#define TROUPE_D5(f, s, t, ...) f((s), (t), TROUPE_LIST(TROUPE_V5(__VA_ARGS__)))
#define TROUPE_D6(f, s, t, ...) f((s), (t), TROUPE_LIST(TROUPE_V6(__VA_ARGS__)))
#define TROUPE_D7(f, s, t, ...) f((s), (t), TROUPE_LIST(TROUPE_V7(__VA_ARGS__)))
#define TROUPE_D8(f, s, t, ...) f((s), (t), TROUPE_LIST(TROUPE_V8(__VA_ARGS__)))
#define TROUPE_WITH_VALUES_2(f, s, ...)                                                            \
    TROUPE_PICK(__VA_ARGS__, TROUPE_D8, TROUPE_D7, TROUPE_D6, TROUPE_D5, TROUPE_D4, TROUPE_D3,     \
                TROUPE_D2, TROUPE_D1, TROUPE_D0, 0)(f, s, __VA_ARGS__)

#define TROUPE_E0(f, s, t, n) f((s), (t), (n), TROUPE_LIST())
#define TROUPE_E1(f, s, t, n, ...) f((s), (t), (n), TROUPE_LIST(TROUPE_V1(__VA_ARGS__)))
#define TROUPE_E2(f, s, t, n, ...) f((s), (t), (n), TROUPE_LIST(TROUPE_V2(__VA_ARGS__)))
#define TROUPE_E3(f, s, t, n, ...) f((s), (t), (n), TROUPE_LIST(TROUPE_V3(__VA_ARGS__)))
#define TROUPE_E4(f, s, t, n, ...) f((s), (t), (n), TROUPE_LIST(TROUPE_V4(__VA_ARGS__)))
#define TROUPE_E5(f, s, t, n, ...) f((s), (t), (n), TROUPE_LIST(TROUPE_V5(__VA_ARGS__)))
#define TROUPE_E6(f, s, t, n, ...) f((s), (t), (n), TROUPE_LIST(TROUPE_V6(__VA_ARGS__)))
#define TROUPE_E7(f, s, t, n, ...) f((s), (t), (n), TROUPE_LIST(TROUPE_V7(__VA_ARGS__)))
#define TROUPE_E8(f, s, t, n, ...) f((s), (t), (n), TROUPE_LIST(TROUPE_V8(__VA_ARGS__)))
#define TROUPE_WITH_VALUES_3(f, s, t, ...)                                                         \
    TROUPE_PICK(__VA_ARGS__, TROUPE_E8, TROUPE_E7, TROUPE_E6, TROUPE_E5, TROUPE_E4, TROUPE_E3,     \
                TROUPE_E2, TROUPE_E1, TROUPE_E0, 0)(f, s, t, __VA_ARGS__)

#define TROUPE_F0(f, s, t, o, n) f((s), (t), (o), (n), TROUPE_LIST())
#define TROUPE_F1(f, s, t, o, n, ...) f((s), (t), (o), (n), TROUPE_LIST(TROUPE_V1(__VA_ARGS__)))
#define TROUPE_F2(f, s, t, o, n, ...) f((s), (t), (o), (n), TROUPE_LIST(TROUPE_V2(__VA_ARGS__)))
#define TROUPE_F3(f, s, t, o, n, ...) f((s), (t), (o), (n), TROUPE_LIST(TROUPE_V3(__VA_ARGS__)))
#define TROUPE_F4(f, s, t, o, n, ...) f((s), (t), (o), (n), TROUPE_LIST(TROUPE_V4(__VA_ARGS__)))
#define TROUPE_F5(f, s, t, o, n, ...) f((s), (t), (o), (n), TROUPE_LIST(TROUPE_V5(__VA_ARGS__)))
#define TROUPE_F6(f, s, t, o, n, ...) f((s), (t), (o), (n), TROUPE_LIST(TROUPE_V6(__VA_ARGS__)))
#define TROUPE_F7(f, s, t, o, n, ...) f((s), (t), (o), (n), TROUPE_LIST(TROUPE_V7(__VA_ARGS__)))
#define TROUPE_F8(f, s, t, o, n, ...) f((s), (t), (o), (n), TROUPE_LIST(TROUPE_V8(__VA_ARGS__)))
#define TROUPE_WITH_VALUES_4(f, s, t, o, ...)                                                      \
    TROUPE_PICK(__VA_ARGS__, TROUPE_F8, TROUPE_F7, TROUPE_F6, TROUPE_F5, TROUPE_F4, TROUPE_F3,     \
                TROUPE_F2, TROUPE_F1, TROUPE_F0, 0)(f, s, t, o, __VA_ARGS__)
/* clang-format on */

#endif
