#include "cast.h"

#include "call.h"
#include "runtime.h"
#include "undelivered.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names that begin with a dot are the runtime's own. */
static bool is_name(const char *name)
{
    if (*name && *name != '.' && strlen(name) <= ENVELOPE_NAME_MAX)
        return true;
    errno = EINVAL;
    return false;
}

/* The envelope of a cast; 0, or -1 with EMSGSIZE. */
static int fill(struct troupe *self, const char *name, const struct payload *payload,
                struct envelope *env)
{
    if (payload->size > UINT32_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    env->kind = ENVELOPE_CAST;
    env->flags = (uint16_t)(undelivered_flags(self) | (payload->is_typed ? ENVELOPE_TYPED : 0));
    env->ref = env->deadline_us = 0;
    env->blocked_count = 0;
    env->type = envelope_text(name);
    env->payload = payload->at;
    env->payload_size = (uint32_t)payload->size;
    return 0;
}

int cast_payload(struct troupe *self, const char *to, const char *name, const struct payload *payload)
{
    uint64_t incarnation;
    struct contact *contact = is_name(name) ? contact_of(self, to, &incarnation) : NULL;
    struct envelope env;

    if (!contact || fill(self, name, payload, &env) < 0 ||
        contact_send(contact, incarnation, &env, NULL) < 0)
        return -1;
    STATS_ADD(self, messages_out, 1);
    return 0;
}

int cast_to_group(struct troupe *self, const char *node, const char *group,
                  const struct cast_except *except, const char *name, const struct payload *payload)
{
    char to[ADDR_TEXT_MAX + 1];
    uint64_t incarnation;
    struct contact *contact;
    struct envelope env;

    snprintf(to, sizeof to, "%s@%s", PEER_NODE, node);
    contact = is_name(name) ? contact_of(self, to, &incarnation) : NULL;
    if (!contact || fill(self, name, payload, &env) < 0)
        return -1;
    env.blocked_count = (uint16_t)except->count;
    memcpy(env.blocked, except->hashes, except->count * sizeof *except->hashes);
    if (contact_send_as(contact, group, &env) < 0)
        return -1;
    contact->has_relayed = true;
    STATS_ADD(self, messages_out, 1);
    return 0;
}

int troupe_cast_values(struct troupe *self, const char *to, const char *name,
                       const struct troupe_value *values)
{
    struct payload payload;
    int result, saved;

    if (values_pack(values, &payload) < 0)
        return -1;
    result = cast_payload(self, to, name, &payload);
    saved = errno;
    wire_image_finish(&payload.image);
    errno = saved;
    return result;
}

/* ---- calls --------------------------------------------------------------------------------- */

static int start(struct troupe *self, struct call_request *request, const struct troupe_value *values)
{
    struct payload payload;
    int result, saved;

    if (!is_name(request->name) || values_pack(values, &payload) < 0)
        return -1;
    call_continue_chain(self, request);
    request->payload = payload.at;
    request->size = payload.size;
    request->is_typed = payload.is_typed;
    result = call_start(self, request);
    saved = errno;
    wire_image_finish(&payload.image);
    errno = saved;
    if (result == 0)
        STATS_ADD(self, messages_out, 1);
    return result;
}

/* What a blocking call waits for: one answer, or those of several. */
struct awaited {
    size_t left;
    bool done;
};

struct place {
    struct awaited *awaited;
    struct troupe_message *answer;
};

static void take(struct troupe *self, struct troupe_message **answer, void *data)
{
    struct place *place = data;

    if (message_settle(*answer) < 0) {
        place->answer = call_failed(self, "error out of memory");
    } else {
        place->answer = *answer;
        *answer = NULL;
    }
    if (--place->awaited->left == 0)
        place->awaited->done = true;
}

const char *cast_failure(int code)
{
    switch (code) {
    case EINVAL:
        return "bad_message no address, or values that cannot travel";
    case EAGAIN:
        return "overloaded";
    case EMSGSIZE:
        return "bad_message too large";
    default:
        return "error cannot be sent";
    }
}

static void ask_one(struct troupe *self, const char *to, struct mono deadline, const char *name,
                    const struct troupe_value *values, struct place *place)
{
    struct call_request request = {.to = to,
                                   .name = name,
                                   .blocks = true,
                                   .deadline = deadline,
                                   .done = take,
                                   .data = place};

    place->awaited->left++;
    if (start(self, &request, values) == 0)
        return;
    place->answer = call_failed(self, cast_failure(errno));
    place->awaited->left--;
}

/* The actor is to end before the answer came. */
static void give_up(struct troupe *self, struct place *place)
{
    if (place->answer)
        return;
    call_forget(self, place);
    place->answer = call_failed(self, "error ending");
}

static void wait_for(struct troupe *self, struct awaited *awaited)
{
    awaited->done = awaited->left == 0;
    agenda_wait(self, &awaited->done);
}

struct troupe_message *troupe_call_values(struct troupe *self, const char *to, int64_t timeout_ms,
                                          const char *name, const struct troupe_value *values)
{
    struct awaited awaited = {0};
    struct place place = {.awaited = &awaited};

    ask_one(self, to, call_deadline(timeout_ms), name, values, &place);
    wait_for(self, &awaited);
    give_up(self, &place);
    return place.answer;
}

void troupe_call_many_values(struct troupe *self, const char *const *to,
                             struct troupe_asking_many asking, const char *name,
                             const struct troupe_value *values)
{
    struct mono deadline = call_deadline(asking.timeout_ms);
    struct place *places = calloc(asking.n + 1, sizeof *places);
    struct awaited awaited = {0};

    for (size_t i = 0; i < asking.n; i++) {
        if (!places) {
            asking.answers[i] = call_failed(self, "error out of memory");
            continue;
        }
        places[i].awaited = &awaited;
        ask_one(self, to[i], deadline, name, values, &places[i]);
    }
    if (!places)
        return;
    wait_for(self, &awaited);
    for (size_t i = 0; i < asking.n; i++) {
        give_up(self, &places[i]);
        asking.answers[i] = places[i].answer;
    }
    free(places);
}

int troupe_ask_values(struct troupe *self, const char *to, struct troupe_asking asking,
                      const char *name, const struct troupe_value *values)
{
    struct call_request request = {.to = to,
                                   .name = name,
                                   .deadline = call_deadline(asking.timeout_ms),
                                   .on_answer = asking.on_answer,
                                   .data = asking.data};

    return start(self, &request, values);
}

const char *troupe_failure(const struct troupe_message *answer)
{
    return answer->failure;
}

void troupe_free(struct troupe_message *answer)
{
    message_destroy(answer);
}

/* ---- forwarding ---------------------------------------------------------------------------- */

/* The asker gets what the other said: values with their types, or the failure as it is. That a cast was
 * handled badly is no news for who sent it: only that it was not handled. */
int troupe_relay(struct troupe_message *message, const struct troupe_message *answer)
{
    int result = 0, saved;

    if (message_is_given_away(message))
        return -1;
    if (!answer->failure)
        result = message->is_call ? mailbox_answer(message, answer->format, answer->values) : 0;
    else if (message->is_call || strncmp(answer->failure, "error", 5) != 0)
        result = mailbox_answer_error(message, answer->failure);
    saved = errno;
    if (message->is_kept)
        mailbox_release(message);
    errno = saved;
    return result;
}

static void relay(struct troupe *self, struct troupe_message **answer, void *data)
{
    struct troupe_message *message = data;

    (void)self;
    message->is_forwarded = false;
    troupe_relay(message, *answer);
}

/* Nobody will answer it any more: the actor has ended. */
static void drop_forwarded(void *data)
{
    mailbox_forget(data);
}

static int pack_again(const struct troupe_message *message, struct payload *payload)
{
    if (message->origin == MESSAGE_ENVELOPE) {
        *payload = (struct payload){
            .at = message->body, .size = message->size, .is_typed = message->is_typed};
        return 0;
    }
    return values_pack_as(message->format, message->values, payload);
}

/* The call that goes on with this message, in its chain. */
static int call_again(const struct troupe_message *message, const struct payload *payload,
                      struct call_request *request)
{
    if (!is_name(message->name)) /* a raw line's may be longer than an envelope holds */
        return -1;
    request->name = message->name;
    request->payload = payload->at;
    request->size = payload->size;
    request->is_typed = payload->is_typed;
    request->blocked = message->blocked;
    request->blocked_count = message->blocked_count;
    if (call_start(message->self, request) < 0)
        return -1;
    STATS_ADD(message->self, messages_out, 1);
    return 0;
}

static int forward_call(struct troupe_message *message, const char *to, const struct payload *payload)
{
    struct call_request request = {
        .to = to, .deadline = message->deadline, .done = relay, .data = message, .drop = drop_forwarded};
    bool was_kept = message->is_kept, was_handled = message->is_handled;
    int result;

    if (!mono_is_set(request.deadline))
        request.deadline = call_deadline(0);
    if (message_settle(message) < 0)
        return -1;
    message->is_kept = message->is_forwarded = true;
    message->is_handled = true; /* an answer that is known at once does not free it under us */
    result = call_again(message, payload, &request);
    message->is_handled = was_handled;
    if (result < 0) {
        message->is_kept = was_kept;
        message->is_forwarded = false;
    } else if (!message->is_kept && !was_handled) {
        mailbox_forget(message);
    }
    return result;
}

static int forward_cast(struct troupe_message *message, const char *to, const struct payload *payload)
{
    if (cast_payload(message->self, to, message->name, payload) < 0)
        return -1;
    if (message->is_kept)
        mailbox_release(message);
    return 0;
}

int troupe_forward(struct troupe_message *message, const char *to)
{
    struct payload payload;
    int result, saved;

    if (message_is_given_away(message) || pack_again(message, &payload) < 0)
        return -1;
    if (message->is_call)
        result = forward_call(message, to, &payload);
    else
        result = forward_cast(message, to, &payload);
    saved = errno;
    wire_image_finish(&payload.image);
    errno = saved;
    return result;
}

int troupe_forward_then(struct troupe_message *message, const char *to, int64_t timeout_ms,
                        troupe_on_answer *on_answer, void *data)
{
    struct call_request request = {
        .to = to, .deadline = call_deadline(timeout_ms), .on_answer = on_answer, .data = data};
    struct payload payload;
    int result, saved;

    if (pack_again(message, &payload) < 0)
        return -1;
    result = call_again(message, &payload, &request);
    saved = errno;
    wire_image_finish(&payload.image);
    errno = saved;
    return result;
}
