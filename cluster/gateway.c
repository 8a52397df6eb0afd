#include "gateway.h"

#include "buf.h"
#include "errands.h"
#include "feeds.h"
#include "loop.h"
#include "memory.h"
#include "mono.h"
#include "raw.h"
#include "sp.h"
#include "sptcp.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum {
    TICK_MS = 500,
    WHY_SIZE = 320,
    ANSWERED = 16, /* requests that are remembered, as in a mailbox */
};

/* What a request of nng's begins with, and its answer. */
struct request_id {
    unsigned size;
    uint8_t bytes[SP_REQUEST_HEADER_MAX];
};

struct call {
    struct gateway *gateway;
    struct guest *guest; /* NULL: it has gone */
    struct request_id id;
    struct call *prev, *next;
};

struct guest {
    struct gateway *gateway;
    uint64_t conn; /* the key */
    char remote[AUTH_URL_MAX + 1];
    char host[GATE_HOST_MAX + 1]; /* its URL's, as they are counted */
    int protocol;                 /* 0: it has not greeted */
    struct buf in;
    bool is_held;      /* it is not read: something has to go first */
    bool misses_news;  /* and that was said */
    size_t held;       /* bytes, as they are in the gateway's sum */
    size_t queued;     /* bytes for it, when it was last looked at */
    struct mono since; /* it has been silent, before its greeting and within a message */
    struct mono stuck_since;
    struct call *calls;
    unsigned call_count;
    struct request_id answered[ANSWERED];
    unsigned next_answered;
    UT_hash_handle hh;
};

struct gateway {
    struct gateway_options options;
    struct streams *streams;
    struct errands errands;
    struct feeds feeds;
    struct guest *guests;
    unsigned guest_max, sub_count;
    uint64_t last_conn;
    size_t held; /* bytes of all guests */
    ev_timer tick;
    int64_t line_second; /* in which so many lines were said, and so many not */
    unsigned lines, unsaid;
};

/* ---- what is said of refusals ------------------------------------------------------------------
 */

static void say_more(struct gateway *gateway)
{
    if (gateway->unsaid)
        gateway->options.handlers->on_more(gateway->options.data, gateway->unsaid);
    gateway->unsaid = 0;
}

/* However many come, the log gets a few lines a second. */
static void report(struct gateway *gateway, const char *remote, const char *why)
{
    int64_t second = mono_now().us / 1000000;

    if (second != gateway->line_second) {
        say_more(gateway);
        gateway->line_second = second;
        gateway->lines = 0;
    }
    if (gateway->lines++ < GATEWAY_LINES)
        gateway->options.handlers->on_refused(gateway->options.data, remote, why);
    else
        gateway->unsaid++;
    if (!ev_is_active(&gateway->tick))
        ev_timer_again(gateway->options.loop, &gateway->tick);
}

/* ---- guests ------------------------------------------------------------------------------------
 */

static struct guest *find(const struct gateway *gateway, uint64_t conn)
{
    struct guest *guest = NULL;

    HASH_FIND(hh, gateway->guests, &conn, sizeof conn, guest);
    return guest;
}

/* What it has asked is answered to nobody. */
static void forget(struct guest *guest)
{
    struct gateway *gateway = guest->gateway;

    for (struct call *call = guest->calls; call; call = call->next)
        call->guest = NULL;
    gateway->held -= guest->held;
    if (guest->protocol == SP_SUB)
        feeds_want(&gateway->feeds, --gateway->sub_count > 0);
    HASH_DEL(gateway->guests, guest);
    buf_finish(&guest->in);
    free(guest);
}

static void refuse(struct guest *guest, const char *why)
{
    report(guest->gateway, guest->remote, why);
    streams_close(guest->gateway->streams, guest->conn, false);
    forget(guest);
}

/* Brings the sum of bytes up to date. False: it has more than its own while all have too much. */
static bool is_within_bounds(struct guest *guest)
{
    struct gateway *gateway = guest->gateway;
    size_t held = buf_length(&guest->in) + streams_queued(gateway->streams, guest->conn);

    gateway->held += held - guest->held;
    guest->held = held;
    return held <= GATEWAY_OWN || gateway->held <= GATEWAY_SHARED;
}

static void send_message(struct guest *guest, const struct request_id *id, const void *body,
                         size_t size)
{
    struct streams *streams = guest->gateway->streams;
    uint8_t head[SPTCP_HEAD + SP_REQUEST_HEADER_MAX];
    unsigned id_size = id ? id->size : 0;

    sptcp_head(id_size + size, head);
    if (id)
        memcpy(head + SPTCP_HEAD, id->bytes, id_size);
    streams_send(streams, guest->conn, head, SPTCP_HEAD + id_size);
    if (size)
        streams_send(streams, guest->conn, body, size);
}

/* ---- news --------------------------------------------------------------------------------------
 */

static void send_news(struct guest *guest, const struct buf *news)
{
    if (streams_queued(guest->gateway->streams, guest->conn) <= GATEWAY_OUT) {
        send_message(guest, NULL, buf_front(news), buf_length(news));
        if (!is_within_bounds(guest))
            refuse(guest, "overloaded: too much waits for guests");
        return;
    }
    if (!guest->misses_news)
        report(guest->gateway, guest->remote, "it reads too slowly, and misses news");
    guest->misses_news = true;
}

static void publish(struct gateway *gateway, const struct buf *news)
{
    struct guest *guest, *next;

    HASH_ITER (hh, gateway->guests, guest, next)
        if (guest->protocol == SP_SUB)
            send_news(guest, news);
}

static void on_news(void *data, const char *path, const uint8_t *body, size_t size)
{
    struct buf news = {0};

    if (buf_printf(&news, "%s\t", path) < 0 || buf_append(&news, body, size) < 0)
        memory_fail();
    publish(data, &news);
    buf_finish(&news);
}

static void write_node(struct buf *news, const char *node, const char *reason)
{
    if (buf_printf(news, "%s\t%s\t%s", "sys/node", reason ? "down" : "up", node) < 0 ||
        (reason && raw_put(news, false, reason, strlen(reason)) < 0))
        memory_fail();
}

void gateway_on_node(struct gateway *gateway, const char *node, const char *reason)
{
    struct buf news = {0};

    write_node(&news, node, reason);
    publish(gateway, &news);
    buf_finish(&news);
}

static void tell_of_session(void *ctx, const struct peers_row *row)
{
    struct buf news = {0};

    write_node(&news, row->identity.name, NULL);
    send_message(ctx, NULL, buf_front(&news), buf_length(&news));
    buf_finish(&news);
}

static void begin_subscription(struct guest *guest)
{
    struct gateway *gateway = guest->gateway;

    gateway->sub_count++;
    feeds_want(&gateway->feeds, true);
    peers_each(gateway->options.peers, tell_of_session, guest);
}

/* ---- calls -------------------------------------------------------------------------------------
 */

static bool is_same(const struct request_id *id, const struct request_id *other)
{
    return id->size == other->size && memcmp(id->bytes, other->bytes, id->size) == 0;
}

/* nng sends a request again when it is impatient: it is not done twice. */
static bool is_repeated(const struct guest *guest, const struct request_id *id)
{
    for (const struct call *call = guest->calls; call; call = call->next)
        if (is_same(&call->id, id))
            return true;
    for (int i = 0; i < ANSWERED; i++)
        if (is_same(&guest->answered[i], id))
            return true;
    return false;
}

static void answer(struct guest *guest, const struct request_id *id, const void *body, size_t size)
{
    guest->answered[guest->next_answered++ % ANSWERED] = *id;
    send_message(guest, id, body, size);
}

static void answer_error(struct guest *guest, const struct request_id *id, const char *why)
{
    char line[WHY_SIZE];

    snprintf(line, sizeof line, "!%s", why);
    answer(guest, id, line, strlen(line));
}

static struct call *make_call(struct guest *guest, const struct request_id *id)
{
    struct call *call = memory_zeroed(sizeof *call);

    call->gateway = guest->gateway;
    call->guest = guest;
    call->id = *id;
    DL_APPEND(guest->calls, call);
    guest->call_count++;
    return call;
}

static void end_call(struct call *call)
{
    if (call->guest) {
        DL_DELETE(call->guest->calls, call);
        call->guest->call_count--;
    }
    free(call);
}

/* ---- what a guest says
 * --------------------------------------------------------------------------- */

/* What came of one message: the next may be read; it has to wait, and is read again; the guest is
 * gone. */
enum step { STEP_NEXT, STEP_WAIT, STEP_GONE };

static enum step refuse_step(struct guest *guest, const char *why)
{
    refuse(guest, why);
    return STEP_GONE;
}

static void report_letter(struct guest *guest, const struct gate_letter *letter, const char *why)
{
    char text[WHY_SIZE + ADDR_PATH_MAX];

    snprintf(text, sizeof text, "%s%s%s", letter->path, *letter->path ? ": " : "", why);
    report(guest->gateway, guest->remote, text);
}

static enum step take_push(struct guest *guest, const uint8_t *body, size_t size)
{
    struct gateway *gateway = guest->gateway;
    struct gate_letter letter;
    const char *why = gate_read(&gateway->options.gate, body, size, &letter);

    if (why)
        report_letter(guest, &letter, why);
    else if (errands_cast(&gateway->errands, letter.path, letter.message, letter.size) < 0)
        return STEP_WAIT;
    return STEP_NEXT;
}

static enum step take_request(struct guest *guest, const uint8_t *body, size_t size)
{
    struct gateway *gateway = guest->gateway;
    struct request_id id = {.size = (unsigned)sp_request_header(body, size)};
    struct gate_letter letter;
    struct call *call;
    const char *why;

    if (!id.size)
        return refuse_step(guest, "a request without a number");
    if (guest->call_count >= GATEWAY_CALLS)
        return STEP_WAIT;
    memcpy(id.bytes, body, id.size);
    if (is_repeated(guest, &id))
        return STEP_NEXT;
    why = gate_read(&gateway->options.gate, body + id.size, size - id.size, &letter);
    if (why) {
        report_letter(guest, &letter, why);
        answer_error(guest, &id, why);
        return STEP_NEXT;
    }
    call = make_call(guest, &id);
    if (errands_call(&gateway->errands, letter.path, letter.message, letter.size, call) == 0)
        return STEP_NEXT;
    end_call(call);
    answer_error(guest, &id, "overloaded");
    return STEP_NEXT;
}

static enum step take_greeting(struct guest *guest)
{
    uint8_t header[SPTCP_GREETING];
    const char *why;
    int protocol;

    if (buf_length(&guest->in) < SPTCP_GREETING)
        return STEP_WAIT;
    protocol = sp_header_read(buf_front(&guest->in));
    buf_consume(&guest->in, SPTCP_GREETING);
    why = gate_greet(&guest->gateway->options.gate, protocol);
    if (why)
        return refuse_step(guest, why);
    guest->protocol = protocol;
    sp_header_write(protocol == SP_REQ ? SP_REP : protocol == SP_PUSH ? SP_PULL : SP_PUB, header);
    streams_send(guest->gateway->streams, guest->conn, header, sizeof header);
    if (protocol == SP_SUB)
        begin_subscription(guest);
    return STEP_NEXT;
}

static enum step take_message(struct guest *guest, uint64_t size)
{
    const uint8_t *body = buf_front(&guest->in) + SPTCP_HEAD;
    enum step step;

    if (guest->protocol == SP_SUB)
        return refuse_step(guest, "a message from a subscriber");
    step =
        guest->protocol == SP_REQ ? take_request(guest, body, size) : take_push(guest, body, size);
    if (step != STEP_NEXT)
        return step;
    buf_consume(&guest->in, SPTCP_HEAD + size);
    guest->since = mono_now();
    return STEP_NEXT;
}

/* is_whole: a message is there, and has to wait. */
static enum step take(struct guest *guest, bool *is_whole)
{
    char why[80];
    uint64_t size;
    int found;

    *is_whole = false;
    if (!guest->protocol)
        return take_greeting(guest);
    found = sptcp_next(buf_front(&guest->in), buf_length(&guest->in), GATEWAY_MESSAGE, &size);
    if (found < 0) {
        snprintf(why, sizeof why, "a message of %llu bytes: more than %d", (unsigned long long)size,
                 GATEWAY_MESSAGE);
        return refuse_step(guest, why);
    }
    if (found == 0)
        return STEP_WAIT;
    *is_whole = true;
    if (streams_queued(guest->gateway->streams, guest->conn) > GATEWAY_OUT)
        return STEP_WAIT;
    return take_message(guest, size);
}

/* As far as it goes. A guest with a whole message that has to wait is not read meanwhile. */
static void work(struct guest *guest)
{
    enum step step;
    bool is_whole;

    do
        step = take(guest, &is_whole);
    while (step == STEP_NEXT);
    if (step == STEP_GONE)
        return;
    if (!is_within_bounds(guest)) {
        refuse(guest, "overloaded: too much waits of guests");
        return;
    }
    if (guest->is_held && !is_whole)
        guest->since = mono_now(); /* it was we who let it wait */
    guest->is_held = is_whole;
    streams_pause(guest->gateway->streams, guest->conn, is_whole);
}

/* ---- what becomes of errands
 * ----------------------------------------------------------------------- */

static void on_answered(void *data, void *token, const void *body, size_t size)
{
    struct call *call = token;
    struct guest *guest = call->guest;

    (void)data;
    if (guest)
        answer(guest, &call->id, body, size);
    end_call(call);
    if (guest && !is_within_bounds(guest))
        refuse(guest, "overloaded: too much waits for guests");
    else if (guest && guest->is_held)
        work(guest);
}

static void on_lost(void *data, const char *path, const char *why)
{
    char text[WHY_SIZE + ADDR_PATH_MAX];

    snprintf(text, sizeof text, "%s: %s", path, why);
    report(data, "", text);
}

static void on_room(void *data)
{
    struct gateway *gateway = data;
    struct guest *guest, *next;

    HASH_ITER (hh, gateway->guests, guest, next)
        if (guest->is_held)
            work(guest);
}

static const struct errands_handlers on_errand = {on_answered, on_lost, on_room};

/* ---- time
 * ------------------------------------------------------------------------------------------ */

static bool is_late(const struct guest *guest, struct mono now)
{
    int64_t limit_ms = guest->protocol ? GATEWAY_PARTIAL_MS : GATEWAY_GREETING_MS;
    bool owes = !guest->protocol || (buf_length(&guest->in) && !guest->is_held);

    return owes && mono_diff_ms(now, guest->since) >= limit_ms;
}

/* Has not a byte of what waits for it gone for so long? */
static bool is_stuck(struct guest *guest, struct mono now)
{
    size_t queued = streams_queued(guest->gateway->streams, guest->conn);

    if (queued == 0 || queued < guest->queued || guest->queued == 0)
        guest->stuck_since = now;
    guest->queued = queued;
    return queued && mono_diff_ms(now, guest->stuck_since) >= GATEWAY_STUCK_MS;
}

static void look_at(struct guest *guest, struct mono now)
{
    if (is_late(guest, now))
        refuse(guest, !guest->protocol            ? "no greeting within 5 s"
                      : guest->protocol == SP_SUB ? "half a message from a subscriber"
                                                  : "half a message for 30 s");
    else if (is_stuck(guest, now))
        refuse(guest, "it has read nothing for 30 s");
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct gateway *gateway = container_of(timer, struct gateway, tick);
    struct mono now = mono_now();
    struct guest *guest, *next;

    (void)events;
    HASH_ITER (hh, gateway->guests, guest, next)
        look_at(guest, now);
    if (now.us / 1000000 != gateway->line_second)
        say_more(gateway);
    if (!gateway->guests && !gateway->unsaid)
        ev_timer_stop(loop, timer);
}

/* ---- streams
 * ---------------------------------------------------------------------------------------- */

static unsigned guests_of_host(const struct gateway *gateway, const char *host)
{
    unsigned count = 0;

    for (const struct guest *guest = gateway->guests; guest; guest = guest->hh.next)
        count += !strcmp(guest->host, host);
    return count;
}

static uint64_t on_accepted(void *data, const char *remote, bool is_tls)
{
    struct gateway *gateway = data;
    char host[GATE_HOST_MAX + 1];
    struct guest *guest;

    (void)is_tls;
    gate_host(remote, host);
    if (HASH_COUNT(gateway->guests) >= gateway->guest_max) {
        report(gateway, remote, "too many guests");
        return 0;
    }
    if (guests_of_host(gateway, host) >= GATEWAY_GUESTS_OF_HOST) {
        report(gateway, remote, "too many guests of one host");
        return 0;
    }
    guest = memory_zeroed(sizeof *guest);
    guest->gateway = gateway;
    guest->conn = ++gateway->last_conn;
    guest->since = mono_now();
    snprintf(guest->remote, sizeof guest->remote, "%s", remote);
    memcpy(guest->host, host, sizeof host);
    HASH_ADD(hh, gateway->guests, conn, sizeof guest->conn, guest);
    if (!ev_is_active(&gateway->tick))
        ev_timer_again(gateway->options.loop, &gateway->tick);
    return guest->conn;
}

static void on_connected(void *data, uint64_t conn)
{
    (void)data;
    (void)conn;
}

static void on_received(void *data, uint64_t conn, const void *bytes, size_t size)
{
    struct guest *guest = find(data, conn);

    if (!guest)
        return;
    if (!buf_length(&guest->in) && guest->protocol)
        guest->since = mono_now();
    if (buf_append(&guest->in, bytes, size) < 0)
        memory_fail();
    work(guest);
}

static void on_written(void *data, uint64_t conn)
{
    struct guest *guest = find(data, conn);

    if (!guest)
        return;
    is_within_bounds(guest);
    guest->misses_news = false;
    if (guest->is_held)
        work(guest);
}

/* One that has greeted may go without a word; before that, its end is why it could not. */
static void on_ended(void *data, uint64_t conn, const char *why)
{
    struct guest *guest = find(data, conn);

    if (!guest)
        return;
    if (!guest->protocol)
        report(data, guest->remote, why);
    else if (buf_length(&guest->in))
        report(data, guest->remote, "it ended within a message");
    forget(guest);
}

static const struct streams_handlers on_stream = {on_accepted, on_connected, on_received,
                                                  on_written, on_ended};

/* ---- life
 * --------------------------------------------------------------------------------------------- */

static void init_parts(struct gateway *gateway)
{
    const struct gateway_options *options = &gateway->options;

    gateway->guest_max =
        options->descriptors < GATEWAY_GUESTS ? options->descriptors : GATEWAY_GUESTS;
    gateway->errands = (struct errands){.loop = options->loop,
                                        .run_dir = options->run_dir,
                                        .self = options->self,
                                        .target_max = options->descriptors,
                                        .handlers = &on_errand,
                                        .data = gateway};
    errands_init(&gateway->errands);
    gateway->feeds = (struct feeds){.loop = options->loop,
                                    .run_dir = options->run_dir,
                                    .publishers = options->publishers,
                                    .count = options->publisher_count,
                                    .on_news = on_news,
                                    .data = gateway};
    ev_timer_init(&gateway->tick, on_tick, 0., TICK_MS / 1000.);
}

struct gateway *gateway_create(const struct gateway_options *options, char url[AUTH_URL_MAX + 1],
                               struct error *err)
{
    struct gateway *gateway = memory_zeroed(sizeof *gateway);

    gateway->options = *options;
    init_parts(gateway);
    gateway->streams = streams_create(options->loop, &options->tls, err);
    if (!gateway->streams || streams_listen(gateway->streams, url, err) < 0) {
        free(gateway); /* the process ends: nng is not waited for */
        return NULL;
    }
    streams_serve(gateway->streams, &on_stream, gateway);
    return gateway;
}

void gateway_destroy(struct gateway *gateway)
{
    if (!gateway)
        return;
    ev_timer_stop(gateway->options.loop, &gateway->tick);
    errands_finish(&gateway->errands);
    while (gateway->guests)
        forget(gateway->guests);
    streams_destroy(gateway->streams);
    free(gateway);
}
