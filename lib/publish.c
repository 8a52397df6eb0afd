#include "publish.h"

#include "buf.h"
#include "raw.h"
#include "runtime.h"
#include "values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* What was shared last under a topic. */
struct shared {
    UT_hash_handle hh;
    char *topic;
    struct payload payload;
};

/* ---- what is kept -------------------------------------------------------------------------- */

static void forget(struct troupe *self, struct shared *shared)
{
    HASH_DEL(self->publishing.shared, shared);
    wire_image_finish(&shared->payload.image);
    free(shared->topic);
    free(shared);
}

static struct shared *create(const char *topic, const struct payload *payload)
{
    struct shared *shared = calloc(1, sizeof *shared);

    if (!shared)
        return NULL;
    shared->topic = strdup(topic);
    if (shared->topic && values_copy_payload(payload, &shared->payload) == 0)
        return shared;
    free(shared->topic);
    free(shared);
    return NULL;
}

/* Instead of what was kept before; that stays when there is no memory. */
static int keep(struct troupe *self, const char *topic, const struct payload *payload)
{
    struct shared *shared = create(topic, payload), *before;

    if (!shared)
        return -1;
    HASH_FIND_STR(self->publishing.shared, topic, before);
    if (before)
        forget(self, before);
    HASH_ADD_KEYPTR(hh, self->publishing.shared, shared->topic, strlen(shared->topic), shared);
    return 0;
}

void publish_finish(struct troupe *self)
{
    struct shared *shared, *next;

    HASH_ITER (hh, self->publishing.shared, shared, next)
        forget(self, shared);
}

/* ---- requests ------------------------------------------------------------------------------ */

bool publish_is_request(const struct troupe_message *message)
{
    return message->origin == MESSAGE_ENVELOPE &&
           strcmp(message->name, message->is_call ? AUDIENCE_SUBSCRIBE : AUDIENCE_UNSUBSCRIBE) == 0;
}

static void tell_last(struct troupe *self, struct subscriber *subscriber)
{
    for (const struct shared *s = self->publishing.shared; s; s = s->hh.next)
        if (subscriber_wants(subscriber, s->topic))
            STATS_ADD(self, messages_out, subscriber_hear(subscriber, s->topic, &s->payload));
}

static void join(struct troupe *self, struct troupe_message *message, const char *topic,
                 unsigned flags)
{
    struct audience *audience = mailbox_audience(message);
    struct subscriber *subscriber;

    if (!audience)
        return; /* its connection has ended */
    if (!mailbox_has_room_to_keep(message)) {
        mailbox_answer_error(message, "overloaded too many subscribers");
        return;
    }
    subscriber = audience_join(audience, message->ref, topic, flags);
    if (!subscriber)
        mailbox_answer_error(message, errno == EAGAIN ? "overloaded too many subscriptions"
                                                      : "error out of memory");
    else if (mailbox_answer(message, "", NULL) == 0 && flags & AUDIENCE_LAST)
        tell_last(self, subscriber);
}

static void subscribe(struct troupe *self, struct troupe_message *message)
{
    union wire_value asked[2];

    if (!message->is_typed || wire_unpack_values("su", message->body, message->size, asked) < 0) {
        mailbox_answer_error(message, "bad_message .subscribe: expected a topic and flags");
        return;
    }
    if (asked[0].bytes.size > AUDIENCE_TOPIC_MAX)
        mailbox_answer_error(message, "bad_message .subscribe: the topic is too long");
    else
        join(self, message, asked[0].bytes.at, (unsigned)asked[1].u);
    wire_values_finish("su", asked);
}

void publish_on_request(struct troupe *self, struct troupe_message *message)
{
    struct audience *audience = mailbox_audience(message);

    if (message->is_call)
        subscribe(self, message);
    else if (audience)
        audience_leave(audience, message->ref);
}

/* ---- publishing ---------------------------------------------------------------------------- */

/* Values that are on their way out. */
struct publication {
    const char *topic;
    char format[WIRE_VALUES_MAX + 1];
    union wire_value values[WIRE_VALUES_MAX];
};

/* To nng's dialers: how many. */
static int to_lines(struct troupe *self, const struct publication *publication)
{
    const char *topic = publication->topic;
    struct buf line = {0};
    int count = 0;

    if (self->mailbox.sub_count == 0)
        return 0;
    if (raw_put(&line, true, topic, strlen(topic)) == 0 &&
        values_append(&line, false, publication->format, publication->values) == 0)
        count = mailbox_publish(self, buf_front(&line), buf_length(&line));
    else
        STATS_ADD(self, dropped, self->mailbox.sub_count);
    buf_finish(&line);
    return count;
}

static bool is_too_large(const struct troupe *self, const char *topic,
                         const struct payload *payload)
{
    return ENVELOPE_FIXED_SIZE + strlen(topic) + payload->size > mailbox_max_message(self);
}

/* To actors, and for those who come later: how many, or -1 (EMSGSIZE, ENOMEM). */
static int to_actors(struct troupe *self, const struct publication *publication, bool keeps)
{
    struct audience *audience;
    struct payload payload;
    int count = 0;

    if (!keeps && LIST_EMPTY(&self->publishing.audiences))
        return 0;
    if (values_pack_as(publication->format, publication->values, &payload) < 0)
        return -1;
    if (is_too_large(self, publication->topic, &payload)) {
        errno = EMSGSIZE;
        count = -1;
    } else if (keeps && keep(self, publication->topic, &payload) < 0) {
        count = -1;
    } else {
        LIST_FOREACH(audience, &self->publishing.audiences, link)
        count += audience_hear(audience, publication->topic, &payload);
        STATS_ADD(self, messages_out, count);
    }
    wire_image_finish(&payload.image);
    return count;
}

static bool is_topic(const char *topic)
{
    return *topic != '.' && strlen(topic) <= AUDIENCE_TOPIC_MAX;
}

static int publish(struct troupe *self, const char *topic, const struct troupe_value *values,
                   bool keeps)
{
    struct publication publication = {.topic = topic};
    char why[VALUES_WHY_SIZE];
    int actors;

    if (!is_topic(topic) ||
        values_convert(values, NULL, publication.values, publication.format, why) < 0) {
        errno = EINVAL;
        return -1;
    }
    actors = to_actors(self, &publication, keeps);
    return actors < 0 ? -1 : actors + to_lines(self, &publication);
}

int troupe_publish_values(struct troupe *self, const char *topic, const struct troupe_value *values)
{
    return publish(self, topic, values, false);
}

int troupe_share_values(struct troupe *self, const char *topic, const struct troupe_value *values)
{
    return publish(self, topic, values, true);
}
