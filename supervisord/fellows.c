#include "fellows.h"

#include "control.h"
#include "rundir.h"
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIAL_MS = 5000, SWEEP_S = 10 };

struct fellow {
    struct fellow *next;
    struct fellows *fellows;
    char path[ADDR_PATH_MAX + 1];
    struct peer *peer;
    struct question *questions;
    bool is_open;
    bool was_idle; /* at the last sweep */
};

/* ---- the end of a connection ----------------------------------------------------------------- */

static void unlist(struct fellow *fellow)
{
    struct fellow **at = &fellow->fellows->first;

    while (*at != fellow)
        at = &(*at)->next;
    *at = fellow->next;
}

/* What is known of who was never reached: it is not there, or we may not speak to it. */
static bool is_refusal(const char *why)
{
    return !strcmp(why, CONTROL_E_NOPROC) || !strncmp(why, CONTROL_E_DENIED, sizeof CONTROL_E_DENIED - 1);
}

/* Who hears of it may ask anew: that is another connection. */
static void on_close(struct peer *peer, const char *why)
{
    struct fellow *fellow = peer_data(peer);
    const char *word = !fellow->is_open && is_refusal(why) ? why : "noconnection";

    unlist(fellow);
    fellow->peer = NULL;
    while (fellow->questions) {
        struct question *question = fellow->questions;

        question_forget(question);
        question->on_answer(question, NULL, word);
    }
    free(fellow);
}

static bool is_idle(const struct fellow *fellow)
{
    return !fellow->questions;
}

static void sweep_later(struct fellows *fellows)
{
    if (ev_is_active(&fellows->sweep))
        return;
    ev_timer_set(&fellows->sweep, SWEEP_S, 0.);
    ev_timer_start(fellows->supervisor->loop, &fellows->sweep);
}

/* Once may be by chance; idle at two sweeps on end is not needed. */
static void on_sweep(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct fellows *fellows = container_of(timer, struct fellows, sweep);
    struct fellow **at = &fellows->first;
    bool again = false;

    (void)loop;
    (void)revents;
    while (*at) {
        struct fellow *fellow = *at;

        if (is_idle(fellow) && fellow->was_idle) {
            *at = fellow->next;
            peer_close(fellow->peer, true);
            free(fellow);
            continue;
        }
        fellow->was_idle = is_idle(fellow);
        again |= fellow->was_idle;
        at = &fellow->next;
    }
    if (again)
        sweep_later(fellows);
}

/* ---- what comes ------------------------------------------------------------------------------ */

static void on_open(struct peer *peer)
{
    struct fellow *fellow = peer_data(peer);

    fellow->is_open = true;
}

/* An answer to what was never asked, or is not wanted any more, is no news. */
static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct fellow *fellow = peer_data(peer);
    struct question *question;

    if (fd >= 0)
        close(fd);
    if (env->kind != ENVELOPE_CONTROL_REPLY && env->kind != ENVELOPE_ERROR &&
        env->kind != ENVELOPE_EVENT)
        return;
    HASH_FIND(hh, fellow->questions, &env->ref, sizeof env->ref, question);
    if (question)
        question->on_answer(question, env, NULL);
}

static const struct peer_handlers handlers = {
    .on_open = on_open, .on_envelope = on_envelope, .on_close = on_close};

/* ---- asking ---------------------------------------------------------------------------------- */

static struct fellow *find(struct fellows *fellows, const char *path)
{
    for (struct fellow *fellow = fellows->first; fellow; fellow = fellow->next)
        if (!strcmp(fellow->path, path))
            return fellow;
    return NULL;
}

static struct fellow *dial(struct fellows *fellows, const char *path)
{
    struct supervisor *supervisor = fellows->supervisor;
    struct fellow *fellow;
    char mailbox[ADDR_PATH_MAX + sizeof RUNDIR_SUPERVISOR + 2];

    if (addr_mailbox(path, RUNDIR_SUPERVISOR, mailbox, sizeof mailbox) < 0)
        return NULL;
    fellow = calloc(1, sizeof *fellow);
    if (!fellow)
        return NULL;
    fellow->fellows = fellows;
    snprintf(fellow->path, sizeof fellow->path, "%s", path);
    fellow->peer = peer_dial(supervisor->loop, supervisor->node->run_dir, mailbox, supervisor->self,
                             mono_add_ms(mono_now(), DIAL_MS), &handlers, fellow);
    if (!fellow->peer) {
        free(fellow);
        return NULL;
    }
    fellow->next = fellows->first;
    fellows->first = fellow;
    return fellow;
}

static struct fellow *reach(struct fellows *fellows, const char *path)
{
    struct fellow *fellow = find(fellows, path);

    return fellow ? fellow : dial(fellows, path);
}

int fellows_ask(struct fellows *fellows, const char *supervisor_path, const char *verb,
                const struct words *words, struct question *question)
{
    struct fellow *fellow = reach(fellows, supervisor_path);

    if (!fellow)
        return -1;
    question->ref = peer_request(fellow->peer, verb, words, -1);
    if (!question->ref) {
        sweep_later(fellows);
        return -1;
    }
    question->fellow = fellow;
    HASH_ADD(hh, fellow->questions, ref, sizeof question->ref, question);
    return 0;
}

void fellows_tell(struct fellows *fellows, const char *supervisor_path, const char *verb,
                  const struct words *words)
{
    struct fellow *fellow = reach(fellows, supervisor_path);

    if (fellow)
        peer_request(fellow->peer, verb, words, -1);
    sweep_later(fellows);
}

void question_forget(struct question *question)
{
    struct fellow *fellow = question->fellow;

    if (!fellow)
        return;
    HASH_DELETE(hh, fellow->questions, question);
    question->fellow = NULL;
    if (is_idle(fellow) && fellow->peer) {
        fellow->was_idle = false;
        sweep_later(fellow->fellows);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void fellows_init(struct fellows *fellows, struct supervisor *supervisor)
{
    *fellows = (struct fellows){.supervisor = supervisor};
    ev_timer_init(&fellows->sweep, on_sweep, 0., 0.);
}

void fellows_finish(struct fellows *fellows)
{
    while (fellows->first) {
        struct fellow *fellow = fellows->first;

        fellows->first = fellow->next;
        while (fellow->questions)
            question_forget(fellow->questions);
        peer_close(fellow->peer, true);
        free(fellow);
    }
    ev_timer_stop(fellows->supervisor->loop, &fellows->sweep);
}
