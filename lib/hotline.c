#include "hotline.h"

#include "addr.h"
#include "loop.h"
#include "rundir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT_MS = 1000 };

struct hotline {
    LIST_ENTRY(hotline) entry;
    struct peer *peer;
    ev_timer unused;
    struct hotline_request *written; /* by ref, in the order in which they were */
    TAILQ_HEAD(request_list, hotline_request) waiting;
    unsigned count; /* of both */
    char mailbox[ADDR_PATH_MAX + sizeof RUNDIR_SUPERVISOR + 2];
};

/* ---- requests ------------------------------------------------------------------------------- */

static struct hotline_request *find_request(struct hotline *line, uint64_t ref)
{
    struct hotline_request *request;

    HASH_FIND(hh, line->written, &ref, sizeof ref, request);
    return request;
}

static struct hotline_request *first_of(struct hotline *line)
{
    return line->written ? line->written : TAILQ_FIRST(&line->waiting);
}

static void take_out(struct hotline *line, struct hotline_request *request)
{
    if (line->written && request->ref)
        HASH_DELETE(hh, line->written, request);
    else
        TAILQ_REMOVE(&line->waiting, request, entry);
    line->count--;
    request->line = NULL;
    request->ref = 0;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct hotline *line = peer_data(peer);
    struct hotline_request *request = find_request(line, env->ref);

    if (fd >= 0)
        close(fd);
    if (!request || (env->kind != ENVELOPE_CONTROL_REPLY && env->kind != ENVELOPE_ERROR))
        return;
    take_out(line, request);
    request->on_answer(request, env);
}

/* ---- the connection ------------------------------------------------------------------------- */

static void destroy(struct ev_loop *loop, struct hotline *line)
{
    LIST_REMOVE(line, entry);
    ev_timer_stop(loop, &line->unused);
    free(line);
}

static void lose_all(struct hotline *line, const char *why, bool was_open)
{
    struct hotline_request *request;

    while ((request = first_of(line))) {
        take_out(line, request);
        request->on_lost(request, why, was_open);
    }
}

static bool has_room(const struct hotline *line)
{
    return peer_queued(line->peer) < HOTLINE_WRITTEN_MAX;
}

static int write_out(struct hotline *line, struct hotline_request *request)
{
    uint64_t ref = peer_request(line->peer, request->verb, request->words, -1);

    if (!ref)
        return -1;
    request->ref = ref;
    HASH_ADD(hh, line->written, ref, sizeof ref, request);
    return 0;
}

/* What cannot be written asks again on the next line. */
static void on_drain(struct peer *peer)
{
    struct hotline *line = peer_data(peer);
    struct hotline_request *request;

    while ((request = TAILQ_FIRST(&line->waiting)) && has_room(line)) {
        if (write_out(line, request) < 0) {
            peer_break(peer);
            return;
        }
        TAILQ_REMOVE(&line->waiting, request, entry);
    }
    if (request)
        peer_ask_drain(peer, HOTLINE_WRITTEN_MAX / 2);
}

/* Who is asked again from here on is dialled anew. */
static void on_close(struct peer *peer, const char *why)
{
    struct hotline *line = peer_data(peer);

    LIST_REMOVE(line, entry);
    lose_all(line, why, *peer_remote(peer) != '\0');
    ev_timer_stop(line->unused.data, &line->unused);
    free(line);
}

static void on_unused(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct hotline *line = container_of(timer, struct hotline, unused);

    (void)revents;
    if (line->count > 0)
        return;
    peer_close(line->peer, false);
    destroy(loop, line);
}

static struct hotline *find(struct hotlines *hotlines, const char *mailbox)
{
    struct hotline *line = LIST_FIRST(&hotlines->lines);

    while (line && strcmp(line->mailbox, mailbox) != 0)
        line = LIST_NEXT(line, entry);
    return line;
}

static struct hotline *open_line(struct hotlines *hotlines, const char *mailbox)
{
    static const struct peer_handlers handlers = {
        .on_envelope = on_envelope, .on_close = on_close, .on_drain = on_drain};
    struct hotline *line = calloc(1, sizeof *line);

    if (!line)
        return NULL;
    TAILQ_INIT(&line->waiting);
    snprintf(line->mailbox, sizeof line->mailbox, "%s", mailbox);
    ev_timer_init(&line->unused, on_unused, 0., KEPT_MS / 1000.);
    line->unused.data = hotlines->loop;
    line->peer = peer_dial(hotlines->loop, hotlines->run_dir, mailbox, hotlines->self,
                           (struct mono){0}, &handlers, line);
    if (!line->peer) {
        free(line);
        return NULL;
    }
    LIST_INSERT_HEAD(&hotlines->lines, line, entry);
    return line;
}

/* ---- the interface -------------------------------------------------------------------------- */

static void wait_on(struct hotline *line, struct hotline_request *request)
{
    TAILQ_INSERT_TAIL(&line->waiting, request, entry);
    peer_ask_drain(line->peer, HOTLINE_WRITTEN_MAX / 2);
}

static int ask_on(struct hotline *line, struct hotline_request *request)
{
    if (!line)
        return -1;
    if (line->count >= HOTLINE_MOST) {
        errno = EAGAIN;
        return -1;
    }
    ev_now_update(line->unused.data);
    ev_timer_again(line->unused.data, &line->unused);
    if (!TAILQ_EMPTY(&line->waiting) || !has_room(line))
        wait_on(line, request);
    else if (write_out(line, request) < 0)
        return -1;
    request->line = line;
    line->count++;
    return 0;
}

/* A line that breaks takes nothing any more, a while before its end is heard of. */
int hotline_ask(struct hotlines *hotlines, const char *mailbox, const char *verb,
                const struct words *words, struct hotline_request *request)
{
    struct hotline *line = find(hotlines, mailbox);

    request->verb = verb;
    request->words = words;
    if (line && (ask_on(line, request) == 0 || errno != ENOTCONN))
        return request->line ? 0 : -1;
    return ask_on(open_line(hotlines, mailbox), request);
}

void hotline_cancel(struct hotline_request *request)
{
    if (request->line)
        take_out(request->line, request);
}

void hotlines_init(struct hotlines *hotlines, struct ev_loop *loop, const char *run_dir,
                   const char *self)
{
    *hotlines = (struct hotlines){.loop = loop, .run_dir = run_dir, .self = self};
}

void hotlines_finish(struct hotlines *hotlines)
{
    struct hotline *line;

    while ((line = LIST_FIRST(&hotlines->lines))) {
        while (line->count > 0)
            take_out(line, first_of(line));
        peer_close(line->peer, false);
        destroy(hotlines->loop, line);
    }
}
