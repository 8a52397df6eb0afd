/*
 * A fellow supervisor that does not keep to what supervisors say of ends: `liar SUPERVISOR CHILD`
 * binds $TROUPE_RUN/SUPERVISOR/.supervisor, tells whoever subscribes to its events that
 * SUPERVISOR/CHILD is ready, and at once that it has exited with `exit:7`, without the word whether
 * that was by order. Prints `subscribed` each time. Runs until it is killed.
 */
#include "addr.h"
#include "control.h"
#include "peer.h"
#include "rundir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char child[ADDR_PATH_MAX + 1];

static void tell_ready(struct peer *peer, uint64_t ref)
{
    struct row row = {.path = child,
                      .kind = ROW_PROGRAM,
                      .state = ROW_READY,
                      .last = "",
                      .status = "",
                      .restart = "permanent",
                      .strategy = "",
                      .incarnation = 1};
    struct rows rows = {1, &row};

    peer_reply_rows(peer, ref, &rows);
}

static void tell_exit(struct peer *peer, uint64_t ref)
{
    struct facts facts = {0};

    facts_add(&facts, 's', "path", child);
    facts_add(&facts, 's', "state", "exited");
    facts_add(&facts, 's', "reason", "exit:7");
    peer_event_facts(peer, ref, EVENT_CHILD_EXIT, &facts);
    facts_finish(&facts);
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    if (fd >= 0)
        close(fd);
    if (!envelope_text_equals(env->type, CONTROL_EVENTS))
        return;
    tell_ready(peer, env->ref);
    tell_exit(peer, env->ref);
    puts("subscribed");
    fflush(stdout);
}

static void on_close(struct peer *peer, const char *why)
{
    (void)peer;
    (void)why;
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

static bool on_open(struct sp_conn *conn)
{
    return peer_accept(conn, "liar", &handlers, NULL) != NULL;
}

int main(int argc, char **argv)
{
    struct sp_handlers sp = peer_sp_handlers(on_open);
    struct ev_loop *loop = loop_create();
    char mailbox[ADDR_PATH_MAX + sizeof RUNDIR_SUPERVISOR + 1];
    struct rundir dir;
    struct error err;
    int fd;

    if (argc != 3 || rundir_find(NULL, &dir, &err) < 0)
        return 2;
    snprintf(child, sizeof child, "%s/%s", argv[1], argv[2]);
    snprintf(mailbox, sizeof mailbox, "%s/%s", argv[1], RUNDIR_SUPERVISOR);
    fd = rundir_listen(dir.path, mailbox);
    if (fd < 0 || !sp_listen(loop, fd, NULL, &sp, NULL))
        return 1;
    ev_run(loop, 0);
    return 0;
}
