#include "child_parts.h"

#include "ctl.h"
#include "supervisor.h"
#include "text.h"
#include "why.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void talk_watch(struct child *child, int events)
{
    ev_io_stop(child->supervisor->loop, &child->control);
    ev_io_set(&child->control, child->control_fd, events);
    ev_io_start(child->supervisor->loop, &child->control);
}

static void send_queued(struct child *child)
{
    while (buf_length(&child->outgoing) > 0) {
        const char *text = (const char *)buf_front(&child->outgoing);
        size_t length = strlen(text);

        if (send(child->control_fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN)
            return;
        buf_consume(&child->outgoing, length + 1);
    }
    talk_watch(child, EV_READ);
}

bool child_say(struct child *child, const char *text)
{
    if (child->control_fd < 0)
        return false;
    if (!buf_length(&child->outgoing) &&
        send(child->control_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        return true;
    if (errno != EAGAIN && !buf_length(&child->outgoing))
        return false;
    if (buf_append(&child->outgoing, text, strlen(text) + 1) < 0)
        return false;
    talk_watch(child, EV_READ | EV_WRITE);
    return true;
}

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
        events_child_text(child, EVENT_CHILD_STATUS, "not_understood", ctl_verb_text(line->verb));
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
        send_queued(child);
    if (child->control_fd >= 0 && !talk_take(child, 16))
        ev_io_stop(loop, &child->control); /* its end will come as SIGCHLD, or it means to go on without */
}

void talk_close(struct child *child)
{
    ev_io_stop(child->supervisor->loop, &child->control);
    if (child->control_fd >= 0)
        close(child->control_fd);
    child->control_fd = -1;
    buf_consume(&child->outgoing, buf_length(&child->outgoing));
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
