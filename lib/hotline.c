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
    LIST_HEAD(request_list, hotline_request) requests;
    char mailbox[ADDR_PATH_MAX + sizeof RUNDIR_SUPERVISOR + 2];
};

/* ---- requests ------------------------------------------------------------------------------- */

static struct hotline_request *find_request(struct hotline *line, uint64_t ref)
{
    struct hotline_request *request = LIST_FIRST(&line->requests);

    while (request && request->ref != ref)
        request = LIST_NEXT(request, entry);
    return request;
}

static void take_out(struct hotline_request *request)
{
    LIST_REMOVE(request, entry);
    request->line = NULL;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct hotline_request *request = find_request(peer_data(peer), env->ref);

    if (fd >= 0)
        close(fd);
    if (!request || (env->kind != ENVELOPE_CONTROL_REPLY && env->kind != ENVELOPE_ERROR))
        return;
    take_out(request);
    request->on_answer(request, env);
}

/* ---- the connection ------------------------------------------------------------------------- */

static void destroy(struct ev_loop *loop, struct hotline *line)
{
    LIST_REMOVE(line, entry);
    ev_timer_stop(loop, &line->unused);
    free(line);
}

static void lose_all(struct request_list *requests, const char *why, bool was_open)
{
    struct hotline_request *request;

    while ((request = LIST_FIRST(requests))) {
        take_out(request);
        request->on_lost(request, why, was_open);
    }
}

/* Who is asked again from here on is dialled anew. */
static void on_close(struct peer *peer, const char *why)
{
    struct hotline *line = peer_data(peer);

    LIST_REMOVE(line, entry);
    lose_all(&line->requests, why, *peer_remote(peer) != '\0');
    ev_timer_stop(line->unused.data, &line->unused);
    free(line);
}

static void on_unused(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct hotline *line = container_of(timer, struct hotline, unused);

    (void)revents;
    if (!LIST_EMPTY(&line->requests))
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
    static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};
    struct hotline *line = calloc(1, sizeof *line);

    if (!line)
        return NULL;
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

static int ask_on(struct hotline *line, const char *verb, const struct words *words,
                  struct hotline_request *request)
{
    if (!line)
        return -1;
    ev_now_update(line->unused.data);
    ev_timer_again(line->unused.data, &line->unused);
    request->ref = peer_request(line->peer, verb, words, -1);
    if (!request->ref)
        return -1;
    request->line = line;
    LIST_INSERT_HEAD(&line->requests, request, entry);
    return 0;
}

/* A line that breaks takes nothing any more, a while before its end is heard of. */
int hotline_ask(struct hotlines *hotlines, const char *mailbox, const char *verb,
                const struct words *words, struct hotline_request *request)
{
    struct hotline *line = find(hotlines, mailbox);

    if (line && (ask_on(line, verb, words, request) == 0 || errno != ENOTCONN))
        return request->line ? 0 : -1;
    return ask_on(open_line(hotlines, mailbox), verb, words, request);
}

void hotline_cancel(struct hotline_request *request)
{
    if (request->line)
        take_out(request);
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
        while (!LIST_EMPTY(&line->requests))
            take_out(LIST_FIRST(&line->requests));
        peer_close(line->peer, false);
        destroy(hotlines->loop, line);
    }
}
