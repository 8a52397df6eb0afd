#include "grant.h"

#include "control.h"
#include "loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The request, while it is not answered. */
struct asking {
    struct grant *grant;
    struct error *err;
    const char *whom; /* the supervisor */
    bool is_answered;
};

/* ---- whom to ask --------------------------------------------------------------------------- */

/* Its supervisor and what it is to be called there: "" is up to the root. */
static int split(const char *path, char supervisor[ADDR_PATH_MAX + 1], const char **name,
                 struct error *err)
{
    *supervisor = '\0';
    *name = "";
    if (!path)
        return 0;
    if (!addr_is_path(path))
        return error_set(err, EINVAL, "\"%s\": expected a path like shop/helper", path);
    addr_parent(path, supervisor, ADDR_PATH_MAX + 1);
    *name = addr_name(path);
    return 0;
}

/* ---- what it answers ----------------------------------------------------------------------- */

static int fail(struct asking *asking, const char *text)
{
    return error_set(asking->err, EPERM, "%s: %s", asking->whom, text);
}

/* A supervisor knows the node's name better than our environment does. */
static void take_node(struct grant *grant)
{
    struct addr supervisor;
    const char *why;

    if (addr_parse(peer_remote(grant->peer), &supervisor, &why) == 0)
        snprintf(grant->addr.node, sizeof grant->addr.node, "%s", supervisor.node);
}

static int take_reply(struct asking *asking, const struct envelope *env)
{
    struct grant *grant = asking->grant;
    struct words words;
    const char *why;
    int result = -1;

    if (wire_unpack_words(env->payload, env->payload_size, &words) < 0)
        return fail(asking, "an answer that is not understood");
    if (words.count == 1)
        result = addr_parse(words.at[0], &grant->addr, &why);
    words_finish(&words);
    if (result < 0)
        return fail(asking, "an answer that is not understood");
    take_node(grant);
    return 0;
}

/* Nobody is there yet who could hear more: so no more is read. */
static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct asking *asking = peer_data(peer);
    char text[ERROR_TEXT_SIZE];

    if (asking->is_answered || env->ref != asking->grant->ref) {
        if (fd >= 0)
            close(fd);
        return;
    }
    asking->is_answered = true;
    asking->grant->mailbox_fd = fd;
    peer_pause(peer, true);
    if (env->kind == ENVELOPE_CONTROL_REPLY) {
        take_reply(asking, env);
        return;
    }
    snprintf(text, sizeof text, "%.*s", (int)env->payload_size, (const char *)env->payload);
    fail(asking, text);
}

static void on_close(struct peer *peer, const char *why)
{
    struct asking *asking = peer_data(peer);

    asking->grant->peer = NULL;
    if (!asking->is_answered)
        fail(asking, why);
    asking->is_answered = true;
}

/* ---- asking -------------------------------------------------------------------------------- */

static int dial(struct asking *asking, struct ev_loop *loop, const char *supervisor)
{
    static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};
    struct grant *grant = asking->grant;
    char mailbox[ADDR_PATH_MAX + sizeof RUNDIR_SUPERVISOR + 2];
    struct mono deadline = mono_add_ms(mono_now(), GRANT_MS);

    if (addr_join(supervisor, RUNDIR_SUPERVISOR, mailbox, sizeof mailbox) < 0)
        return error_set_errno(asking->err, errno, "%s", supervisor);
    grant->peer = peer_dial(loop, grant->dir.path, mailbox, "", deadline, &handlers, asking);
    if (!grant->peer)
        return error_set_errno(asking->err, errno, "%s", asking->whom);
    return 0;
}

static int request(struct asking *asking, const char *name, bool wants_mailbox)
{
    char pid[16];
    char *at[] = {(char *)name, pid, wants_mailbox ? "1" : "0"};
    struct words words = {sizeof at / sizeof *at, at};

    snprintf(pid, sizeof pid, "%d", getpid());
    asking->grant->ref = peer_request(asking->grant->peer, CONTROL_ATTACH, &words, -1);
    if (!asking->grant->ref)
        return error_set_errno(asking->err, errno, "%s", asking->whom);
    return 0;
}

static void wait_for_answer(struct asking *asking, struct ev_loop *loop)
{
    struct mono deadline = mono_add_ms(mono_now(), GRANT_MS);
    int64_t left = GRANT_MS;

    while (!asking->is_answered && left > 0) {
        loop_run_for(loop, left);
        left = mono_diff_ms(deadline, mono_now());
    }
    if (!asking->is_answered)
        fail(asking, "no answer");
}

static void give_back(struct grant *grant)
{
    peer_close(grant->peer, false);
    if (grant->mailbox_fd >= 0)
        close(grant->mailbox_fd);
    grant->peer = NULL;
    grant->mailbox_fd = -1;
}

int grant_ask(struct grant *grant, struct ev_loop *loop, const char *path, bool wants_mailbox,
              struct error *err)
{
    char supervisor[ADDR_PATH_MAX + 1];
    struct asking asking = {.grant = grant, .err = err};
    const char *name;

    *grant = (struct grant){.mailbox_fd = -1};
    *err = (struct error){0};
    if (rundir_find(NULL, &grant->dir, err) < 0 || split(path, supervisor, &name, err) < 0)
        return -1;
    asking.whom = *supervisor ? supervisor : grant->dir.path;
    if (dial(&asking, loop, supervisor) < 0)
        return -1;
    if (request(&asking, name, wants_mailbox) == 0)
        wait_for_answer(&asking, loop);
    if (!err->code && wants_mailbox && grant->mailbox_fd < 0)
        fail(&asking, "no mailbox came along");
    if (!err->code)
        return 0;
    give_back(grant);
    return -1;
}
