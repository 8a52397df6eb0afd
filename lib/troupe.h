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
 *   2. Itself         state, arguments, path, status, exit, last state, log, loop
 *   3. Messages       reading arguments, replying, failing, keeping
 *   4. Publishing     to whoever subscribes
 *   5. Programs       readiness and status of an executed program
 *   6. Machinery      what the macros above are made of
 * Not in this release: sending to other actors, links and monitors, groups, timers as messages.
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

/* The running actor: first argument of everything that it does. */
struct troupe;

/* One message on its way through the actor. Valid until its handler returns, unless kept. */
struct troupe_message;

/* ---- 1. The actor ------------------------------------------------------------------------- */

/* What init returns. An error is said by `return troupe_error(self, "disk full")`. */
enum troupe_start { TROUPE_READY, TROUPE_IGNORE, TROUPE_ERROR };

/*
 * One message that the actor understands. The formats are words of these letters:
 *     i u  32 bits, signed and unsigned    I U  64 bits    f  double
 *     s    text                            B    bytes (may hold NULs)
 * In a raw line (PROTOCOL 1) arguments are text, and are checked against the format before the
 * handler sees them: what does not fit is answered `bad_message`. A call whose handler neither
 * replies nor keeps the message is answered for it: with nothing when `reply` is "", else with an
 * error.
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
     * that is all right); or troupe_error(). A supervisor waits `start_timeout` for it. */
    int (*init)(struct troupe *self);

    const struct troupe_handler *messages; /* ends with {0} */

    /* Messages that the table does not name. Raw lines have all their arguments as texts;
     * others have one argument, bytes: the payload. NULL: such messages are `unknown_message`. */
    void (*receive)(struct troupe *self, struct troupe_message *message);

    /* Runs once at the end, also when init failed, on a stop and when a link ends the actor; not
     * after SIGKILL. reason: SEMANTICS 4. May call troupe_exit() to end for another reason. */
    void (*terminate)(struct troupe *self, const char *reason);
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

/* Where it stands in the tree ("shop/counter"), its node, and which life this is (1: the first). */
TROUPE_EXPORT const char *troupe_path(struct troupe *self);
TROUPE_EXPORT const char *troupe_node(struct troupe *self);
TROUPE_EXPORT uint64_t troupe_incarnation(struct troupe *self);
/* Its number among `replicas`, from 1; 0 when it is not one of several. */
TROUPE_EXPORT unsigned troupe_replica(struct troupe *self);

/* For init: the text that goes with "ready". */
TROUPE_EXPORT void troupe_ready_text(struct troupe *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
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
 * NULL, "restart", "restart_after 30s", "finish" or "abort" (SEMANTICS 4). The last call counts. */
TROUPE_EXPORT void troupe_exit(struct troupe *self, const char *need, const char *reason, ...)
    __attribute__((format(printf, 3, 4)));

/* What the last incarnation left behind (valid for life), or NULL. */
TROUPE_EXPORT const void *troupe_last_state(struct troupe *self, size_t *size);
/* What the next one will get, sent at this one's end (not after SIGKILL or a crash): a copy of at
 * most 64 KiB. size 0 takes it back. Returns 0; or -1 with EMSGSIZE or ENOMEM. */
TROUPE_EXPORT int troupe_set_last_state(struct troupe *self, const void *bytes, size_t size);

/* One structured line into the actor's log: level "info", event "cart.full", then keys and texts up
 * to a NULL. Plain stdout and stderr are the log too. */
TROUPE_EXPORT void troupe_log(struct troupe *self, const char *level, const char *event, ...)
    __attribute__((sentinel));

/* The loop (libev), for timers and descriptors of the actor's own. Its callbacks run between
 * messages, in the same thread. */
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

/* How many arguments there are, and argument number `index`, from 0, as it was declared: i and I
 * by troupe_int, u and U by troupe_uint (both take either), f, s, B. Owned by the message. */
TROUPE_EXPORT unsigned troupe_count(const struct troupe_message *message);
TROUPE_EXPORT int64_t troupe_int(const struct troupe_message *message, unsigned index);
TROUPE_EXPORT uint64_t troupe_uint(const struct troupe_message *message, unsigned index);
TROUPE_EXPORT double troupe_double(const struct troupe_message *message, unsigned index);
TROUPE_EXPORT const char *troupe_text(const struct troupe_message *message, unsigned index);
TROUPE_EXPORT struct troupe_bytes troupe_bytes(const struct troupe_message *message,
                                               unsigned index);

/* Answers: troupe_reply(message), troupe_reply(message, a), troupe_reply(message, a, b) … up to 8
 * values: any integer, double, text or struct troupe_bytes. They are checked against the declared
 * reply: -1 with EINVAL (the caller then gets an error that says so), and -1 with ENOTCONN when
 * nobody waits any more. Does nothing to a cast. A kept message is freed by it. */
#define troupe_reply(...) TROUPE_WITH_VALUES(troupe_reply_values, __VA_ARGS__)

/* Answers `error TEXT`. Otherwise as above. */
TROUPE_EXPORT int troupe_fail(struct troupe_message *message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Keeps the message, so that it can be answered after its handler has returned. The actor then owes
 * it one troupe_reply(), troupe_fail() or troupe_drop(). Returns it. */
TROUPE_EXPORT struct troupe_message *troupe_keep(struct troupe_message *message);
/* Gives up a kept message: a caller that still waits gets an error. Takes NULL. */
TROUPE_EXPORT void troupe_drop(struct troupe_message *message);

/* ---- 4. Publishing ------------------------------------------------------------------------ */

/* troupe_publish(self, "tick", count, "text" …): a line TOPIC, TAB, values to everyone who has
 * subscribed (an nng SUB dialer of the mailbox; it filters by the beginning of the line). Returns
 * how many it was queued for; a subscriber that does not keep up misses lines, and they are
 * counted. */
#define troupe_publish(self, ...) TROUPE_WITH_VALUES_2(troupe_publish_values, self, __VA_ARGS__)

/* ---- 5. Programs -------------------------------------------------------------------------- */

/* For an executed program that links this library: the same words to its supervisor, through the
 * descriptor named in TROUPE_CONTROL. Return 0; or -1 with errno: ENOTCONN when no supervisor
 * started it. Texts may be NULL. */
TROUPE_EXPORT int troupe_notify_ready(const char *text);
TROUPE_EXPORT int troupe_notify_status(const char *text);
TROUPE_EXPORT int troupe_notify_heartbeat(void);
/* Tells the reason and the need before the program ends by itself. */
TROUPE_EXPORT int troupe_notify_exit(const char *need, const char *reason);

/* ---- 6. Machinery ------------------------------------------------------------------------- */

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

TROUPE_EXPORT int troupe_reply_values(struct troupe_message *message,
                                      const struct troupe_value *values);
TROUPE_EXPORT int troupe_publish_values(struct troupe *self, const char *topic,
                                        const struct troupe_value *values);

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
/* clang-format on */

#endif
