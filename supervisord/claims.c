#include "claims.h"

#include "control.h"
#include "supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

/* Shorter than a call waits by default, so that the caller hears why. */
enum { ASK_MS = 3500, LIMIT_MS = 4000, STEPS_MOST = 8 };

static const char mailbox[] = "sys/store";

/* What has to be done before the row can be had. */
enum claim_step {
    CLAIM_ROW,
    CLAIM_JOIN,   /* our node has no row yet */
    CLAIM_DECLARE /* an earlier generation of our node is not dead yet */
};

struct claim {
    UT_hash_handle hh; /* by ref */
    uint64_t ref;
    struct claims *claims;
    enum claim_step step;
    int steps;
    int64_t own;         /* the epoch that an earlier life of ours has it with; 0 */
    char generation[65]; /* of the one to be declared dead … */
    char state[17];      /* … and what it is in */
    ev_timer limit;
    char id[ADDR_PART_MAX + 1];
};

void claims_init(struct claims *claims, struct supervisor *supervisor,
                 void (*on_claimed)(struct supervisor *supervisor, const char *id, uint64_t epoch,
                                    const char *failure))
{
    *claims = (struct claims){.supervisor = supervisor, .on_claimed = on_claimed};
}

static void drop(struct claim *claim)
{
    ev_timer_stop(claim->claims->supervisor->loop, &claim->limit);
    if (claim->ref)
        HASH_DEL(claim->claims->asked, claim);
    free(claim);
}

static void finish(struct claim *claim, uint64_t epoch, const char *failure)
{
    struct claims *claims = claim->claims;
    char id[ADDR_PART_MAX + 1];

    memcpy(id, claim->id, sizeof id);
    drop(claim);
    claims->on_claimed(claims->supervisor, id, epoch, failure);
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    finish(container_of(timer, struct claim, limit), 0,
           "error store unreachable: no answer in time");
}

void claims_finish(struct claims *claims)
{
    struct claim *claim, *next;

    HASH_ITER (hh, claims->asked, claim, next) {
        drop(claim);
    }
    peer_close(claims->peer, true);
    claims->peer = NULL;
}

/* ---- asking
 * -------------------------------------------------------------------------------------- */

static void on_envelope(struct peer *peer, const struct envelope *env, int fd);

static void on_close(struct peer *peer, const char *why)
{
    struct claims *claims = peer_data(peer);
    struct claim *claim, *next;
    char text[128];

    claims->peer = NULL;
    snprintf(text, sizeof text, "error store unreachable: sys/store: %.80s", why);
    HASH_ITER (hh, claims->asked, claim, next) {
        finish(claim, 0, text);
    }
}

static int dial(struct claims *claims)
{
    static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};
    struct supervisor *supervisor = claims->supervisor;

    if (!claims->peer)
        claims->peer =
            peer_dial(supervisor->loop, supervisor->node->run_dir, mailbox, supervisor->self,
                      mono_add_ms(mono_now(), ASK_MS), &handlers, claims);
    return claims->peer ? 0 : -1;
}

static int say(struct claims *claims, uint64_t ref, const char *verb, const char *format,
               const union wire_value *values)
{
    struct wire_image image;
    int result;

    if (dial(claims) < 0 || wire_pack_values(format, values, &image) < 0)
        return -1;
    result =
        peer_send(claims->peer,
                  &(struct envelope){.kind = ENVELOPE_CONTROL,
                                     .flags = ENVELOPE_TYPED,
                                     .ref = ref,
                                     .deadline_us = (uint64_t)mono_add_ms(mono_now(), ASK_MS).us,
                                     .type = envelope_text(verb),
                                     .payload = image.data,
                                     .payload_size = (uint32_t)image.size},
                  -1);
    wire_image_finish(&image);
    return result;
}

static union wire_value text(const char *at)
{
    return (union wire_value){.bytes = {(char *)at, strlen(at)}};
}

static int ask(struct claim *claim)
{
    struct claims *claims = claim->claims;
    const struct node *node = claims->supervisor->node;
    char generation[24];

    snprintf(generation, sizeof generation, "%016" PRIx64, node->generation);
    switch (claim->step) {
    case CLAIM_JOIN:
        return say(claims, claim->ref, CONTROL_NODE_INSERT, "ssssss",
                   (union wire_value[]){text(node->name), text(generation), text("alive"), text(""),
                                        text(""), text("")});
    case CLAIM_DECLARE:
        return say(claims, claim->ref, CONTROL_NODE_SET, "sssIs",
                   (union wire_value[]){text(node->name),
                                        text(claim->generation),
                                        text(claim->state),
                                        {.i = -1},
                                        text("dead")});
    default:
        return say(claims, claim->ref, CONTROL_PLACE_CLAIM, "ssssI",
                   (union wire_value[]){text(claims->supervisor->path),
                                        text(claim->id),
                                        text(node->name),
                                        text(generation),
                                        {.i = claim->own}});
    }
}

/* Whoever an earlier claim of it was for has gone. What that is still granted is a row of ours,
 * which the next one takes over; to hear of it after that would be to free the next one's. */
static void supersede(struct claims *claims, const char *id)
{
    struct claim *claim, *next;

    HASH_ITER (hh, claims->asked, claim, next) {
        if (strcmp(claim->id, id) == 0)
            drop(claim);
    }
}

int claims_take(struct claims *claims, const char *id)
{
    struct claim *claim = calloc(1, sizeof *claim);
    struct ev_loop *loop = claims->supervisor->loop;
    int saved;

    if (!claim)
        return -1;
    supersede(claims, id);
    claim->claims = claims;
    claim->ref = ++claims->last_ref;
    snprintf(claim->id, sizeof claim->id, "%s", id);
    ev_timer_init(&claim->limit, on_limit, LIMIT_MS / 1000., 0.);
    HASH_ADD(hh, claims->asked, ref, sizeof claim->ref, claim);
    if (ask(claim) == 0) {
        ev_now_update(loop);
        ev_timer_start(loop, &claim->limit);
        return 0;
    }
    saved = errno;
    drop(claim);
    errno = saved;
    return -1;
}

void claims_free(struct claims *claims, const char *id, uint64_t epoch)
{
    say(claims, ++claims->last_ref, CONTROL_PLACE_FREE, "ssI",
        (union wire_value[]){text(claims->supervisor->path), text(id), {.i = (int64_t)epoch}});
}

/* ---- answers
 * ------------------------------------------------------------------------------------- */

static void go_on(struct claim *claim, enum claim_step step)
{
    claim->step = step;
    if (++claim->steps > STEPS_MOST || ask(claim) < 0)
        finish(claim, 0, "error store: the place cannot be had");
}

/* The row is held: by us, before we were started again, or by who was on this node before. */
static void take_from(struct claim *claim, const char *node, const char *generation, int64_t epoch)
{
    const struct node *own = claim->claims->supervisor->node;
    char text[128];

    if (strcmp(node, own->name) != 0) {
        snprintf(text, sizeof text, "error it is at node %.64s", node);
        finish(claim, 0, text);
    } else if (strtoull(generation, NULL, 16) == own->generation) {
        claim->own = epoch;
        go_on(claim, CLAIM_ROW);
    } else {
        snprintf(claim->generation, sizeof claim->generation, "%s", generation);
        snprintf(claim->state, sizeof claim->state, "alive");
        go_on(claim, CLAIM_DECLARE);
    }
}

static void on_conflict(struct claim *claim, const char *said)
{
    char node[65] = "", generation[65] = "", state[17] = "";
    long long epoch = 0;

    if (claim->step == CLAIM_ROW && sscanf(said, "%64s %64s %lld", node, generation, &epoch) == 3) {
        take_from(claim, node, generation, epoch);
    } else if (claim->step == CLAIM_JOIN && sscanf(said, "%64s %16s", generation, state) == 2) {
        if (strtoull(generation, NULL, 16) == claim->claims->supervisor->node->generation) {
            go_on(claim, CLAIM_ROW); /* another service was quicker */
            return;
        }
        snprintf(claim->generation, sizeof claim->generation, "%s", generation);
        snprintf(claim->state, sizeof claim->state, "%s", state);
        go_on(claim, CLAIM_DECLARE);
    } else {
        go_on(claim, CLAIM_ROW);
    }
}

static void on_error(struct claim *claim, const char *said)
{
    static const char conflict[] = CONTROL_E_CONFLICT " ", fenced[] = CONTROL_E_FENCED;
    char text[REASON_MAX];

    if (strncmp(said, conflict, strlen(conflict)) == 0) {
        on_conflict(claim, said + strlen(conflict));
    } else if (strncmp(said, fenced, strlen(fenced)) == 0 && claim->step == CLAIM_ROW) {
        go_on(claim, CLAIM_JOIN);
    } else if (claim->step == CLAIM_DECLARE) {
        go_on(claim, CLAIM_JOIN); /* it is not there any more */
    } else {
        snprintf(text, sizeof text, "error store %.200s", said);
        finish(claim, 0, text);
    }
}

static void on_done(struct claim *claim, const struct envelope *env)
{
    union wire_value value;
    uint64_t epoch;

    if (claim->step != CLAIM_ROW) {
        go_on(claim, claim->step == CLAIM_JOIN ? CLAIM_ROW : CLAIM_JOIN);
        return;
    }
    if (wire_unpack_values("I", env->payload, env->payload_size, &value) < 0) {
        finish(claim, 0, "error store: an answer that cannot be read");
        return;
    }
    epoch = (uint64_t)value.i;
    wire_values_finish("I", &value);
    finish(claim, epoch, NULL);
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct claims *claims = peer_data(peer);
    char said[REASON_MAX];
    struct claim *claim;

    if (fd >= 0)
        close(fd);
    HASH_FIND(hh, claims->asked, &env->ref, sizeof env->ref, claim);
    if (!claim)
        return; /* of a row that was freed, or a claim whose time is over */
    if (env->kind == ENVELOPE_CONTROL_REPLY) {
        on_done(claim, env);
    } else if (env->kind == ENVELOPE_ERROR) {
        snprintf(said, sizeof said, "%.*s", (int)env->payload_size, (const char *)env->payload);
        on_error(claim, said);
    }
}
