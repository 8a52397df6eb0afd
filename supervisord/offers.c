#include "offers.h"

#include "activations.h"
#include "control.h"
#include "loop.h"
#include "peer.h"
#include "supervisor.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

enum { DIAL_MS = 5000, AGAIN_MS = 50, REFUSED_MS = 1000 };

/* An id that sys/node was asked for, or will be. */
struct offers_wish {
    UT_hash_handle hh;
    uint64_t ref; /* 0: not asked */
    char id[ADDR_PART_MAX + 1];
};

/* ---- wishes ------------------------------------------------------------------------------------ */

static struct offers_wish *find(const struct offers *offers, uint64_t ref)
{
    for (struct offers_wish *wish = offers->wishes; wish; wish = wish->hh.next)
        if (wish->ref == ref)
            return wish;
    return NULL;
}

static void drop(struct offers *offers, struct offers_wish *wish)
{
    HASH_DEL(offers->wishes, wish);
    free(wish);
}

static void retry_in(struct offers *offers, int64_t ms)
{
    ev_now_update(offers->supervisor->loop);
    ev_timer_stop(offers->supervisor->loop, &offers->retry);
    ev_timer_set(&offers->retry, (double)ms / 1000, 0.);
    ev_timer_start(offers->supervisor->loop, &offers->retry);
}

static void retry_later(struct offers *offers)
{
    retry_in(offers, AGAIN_MS);
}

/* What there is no room for now is asked a little later. */
static void ask(struct offers *offers, struct offers_wish *wish)
{
    struct words words = {2, (char *[]){(char *)offers->supervisor->path, wish->id}};

    if (!offers->peer)
        return;
    wish->ref = peer_request(offers->peer, CONTROL_PLACE, &words, -1);
    if (!wish->ref)
        retry_later(offers);
}

static void ask_all(struct offers *offers)
{
    for (struct offers_wish *wish = offers->wishes; wish; wish = wish->hh.next)
        if (!wish->ref)
            ask(offers, wish);
}

/* ---- what sys/node says -------------------------------------------------------------------------- */

static void answer(struct offers *offers, uint64_t ref, const char *node, const char *why)
{
    struct offers_wish *wish = find(offers, ref);
    char id[ADDR_PART_MAX + 1];

    if (!wish)
        return;
    memcpy(id, wish->id, sizeof id);
    drop(offers, wish);
    activations_on_place(&offers->supervisor->activations, id, node, why);
}

/* Nothing can be started here, until there is room again, or another sys/node: whoever asks is told
 * why. What has taken the room may be about to go: a service of the configuration before this. */
static void be_refused(struct offers *offers, const char *why)
{
    snprintf(offers->refused, sizeof offers->refused, "%s", why);
    retry_in(offers, REFUSED_MS);
    while (offers->wishes) {
        char id[ADDR_PART_MAX + 1];

        memcpy(id, offers->wishes->id, sizeof id);
        drop(offers, offers->wishes);
        activations_on_place(&offers->supervisor->activations, id, NULL, why);
    }
}

static void on_error(struct offers *offers, const struct envelope *env)
{
    char why[REASON_MAX];

    snprintf(why, sizeof why, "%.*s", (int)env->payload_size, (const char *)env->payload);
    if (env->ref == offers->offer)
        be_refused(offers, why);
    else
        answer(offers, env->ref, NULL, why);
}

static void on_event(struct offers *offers, const struct envelope *env, const struct words *words)
{
    uint64_t number;

    if (envelope_text_equals(env->type, EVENT_LEASE) && words->count == 1 &&
        text_unsigned(words->at[0], 1, INT64_MAX, &number) == 0)
        fence_set(&offers->fence, (int64_t)number);
    else if (envelope_text_equals(env->type, EVENT_START) && words->count == 2 &&
             text_unsigned(words->at[1], 1, INT64_MAX, &number) == 0)
        activations_start(&offers->supervisor->activations, words->at[0], number,
                          fence_holds(&offers->fence));
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct offers *offers = peer_data(peer);
    struct words words = {0};

    if (fd >= 0)
        close(fd);
    if (env->kind == ENVELOPE_ERROR) {
        on_error(offers, env);
    } else if (env->kind == ENVELOPE_CONTROL_REPLY && env->ref == offers->offer) {
        offers->refused[0] = '\0';
    } else if (wire_unpack_words(env->payload, env->payload_size, &words) == 0) {
        if (env->kind == ENVELOPE_EVENT && env->ref == offers->offer)
            on_event(offers, env, &words);
        else if (env->kind == ENVELOPE_CONTROL_REPLY && words.count == 1)
            answer(offers, env->ref, words.at[0], NULL);
        words_finish(&words);
    }
}

static void on_close(struct peer *peer, const char *why)
{
    struct offers *offers = peer_data(peer);

    (void)why;
    offers->peer = NULL;
    offers->refused[0] = '\0';
    for (struct offers_wish *wish = offers->wishes; wish; wish = wish->hh.next)
        wish->ref = 0;
    retry_later(offers);
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

static void add_number(struct words *words, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    words_append(words, text);
}

/* Whatever has a process, or may have one before this is read. */
static void add_living(struct words *words, const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        const struct child *child = supervisor->children[i];

        if (!child->epoch)
            continue;
        words_append(words, child_name(child));
        add_number(words, child->epoch);
    }
}

static uint64_t send_offer(struct offers *offers)
{
    const struct supervisor *supervisor = offers->supervisor;
    const struct spec_service *spec = supervisor->spec->service;
    const struct shards *shards = &supervisor->shards;
    struct words words = {0};
    uint64_t ref;

    words_append(&words, supervisor->path);
    add_number(&words, shards->is_shard ? shards->index : 0);
    add_number(&words, shards->is_shard ? shards->of : 1);
    add_number(&words, spec->max);
    words_append(&words, spec_placement_text(spec->placement));
    add_living(&words, supervisor);
    ref = peer_request(offers->peer, CONTROL_OFFER, &words, -1);
    words_finish(&words);
    return ref;
}

/* Connects and offers; false: that has to be tried again. */
static bool begin(struct offers *offers)
{
    struct supervisor *supervisor = offers->supervisor;

    offers->peer = peer_dial(supervisor->loop, supervisor->node->run_dir, PEER_NODE,
                             supervisor->self, mono_add_ms(mono_now(), DIAL_MS), &handlers, offers);
    offers->offer = offers->peer ? send_offer(offers) : 0;
    if (offers->offer)
        return true;
    peer_close(offers->peer, false);
    offers->peer = NULL;
    return false;
}

static void offer_again(struct offers *offers)
{
    offers->offer = send_offer(offers);
    if (!offers->offer)
        retry_later(offers);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct offers *offers = container_of(timer, struct offers, retry);

    (void)loop;
    (void)revents;
    if (offers->peer && *offers->refused)
        offer_again(offers);
    else if (offers->peer || begin(offers))
        ask_all(offers);
    else
        retry_later(offers);
}

/* ---- what is told and asked ----------------------------------------------------------------------- */

bool offers_are_on(const struct offers *offers)
{
    return offers->supervisor != NULL;
}

void offers_want(struct offers *offers, const char *id)
{
    struct offers_wish *wish;

    HASH_FIND_STR(offers->wishes, id, wish);
    if (wish)
        return;
    if (*offers->refused) {
        activations_on_place(&offers->supervisor->activations, id, NULL, offers->refused);
        return;
    }
    wish = calloc(1, sizeof *wish);
    if (!wish) {
        activations_on_place(&offers->supervisor->activations, id, NULL, "overloaded no memory");
        return;
    }
    snprintf(wish->id, sizeof wish->id, "%s", id);
    HASH_ADD_STR(offers->wishes, id, wish);
    ask(offers, wish);
}

/* Out of step with sys/node: all is told again. */
static void begin_anew(struct offers *offers)
{
    struct peer *peer = offers->peer;

    on_close(peer, "full");
    peer_close(peer, false);
}

void offers_placed(struct offers *offers, const char *id, uint64_t epoch)
{
    struct words words = {0};

    if (!offers->peer)
        return;
    words_append(&words, id);
    add_number(&words, epoch);
    if (!peer_request(offers->peer, CONTROL_PLACED, &words, -1))
        begin_anew(offers);
    words_finish(&words);
}

void offers_vacated(struct offers *offers, const char *id, uint64_t epoch, const char *why)
{
    struct words words = {0};

    if (!offers->peer)
        return;
    words_append(&words, id);
    add_number(&words, epoch);
    words_append(&words, why);
    if (!peer_request(offers->peer, CONTROL_VACATED, &words, -1))
        begin_anew(offers);
    words_finish(&words);
}

/* ---- life ------------------------------------------------------------------------------------------ */

void offers_init(struct offers *offers, struct supervisor *supervisor)
{
    *offers = (struct offers){0};
    if (!supervisor->node->is_clustered || !supervisor->spec->service || supervisor->shards.count)
        return; /* its shards do */
    offers->supervisor = supervisor;
    ev_timer_init(&offers->retry, on_retry, 0., 0.);
    ev_timer_start(supervisor->loop, &offers->retry);
}

void offers_finish(struct offers *offers)
{
    if (!offers->supervisor)
        return;
    ev_timer_stop(offers->supervisor->loop, &offers->retry);
    peer_close(offers->peer, true);
    offers->peer = NULL;
    while (offers->wishes)
        drop(offers, offers->wishes);
    fence_finish(&offers->fence);
}
