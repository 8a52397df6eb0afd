/*
 * The registry and the places of one node, with a store whose answers the test gives when it likes: those that come
 * late, after the lease they were asked in, or to somebody who is gone; and what other nodes ask of a full one.
 */
#include "../../cluster/exchange_wire.h"
#include "../../cluster/ledger.h"
#include "../../cluster/places.h"
#include "control.h"
#include "loop.h"
#include "mono.h"
#include "tap.h"

#include <stdlib.h>

enum { LEASE_MS = 2000, SOURCE = 7, GENERATION = 0x11 };

/* ---- the store ---------------------------------------------------------------------------------- */

struct asked {
    char verb[32];
    ledger_answered *on_answer;
    void *data;
};

struct ledger {
    struct asked asked[256];
    size_t count;
    bool is_away;        /* tables, beats and states are not answered well */
    const char *state;   /* of our row; NULL: there is none */
    char generation[17]; /* of it */
    unsigned beats;
};

static struct ledger ledger;

void ledger_ask(struct ledger *self, const struct ledger_request *request)
{
    struct asked *asked = &self->asked[self->count++];

    snprintf(asked->verb, sizeof asked->verb, "%s", request->verb);
    asked->on_answer = request->on_answer;
    asked->data = request->data;
    if (strcmp(request->verb, CONTROL_NODE_INSERT) == 0)
        snprintf(self->generation, sizeof self->generation, "%s",
                 (const char *)request->values[1].bytes.at);
}

static struct asked take(size_t i)
{
    struct asked asked = ledger.asked[i];

    memmove(&ledger.asked[i], &ledger.asked[i + 1], (--ledger.count - i) * sizeof asked);
    return asked;
}

static void answer_with(struct asked asked, enum ledger_outcome outcome,
                        const union wire_value *values, const struct words *rows)
{
    asked.on_answer(asked.data, &(struct ledger_answer){outcome, values, rows});
}

static void answer_table(struct asked asked)
{
    char beat[16];
    struct words words = {ledger.state ? 7 : 0,
                          (char *[]){"a", ledger.generation, (char *)ledger.state, beat, "", "",
                                     "lease=2000"}};

    snprintf(beat, sizeof beat, "%u", ledger.beats);
    answer_with(asked, LEDGER_DONE, NULL, &words);
}

static void answer_node(struct asked asked)
{
    if (ledger.is_away) {
        answer_with(asked, LEDGER_UNREACHABLE, NULL, NULL);
    } else if (strcmp(asked.verb, CONTROL_NODE_LIST) == 0) {
        answer_table(asked);
    } else if (strcmp(asked.verb, CONTROL_NODE_BEAT) == 0) {
        ledger.beats++;
        answer_with(asked, ledger.state ? LEDGER_DONE : LEDGER_NOT_FOUND,
                    (union wire_value[]){{.i = ledger.beats}}, NULL);
    } else {
        ledger.state = strcmp(asked.verb, CONTROL_NODE_INSERT) == 0 ? "joining" : "alive";
        answer_with(asked, LEDGER_DONE, NULL, NULL);
    }
}

/* All that was asked about nodes; what is about places waits for the test. */
static void answer_nodes(void)
{
    size_t i = 0;

    while (i < ledger.count)
        if (strncmp(ledger.asked[i].verb, "node-", 5) == 0)
            answer_node(take(i));
        else
            i++;
}

/* The oldest question of that kind. */
static struct asked question(const char *verb)
{
    for (size_t i = 0; i < ledger.count; i++)
        if (strcmp(ledger.asked[i].verb, verb) == 0)
            return take(i);
    tap_note("nobody has asked for %s", verb);
    exit(1);
}

static bool is_asked(const char *verb)
{
    for (size_t i = 0; i < ledger.count; i++)
        if (strcmp(ledger.asked[i].verb, verb) == 0)
            return true;
    return false;
}

static void answer_row(struct asked asked, const char *node, const char *generation, int64_t epoch)
{
    answer_with(asked, LEDGER_DONE,
                (union wire_value[]){ledger_text(node), ledger_text(generation), {.i = epoch}}, NULL);
}

static void answer_epoch(struct asked asked, int64_t epoch)
{
    answer_with(asked, LEDGER_DONE, (union wire_value[]){{.i = epoch}}, NULL);
}

/* ---- the node ----------------------------------------------------------------------------------- */

static struct ev_loop *loop;
static struct registry *registry;
static struct places *places;
static int fences, starts;
static uint64_t started_epoch;
static struct {
    int count;
    uint8_t outcome;
    char text[EXCHANGE_TEXT_MAX + 1];
} hosted;

static void on_send(void *data, const char *node, const void *bytes, size_t size)
{
    (void)data, (void)node, (void)bytes, (void)size;
}

static size_t on_offers(void *data, struct node_service *out)
{
    (void)data;
    return places_offers(places, out);
}

static void on_lease(void *data, int64_t until_ms)
{
    (void)data, (void)until_ms;
}

static void on_fenced(void *data)
{
    (void)data;
    fences++;
    places_on_fenced(places);
}

static void on_table(void *data)
{
    (void)data;
    places_on_table(places);
}

static void on_silence(void *data)
{
    (void)data;
    places_on_silence(places);
}

static void on_start(void *data, uint64_t source, const char *id, uint64_t epoch)
{
    (void)data, (void)source, (void)id;
    starts++;
    started_epoch = epoch;
}

/* The only ones that go out here are PLACES_HOSTED. */
static bool on_send_place(void *data, const char *node, const void *bytes, size_t size)
{
    struct exchange_reader reader = {.at = (const uint8_t *)bytes + 1, .left = size - 1};

    (void)data, (void)node;
    exchange_get_number(&reader);
    hosted.count++;
    hosted.outcome = exchange_get_byte(&reader);
    exchange_get_text(&reader, hosted.text);
    return true;
}

static void run_ms(int64_t ms)
{
    struct mono end = mono_add_ms(mono_now(), ms);

    while (mono_diff_ms(end, mono_now()) > 0) {
        answer_nodes();
        loop_run_for(loop, 5);
    }
}

static bool holds(void)
{
    return registry_lease_until_ms(registry) != 0;
}

static bool is_alive(void)
{
    return holds() && membership_state(registry_membership(registry)) == NODE_ALIVE;
}

static bool has_ended(void)
{
    return !holds();
}

static bool comes(bool (*is_so)(void))
{
    for (int i = 0; i < 2000 && !is_so(); i++)
        run_ms(5);
    return is_so();
}

static void begin(uint32_t max)
{
    static const struct registry_hooks on_registry = {on_send,   on_offers, on_lease,
                                                      on_fenced, on_table,  on_silence};
    static const struct places_hooks on_places = {on_start, on_send_place};

    ledger = (struct ledger){0};
    fences = starts = hosted.count = 0;
    registry = registry_create(&(struct registry_options){.loop = loop,
                                                          .node = "a",
                                                          .url = "",
                                                          .generation = GENERATION,
                                                          .lease_ms = LEASE_MS,
                                                          .ledger = &ledger,
                                                          .hooks = &on_registry});
    places = places_create("a", &ledger, registry, &on_places, NULL);
    places_offer(places, &(struct places_offer){SOURCE, "shop/carts", 0, 1, max, PLACEMENT_LOCAL});
    places_offered(places, SOURCE);
    comes(is_alive);
}

static void end(void)
{
    /* what the store still owes is answered, so that nothing is left of it */
    while (ledger.count)
        answer_with(take(0), LEDGER_UNREACHABLE, NULL, NULL);
    places_destroy(places);
    registry_destroy(registry);
}

/* ---- who asks ----------------------------------------------------------------------------------- */

struct caller {
    int count;
    char node[64], why[256];
};

static void on_answer(void *data, const struct places_answer *answer)
{
    struct caller *caller = data;

    caller->count++;
    snprintf(caller->node, sizeof caller->node, "%s", answer->node ? answer->node : "");
    snprintf(caller->why, sizeof caller->why, "%s", answer->why ? answer->why : "");
}

static void call(struct caller *caller, const char *id)
{
    *caller = (struct caller){0};
    places_want(places, "shop/carts", id, on_answer, caller);
}

static bool was_told(const struct caller *caller, const char *why)
{
    if (caller->count == 1 && strncmp(caller->why, why, strlen(why)) == 0)
        return true;
    tap_note("told %d times, \"%s\"", caller->count, caller->why);
    return false;
}

static const char *ask_host(const char *id)
{
    struct buf message = {0};
    const char *why;

    exchange_put_byte(&message, PLACES_HOST);
    exchange_put_number(&message, 1);
    exchange_put_text(&message, "shop/carts");
    exchange_put_text(&message, id);
    why = places_message(places, "b", buf_front(&message), buf_length(&message));
    buf_finish(&message);
    return why;
}

/* ---- checks ------------------------------------------------------------------------------------- */

static void check_start(void)
{
    struct caller caller;

    begin(10);
    CHECK(is_alive(), "a node that is alone comes in by itself");
    call(&caller, "1");
    answer_row(question(CONTROL_PLACE_READ), "", "", 0);
    answer_epoch(question(CONTROL_PLACE_CLAIM), 5);
    CHECK(starts == 1 && started_epoch == 5 && caller.count == 0, "who is claimed is started");
    places_ready(places, SOURCE, "1", 4);
    CHECK(caller.count == 0, "an older life is not it");
    places_ready(places, SOURCE, "1", 5);
    CHECK(caller.count == 1 && strcmp(caller.node, "a") == 0, "who waits is told when it is ready");
    end();
}

/* The store is away for longer than a lease, and nobody promises anything. */
static void lose_lease(void)
{
    ledger.is_away = true;
    comes(has_ended);
    run_ms(2 * LEASE_MS / 10);
}

static void check_fence(void)
{
    struct caller caller;
    struct asked late;

    begin(10);
    call(&caller, "1");
    answer_row(question(CONTROL_PLACE_READ), "", "", 0);
    late = question(CONTROL_PLACE_CLAIM);
    lose_lease();
    CHECK(fences > 0 && was_told(&caller, "noconnection"), "who waits at the lease's end is refused");
    answer_epoch(late, 5);
    CHECK(starts == 0, "a claim that is answered after it starts nothing");
    end();
}

/* What was known of the actor is gone, and its numbers must not come again. */
static void check_late_claim(void)
{
    struct caller first, second;
    struct asked late;

    begin(10);
    call(&first, "1");
    answer_row(question(CONTROL_PLACE_READ), "", "", 0);
    late = question(CONTROL_PLACE_CLAIM);
    lose_lease();
    ledger.is_away = false;
    CHECK(comes(is_alive), "when the store is back so is the lease");
    call(&second, "1");
    answer_row(question(CONTROL_PLACE_READ), "", "", 0);
    answer_epoch(late, 5);
    CHECK(starts == 0, "an answer to a claim of before is not taken for that to this one");
    answer_epoch(question(CONTROL_PLACE_CLAIM), 9);
    CHECK(starts == 1 && started_epoch == 9, "which is started with its own epoch");
    end();
}

static void check_new_generation(void)
{
    uint64_t before;

    begin(10);
    before = registry_generation(registry);
    ledger.state = NULL; /* we have been declared dead, and buried */
    ledger.generation[0] = '\0';
    for (int i = 0; i < 200 && registry_generation(registry) == before; i++)
        run_ms(20);
    CHECK(registry_generation(registry) != before && fences > 0,
          "a generation whose row is gone is over, and another begins");
    CHECK(comes(is_alive), "and comes in");
    end();
}

static void check_late_beat(void)
{
    struct asked late;
    uint64_t before;

    begin(10);
    before = registry_generation(registry);
    while (!is_asked(CONTROL_NODE_BEAT))
        loop_run_for(loop, 5);
    late = question(CONTROL_NODE_BEAT);
    ledger.state = NULL;
    for (int i = 0; i < 200 && registry_generation(registry) == before; i++)
        run_ms(20);
    ledger.is_away = true;
    answer_epoch(late, 3);
    CHECK(!holds(), "a beat of the generation before gives the next no lease");
    end();
}

static void check_silence(void)
{
    struct caller judged, placed;

    begin(1);
    call(&judged, "1");
    answer_row(question(CONTROL_PLACE_READ), "b", "00000000000000bb", 3);
    CHECK(judged.count == 0, "of an owner that no table knows the next one is awaited");
    ledger.is_away = true;
    answer_nodes();
    CHECK(was_told(&judged, "error the store is unreachable"), "and when there is none it is told");
    ledger.is_away = false;
    places_offer_living(places, SOURCE, "2", 4);
    call(&placed, "3");
    answer_row(question(CONTROL_PLACE_READ), "", "", 0);
    CHECK(placed.count == 0, "where all are full a newer table is looked at first");
    ledger.is_away = true;
    answer_nodes();
    CHECK(was_told(&placed, "error the store is unreachable"), "the same holds for that");
    end();
}

static void check_host(void)
{
    begin(1);
    ask_host("1");
    answer_row(question(CONTROL_PLACE_READ), "", "", 0);
    answer_epoch(question(CONTROL_PLACE_CLAIM), 5);
    places_ready(places, SOURCE, "1", 5);
    CHECK(hosted.count == 1 && hosted.outcome == 0 && strcmp(hosted.text, "a") == 0,
          "what another node wants here is started");
    ask_host("2");
    answer_row(question(CONTROL_PLACE_READ), "", "", 0);
    answer_nodes();
    answer_row(question(CONTROL_PLACE_READ), "", "", 0);
    CHECK(hosted.count == 2 && hosted.outcome == 1 && strncmp(hosted.text, "overloaded ", 11) == 0 &&
              starts == 1,
          "when it is full the other is told, and nothing is claimed");
    places_ended(places, SOURCE, "1", 5, "");
    answer_with(question(CONTROL_PLACE_FREE), LEDGER_DONE, NULL, NULL);
    ask_host("2");
    answer_row(question(CONTROL_PLACE_READ), "", "", 0);
    CHECK(is_asked(CONTROL_PLACE_CLAIM), "until one has ended");
    places_withdraw(places, SOURCE);
    answer_epoch(question(CONTROL_PLACE_CLAIM), 6);
    CHECK(hosted.count == 3 && strncmp(hosted.text, "down ", 5) == 0 && starts == 1,
          "one whose supervisor has gone meanwhile is not started");
    end();
}

static void check_nonsense(void)
{
    static const uint8_t host[] = {PLACES_HOST, 1, 0}, outcome[] = {PLACES_HOSTED, 9, 0, 0, 0, 0, 0, 0};

    begin(10);
    CHECK(places_message(places, "b", host, sizeof host), "half a wish is none");
    CHECK(ask_host(".hidden") && !is_asked(CONTROL_PLACE_READ), "nor is one for what has no address");
    CHECK(places_message(places, "b", outcome, sizeof outcome), "\"it is nowhere\" is no answer");
    end();
}

static void check_many_services(void)
{
    static struct node_service out[MEMBERSHIP_SERVICES_MAX];
    struct places_offer offer = {.of = 1, .max = 1};
    char service[16];
    bool is_taken = true;
    unsigned n = 1;

    begin(2);
    while (is_taken && n < 2 * MEMBERSHIP_SERVICES_MAX) {
        snprintf(service, sizeof service, "shop/s%u", n);
        offer.service = service;
        offer.source = SOURCE + n;
        is_taken = places_offer(places, &offer);
        n += is_taken;
    }
    tap_is_int(n, MEMBERSHIP_SERVICES_MAX,
               "a node offers so many services, and one more is refused");
    tap_is_int((long long)places_offers(places, out), MEMBERSHIP_SERVICES_MAX,
               "all of them are told");
    offer.service = "shop/carts";
    CHECK(places_offer(places, &offer), "one that is offered already may be so again");
    places_withdraw(places, offer.source);
    offer.service = service;
    CHECK(places_offer(places, &offer), "and the place of one that is gone is another's");
    end();
}

int main(void)
{
    loop = loop_create();
    check_start();
    check_fence();
    check_late_claim();
    check_new_generation();
    check_late_beat();
    check_silence();
    check_host();
    check_nonsense();
    check_many_services();
    ev_loop_destroy(loop);
    return tap_done();
}
