#include "store_herald.h"

#include "control.h"
#include "mono.h"
#include "peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

struct herald {
    struct ev_loop *loop;
    const char *run_dir, *self;
    struct peer *peer; /* NULL: not connected */
    int64_t told_us;   /* the soonest that it was told and that is still to come; 0: none */
};

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    (void)peer;
    (void)env;
    if (fd >= 0)
        close(fd);
}

/* Whoever is next there looks by itself. */
static void on_close(struct peer *peer, const char *why)
{
    struct herald *herald = peer_data(peer);

    (void)why;
    herald->peer = NULL;
    herald->told_us = 0;
}

static void dial(struct herald *herald)
{
    static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

    herald->peer = peer_dial(herald->loop, herald->run_dir, PEER_NODE, herald->self,
                             mono_add_ms(mono_now(), PATIENCE_MS), &handlers, herald);
}

void herald_tell(struct herald *herald, int64_t due_us)
{
    char text[24];
    const struct words words = {1, (char *[]){text}};

    if (!herald->run_dir || (herald->told_us > wall_now_us() && herald->told_us <= due_us))
        return;
    if (!herald->peer)
        dial(herald);
    snprintf(text, sizeof text, "%" PRId64, due_us);
    if (herald->peer && peer_request(herald->peer, CONTROL_REMINDER_SET, &words, -1))
        herald->told_us = due_us;
}

struct herald *herald_create(struct ev_loop *loop, const char *run_dir, const char *self)
{
    struct herald *herald = calloc(1, sizeof *herald);

    if (!herald)
        return NULL;
    herald->loop = loop;
    herald->run_dir = run_dir;
    herald->self = self;
    return herald;
}

void herald_destroy(struct herald *herald)
{
    if (!herald)
        return;
    peer_close(herald->peer, false);
    free(herald);
}
