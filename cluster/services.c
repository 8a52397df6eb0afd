#include "services.h"

#include "addr.h"
#include "control.h"
#include "exchange_wire.h"
#include "memory.h"
#include "mono.h"
#include "places.h"
#include "rundir.h"
#include "sweeper.h"
#include "text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

/* Who asks to be told of something, until that is done: a supervisor that offers, for as long as it
 * is connected; somebody who asks for an actor. */
struct guest {
    UT_hash_handle hh; /* by key */
    struct {
        uint64_t number, ref;
    } key;
    struct services *services;
    bool is_offering;
    uint64_t wanted; /* else places.h's number of what it asks for; 0: none yet */
};

struct services {
    struct services_options options;
    struct ledger *ledger;
    struct registry *registry;
    struct places *places;
    struct sweeper *sweeper;
    struct guest *guests;
};

/* ---- leases, for who has a timer of the kernel -------------------------------------------------
 */

/* Monotonic time stands still while the machine sleeps; that clock does not. */
static void tell_lease(const struct services *services, const struct guest *guest, int64_t until_ms)
{
    char text[24];
    struct words words = {1, (char *[]){text}};

    snprintf(text, sizeof text, "%" PRId64,
             until_ms - mono_now_ms() + boottime_now_ms());
    visitors_event(services->options.visitors, guest->key.number, guest->key.ref, EVENT_LEASE,
                   &words);
}

static void on_lease(void *data, int64_t until_ms)
{
    const struct services *services = data;

    for (const struct guest *guest = services->guests; guest; guest = guest->hh.next)
        if (guest->is_offering)
            tell_lease(services, guest, until_ms);
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static void registry_send(void *data, const char *node, const void *bytes, size_t size)
{
    const struct services *services = data;

    services->options.send(services->options.data, node, bytes, size);
}

static bool places_send(void *data, const char *node, const void *bytes, size_t size)
{
    const struct services *services = data;

    return services->options.send(services->options.data, node, bytes, size);
}

static size_t offers(void *data, struct node_service *out)
{
    const struct services *services = data;

    return places_offers(services->places, out);
}

static void on_fenced(void *data)
{
    const struct services *services = data;

    places_on_fenced(services->places);
}

static void on_table(void *data)
{
    const struct services *services = data;
    const struct node_row *rows;
    size_t n;

    places_on_table(services->places);
    n = services_nodes(services, &rows);
    if (n > 0)
        sweeper_table(services->sweeper, rows, n, mono_now_ms());
}

static void on_silence(void *data)
{
    const struct services *services = data;

    places_on_silence(services->places);
}

static void start(void *data, uint64_t source, const char *id, uint64_t epoch)
{
    const struct services *services = data;
    char text[24];
    struct words words = {2, (char *[]){(char *)id, text}};

    snprintf(text, sizeof text, "%" PRIu64, epoch);
    for (const struct guest *guest = services->guests; guest; guest = guest->hh.next)
        if (guest->is_offering && guest->key.number == source)
            visitors_event(services->options.visitors, source, guest->key.ref, EVENT_START, &words);
}

/* ---- what is asked --------------------------------------------------------------------------- */

static struct guest *add_guest(struct services *services, const struct visit *visit)
{
    struct guest *guest = memory_zeroed(sizeof *guest);

    guest->services = services;
    guest->key.number = visit_number(visit);
    guest->key.ref = visit->ref;
    HASH_ADD(hh, services->guests, key, sizeof guest->key, guest);
    return guest;
}

static void drop_guest(struct guest *guest)
{
    HASH_DEL(guest->services->guests, guest);
    free(guest);
}

static bool read_epoch(const struct visit *visit, const char *text, uint64_t *epoch)
{
    if (text_unsigned(text, 1, INT64_MAX, epoch) == 0)
        return true;
    visit_refuse(visit, CONTROL_E_BAD, "EPOCH: expected a number");
    return false;
}

/* SERVICE SHARD OF MAX STRATEGY, before ID EPOCH again and again. */
enum { OFFER_WORDS = 5 };

static bool read_offer(const struct visit *visit, struct places_offer *offer)
{
    uint64_t shard, of, max;
    char *const *words = visit->words;

    if (visit->count < OFFER_WORDS || (visit->count - OFFER_WORDS) % 2 || !addr_is_path(words[0]) ||
        text_unsigned(words[2], 1, PLACES_SHARDS_MAX, &of) < 0 ||
        text_unsigned(words[1], 0, of - 1, &shard) < 0 ||
        text_unsigned(words[3], 1, UINT32_MAX, &max) < 0 ||
        placement_strategy_read(words[4], &offer->strategy) < 0)
        return false;
    offer->service = words[0];
    offer->shard = (unsigned)shard;
    offer->of = (unsigned)of;
    offer->max = (uint32_t)max;
    return true;
}

/* One service a connection. */
static void do_offer(struct services *services, const struct visit *visit)
{
    struct places_offer offer = {.source = visit_number(visit)};
    uint64_t epoch;
    struct guest *guest;
    int64_t until_ms;

    if (!read_offer(visit, &offer)) {
        visit_refuse(visit, CONTROL_E_BAD,
                     "expected SERVICE SHARD OF MAX STRATEGY, then ID EPOCH again and again");
        return;
    }
    for (size_t i = OFFER_WORDS; i < visit->count; i += 2)
        if (!addr_is_part(visit->words[i], strlen(visit->words[i])) ||
            !read_epoch(visit, visit->words[i + 1], &epoch))
            return;
    if (!places_offer(services->places, &offer)) {
        visit_refuse(visit, CONTROL_E_OVERLOADED,
                     "this node offers as many services as it may tell of");
        return;
    }
    guest = add_guest(services, visit);
    guest->is_offering = true;
    visit_reply(visit, NULL);
    for (size_t i = OFFER_WORDS; i < visit->count; i += 2) {
        text_unsigned(visit->words[i + 1], 1, INT64_MAX, &epoch);
        places_offer_living(services->places, offer.source, visit->words[i], epoch);
    }
    places_offered(services->places, offer.source);
    until_ms = registry_lease_until_ms(services->registry);
    if (until_ms)
        tell_lease(services, guest, until_ms);
}

static void on_place(void *data, const struct places_answer *answer)
{
    struct guest *guest = data;
    const struct visitors *visitors = guest->services->options.visitors;
    struct words words = {1, (char *[]){(char *)answer->node}};

    if (answer->node)
        visitors_reply(visitors, guest->key.number, guest->key.ref, &words);
    else
        visitors_refuse(visitors, guest->key.number, guest->key.ref, answer->why);
    drop_guest(guest);
}

static void do_place(struct services *services, const struct visit *visit)
{
    struct guest *guest;
    uint64_t number;

    if (!visit_has_words(visit, 2, 2, "expected SERVICE ID"))
        return;
    if (!addr_is_path(visit->words[0]) || !addr_is_part(visit->words[1], strlen(visit->words[1]))) {
        visit_refuse(visit, CONTROL_E_BAD, "that is no address of a service actor");
        return;
    }
    guest = add_guest(services, visit);
    number = places_want(services->places, visit->words[0], visit->words[1], on_place, guest);
    if (number)
        guest->wanted = number;
}

/* Who asks may be gone before the store has answered. */
struct search {
    struct services *services;
    uint64_t number, ref;
};

static struct guest *find_guest(const struct search *search)
{
    struct guest key = {.key = {search->number, search->ref}}, *guest;

    HASH_FIND(hh, search->services->guests, &key.key, sizeof key.key, guest);
    return guest;
}

static bool lives(const struct services *services, const union wire_value *row)
{
    uint64_t generation = registry_generation_of(row[1].bytes.at);

    return generation && membership_judge(registry_membership(services->registry), row[0].bytes.at,
                                          generation, UINT64_MAX) != MEMBERSHIP_GONE;
}

static void on_row(void *data, const struct ledger_answer *answer)
{
    struct search *search = data;
    const struct visitors *visitors = search->services->options.visitors;
    struct guest *guest = find_guest(search);

    if (!guest) {
        free(search);
        return;
    }
    if (answer->outcome == LEDGER_DONE && lives(search->services, answer->values))
        visitors_reply(visitors, search->number, search->ref,
                       &(struct words){1, (char *[]){(char *)answer->values[0].bytes.at}});
    else if (answer->outcome == LEDGER_UNREACHABLE)
        visitors_refuse(visitors, search->number, search->ref, "error the store is unreachable");
    else
        visitors_refuse(visitors, search->number, search->ref,
                        CONTROL_E_NOPROC " it lives nowhere");
    drop_guest(guest);
    free(search);
}

static void do_where(struct services *services, const struct visit *visit)
{
    struct search *search;

    if (!visit_has_words(visit, 2, 2, "expected SERVICE ID"))
        return;
    add_guest(services, visit);
    search = memory_zeroed(sizeof *search);
    *search = (struct search){services, visit_number(visit), visit->ref};
    ledger_ask(services->ledger,
               &(struct ledger_request){
                   CONTROL_PLACE_READ, "ss",
                   (union wire_value[]){ledger_text(visit->words[0]), ledger_text(visit->words[1])},
                   "ssI", on_row, search});
}

static void do_placed(struct services *services, const struct visit *visit)
{
    uint64_t epoch;

    if (!visit_has_words(visit, 2, 2, "expected ID EPOCH") ||
        !read_epoch(visit, visit->words[1], &epoch))
        return;
    visit_reply(visit, NULL);
    places_ready(services->places, visit_number(visit), visit->words[0], epoch);
}

static void do_vacated(struct services *services, const struct visit *visit)
{
    uint64_t epoch;

    if (!visit_has_words(visit, 3, 3, "expected ID EPOCH WHY") ||
        !read_epoch(visit, visit->words[1], &epoch))
        return;
    visit_reply(visit, NULL);
    places_ended(services->places, visit_number(visit), visit->words[0], epoch, visit->words[2]);
}

bool services_visit(struct services *services, const char *verb, const struct visit *visit)
{
    static const struct {
        const char *verb;
        void (*act)(struct services *services, const struct visit *visit);
    } verbs[] = {{CONTROL_OFFER, do_offer},
                 {CONTROL_PLACE, do_place},
                 {CONTROL_WHERE, do_where},
                 {CONTROL_PLACED, do_placed},
                 {CONTROL_VACATED, do_vacated}};

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(verbs[i].verb, verb)) {
            verbs[i].act(services, visit);
            return true;
        }
    return false;
}

void services_gone(struct services *services, uint64_t number)
{
    struct guest *guest, *next;

    places_withdraw(services->places, number);
    HASH_ITER (hh, services->guests, guest, next) {
        if (guest->key.number != number)
            continue;
        if (guest->wanted)
            places_forget(services->places, guest->wanted);
        drop_guest(guest);
    }
}

size_t services_nodes(const struct services *services, const struct node_row **rows)
{
    const struct membership *membership = registry_membership(services->registry);

    *rows = NULL;
    return membership_may_start(membership, mono_now_ms()) ? membership_rows(membership, rows)
                                                                  : 0;
}

/* ---- what happens ---------------------------------------------------------------------------- */

const char *services_message(struct services *services, const char *node, const uint8_t *bytes,
                             size_t size)
{
    if (bytes[0] >= PLACES_HOST)
        return places_message(services->places, node, bytes, size);
    return registry_message(services->registry, node, bytes, size);
}

void services_up(struct services *services, const char *node)
{
    registry_met(services->registry, node);
}

void services_down(struct services *services, const char *node)
{
    places_on_down(services->places, node);
    registry_look(services->registry);
}

void services_leave(struct services *services)
{
    registry_leave(services->registry);
}

/* Its actors end by their supervisors, which are stopped before this node's sys/node is. */
bool services_have_left(const struct services *services)
{
    if (places_are_idle(services->places))
        registry_drained(services->registry);
    return registry_has_left(services->registry);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Who finds no such actor here may ask us. */
static void make_mark(const char *run_dir)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof path, "%s/%s", run_dir, RUNDIR_PLACES);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd >= 0)
        close(fd);
}

struct services *services_create(const struct services_options *options)
{
    static const struct registry_hooks on_registry = {registry_send, offers,   on_lease,
                                                      on_fenced,     on_table, on_silence};
    static const struct places_hooks on_places = {start, places_send};
    struct services *services = memory_zeroed(sizeof *services);

    services->options = *options;
    make_mark(options->run_dir);
    services->ledger = ledger_create(options->loop, options->run_dir, options->self);
    services->registry = registry_create(&(struct registry_options){
        .loop = options->loop,
        .node = options->node,
        .run_dir = options->run_dir,
        .url = options->url,
        .generation = options->generation,
        .lease_ms = options->lease_ms,
        .limits = options->limits,
        .ledger = services->ledger,
        .hooks = &on_registry,
        .data = services,
    });
    services->places =
        places_create(options->node, services->ledger, services->registry, &on_places, services);
    services->sweeper = sweeper_create(services->ledger, options->node, options->lease_ms);
    return services;
}

void services_destroy(struct services *services)
{
    struct guest *guest, *next;

    if (!services)
        return;
    places_destroy(services->places);
    registry_destroy(services->registry);
    ledger_destroy(services->ledger);
    sweeper_destroy(services->sweeper);
    HASH_ITER (hh, services->guests, guest, next) {
        drop_guest(guest);
    }
    free(services);
}
