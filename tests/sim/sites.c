#include "sites.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_MS = 5000, ANSWER_MS = 3000, TICK_MS = 100 };

__attribute__((format(printf, 2, 3))) static void complain(struct realm *realm, const char *format,
                                                           ...)
{
    va_list args;

    if (realm->wrong[0])
        return;
    va_start(args, format);
    vsnprintf(realm->wrong, sizeof realm->wrong, format, args);
    va_end(args);
}

static int64_t clock_ms(const struct site *site)
{
    return site->offset_ms + site->realm->now_ms * (int64_t)site->rate / 1000;
}

/* ---- instances, under the kernel's timer (L2) -------------------------------------------- */

/* What the kernel has done meanwhile, whatever is paused. */
static void reap(struct site *site)
{
    if (clock_ms(site) >= site->fence_ms)
        memset(site->running, 0, sizeof site->running);
}

size_t realm_instances(struct realm *realm, size_t id)
{
    size_t n = 0;

    for (size_t i = 0; i < SITES; i++) {
        reap(&realm->sites[i]);
        n += realm->sites[i].running[id] != 0;
    }
    return n;
}

/* Nothing starts outside a lease. */
static bool start_instance(struct site *site, size_t id, uint64_t epoch)
{
    struct realm *realm = site->realm;

    reap(site);
    if (clock_ms(site) >= site->fence_ms)
        return false;
    if (realm_instances(realm, id))
        complain(realm, "two instances of %zu: the second on n%zu with epoch %llu", id, site->index,
                 (unsigned long long)epoch);
    if (epoch <= realm->started[id])
        complain(realm, "%zu is started twice upon one epoch", id);
    realm->started[id] = epoch;
    realm->starts++;
    site->running[id] = epoch;
    return true;
}

/* ---- messages ---------------------------------------------------------------------------- */

enum kind {
    TO_STORE_BEAT,
    TO_STORE_NODES,
    TO_STORE_READ,
    TO_STORE_CLAIM,
    TO_STORE_FREE,
    TO_STORE_SAVE,
    TO_SITE, /* those below are a site's to handle */
    BEAT_TAKEN,
    BEAT_NO_ROW,
    NODES_TABLE,
    NODES_DONE,
    PLACE_FOUND,
    PLACE_CLAIMED,
    PLACE_FREED,
    PLACE_LATE,
    PLACE_STARTING_NOW,
    PLACE_READY_NOW,
    PEER_ASKS,
    PEER_PROMISES,
    PEER_ASKS_TO_CONFIRM,
    PEER_CONFIRMS,
};

struct message {
    enum kind kind;
    struct site *site, *peer; /* whose it is; who said it, between peers */
    unsigned life, peer_life; /* a connection is one of two processes */
    uint64_t generation;
    int64_t sent_ms; /* on the clock of whoever asked */
    struct membership_request request;
    bool is_done;
    struct node_row rows[SITES];
    size_t n, id;
    uint64_t number, epoch;
    struct place_row row;
};

static void deliver(void *what, uint64_t number);

static int64_t delay_ms(struct realm *realm)
{
    if (!realm->is_calm && chance_one_in(&realm->chance, 40))
        return (int64_t)chance_below(&realm->chance, 15000);
    return 1 + (int64_t)chance_below(&realm->chance, 20);
}

/* On its way; when the way is cut it is lost, or late, as what waits in a connection is. */
static void post(struct realm *realm, const struct message *message, bool is_cut)
{
    int64_t after_ms = delay_ms(realm);
    struct message *copy;

    if (is_cut && chance_one_in(&realm->chance, 2))
        after_ms += (int64_t)chance_below(&realm->chance, 40000);
    else if (is_cut || (!realm->is_calm && chance_one_in(&realm->chance, 50)))
        return;
    copy = malloc(sizeof *copy);
    if (!copy)
        abort();
    *copy = *message;
    agenda_add(&realm->agenda, realm->now_ms + after_ms, deliver, copy, 0);
}

static struct message of(struct site *site, enum kind kind)
{
    return (struct message){.kind = kind,
                            .site = site,
                            .life = site->life,
                            .generation = site->generation,
                            .sent_ms = clock_ms(site)};
}

static void to_store(struct site *site, const struct message *message)
{
    post(site->realm, message, site->is_cut_off);
}

static void to_itself(struct site *site, const struct message *message, int64_t after_ms)
{
    struct message *copy = malloc(sizeof *copy);

    if (!copy)
        abort();
    *copy = *message;
    agenda_add(&site->realm->agenda, site->realm->now_ms + after_ms, deliver, copy, 0);
}

static void to_peer(struct site *site, struct site *peer, enum kind kind, int64_t sent_ms)
{
    struct message message = of(peer, kind);

    if (!peer->is_up)
        return;
    message.peer = site;
    message.peer_life = site->life;
    message.sent_ms = sent_ms;
    post(site->realm, &message, site->side != peer->side);
}

/* ---- what the store does ----------------------------------------------------------------- */

static void serve(struct realm *realm, struct message *message)
{
    struct registry *registry = &realm->registry;
    struct site *site = message->site;
    char name[8];

    snprintf(name, sizeof name, "n%zu", site->index);
    switch (message->kind) {
    case TO_STORE_BEAT:
        message->kind =
            registry_beat(registry, site->index, message->generation) ? BEAT_TAKEN : BEAT_NO_ROW;
        break;
    case TO_STORE_NODES:
        if (message->request.what == MEMBERSHIP_READ)
            message->n = registry_table(registry, message->rows);
        else
            message->is_done = registry_change(registry, &message->request);
        message->kind = message->request.what == MEMBERSHIP_READ ? NODES_TABLE : NODES_DONE;
        break;
    case TO_STORE_READ:
        message->row = registry->places[message->id];
        message->kind = PLACE_FOUND;
        break;
    case TO_STORE_CLAIM:
        message->epoch =
            registry_claim(registry, message->id, &message->row, name, message->generation);
        message->kind = PLACE_CLAIMED;
        break;
    case TO_STORE_FREE:
        registry_free(registry, message->id, message->generation, message->epoch);
        message->kind = PLACE_FREED;
        break;
    default:
        registry_save(registry, message->id, message->epoch);
        return;
    }
    post(realm, message, site->is_cut_off);
}

/* ---- what troupe-node does --------------------------------------------------------------- */

static struct site *site_of_generation(struct realm *realm, uint64_t generation)
{
    for (size_t i = 0; i < SITES; i++)
        if (realm->sites[i].generation == generation)
            return &realm->sites[i];
    return NULL;
}

static void on_ask(void *data, const struct membership_request *request)
{
    struct site *site = data, *peer = site_of_generation(site->realm, request->generation);
    struct message message = of(site, TO_STORE_NODES);

    message.request = *request;
    if (request->what != MEMBERSHIP_CONFIRM)
        to_store(site, &message);
    else if (peer)
        to_peer(site, peer, PEER_ASKS_TO_CONFIRM, 0);
}

static void ask_store(struct site *site, size_t id, enum kind kind)
{
    struct message message = of(site, kind);

    message.id = id;
    message.number = site->places[id].request;
    message.row = site->places[id].row;
    message.epoch = site->places[id].epoch;
    to_store(site, &message);
    message.kind = PLACE_LATE;
    to_itself(site, &message, ANSWER_MS);
}

static void obey(struct site *site, size_t id, enum place_order order)
{
    struct message message = of(site, PLACE_STARTING_NOW);

    message.id = id;
    message.epoch = site->places[id].epoch;
    switch (order) {
    case PLACE_WAIT:
        return;
    case PLACE_READ:
        ask_store(site, id, TO_STORE_READ);
        return;
    case PLACE_READ_NODES:
        membership_read(site->membership, clock_ms(site));
        return;
    case PLACE_CLAIM:
        ask_store(site, id, TO_STORE_CLAIM);
        return;
    case PLACE_START:
        to_itself(site, &message, (int64_t)chance_below(&site->realm->chance, 500));
        return;
    case PLACE_FREE:
        ask_store(site, id, TO_STORE_FREE);
        return;
    case PLACE_HERE:
        site->realm->here++;
        return;
    case PLACE_ELSEWHERE:
        site->realm->elsewhere++;
        return;
    default:
        site->realm->refused++;
    }
}

static bool is_idle(const struct site *site)
{
    for (size_t id = 0; id < IDS; id++)
        if (site->places[id].state != PLACE_IDLE)
            return false;
    return true;
}

static void fence(struct site *site)
{
    site->realm->fenced++;
    memset(site->running, 0, sizeof site->running);
    for (size_t id = 0; id < IDS; id++)
        place_fence(&site->places[id]);
}

/* A troupe-node that has no lease yet leaves the timers of the last one as they are. */
static void arm(struct site *site)
{
    reap(site); /* before a timer is armed anew it has fired */
    if (site->lease.is_lost)
        site->fence_ms = 0;
    else if (site->lease.until_ms)
        site->fence_ms = site->lease.until_ms;
}

/* After each event, before anything else: what has ended has to be known, the timers armed. */
static void settle(struct site *site)
{
    struct lease_orders orders = lease_tick(&site->lease, clock_ms(site));
    struct message beat = of(site, TO_STORE_BEAT);

    if (orders.has_ended)
        fence(site);
    if (orders.is_beat_due)
        to_store(site, &beat);
    for (size_t i = 0; orders.is_asking && i < site->lease.count; i++) {
        struct site *peer = site_of_generation(site->realm, site->lease.members[i].generation);

        if (peer)
            to_peer(site, peer, PEER_ASKS, clock_ms(site));
    }
    site->realm->extended += site->lease.until_ms > site->lease.beaten_ms + LENGTH_MS;
    arm(site);
    for (size_t id = 0; id < IDS; id++)
        if (site->places[id].state == PLACE_RUNNING && !site->running[id])
            obey(site, id, place_ended(&site->places[id])); /* as its supervisor says */
    if (site->is_leaving && is_idle(site))
        membership_drained(site->membership, clock_ms(site));
}

static void on_place(struct site *site, const struct message *message)
{
    struct place *place = &site->places[message->id];
    struct message ready = *message;
    int64_t now_ms = clock_ms(site);

    ready.kind = PLACE_READY_NOW;
    switch (message->kind) {
    case PLACE_FOUND:
        obey(site, message->id,
             place_found(place, message->number, &message->row, site->membership, now_ms));
        return;
    case PLACE_CLAIMED:
        obey(site, message->id,
             place_claimed(place, message->number, message->epoch, site->membership, now_ms));
        return;
    case PLACE_FREED:
        obey(site, message->id, place_freed(place, message->number));
        return;
    case PLACE_LATE:
        obey(site, message->id, place_failed(place, message->number));
        return;
    case PLACE_STARTING_NOW:
        if (place->state != PLACE_STARTING || place->epoch != message->epoch)
            return;
        if (start_instance(site, message->id, message->epoch))
            to_itself(site, &ready, (int64_t)chance_below(&site->realm->chance, 500));
        else
            obey(site, message->id, place_ended(place));
        return;
    default:
        if (place->state == PLACE_STARTING && place->epoch == message->epoch)
            obey(site, message->id, place_ready(place));
    }
}

static void on_table(struct site *site, const struct message *message)
{
    membership_table(site->membership, &message->request, message->rows, message->n,
                     clock_ms(site));
    settle(site);
    for (size_t id = 0; id < IDS; id++)
        obey(site, id, place_table(&site->places[id], site->membership, clock_ms(site)));
}

static void on_peer(struct site *site, const struct message *message)
{
    struct site *peer = message->peer;
    int64_t now_ms = clock_ms(site);

    if (!peer->is_up || peer->life != message->peer_life)
        return;
    switch (message->kind) {
    case PEER_ASKS:
        if (membership_promise(site->membership, peer->generation, now_ms))
            to_peer(site, peer, PEER_PROMISES, message->sent_ms);
        return;
    case PEER_PROMISES:
        lease_promised(&site->lease, peer->generation, message->sent_ms, now_ms);
        return;
    case PEER_ASKS_TO_CONFIRM:
        if (membership_confirm(site->membership, peer->generation, now_ms))
            to_peer(site, peer, PEER_CONFIRMS, 0);
        return;
    default:
        membership_confirmed(site->membership, peer->generation, now_ms);
    }
}

static void handle(struct site *site, const struct message *message)
{
    switch (message->kind) {
    case BEAT_TAKEN:
        lease_taken(&site->lease, message->sent_ms, clock_ms(site));
        break;
    case BEAT_NO_ROW:
        lease_lose(&site->lease);
        break;
    case NODES_TABLE:
        on_table(site, message);
        break;
    case NODES_DONE:
        membership_answered(site->membership, &message->request, message->is_done, clock_ms(site));
        break;
    case PEER_ASKS:
    case PEER_PROMISES:
    case PEER_ASKS_TO_CONFIRM:
    case PEER_CONFIRMS:
        on_peer(site, message);
        break;
    default:
        on_place(site, message);
    }
    settle(site);
}

static void deliver(void *what, uint64_t number)
{
    struct message *message = what;
    struct site *site = message->site;
    struct realm *realm = site->realm;
    bool is_for_store = message->kind < TO_SITE;
    int64_t paused_until_ms = is_for_store ? realm->store_paused_until_ms : site->paused_until_ms;

    if (realm->now_ms < paused_until_ms) {
        agenda_add(&realm->agenda, paused_until_ms, deliver, message, number);
        return;
    }
    if (is_for_store && !realm->is_store_down)
        serve(realm, message);
    else if (!is_for_store && site->is_up && site->life == message->life) {
        settle(site);
        handle(site, message);
    }
    free(message);
}

/* ---- sites ------------------------------------------------------------------------------- */

static void start_node(struct site *site, bool has_lock)
{
    struct node_row self = {.generation = site->generation, .lease_ms = LENGTH_MS};

    snprintf(self.name, sizeof self.name, "n%zu", site->index);
    lease_init(&site->lease, LENGTH_MS);
    site->membership = membership_create(&self, &site->lease, on_ask, site);
    site->life++;
    memset(site->places, 0, sizeof site->places);
    for (size_t id = 0; id < IDS; id++)
        if (site->running[id])
            place_adopt(&site->places[id], site->running[id]);
    for (size_t i = 0; has_lock && i < site->old_count; i++)
        membership_released(site->membership, site->old[i], clock_ms(site));
    site->is_up = true;
}

static void stop_node(struct site *site)
{
    membership_destroy(site->membership);
    lease_finish(&site->lease);
    site->membership = NULL;
    site->is_up = false;
}

void site_start(struct site *site, bool has_lock)
{
    if (site->is_up)
        return;
    if (site->generation && site->old_count < sizeof site->old / sizeof *site->old)
        site->old[site->old_count++] = site->generation;
    site->generation = chance_next(&site->realm->chance) | 1;
    site->is_leaving = false;
    site->fence_ms = 0;
    start_node(site, has_lock);
}

void site_kill(struct site *site)
{
    if (!site->is_up)
        return;
    memset(site->running, 0, sizeof site->running);
    stop_node(site);
}

void site_restart_node(struct site *site)
{
    if (!site->is_up || site->is_leaving)
        return;
    reap(site);
    stop_node(site);
    start_node(site, false);
}

void site_pause(struct site *site, int64_t ms)
{
    site->paused_until_ms = site->realm->now_ms + ms;
}

static bool is_at_work(const struct site *site)
{
    return site->is_up && site->realm->now_ms >= site->paused_until_ms;
}

void site_leave(struct site *site)
{
    if (!is_at_work(site) || site->is_leaving)
        return;
    site->is_leaving = true;
    membership_leave(site->membership, clock_ms(site));
    for (size_t id = 0; id < IDS; id++)
        site_end(site, id);
}

void site_call(struct site *site, size_t id)
{
    if (!is_at_work(site) || site->is_leaving)
        return;
    settle(site);
    obey(site, id, place_want(&site->places[id]));
}

void site_end(struct site *site, size_t id)
{
    reap(site);
    if (!is_at_work(site) || !site->running[id])
        return;
    settle(site);
    site->running[id] = 0;
    obey(site, id, place_ended(&site->places[id]));
}

void site_save(struct site *site, size_t id)
{
    struct message message = of(site, TO_STORE_SAVE);

    reap(site);
    if (!is_at_work(site) || !site->running[id])
        return;
    message.id = id;
    message.epoch = site->running[id];
    to_store(site, &message);
}

/* ---- the realm --------------------------------------------------------------------------- */

static void tick(struct site *site)
{
    if (!is_at_work(site))
        return;
    settle(site);
    membership_tick(site->membership, clock_ms(site));
    for (size_t id = 0; site->is_leaving && id < IDS; id++)
        site_end(site, id);
    if (membership_state(site->membership) == NODE_DEAD ||
        (site->is_leaving && membership_state(site->membership) == NODE_LEFT) ||
        site->lease.is_lost) {
        site_kill(site); /* a root that is out begins anew; that is up to the course of things */
        return;
    }
    settle(site);
}

struct realm *realm_create(uint64_t seed)
{
    struct realm *realm = calloc(1, sizeof *realm);

    if (!realm)
        abort();
    realm->chance.state = seed;
    realm->now_ms = 1;
    for (size_t i = 0; i < SITES; i++) {
        struct site *site = &realm->sites[i];

        site->realm = realm;
        site->index = i;
        site->rate = 915 + chance_below(&realm->chance, 181); /* up to 1.197 times another's */
        if (i < 2)
            site->rate = i ? 1095 : 915;
        site->offset_ms = 1 + (int64_t)chance_below(&realm->chance, 1000000000);
        site_start(site, true);
    }
    return realm;
}

void realm_run(struct realm *realm, int64_t ms)
{
    int64_t until_ms = realm->now_ms + ms;
    struct item item;

    while (realm->now_ms < until_ms) {
        int64_t next_ms = realm->now_ms + TICK_MS < until_ms ? realm->now_ms + TICK_MS : until_ms;

        while (agenda_next(&realm->agenda, next_ms, &item)) {
            if (item.at_ms > realm->now_ms)
                realm->now_ms = item.at_ms;
            item.happen(item.what, item.number);
        }
        realm->now_ms = next_ms;
        for (size_t i = 0; i < SITES; i++)
            tick(&realm->sites[i]);
    }
}

void realm_destroy(struct realm *realm)
{
    struct item item;

    for (size_t i = 0; i < SITES; i++)
        site_kill(&realm->sites[i]);
    while (agenda_next(&realm->agenda, INT64_MAX, &item))
        free(item.what);
    agenda_finish(&realm->agenda);
    free(realm);
}
