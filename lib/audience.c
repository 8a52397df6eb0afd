#include "audience.h"

#include "peer.h"
#include "runtime.h"
#include "values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct subscriber {
    TAILQ_ENTRY(subscriber) link;
    struct audience *audience;
    uint64_t ref;
    uint64_t number; /* of the last event that it was owed */
    uint64_t missed; /* how many up to that one, untold */
    unsigned flags;
    size_t length;
    char topic[];
};

void audience_init(struct audience *audience, struct troupe *self, struct peer *peer)
{
    *audience = (struct audience){.self = self, .peer = peer};
    TAILQ_INIT(&audience->subscribers);
}

static void subscriber_destroy(struct subscriber *subscriber)
{
    struct audience *audience = subscriber->audience;

    TAILQ_REMOVE(&audience->subscribers, subscriber, link);
    if (--audience->count == 0)
        LIST_REMOVE(audience, link);
    free(subscriber);
}

void audience_finish(struct audience *audience)
{
    struct subscriber *subscriber;

    while ((subscriber = TAILQ_FIRST(&audience->subscribers)))
        subscriber_destroy(subscriber);
}

struct subscriber *audience_join(struct audience *audience, uint64_t ref, const char *topic,
                                 unsigned flags)
{
    size_t length = strlen(topic);
    struct subscriber *subscriber;

    if (audience->count >= AUDIENCE_MAX) {
        errno = EAGAIN;
        return NULL;
    }
    subscriber = calloc(1, sizeof *subscriber + length + 1);
    if (!subscriber)
        return NULL;
    subscriber->audience = audience;
    subscriber->ref = ref;
    subscriber->flags = flags;
    subscriber->length = length;
    memcpy(subscriber->topic, topic, length);
    TAILQ_INSERT_TAIL(&audience->subscribers, subscriber, link);
    if (audience->count++ == 0)
        LIST_INSERT_HEAD(&audience->self->publishing.audiences, audience, link);
    return subscriber;
}

void audience_leave(struct audience *audience, uint64_t ref)
{
    struct subscriber *subscriber;

    TAILQ_FOREACH(subscriber, &audience->subscribers, link)
    if (subscriber->ref == ref) {
        subscriber_destroy(subscriber);
        return;
    }
}

/* ---- events -------------------------------------------------------------------------------- */

int subscriber_wants(const struct subscriber *subscriber, const char *topic)
{
    if (subscriber->flags & AUDIENCE_EXACT)
        return strcmp(topic, subscriber->topic) == 0;
    return strncmp(topic, subscriber->topic, subscriber->length) == 0;
}

static int send_event(const struct subscriber *subscriber, const char *type,
                      const struct payload *payload)
{
    struct envelope env = {.kind = ENVELOPE_EVENT,
                           .flags = payload->is_typed ? ENVELOPE_TYPED : 0,
                           .ref = subscriber->ref,
                           .deadline_us = subscriber->number,
                           .type = envelope_text(type),
                           .payload = payload->at,
                           .payload_size = (uint32_t)payload->size};

    return peer_send(subscriber->audience->peer, &env, -1);
}

static int send_gap(const struct subscriber *subscriber)
{
    const union wire_value missed = {.u = subscriber->missed};
    struct payload payload;
    int result;

    if (values_pack_as("U", &missed, &payload) < 0)
        return -1;
    result = send_event(subscriber, AUDIENCE_GAP, &payload);
    wire_image_finish(&payload.image);
    return result;
}

static void miss(struct subscriber *subscriber)
{
    STATS_ADD(subscriber->audience->self, dropped, 1);
    if (subscriber->missed++ == 0)
        peer_ask_drain(subscriber->audience->peer, AUDIENCE_RESUME);
}

/* Who has missed something hears of that first. */
static int may_hear(const struct subscriber *subscriber)
{
    return !subscriber->missed && peer_queued(subscriber->audience->peer) < AUDIENCE_OUTBOX;
}

int subscriber_hear(struct subscriber *subscriber, const char *topic, const struct payload *payload)
{
    struct peer *peer = subscriber->audience->peer;

    subscriber->number++;
    if (!may_hear(subscriber) || send_event(subscriber, topic, payload) < 0) {
        miss(subscriber);
        return 0;
    }
    if (peer_queued(peer) > AUDIENCE_FLUSH)
        peer_flush(peer);
    return 1;
}

int audience_hear(struct audience *audience, const char *topic, const struct payload *payload)
{
    struct subscriber *subscriber;
    int count = 0;

    TAILQ_FOREACH(subscriber, &audience->subscribers, link)
    if (subscriber_wants(subscriber, topic))
        count += subscriber_hear(subscriber, topic, payload);
    return count;
}

void audience_on_drain(struct audience *audience)
{
    struct subscriber *subscriber;

    TAILQ_FOREACH(subscriber, &audience->subscribers, link)
    {
        if (!subscriber->missed)
            continue;
        if (send_gap(subscriber) < 0) {
            peer_ask_drain(audience->peer, AUDIENCE_RESUME);
            return;
        }
        subscriber->missed = 0;
    }
}
