#include "pool_crew.h"

#include "control.h"
#include "loop.h"
#include "mono.h"
#include "peer.h"
#include "reason.h"
#include "rundir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DIAL_MS = 5000,  /* only a full listen queue uses it up */
    AGAIN_MS = 200,  /* between tries to reach the supervisor */
    ORDER_MS = 1000, /* after an order that failed */
    ORDERS_MAX = 64, /* workers that are ordered at once */
};

struct crew_order {
    struct crew_order *next;
    uint64_t ref;
    const char *verb;
    char name[ADDR_PART_MAX + 1];
};

/* ---- who there is -------------------------------------------------------------------------- */

struct pool_worker *pool_crew_at(const struct pool_crew *crew, int seat)
{
    return container_of(crew->seats[seat], struct pool_worker, seat);
}

static struct pool_worker *find(const struct pool_crew *crew, const char *name)
{
    struct pool_worker *worker;

    HASH_FIND_STR(crew->all, name, worker);
    return worker;
}

struct pool_worker *pool_crew_find(const struct pool_crew *crew, const char *name)
{
    struct pool_worker *worker = find(crew, name);

    return worker && worker->is_seated ? worker : NULL;
}

static int take_seat(struct pool_crew *crew, struct pool_worker *worker)
{
    size_t room = crew->room ? crew->room * 2 : 16;
    struct pool_seat **seats;

    if (crew->count == crew->room) {
        seats = realloc(crew->seats, room * sizeof(struct pool_seat *));
        if (!seats)
            return -1;
        crew->seats = seats;
        crew->room = room;
    }
    crew->seats[crew->count++] = &worker->seat;
    worker->is_seated = true;
    return 0;
}

static void leave_seat(struct pool_crew *crew, struct pool_worker *worker)
{
    size_t at = 0;

    if (!worker->is_seated)
        return;
    while (crew->seats[at] != &worker->seat)
        at++;
    crew->count--;
    memmove(&crew->seats[at], &crew->seats[at + 1],
            (crew->count - at) * sizeof(struct pool_seat *));
    worker->is_seated = false;
}

/* NULL: out of memory; it will be met again. */
static struct pool_worker *create(struct pool_crew *crew, const char *name)
{
    struct pool_worker *worker = calloc(1, sizeof *worker);

    if (!worker || addr_join(crew->path, name, worker->path, sizeof worker->path) < 0 ||
        take_seat(crew, worker) < 0) {
        free(worker);
        return NULL;
    }
    worker->name = addr_name(worker->path);
    worker->seat.id = pool_route_hash(name, strlen(name));
    pool_lane_init(&worker->lane);
    HASH_ADD_KEYPTR(hh, crew->all, worker->name, strlen(worker->name), worker);
    return worker;
}

static void forget(struct pool_crew *crew, struct pool_worker *worker)
{
    HASH_DEL(crew->all, worker);
    free(worker);
}

/* Nobody asks after it any more. What waited for it must have been given to others. */
static void forget_if_done(struct pool_crew *crew, struct pool_worker *worker)
{
    if (!worker->is_seated && !worker->is_there && worker->seat.running == 0)
        forget(crew, worker);
}

/* It is no child any more. One that is wanted is waited for: it will be ordered again. */
static void set_gone(struct pool_crew *crew, struct pool_worker *worker)
{
    worker->is_there = worker->is_ready = worker->is_leaving = worker->seat.is_up = false;
    if (!crew->wanted)
        leave_seat(crew, worker);
}

/* Whether it came up or went down. */
static bool set_state(struct pool_worker *worker, bool is_ready, uint64_t incarnation)
{
    bool was_up = worker->seat.is_up;

    worker->is_there = worker->is_known = true;
    worker->is_ready = is_ready;
    worker->incarnation = incarnation;
    worker->seat.is_up = is_ready && incarnation != worker->lost;
    return worker->seat.is_up != was_up;
}

void pool_crew_lost(struct pool_crew *crew, struct pool_worker *worker, uint64_t incarnation)
{
    worker->lost = incarnation;
    if (!worker->seat.is_up || worker->incarnation != incarnation)
        return;
    worker->seat.is_up = false;
    crew->handlers.on_change(crew);
}

const char *pool_crew_state(const struct pool_worker *worker)
{
    if (!worker->is_seated || worker->is_leaving)
        return "leaving";
    return worker->seat.is_up ? "up" : "down";
}

/* ---- orders -------------------------------------------------------------------------------- */

static int order(struct pool_crew *crew, const char *verb, const struct pool_worker *worker)
{
    char *at[] = {(char *)worker->name};
    struct words words = {1, at};
    struct crew_order *given = crew->peer ? calloc(1, sizeof *given) : NULL;

    if (!given)
        return -1;
    given->verb = verb;
    snprintf(given->name, sizeof given->name, "%s", worker->name);
    given->ref = peer_request(crew->peer, verb, &words, -1);
    if (!given->ref) {
        free(given);
        return -1;
    }
    given->next = crew->orders;
    crew->orders = given;
    return 0;
}

static void drop_orders(struct pool_crew *crew)
{
    struct crew_order *given;

    while ((given = crew->orders)) {
        crew->orders = given->next;
        free(given);
    }
}

static unsigned count_orders(const struct pool_crew *crew, const char *verb)
{
    unsigned count = 0;

    for (const struct crew_order *given = crew->orders; given; given = given->next)
        count += strcmp(given->verb, verb) == 0;
    return count;
}

static bool is_under_order(const struct pool_crew *crew, const char *verb, const char *name)
{
    for (const struct crew_order *given = crew->orders; given; given = given->next)
        if (strcmp(given->verb, verb) == 0 && strcmp(given->name, name) == 0)
            return true;
    return false;
}

/* The one of the lowest number that has no seat. One that was about to leave stays, or comes again.
 */
static int recruit(struct pool_crew *crew)
{
    struct pool_worker *worker;
    char name[24];
    unsigned number = 0;

    do {
        snprintf(name, sizeof name, "%u", ++number);
        worker = find(crew, name);
    } while (worker && worker->is_seated);
    if (worker)
        return take_seat(crew, worker);
    return create(crew, name) ? 0 : -1;
}

static void dismiss(struct pool_crew *crew, struct pool_worker *worker)
{
    leave_seat(crew, worker);
    crew->handlers.on_change(crew);
    pool_crew_released(crew, worker);
}

/* When one of these is answered, the next is ordered. */
static int order_missing(struct pool_crew *crew)
{
    unsigned given = count_orders(crew, CONTROL_ADD_TEMPLATE);

    for (size_t i = 0; i < crew->count && given < ORDERS_MAX; i++) {
        struct pool_worker *worker = pool_crew_at(crew, (int)i);

        if (worker->is_there || worker->is_ordered)
            continue;
        if (order(crew, CONTROL_ADD_TEMPLATE, worker) < 0)
            return -1;
        worker->is_ordered = true;
        given++;
    }
    return 0;
}

static void try_again(struct pool_crew *crew, int64_t ms);

static bool is_complete(const struct pool_crew *crew)
{
    for (size_t i = 0; i < crew->count; i++) {
        const struct pool_worker *worker = pool_crew_at(crew, (int)i);

        if (!worker->is_there || worker->is_ordered || worker->is_leaving)
            return false;
    }
    return crew->count == crew->wanted;
}

/* Lets go of what is too much, of the last ones; takes on and orders what is missing. */
static void adjust(struct pool_crew *crew)
{
    size_t before = crew->count;

    if (!crew->is_known || !crew->peer || !crew->wanted)
        return;
    while (crew->count > crew->wanted)
        dismiss(crew, pool_crew_at(crew, (int)crew->count - 1));
    while (crew->count < crew->wanted && recruit(crew) == 0)
        ;
    if (crew->count > before)
        crew->handlers.on_change(crew);
    if (crew->count < crew->wanted || order_missing(crew) < 0)
        try_again(crew, ORDER_MS);
    else if (is_complete(crew))
        crew->handlers.on_size(crew, NULL);
}

void pool_crew_resize(struct pool_crew *crew, size_t wanted)
{
    crew->wanted = wanted;
    adjust(crew);
}

/* A life that is condemned and goes on. One that a person has stopped meanwhile is not to be
 * started. */
static bool is_to_restart(const struct pool_crew *crew, const struct pool_worker *worker)
{
    return worker->is_ready && worker->condemned == worker->incarnation &&
           !is_under_order(crew, CONTROL_RESTART, worker->name);
}

/* The order may have failed, or not been heard: without it, a worker that is stuck would never be
 * one again. */
static void order_restarts(struct pool_crew *crew)
{
    struct pool_worker *worker, *next;
    bool failed = false;

    HASH_ITER (hh, crew->all, worker, next)
        if (is_to_restart(crew, worker))
            failed |= order(crew, CONTROL_RESTART, worker) < 0;
    if (failed && crew->peer)
        try_again(crew, ORDER_MS);
}

void pool_crew_restart(struct pool_crew *crew, struct pool_worker *worker)
{
    worker->condemned = worker->incarnation;
    pool_crew_lost(crew, worker, worker->incarnation);
    order_restarts(crew);
}

void pool_crew_released(struct pool_crew *crew, struct pool_worker *worker)
{
    if (!worker->is_seated && worker->is_there && !worker->is_leaving &&
        worker->seat.running == 0 && order(crew, CONTROL_REMOVE, worker) == 0) {
        worker->is_leaving = true;
        worker->seat.is_up = false;
        worker->lost = worker->incarnation;
    }
    forget_if_done(crew, worker);
}

/* ---- what its supervisor says -------------------------------------------------------------- */

/* A name in its path, or NULL: of another's child, or of none. */
static const char *name_of(const struct pool_crew *crew, const char *path)
{
    char parent[ADDR_PATH_MAX + 1];

    if (!path || !*path || addr_parent(path, parent, sizeof parent) < 0 ||
        strcmp(parent, crew->path) != 0)
        return NULL;
    return addr_name(path);
}

/* Only a new one is given a seat: one that was dismissed has had its own. */
static struct pool_worker *meet(struct pool_crew *crew, const char *name)
{
    struct pool_worker *worker = find(crew, name);

    if (!worker)
        return create(crew, name);
    if (!worker->is_seated && !worker->is_there)
        take_seat(crew, worker);
    return worker;
}

static void on_row(struct pool_crew *crew, const struct row *row)
{
    const char *name = row->kind == ROW_SUPERVISOR ? NULL : name_of(crew, row->path);
    struct pool_worker *worker = name ? meet(crew, name) : NULL;

    if (!worker)
        return;
    worker->is_listed = true;
    set_state(worker, row->state == ROW_READY, row->incarnation);
}

/* The whole of it: who is not in it is gone. */
static void on_rows(struct pool_crew *crew, const struct rows *rows)
{
    struct pool_worker *worker, *next;

    HASH_ITER (hh, crew->all, worker, next)
        worker->is_listed = false;
    for (size_t i = 0; i < rows->count; i++)
        on_row(crew, &rows->at[i]);
    HASH_ITER (hh, crew->all, worker, next)
        if (!worker->is_listed)
            set_gone(crew, worker);
    crew->is_known = true;
    crew->is_troubled = false;
    crew->handlers.on_change(crew);
    HASH_ITER (hh, crew->all, worker, next)
        pool_crew_released(crew, worker);
    order_restarts(crew);
    adjust(crew);
}

static void on_removed(struct pool_crew *crew, const char *name)
{
    struct pool_worker *worker = find(crew, name);

    if (!worker)
        return;
    set_gone(crew, worker);
    crew->handlers.on_change(crew);
    forget_if_done(crew, worker);
    try_again(crew, AGAIN_MS);
}

static void on_facts(struct pool_crew *crew, const struct facts *facts)
{
    const char *name = name_of(crew, facts_get(facts, "path"));
    const char *event = facts_get(facts, "event"), *state = facts_get(facts, "state");
    const char *incarnation = facts_get(facts, "incarnation");
    struct pool_worker *worker;

    if (!name || !event || !state || !incarnation)
        return;
    if (strcmp(event, EVENT_CHILD_REMOVED) == 0) {
        on_removed(crew, name);
        return;
    }
    worker = meet(crew, name);
    if (worker &&
        set_state(worker, row_state_of_text(state) == ROW_READY, strtoull(incarnation, NULL, 10))) {
        crew->handlers.on_change(crew);
        adjust(crew);
    }
}

/* One that never was there does not keep a seat where jobs would wait for it. One that was let go
 * before it was up has failed nobody: its start was cancelled by ourselves. */
static void on_add_failed(struct pool_crew *crew, struct pool_worker *worker, const char *why)
{
    worker->is_ordered = false;
    if (worker->is_leaving || !worker->is_seated) {
        forget_if_done(crew, worker);
        adjust(crew);
        return;
    }
    if (!worker->is_known) {
        leave_seat(crew, worker);
        crew->handlers.on_change(crew);
        forget_if_done(crew, worker);
    }
    crew->handlers.on_size(crew, why);
    try_again(crew, ORDER_MS);
}

/* It was to leave, and the order may not have been heard. */
static void stays(struct pool_worker *worker)
{
    if (worker->is_leaving)
        worker->lost = 0;
    worker->is_leaving = false;
}

static void on_failed(struct pool_crew *crew, const struct crew_order *given, const char *why)
{
    struct pool_worker *worker = find(crew, given->name);

    troupe_log(crew->self, "error", "pool.order", "order", given->verb, "worker", given->name,
               "why", why, NULL);
    if (!worker)
        return;
    if (strcmp(given->verb, CONTROL_ADD_TEMPLATE) == 0)
        on_add_failed(crew, worker, why);
    else if (strcmp(given->verb, CONTROL_REMOVE) == 0)
        stays(worker);
    else
        try_again(crew, ORDER_MS);
}

static void on_done(struct pool_crew *crew, const struct crew_order *given)
{
    struct pool_worker *worker = find(crew, given->name);

    if (worker && strcmp(given->verb, CONTROL_ADD_TEMPLATE) == 0)
        worker->is_ordered = false;
    else if (worker && strcmp(given->verb, CONTROL_RESTART) == 0)
        worker->condemned = 0;
    adjust(crew);
}

/* why: NULL when it was carried out. */
static void on_order_answered(struct pool_crew *crew, uint64_t ref, const char *why)
{
    struct crew_order **at = &crew->orders, *given;

    while (*at && (*at)->ref != ref)
        at = &(*at)->next;
    given = *at;
    if (!given)
        return;
    *at = given->next;
    if (why)
        on_failed(crew, given, why);
    else
        on_done(crew, given);
    free(given);
}

static void on_error(struct pool_crew *crew, const struct envelope *env)
{
    char why[REASON_MAX];

    snprintf(why, sizeof why, "%.*s", (int)env->payload_size, (const char *)env->payload);
    if (env->ref == crew->events)
        troupe_log(crew->self, "error", "pool.crew", "workers", crew->path, "why", why, NULL);
    else
        on_order_answered(crew, env->ref, why);
}

static void on_reply(struct pool_crew *crew, const struct envelope *env)
{
    struct rows rows;

    if (env->ref != crew->events) {
        on_order_answered(crew, env->ref, NULL);
    } else if (wire_unpack_rows(env->payload, env->payload_size, &rows) == 0) {
        on_rows(crew, &rows);
        rows_finish(&rows);
    }
}

static void on_event(struct pool_crew *crew, const struct envelope *env)
{
    struct facts facts;

    if (wire_unpack_facts(env->payload, env->payload_size, &facts) < 0)
        return;
    on_facts(crew, &facts);
    facts_finish(&facts);
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct pool_crew *crew = peer_data(peer);

    if (fd >= 0)
        close(fd);
    if (env->kind == ENVELOPE_EVENT && env->ref == crew->events)
        on_event(crew, env);
    else if (env->kind == ENVELOPE_CONTROL_REPLY)
        on_reply(crew, env);
    else if (env->kind == ENVELOPE_ERROR)
        on_error(crew, env);
}

/* ---- the connection ------------------------------------------------------------------------ */

/* It has died with all its children, or will tell us the news when it is reached again. */
static void on_close(struct peer *peer, const char *why)
{
    struct pool_crew *crew = peer_data(peer);
    struct pool_worker *worker, *next;

    crew->peer = NULL;
    drop_orders(crew);
    HASH_ITER (hh, crew->all, worker, next) {
        worker->seat.is_up = worker->is_ordered = false;
        stays(worker);
    }
    if (!crew->is_troubled)
        troupe_log(crew->self, "warn", "pool.crew", "workers", crew->path, "why", why, NULL);
    crew->is_troubled = true;
    crew->handlers.on_change(crew);
    crew->handlers.on_size(crew, why);
    try_again(crew, AGAIN_MS);
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

static void dial(struct pool_crew *crew)
{
    char mailbox[ADDR_PATH_MAX + 16];

    snprintf(mailbox, sizeof mailbox, "%s/%s", crew->path, RUNDIR_SUPERVISOR);
    crew->peer =
        peer_dial(troupe_loop(crew->self), getenv("TROUPE_RUN"), mailbox, troupe_path(crew->self),
                  mono_add_ms(mono_now(), DIAL_MS), &handlers, crew);
    crew->events = crew->peer ? peer_request(crew->peer, CONTROL_EVENTS, NULL, -1) : 0;
    if (crew->events)
        return;
    peer_close(crew->peer, false);
    crew->peer = NULL;
    try_again(crew, AGAIN_MS);
}

static void on_again(struct troupe *self, uint64_t count, void *data)
{
    struct pool_crew *crew = data;

    (void)self;
    (void)count;
    crew->again = 0;
    if (!crew->peer) {
        dial(crew);
        return;
    }
    order_restarts(crew);
    adjust(crew);
}

static void try_again(struct pool_crew *crew, int64_t ms)
{
    troupe_cancel(crew->self, crew->again);
    crew->again = troupe_after(crew->self, ms, on_again, crew);
}

/* ---- life ---------------------------------------------------------------------------------- */

int pool_crew_init(struct pool_crew *crew, struct troupe *self, const char *workers, size_t wanted,
                   const struct pool_crew_handlers *given)
{
    char parent[ADDR_PATH_MAX + 1] = "";

    *crew = (struct pool_crew){.self = self, .wanted = wanted, .handlers = *given};
    if (!strchr(workers, '/'))
        addr_parent(troupe_path(self), parent, sizeof parent);
    return addr_join(parent, workers, crew->path, sizeof crew->path);
}

void pool_crew_start(struct pool_crew *crew)
{
    dial(crew);
}

void pool_crew_finish(struct pool_crew *crew)
{
    struct pool_worker *worker, *next;

    troupe_cancel(crew->self, crew->again);
    peer_close(crew->peer, false);
    crew->peer = NULL;
    drop_orders(crew);
    HASH_ITER (hh, crew->all, worker, next)
        forget(crew, worker);
    free(crew->seats);
    crew->seats = NULL;
    crew->count = 0;
}
