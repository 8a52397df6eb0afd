/* Two switchboards with a session between them that is a list: processes here, mailboxes there. */
#include "../../cluster/channel.h"
#include "../../cluster/switchboard.h"
#include "../../cluster/callers.h"
#include "control.h"
#include "peer.h"
#include "place.h"
#include "rundir.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

enum { DESCRIPTORS = 64, CHANNELS = DESCRIPTORS / 4, SHORT_MS = 500 };

struct parcel {
    struct parcel *prev, *next;
    size_t size;
    uint8_t bytes[];
};

/* A node: its switchboard, and what it has sent to the other and the other has not received. */
struct node {
    const char *name, *other;
    char run[96];
    struct switchboard board;
    struct switchboard_side side;
    struct parcel *sent;
    const char *why; /* what its switchboard has against the session */
    bool is_full;    /* requests find no room */
    bool is_held;    /* what it sends does not arrive yet */
    size_t frames;   /* received, in all */
};

static struct node east = {.name = "east", .other = "west"},
                   west = {.name = "west", .other = "east"};

/* ---- the session ----------------------------------------------------------------------------- */

static int send_message(struct switchboard_side *side, const struct switchboard_message *message)
{
    struct node *node = container_of(side, struct node, side);
    struct parcel *parcel;
    size_t size = 0;

    if (node->is_full && !message->must) {
        errno = EAGAIN;
        return -1;
    }
    for (int i = 0; i < message->count; i++)
        size += message->parts[i].iov_len;
    parcel = calloc(1, sizeof *parcel + size);
    for (int i = 0; i < message->count; i++) {
        if (message->parts[i].iov_len)
            memcpy(parcel->bytes + parcel->size, message->parts[i].iov_base,
                   message->parts[i].iov_len);
        parcel->size += message->parts[i].iov_len;
    }
    DL_APPEND(node->sent, parcel);
    return 0;
}

static void carry(struct node *from, struct node *to)
{
    while (from->sent && !from->is_held) {
        struct parcel *parcel = from->sent;

        DL_DELETE(from->sent, parcel);
        to->frames++;
        switchboard_receive(&to->side, parcel->bytes, parcel->size, &to->why);
        free(parcel);
    }
}

static ev_prepare carrier;

static void on_turn(struct ev_loop *l, ev_prepare *prepare, int events)
{
    (void)l;
    (void)prepare;
    (void)events;
    carry(&east, &west);
    carry(&west, &east);
}

static struct losses losses;
static uint64_t lost;

static void on_lost(uint64_t messages)
{
    lost += messages;
}

static int visits;

static void on_visit(void *data, struct sp_conn *conn, const uint8_t *hello, size_t size)
{
    (void)data;
    (void)hello;
    (void)size;
    visits++;
    sp_conn_close(conn, false);
}

static void start(struct node *node)
{
    snprintf(node->run, sizeof node->run, "%s/%s", dir, node->name);
    mkdir(node->run, 0700);
    node->board = (struct switchboard){.loop = loop,
                                       .run_dir = node->run,
                                       .node = node->name,
                                       .rights = {.node_uid = geteuid()},
                                       .grant = RIGHT_ALL,
                                       .hooks = {send_message, on_visit},
                                       .losses = &losses};
    node->why = NULL;
    node->is_full = node->is_held = false;
    switchboard_start(&node->board, rundir_listen(node->run, "sys/node"), DESCRIPTORS);
    switchboard_begin(&node->board, &node->side, node->other);
}

static void drop_sent(struct node *node)
{
    while (node->sent) {
        struct parcel *parcel = node->sent;

        DL_DELETE(node->sent, parcel);
        free(parcel);
    }
}

/* ---- who speaks: actors of east, and one of west that listens ---------------------------------
 */

struct seen {
    struct peer *peer;
    int opened, envelopes, closed;
    int rest; /* after so many envelopes it reads no more; 0: never */
    uint8_t kind;
    uint64_t ref, first_ref; /* of the last envelope, and of the first */
    uint64_t written;        /* of its stream, when it was closed */
    char from[ADDR_TEXT_MAX + 1], text[128], why[128];
};

static struct seen client, actor;
static struct sp_listener *mailbox;

static void on_open(struct peer *peer)
{
    struct seen *seen = peer_data(peer);

    seen->opened++;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct seen *seen = peer_data(peer);

    if (fd >= 0)
        close(fd);
    if (seen->envelopes++ == 0)
        seen->first_ref = env->ref;
    if (seen->envelopes == seen->rest)
        peer_pause(peer, true);
    seen->kind = env->kind;
    seen->ref = env->ref;
    snprintf(seen->from, sizeof seen->from, "%s", peer_remote(peer));
    snprintf(seen->text, sizeof seen->text, "%.*s", (int)env->payload_size,
             (const char *)env->payload);
}

static void on_close(struct peer *peer, const char *why)
{
    struct seen *seen = peer_data(peer);

    seen->closed++;
    seen->peer = NULL;
    seen->written = peer_written(peer);
    snprintf(seen->why, sizeof seen->why, "%s", why);
}

static const struct peer_handlers handlers = {
    .on_open = on_open, .on_envelope = on_envelope, .on_close = on_close};

static bool accept_peer(struct sp_conn *conn)
{
    peer_close(actor.peer, false);
    actor.peer = peer_accept(conn, "shop/db@west#3", &handlers, &actor);
    return actor.peer != NULL;
}

static void begin(bool with_actor)
{
    const struct sp_handlers sp = peer_sp_handlers(accept_peer);

    client = actor = (struct seen){0};
    start(&east);
    start(&west);
    mailbox =
        with_actor ? sp_listen(loop, rundir_listen(west.run, "shop/db"), NULL, &sp, NULL) : NULL;
}

static void dial(const char *to, const char *self)
{
    client = (struct seen){0};
    client.peer = peer_dial(loop, east.run, to, self, (struct mono){0}, &handlers, &client);
}

static void end(void)
{
    peer_close(client.peer, false);
    peer_close(actor.peer, false);
    sp_listener_destroy(mailbox, false);
    switchboard_finish(&east.board);
    switchboard_finish(&west.board);
    drop_sent(&east);
    drop_sent(&west);
}

static int say(enum envelope_kind kind, const char *from, uint64_t ref)
{
    struct envelope env = {.kind = (uint8_t)kind,
                           .ref = ref,
                           .from = envelope_text(from),
                           .type = envelope_text("add"),
                           .payload = "five",
                           .payload_size = 4};

    return peer_send(client.peer, &env, -1);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void test_messages(void)
{
    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    say(ENVELOPE_CALL, "", 7);
    CHECK(UNTIL(actor.envelopes == 1) && actor.ref == 7 && !strcmp(actor.text, "five"),
          "a call goes to the mailbox of another node");
    tap_is_text(actor.from, "shop/a@east#1", "which knows whose it is");
    peer_reply_error(actor.peer, 7, "error no");
    CHECK(UNTIL(client.envelopes == 1) && client.ref == 7 && !strcmp(client.text, "error no"),
          "and its answer comes back");
    tap_is_text(client.from, "shop/db@west#3", "from who was meant");
    peer_close(client.peer, true);
    client.peer = NULL;
    CHECK(UNTIL(actor.closed == 1) && UNTIL(!switchboard_counts(&west.side).incoming) &&
              !switchboard_counts(&east.side).outgoing,
          "when one end goes, so does the other, and nothing is left between them");
    end();
}

static void test_names(void)
{
    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    (void)UNTIL(client.opened);
    say(ENVELOPE_CALL, "shop/boss@west#1", 8);
    CHECK(UNTIL(client.envelopes == 1) && client.kind == ENVELOPE_ERROR && client.ref == 8 &&
              !strcmp(client.text, "denied between nodes") + !strcmp(client.text, "denied"),
          "who sends in another's name is denied");
    say(ENVELOPE_REPLY, "", 9);
    say(ENVELOPE_CALL, "", 10);
    CHECK(UNTIL(actor.envelopes == 1) && actor.ref == 10, "only requests go to a mailbox");
    peer_close(client.peer, false);
    dial("shop/db@west", "shop/a@north#1");
    CHECK(UNTIL(client.closed) && !strncmp(client.why, "denied", 6),
          "an address of another node is not believed");
    end();
}

static void test_nobody(void)
{
    begin(false);
    dial("shop/nobody@west", "shop/a@east#1");
    CHECK(UNTIL(client.closed) && !strcmp(client.why, "noproc"), "nobody there is noproc");
    dial("shop/nobody@north", "shop/a@east#1");
    CHECK(UNTIL(client.closed) && !strcmp(client.why, "noconnection"),
          "no such node is noconnection");
    CHECK(!switchboard_counts(&west.side).incoming && !switchboard_counts(&east.side).outgoing,
          "and nothing is left of either");
    end();
}

static void test_losses_of_a_leftover(void)
{
    const struct envelope hello = {.kind = ENVELOPE_HELLO,
                                   .from = envelope_text("sys/node@east#1")};
    const struct envelope cast = {.kind = ENVELOPE_CAST, .type = envelope_text("note")};
    uint64_t before = losses.untold;
    struct buf frames = {0};

    peer_frame_append(&frames, &hello);
    peer_frame_append(&frames, &cast);
    peer_frame_append(&frames, &cast);
    losses_add_frames(&losses, &frames);
    CHECK(losses.untold == before + 2, "messages that did not go are counted, and not the HELLO");
    losses.untold = before;
    buf_finish(&frames);
}

static void test_session_lost(void)
{
    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    say(ENVELOPE_CALL, "", 7);
    (void)UNTIL(actor.envelopes == 1);
    switchboard_end(&east.side);
    switchboard_end(&west.side);
    CHECK(UNTIL(client.closed == 1) && UNTIL(actor.closed == 1),
          "the end of a session is the end of its channels, at both ends");
    dial("shop/db@west", "shop/a@east#1");
    CHECK(UNTIL(client.closed) && !strcmp(client.why, "noconnection"),
          "after it there is no connection");
    switchboard_begin(&east.board, &east.side, "west");
    switchboard_begin(&west.board, &west.side, "east");
    dial("shop/db@west", "shop/a@east#1");
    say(ENVELOPE_CALL, "", 8);
    CHECK(UNTIL(actor.envelopes == 2) && actor.ref == 8, "and with the next one there is again");
    end();
}

/* Who has not heard the HELLO of who is meant sends all of it again: so nothing goes there before. */
static void test_before_hello(void)
{
    begin(true);
    west.is_held = true;
    west.frames = 0;
    dial("shop/db@west", "shop/a@east#1");
    say(ENVELOPE_CALL, "", 7);
    CHECK(UNTIL(actor.opened) && west.frames == 1 && !client.opened,
          "before the hello has come back nothing is said but who is meant");
    switchboard_end(&east.side);
    CHECK(UNTIL(client.closed) && !strcmp(client.why, "noconnection"),
          "a session that ends then is no connection");
    loop_run_for(loop, 50);
    CHECK(actor.envelopes == 0, "and nobody has got anything");
    switchboard_begin(&east.board, &east.side, "west");
    end();
}

/* A sender that goes at once: what it said is kept for a while, and then counted. */
static void test_gone_before_hello(void)
{
    uint64_t before = lost + losses.untold;

    begin(true);
    west.is_held = true;
    dial("shop/db@west", "shop/a@east#1");
    say(ENVELOPE_CAST, "", 0);
    peer_flush(client.peer);
    (void)UNTIL(actor.opened);
    peer_close(client.peer, true);
    client.peer = NULL;
    west.is_held = false;
    CHECK(UNTIL(actor.envelopes == 1), "who has gone before the hello came has its message delivered");
    end();
    begin(true);
    west.is_held = true;
    dial("shop/db@west", "shop/a@east#1");
    (void)UNTIL(actor.opened);
    peer_close(client.peer, true);
    CHECK(UNTIL(!switchboard_counts(&east.side).outgoing), "who has gone and said nothing is not kept");
    dial("shop/db@west", "shop/a@east#1");
    say(ENVELOPE_CAST, "", 0);
    (void)UNTIL(switchboard_counts(&east.side).outgoing);
    peer_close(client.peer, true);
    client.peer = NULL;
    CHECK(UNTIL(!switchboard_counts(&east.side).outgoing) &&
              UNTIL(lost + losses.untold == before + 1),
          "nor, for ever, who has, and that is counted");
    end();
}

static void test_full(void)
{
    uint64_t before = lost + losses.untold;

    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    east.is_full = true;
    say(ENVELOPE_CALL, "", 7);
    CHECK(UNTIL(client.envelopes == 1) && client.ref == 7 && !strcmp(client.text, "overloaded"),
          "a session without room is overloaded, by name, and after the hello of who is meant");
    say(ENVELOPE_CAST, "", 0);
    CHECK(UNTIL(lost + losses.untold == before + 1) && client.envelopes == 1,
          "a cast that nobody wants to hear of is counted");
    east.is_full = false;
    say(ENVELOPE_CALL, "", 8);
    CHECK(UNTIL(actor.envelopes == 1) && actor.ref == 8, "and with room it goes on");
    west.board.grant = 0;
    say(ENVELOPE_CAST, "", 0);
    CHECK(UNTIL(lost + losses.untold == before + 2), "at the other end, too");
    end();
}

/* Casts of 32 kB, to a mailbox that does not read: some of them the kernel takes, others stay with
 * us. */
static void cast_to_deaf(int count)
{
    static char payload[32768];
    struct envelope env = {.kind = ENVELOPE_CAST,
                           .type = envelope_text("add"),
                           .payload = payload,
                           .payload_size = sizeof payload};

    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    (void)UNTIL(client.opened);
    peer_pause(actor.peer, true);
    west.frames = 0;
    for (int i = 0; i < count; i++)
        peer_send(client.peer, &env, -1);
    (void)UNTIL(west.frames == (size_t)count);
}

static void end_actor(void)
{
    east.frames = 0;
    peer_close(actor.peer, false);
    actor.peer = NULL;
}

static void test_mailbox_ends(void)
{
    enum { CASTS = 24 };

    lost = 0;
    cast_to_deaf(CASTS);
    end_actor();
    CHECK(UNTIL(client.closed) && client.envelopes > 0 && client.envelopes < CASTS,
          "casts that a mailbox had not taken when it ended come back");
    CHECK(client.kind == ENVELOPE_CAST, "as they went");
    end();
    CHECK(lost == 0, "and are not counted as lost");
    cast_to_deaf(CASTS);
    end_actor();
    peer_close(client.peer, true);
    client.peer = NULL;
    CHECK(UNTIL(lost > 0) && lost < CASTS, "when who sent them has gone they are");
    end();
}

static const char *node_after(struct node *node, enum channel_kind kind, uint32_t id,
                              const void *body, size_t size);

/* Longer than a connection is given to take what is left of it. */
static void wait_long(void)
{
    struct mono since = mono_now();

    (void)UNTIL(mono_diff_ms(mono_now(), since) > 2 * SHORT_MS);
}

static void test_who_is_busy(void)
{
    enum { CASTS = 24, ENDS = 2 };
    uint64_t before = lost + losses.untold;

    cast_to_deaf(CASTS);
    peer_pause(client.peer, true);
    end_actor();
    wait_long();
    peer_pause(client.peer, false);
    CHECK(UNTIL(client.closed) && client.envelopes > 0 &&
              (size_t)client.envelopes == east.frames - ENDS,
          "who sent them, and is busy for a while, gets all that came back");
    end();
    cast_to_deaf(CASTS);
    peer_close(client.peer, true);
    client.peer = NULL;
    (void)UNTIL(!switchboard_counts(&west.side).incoming);
    wait_long();
    peer_pause(actor.peer, false);
    CHECK(UNTIL(actor.closed) && actor.envelopes == CASTS,
          "and a mailbox that is busy all that was sent to it, though the sender has gone");
    CHECK(lost + losses.untold == before, "so that nothing is lost");
    end();
    cast_to_deaf(CASTS);
    peer_close(client.peer, true);
    client.peer = NULL;
    (void)UNTIL(!switchboard_counts(&west.side).incoming);
    end_actor();
    CHECK(UNTIL(lost + losses.untold > before),
          "if it ends before, what it had not taken is counted");
    CHECK(UNTIL(!west.board.partings.count), "and nothing is left of it");
    end();
}

/* A sender that rests, and then has more to say, to a mailbox that is busy all the while. */
static void test_order_over_a_rest(void)
{
    enum { CASTS = 24 };

    cast_to_deaf(CASTS);
    peer_close(client.peer, true);
    (void)UNTIL(!switchboard_counts(&west.side).incoming);
    dial("shop/db@west", "shop/a@east#1");
    say(ENVELOPE_CALL, "", 9);
    (void)UNTIL(switchboard_counts(&west.side).incoming == 1);
    loop_run_for(loop, 50);
    CHECK(actor.opened == 1, "what comes by another channel waits for what is on its way still");
    peer_pause(actor.peer, false);
    CHECK(UNTIL(actor.ref == 9) && actor.envelopes == CASTS + 1, "and is read behind it");
    end();
    cast_to_deaf(CASTS);
    peer_close(client.peer, true);
    (void)UNTIL(!switchboard_counts(&west.side).incoming);
    dial("shop/db@west", "shop/a@east#1");
    (void)UNTIL(switchboard_counts(&west.side).incoming == 1);
    peer_close(client.peer, true);
    client.peer = NULL;
    CHECK(UNTIL(!switchboard_counts(&west.side).incoming), "who does not wait for that may go");
    end();
}

/* The mailbox has ended, west has said so, and east does not know yet. */
static void end_unheard(void)
{
    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    (void)UNTIL(client.opened);
    west.is_held = true;
    peer_close(actor.peer, false);
    actor.peer = NULL;
    sp_listener_destroy(mailbox, false);
    mailbox = NULL;
    (void)UNTIL(!switchboard_counts(&west.side).incoming);
    west.frames = 0;
}

/* Nothing that the kernel took of a call is lost between the end of a mailbox and the word of it.
 */
static void test_on_the_way(void)
{
    end_unheard();
    say(ENVELOPE_CALL, "", 11);
    (void)UNTIL(west.frames == 1);
    say(ENVELOPE_CALL, "", 12);
    peer_flush(client.peer); /* east has not read that when it hears of the end */
    west.is_held = false;
    CHECK(UNTIL(client.closed) && client.envelopes == 2,
          "calls that cross the word of an end come back");
    CHECK(client.kind == ENVELOPE_CALL && client.first_ref == 11 && client.ref == 12 &&
              !strcmp(client.text, "five"),
          "whole, in order, before the connection ends");
    CHECK(!switchboard_counts(&east.side).outgoing && !east.why && !west.why,
          "and nothing is left of it");
    end();
}

/* A node that says that a mailbox has ended, and then no more, costs nobody here a descriptor. */
static void test_end_without_an_end(void)
{
    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    (void)UNTIL(client.opened);
    west.is_held = true;
    node_after(&east, CHANNEL_ENDED, 1, "closed", 6);
    CHECK(UNTIL(west.frames == 2), "a mailbox ends, and all that its caller had sent is read");
    peer_close(client.peer, false);
    client.peer = NULL;
    CHECK(UNTIL(!switchboard_counts(&east.side).outgoing),
          "who goes while returns are awaited is noticed, though nothing is read of it any more");
    end();
}

/* More comes back than may wait for one process: the rest of it is lost, and not all. */
static void test_too_much_on_the_way(void)
{
    enum { CASTS = 24, ENDS = 2, SIZE = 1 << 20 };
    static char payload[SIZE];
    struct envelope env = {
        .kind = ENVELOPE_CAST, .payload = payload, .payload_size = sizeof payload};
    uint64_t before = lost + losses.untold;

    end_unheard();
    peer_pause(client.peer, true);
    for (int i = 0; i < CASTS; i++)
        while (peer_send(client.peer, &env, -1) < 0)
            ev_run(loop, EVRUN_ONCE);
    (void)UNTIL(west.frames == CASTS);
    west.is_held = false;
    (void)UNTIL(east.frames >= CASTS + ENDS && !switchboard_counts(&east.side).outgoing);
    client.rest = 5;
    peer_pause(client.peer, false);
    (void)UNTIL(client.envelopes == client.rest);
    wait_long(); /* when little enough waits for more to be taken, but not nothing */
    peer_pause(client.peer, false);
    CHECK(UNTIL(client.closed) && client.envelopes > client.rest && client.envelopes < CASTS,
          "of more returns than may wait, those that may come back");
    CHECK(client.envelopes + (lost + losses.untold - before) == CASTS, "the others are counted");
    end();
}

/* Half of a frame in the kernel: the rest never comes, and is not waited for. */
static void test_half_on_the_way(void)
{
    static char payload[4 << 20];
    struct envelope env = {
        .kind = ENVELOPE_CAST, .payload = payload, .payload_size = sizeof payload};

    end_unheard();
    west.is_held = false;
    peer_send(client.peer, &env, -1);
    peer_flush(client.peer);
    CHECK(UNTIL(client.closed) && client.envelopes == 0 && client.written > 0 &&
              client.written < sizeof payload,
          "half of a frame is not waited for, and does not come back");
    end();
}

/* Answers to somebody who reads none do not pile up, and are not left out unsaid. */
static void test_deaf(void)
{
    int sent = 0;

    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    (void)UNTIL(client.opened);
    east.is_full = true;
    peer_pause(client.peer, true);
    while (sent < 400000 && say(ENVELOPE_CALL, "", 100) == 0)
        if (++sent % 1000 == 0)
            (void)UNTIL(peer_queued(client.peer) == 0 || !switchboard_counts(&east.side).outgoing);
    CHECK(UNTIL(!switchboard_counts(&east.side).outgoing),
          "who reads no refusals loses its connection");
    end();
}

/* ---- who keeps to nothing -------------------------------------------------------------------- */

static const char *node_after(struct node *node, enum channel_kind kind, uint32_t id,
                              const void *body, size_t size)
{
    uint8_t bytes[2048];

    node->why = NULL;
    channel_head(kind, id, bytes);
    if (size)
        memcpy(bytes + CHANNEL_HEAD, body, size);
    switchboard_receive(&node->side, bytes, CHANNEL_HEAD + size, &node->why);
    return node->why;
}

static const char *after(enum channel_kind kind, uint32_t id, const void *body, size_t size)
{
    return node_after(&west, kind, id, body, size);
}

static const char *after_open(uint32_t id, const char *to, const char *from)
{
    uint8_t bytes[CHANNEL_OPEN_MAX];
    size_t size = channel_open(id, to, from, bytes);

    west.why = NULL;
    switchboard_receive(&west.side, bytes, size, &west.why);
    return west.why;
}

static const char *last_reason(uint32_t id)
{
    static char text[64];
    struct channel_frame frame;
    const char *why;

    text[0] = '\0';
    for (struct parcel *p = west.sent; p; p = p->next)
        if (channel_decode(p->bytes, p->size, &frame, &why) == 0 && frame.id == id &&
            frame.kind == CHANNEL_ENDED)
            snprintf(text, sizeof text, "%.*s", (int)frame.size, (const char *)frame.body);
    drop_sent(&west);
    return text;
}

static void test_hostile(void)
{
    static const char *const odd[] = {"",
                                      ".",
                                      "..",
                                      "../etc",
                                      "/etc/passwd",
                                      "shop//db",
                                      "shop/db@east",
                                      "shop/db#3",
                                      "shop/.table",
                                      "shop/.supervisor/x",
                                      ".lock"};
    struct envelope cast = {.kind = ENVELOPE_CAST, .from = envelope_text("shop/boss@west#1")};
    uint8_t header[ENVELOPE_HEADER_MAX];
    size_t size = envelope_encode_header(&cast, header), plain;
    bool all = true;

    begin(true);
    CHECK(after_open(1, "shop/db", "shop/a@north#1"), "from a third node: the session ends");
    CHECK(after_open(1, "shop/db", "shop/a#1"), "from no node: the session ends");
    CHECK(!after_open(1, "shop/db", "shop/a@east#1") && after_open(1, "shop/db", "shop/a@east#1"),
          "the number of a channel in use: the session ends");
    CHECK(after(CHANNEL_FORTH, 1, header, size), "in another's name: the session ends");
    cast.from = envelope_text("");
    CHECK(after(CHANNEL_FORTH, 1, header, envelope_encode_header(&cast, header)),
          "before the hello of who is meant: the session ends");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        all &= !after_open(2, odd[i], "shop/a@east#1") && !strcmp(last_reason(2), "noproc");
    CHECK(all, "what is no mailbox is noproc, whatever it names");
    cast.from = envelope_text("");
    plain = envelope_encode_header(&cast, header);
    CHECK(!after(CHANNEL_SHUT, 1, NULL, 0) && !after(CHANNEL_SHUT, 1, NULL, 0) &&
              !after(CHANNEL_ENDED, 99, "x", 1) && !after(CHANNEL_BACK, 99, "x", 1) &&
              !after(CHANNEL_FORTH, 99, "x", 1) && !after(CHANNEL_RETURN, 99, header, plain),
          "frames of channels that are over say nothing");
    CHECK(switchboard_counts(&west.side).incoming == 0, "and leave nothing");
    end();
}

/* What a node says it returns went to it. */
static void test_false_returns(void)
{
    struct envelope cast = {.kind = ENVELOPE_CAST, .payload = "too much", .payload_size = 8};
    struct envelope reply = {.kind = ENVELOPE_REPLY};
    uint8_t bytes[ENVELOPE_HEADER_MAX + 8];
    size_t size = envelope_encode_header(&cast, bytes);

    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    (void)UNTIL(client.opened);
    memcpy(bytes + size, "too much", 8);
    CHECK(node_after(&east, CHANNEL_RETURN, 1, bytes, size + 8),
          "a return of more than was sent: the session ends");
    size = envelope_encode_header(&reply, bytes);
    CHECK(node_after(&east, CHANNEL_RETURN, 1, bytes, size),
          "a return of an answer: the session ends");
    cast.from = envelope_text("shop/boss@east#1");
    cast.payload_size = 0;
    size = envelope_encode_header(&cast, bytes);
    CHECK(node_after(&east, CHANNEL_RETURN, 1, bytes, size),
          "a return in another's name: the session ends");
    cast.from = envelope_text("");
    size = envelope_encode_header(&cast, bytes);
    CHECK(node_after(&east, CHANNEL_BACK, 1, bytes, size),
          "a message in place of an answer: the session ends");
    CHECK(client.envelopes == 0, "and nobody gets them");
    end();
}

/* It would pass for one that its caller had sent, and would go again in that one's name. */
static void test_mailbox_that_sends(void)
{
    struct envelope env = {.kind = ENVELOPE_CAST, .type = envelope_text("forged")};

    begin(true);
    dial("shop/db@west", "shop/a@east#1");
    say(ENVELOPE_CALL, "", 7);
    (void)UNTIL(actor.envelopes == 1);
    peer_send(actor.peer, &env, -1);
    env.kind = ENVELOPE_CALL;
    env.ref = 7;
    peer_send(actor.peer, &env, -1);
    peer_reply_error(actor.peer, 7, "error no");
    CHECK(UNTIL(client.envelopes > 0) && client.first_ref == 7 && client.kind == ENVELOPE_ERROR &&
              client.envelopes == 1 && !east.why,
          "what a mailbox sends besides answers does not come to its callers");
    end();
}

static void test_channels_are_bounded(void)
{
    uint32_t id = 0;

    begin(true);
    while (id < CHANNELS)
        after_open(++id, "shop/db", "shop/a@east#1");
    drop_sent(&west);
    CHECK(switchboard_counts(&west.side).incoming == CHANNELS, "a session has so many channels");
    CHECK(!after_open(++id, "shop/db", "shop/a@east#1") && !strcmp(last_reason(id), "overloaded"),
          "and no more: the next is overloaded, by name");
    after(CHANNEL_SHUT, 1, NULL, 0);
    after_open(++id, "shop/db", "shop/a@east#1");
    tap_is_text(last_reason(id), "", "until one is shut");
    end();
}

static void test_mutes(void)
{
    static const struct sp_handlers none = {0};
    struct sp_conn *conn;
    struct mono start_at = mono_now();

    begin(false);
    conn = sp_dial(loop, east.run, "sys/node", SP_PAIR0, (struct mono){0}, NULL, &none, NULL);
    (void)UNTIL(east.board.unopened);
    CHECK(UNTIL(!east.board.unopened) && mono_diff_ms(mono_now(), start_at) >= SHORT_MS - 100,
          "who does not say in time whom it means is closed");
    sp_conn_close(conn, false);
    end();
}

int main(void)
{
    if (place_make("switchboard-test"))
        return 1;
    sp_flush_ms = callers_patience_ms = SHORT_MS;
    ev_prepare_init(&carrier, on_turn);
    ev_prepare_start(loop, &carrier);
    losses_init(&losses, loop, on_lost);
    test_messages();
    test_names();
    test_nobody();
    test_losses_of_a_leftover();
    test_session_lost();
    test_before_hello();
    test_gone_before_hello();
    test_full();
    test_mailbox_ends();
    test_who_is_busy();
    test_order_over_a_rest();
    test_on_the_way();
    test_too_much_on_the_way();
    test_half_on_the_way();
    test_end_without_an_end();
    test_deaf();
    test_hostile();
    test_false_returns();
    test_mailbox_that_sends();
    test_channels_are_bounded();
    test_mutes();
    ev_prepare_stop(loop, &carrier);
    losses_finish(&losses);
    place_leave();
    return tap_done();
}
