#include "events.h"

#include "buf.h"
#include "loop.h"
#include "status.h"
#include "supervisor.h"
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int events_add(struct events *events, struct peer *peer, uint64_t ref)
{
    struct event_subscriber *grown;

    events_drop_peer(events, peer); /* one that asks anew goes on with the new number */
    grown = realloc(events->subscribers, (events->count + 1) * sizeof *grown);
    if (!grown)
        return -1;
    events->subscribers = grown;
    grown[events->count++] = (struct event_subscriber){.peer = peer, .ref = ref};
    return 0;
}

void events_pass(struct events *events, const struct envelope *env)
{
    for (size_t i = 0; i < events->count; i++) {
        struct event_subscriber *subscriber = &events->subscribers[i];
        struct envelope event = *env;

        event.ref = subscriber->ref;
        subscriber->stalled |= peer_send(subscriber->peer, &event, -1) < 0;
    }
}

void events_subscribe(struct events *events, struct peer *peer, uint64_t ref)
{
    struct rows rows;

    if (status_rows(events->supervisor, NULL, true, &rows) < 0 || events_add(events, peer, ref) < 0) {
        peer_reply_error(peer, ref, CONTROL_E_REFUSED " out of memory");
        return;
    }
    peer_reply_rows(peer, ref, &rows);
    rows_finish(&rows);
}

void events_drop_peer(struct events *events, const struct peer *peer)
{
    size_t kept = 0;

    for (size_t i = 0; i < events->count; i++)
        if (events->subscribers[i].peer != peer)
            events->subscribers[kept++] = events->subscribers[i];
    events->count = kept;
}

void events_drop_stalled(struct events *events)
{
    for (size_t i = events->count; i-- > 0;)
        if (i < events->count && events->subscribers[i].stalled)
            requests_drop(&events->supervisor->requests, events->subscribers[i].peer);
}

/* ---- the log line ------------------------------------------------------------------------------ */

static bool needs_quotes(const char *value)
{
    return !*value || strpbrk(value, " \"=\\\t\n");
}

static void append_quoted(struct buf *line, const char *value)
{
    char clean[2 * REASON_MAX];

    text_escape(value, strlen(value), clean, sizeof clean);
    buf_append(line, "\"", 1);
    for (const char *c = clean; *c; c++) {
        if (*c == '"')
            buf_append(line, "\\", 1);
        buf_append(line, c, 1);
    }
    buf_append(line, "\"", 1);
}

static void append_fact(struct buf *line, const struct fact *fact)
{
    char shown[WALL_TEXT_SIZE];
    const char *value = fact->value;

    if (fact->type == 't') {
        wall_text(strtoll(fact->value, NULL, 10), shown);
        value = shown;
    } else if (fact->type == 'd') {
        value = text_of_duration(strtoll(fact->value, NULL, 10), shown, sizeof shown);
    }
    buf_printf(line, "%s%s=", buf_length(line) ? " " : "", fact->key);
    if (needs_quotes(value))
        append_quoted(line, value);
    else
        buf_printf(line, "%s", value);
}

/* As many whole lines as a pipe takes at once, or one that is longer. */
static size_t next_write(const struct buf *lines)
{
    size_t length = buf_length(lines);
    const uint8_t *front = buf_front(lines), *newline;

    if (length <= PIPE_BUF)
        return length;
    newline = memrchr(front, '\n', PIPE_BUF);
    if (!newline)
        newline = memchr(front, '\n', length);
    return newline ? (size_t)(newline - front) + 1 : length;
}

/* Standard error is our log pipe and does not block: better to lose a line of ours than to stop. */
static void flush(struct events *events)
{
    while (buf_length(&events->lines)) {
        size_t size = next_write(&events->lines);

        if (write(STDERR_FILENO, buf_front(&events->lines), size) < 0)
            events->lines_lost++;
        buf_consume(&events->lines, size);
    }
}

static void on_turn_end(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
    (void)loop;
    (void)revents;
    flush(container_of(watcher, struct events, turn_end));
}

/* A few lines wait for the end of the turn: sys/log, which each write wakes, would otherwise take
 * a processor from the child that is just being started again. */
static void write_line(struct events *events, const struct facts *facts)
{
    struct buf line = {0};

    for (size_t i = 0; i < facts->count; i++)
        append_fact(&line, &facts->at[i]);
    buf_append(&line, "\n", 1);
    if (!line.data || buf_append(&events->lines, buf_front(&line), buf_length(&line)) < 0)
        events->lines_lost++;
    buf_finish(&line);
    if (buf_length(&events->lines) >= PIPE_BUF / 2)
        flush(events);
}

/* ---- emitting ---------------------------------------------------------------------------------- */

static const char *level_of(const char *event, bool abnormal)
{
    static const char *const debug[] = {EVENT_CHILD_START, EVENT_CHILD_READY, EVENT_CHILD_ADDED,
                                        EVENT_CHILD_STATUS, EVENT_CHILD_STOP, EVENT_CHILD_WAITING};

    if (!strcmp(event, EVENT_GIVE_UP) || !strcmp(event, EVENT_CHILD_FAILED))
        return "error";
    if (abnormal || !strcmp(event, EVENT_CHILD_STRAY) ||
        !strcmp(event, EVENT_FORGED))
        return "warn";
    for (size_t i = 0; i < sizeof debug / sizeof *debug; i++)
        if (!strcmp(event, debug[i]))
            return "debug";
    return "info";
}

static void emit(struct events *events, const char *event, const char *level, struct facts *facts)
{
    for (size_t i = events->count; i-- > 0;) {
        struct event_subscriber *to = &events->subscribers[i];

        if (to->stalled || peer_event_facts(to->peer, to->ref, event, facts) == 0)
            continue;
        to->stalled = true; /* it does not read; let go later, since it may be asking just now */
        supervisor_kick(events->supervisor);
    }
    if (strcmp(level, "debug"))
        write_line(events, facts);
    facts_finish(facts);
}

static struct facts begin_facts(const char *event, const char *level, const char *path)
{
    struct facts facts = {0};

    facts_addf(&facts, 't', "ts", "%lld", (long long)wall_now_us());
    facts_add(&facts, 's', "level", level);
    facts_add(&facts, 's', "path", path);
    facts_add(&facts, 's', "event", event);
    return facts;
}

static struct facts child_facts(const struct child *child, const char *event, bool abnormal)
{
    struct facts facts = begin_facts(event, level_of(event, abnormal), child->path);

    facts_addf(&facts, 'n', "pid", "%d", (int)child->pid);
    facts_addf(&facts, 'n', "incarnation", "%llu", (unsigned long long)child->slot->incarnation);
    facts_add(&facts, 's', "state", child_state_text(child));
    facts_add(&facts, 's', "kind", spec_kind_text(child->spec->kind));
    return facts;
}

/* The steps of a start that nobody follows are not even put together: 20 µs of it. */
static bool nobody_cares(const struct child *child, const char *event)
{
    return !child->supervisor->events.count && !strcmp(level_of(event, false), "debug");
}

static void emit_child(struct child *child, const char *event, bool abnormal, struct facts *facts)
{
    emit(&child->supervisor->events, event, level_of(event, abnormal), facts);
}

void events_child(struct child *child, const char *event)
{
    struct facts facts;

    if (nobody_cares(child, event))
        return;
    facts = child_facts(child, event, false);
    emit_child(child, event, false, &facts);
}

void events_child_text(struct child *child, const char *event, const char *key, const char *text)
{
    struct facts facts;

    if (nobody_cares(child, event))
        return;
    facts = child_facts(child, event, false);
    facts_add(&facts, 's', key, text);
    emit_child(child, event, false, &facts);
}

void events_child_ms(struct child *child, const char *event, const char *key, int64_t ms)
{
    struct facts facts;

    if (nobody_cares(child, event))
        return;
    facts = child_facts(child, event, false);
    facts_addf(&facts, 'd', key, "%lld", (long long)ms);
    emit_child(child, event, false, &facts);
}

void events_child_exit(struct child *child, const char *reason, int64_t ran_ms, bool ordered)
{
    bool abnormal = !ordered && !reason_is_orderly(reason);
    struct facts facts = child_facts(child, EVENT_CHILD_EXIT, abnormal);

    facts_add(&facts, 's', "reason", reason);
    facts_addf(&facts, 'd', "ran", "%lld", (long long)ran_ms);
    facts_add(&facts, 'b', "ordered", ordered ? "true" : "false");
    emit_child(child, EVENT_CHILD_EXIT, abnormal, &facts);
}

static struct facts attached_facts(const struct attached *attached, const char *event, bool abnormal,
                                   enum row_state state)
{
    struct facts facts = begin_facts(event, level_of(event, abnormal), attached->path);

    facts_addf(&facts, 'n', "pid", "%d", (int)attached->pid);
    facts_addf(&facts, 'n', "incarnation", "%llu", (unsigned long long)attached->incarnation);
    facts_add(&facts, 's', "state", row_state_text(state));
    facts_add(&facts, 's', "kind", row_kind_text(ROW_ATTACHED));
    return facts;
}

void events_attached(struct attached *attached, const char *event, const char *key, const char *text)
{
    struct facts facts =
        attached_facts(attached, event, false, attached->is_stopping ? ROW_STOPPING : ROW_READY);

    if (key)
        facts_add(&facts, 's', key, text);
    emit(&attached->supervisor->events, event, level_of(event, false), &facts);
}

void events_attached_exit(struct attached *attached, const char *reason, int64_t ran_ms, bool ordered)
{
    bool abnormal = !ordered && !reason_is_orderly(reason);
    struct facts facts = attached_facts(attached, EVENT_CHILD_EXIT, abnormal, ROW_EXITED);

    facts_add(&facts, 's', "reason", reason);
    facts_addf(&facts, 'd', "ran", "%lld", (long long)ran_ms);
    facts_add(&facts, 'b', "ordered", ordered ? "true" : "false");
    emit(&attached->supervisor->events, EVENT_CHILD_EXIT, level_of(EVENT_CHILD_EXIT, abnormal),
         &facts);
}

void events_stray(struct child *child, pid_t pid)
{
    struct facts facts = child_facts(child, EVENT_CHILD_STRAY, true);

    facts_addf(&facts, 'n', "stray", "%d", (int)pid);
    emit_child(child, EVENT_CHILD_STRAY, true, &facts);
}

void events_self(struct supervisor *supervisor, const char *event, const char *key, const char *text)
{
    const char *level = level_of(event, false);
    struct facts facts = begin_facts(event, level, supervisor->path);

    facts_addf(&facts, 'n', "pid", "%d", (int)getpid());
    if (key)
        facts_add(&facts, 's', key, text);
    emit(&supervisor->events, event, level, &facts);
}

/* ---- life --------------------------------------------------------------------------------------- */

void events_init(struct events *events, struct supervisor *supervisor)
{
    *events = (struct events){.supervisor = supervisor};
    ev_prepare_init(&events->turn_end, on_turn_end);
    ev_set_priority(&events->turn_end, EV_MINPRI);
    ev_prepare_start(supervisor->loop, &events->turn_end);
}

void events_finish(struct events *events)
{
    ev_prepare_stop(events->supervisor->loop, &events->turn_end);
    flush(events);
    buf_finish(&events->lines);
    free(events->subscribers);
    events->subscribers = NULL;
    events->count = 0;
}
