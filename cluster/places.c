#include "places.h"

#include "control.h"
#include "exchange_wire.h"
#include "loop.h"
#include "memory.h"
#include "mono.h"
#include "node_load.h"
#include "place.h"
#include "shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uthash.h>
#include <utlist.h>

/* A service that supervisors of this node offer. */
struct offer {
    UT_hash_handle hh;
    uint64_t *sources; /* of each shard's supervisor; 0: it is away */
    unsigned of;
    uint32_t max, instances;
    enum placement_strategy strategy;
    char service[ADDR_PATH_MAX + 1];
};

static const char supervisor_ended[] = "down its service's supervisor has ended";

/* Somebody who asks. */
struct want {
    struct want *prev, *next;
    UT_hash_handle hh;
    uint64_t number;
    struct spot *spot;
    bool is_host; /* another node asks us to have it here */
    places_answered *on_answer;
    void *data;
};

/* One service actor that is asked for, or lives here. */
struct spot {
    UT_hash_handle hh;
    struct places *places;
    struct place place;
    struct want *wants;
    bool has_looked; /* nobody could be given it: a newer table is waited for */
    bool is_listed;                /* by its supervisor, that has just come (back) */
    uint32_t hosting;             /* the number by which a node was asked to have it; 0: none */
    char host[ADDR_PART_MAX + 1]; /* that node */
    char why[PLACES_WHY_MAX + 1]; /* why it could not be started */
    char path[ADDR_PATH_MAX + 1]; /* shop/carts/42 */
    char service[ADDR_PATH_MAX + 1];
    const char *id; /* in path */
};

struct places {
    const char *node;
    struct ledger *ledger;
    struct registry *registry;
    const struct places_hooks *hooks;
    void *data;
    struct offer *offers;
    struct spot *spots;
    struct want *wants; /* by number */
    uint64_t last_number;
    uint64_t last_request; /* of spots that are forgotten: answers to them may still come */
    uint32_t last_hosting;
};

/* ---- what there is ----------------------------------------------------------------------------
 */

static struct offer *find_offer(const struct places *places, const char *service)
{
    struct offer *offer;

    HASH_FIND_STR(places->offers, service, offer);
    return offer;
}

/* That of which this is a supervisor; *shard: which. */
static struct offer *offer_of(const struct places *places, uint64_t source, unsigned *shard)
{
    for (struct offer *offer = places->offers; offer; offer = offer->hh.next)
        for (*shard = 0; *shard < offer->of; ++*shard)
            if (offer->sources[*shard] == source)
                return offer;
    return NULL;
}

/* The supervisor that has this actor, or would have it; 0: it is away. */
static uint64_t source_of(const struct offer *offer, const char *id)
{
    return offer ? offer->sources[shard_of(id, offer->of)] : 0;
}

static struct spot *find(const struct places *places, const char *service, const char *id)
{
    char path[ADDR_PATH_MAX + 1];
    struct spot *spot;

    if (addr_join(service, id, path, sizeof path) < 0)
        return NULL;
    HASH_FIND_STR(places->spots, path, spot);
    return spot;
}

/* NULL: its path would be too long. */
static struct spot *find_or_make(struct places *places, const char *service, const char *id)
{
    struct spot *spot = find(places, service, id);

    if (spot)
        return spot;
    spot = memory_zeroed(sizeof *spot);
    if (addr_join(service, id, spot->path, sizeof spot->path) < 0) {
        free(spot);
        return NULL;
    }
    spot->places = places;
    spot->place.request = places->last_request;
    spot->id = spot->path + strlen(service) + 1;
    snprintf(spot->service, sizeof spot->service, "%s", service);
    HASH_ADD_STR(places->spots, path, spot);
    return spot;
}

static bool is_here(const struct spot *spot)
{
    return spot->place.state == PLACE_STARTING || spot->place.state == PLACE_RUNNING;
}

static void forget_if_done(struct spot *spot)
{
    if (!spot->wants)
        spot->has_looked = false;
    if (spot->wants || spot->hosting || spot->place.state != PLACE_IDLE)
        return;
    if (spot->place.request > spot->places->last_request)
        spot->places->last_request = spot->place.request;
    HASH_DEL(spot->places->spots, spot);
    free(spot);
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static void drop_want(struct want *want)
{
    HASH_DEL(want->spot->places->wants, want);
    DL_DELETE(want->spot->wants, want);
    free(want);
}

/* All who wait now; who comes meanwhile waits for the next. */
static void answer_all(struct spot *spot, const char *node, const char *why)
{
    const struct places_answer answer = {node, node ? NULL : why};
    struct want *want, *next;

    DL_FOREACH_SAFE(spot->wants, want, next)
    {
        places_answered *on_answer = want->on_answer;
        void *data = want->data;

        drop_want(want);
        on_answer(data, &answer);
    }
}

/* ---- another node ------------------------------------------------------------------------------
 */

enum hosted { HOSTED_THERE, HOSTED_NOT }; /* text: the node, or why not */

static bool send_host(struct spot *spot)
{
    struct places *places = spot->places;
    struct buf message = {0};
    bool is_sent;

    exchange_put_byte(&message, PLACES_HOST);
    exchange_put_number(&message, spot->hosting);
    exchange_put_text(&message, spot->service);
    exchange_put_text(&message, spot->id);
    is_sent =
        places->hooks->send(places->data, spot->host, buf_front(&message), buf_length(&message));
    buf_finish(&message);
    return is_sent;
}

static void ask_host(struct spot *spot, const char *node)
{
    spot->hosting = ++spot->places->last_hosting;
    snprintf(spot->host, sizeof spot->host, "%s", node);
    if (send_host(spot))
        return;
    spot->hosting = 0;
    answer_all(spot, NULL, "noconnection the node that would have it is out of reach");
}

/* A node that asked us, while we see to it. */
struct guest {
    struct places *places;
    uint32_t number;
    char node[ADDR_PART_MAX + 1];
};

static void tell_guest(void *data, const struct places_answer *answer)
{
    struct guest *guest = data;
    struct buf message = {0};

    exchange_put_byte(&message, PLACES_HOSTED);
    exchange_put_number(&message, guest->number);
    exchange_put_byte(&message, answer->node ? HOSTED_THERE : HOSTED_NOT);
    exchange_put_text(&message, answer->node ? answer->node : answer->why);
    guest->places->hooks->send(guest->places->data, guest->node, buf_front(&message),
                               buf_length(&message));
    buf_finish(&message);
    free(guest);
}

/* ---- orders of place.h --------------------------------------------------------------------------
 */

static void obey(struct spot *spot, enum place_order order);

/* What the store was asked about one actor. */
struct query {
    struct places *places;
    uint64_t number;
    char service[ADDR_PATH_MAX + 1], id[ADDR_PART_MAX + 1];
};

static struct query *query_of(const struct spot *spot)
{
    struct query *query = memory_zeroed(sizeof *query);

    query->places = spot->places;
    query->number = spot->place.request;
    snprintf(query->service, sizeof query->service, "%s", spot->service);
    snprintf(query->id, sizeof query->id, "%s", spot->id);
    return query;
}

/* The actor that it was about, if that is still of interest; frees the query. */
static struct spot *close_query(struct query *query, uint64_t *number)
{
    struct spot *spot = find(query->places, query->service, query->id);

    *number = query->number;
    free(query);
    return spot;
}

static void on_row(void *data, const struct ledger_answer *answer)
{
    uint64_t number;
    struct spot *spot = close_query(data, &number);
    struct place_row row = {0};

    if (!spot)
        return;
    if (answer->outcome == LEDGER_UNREACHABLE) {
        obey(spot, place_failed(&spot->place, number));
        return;
    }
    if (answer->outcome == LEDGER_DONE) {
        snprintf(row.node, sizeof row.node, "%s", answer->values[0].bytes.at);
        row.generation = registry_generation_of(answer->values[1].bytes.at);
        row.epoch = (uint64_t)answer->values[2].i;
    }
    obey(spot, place_found(&spot->place, number, &row, registry_membership(spot->places->registry),
                           mono_now_ms()));
}

static void on_claimed(void *data, const struct ledger_answer *answer)
{
    uint64_t number;
    struct spot *spot = close_query(data, &number);

    if (!spot)
        return;
    if (answer->outcome == LEDGER_UNREACHABLE)
        obey(spot, place_failed(&spot->place, number));
    else
        obey(spot, place_claimed(&spot->place, number,
                                 answer->outcome == LEDGER_DONE ? (uint64_t)answer->values[0].i : 0,
                                 registry_membership(spot->places->registry), mono_now_ms()));
}

static void on_freed(void *data, const struct ledger_answer *answer)
{
    uint64_t number;
    struct spot *spot = close_query(data, &number);

    if (!spot)
        return;
    obey(spot, answer->outcome == LEDGER_UNREACHABLE ? place_failed(&spot->place, number)
                                                     : place_freed(&spot->place, number));
}

static void read_row(struct spot *spot)
{
    const union wire_value values[] = {ledger_text(spot->service), ledger_text(spot->id)};

    ledger_ask(spot->places->ledger, &(struct ledger_request){CONTROL_PLACE_READ, "ss", values,
                                                              "ssI", on_row, query_of(spot)});
}

/* The store itself looks whether the row is in somebody's way; of our own it wants to know that we
 * know it. */
static void claim(struct spot *spot)
{
    struct places *places = spot->places;
    uint64_t generation = registry_generation(places->registry);
    bool is_ours = spot->place.row.generation == generation;
    char text[17];
    const union wire_value values[] = {ledger_text(spot->service),
                                       ledger_text(spot->id),
                                       ledger_text(places->node),
                                       {.bytes = {text, 16}},
                                       ledger_number(is_ours ? (int64_t)spot->place.row.epoch : 0)};

    registry_generation_text(generation, text);
    ledger_ask(places->ledger, &(struct ledger_request){CONTROL_PLACE_CLAIM, "ssssI", values, "I",
                                                        on_claimed, query_of(spot)});
}

static void free_row(struct spot *spot)
{
    const union wire_value values[] = {ledger_text(spot->service), ledger_text(spot->id),
                                       ledger_number((int64_t)spot->place.epoch)};

    ledger_ask(spot->places->ledger, &(struct ledger_request){CONTROL_PLACE_FREE, "ssI", values, "",
                                                              on_freed, query_of(spot)});
}

static void start(struct spot *spot)
{
    struct places *places = spot->places;
    uint64_t source = source_of(find_offer(places, spot->service), spot->id);

    if (source) {
        places->hooks->start(places->data, source, spot->id, spot->place.epoch);
    } else {
        answer_all(spot, NULL, "down its service's supervisor is away");
        obey(spot, place_ended(&spot->place));
    }
}

static bool must_be_here(const struct spot *spot)
{
    const struct want *want;

    DL_FOREACH(spot->wants, want)
    if (want->is_host)
        return true;
    return false;
}

static enum placement_answer choose(const struct spot *spot, const struct node_row **row)
{
    struct places *places = spot->places;
    const struct offer *offer = find_offer(places, spot->service);
    struct placement_question question = {.strategy = offer ? offer->strategy : PLACEMENT_HASH,
                                          .service = spot->service,
                                          .id = spot->id,
                                          .asker = places->node};
    struct node_service own[MEMBERSHIP_SERVICES_MAX];
    const struct node_row *table;
    size_t n = membership_rows(registry_membership(places->registry), &table), at = 0;
    struct node_row *rows = memory_resize(NULL, n, sizeof *rows);
    enum placement_answer answer;

    if (getrandom(&question.chance, sizeof question.chance, 0) < 0)
        memory_fail();
    for (size_t i = 0; i < n; i++) {
        rows[i] = table[i];
        if (rows[i].generation != registry_generation(places->registry))
            continue;
        rows[i].service_count = places_offers(places, own); /* we know better */
        rows[i].services = own;
    }
    answer = placement_choose(&question, rows, n, &at);
    *row = answer == PLACEMENT_FOUND ? &table[at] : NULL;
    free(rows);
    return answer;
}

static bool has_room(const struct spot *spot)
{
    const struct offer *offer = find_offer(spot->places, spot->service);

    return source_of(offer, spot->id) && offer->instances < offer->max &&
           registry_has_room(spot->places->registry);
}

/* It lives nowhere, and place.h would have us claim it. */
static void settle_where(struct spot *spot)
{
    struct places *places = spot->places;
    const struct node_row *row = NULL;
    enum placement_answer answer = PLACEMENT_FOUND;

    if (!must_be_here(spot))
        answer = choose(spot, &row);
    if (answer == PLACEMENT_FOUND && (!row || !strcmp(row->name, places->node))) {
        if (has_room(spot)) {
            claim(spot);
            return;
        }
        answer = find_offer(places, spot->service) ? PLACEMENT_OVERLOADED : PLACEMENT_NOBODY;
    }
    place_failed(&spot->place, spot->place.request); /* not us: the claim is not made */
    if (answer != PLACEMENT_FOUND && !spot->has_looked) {
        spot->has_looked = true;
        registry_read(places->registry);
        return;
    }
    spot->has_looked = false;
    if (answer == PLACEMENT_FOUND)
        ask_host(spot, row->name);
    else if (answer == PLACEMENT_OVERLOADED)
        answer_all(spot, NULL, "overloaded no node that offers the service has room");
    else
        answer_all(spot, NULL, "noproc no node offers the service");
}

static void obey(struct spot *spot, enum place_order order)
{
    struct places *places = spot->places;

    switch (order) {
    case PLACE_WAIT:
        break;
    case PLACE_READ:
        read_row(spot);
        return;
    case PLACE_READ_NODES:
        registry_read(places->registry);
        return;
    case PLACE_CLAIM:
        settle_where(spot);
        break;
    case PLACE_START:
        start(spot);
        return;
    case PLACE_FREE:
        free_row(spot);
        return;
    case PLACE_HERE:
        answer_all(spot, places->node, NULL);
        break;
    case PLACE_ELSEWHERE:
        answer_all(spot, spot->place.row.node, NULL);
        break;
    case PLACE_FENCED:
        if (spot->wants && registry_is_beginning(places->registry)) {
            spot->has_looked = true; /* with one of the next tables it may */
            return;
        }
        answer_all(spot, NULL, "noconnection this node may not run services now");
        break;
    case PLACE_CONTENDED:
        answer_all(spot, NULL, "overloaded others keep claiming it");
        break;
    case PLACE_UNREACHABLE:
        answer_all(spot, NULL, "error the store is unreachable");
        break;
    }
    forget_if_done(spot);
}

/* ---- what is offered here -----------------------------------------------------------------------
 */

static struct offer *make_offer(struct places *places, const struct places_offer *given)
{
    struct offer *offer = find_offer(places, given->service);

    if (!offer) {
        offer = memory_zeroed(sizeof *offer);
        snprintf(offer->service, sizeof offer->service, "%s", given->service);
        HASH_ADD_STR(places->offers, service, offer);
    }
    if (offer->of != given->of) { /* a changed max: by then all have been restarted */
        offer->sources = memory_resize(offer->sources, given->of, sizeof *offer->sources);
        memset(offer->sources, 0, given->of * sizeof *offer->sources);
    }
    offer->of = given->of;
    return offer;
}

static bool is_under(const struct spot *spot, const struct offer *offer, unsigned shard)
{
    return !strcmp(spot->service, offer->service) && shard_of(spot->id, offer->of) == shard;
}

static bool is_there(const struct offer *offer)
{
    for (unsigned i = 0; i < offer->of; i++)
        if (offer->sources[i])
            return true;
    return false;
}

/* Can our row tell of it, beside what is offered already? */
static bool has_word_left(const struct places *places, const char *service)
{
    size_t count = 1, bytes = NODE_LOAD_HEAD_MAX + node_load_of(service);

    for (const struct offer *offer = places->offers; offer; offer = offer->hh.next) {
        if (!strcmp(offer->service, service) || !is_there(offer))
            continue;
        count++;
        bytes += node_load_of(offer->service);
    }
    return count <= MEMBERSHIP_SERVICES_MAX && bytes <= NODE_LOAD_MAX;
}

bool places_offer(struct places *places, const struct places_offer *given)
{
    struct offer *offer;
    struct spot *spot, *next;

    if (!has_word_left(places, given->service))
        return false;
    offer = make_offer(places, given);
    offer->sources[given->shard] = given->source;
    offer->max = given->max;
    offer->strategy = given->strategy;
    HASH_ITER (hh, places->spots, spot, next) {
        if (is_under(spot, offer, given->shard))
            spot->is_listed = false;
    }
    return true;
}

void places_offer_living(struct places *places, uint64_t source, const char *id, uint64_t epoch)
{
    unsigned shard;
    struct offer *offer = offer_of(places, source, &shard);
    struct spot *spot = offer ? find_or_make(places, offer->service, id) : NULL;

    if (!spot)
        return;
    spot->is_listed = true;
    if (is_here(spot) && spot->place.epoch == epoch)
        return;
    offer->instances += spot->place.state != PLACE_RUNNING;
    place_adopt(&spot->place, epoch);
    obey(spot, PLACE_HERE);
}

static void end(struct spot *spot)
{
    struct offer *offer = find_offer(spot->places, spot->service);

    if (!is_here(spot))
        return;
    if (spot->place.state == PLACE_STARTING)
        answer_all(spot, NULL, supervisor_ended);
    if (offer && offer->instances)
        offer->instances -= spot->place.state == PLACE_RUNNING;
    obey(spot, place_ended(&spot->place));
}

/* Who is not among the living is dead: nothing of him is left, or his supervisor would not be
 * there. */
void places_offered(struct places *places, uint64_t source)
{
    unsigned shard;
    const struct offer *offer = offer_of(places, source, &shard);
    struct spot *spot, *next;

    if (!offer)
        return;
    HASH_ITER (hh, places->spots, spot, next) {
        if (is_under(spot, offer, shard) && !spot->is_listed)
            end(spot);
    }
    registry_tell(places->registry);
}

/* What it was about to start will not be ready. Whether nothing is left of it is known when its
 * successor offers. */
void places_withdraw(struct places *places, uint64_t source)
{
    unsigned shard;
    struct offer *offer = offer_of(places, source, &shard);
    struct spot *spot, *next;

    if (!offer)
        return;
    offer->sources[shard] = 0;
    HASH_ITER (hh, places->spots, spot, next) {
        if (is_under(spot, offer, shard) && spot->place.state == PLACE_STARTING)
            answer_all(spot, NULL, supervisor_ended);
    }
}

static struct spot *living(const struct places *places, uint64_t source, const char *id,
                           uint64_t epoch)
{
    unsigned shard;
    const struct offer *offer = offer_of(places, source, &shard);
    struct spot *spot = offer ? find(places, offer->service, id) : NULL;

    return spot && is_here(spot) && spot->place.epoch == epoch ? spot : NULL;
}

void places_ready(struct places *places, uint64_t source, const char *id, uint64_t epoch)
{
    struct spot *spot = living(places, source, id, epoch);

    if (!spot || spot->place.state != PLACE_STARTING)
        return;
    find_offer(places, spot->service)->instances++;
    obey(spot, place_ready(&spot->place));
}

void places_ended(struct places *places, uint64_t source, const char *id, uint64_t epoch,
                  const char *why)
{
    struct spot *spot = living(places, source, id, epoch);

    if (!spot)
        return;
    if (spot->place.state == PLACE_STARTING) {
        snprintf(spot->why, sizeof spot->why, "%s", why && *why ? why : "down unknown");
        answer_all(spot, NULL, spot->why);
        obey(spot, place_ended(&spot->place));
    } else {
        end(spot);
    }
}

size_t places_offers(const struct places *places, struct node_service *out)
{
    size_t n = 0;

    for (const struct offer *offer = places->offers; offer && n < MEMBERSHIP_SERVICES_MAX;
         offer = offer->hh.next) {
        if (!is_there(offer))
            continue;
        snprintf(out[n].path, sizeof out[n].path, "%s", offer->service);
        out[n].instances = offer->instances;
        out[n++].max = offer->max;
    }
    return n;
}

/* ---- what is asked ------------------------------------------------------------------------------
 */

/* Its supervisor was to start it, and has gone: until the next one has come, nobody can tell. */
static bool is_orphaned(const struct spot *spot)
{
    return spot->place.state == PLACE_STARTING &&
           !source_of(find_offer(spot->places, spot->service), spot->id);
}

static uint64_t want(struct places *places, const char *service, const char *id, bool is_host,
                     places_answered *on_answer, void *data)
{
    static const struct places_answer too_long = {NULL, "noproc too long a path"},
                                      orphaned = {NULL, supervisor_ended};
    struct spot *spot = find_or_make(places, service, id);
    struct want *want;
    uint64_t number;

    if (!spot || is_orphaned(spot)) {
        on_answer(data, spot ? &orphaned : &too_long);
        return 0;
    }
    want = memory_zeroed(sizeof *want);
    want->number = number = ++places->last_number;
    want->spot = spot;
    want->is_host = is_host;
    want->on_answer = on_answer;
    want->data = data;
    HASH_ADD(hh, places->wants, number, sizeof want->number, want);
    DL_APPEND(spot->wants, want);
    if (!spot->hosting || is_host)
        obey(spot, place_want(&spot->place));
    HASH_FIND(hh, places->wants, &number, sizeof number, want);
    return want ? number : 0;
}

uint64_t places_want(struct places *places, const char *service, const char *id,
                     places_answered *on_answer, void *data)
{
    return want(places, service, id, false, on_answer, data);
}

void places_forget(struct places *places, uint64_t number)
{
    struct want *want;
    struct spot *spot;

    HASH_FIND(hh, places->wants, &number, sizeof number, want);
    if (!want)
        return;
    spot = want->spot;
    drop_want(want);
    forget_if_done(spot);
}

/* ---- what happens -------------------------------------------------------------------------------
 */

static const char *on_host(struct places *places, const char *node, struct exchange_reader *reader)
{
    char service[EXCHANGE_TEXT_MAX + 1], id[EXCHANGE_TEXT_MAX + 1];
    uint32_t number = exchange_get_number(reader);
    struct guest *guest;

    exchange_get_text(reader, service);
    exchange_get_text(reader, id);
    if (reader->is_bad || exchange_has_more(reader) || !addr_is_path(service) ||
        !addr_is_part(id, strlen(id)))
        return "a wish for a service actor that is none";
    guest = memory_zeroed(sizeof *guest);
    guest->places = places;
    guest->number = number;
    snprintf(guest->node, sizeof guest->node, "%s", node);
    want(places, service, id, true, tell_guest, guest);
    return NULL;
}

static void on_hosted(struct places *places, uint32_t number, bool is_there, const char *text)
{
    struct spot *spot, *next;

    HASH_ITER (hh, places->spots, spot, next) {
        if (spot->hosting != number)
            continue;
        spot->hosting = 0;
        answer_all(spot, is_there ? text : NULL, text);
        forget_if_done(spot);
    }
}

const char *places_message(struct places *places, const char *node, const uint8_t *bytes,
                           size_t size)
{
    struct exchange_reader reader = {.at = bytes + 1, .left = size - 1};
    char text[EXCHANGE_TEXT_MAX + 1];
    uint32_t number;
    uint8_t outcome;

    if (bytes[0] == PLACES_HOST)
        return on_host(places, node, &reader);
    number = exchange_get_number(&reader);
    outcome = exchange_get_byte(&reader);
    exchange_get_text(&reader, text);
    if (reader.is_bad || exchange_has_more(&reader) ||
        (outcome == HOSTED_THERE && !addr_is_part(text, strlen(text))))
        return "an answer about a service actor that is none";
    if (number)
        on_hosted(places, number, outcome == HOSTED_THERE, text);
    return NULL;
}

void places_on_table(struct places *places)
{
    struct spot *spot, *next;

    HASH_ITER (hh, places->spots, spot, next) {
        if (spot->has_looked && spot->wants && spot->place.state == PLACE_IDLE)
            obey(spot, place_want(&spot->place));
        else
            obey(spot, place_table(&spot->place, registry_membership(places->registry), mono_now_ms()));
    }
}

void places_on_silence(struct places *places)
{
    struct spot *spot, *next;

    HASH_ITER (hh, places->spots, spot, next) {
        if (spot->place.state == PLACE_JUDGING) {
            obey(spot, place_failed(&spot->place, spot->place.request));
        } else if (spot->has_looked && spot->place.state == PLACE_IDLE) {
            spot->has_looked = false;
            obey(spot, PLACE_UNREACHABLE);
        }
    }
}

void places_on_fenced(struct places *places)
{
    struct spot *spot, *next;

    for (struct offer *offer = places->offers; offer; offer = offer->hh.next)
        offer->instances = 0;
    HASH_ITER (hh, places->spots, spot, next) {
        place_fence(&spot->place);
        if (!spot->hosting)
            answer_all(spot, NULL, "noconnection this node may not run services now");
        forget_if_done(spot);
    }
}

void places_on_down(struct places *places, const char *node)
{
    struct spot *spot, *next;

    HASH_ITER (hh, places->spots, spot, next) {
        if (!spot->hosting || strcmp(spot->host, node) != 0)
            continue;
        spot->hosting = 0;
        answer_all(spot, NULL, "noconnection the node that was to have it is out of reach");
        forget_if_done(spot);
    }
}

bool places_are_idle(const struct places *places)
{
    for (const struct spot *spot = places->spots; spot; spot = spot->hh.next)
        if (spot->place.state != PLACE_IDLE)
            return false;
    return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct places *places_create(const char *node, struct ledger *ledger, struct registry *registry,
                             const struct places_hooks *hooks, void *data)
{
    struct places *places = memory_zeroed(sizeof *places);

    places->node = node;
    places->ledger = ledger;
    places->registry = registry;
    places->hooks = hooks;
    places->data = data;
    return places;
}

void places_destroy(struct places *places)
{
    struct spot *spot, *next_spot;
    struct offer *offer, *next;

    if (!places)
        return;
    HASH_ITER (hh, places->spots, spot, next_spot) {
        while (spot->wants)
            drop_want(spot->wants);
        HASH_DEL(places->spots, spot);
        free(spot);
    }
    HASH_ITER (hh, places->offers, offer, next) {
        HASH_DEL(places->offers, offer);
        free(offer->sources);
        free(offer);
    }
    free(places);
}
