#include "buf.h"
#include "place.h"
#include "rundir.h"
#include "sp.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what the handlers saw --------------------------------------------------------------- */

enum { SEEN_MAX = 20000 };

struct seen {
    int opened, messages, closed, drained;
    uint32_t numbers[SEEN_MAX]; /* first four bytes of each message */
    size_t last_size;
    uint8_t first[64];
    int fds[64], fd_with[64], fd_count;
    char why[128];
    struct sp_conn *conn;
};

static struct seen server, client;
static bool (*when_open)(struct sp_conn *conn);
static void (*when_message)(struct sp_conn *conn, const uint8_t *body, size_t size);
static struct sp_listener *listener;

static struct seen *seen_of(struct sp_conn *conn)
{
    return sp_conn_data(conn);
}

static bool on_open(struct sp_conn *conn)
{
    struct seen *seen = seen_of(conn);

    seen->opened++;
    seen->conn = conn;
    return seen == &server && when_open ? when_open(conn) : true;
}

static void on_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct seen *seen = seen_of(conn);

    if (fd >= 0) {
        seen->fd_with[seen->fd_count] = seen->messages;
        seen->fds[seen->fd_count++] = fd;
    }
    if (size >= 4 && seen->messages < SEEN_MAX)
        memcpy(&seen->numbers[seen->messages], body, 4);
    if (size <= sizeof seen->first)
        memcpy(seen->first, body, size);
    seen->last_size = size;
    seen->messages++;
    if (seen == &server && when_message)
        when_message(conn, body, size);
}

static void on_close(struct sp_conn *conn, const char *why)
{
    struct seen *seen = seen_of(conn);

    seen->closed++;
    seen->conn = NULL;
    snprintf(seen->why, sizeof seen->why, "%s", why);
}

static void on_drain(struct sp_conn *conn)
{
    seen_of(conn)->drained++;
}

static const struct sp_handlers handlers = {
    .on_open = on_open, .on_message = on_message, .on_close = on_close, .on_drain = on_drain};

static void turns(int n)
{
    while (n--)
        ev_run(loop, EVRUN_ONCE);
}

static void serve(const struct sp_limits *limits)
{
    static const struct seen nothing;

    server = client = nothing;
    when_open = NULL;
    when_message = NULL;
    listener = sp_listen(loop, rundir_listen(dir, "box"), limits, &handlers, &server);
}

static void end(void)
{
    if (client.conn)
        sp_conn_close(client.conn, false);
    sp_listener_destroy(listener, false);
    listener = NULL;
}

static struct sp_conn *dial(int64_t patience_ms)
{
    struct mono deadline = {0};

    if (patience_ms)
        deadline = mono_add_ms(mono_now(), patience_ms);
    client.conn = sp_dial(loop, dir, "box", SP_PAIR0, deadline, NULL, &handlers, &client);
    return client.conn;
}

static int send_number(struct sp_conn *conn, uint32_t number, int fd)
{
    struct iovec part = {&number, sizeof number};

    return sp_send(conn, &part, 1, fd);
}

/* ---- a client that speaks bytes ------------------------------------------------------------ */

static int raw_connect(void)
{
    return rundir_connect(dir, "box");
}

static void raw_header(int fd, unsigned protocol)
{
    uint8_t header[8];

    sp_header_write((enum sp_protocol)protocol, header);
    if (write(fd, header, sizeof header) != sizeof header)
        tap_note("a header could not be written: %s", strerror(errno));
}

static void raw_frame(int fd, const void *body, uint64_t claimed, size_t size)
{
    uint8_t frame[128] = {1};

    for (int i = 0; i < 8; i++)
        frame[1 + i] = (uint8_t)(claimed >> (56 - 8 * i));
    memcpy(frame + 9, body, size);
    if (write(fd, frame, 9 + size) < 0)
        tap_note("a frame could not be written: %s", strerror(errno));
}

/* What comes within the patience: the bytes, or 0 at the end, or -1 for nothing. */
static ssize_t raw_read(int fd, uint8_t *bytes, size_t size)
{
    ssize_t n = -1;

    (void)UNTIL((n = read(fd, bytes, size)) >= 0 || errno != EAGAIN);
    return n;
}

static bool is_at_end(int fd)
{
    uint8_t byte;
    ssize_t n;

    return UNTIL((n = read(fd, &byte, 1)) == 0 || (n < 0 && errno != EAGAIN));
}

static bool is_still_open(int fd)
{
    uint8_t byte;

    return read(fd, &byte, 1) < 0 && errno == EAGAIN;
}

/* ---- the tests ------------------------------------------------------------------------------ */

static void echo(struct sp_conn *conn, const uint8_t *body, size_t size)
{
    struct iovec part = {(void *)body, size};

    sp_send(conn, &part, 1, -1);
}

static void test_exchange(void)
{
    bool ordered = true;

    serve(NULL);
    when_message = echo;
    dial(5000);
    CHECK(client.opened == 0 && server.opened == 0,
          "nothing is called back before sp_dial returns");
    for (uint32_t i = 0; i < 10000; i++)
        send_number(client.conn, i, -1);
    CHECK(UNTIL(client.messages == 10000),
          "10,000 messages that were sent before the connection stood come back");
    for (uint32_t i = 0; i < 10000; i++)
        ordered = ordered && server.numbers[i] == i && client.numbers[i] == i;
    CHECK(ordered, "in order, both ways");
    CHECK(sp_conn_protocol(server.conn) == SP_PAIR0 &&
              sp_conn_creds(server.conn)->pid == getpid() &&
              sp_conn_creds(server.conn)->uid == geteuid(),
          "the listener knows the dialer's protocol and credentials");
    CHECK(send_number(client.conn, 7, -1) == 0 && UNTIL(client.messages == 10001),
          "a message of its own comes as well");
    CHECK(sp_send(client.conn, NULL, 0, -1) == 0 && UNTIL(client.messages == 10002) &&
              client.last_size == 0,
          "so does an empty one");
    sp_conn_close(client.conn, false);
    client.conn = NULL;
    CHECK(UNTIL(server.closed == 1) && client.closed == 0,
          "a close is heard by the other side only");
    end();
}

static void test_one_write_a_turn(void)
{
    uint8_t bytes[4096];
    int fd;

    serve(NULL);
    fd = raw_connect();
    raw_header(fd, SP_PAIR0);
    (void)UNTIL(server.conn);
    CHECK(raw_read(fd, bytes, sizeof bytes) == 8, "the listener answers with its header");
    for (uint32_t i = 0; i < 100; i++)
        send_number(server.conn, i, -1);
    CHECK(is_still_open(fd), "nothing is written while a callback runs");
    CHECK(raw_read(fd, bytes, sizeof bytes) == 100 * 13, "then everything goes at once");
    close(fd);
    end();
}

static void test_large(void)
{
    enum { LARGE = 16 << 20 };
    uint8_t *body = calloc(1, LARGE + 1);
    struct iovec part = {body, LARGE};

    serve(NULL);
    dial(5000);
    body[0] = 42;
    CHECK(sp_send(client.conn, &part, 1, -1) == 0, "16 MiB are a message");
    CHECK(send_number(client.conn, 1, -1) == -1 && errno == EAGAIN, "behind it the outbox is full");
    CHECK(UNTIL(server.messages == 1) && server.last_size == LARGE && server.numbers[0] == 42,
          "it arrives whole");
    CHECK(UNTIL(client.drained == 1) && send_number(client.conn, 1, -1) == 0,
          "the sender hears that there is room again");
    part.iov_len = LARGE + 1;
    CHECK(sp_send(client.conn, &part, 1, -1) == -1 && errno == EMSGSIZE,
          "one byte more is refused");
    end();
    free(body);
}

static void test_full_outbox(void)
{
    struct sp_limits limits = {.max_outbox = 100000};
    int sent = 0, more;

    serve(NULL);
    client.conn =
        sp_dial(loop, dir, "box", SP_PAIR0, (struct mono){0}, &limits, &handlers, &client);
    when_message = NULL;
    (void)UNTIL(server.opened);
    sp_conn_pause(server.conn, true);
    for (int i = 0; i < 200; i++) { /* fills the kernel's buffers, then ours */
        while (send_number(client.conn, (uint32_t)sent, -1) == 0)
            sent++;
        turns(1);
    }
    CHECK(errno == EAGAIN && server.messages == 0 && sp_conn_queued(client.conn) > 90000,
          "a receiver that does not read makes the outbox full");
    more = client.drained;
    sp_conn_pause(server.conn, false);
    CHECK(UNTIL(server.messages == sent) && client.drained > more,
          "when it reads again all arrives, and the sender is told");
    end();
}

static void test_asking_for_room(void)
{
    struct sp_limits limits = {.max_outbox = 100000};
    uint8_t block[1000] = {0};
    struct iovec part = {block, sizeof block};

    serve(NULL);
    client.conn =
        sp_dial(loop, dir, "box", SP_PAIR0, (struct mono){0}, &limits, &handlers, &client);
    (void)UNTIL(server.opened);
    sp_conn_ask_drain(client.conn, 1);
    CHECK(client.drained == 0, "who asks for room is never told within");
    CHECK(UNTIL(client.drained == 1), "an empty outbox has room at once");
    sp_conn_pause(server.conn, true);
    for (int i = 0; i < 2000 && sp_conn_queued(client.conn) < 40000; i++) {
        sp_send(client.conn, &part, 1, -1);
        sp_conn_flush(client.conn);
    }
    sp_conn_ask_drain(client.conn, 5000);
    turns(5);
    CHECK(client.drained == 1 && sp_conn_queued(client.conn) >= 5000,
          "nobody is told before there is that much room");
    sp_conn_pause(server.conn, false);
    CHECK(UNTIL(client.drained == 2) && sp_conn_queued(client.conn) < 5000, "then once");
    turns(5);
    CHECK(client.drained == 2, "and not again");
    end();
}

/* What had come at a moment, read or not, is told from what came later. */
static void test_places(void)
{
    uint64_t place;

    serve(NULL);
    dial(5000);
    (void)UNTIL(server.opened && client.opened);
    sp_conn_pause(server.conn, true);
    for (uint32_t i = 0; i < 3; i++)
        send_number(client.conn, i, -1);
    sp_conn_flush(client.conn);
    place = sp_conn_come(server.conn);
    CHECK(place == 8 + 3 * 13, "what lies in the socket has come");
    send_number(client.conn, 3, -1);
    sp_conn_flush(client.conn);
    CHECK(sp_conn_has_before(server.conn, place), "it is still to be delivered");
    sp_conn_pause(server.conn, false);
    CHECK(UNTIL(server.messages == 4) && sp_conn_taken(server.conn) == place + 13 &&
              !sp_conn_has_before(server.conn, place),
          "until it is");
    end();
}

static void test_descriptors(void)
{
    struct stat sent[3], got;
    int fds[3], right = 0;

    serve(NULL);
    dial(5000);
    for (int i = 0; i < 3; i++) {
        fds[i] = memfd_create("passenger", MFD_CLOEXEC);
        fstat(fds[i], &sent[i]);
    }
    for (uint32_t i = 0, next = 0; i < 100; i++)
        send_number(client.conn, i, i == 10 || i == 11 || i == 90 ? fds[next++] : -1);
    CHECK(UNTIL(server.messages == 100) && server.fd_count == 3,
          "three descriptors travel among 100 messages");
    CHECK(server.fd_with[0] == 10 && server.fd_with[1] == 11 && server.fd_with[2] == 90,
          "each arrives with its message");
    for (int i = 0; i < server.fd_count; i++) {
        right += !fstat(server.fds[i], &got) && got.st_ino == sent[i].st_ino &&
                 fcntl(server.fds[i], F_GETFD) == FD_CLOEXEC;
        close(server.fds[i]);
    }
    CHECK(right == 3, "and is the one that was sent, close-on-exec");
    right = 0;
    for (int i = 0; i < 3; i++) /* the number may be somebody else's by now */
        right += fstat(fds[i], &got) || got.st_ino != sent[i].st_ino;
    CHECK(right == 3, "the sender's is closed when it is gone");
    end();
}

static void test_descriptor_in_large_message(void)
{
    enum { SIZE = 1 << 20 };
    uint8_t *body = calloc(1, SIZE);
    struct iovec part = {body, SIZE};

    serve(NULL);
    dial(5000);
    send_number(client.conn, 1, -1);
    sp_send(client.conn, &part, 1, open("/dev/null", O_RDONLY | O_CLOEXEC));
    send_number(client.conn, 2, open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(UNTIL(server.messages == 3) && server.fd_count == 2 && server.fd_with[0] == 1 &&
              server.fd_with[1] == 2,
          "a descriptor of a message that needs many writes arrives with that message");
    for (int i = 0; i < server.fd_count; i++)
        close(server.fds[i]);
    end();
    free(body);
}

static void test_dialling_nobody(void)
{
    struct mono start = mono_now();
    int64_t took;
    int fd;

    serve(NULL);
    end();
    unlink("box");
    CHECK(dial(5000) && client.closed == 0,
          "dialling a path that is not there returns a connection");
    CHECK(send_number(client.conn, 1, -1) == 0, "that takes messages");
    CHECK(UNTIL(client.closed) && !strcmp(client.why, "noproc"), "then ends with noproc");
    CHECK(mono_diff_ms(mono_now(), start) < 4000, "at once");

    serve(NULL);
    end(); /* the file stays, nobody listens */
    start = mono_now();
    dial(5000);
    CHECK(UNTIL(client.closed) && !strcmp(client.why, "noproc"),
          "a socket that nobody serves is noproc");
    took = mono_diff_ms(mono_now(), start);
    CHECK(took >= 950 && took < 5000, "after a second");
    client.closed = 0;
    dial(100);
    CHECK(UNTIL(client.closed) && !strcmp(client.why, "timeout"),
          "or timeout when the deadline is sooner");

    client.closed = 0;
    dial(5000);
    send_number(client.conn, 77, -1);
    turns(3);
    fd = rundir_listen(dir, "box");
    listener = sp_listen(loop, fd, NULL, &handlers, &server);
    CHECK(UNTIL(server.messages == 1) && server.numbers[0] == 77 && !client.closed,
          "a socket that is served within that second is reached");
    end();
}

static void test_queue(void)
{
    enum { QUEUE = 3 };
    int fds[QUEUE + 8], n = 0, fd;

    serve(NULL);
    fd = sp_listener_destroy(listener, true);
    CHECK(fd >= 0, "a listening descriptor may outlive its listener");
    listen(fd, QUEUE);
    while (n < QUEUE + 8 && (fds[n] = raw_connect()) >= 0)
        n++;
    CHECK(n < QUEUE + 8 && errno == EAGAIN, "a full queue says so");
    dial(10000);
    send_number(client.conn, 5, -1);
    turns(10);
    CHECK(!client.closed, "a dialer waits for room in it");
    listener = sp_listen(loop, fd, NULL, &handlers, &server);
    CHECK(UNTIL(server.messages == 1) && server.numbers[0] == 5,
          "and gets through when somebody serves");
    while (n)
        close(fds[--n]);
    end();
    serve(NULL);
    fd = sp_listener_destroy(listener, true);
    dial(200);
    CHECK(UNTIL(client.closed) && !strcmp(client.why, "timeout"),
          "one that is never served times out");
    close(fd);
    listener = NULL;
}

static void test_garbage(void)
{
    uint8_t bytes[64];
    int fd;

    serve(NULL);
    fd = raw_connect();
    turns(5);
    CHECK(is_still_open(fd), "a stranger is not closed before its header");
    if (write(fd, "GET / H", 7) == 7)
        turns(5);
    CHECK(is_still_open(fd), "nor after seven bytes");
    if (write(fd, "T", 1) == 1)
        CHECK(is_at_end(fd), "but after eight that are no SP header");
    close(fd);
    fd = raw_connect();
    raw_header(fd, 0x11);
    CHECK(is_at_end(fd) && !server.opened, "PAIR1 is not served");
    close(fd);
    fd = raw_connect();
    raw_header(fd, SP_PAIR0);
    (void)UNTIL(server.opened);
    raw_frame(fd, "", 1ull << 60, 0);
    CHECK(UNTIL(server.closed) && strstr(server.why, "more than 16777216"),
          "a frame that claims 2^60 bytes ends its connection, and the reason is told");
    close(fd);
    fd = raw_connect();
    raw_header(fd, SP_PAIR0);
    (void)UNTIL(server.opened == 2);
    raw_read(fd, bytes, 8);
    if (write(fd, "\x02", 1) == 1)
        CHECK(UNTIL(server.closed == 2) && strstr(server.why, "type 0x02"),
              "so does an unknown type of frame");
    close(fd);
    end();
}

static void test_answers(void)
{
    static const unsigned pairs[][2] = {
        {SP_PUSH, SP_PULL}, {SP_REQ, SP_REP}, {SP_SUB, SP_PUB}, {SP_PAIR0, SP_PAIR0}};

    serve(NULL);
    for (size_t i = 0; i < 4; i++) {
        uint8_t got[8] = {0};
        int fd = raw_connect();

        raw_header(fd, pairs[i][0]);
        CHECK(raw_read(fd, got, 8) == 8 && sp_header_read(got) == (int)pairs[i][1],
              "a dialer of protocol 0x%02x is answered 0x%02x", pairs[i][0], pairs[i][1]);
        close(fd);
    }
    end();
}

static bool refuse_all(struct sp_conn *conn)
{
    (void)conn;
    return false;
}

static void test_refusal(void)
{
    int fd;

    serve(NULL);
    when_open = refuse_all;
    fd = raw_connect();
    raw_header(fd, SP_REQ);
    CHECK(is_at_end(fd) && server.opened == 1 && server.closed == 0,
          "who is refused is closed without an answer, and without on_close");
    close(fd);
    end();
}

static void test_bytewise(void)
{
    uint8_t stream[8 + 3 * 13];
    bool early = false;
    int fd;

    serve(NULL);
    sp_header_write(SP_PUSH, stream);
    for (uint32_t i = 0; i < 3; i++) {
        uint8_t *frame = stream + 8 + 13 * i;

        memcpy(frame, "\1\0\0\0\0\0\0\0\4", 9);
        memcpy(frame + 9, &i, 4);
    }
    fd = raw_connect();
    for (size_t i = 0; i < sizeof stream; i++) {
        early = early || server.messages > (i < 8 ? 0 : ((int)i - 8) / 13);
        if (write(fd, stream + i, 1) != 1)
            break;
        turns(1);
    }
    CHECK(!early && UNTIL(server.messages == 3) && server.numbers[2] == 2,
          "frames may come byte by byte");
    if (write(fd, "\1\0\0", 3) == 3)
        turns(2);
    close(fd);
    CHECK(UNTIL(server.closed) && !strcmp(server.why, "end of stream") && server.messages == 3,
          "half a frame at the end is no message");
    end();
}

static void test_last_words(void)
{
    int fd;

    serve(NULL);
    when_message = echo; /* fails: nobody reads */
    fd = raw_connect();
    raw_header(fd, SP_PAIR0);
    for (uint32_t i = 0; i < 5; i++)
        raw_frame(fd, &i, 4, 4);
    close(fd);
    CHECK(UNTIL(server.closed) && server.messages == 5,
          "what was written before a close is read, though it cannot be answered");
    end();

    serve(NULL);
    dial(5000);
    (void)UNTIL(server.opened && client.opened);
    for (uint32_t i = 0; i < 200; i++)
        send_number(server.conn, i, -1);
    sp_conn_close(server.conn, true);
    send_number(client.conn, 1, -1);
    CHECK(UNTIL(client.closed) && client.messages == 200,
          "a flushing close delivers all that was queued, then the end");
    end();
}

static void close_it(struct sp_conn *conn, const uint8_t *body, size_t size)
{
    static uint8_t copy[16];
    uint8_t before[16];

    memcpy(before, body, size < 16 ? size : 16);
    sp_conn_close(conn, false);
    memcpy(copy, body, size < 16 ? size : 16);
    if (memcmp(before, copy, size < 16 ? size : 16))
        tap_note("the body changed under its reader");
    server.conn = NULL;
}

static void destroy_it(struct sp_conn *conn, const uint8_t *body, size_t size)
{
    (void)conn;
    (void)body;
    (void)size;
    sp_listener_destroy(listener, false);
    listener = NULL;
    server.conn = NULL;
}

static void test_closing_within(void)
{
    serve(NULL);
    when_message = close_it;
    dial(5000);
    for (uint32_t i = 0; i < 50; i++)
        send_number(client.conn, i, -1);
    CHECK(UNTIL(client.closed) && server.messages == 1 && server.closed == 0,
          "a connection may be closed while its message is shown; no more comes");
    end();
    serve(NULL);
    when_message = destroy_it;
    dial(5000);
    for (uint32_t i = 0; i < 50; i++)
        send_number(client.conn, i, -1);
    CHECK(UNTIL(client.closed) && server.messages == 1, "so may the whole listener");
    end();
}

static void run_within(struct sp_conn *conn, const uint8_t *body, size_t size)
{
    uint32_t mine, after;
    static int depth;

    (void)conn;
    memcpy(&mine, body, sizeof mine);
    if (size > 4 || depth >= 5)
        return;
    depth++;
    (void)UNTIL(server.messages >= 500);
    depth--;
    memcpy(&after, body, sizeof after);
    if (after != mine)
        tap_ok(false, "a body stays as it is while the loop runs within");
}

static void test_loop_within(void)
{
    bool ordered = true;

    serve(NULL);
    when_message = run_within;
    dial(5000);
    for (uint32_t i = 0; i < 500; i++)
        send_number(client.conn, i, -1);
    CHECK(UNTIL(server.messages == 500),
          "a handler may run the loop, and gets the later messages there");
    for (uint32_t i = 0; i < 500; i++)
        ordered = ordered && server.numbers[i] == i;
    CHECK(ordered, "in order");
    end();
}

static void pause_it(struct sp_conn *conn, const uint8_t *body, size_t size)
{
    (void)body;
    (void)size;
    if (server.messages % 10 == 0)
        sp_conn_pause(conn, true);
}

static void test_pause(void)
{
    serve(NULL);
    when_message = pause_it;
    dial(5000);
    for (uint32_t i = 0; i < 25; i++)
        send_number(client.conn, i, -1);
    CHECK(UNTIL(server.messages == 10), "messages come until the reader pauses");
    turns(10);
    CHECK(server.messages == 10, "then none");
    sp_conn_close(client.conn, true);
    client.conn = NULL;
    turns(5);
    CHECK(server.closed == 0, "nor the end");
    sp_conn_pause(server.conn, false);
    CHECK(UNTIL(server.messages == 20), "when it goes on the next ones come");
    sp_conn_pause(server.conn, false);
    CHECK(UNTIL(server.closed) && server.messages == 25, "then the rest, then the end");
    end();
}

static void test_many_conns(void)
{
    struct sp_limits limits = {.max_conns = 2};
    int fds[3];

    serve(&limits);
    for (int i = 0; i < 3; i++) {
        fds[i] = raw_connect();
        raw_header(fds[i], SP_PAIR0);
    }
    CHECK(UNTIL(server.opened == 2), "as many connections as are allowed are served");
    turns(10);
    CHECK(server.opened == 2 && is_still_open(fds[2]), "the next waits in the queue");
    close(fds[0]);
    CHECK(UNTIL(server.opened == 3), "until one ends");
    close(fds[1]);
    close(fds[2]);
    end();
}

static void test_idle(void)
{
    struct mono start = mono_now();

    serve(NULL);
    dial(5000);
    sp_conn_set_idle_close(client.conn, 200);
    CHECK(UNTIL(client.closed) && !strcmp(client.why, "idle") &&
              mono_diff_ms(mono_now(), start) >= 195,
          "an idle dialer closes when it was asked to");
    end();
    serve(NULL);
    dial(5000);
    sp_conn_set_idle_close(client.conn, 1500);
    for (int i = 0; i < 9; i++) {
        struct mono from = mono_now();

        send_number(client.conn, 1, -1);
        (void)UNTIL(mono_diff_ms(mono_now(), from) >= 200);
    }
    CHECK(!client.closed, "one that is in use does not");
    sp_conn_set_idle_close(client.conn, 0);
    start = mono_now();
    (void)UNTIL(mono_diff_ms(mono_now(), start) >= 1700);
    CHECK(!client.closed, "nor one for which it was switched off");
    end();
}

/* Who is dialled may be a while in coming: what was sent waits, however idle it is. */
static void test_idle_and_late(void)
{
    struct mono start = mono_now();

    serve(NULL);
    sp_listener_rest(listener);
    dial(0);
    sp_conn_set_idle_close(client.conn, 100);
    send_number(client.conn, 1, -1);
    (void)UNTIL(client.closed || mono_diff_ms(mono_now(), start) >= 400);
    CHECK(!client.closed, "one that nobody has greeted yet is not idle");
    end();
}

static void test_mute(void)
{
    struct mono start = mono_now();
    int fds[200];
    int64_t took;

    serve(NULL);
    for (int i = 0; i < 200; i++)
        fds[i] = raw_connect();
    dial(5000);
    send_number(client.conn, 1, -1);
    CHECK(UNTIL(server.messages == 1) && mono_diff_ms(mono_now(), start) < 4000,
          "200 mute peers do not keep a good one waiting");
    CHECK(is_at_end(fds[0]) && is_at_end(fds[199]), "a peer that stays mute is closed");
    took = mono_diff_ms(mono_now(), start);
    CHECK(took >= SP_HANDSHAKE_MS - 100 && took < 3 * SP_HANDSHAKE_MS, "after five seconds");
    for (int i = 0; i < 200; i++)
        close(fds[i]);
    end();
}

static void test_codec(void)
{
    static const uint8_t request[] = {0, 0, 0, 1, 0x80, 0, 0, 5, 'h', 'i'}, endless[128];
    uint8_t header[8], hops[128];

    sp_header_write(SP_REQ, header);
    CHECK(!memcmp(header, "\0SP\0\0\x30\0\0", 8) && sp_header_read(header) == SP_REQ,
          "a header is written and read");
    header[7] = 1;
    CHECK(sp_header_read(header) == -1, "its last bytes are zero");
    CHECK(sp_request_header(request, sizeof request) == 8, "a request's header ends with its id");
    memset(hops, 0, sizeof hops);
    hops[SP_REQUEST_HEADER_MAX - 4] = 0x80;
    CHECK(sp_request_header(hops, sizeof hops) == SP_REQUEST_HEADER_MAX,
          "also behind as many hops as nng lets it go");
    CHECK(sp_request_header(request, 7) == 0 && sp_request_header(endless, sizeof endless) == 0,
          "a request without an id is none");
}

int main(void)
{
    if (place_make("sp-test") || chdir(dir))
        return 1;
    test_codec();
    test_exchange();
    test_one_write_a_turn();
    test_large();
    test_full_outbox();
    test_asking_for_room();
    test_places();
    test_descriptors();
    test_descriptor_in_large_message();
    test_dialling_nobody();
    test_queue();
    test_garbage();
    test_answers();
    test_refusal();
    test_bytewise();
    test_last_words();
    test_closing_within();
    test_loop_within();
    test_pause();
    test_many_conns();
    test_idle();
    test_idle_and_late();
    test_mute();
    place_leave();
    unlink("box");
    rmdir(dir);
    return tap_done();
}
