#include "summons.h"

#include "addr.h"
#include "control.h"
#include "loop.h"
#include "reason.h"
#include "rundir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    AGAIN_MS = 10,
    /* In a row, before anybody was reached, that it is worth to ask: for 1.3 s, with the time in between
     * growing. An actor's row is freed a little after its mailbox has gone; until then it is said to be where
     * it was. */
    TIMES_MOST = 8,
};

struct summons {
    struct hotlines *hotlines; /* gone perhaps when `done` returns */
    struct ev_loop *loop;
    struct hotline_request request;
    summons_done *done;
    void *data;
    ev_timer again;
    bool is_of_node; /* sys/node is asked */
    char *names[2];  /* what is asked for: its service, unless that is who is asked; its id */
    struct words words;
    int refused; /* an errno: it could not be asked, which is still to be told */
    const char *verb;
    char path[ADDR_PATH_MAX + 1], service[ADDR_PATH_MAX + 1];
    char mailbox[ADDR_PATH_MAX + sizeof RUNDIR_SUPERVISOR + 2]; /* of whom is asked */
};

void summons_path(const char *path, const char *node, char out[SUMMONS_PATH_MAX + 1])
{
    snprintf(out, SUMMONS_PATH_MAX + 1, "%s%s%s", path, *node ? "@" : "", node);
}

/* The verb for who would start it; NULL: there is nobody. */
static const char *verb_for(const char *run_dir, const char *path, const char *node, const char *why)
{
    if (*node)
        return rundir_is_of_service(run_dir, path) ? CONTROL_ACTIVATE : CONTROL_PLACE;
    if (strcmp(why, "noproc") != 0 || *addr_node_part(path))
        return NULL;
    if (rundir_is_of_service(run_dir, path))
        return CONTROL_ACTIVATE;
    return rundir_may_be_elsewhere(run_dir, path) ? CONTROL_PLACE : NULL;
}

static void finish(struct summons *summons, const char *node, const char *failure)
{
    summons->done(summons->data, node, failure);
    summons_cancel(summons);
}

/* Who was asked for is known. */
static const char *without_path(const char *text, const char *path)
{
    size_t length = strlen(path);

    return strncmp(text, path, length) == 0 && text[length] == ':' ? text + length + 2 : text;
}

/* What the supervisor says, as callers hear it (SEMANTICS 6). */
static void failure_of(const char *said, const char *path, char out[REASON_MAX])
{
    static const char *const heads[][2] = {
        {CONTROL_E_OVERLOADED " ", "overloaded "},
        {"down ", "down "},
        {"noconnection ", "noconnection "},
        {"error ", "error "},
        {CONTROL_E_FAILED " ", "down "},
        {CONTROL_E_DENIED " ", "denied "},
    };

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t length = strlen(heads[i][0]);

        if (strncmp(said, heads[i][0], length) != 0)
            continue;
        snprintf(out, REASON_MAX, "%s%.240s", heads[i][1], without_path(said + length, path));
        return;
    }
    snprintf(out, REASON_MAX, "noproc");
}

/* Of sys/node: NODE; of a supervisor: ADDRESS#EPOCH, here, or NODE "elsewhere". */
static void take_reply(struct summons *summons, const struct envelope *env)
{
    struct words words = {0};
    const char *node = "";
    char kept[ADDR_PART_MAX + 1];

    if (wire_unpack_words(env->payload, env->payload_size, &words) == 0 &&
        words.count == (summons->is_of_node ? 1 : 2))
        node = words.at[0];
    snprintf(kept, sizeof kept, "%s", node);
    words_finish(&words);
    finish(summons, kept, NULL);
}

static void on_answer(struct hotline_request *request, const struct envelope *env)
{
    struct summons *summons = container_of(request, struct summons, request);
    char said[ADDR_PATH_MAX + REASON_MAX], failure[REASON_MAX];

    if (env->kind == ENVELOPE_CONTROL_REPLY) {
        take_reply(summons, env);
        return;
    }
    snprintf(said, sizeof said, "%.*s", (int)env->payload_size, (const char *)env->payload);
    failure_of(said, summons->path, failure);
    finish(summons, "", failure);
}

static void come_again(struct summons *summons, int64_t ms)
{
    ev_now_update(summons->loop);
    ev_timer_set(&summons->again, (double)ms / 1000, 0.);
    ev_timer_start(summons->loop, &summons->again);
}

/* Who had been reached ends: it will be started again, or its mailbox goes. */
static void on_lost(struct hotline_request *request, const char *why, bool was_open)
{
    struct summons *summons = container_of(request, struct summons, request);

    if (!was_open) {
        finish(summons, "", strcmp(why, strerror(EACCES)) == 0 ? "denied" : "noproc");
        return;
    }
    come_again(summons, AGAIN_MS);
}

static int ask(struct summons *summons)
{
    summons->names[0] = summons->service;
    summons->names[1] = (char *)addr_name(summons->path);
    summons->words =
        (struct words){summons->is_of_node ? 2 : 1, summons->names + !summons->is_of_node};
    return hotline_ask(summons->hotlines, summons->mailbox, summons->verb, &summons->words,
                       &summons->request);
}

/* Too many wait for who would be asked, or memory or descriptors are short. */
static void refuse(struct summons *summons, int error)
{
    char failure[REASON_MAX];

    if (error == EAGAIN)
        snprintf(failure, sizeof failure, "overloaded no room: %d wait for %.200s", HOTLINE_MOST,
                 summons->is_of_node ? PEER_NODE : summons->service);
    else
        snprintf(failure, sizeof failure, "overloaded %s", strerror(error));
    finish(summons, "", failure);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct summons *summons = container_of(timer, struct summons, again);

    (void)loop;
    (void)revents;
    if (summons->refused || ask(summons) < 0)
        refuse(summons, summons->refused ? summons->refused : errno);
}

/* Whom is asked. */
static int find_mailbox(struct summons *summons)
{
    if (addr_parent(summons->path, summons->service, sizeof summons->service) < 0)
        return -1;
    summons->is_of_node = strcmp(summons->verb, CONTROL_ACTIVATE) != 0;
    if (!summons->is_of_node)
        return addr_mailbox(summons->service, RUNDIR_SUPERVISOR, summons->mailbox,
                            sizeof summons->mailbox);
    snprintf(summons->mailbox, sizeof summons->mailbox, "%s", PEER_NODE);
    return 0;
}

/* after: milliseconds until it is asked; 0: at once. */
static struct summons *begin(struct hotlines *hotlines, const char *path, const char *verb,
                             int64_t after, summons_done *done, void *data)
{
    struct summons *summons = calloc(1, sizeof *summons);
    int saved;

    if (!summons)
        return NULL;
    summons->hotlines = hotlines;
    summons->loop = hotlines->loop;
    summons->request.on_answer = on_answer;
    summons->request.on_lost = on_lost;
    summons->verb = verb;
    summons->done = done;
    summons->data = data;
    ev_init(&summons->again, on_again);
    snprintf(summons->path, sizeof summons->path, "%s", path);
    if (find_mailbox(summons) < 0) {
        saved = errno;
        summons_cancel(summons);
        errno = saved;
        return NULL;
    }
    if (after > 0) {
        come_again(summons, after);
    } else if (ask(summons) < 0) {
        summons->refused = errno;
        come_again(summons, 0);
    }
    return summons;
}

struct summons *summons_send(struct hotlines *hotlines, const char *path, char *node, unsigned *times,
                             const char *why, summons_done *done, void *data)
{
    const char *verb = *times < TIMES_MOST ? verb_for(hotlines->run_dir, path, node, why) : NULL;

    int64_t after = *times ? (int64_t)AGAIN_MS << (*times - 1) : 0;

    if (!verb)
        return NULL;
    *node = '\0';
    (*times)++;
    return begin(hotlines, path, verb, after, done, data);
}

bool summons_can_find(const char *run_dir, const char *path)
{
    char at[PATH_MAX];

    snprintf(at, sizeof at, "%s/%s", run_dir, RUNDIR_PLACES);
    if (*addr_node_part(path) || access(at, F_OK) < 0)
        return false;
    snprintf(at, sizeof at, "%s/%s", run_dir, path);
    return access(at, F_OK) < 0 &&
           (rundir_is_of_service(run_dir, path) || rundir_may_be_elsewhere(run_dir, path));
}

struct summons *summons_find(struct hotlines *hotlines, const char *path, summons_done *done,
                             void *data)
{
    return begin(hotlines, path, CONTROL_WHERE, 0, done, data);
}

void summons_cancel(struct summons *summons)
{
    if (!summons)
        return;
    ev_timer_stop(summons->loop, &summons->again);
    hotline_cancel(&summons->request);
    free(summons);
}
