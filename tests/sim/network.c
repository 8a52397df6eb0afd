#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
    DELAY_MIN_MS = 1,
    DELAY_SPREAD_MS = 40,
    RETRANSMIT_MS = 100,
    NOBODY = -1, /* an attacker's host */
    TAPPED_BYTES = 2048,
};

struct packet {
    struct packet *next;
    size_t size; /* 0: the end of the stream */
    uint8_t bytes[];
};

struct stream_end {
    struct stream_key {
        uint64_t host, conn;
    } key;
    struct stream *stream;
    int host;
    bool is_open;
    struct packet *first, *last; /* that are on their way to this end */
    UT_hash_handle hh;
};

struct stream {
    struct world *world;
    struct stream *next;
    struct stream_end ends[2]; /* the dialer's first */
    bool is_connected, is_reflecting;
    size_t replayed;              /* host whose words an attacker repeats */
    uint8_t tapped[TAPPED_BYTES]; /* what the dialer said first */
    size_t tapped_size;
};

static struct stream_end *find_end(const struct world *world, const struct host *host,
                                   uint64_t conn)
{
    const struct stream_key key = {host->index, conn};
    struct stream_end *end;

    HASH_FIND(hh, world->ends, &key, sizeof key, end);
    return end;
}

static void open_end(struct stream *stream, int which, int host, uint64_t conn)
{
    struct stream_end *end = &stream->ends[which];

    end->stream = stream;
    end->host = host;
    end->is_open = true;
    if (host == NOBODY)
        return;
    end->key = (struct stream_key){(uint64_t)host, conn};
    HASH_ADD(hh, stream->world->ends, key, sizeof end->key, end);
}

static void close_end(struct stream_end *end)
{
    if (!end->is_open)
        return;
    end->is_open = false;
    if (end->host != NOBODY)
        HASH_DELETE(hh, end->stream->world->ends, end);
}

static struct stream *make_stream(struct world *world, int dialer, uint64_t conn)
{
    struct stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        abort();
    stream->world = world;
    stream->next = world->streams;
    world->streams = stream;
    open_end(stream, 0, dialer, conn);
    return stream;
}

bool network_is_cut(const struct world *world, size_t a, size_t b)
{
    return world->hosts[a].side != world->hosts[b].side;
}

static bool is_held_up(const struct stream *stream)
{
    int a = stream->ends[0].host, b = stream->ends[1].host;

    return a != NOBODY && b != NOBODY && network_is_cut(stream->world, (size_t)a, (size_t)b);
}

static int64_t some_delay(struct world *world)
{
    return DELAY_MIN_MS + (int64_t)chance_below(&world->chance, DELAY_SPREAD_MS);
}

/* ---- packets ----------------------------------------------------------------------------- */

static void deliver(void *what, uint64_t which);

static void plan(struct stream *stream, int to, int64_t in_ms)
{
    agenda_add(&stream->world->agenda, stream->world->now_ms + in_ms, deliver, stream,
               (uint64_t)to);
}

/* One packet of a direction is on its way at a time; the next leaves when it has come. */
static void queue(struct stream *stream, int to, const void *bytes, size_t size)
{
    struct stream_end *end = &stream->ends[to];
    struct packet *packet = calloc(1, sizeof *packet + size);

    if (!packet)
        abort();
    packet->size = size;
    if (size)
        memcpy(packet->bytes, bytes, size);
    if (end->first)
        end->last->next = packet;
    else
        end->first = packet;
    end->last = packet;
    if (end->first == packet)
        plan(stream, to, some_delay(stream->world));
}

static void tell_end(struct stream_end *end, const char *why)
{
    struct host *host = &end->stream->world->hosts[end->host];
    uint64_t conn = end->key.conn;

    close_end(end);
    peers_ended(host->peers, conn, why);
    host_settle(host);
}

/* Both sides lose it, now. */
static void break_stream(struct stream *stream)
{
    stream->world->breaks++;
    for (int i = 0; i < 2; i++)
        if (stream->ends[i].is_open && stream->ends[i].host != NOBODY)
            tell_end(&stream->ends[i], "connection reset");
}

static void hand_over(struct stream *stream, int to, const struct packet *packet)
{
    struct stream_end *end = &stream->ends[to];
    struct host *host = &stream->world->hosts[end->host];

    if (!packet->size) {
        tell_end(end, "end of stream");
        return;
    }
    stream->world->packets++;
    stream->world->current = stream;
    peers_received(host->peers, end->key.conn, packet->bytes, packet->size);
    stream->world->current = NULL;
    host_settle(host);
}

/* An attacker's own end: what it hears it may send back. */
static void hear(struct stream *stream, const struct packet *packet)
{
    if (stream->is_reflecting && packet->size)
        queue(stream, 1, packet->bytes, packet->size);
}

/* What was given is written once it has come. */
static void acknowledge(struct stream *stream, int from)
{
    struct stream_end *end = &stream->ends[from];
    struct host *host;

    if (!end->is_open || end->host == NOBODY)
        return;
    host = &stream->world->hosts[end->host];
    peers_written(host->peers, end->key.conn);
    host_settle(host);
}

static void deliver(void *what, uint64_t number)
{
    struct stream *stream = what;
    struct stream_end *end = &stream->ends[number];
    struct packet *packet = end->first;

    if (!packet)
        return;
    if (is_held_up(stream)) {
        plan(stream, (int)number, RETRANSMIT_MS);
        return;
    }
    end->first = packet->next;
    if (end->first)
        plan(stream, (int)number, some_delay(stream->world));
    if (end->is_open && end->host == NOBODY)
        hear(stream, packet);
    else if (end->is_open)
        hand_over(stream, (int)number, packet);
    if (!end->first)
        acknowledge(stream, !number);
    free(packet);
    if (stream->world->break_one_in &&
        chance_one_in(&stream->world->chance, stream->world->break_one_in))
        break_stream(stream);
}

/* ---- the transport of peers.h ------------------------------------------------------------ */

static int64_t now_us(void *data)
{
    const struct host *host = data;

    return host->world->now_ms * 1000;
}

static void give_random(void *data, void *out, size_t size)
{
    struct host *host = data;
    uint8_t *bytes = out;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)chance_next(&host->world->chance);
}

static void accept_stream(struct stream *stream, struct host *listener)
{
    uint64_t conn = peers_accepted(listener->peers, "sim", false);

    if (!conn) {
        queue(stream, 0, NULL, 0);
        return;
    }
    stream->is_connected = true;
    open_end(stream, 1, (int)listener->index, conn);
    peers_connected(listener->peers, conn);
    host_settle(listener);
}

/* The dialer's SYN arrives, or is lost. */
static void arrive(void *what, uint64_t target)
{
    struct stream *stream = what;
    struct world *world = stream->world;
    struct stream_end *dialer = &stream->ends[0];

    if (!dialer->is_open)
        return;
    if (dialer->host != NOBODY && network_is_cut(world, (size_t)dialer->host, target))
        return;
    if (!world->hosts[target].is_up) {
        if (dialer->host != NOBODY)
            tell_end(dialer, "connection refused");
        return;
    }
    accept_stream(stream, &world->hosts[target]);
    if (dialer->is_open && dialer->host != NOBODY && stream->is_connected) {
        peers_connected(world->hosts[dialer->host].peers, dialer->key.conn);
        host_settle(&world->hosts[dialer->host]);
    }
}

static void dial(void *data, uint64_t conn, const char *url)
{
    struct host *host = data;
    struct stream *stream = make_stream(host->world, (int)host->index, conn);

    agenda_add(&host->world->agenda, host->world->now_ms + some_delay(host->world), arrive, stream,
               strtoull(url + strlen("sim://"), NULL, 10));
}

static void tap(struct stream *stream, const void *bytes, size_t size)
{
    if (stream->tapped_size + size > TAPPED_BYTES)
        return;
    memcpy(stream->tapped + stream->tapped_size, bytes, size);
    stream->tapped_size += size;
}

static void send_bytes(void *data, uint64_t conn, const void *bytes, size_t size)
{
    struct host *host = data;
    struct stream_end *end = find_end(host->world, host, conn);
    int which;

    if (!end)
        return;
    which = (int)(end - end->stream->ends);
    if (which == 0)
        tap(end->stream, bytes, size);
    queue(end->stream, !which, bytes, size);
}

static void close_stream(void *data, uint64_t conn, bool last_words)
{
    struct host *host = data;
    struct stream_end *end = find_end(host->world, host, conn);

    (void)last_words; /* they are always heard here */
    if (!end)
        return;
    close_end(end);
    queue(end->stream, !(end - end->stream->ends), NULL, 0);
}

const struct peers_transport network_transport = {now_us, give_random, dial, send_bytes,
                                                  close_stream};

/* The kernel closes what a killed process had open. */
void network_forget(struct host *host)
{
    struct stream_end *end = host->world->ends, *next;

    for (; end; end = next) {
        next = end->hh.next;
        if (end->host != (int)host->index)
            continue;
        close_end(end);
        queue(end->stream, !(end - end->stream->ends), NULL, 0);
    }
}

/* ---- the attacker ------------------------------------------------------------------------ */

void network_replay(struct world *world, size_t victim, bool reflect)
{
    struct stream *heard = world->streams, *stream;

    for (uint64_t skip = chance_below(&world->chance, 50); heard && (skip || !heard->tapped_size);
         heard = heard->next)
        skip -= skip > 0;
    if (!heard)
        return;
    stream = make_stream(world, NOBODY, 0);
    stream->is_reflecting = reflect;
    agenda_add(&world->agenda, world->now_ms, arrive, stream, victim);
    if (!reflect)
        queue(stream, 1, heard->tapped, heard->tapped_size);
}

bool network_is_attack(const struct world *world)
{
    return world->current &&
           (world->current->ends[0].host == NOBODY || world->current->ends[1].host == NOBODY);
}

/* ---- the end ----------------------------------------------------------------------------- */

void network_finish(struct world *world)
{
    struct stream *stream, *next;

    HASH_CLEAR(hh, world->ends);
    for (stream = world->streams; stream; stream = next) {
        next = stream->next;
        for (int i = 0; i < 2; i++) {
            while (stream->ends[i].first) {
                struct packet *packet = stream->ends[i].first;

                stream->ends[i].first = packet->next;
                free(packet);
            }
        }
        free(stream);
    }
}
