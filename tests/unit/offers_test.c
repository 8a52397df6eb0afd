/*
 * What a service's supervisor does when sys/node has no room for what it is asked: the connection,
 * and what becomes of its requests, is this test's.
 */
#include "../../supervisord/activations.h"
#include "../../supervisord/offers.h"
#include "../../supervisord/supervisor.h"
#include "control.h"
#include "peer.h"
#include "tap.h"

#include <stdlib.h>

struct peer {
    void *data;
};

static struct peer connection;
static const struct peer_handlers *heard;
static unsigned dials, room; /* for so many requests more */
static char asked[256];      /* what sys/node has got, in order */
static char told[256];       /* who asks for an actor */
static uint64_t last_ref;

/* ---- in place of what offers.c calls ------------------------------------------------------------
 */

struct peer *peer_dial(struct ev_loop *loop, const char *run_dir, const char *mailbox,
                       const char *self, struct mono deadline, const struct peer_handlers *handlers,
                       void *data)
{
    (void)loop, (void)run_dir, (void)mailbox, (void)self, (void)deadline;
    dials++;
    heard = handlers;
    connection.data = data;
    return &connection;
}

void *peer_data(const struct peer *peer)
{
    return peer->data;
}

void peer_close(struct peer *peer, bool flush)
{
    (void)peer, (void)flush;
}

uint64_t peer_request(struct peer *peer, const char *verb, const struct words *words, int fd)
{
    size_t used = strlen(asked);

    (void)peer, (void)fd;
    if (!room)
        return 0;
    room--;
    snprintf(asked + used, sizeof asked - used, "%s%s %s", used ? ", " : "", verb,
             words->at[!strcmp(verb, CONTROL_PLACE)]);
    return ++last_ref;
}

void activations_on_place(struct activations *activations, const char *id, const char *node,
                          const char *why)
{
    (void)activations, (void)node;
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s: %s ", id, why);
}

void activations_start(struct activations *activations, const char *id, uint64_t epoch,
                       bool has_lease)
{
    (void)activations, (void)id, (void)epoch, (void)has_lease;
}

const char *child_name(const struct child *child)
{
    (void)child;
    return "";
}

int fence_set(struct fence *fence, int64_t until_ms)
{
    (void)fence, (void)until_ms;
    return 0;
}

bool fence_holds(const struct fence *fence)
{
    (void)fence;
    return false;
}

void fence_finish(struct fence *fence)
{
    (void)fence;
}

const char *spec_placement_text(enum spec_placement placement)
{
    (void)placement;
    return "hash";
}

/* ---- the checks
 * ---------------------------------------------------------------------------------- */

static struct supervisor supervisor;
static struct offers offers;

static void begin(void)
{
    static const struct node node = {.is_clustered = true};
    static struct spec_service service = {.max = 10};
    static const struct spec_supervisor spec = {.service = &service};

    supervisor.loop = EV_DEFAULT;
    supervisor.node = &node;
    supervisor.spec = &spec;
    strcpy(supervisor.path, "shop/things");
    offers_init(&offers, &supervisor);
}

/* Until its timer has run; false: it has none. */
static bool retry(void)
{
    if (!ev_is_active(&offers.retry))
        return false;
    ev_run(supervisor.loop, EVRUN_ONCE);
    return true;
}

static const char *got(void)
{
    static char text[sizeof asked];

    strcpy(text, asked);
    asked[0] = '\0';
    return text;
}

int main(void)
{
    begin();
    offers_want(&offers, "early");
    room = 2;
    retry();
    tap_is_text(got(), "offer shop/things, place early",
                "what is wished for before there is a connection is asked then");
    CHECK(!retry(), "and nothing is to be done any more");
    offers_want(&offers, "a");
    offers_want(&offers, "b");
    tap_is_text(got(), "", "there is no room for what is asked now");
    room = 1;
    CHECK(retry(), "so that it is to be asked again, without a new connection");
    tap_is_text(got(), "place a", "once there is room for some of it");
    room = 10;
    CHECK(retry(), "and again");
    tap_is_text(got(), "place b", "for the rest, and for nothing twice");
    CHECK(!retry() && dials == 1, "on the one connection");
    room = 0;
    offers_want(&offers, "c");
    heard->on_close(&connection, "end of stream");
    room = 10;
    retry();
    tap_is_text(got(), "offer shop/things, place early, place a, place b, place c",
                "after its end all that was not answered is asked anew");
    {
        struct envelope refusal = {.kind = ENVELOPE_ERROR,
                                   .ref = offers.offer,
                                   .payload = "overloaded it",
                                   .payload_size = strlen("overloaded it")};

        heard->on_envelope(&connection, &refusal, -1);
        CHECK(strstr(told, "early: overloaded it ") && strstr(told, "c: overloaded it ") &&
                  !offers.wishes,
              "when the offer is refused all are told why");
        told[0] = '\0';
        offers_want(&offers, "d");
        tap_is_text(told, "d: overloaded it ", "and so is who asks after that");
        CHECK(retry() && dials == 2, "for a while: then it is offered again");
        tap_is_text(got(), "offer shop/things", "on the same connection");
        offers_want(&offers, "d");
        tap_is_text(told, "d: overloaded it d: overloaded it ", "before its answer nothing is new");
        {
            const struct envelope taken = {.kind = ENVELOPE_CONTROL_REPLY, .ref = offers.offer};

            heard->on_envelope(&connection, &taken, -1);
        }
        offers_want(&offers, "d");
        tap_is_text(got(), "place d", "and when it is taken, places are asked for");
        refusal.ref = offers.offer;
        heard->on_envelope(&connection, &refusal, -1);
        heard->on_close(&connection, "end of stream");
        retry();
        offers_want(&offers, "e");
        tap_is_text(got(), "offer shop/things, place e", "until there is another sys/node");
    }
    offers_finish(&offers);
    return tap_done();
}
