/*
 * Two nodes shake hands through somebody who may do anything with their bytes: hand on, keep,
 * change, repeat, reflect, invent. Without the cookie no side may ever be proven but by the other's
 * own message of this very handshake, and a side that is not proven is told nothing of why it ends.
 */
#include "../../cluster/auth.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct message {
    uint8_t at[AUTH_MESSAGE_MAX];
    size_t size;
};

enum { KEPT = 64 };

struct world {
    struct auth sides[2];
    struct message kept[KEPT]; /* all that was said; the middleman's */
    struct message identity;   /* what the dialer has said of itself */
    size_t count;
};

static const struct auth_self selves[2] = {
    {{"east", 1, 11, "tcp://east:1"}, 1, 2, {"the cookie of both", 18}},
    {{"west", 2, 12, "tcp://west:1"}, 1, 1, {"the cookie of both", 18}},
};

static void keep(struct world *world, struct auth *side)
{
    struct message *message = &world->kept[world->count % KEPT];

    if (side->out_size > sizeof side->out)
        abort();
    if (!side->out_size)
        return;
    memcpy(message->at, side->out, side->out_size);
    message->size = side->out_size;
    world->count++;
}

static bool are_equal(const struct message *a, const struct message *b)
{
    return a->size == b->size && memcmp(a->at, b->at, a->size) == 0;
}

static void after(struct world *world, int which, enum auth_outcome outcome,
                  const struct message *message)
{
    struct auth *side = &world->sides[which], *other = &world->sides[!which];

    if (outcome == AUTH_PROVEN && !side->is_dialer && !are_equal(&world->identity, message))
        abort(); /* proven by something that the dialer has not said here */
    if (outcome == AUTH_PROVEN && strcmp(side->peer.name, other->self->identity.name) != 0)
        abort();
    if (outcome == AUTH_PROVEN && (other->hello_size != side->hello_size ||
                                   memcmp(other->hello, side->hello, side->hello_size) != 0))
        abort(); /* they are not in one handshake */
    if (outcome == AUTH_OPEN && side->state != AUTH_SESSION)
        abort();
    if (outcome == AUTH_PROVEN && side->is_dialer) {
        memcpy(world->identity.at, side->out, side->out_size);
        world->identity.size = side->out_size;
    }
    keep(world, side);
}

static void say(struct world *world, int which, const struct message *message)
{
    after(world, which, auth_receive(&world->sides[which], message->at, message->size), message);
}

/* Takes up to n bytes of the input into the message. */
static void read_bytes(struct message *message, const uint8_t **data, size_t *size, size_t n)
{
    if (n > *size)
        n = *size;
    memcpy(message->at, *data, n);
    message->size = n;
    *data += n;
    *size -= n;
}

static void act(struct world *world, const uint8_t **data, size_t *size)
{
    uint8_t op = (*data)[0], which_one = (*data)[1], at = (*data)[2];
    int which = op >> 7;
    struct message message = {.size = 0};

    *data += 3;
    *size -= 3;
    if (world->count)
        message = world->kept[which_one % (world->count < KEPT ? world->count : KEPT)];
    switch (op & 7) {
    case 0:
    case 1:
        say(world, which, &message);
        break;
    case 2:
        if (message.size)
            message.at[at % message.size] ^= (uint8_t)(1 << (op >> 3 & 7));
        say(world, which, &message);
        break;
    case 3:
        message.size = message.size ? at % message.size : 0;
        say(world, which, &message);
        break;
    case 4:
        read_bytes(&message, data, size, at);
        say(world, which, &message);
        break;
    case 5:
        after(world, which, auth_admit(&world->sides[which]), NULL);
        break;
    case 6:
        after(world, which, auth_refuse(&world->sides[which], AUTH_DUPLICATE), NULL);
        break;
    default:
        after(world, which, auth_timeout(&world->sides[which]), NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    uint8_t nonce[AUTH_NONCE_SIZE] = {1};

    if (size < 1)
        return 0;
    world.count = 0;
    world.identity.size = 0;
    for (int i = 0; i < 2; i++) {
        nonce[1] = (uint8_t)i;
        auth_init(&world.sides[i], &selves[i], i == data[0] % 2, nonce);
        keep(&world, &world.sides[i]);
    }
    data++;
    size--;
    while (size >= 3)
        act(&world, &data, &size);
    return 0;
}
