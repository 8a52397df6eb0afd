/*
 * What an actor and its supervisor say to each other, by both ways: the same checks with a socket
 * pair, and with a connection to a mailbox that this test serves. And how a grant is asked for.
 */
#include "control.h"
#include "grant.h"
#include "parent.h"
#include "place.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 3000, LONG = 4000 };

/* ---- our side ------------------------------------------------------------------------------ */

static struct parent parent;
static struct buf told; /* what the supervisor has said: "VERB REST\n" … */
static int gone;

static void on_line(struct parent *p, struct ctl_line *line)
{
    (void)p;
    buf_printf(&told, "%s %s\n", ctl_verb_text(line->verb), line->rest);
}

static void on_gone(struct parent *p)
{
    (void)p;
    gone++;
}

/* Is this all that was said since the last look? */
static bool is_text(struct buf *buf, const char *text)
{
    bool same = buf_length(buf) == strlen(text) && !memcmp(buf_front(buf), text, strlen(text));

    buf_consume(buf, buf_length(buf));
    return same;
}

/* ---- the supervisor's ---------------------------------------------------------------------- */

/* By either way. */
struct far {
    const char *name;
    void (*begin)(void);
    void (*say)(const char *lines); /* whole lines, together */
    void (*listen)(bool on);        /* into `heard` */
    void (*leave)(void);
    void (*end)(void);
};

static struct buf heard;
static int parts; /* datagrams, or envelopes */

static int far_fd;
static ev_io far_reader;

static void on_datagram(struct ev_loop *l, ev_io *watcher, int revents)
{
    char bytes[70000];
    ssize_t size = recv(watcher->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    (void)revents;
    if (size > 0) {
        buf_append(&heard, bytes, (size_t)size);
        parts++;
    } else if (size == 0) {
        ev_io_stop(l, watcher);
    }
}

static void socket_begin(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    far_fd = pair[1];
    ev_io_init(&far_reader, on_datagram, far_fd, EV_READ);
    parent_by_socket(&parent, pair[0]);
}

static void socket_say(const char *lines)
{
    if (send(far_fd, lines, strlen(lines), MSG_NOSIGNAL) < 0)
        abort();
}

static void socket_listen(bool on)
{
    if (on)
        ev_io_start(loop, &far_reader);
    else
        ev_io_stop(loop, &far_reader);
}

static void socket_leave(void)
{
    ev_io_stop(loop, &far_reader);
    if (far_fd >= 0)
        close(far_fd);
    far_fd = -1;
}

static void socket_end(void)
{
    socket_leave();
    close(parent.fd);
}

/* What the mailbox answers to `attach`. */
static enum { GRANT, REFUSE, GARBAGE, HANG_UP, NO_MAILBOX } manner;

static struct sp_listener *listener;
static struct peer *far_peer;
static uint64_t attach_ref;
static char asked[200];

static void event(const char *lines)
{
    struct words words = {0};
    struct envelope env = {
        .kind = ENVELOPE_EVENT, .ref = attach_ref, .type = envelope_text(EVENT_LINE)};
    struct wire_image image;
    char *copy = strdup(lines), *rest = copy, *line;

    while ((line = strsep(&rest, "\n")) && rest)
        words_append(&words, line);
    wire_pack_words(&words, &image);
    env.payload = image.data;
    env.payload_size = (uint32_t)image.size;
    peer_send(far_peer, &env, -1);
    wire_image_finish(&image);
    words_finish(&words);
    free(copy);
}

static void answer_attach(uint64_t ref)
{
    char address[] = "t/me#7", garbage[] = "#x#";
    char *at[] = {manner == GARBAGE ? garbage : address};
    struct words words = {1, at};

    attach_ref = ref;
    if (manner == REFUSE)
        peer_reply_error(far_peer, ref, "refused me: the name is taken");
    else if (manner != HANG_UP)
        peer_reply_words(far_peer, ref, &words, manner == GRANT ? dup(STDIN_FILENO) : -1);
    if (manner == HANG_UP) {
        peer_close(far_peer, false);
        far_peer = NULL;
    }
    if (manner == GRANT)
        event("STOP\n"); /* before anybody there can hear it */
}

static void far_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct words words;

    (void)fd;
    wire_unpack_words(env->payload, env->payload_size, &words);
    if (envelope_text_equals(env->type, CONTROL_ATTACH)) {
        snprintf(asked, sizeof asked, "%s %s", words.at[0], words.at[2]);
        answer_attach(env->ref);
    } else {
        for (size_t i = 0; i < words.count; i++)
            buf_printf(&heard, "%s\n", words.at[i]);
        parts++;
    }
    (void)peer;
    words_finish(&words);
}

static void far_close(struct peer *peer, const char *why)
{
    (void)peer;
    (void)why;
    far_peer = NULL;
}

static bool far_open(struct sp_conn *conn)
{
    static const struct peer_handlers handlers = {.on_envelope = far_envelope,
                                                  .on_close = far_close};

    far_peer = peer_accept(conn, "t@east#2", &handlers, NULL);
    return far_peer != NULL;
}

static void serve(void)
{
    struct sp_handlers sp = peer_sp_handlers(far_open);

    listener = sp_listen(loop, rundir_listen(dir, "t/.supervisor"), NULL, &sp, NULL);
}

static void serve_no_more(void)
{
    peer_close(far_peer, false);
    far_peer = NULL;
    sp_listener_destroy(listener, false);
    listener = NULL;
}

static void peer_begin(void)
{
    struct grant grant;
    struct error err;

    manner = GRANT;
    serve();
    if (grant_ask(&grant, loop, "t/me", true, &err) < 0)
        abort();
    close(grant.mailbox_fd);
    parent_by_peer(&parent, grant.peer, grant.ref);
}

static void peer_listen(bool on)
{
    peer_pause(far_peer, !on);
}

static const struct far FARS[] = {
    {"by a socket", socket_begin, socket_say, socket_listen, socket_leave, socket_end},
    {"by a connection", peer_begin, event, peer_listen, serve_no_more, serve_no_more},
};

/* ---- by both ways -------------------------------------------------------------------------- */

static void begin(const struct far *far)
{
    parts = gone = 0;
    parent_init(&parent, loop, on_line, on_gone);
    far->begin();
    far->listen(true);
    parent_start(&parent);
    if (parent.peer)
        (void)UNTIL(buf_length(&told) > 0); /* the STOP of answer_attach() */
    buf_consume(&told, buf_length(&told));
}

static void end(const struct far *far)
{
    parent_finish(&parent);
    far->end();
    buf_consume(&heard, buf_length(&heard));
}

static void test_saying(const struct far *far)
{
    begin(far);
    CHECK(parent_is_there(&parent), "%s: there is a supervisor", far->name);
    parent_say(&parent, CTL_READY, "to go\nREADY twice");
    CHECK(UNTIL(parts == 1) && is_text(&heard, "READY to go READY twice\n"),
          "%s: a line is said at once, and is one line", far->name);
    parent_say(&parent, CTL_HEARTBEAT, "");
    parent_say(&parent, CTL_STATUS, NULL);
    CHECK(UNTIL(parts == 3) && is_text(&heard, "HEARTBEAT\nSTATUS\n"),
          "%s: without a text it is its verb alone", far->name);
    end(far);
}

static void test_hearing(const struct far *far)
{
    begin(far);
    far->say("DOWN 1 t/a#1 normal\nPING\n");
    CHECK(UNTIL(buf_length(&told) > 20) && is_text(&told, "DOWN 1 t/a#1 normal\nPING \n"),
          "%s: what the supervisor says is told, line by line", far->name);
    end(far);
}

/* Without a turn of our loop. */
static void test_polling(const struct far *far)
{
    begin(far);
    (void)UNTIL(true);
    far->say("STOP\n");
    if (far_peer)
        peer_flush(far_peer);
    parent_poll(&parent);
    CHECK(is_text(&told, "STOP \n"), "%s: what has come can be read at once", far->name);
    end(far);
}

static void say_many(int from, int to)
{
    char text[LONG + 16];

    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "%d %0*d", i, LONG, 0);
        parent_say(&parent, CTL_MONITOR, text);
    }
}

/* The numbers of the MONITOR lines in `heard`, up to the last whole one, go on from *next. */
static bool are_in_order(int *next)
{
    uint8_t *newline;

    while (buf_length(&heard) > 0 &&
           (newline = memchr(buf_front(&heard), '\n', buf_length(&heard)))) {
        int number = -1;

        if (sscanf((char *)buf_front(&heard), "MONITOR %d", &number) != 1 || number != *next)
            return false;
        ++*next;
        buf_consume(&heard, (size_t)(newline - buf_front(&heard)) + 1);
    }
    return true;
}

static void test_waiting(const struct far *far)
{
    int next = 0;

    begin(far);
    far->listen(false);
    say_many(0, MANY);
    CHECK(buf_length(&parent.outbox) > 0, "%s: what there is no room for waits", far->name);
    parent_say(&parent, CTL_HEARTBEAT, "");
    far->listen(true);
    CHECK(UNTIL(!are_in_order(&next) || next == MANY) && next == MANY,
          "%s: and goes in order when there is room; a sign of life was left out", far->name);
    CHECK(buf_length(&parent.outbox) == 0 && UNTIL(buf_length(&heard) == 0), "%s: nothing is left",
          far->name);
    end(far);
}

static void test_draining(const struct far *far)
{
    struct mono start;
    int next = 0;

    begin(far);
    say_many(0, 5);
    parent_drain(&parent, 1000);
    CHECK(!parent.peer || peer_queued(parent.peer) == 0, "%s: a drain waits for what was said",
          far->name);
    (void)UNTIL(!are_in_order(&next) || next == 5);
    far->listen(false);
    say_many(5, 5 + MANY);
    start = mono_now();
    parent_drain(&parent, 100);
    CHECK(next == 5 && mono_diff_ms(mono_now(), start) >= 90 &&
              mono_diff_ms(mono_now(), start) < 5000,
          "%s: but not for ever", far->name);
    end(far);
}

static void test_leaving(const struct far *far)
{
    begin(far);
    far->leave();
    CHECK(UNTIL(gone == 1), "%s: that the supervisor is gone is told, once", far->name);
    parent_say(&parent, CTL_STATUS, "to nobody");
    parent_poll(&parent);
    parent_drain(&parent, 20);
    CHECK(gone == 1 && !parent_is_there(&parent), "%s: then everything is said to nobody",
          far->name);
    end(far);
}

static void test_last_state(void)
{
    begin(&FARS[0]);
    parent_last_state(&parent, "a\0b", 3);
    CHECK(UNTIL(parts == 1) && buf_length(&heard) == 14 &&
              !memcmp(buf_front(&heard), "LAST_STATE\na\0b", 14),
          "by a socket: the last state is a datagram of its own");
    end(&FARS[0]);
    begin(&FARS[1]);
    parent_last_state(&parent, "a\0b", 3);
    parent_say(&parent, CTL_STATUS, "after it");
    CHECK(UNTIL(parts == 1) && is_text(&heard, "STATUS after it\n"),
          "by a connection: there is no next life that could want it");
    end(&FARS[1]);
}

static void test_nobody(void)
{
    parent_init(&parent, loop, on_line, on_gone);
    parent_by_socket(&parent, -1);
    CHECK(!parent_is_there(&parent), "without a descriptor there is no supervisor");
    parent_start(&parent);
    parent_say(&parent, CTL_READY, "");
    parent_poll(&parent);
    parent_drain(&parent, 1000);
    parent_last_state(&parent, "x", 1);
    CHECK(buf_length(&parent.outbox) == 0, "and everything is said to nobody");
    parent_finish(&parent);
}

/* ---- asking for a grant -------------------------------------------------------------------- */

static void test_early_lines(void)
{
    struct grant grant;
    struct error err;

    manner = GRANT;
    serve();
    CHECK(grant_ask(&grant, loop, "t/me", true, &err) == 0 && !strcmp(asked, "me 1"),
          "a supervisor is asked for the last part of the path");
    CHECK(!strcmp(grant.addr.path, "t/me") && grant.addr.incarnation == 7 &&
              !strcmp(grant.addr.node, "east") && grant.mailbox_fd >= 0,
          "it says the address, and who it is says the node");
    close(grant.mailbox_fd);
    for (int i = 0; i < 5; i++)
        ev_run(loop, EVRUN_NOWAIT);
    parent_init(&parent, loop, on_line, on_gone);
    parent_by_peer(&parent, grant.peer, grant.ref);
    CHECK(buf_length(&told) == 0, "what it says at once is not heard");
    parent_start(&parent);
    CHECK(UNTIL(buf_length(&told) > 0) && is_text(&told, "STOP \n"), "before somebody listens");
    parent_finish(&parent);
    serve_no_more();
}

static const char *refusal(int how, const char *path, bool wants_mailbox)
{
    static struct error err;
    struct grant grant;

    manner = how;
    serve();
    if (grant_ask(&grant, loop, path, wants_mailbox, &err) == 0) {
        peer_close(grant.peer, false);
        snprintf(err.text, sizeof err.text, "granted");
    }
    serve_no_more();
    return err.text;
}

static void test_refusals(void)
{
    tap_is_text(refusal(REFUSE, "t/me", true), "t: refused me: the name is taken",
                "a refusal is told as it is");
    tap_is_text(refusal(GARBAGE, "t/me", false), "t: an answer that is not understood",
                "an address that is none is no grant");
    tap_is_text(refusal(HANG_UP, "t/me", false), "t: end of stream",
                "nor is a connection that ends");
    tap_is_text(refusal(NO_MAILBOX, "t/me", true), "t: no mailbox came along",
                "nor is a mailbox that is missing");
    tap_is_text(refusal(NO_MAILBOX, "t/me", false), "granted", "when it was wanted");
    tap_is_text(refusal(GRANT, "u/me", false), "u: noproc", "nobody is there who could grant it");
    tap_is_text(refusal(GRANT, "t//me", false), "\"t//me\": expected a path like shop/helper",
                "what is no path is not asked for");
}

int main(void)
{
    char path[128];

    if (place_make("parent-test"))
        return 1;
    setenv("TROUPE_RUN", dir, 1);
    unsetenv("TROUPE_NODE");
    for (size_t i = 0; i < sizeof FARS / sizeof *FARS; i++) {
        test_saying(&FARS[i]);
        test_hearing(&FARS[i]);
        test_polling(&FARS[i]);
        test_waiting(&FARS[i]);
        test_draining(&FARS[i]);
        test_leaving(&FARS[i]);
    }
    test_last_state();
    test_nobody();
    test_early_lines();
    test_refusals();
    buf_finish(&told);
    buf_finish(&heard);
    place_leave();
    snprintf(path, sizeof path, "%s/t/.supervisor", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/t", dir);
    rmdir(path);
    rmdir(dir);
    return tap_done();
}
