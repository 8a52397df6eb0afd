#include "registry.h"

#include "control.h"
#include "exchange_wire.h"
#include "fields.h"
#include "loop.h"
#include "memory.h"
#include "mono.h"
#include "node_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { TICKS = 2 * LEASE_QUESTIONS /* in the length of a lease */, LOOK_MS = 2000, LOOK_PACE_MS = 20 };

struct registry {
    struct registry_options options;
    uint64_t life; /* counts generations: answers to an earlier one are of no use */
    struct node_row self;
    struct lease lease;
    struct membership *membership;
    bool must_beat;  /* when a table has come */
    bool must_tell;  /* what is offered has changed, and no beat has said so */
    int64_t told_ms; /* until when on_lease was told last */
    ev_timer tick, look;
    int64_t look_until_ms;
    uint64_t *free; /* generations whose lock was free at the last look */
    size_t free_count;
};

/* What the store was asked, until it answers. */
struct question {
    struct registry *registry;
    uint64_t life;
    struct membership_request request;
    int64_t sent_ms;
};

void registry_generation_text(uint64_t generation, char out[17])
{
    snprintf(out, 17, "%016" PRIx64, generation);
}

uint64_t registry_generation_of(const char *text)
{
    return strlen(text) == 16 ? strtoull(text, NULL, 16) : 0;
}

static void settle(struct registry *registry);
static void beat(struct registry *registry);

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct {
    const char *text;
    enum node_state state;
} states[] = {{"joining", NODE_JOINING},
              {"alive", NODE_ALIVE},
              {"draining", NODE_LEAVING},
              {"dead", NODE_DEAD}};

static enum node_state state_of(const char *text)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (!strcmp(states[i].text, text))
            return states[i].state;
    return NODE_DEAD;
}

static const char *text_of(enum node_state state)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (states[i].state == state)
            return states[i].text;
    return "dead"; /* one that has left is no more either */
}

enum { NAME, GENERATION, STATE, BEAT, URL, SERVICES, LOAD, COLUMNS };

/* A table while it is read. */
struct reading {
    struct node_row *rows;
    struct node_service *rooms; /* MEMBERSHIP_SERVICES_MAX for each row */
    size_t n;
};

static void read_row(struct reading *reading, char *const *columns)
{
    struct node_row *row = &reading->rows[reading->n];

    *row = (struct node_row){.generation = registry_generation_of(columns[GENERATION]),
                             .state = state_of(columns[STATE]),
                             .beat = strtoull(columns[BEAT], NULL, 10)};
    snprintf(row->name, sizeof row->name, "%s", columns[NAME]);
    snprintf(row->url, sizeof row->url, "%s", columns[URL]);
    node_load_read(row, columns[LOAD], &reading->rooms[reading->n * MEMBERSHIP_SERVICES_MAX]);
    reading->n += row->generation != 0;
}

static void take_table(struct registry *registry, const struct question *question,
                       const struct words *words)
{
    size_t most = words->count / COLUMNS;
    struct reading reading = {
        .rows = memory_resize(NULL, most + 1, sizeof *reading.rows),
        .rooms = memory_resize(NULL, (most + 1) * MEMBERSHIP_SERVICES_MAX, sizeof *reading.rooms)};

    for (size_t i = 0; i < most; i++)
        read_row(&reading, words->at + i * COLUMNS);
    membership_table(registry->membership, &question->request, reading.rows, reading.n, mono_now_ms());
    free(reading.rows);
    free(reading.rooms);
}

/* ---- what the store answers ------------------------------------------------------------------ */

static struct question *question_of(struct registry *registry,
                                    const struct membership_request *request)
{
    struct question *question = memory_zeroed(sizeof *question);

    question->registry = registry;
    question->life = registry->life;
    question->sent_ms = mono_now_ms();
    if (request)
        question->request = *request;
    return question;
}

static bool is_current(const struct question *question)
{
    return question->life == question->registry->life;
}

static void on_table(void *data, const struct ledger_answer *answer)
{
    struct question *question = data;
    struct registry *registry = question->registry;

    if (is_current(question) && answer->outcome == LEDGER_DONE) {
        settle(registry);
        take_table(registry, question, answer->rows);
        settle(registry);
        if (registry->must_beat)
            beat(registry);
        registry->options.hooks->on_table(registry->options.data);
    } else if (is_current(question)) {
        registry->options.hooks->on_silence(registry->options.data);
    }
    free(question);
}

static void on_changed(void *data, const struct ledger_answer *answer)
{
    struct question *question = data;
    struct registry *registry = question->registry;

    if (is_current(question) && answer->outcome != LEDGER_UNREACHABLE) {
        membership_answered(registry->membership, &question->request,
                            answer->outcome == LEDGER_DONE, mono_now_ms());
        settle(registry);
    }
    free(question);
}

/* A row in another state than we thought: a table tells in which, and then it beats. */
static void take_beat(struct registry *registry, enum ledger_outcome outcome, int64_t sent_ms)
{
    if (outcome == LEDGER_DONE) {
        lease_taken(&registry->lease, sent_ms, mono_now_ms());
        if (registry->must_tell)
            beat(registry);
    } else if (outcome == LEDGER_CONFLICT) {
        registry->must_beat = true;
        membership_read(registry->membership, mono_now_ms());
    } else if (outcome != LEDGER_UNREACHABLE) {
        lease_lose(&registry->lease);
    }
}

static void on_beaten(void *data, const struct ledger_answer *answer)
{
    struct question *question = data;
    struct registry *registry = question->registry;

    if (is_current(question)) {
        settle(registry);
        take_beat(registry, answer->outcome, question->sent_ms);
        settle(registry);
    }
    free(question);
}

/* ---- what the store is asked ----------------------------------------------------------------- */

static void set_row(struct registry *registry, const struct membership_request *request,
                    enum node_state from, enum node_state to)
{
    char generation[17];
    bool is_burial = request->what == MEMBERSHIP_BURY;
    const union wire_value values[] = {ledger_text(request->name),
                                       {.bytes = {generation, sizeof generation - 1}},
                                       ledger_text(text_of(from)),
                                       ledger_number(is_burial ? (int64_t)request->beat : -1),
                                       ledger_text(text_of(to))};

    registry_generation_text(request->generation, generation);
    ledger_ask(registry->options.ledger,
               &(struct ledger_request){CONTROL_NODE_SET, "sssIs", values, "", on_changed,
                                        question_of(registry, request)});
}

static void write_load(struct registry *registry, struct buf *out)
{
    struct node_service services[MEMBERSHIP_SERVICES_MAX];

    host_load_read(&registry->options.limits, &registry->self.memory_percent,
                   &registry->self.load_percent);
    registry->self.services = services;
    registry->self.service_count =
        registry->options.hooks->offers(registry->options.data, services);
    if (node_load_write(&registry->self, out) < 0)
        memory_fail();
    registry->self.services = NULL;
    registry->self.service_count = 0;
}

static void insert_row(struct registry *registry, const struct membership_request *request)
{
    char generation[17];
    struct buf load = {0};
    union wire_value values[] = {ledger_text(request->name),
                                 {.bytes = {generation, sizeof generation - 1}},
                                 ledger_text("joining"),
                                 ledger_text(registry->options.url),
                                 ledger_text(""),
                                 {.i = 0}};

    registry_generation_text(request->generation, generation);
    write_load(registry, &load);
    values[5] = ledger_text((const char *)buf_front(&load));
    ledger_ask(registry->options.ledger,
               &(struct ledger_request){CONTROL_NODE_INSERT, "ssssss", values, "", on_changed,
                                        question_of(registry, request)});
    buf_finish(&load);
}

static void read_table(struct registry *registry, const struct membership_request *request)
{
    ledger_ask(registry->options.ledger,
               &(struct ledger_request){CONTROL_NODE_LIST, "", NULL, NULL, on_table,
                                        question_of(registry, request)});
}

static void beat(struct registry *registry)
{
    char generation[17];
    struct buf load = {0};

    registry->must_beat = registry->must_tell = false;
    registry_generation_text(registry->self.generation, generation);
    write_load(registry, &load);
    ledger_ask(
        registry->options.ledger,
        &(struct ledger_request){
            CONTROL_NODE_BEAT, "ssss",
            (const union wire_value[]){ledger_text(registry->self.name), ledger_text(generation),
                                       ledger_text(text_of(membership_state(registry->membership))),
                                       ledger_text((const char *)buf_front(&load))},
            "I", on_beaten, question_of(registry, NULL)});
    buf_finish(&load);
}

/* ---- what the other nodes are asked ---------------------------------------------------------- */

/* KIND and three numbers: who says it, to whom, and the time that the question was asked. */
static void say(struct registry *registry, enum exchange_kind kind, const char *node, uint64_t to,
                int64_t asked_ms)
{
    uint8_t bytes[64] = {(uint8_t)kind};
    struct fields_writer writer = {.at = bytes + 1, .size = sizeof bytes - 1};

    fields_put_number(&writer, registry->self.generation, 8);
    fields_put_number(&writer, to, 8);
    fields_put_number(&writer, (uint64_t)asked_ms, 8);
    registry->options.hooks->send(registry->options.data, node, bytes, writer.used + 1);
}

static const struct node_row *row_of(const struct registry *registry, uint64_t generation)
{
    const struct node_row *rows;
    size_t n = membership_rows(registry->membership, &rows);

    for (size_t i = 0; i < n; i++)
        if (rows[i].generation == generation)
            return &rows[i];
    return NULL;
}

static void ask_promises(struct registry *registry, int64_t asked_ms)
{
    for (size_t i = 0; i < registry->lease.count; i++) {
        uint64_t generation = registry->lease.members[i].generation;
        const struct node_row *row = row_of(registry, generation);

        if (row)
            say(registry, REGISTRY_ASK, row->name, generation, asked_ms);
    }
}

const char *registry_message(struct registry *registry, const char *node, const uint8_t *bytes,
                             size_t size)
{
    struct fields_reader reader = {.at = bytes + 1, .size = size - 1};
    uint64_t from = fields_get_number(&reader, 8), to = fields_get_number(&reader, 8);
    int64_t asked_ms = (int64_t)fields_get_number(&reader, 8);
    struct membership *membership = registry->membership;

    if (!fields_are_done(&reader))
        return "a word about leases that is none";
    settle(registry);
    if (to != registry->self.generation) /* to one that is no more */
        return NULL;
    if (bytes[0] == REGISTRY_CONFIRM && membership_confirm(membership, from, mono_now_ms()))
        say(registry, REGISTRY_CONFIRMED, node, from, 0);
    else if (bytes[0] == REGISTRY_CONFIRMED)
        membership_confirmed(membership, from, mono_now_ms());
    else if (bytes[0] == REGISTRY_ASK && membership_promise(membership, from, mono_now_ms()))
        say(registry, REGISTRY_PROMISE, node, from, asked_ms);
    else if (bytes[0] == REGISTRY_PROMISE)
        lease_promised(&registry->lease, from, asked_ms, mono_now_ms());
    settle(registry);
    return NULL;
}

static void on_ask(void *data, const struct membership_request *request)
{
    struct registry *registry = data;
    const struct node_row *row = row_of(registry, request->generation);
    enum node_state state = membership_state(registry->membership);

    switch (request->what) {
    case MEMBERSHIP_READ:
        read_table(registry, request);
        break;
    case MEMBERSHIP_INSERT:
        insert_row(registry, request);
        break;
    case MEMBERSHIP_ALIVE:
        set_row(registry, request, NODE_JOINING, NODE_ALIVE);
        break;
    case MEMBERSHIP_LEAVING:
        set_row(registry, request, state, NODE_LEAVING);
        break;
    case MEMBERSHIP_LEFT:
        set_row(registry, request, NODE_LEAVING, NODE_DEAD);
        break;
    case MEMBERSHIP_BURY:
        if (row)
            set_row(registry, request, row->state, NODE_DEAD);
        break;
    case MEMBERSHIP_CONFIRM:
        say(registry, REGISTRY_CONFIRM, request->name, request->generation, 0);
        break;
    }
}

/* ---- who has ended on this host ---------------------------------------------------------------- */

static bool was_free(const struct registry *registry, uint64_t generation)
{
    for (size_t i = 0; i < registry->free_count; i++)
        if (registry->free[i] == generation)
            return true;
    return false;
}

/* Our lock is our root's: an older generation that had it is gone. Another's is believed to be free when it was
 * so twice: the kernel gives it back a moment before it kills the children. */
static bool is_gone(const struct registry *registry, const struct node_row *row, bool is_free)
{
    return !strcmp(row->lock, registry->self.lock) || (is_free && was_free(registry, row->generation));
}

static void look_at_locks(struct registry *registry)
{
    const struct node_row *rows;
    size_t n = membership_rows(registry->membership, &rows), found = 0, gone_count = 0;
    uint64_t *found_free = memory_resize(NULL, n + 1, sizeof *found_free);
    uint64_t *gone = memory_resize(NULL, n + 1, sizeof *gone);

    for (size_t i = 0; i < n; i++) {
        const struct node_row *row = &rows[i];
        bool is_free;

        if (!*row->lock || row->state == NODE_DEAD || row->state == NODE_LEFT ||
            row->generation == registry->self.generation)
            continue;
        is_free = node_lock_is_free(row->lock, registry->self.lock);
        if (is_gone(registry, row, is_free))
            gone[gone_count++] = row->generation;
        if (is_free)
            found_free[found++] = row->generation;
    }
    free(registry->free);
    registry->free = found_free;
    registry->free_count = found;
    for (size_t i = 0; i < gone_count; i++)
        membership_released(registry->membership, gone[i], mono_now_ms());
    free(gone);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct registry *registry = container_of(timer, struct registry, look);

    (void)events;
    look_at_locks(registry);
    settle(registry);
    if (mono_now_ms() >= registry->look_until_ms)
        ev_timer_stop(loop, timer);
}

void registry_met(struct registry *registry, const char *node)
{
    membership_met(registry->membership, node, mono_now_ms());
}

void registry_look(struct registry *registry)
{
    registry->look_until_ms = mono_now_ms() + LOOK_MS;
    if (!ev_is_active(&registry->look))
        ev_timer_again(registry->options.loop, &registry->look);
}

/* ---- lives ----------------------------------------------------------------------------------- */

static void begin_life(struct registry *registry, uint64_t generation)
{
    registry->life++;
    registry->self.generation = generation;
    registry->told_ms = 0;
    lease_init(&registry->lease, registry->options.lease_ms);
    registry->membership = membership_create(&registry->self, &registry->lease, on_ask, registry);
}

static void end_life(struct registry *registry)
{
    membership_destroy(registry->membership);
    lease_finish(&registry->lease);
    registry->membership = NULL;
}

static uint64_t new_generation(void)
{
    uint64_t generation = 0;

    while (!generation)
        if (getrandom(&generation, sizeof generation, 0) != sizeof generation)
            memory_fail();
    return generation;
}

static bool is_over(const struct registry *registry)
{
    return registry->lease.is_lost || membership_state(registry->membership) == NODE_DEAD;
}

/* After each event, before anything else: what has ended has to be known, and until when we may go
 * on. */
static void settle(struct registry *registry)
{
    const struct registry_hooks *hooks = registry->options.hooks;
    int64_t now = mono_now_ms();
    struct lease_orders orders = lease_tick(&registry->lease, now);

    if (orders.has_ended)
        hooks->on_fenced(registry->options.data);
    if (orders.is_beat_due)
        beat(registry);
    if (orders.is_asking)
        ask_promises(registry, now);
    if (registry->lease.until_ms > registry->told_ms && lease_holds(&registry->lease, now)) {
        registry->told_ms = registry->lease.until_ms;
        hooks->on_lease(registry->options.data, registry->told_ms);
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct registry *registry = container_of(timer, struct registry, tick);

    (void)loop;
    (void)events;
    settle(registry);
    look_at_locks(registry);
    membership_tick(registry->membership, mono_now_ms());
    settle(registry);
    if (!is_over(registry))
        return;
    registry->options.hooks->on_fenced(registry->options.data);
    end_life(registry);
    begin_life(registry, new_generation());
}

struct registry *registry_create(const struct registry_options *options)
{
    struct registry *registry = memory_zeroed(sizeof *registry);

    registry->options = *options;
    registry->self.lease_ms = options->lease_ms;
    snprintf(registry->self.name, sizeof registry->self.name, "%s", options->node);
    begin_life(registry, options->generation);
    ev_timer_init(&registry->tick, on_tick, 0., (double)options->lease_ms / TICKS / 1000);
    ev_timer_start(options->loop, &registry->tick);
    ev_timer_init(&registry->look, on_look, 0., LOOK_PACE_MS / 1000.);
    node_lock_text(options->run_dir, registry->self.lock);
    return registry;
}

void registry_destroy(struct registry *registry)
{
    if (!registry)
        return;
    ev_timer_stop(registry->options.loop, &registry->tick);
    ev_timer_stop(registry->options.loop, &registry->look);
    free(registry->free);
    end_life(registry);
    free(registry);
}

/* ---- the rest -------------------------------------------------------------------------------- */

void registry_leave(struct registry *registry)
{
    membership_leave(registry->membership, mono_now_ms());
    settle(registry);
}

void registry_drained(struct registry *registry)
{
    membership_drained(registry->membership, mono_now_ms());
    settle(registry);
}

bool registry_has_left(const struct registry *registry)
{
    enum node_state state = membership_state(registry->membership);

    return state == NODE_LEFT || state == NODE_DEAD;
}

const struct membership *registry_membership(const struct registry *registry)
{
    return registry->membership;
}

uint64_t registry_generation(const struct registry *registry)
{
    return registry->self.generation;
}

void registry_read(struct registry *registry)
{
    membership_read(registry->membership, mono_now_ms());
}

void registry_tell(struct registry *registry)
{
    registry->must_tell = true;
    if (lease_holds(&registry->lease, mono_now_ms()))
        beat(registry);
}

bool registry_has_room(const struct registry *registry)
{
    return registry->self.memory_percent < 100 && registry->self.load_percent < 100;
}

bool registry_is_beginning(const struct registry *registry)
{
    return !is_over(registry) &&
           (registry->told_ms == 0 || membership_state(registry->membership) == NODE_JOINING);
}

int64_t registry_lease_until_ms(const struct registry *registry)
{
    return lease_holds(&registry->lease, mono_now_ms()) ? registry->lease.until_ms : 0;
}
