#include "child_parts.h"

#include "ctl.h"
#include "supervisor.h"
#include "text.h"
#include "why.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who asks and does not read the answers is not listened to until it does. */
static void watch_control(struct child *child)
{
    int events = (party_is_glutted(&child->party) ? 0 : EV_READ) |
                 (party_has_waiting(&child->party) ? EV_WRITE : 0);

    if (ev_is_active(&child->control) && child->control.events == events)
        return;
    ev_io_stop(child->supervisor->loop, &child->control);
    ev_io_set(&child->control, child->control_fd, events);
    ev_io_start(child->supervisor->loop, &child->control);
}

void talk_begin(struct child *child)
{
    watch_control(child);
}

bool child_say(struct child *child, const char *text)
{
    if (child->control_fd < 0 || !party_order(&child->party, text))
        return false;
    if (party_has_waiting(&child->party))
        watch_control(child);
    return true;
}

/* ---- the child as a party to links and monitors ------------------------------------------------- */

static struct child *child_of(const struct party *party)
{
    return container_of(party, struct child, party);
}

static uint64_t party_incarnation(const struct party *party)
{
    const struct child *child = child_of(party);

    if (child_has_process(child))
        return child->slot->incarnation;
    return child_will_start(child) ? child->slot->incarnation + 1 : 0;
}

static bool party_is_alive(const struct party *party)
{
    return child_has_process(child_of(party));
}

static int party_send(struct party *party, const char *lines, size_t size)
{
    struct child *child = child_of(party);

    if (child->control_fd < 0) {
        errno = EPIPE;
        return -1;
    }
    if (send(child->control_fd, lines, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        return 0;
    if (errno == EAGAIN && ev_is_active(&child->control))
        ev_feed_event(child->supervisor->loop, &child->control, EV_CUSTOM);
    return -1;
}

static void party_end(struct party *party, const char *reason)
{
    child_fault(child_of(party), reason);
}

static void party_complain(struct party *party, const char *text)
{
    events_child_text(child_of(party), EVENT_CHILD_STATUS, "not_understood", text);
}

const struct party_kind talk_party_kind = {.incarnation = party_incarnation,
                                           .is_alive = party_is_alive,
                                           .send = party_send,
                                           .end = party_end,
                                           .complain = party_complain};

/* ---- what it says -------------------------------------------------------------------------------- */

void talk_feed_watchdog(struct child *child)
{
    bool is_module = child->spec->kind == SPEC_MODULE;

    child->pinged = false;
    if (child->spec->watchdog_ms > 0 && child->state == CHILD_READY)
        child_start_timer(child, &child->watchdog, child->spec->watchdog_ms / (is_module ? 2 : 1));
}

static void note_status(struct child *child, const char *text)
{
    text_escape(text, strlen(text), child->slot->status, sizeof child->slot->status);
    events_child_text(child, EVENT_CHILD_STATUS, "text", child->slot->status);
}

/* EXIT REASON | NEED: what the child says of the end that it is about to make. */
static void note_exit(struct child *child, char *rest)
{
    char *reason, *need;

    ctl_exit_parts(rest, &reason, &need);
    reason_copy(reason, "normal", child->said_reason);
    if (*need && need_parse(need, &child->need, &child->need_delay_ms) < 0)
        events_child_text(child, EVENT_CHILD_STATUS, "unknown_need", need);
}

static void take_line(struct child *child, const struct ctl_line *line)
{
    switch (line->verb) {
    case CTL_READY:
        if (*line->rest)
            note_status(child, line->rest);
        child_handle(child, CHILD_EV_READY);
        break;
    case CTL_IGNORE:
        /* Only in place of READY; a program that is ready at once has had no chance before. */
        child->ignored = !child->was_ready || child->spec->ready == READY_DEFAULT;
        break;
    case CTL_STATUS:
        note_status(child, line->rest);
        break;
    case CTL_HEARTBEAT:
        talk_feed_watchdog(child);
        break;
    case CTL_EXIT:
        note_exit(child, line->rest);
        break;
    case CTL_LAST_STATE:
        if (table_set_last_state(child->supervisor->table, child->slot, line->bytes,
                                 line->bytes_size) < 0)
            events_child_text(child, EVENT_CHILD_STATUS, "last_state", strerror(errno));
        break;
    case CTL_CRASH:
        why_record_crash(child, line->rest);
        break;
    default:
        if (!party_take_line(&child->party, line))
            events_child_text(child, EVENT_CHILD_STATUS, "not_understood",
                              ctl_verb_text(line->verb));
        break;
    }
}

/* Reads what the child has said, at most `bound` datagrams; false when its end is closed. */
bool talk_take(struct child *child, int bound)
{
    static char datagram[CTL_DATAGRAM_MAX + 1];

    for (int i = 0; i < bound && child->control_fd >= 0; i++) {
        ssize_t n = recv(child->control_fd, datagram, CTL_DATAGRAM_MAX, MSG_DONTWAIT);
        struct ctl_line line;
        size_t at = 0;

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (n < 0)
            return true;
        datagram[n] = '\0';
        while (ctl_next(datagram, (size_t)n, &at, &line))
            take_line(child, &line);
    }
    return true;
}

void talk_on_control(struct ev_loop *loop, ev_io *io, int revents)
{
    struct child *child = container_of(io, struct child, control);

    if (revents & EV_WRITE)
        party_drain(&child->party);
    if ((revents & EV_READ) && child->control_fd >= 0 && !talk_take(child, 16)) {
        ev_io_stop(loop, io); /* its end will come as SIGCHLD, or it means to go on without */
        return;
    }
    if (child->control_fd >= 0)
        watch_control(child);
}

void talk_close(struct child *child)
{
    ev_io_stop(child->supervisor->loop, &child->control);
    if (child->control_fd >= 0)
        close(child->control_fd);
    child->control_fd = -1;
}

void child_on_notify(struct child *child, const char *line)
{
    if (!strncmp(line, "STATUS=", 7))
        note_status(child, line + 7);
    else if (!strcmp(line, "WATCHDOG=1"))
        talk_feed_watchdog(child);
    else if (!strcmp(line, "WATCHDOG=trigger"))
        child_fault(child, "timeout:watchdog");
    else if (!strcmp(line, "STOPPING=1"))
        note_status(child, "stopping");
    else if (!strcmp(line, "RELOADING=1"))
        note_status(child, "reloading");
}

/* A program sends its heartbeats unasked; a module is asked at half time, and its loop answers. */
void talk_on_watchdog(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct child *child = container_of(timer, struct child, watchdog);

    (void)loop;
    (void)revents;
    if (child->spec->kind != SPEC_MODULE || child->pinged) {
        child_fault(child, "timeout:watchdog");
        return;
    }
    child->pinged = true;
    child_say(child, "PING\n");
    child_start_timer(child, &child->watchdog, child->spec->watchdog_ms / 2);
}
