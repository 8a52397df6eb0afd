#include "rivals.h"

#include <string.h>

void rivals_init(struct rivals *rivals, bool is_ours_to_choose)
{
    *rivals = (struct rivals){.is_ours_to_choose = is_ours_to_choose};
}

static void act(struct rivals_actions *out, enum rivals_what what, uint64_t conn,
                enum auth_reason reason)
{
    out->at[out->count++] = (struct rivals_action){what, conn, reason};
}

static struct rival *find(struct rivals *rivals, uint64_t conn)
{
    for (size_t i = 0; i < rivals->count; i++)
        if (rivals->all[i].conn == conn)
            return &rivals->all[i];
    return NULL;
}

/* Whoever chooses has chosen what it admitted; the other has to wait for READY. */
static bool holds(const struct rivals *rivals, const struct rival *rival)
{
    return rival->state == RIVAL_OPEN ||
           (rivals->is_ours_to_choose && rival->state == RIVAL_ADMITTED);
}

static struct rival *holder(const struct rivals *rivals)
{
    for (size_t i = 0; i < rivals->count; i++)
        if (holds(rivals, &rivals->all[i]))
            return (struct rival *)&rivals->all[i];
    return NULL;
}

uint64_t rivals_holder(const struct rivals *rivals)
{
    const struct rival *rival = holder(rivals);

    return rival ? rival->conn : 0;
}

static void forget(struct rivals *rivals, struct rival *rival)
{
    size_t after = rivals->count - (size_t)(rival - rivals->all) - 1;

    memmove(rival, rival + 1, after * sizeof *rival);
    rivals->count--;
}

static enum auth_reason reason_against(const struct rival *newcomer, uint64_t generation)
{
    return newcomer->generation == generation ? AUTH_DUPLICATE : AUTH_NAME_TAKEN;
}

static void refuse(struct rivals *rivals, struct rival *rival, uint64_t generation,
                   struct rivals_actions *out)
{
    act(out, RIVALS_REFUSE, rival->conn, reason_against(rival, generation));
    forget(rivals, rival);
}

/* The holder is alive: nobody waits any longer. */
static void refuse_waiting(struct rivals *rivals, uint64_t generation, struct rivals_actions *out)
{
    for (size_t i = rivals->count; i-- > 0;)
        if (rivals->all[i].state == RIVAL_WAITING)
            refuse(rivals, &rivals->all[i], generation, out);
    rivals->deadline_ms = 0;
}

static void admit(struct rival *rival, struct rivals_actions *out)
{
    rival->state = RIVAL_ADMITTED;
    act(out, RIVALS_ADMIT, rival->conn, AUTH_NO_REASON);
}

/* There is no holder any more: whoever waited the longest is next, and lives, for it has just
 * proven. */
static void promote(struct rivals *rivals, struct rivals_actions *out)
{
    rivals->deadline_ms = 0;
    for (size_t i = 0; i < rivals->count; i++) {
        const struct rival *now = holder(rivals);

        if (rivals->all[i].state != RIVAL_WAITING)
            continue;
        if (now)
            refuse(rivals, &rivals->all[i--], now->generation, out);
        else
            admit(&rivals->all[i], out);
    }
}

static void end(struct rivals *rivals, struct rival *rival, struct rivals_actions *out)
{
    act(out, RIVALS_END, rival->conn, AUTH_DUPLICATE);
    forget(rivals, rival);
}

/* A restarted sys/node: what the old one had is gone, whether its connection knows it or not. */
static bool succeeds(const struct rival *newcomer, const struct rival *old)
{
    return newcomer->generation == old->generation && newcomer->instance != old->instance;
}

static void wait_for_holder(struct rivals *rivals, const struct rival *old, int64_t now_ms,
                            struct rivals_actions *out)
{
    if (rivals->deadline_ms)
        return;
    rivals->deadline_ms = now_ms + (old->state == RIVAL_OPEN ? RIVALS_PING_MS : RIVALS_OPENING_MS);
    act(out, RIVALS_PING, old->conn, AUTH_NO_REASON);
}

void rivals_proven(struct rivals *rivals, uint64_t conn, uint64_t generation, uint64_t instance,
                   int64_t now_ms, struct rivals_actions *out)
{
    const struct rival newcomer = {conn, generation, instance, RIVAL_WAITING};
    struct rival *old = holder(rivals);

    out->count = 0;
    if (old && succeeds(&newcomer, old)) {
        end(rivals, old, out);
        refuse_waiting(rivals, generation, out);
        old = NULL;
    }
    if (rivals->count == RIVALS_MAX) {
        act(out, RIVALS_REFUSE, conn, AUTH_DUPLICATE);
        return;
    }
    rivals->all[rivals->count++] = newcomer;
    if (old)
        wait_for_holder(rivals, old, now_ms, out);
    else
        admit(&rivals->all[rivals->count - 1], out);
}

/* The lower-named has chosen `chosen`: an older session of the same name is over, and other nodes
 * that were admitted while there was none are not wanted. */
static void settle_on(struct rivals *rivals, const struct rival *chosen, struct rivals_actions *out)
{
    const struct rival held = *chosen;

    for (size_t i = rivals->count; i-- > 0;) {
        struct rival *other = &rivals->all[i];

        if (other->conn == held.conn)
            continue;
        if (other->state == RIVAL_OPEN)
            end(rivals, other, out);
        else if (other->generation != held.generation)
            refuse(rivals, other, held.generation, out);
    }
}

void rivals_opened(struct rivals *rivals, uint64_t conn, struct rivals_actions *out)
{
    struct rival *rival = find(rivals, conn);

    out->count = 0;
    if (!rival || rival->state != RIVAL_ADMITTED)
        return;
    rival->state = RIVAL_OPEN;
    settle_on(rivals, rival, out);
    refuse_waiting(rivals, find(rivals, conn)->generation, out);
}

void rivals_answered(struct rivals *rivals, uint64_t conn, struct rivals_actions *out)
{
    const struct rival *old = holder(rivals);

    out->count = 0;
    if (old && old->conn == conn && rivals->deadline_ms)
        refuse_waiting(rivals, old->generation, out);
}

void rivals_gone(struct rivals *rivals, uint64_t conn, struct rivals_actions *out)
{
    struct rival *rival = find(rivals, conn);

    out->count = 0;
    if (!rival)
        return;
    forget(rivals, rival);
    if (!holder(rivals))
        promote(rivals, out);
}

void rivals_tick(struct rivals *rivals, int64_t now_ms, struct rivals_actions *out)
{
    struct rival *old = holder(rivals);

    out->count = 0;
    if (!rivals->deadline_ms || now_ms < rivals->deadline_ms)
        return;
    if (old)
        end(rivals, old, out);
    promote(rivals, out);
}
