#include "exchange.h"

#include "exchange_wire.h"
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { LANE = 0, PART_BYTES = 1 << 20, LIST_MAX = 65536 };

/* A peer as a source of members. */
struct partner {
    char name[ADDR_PART_MAX + 1];
    char url[AUTH_URL_MAX + 1];
    uint64_t source;
    bool is_tls;
    bool is_owed; /* a snapshot */
    UT_hash_handle hh;
};

struct exchange {
    struct peers *peers;
    struct groups *groups;
    struct partner *partners;
    uint64_t last_source;
    size_t owed;
};

struct exchange *exchange_create(struct peers *peers, struct groups *groups)
{
    struct exchange *exchange = memory_zeroed(sizeof *exchange);

    exchange->peers = peers;
    exchange->groups = groups;
    exchange->last_source = EXCHANGE_SOURCES;
    groups_bound_local(groups, EXCHANGE_OWN_MAX);
    return exchange;
}

static void forget(struct exchange *exchange, struct partner *partner)
{
    exchange->owed -= partner->is_owed;
    HASH_DEL(exchange->partners, partner);
    free(partner);
}

void exchange_destroy(struct exchange *exchange)
{
    if (!exchange)
        return;
    while (exchange->partners)
        forget(exchange, exchange->partners);
    free(exchange);
}

static struct partner *find(const struct exchange *exchange, const char *name)
{
    struct partner *partner;

    HASH_FIND_STR(exchange->partners, name, partner);
    return partner;
}

size_t exchange_members(const struct exchange *exchange, const char *node)
{
    const struct partner *partner = find(exchange, node);

    return partner ? groups_source_count(exchange->groups, partner->source) : 0;
}

/* ---- sending ----------------------------------------------------------------------------- */

static void owe(struct exchange *exchange, struct partner *partner, bool is_owed)
{
    exchange->owed += is_owed;
    exchange->owed -= partner->is_owed;
    partner->is_owed = is_owed;
}

static int send_message(struct exchange *exchange, const struct partner *partner,
                        const struct buf *message)
{
    const struct iovec part = {buf_front(message), buf_length(message)};

    return peers_send(exchange->peers, partner->name, LANE, &part, 1);
}

/* A snapshot under way. */
struct telling {
    struct exchange *exchange;
    struct partner *partner;
    struct buf message;
    bool is_first;
};

static void begin_part(struct telling *telling)
{
    exchange_put_byte(&telling->message, EXCHANGE_SNAPSHOT);
    exchange_put_byte(&telling->message, telling->is_first ? EXCHANGE_FIRST : 0);
    telling->is_first = false;
}

static void end_part(struct telling *telling, bool is_last)
{
    const struct iovec part = {buf_front(&telling->message), buf_length(&telling->message)};

    if (is_last)
        buf_front(&telling->message)[1] |= EXCHANGE_LAST;
    peers_insist(telling->exchange->peers, telling->partner->name, LANE, &part, 1);
    buf_consume(&telling->message, part.iov_len);
}

static void tell_member(void *data, const char *scope, const char *group,
                        const struct groups_actor *actor, size_t count)
{
    struct telling *telling = data;

    exchange_put_text(&telling->message, scope);
    exchange_put_text(&telling->message, group);
    exchange_put_text(&telling->message, actor->address);
    exchange_put_number(&telling->message, (uint32_t)count);
    if (buf_length(&telling->message) < PART_BYTES)
        return;
    end_part(telling, false);
    begin_part(telling);
}

/* All of it, or nothing for now. */
static void send_snapshot(struct exchange *exchange, struct partner *partner)
{
    struct telling telling = {.exchange = exchange, .partner = partner, .is_first = true};

    owe(exchange, partner, !peers_has_room(exchange->peers, partner->name));
    if (partner->is_owed)
        return;
    begin_part(&telling);
    groups_each(exchange->groups, GROUPS_LOCAL, tell_member, &telling);
    end_part(&telling, true);
    buf_finish(&telling.message);
}

void exchange_catch_up(struct exchange *exchange)
{
    struct partner *partner = exchange->owed ? exchange->partners : NULL;

    for (; partner; partner = partner->hh.next)
        if (partner->is_owed)
            send_snapshot(exchange, partner);
}

/* A list that is longer than the other reads at once goes as a snapshot, too, which counts. */
void exchange_local(struct exchange *exchange, const struct groups_event *event)
{
    struct buf message = {0};
    struct partner *partner = exchange->partners;

    exchange_put_byte(&message, event->kind == GROUPS_JOIN ? EXCHANGE_JOIN : EXCHANGE_LEAVE);
    exchange_put_text(&message, event->scope);
    exchange_put_text(&message, event->group);
    for (size_t i = 0; i < event->count; i++)
        exchange_put_text(&message, event->actors[i]->address);
    for (; partner; partner = partner->hh.next)
        if (!partner->is_owed &&
            (event->count > LIST_MAX || send_message(exchange, partner, &message) < 0))
            owe(exchange, partner, true);
    buf_finish(&message);
}

/* ---- peers of peers ---------------------------------------------------------------------- */

static void put_peer(struct buf *message, const struct partner *partner)
{
    exchange_put_text(message, partner->name);
    exchange_put_text(message, partner->url);
}

/* The newcomer hears of all, and all of the newcomer. One that is missed is heard of from another
 * node, or when the next one comes. */
static void introduce(struct exchange *exchange, const struct partner *newcomer)
{
    struct buf all = {0}, one = {0};
    const struct partner *partner = exchange->partners;

    exchange_put_byte(&all, EXCHANGE_PEERS);
    exchange_put_byte(&one, EXCHANGE_PEERS);
    put_peer(&one, newcomer);
    for (; partner; partner = partner->hh.next) {
        if (partner == newcomer || !*newcomer->url || !*partner->url)
            continue;
        put_peer(&all, partner);
        send_message(exchange, partner, &one);
    }
    send_message(exchange, newcomer, &all);
    buf_finish(&all);
    buf_finish(&one);
}

void exchange_up(struct exchange *exchange, const struct auth_identity *peer, bool is_tls)
{
    struct partner *partner = memory_zeroed(sizeof *partner);

    memcpy(partner->name, peer->name, sizeof partner->name);
    memcpy(partner->url, peer->url, sizeof partner->url);
    partner->is_tls = is_tls;
    partner->source = ++exchange->last_source;
    HASH_ADD_STR(exchange->partners, name, partner);
    groups_open(exchange->groups, partner->source, partner->name, "", EXCHANGE_MEMBERSHIPS_MAX);
    send_snapshot(exchange, partner);
    introduce(exchange, partner);
}

void exchange_down(struct exchange *exchange, const struct auth_identity *peer)
{
    struct partner *partner = find(exchange, peer->name);

    if (!partner)
        return;
    groups_close(exchange->groups, partner->source);
    forget(exchange, partner);
}

/* ---- receiving --------------------------------------------------------------------------- */

static const char malformed[] = "a message that is none";

static const char *take_snapshot(struct exchange *exchange, const struct partner *partner,
                                 struct exchange_reader *reader)
{
    uint8_t part = exchange_get_byte(reader);
    char scope[EXCHANGE_TEXT_MAX + 1], group[EXCHANGE_TEXT_MAX + 1];
    char address[EXCHANGE_TEXT_MAX + 1];

    if (part & EXCHANGE_FIRST)
        groups_snapshot_begin(exchange->groups, partner->source);
    while (exchange_has_more(reader)) {
        uint32_t count;

        exchange_get_text(reader, scope);
        exchange_get_text(reader, group);
        exchange_get_text(reader, address);
        count = exchange_get_number(reader);
        if (reader->is_bad || groups_snapshot_add(exchange->groups, partner->source, scope, group,
                                                  address, count) < 0)
            return malformed;
    }
    if (part & EXCHANGE_LAST && groups_snapshot_end(exchange->groups, partner->source) < 0)
        return malformed;
    return reader->is_bad ? malformed : NULL;
}

/* Addresses are read one after the other into one block. */
static size_t read_addresses(struct exchange_reader *reader, char *texts, const char **list)
{
    size_t n = 0;

    while (exchange_has_more(reader) && n < LIST_MAX) {
        char text[EXCHANGE_TEXT_MAX + 1];
        size_t length;

        exchange_get_text(reader, text);
        length = strlen(text) + 1;
        memcpy(texts, text, length);
        list[n++] = texts;
        texts += length;
    }
    return n;
}

static int change(struct exchange *exchange, const struct partner *partner, uint8_t kind,
                  struct exchange_reader *reader)
{
    char scope[EXCHANGE_TEXT_MAX + 1], group[EXCHANGE_TEXT_MAX + 1];
    size_t most = reader->left / 2 + 1; /* a length takes two bytes */
    const char **list = memory_resize(NULL, most, sizeof *list);
    char *texts = memory_zeroed(reader->left + most);
    size_t n;
    int result = -1;

    exchange_get_text(reader, scope);
    exchange_get_text(reader, group);
    n = read_addresses(reader, texts, list);
    if (!reader->is_bad && !reader->left)
        result = kind == EXCHANGE_JOIN
                     ? groups_join(exchange->groups, partner->source, scope, group, list, n)
                     : groups_leave(exchange->groups, partner->source, scope, group, list, n);
    free(list);
    free(texts);
    return result;
}

/* Dropped: changes before the snapshot. A leave of what is not there is none of our business. */
static const char *take_change(struct exchange *exchange, const struct partner *partner,
                               uint8_t kind, struct exchange_reader *reader)
{
    errno = 0;
    if (change(exchange, partner, kind, reader) == 0 || errno == EAGAIN || errno == ENOENT)
        return NULL;
    return errno == ENOSPC ? "too many memberships" : malformed;
}

static const char *take_peers(struct exchange *exchange, const struct partner *partner,
                              struct exchange_reader *reader)
{
    char name[EXCHANGE_TEXT_MAX + 1], url[EXCHANGE_TEXT_MAX + 1];

    while (exchange_has_more(reader)) {
        exchange_get_text(reader, name);
        exchange_get_text(reader, url);
        if (reader->is_bad || !addr_is_part(name, strlen(name)) || !auth_is_url(url))
            return malformed;
        peers_learn(exchange->peers, name, url, partner->is_tls);
    }
    return reader->is_bad ? malformed : NULL;
}

const char *exchange_message(struct exchange *exchange, const struct auth_identity *peer,
                             const uint8_t *bytes, size_t size)
{
    const struct partner *partner = find(exchange, peer->name);
    struct exchange_reader reader = {bytes, size, false};
    uint8_t kind = exchange_get_byte(&reader);

    if (!partner)
        return NULL;
    switch (kind) {
    case EXCHANGE_SNAPSHOT:
        return take_snapshot(exchange, partner, &reader);
    case EXCHANGE_JOIN:
    case EXCHANGE_LEAVE:
        return take_change(exchange, partner, kind, &reader);
    case EXCHANGE_PEERS:
        return take_peers(exchange, partner, &reader);
    default:
        return malformed;
    }
}
