/* The life of a module: what troupe.h promises, on the loop of this process. */
#include "runtime.h"

#include "crash.h"
#include "logline.h"
#include "nest.h"
#include "text.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert((int)TROUPE_ABI == (int)TROUPE_BOOT_ABI, "one number for both borders");

enum {
    ACTOR_DRAIN_MS = 1000, /* at the end, for answers and for last words each */
    ACTOR_NEST = 512 * 1024,
};

/* ---- ending -------------------------------------------------------------------------------- */

/* The first word counts, but for terminate(), which may replace it (troupe_exit). */
static void end(struct troupe *self, const char *reason, const char *fallback)
{
    reason_copy(reason, fallback, self->reason);
    self->ending = true;
    ev_break(self->loop, EVBREAK_ALL);
}

void actor_end(struct troupe *self, const char *reason)
{
    if (!self->ending)
        end(self, reason, "shutdown");
}

void troupe_exit(struct troupe *self, const char *need, const char *reason, ...)
{
    char text[REASON_MAX];
    enum need parsed;
    long delay_ms;
    va_list args;

    va_start(args, reason);
    vsnprintf(text, sizeof text, reason, args);
    va_end(args);
    self->need[0] = '\0';
    self->terminated = false;
    if (need && need_parse(need, &parsed, &delay_ms) == 0)
        snprintf(self->need, sizeof self->need, "%s", need);
    else if (need && *need)
        troupe_log(self, "error", "actor.need", "need", need, "why",
                   "expected restart, restart_after DURATION, finish or abort", NULL);
    end(self, text, "normal");
}

static void say_exit(struct troupe *self)
{
    char text[REASON_MAX + TROUPE_NEED_MAX + 4];

    snprintf(text, sizeof text, "%s%s%s", self->reason, *self->need ? " | " : "", self->need);
    parent_say(&self->parent, CTL_EXIT, text);
}

void actor_finish(struct troupe *self)
{
    mailbox_refuse(self);
    works_finish(self);
    agenda_enter(self);
    if (self->actor.terminate)
        self->actor.terminate(self, self->reason);
    state_drain(self, ACTOR_DRAIN_MS);
    mailbox_drain(self, ACTOR_DRAIN_MS);
    contacts_drain(self, ACTOR_DRAIN_MS);
    parent_drain(&self->parent, ACTOR_DRAIN_MS);
    troupe_save_last_state(self);
    if (self->terminated)
        return;
    say_exit(self);
    parent_drain(&self->parent, ACTOR_DRAIN_MS);
}

/* ---- the supervisor's word ----------------------------------------------------------------- */

static void on_stop(struct troupe *self)
{
    if (self->actor.drains && self->serving)
        troupe_drain(self, "shutdown");
    else
        actor_end(self, "shutdown");
}

static void on_line(struct parent *parent, struct ctl_line *line)
{
    struct troupe *self = container_of(parent, struct troupe, parent);

    agenda_hold(self); /* a stop may stand behind what is told here */
    switch (line->verb) {
    case CTL_STOP:
        on_stop(self);
        break;
    case CTL_EXIT:
        ties_on_exit(self, line->rest);
        break;
    case CTL_DOWN:
        ties_on_down(self, line->rest);
        break;
    case CTL_LINKED:
        ties_on_linked(self, line->rest);
        break;
    case CTL_JOINED:
        joining_on_joined(self, line->rest);
        break;
    case CTL_LEFT:
        joining_on_left(self, line->rest);
        break;
    case CTL_NOT_JOINED:
        joining_on_refused(self, line->rest);
        break;
    case CTL_PING:
        parent_say(parent, CTL_HEARTBEAT, "");
        break;
    default: /* a newer supervisor may say more than we know */
        break;
    }
    agenda_let_go(self);
}

/* Belt to PDEATHSIG: nobody is left who could restart a child, so nothing is worth finishing. What is
 * attached is a process of its own. */
static void on_gone(struct parent *parent)
{
    struct troupe *self = container_of(parent, struct troupe, parent);

    if (!self->is_attached)
        _exit(1);
    actor_end(self, "noconnection");
}

/* A SIGTERM that comes with a STOP is that stop. One from elsewhere still gets terminate(); then
 * the signal is raised again, so that the wait status tells the truth. */
static void on_term(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    struct troupe *self = container_of(watcher, struct troupe, term);

    (void)loop;
    (void)revents;
    parent_poll(&self->parent);
    if (self->ending || self->draining)
        return;
    self->terminated = true;
    end(self, "signal:TERM", "signal:TERM");
}

void troupe_drain(struct troupe *self, const char *reason)
{
    if (self->draining)
        return;
    reason_copy(reason, "normal", self->drain_reason);
    mailbox_take_no_more(self);
}

void troupe_pause(struct troupe *self)
{
    self->paused = true;
}

void troupe_resume(struct troupe *self)
{
    self->paused = false;
    mailbox_wake(self);
}

/* ---- messages ------------------------------------------------------------------------------ */

void troupe_declare(struct troupe *self, const struct troupe_handler *messages,
                    void (*receive)(struct troupe *self, struct troupe_message *message))
{
    self->actor.messages = messages;
    self->actor.receive = receive;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static int describe_one(struct words *words, const struct troupe_handler *handler)
{
    int failed = words_append(words, handler->name);

    failed |= words_append(words, or_empty(handler->arguments));
    failed |= words_append(words, or_empty(handler->reply));
    return failed | words_append(words, or_empty(handler->help));
}

/* The table itself, four texts a message: name, arguments, reply, help. */
static void describe(struct troupe *self, struct troupe_message *message)
{
    static const struct troupe_handler others = {"*", "", "", NULL, "all other messages"};
    struct words words = {0};
    int failed = 0;

    for (const struct troupe_handler *h = self->actor.messages; h && h->name; h++)
        failed |= describe_one(&words, h);
    if (self->actor.receive)
        failed |= describe_one(&words, &others);
    if (failed)
        mailbox_answer_error(message, "error out of memory");
    else
        mailbox_answer_words(message, &words);
    words_finish(&words);
}

static bool is_describe(const struct troupe_message *message)
{
    static const char name[] = "describe";
    size_t length = sizeof name - 1, size = message->size;

    if (!message->is_call || message->origin == MESSAGE_RAW_BYTES)
        return false;
    if (message->origin == MESSAGE_ENVELOPE)
        return strcmp(message->name, name) == 0;
    return strcmp(message->body, name) == 0 ||
           (size == length + 1 && memcmp(message->body, "describe\n", size) == 0);
}

static void begin_handling(struct troupe *self, const struct troupe_message *message)
{
    uint64_t index = STATS_HANDLER_OTHER;

    if (message->handler)
        index = (uint64_t)(message->handler - self->actor.messages) + 1;
    STATS_SET(self, busy_since_us, mono_lately().us);
    STATS_SET(self, handling, index < STATS_HANDLER_OTHER ? index : STATS_HANDLER_OTHER);
}

static void end_handling(struct troupe *self)
{
    STATS_SET(self, handling, STATS_HANDLER_NONE);
    STATS_SET(self, busy_since_us, 0);
    STATS_SET(self, last_activity_us, mono_lately().us);
}

/* A call that its handler left open: nothing to say is an answer where nothing was promised. */
static void close_call(struct troupe_message *message)
{
    const struct troupe_handler *handler = message->handler;

    if (!message->is_call || message->is_answered)
        return;
    if (handler && (!handler->reply || !*handler->reply))
        mailbox_answer(message, "", NULL);
    else
        mailbox_answer_error(message, "error not answered");
}

static void call_handler(struct troupe *self, struct troupe_message *message)
{
    begin_handling(self, message);
    message->is_handled = true;
    self->current = message;
    agenda_enter(self);
    if (message->handler)
        message->handler->handle(self, message);
    else
        self->actor.receive(self, message);
    agenda_leave(self);
    self->current = NULL;
    message->is_handled = false;
    end_handling(self);
    if (message->is_kept)
        return;
    close_call(message);
    mailbox_forget(message);
}

void actor_handle(struct troupe *self, struct troupe_message *message)
{
    char why[MESSAGE_WHY_SIZE];

    STATS_ADD(self, messages_in, 1);
    if (is_describe(message)) {
        describe(self, message);
    } else if (publish_is_request(message)) {
        publish_on_request(self, message);
    } else if (message_parse(message, self->actor.messages, self->actor.receive, why) == 0) {
        call_handler(self, message);
        return;
    } else {
        STATS_ADD(self, dropped, 1);
        mailbox_answer_error(message, why);
    }
    mailbox_forget(message);
}

/* ---- life ---------------------------------------------------------------------------------- */

/* A module that was built against an older header has a shorter struct. */
static void copy_actor(struct troupe *self, const struct troupe_actor *actor)
{
    size_t size = actor->size < sizeof self->actor ? actor->size : sizeof self->actor;

    memcpy(&self->actor, actor, size);
}

static void format_address(struct troupe *self)
{
    struct addr addr = {.incarnation = self->boot->incarnation};

    snprintf(addr.path, sizeof addr.path, "%s", self->boot->path);
    snprintf(addr.node, sizeof addr.node, "%s", or_empty(self->boot->node));
    addr_format(&addr, self->address, sizeof self->address);
    self->hash = addr_hash(&addr);
}

/* The descriptor leads to the pages of others, too: what the author's code gets wrong shall not. */
static void map_stats(struct troupe *self)
{
    self->stats = NULL;
    if (self->boot->stats_fd >= 0) {
        self->stats = stats_map_one(self->boot->stats_fd, self->boot->stats_offset);
        close(self->boot->stats_fd);
    }
    if (!self->stats)
        self->stats = &self->own_stats;
}

/* Not dladdr(): it binds symbols and takes a lock, 13 pages of every start. */
static void watch_crashes(const struct troupe *self, const struct troupe_actor *actor)
{
    struct dl_find_object found = {0};

    _dl_find_object((void *)actor, &found);
    crash_install(self->boot->control_fd, found.dlfo_map_start);
}

void actor_init(struct troupe *self, const struct troupe_actor *actor, const struct troupe_boot *boot)
{
    self->boot = boot;
    copy_actor(self, actor);
    format_address(self);
    map_stats(self);
    parent_init(&self->parent, self->loop, on_line, on_gone);
    parent_by_socket(&self->parent, boot->control_fd);
    mailbox_init(self);
    contacts_init(self);
    hotlines_init(&self->hotlines, self->loop, boot->run_dir, self->address);
    views_init(self);
    calls_init(self);
    TAILQ_INIT(&self->agenda);
    self->has_spare = true;
    ev_signal_init(&self->term, on_term, SIGTERM);
}

void actor_release(struct troupe *self)
{
    ev_signal_stop(self->loop, &self->term);
    works_finish(self); /* of terminate() */
    timing_finish(self);
    idle_finish(self);
    descriptors_finish(self);
    agenda_finish(self);
    subscriptions_finish(self);
    views_finish(self);
    contacts_finish(self);
    calls_finish(self);
    ties_finish(self);
    hotlines_finish(&self->hotlines);
    mailbox_finish(self);
    publish_finish(self);
    state_finish(self);
    parent_finish(&self->parent);
    ev_loop_destroy(self->loop);
    free(self->last_state);
}

/* Names that begin with a dot are the runtime's own. */
static bool has_reserved_name(const struct troupe *self, char why[REASON_MAX])
{
    for (const struct troupe_handler *h = self->actor.messages; h && h->name; h++)
        if (*h->name == '.') {
            snprintf(why, REASON_MAX, "error message %.64s: no name begins with a dot", h->name);
            return true;
        }
    return false;
}

/* Runs the author's init, and what it forgot to say is an error too. */
static int run_init(struct troupe *self)
{
    int result = TROUPE_READY;
    char why[REASON_MAX];

    if (has_reserved_name(self, why)) {
        actor_end(self, why);
        return TROUPE_ERROR;
    }
    agenda_enter(self);
    if (self->actor.init)
        result = self->actor.init(self);
    agenda_leave(self);
    if (*self->bad_argument) {
        end(self, self->bad_argument, "error");
        return TROUPE_ERROR;
    }
    if (result == TROUPE_ERROR)
        actor_end(self, "error");
    return result;
}

void troupe_ready(struct troupe *self)
{
    char why[REASON_MAX];

    if (self->serving || self->ending)
        return;
    if (mailbox_open(self) < 0) {
        snprintf(why, sizeof why, "error mailbox: %s", strerror(errno));
        actor_end(self, why);
        return;
    }
    self->serving = true;
    idle_begin(self);
    parent_say(&self->parent, CTL_READY, self->ready_text);
}

int actor_start(struct troupe *self)
{
    int result;

    parent_start(&self->parent);
    ties_init(self);
    if (state_begin(self) < 0)
        return TROUPE_ERROR;
    result = run_init(self);
    state_settle(self);
    if (result == TROUPE_IGNORE || self->ending)
        return result;
    mailbox_begin(self);
    if (result == TROUPE_READY)
        troupe_ready(self);
    return result;
}

/* ---- a module ------------------------------------------------------------------------------ */

static struct troupe *create(const struct troupe_actor *actor, const struct troupe_boot *boot)
{
    struct troupe *self;

    if (nest_open(ACTOR_NEST) < 0)
        return NULL;
    loop_share_memory();
    self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->state = calloc(1, actor->state_size + 1);
    self->loop = loop_create();
    if (!self->state || !self->loop) {
        free(self->state);
        free(self);
        return NULL;
    }
    actor_init(self, actor, boot);
    watch_crashes(self, actor);
    return self;
}

/* Returns the exit status. */
static int live(struct troupe *self)
{
    ev_signal_start(self->loop, &self->term);
    if (actor_start(self) == TROUPE_IGNORE && !self->ending) {
        parent_say(&self->parent, CTL_IGNORE, "");
        parent_drain(&self->parent, ACTOR_DRAIN_MS);
        return 0;
    }
    while (!self->ending)
        ev_run(self->loop, 0);
    actor_finish(self);
    if (self->terminated)
        return 128 + SIGTERM;
    return reason_exit_status(self->reason);
}

int troupe_actor_run(const struct troupe_actor *actor, const struct troupe_boot *boot)
{
    struct troupe *self;
    bool terminated;
    int status;

    if (boot->abi != TROUPE_BOOT_ABI) {
        fprintf(stderr, "libtroupe: supervisor speaks abi %u: expected %u\n", boot->abi,
                (unsigned)TROUPE_BOOT_ABI);
        return 1;
    }
    self = create(actor, boot);
    if (!self) {
        fprintf(stderr, "libtroupe: cannot start: %s\n", strerror(errno));
        return 1;
    }
    status = live(self);
    terminated = self->terminated;
    actor_release(self);
    free(self->state);
    free(self);
    fflush(NULL);
    if (terminated) {
        signal(SIGTERM, SIG_DFL);
        raise(SIGTERM);
    }
    return status;
}

/* ---- itself -------------------------------------------------------------------------------- */

void *troupe_state(struct troupe *self)
{
    return self->state;
}

const char *troupe_arg(struct troupe *self, const char *key)
{
    const char *const *args = self->boot->args;

    for (; args && args[0] && args[1]; args += 2)
        if (strcmp(args[0], key) == 0)
            return args[1];
    return NULL;
}

int64_t troupe_arg_int(struct troupe *self, const char *key, int64_t fallback)
{
    const char *text = troupe_arg(self, key);
    long long value;
    char *rest;

    if (!text)
        return fallback;
    errno = 0;
    value = strtoll(text, &rest, 10);
    if (*text && !*rest && errno == 0)
        return value;
    snprintf(self->bad_argument, sizeof self->bad_argument,
             "error args: %s: \"%s\": expected a whole number", key, text);
    return fallback;
}

const char *troupe_arg_key(struct troupe *self, unsigned index)
{
    const char *const *args = self->boot->args;

    for (; args && args[0] && args[1]; args += 2)
        if (index-- == 0)
            return args[0];
    return NULL;
}

const char *troupe_path(struct troupe *self)
{
    return self->boot->path;
}

const char *troupe_node(struct troupe *self)
{
    return or_empty(self->boot->node);
}

uint64_t troupe_incarnation(struct troupe *self)
{
    return self->boot->incarnation;
}

const char *troupe_id(struct troupe *self)
{
    return addr_name(self->boot->path);
}

uint64_t troupe_epoch(struct troupe *self)
{
    return self->boot->is_of_service ? self->boot->incarnation : 0;
}

unsigned troupe_replica(struct troupe *self)
{
    return self->boot->replica;
}

struct ev_loop *troupe_loop(struct troupe *self)
{
    return self->loop;
}

void troupe_ready_text(struct troupe *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(self->ready_text, sizeof self->ready_text, format, args);
    va_end(args);
}

int troupe_error(struct troupe *self, const char *format, ...)
{
    char text[REASON_MAX] = "error ";
    size_t head = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + head, sizeof text - head, format, args);
    va_end(args);
    end(self, text, "error");
    return TROUPE_ERROR;
}

void troupe_status(struct troupe *self, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    parent_say(&self->parent, CTL_STATUS, text);
}

void troupe_heartbeat(struct troupe *self)
{
    parent_say(&self->parent, CTL_HEARTBEAT, "");
}

const void *troupe_last_state(struct troupe *self, size_t *size)
{
    *size = self->boot->last_state ? self->boot->last_state_size : 0;
    return self->boot->last_state;
}

int troupe_set_last_state(struct troupe *self, const void *bytes, size_t size)
{
    void *copy;

    if (size > TROUPE_LAST_STATE_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    copy = malloc(size + 1);
    if (!copy)
        return -1;
    if (size > 0)
        memcpy(copy, bytes, size);
    free(self->last_state);
    self->last_state = copy;
    self->last_state_size = size;
    return 0;
}

void troupe_save_last_state(struct troupe *self)
{
    if (self->last_state_size > 0)
        parent_last_state(&self->parent, self->last_state, self->last_state_size);
}

/* One write, so that lines of several writers do not mix. */
static void write_line(struct buf *line)
{
    if (buf_append(line, "\n", 1) == 0 &&
        write(STDERR_FILENO, buf_front(line), buf_length(line)) < 0)
        return; /* a log that does not take lines has nobody to tell */
}

void troupe_log(struct troupe *self, const char *level, const char *event, ...)
{
    struct buf line = {0};
    const char *key;
    va_list args;

    fflush(stdout); /* keeps the order with what the actor printed */
    va_start(args, event);
    if (logline_begin(&line, level, self->boot->path, event) == 0) {
        while ((key = va_arg(args, const char *)) &&
               logline_add(&line, key, va_arg(args, const char *)) == 0)
            ;
        write_line(&line);
    }
    va_end(args);
    buf_finish(&line);
}
