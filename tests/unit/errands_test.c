/* Errands of guests to mailboxes that are here, late, gone, full, or deaf to nng. */
#include "../../cluster/errands.h"
#include "place.h"
#include "rundir.h"
#include "sp.h"
#include "tap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BIG = 400 << 10, TARGETS = 3 };

static struct errands errands;
static char last[64];    /* the last answer */
static void *last_token; /* whose it was */
static char lost[128];
static int answers, rooms, heard, losses;
static bool is_mute, is_deaf; /* the mailbox does not answer; does not take raw messages */
static bool is_stuck;         /* it greets, and reads no more */
static struct sp_conn *asked; /* where the last message came */
static uint8_t asked_id[4];   /* of the first */
static char heard_text[64], heard_first[64];
static int token, other; /* nothing but their addresses */

/* ---- whom they are for ------------------------------------------------------------------------
 */

static void on_answered(void *data, void *whose, const void *body, size_t size)
{
    (void)data;
    snprintf(last, sizeof last, "%.*s", (int)size, (const char *)body);
    last_token = whose;
    answers++;
}

static void on_lost(void *data, const char *path, const char *why)
{
    (void)data;
    snprintf(lost, sizeof lost, "%s: %s", path, why);
    losses++;
}

static void on_room(void *data)
{
    (void)data;
    rooms++;
}

static const struct errands_handlers handlers = {on_answered, on_lost, on_room};

static void begin(void)
{
    errands = (struct errands){
        .loop = loop, .run_dir = dir, .target_max = TARGETS, .handlers = &handlers};
    errands_init(&errands);
    *last = *lost = *heard_text = '\0';
    answers = rooms = heard = losses = 0;
    last_token = NULL;
    is_mute = is_deaf = is_stuck = false;
}

/* ---- mailboxes ----------------------------------------------------------------------------------
 */

static bool on_open(struct sp_conn *conn)
{
    if (!is_stuck)
        return !is_deaf;
    sp_conn_flush(conn); /* its greeting */
    sp_conn_pause(conn, true);
    return true;
}

static void on_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct iovec parts[2] = {{(void *)body, 4}, {"+yes", 4}};

    (void)fd;
    asked = conn;
    heard++;
    if (heard == 1)
        memcpy(asked_id, body, size < 4 ? size : 4);
    if (heard == 1)
        snprintf(heard_first, sizeof heard_first, "%.*s", (int)(size < 60 ? size : 60),
                 (const char *)body);
    if (sp_conn_protocol(conn) == SP_PUSH)
        snprintf(heard_text, sizeof heard_text, "%.*s", (int)(size < 60 ? size : 60),
                 (const char *)body);
    else if (!is_mute)
        sp_send(conn, parts, 2, -1);
}

static void on_close(struct sp_conn *conn, const char *why)
{
    (void)conn;
    (void)why;
}

static struct sp_listener *serve(int fd)
{
    static const struct sp_handlers served = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close};

    return sp_listen(loop, fd, NULL, &served, NULL);
}

static struct sp_listener *mailbox(const char *path)
{
    return serve(rundir_listen(dir, path));
}

static bool is_last(const char *text)
{
    return strcmp(last, text) == 0;
}

/* ---- tests
 * ---------------------------------------------------------------------------------------- */

static void test_carried(void)
{
    struct sp_listener *listener = mailbox("box");

    begin();
    CHECK(errands_call(&errands, "box", "ask", 3, &token) == 0 && answers == 0,
          "a call is not answered before it was made");
    CHECK(UNTIL(answers == 1) && is_last("+yes") && last_token == &token,
          "it is answered, to whom it is");
    CHECK(errands_cast(&errands, "box", "tell", 4) == 0 && UNTIL(heard == 2) &&
              !strcmp(heard_text, "tell"),
          "a cast arrives");
    CHECK(answers == 1 && !*lost, "and nothing is said of it");
    for (int i = 0; i < 100; i++)
        errands_call(&errands, "box", "ask", 3, &other);
    CHECK(UNTIL(answers == 101), "many at once are each answered");
    errands_finish(&errands);
    sp_listener_destroy(listener, false);
}

static void test_nobody(void)
{
    begin();
    errands_call(&errands, "nobody", "ask", 3, &token);
    CHECK(UNTIL(answers == 1) && is_last("!noproc"), "a call of nobody is noproc");
    errands_cast(&errands, "nobody", "tell", 4);
    CHECK(UNTIL(*lost) && !strcmp(lost, "nobody: noproc"), "a cast to nobody is lost, by name");
    errands_finish(&errands);
}

static void test_deaf(void)
{
    struct sp_listener *listener = mailbox("box");

    begin();
    is_deaf = true;
    errands_call(&errands, "box", "ask", 3, &token);
    CHECK(UNTIL(answers == 1) && is_last("!no_mailbox it takes no raw messages"),
          "who takes no raw messages is not asked for ever");
    errands_finish(&errands);
    sp_listener_destroy(listener, false);
}

/* Its socket is there, and nobody accepts: it is between two lives. */
static void test_late(void)
{
    int fd = rundir_listen(dir, "box");
    struct sp_listener *listener;

    begin();
    errands_call(&errands, "box", "ask", 3, &token);
    loop_run_for(loop, 50);
    CHECK(answers == 0, "a call waits for an actor that is not up");
    listener = serve(fd);
    CHECK(UNTIL(answers == 1) && is_last("+yes"), "and is answered when it is");
    errands_finish(&errands);
    sp_listener_destroy(listener, false);
}

static void test_gone(void)
{
    struct sp_listener *listener = mailbox("box");
    int fd;

    begin();
    is_mute = true;
    errands_call(&errands, "box", "ask", 3, &token);
    CHECK(UNTIL(heard == 1), "a call is heard");
    fd = sp_listener_destroy(listener, true);
    CHECK(UNTIL(answers == 1) && is_last("!down unknown"), "and down when who has heard it ends");
    is_mute = false;
    errands_call(&errands, "box", "ask", 3, &token);
    listener = serve(fd);
    CHECK(UNTIL(answers == 2) && is_last("+yes"), "the next life answers the next call");
    errands_finish(&errands);
    sp_listener_destroy(listener, false);
}

/* One that is about to rest hears no more, answers what it has heard, and ends. */
static void test_resting(void)
{
    struct iovec parts[2] = {{asked_id, sizeof asked_id}, {"+late", 5}};
    struct sp_listener *listener = mailbox("box");
    int fd;

    begin();
    is_mute = true;
    errands_call(&errands, "box", "first", 5, &token);
    CHECK(UNTIL(heard == 1), "a call is heard");
    sp_conn_hear_no_more(asked);
    errands_call(&errands, "box", "second", 6, &other);
    errands_call(&errands, "box", "third", 5, &other);
    loop_run_for(loop, 50);
    CHECK(answers == 0 && heard == 1, "others are not, by who hears no more");
    sp_send(asked, parts, 2, -1);
    CHECK(UNTIL(answers == 1) && is_last("+late") && last_token == &token,
          "but what it had heard it may answer");
    fd = sp_listener_destroy(listener, true);
    is_mute = false;
    listener = serve(fd);
    CHECK(UNTIL(answers == 3) && is_last("+yes") && last_token == &other && heard == 3,
          "and the others are answered by its next life, once");
    is_mute = true;
    errands_call(&errands, "box", "fourth", 6, &token);
    CHECK(UNTIL(heard == 4), "where a call is heard again");
    sp_conn_hear_no_more(asked);
    errands_call(&errands, "box", "fifth", 5, &other);
    loop_run_for(loop, 50);
    fd = sp_listener_destroy(listener, true);
    CHECK(UNTIL(answers == 4) && is_last("!down unknown") && last_token == &token,
          "one that was heard, and not answered, is down");
    listener = serve(fd);
    is_mute = false;
    CHECK(UNTIL(answers == 5) && is_last("+yes") && last_token == &other, "and only that");
    is_mute = true;
    errands_call(&errands, "box", "sixth", 5, &token);
    CHECK(UNTIL(heard == 6), "after that");
    sp_conn_hear_no_more(asked);
    errands_call(&errands, "box", "seventh", 7, &other);
    loop_run_for(loop, 50);
    sp_listener_destroy(listener, false);
    CHECK(UNTIL(answers == 7) && is_last("!noproc") && last_token == &other,
          "what nobody has heard when there is nobody any more is noproc");
    errands_finish(&errands);
}

/* As often as greetings of both sides and what follows them need. */
static void turn(void)
{
    for (int i = 0; i < 10; i++)
        loop_run_for(loop, 5);
}

/* What one life had not been given yet is for the next. */
static void test_gone_on(void)
{
    enum { SIZE = 64 << 10 };
    static char piece[SIZE];
    struct sp_listener *listener = mailbox("box");
    int sent = 0, fd;

    begin();
    is_stuck = true;
    errands_cast(&errands, "box", "0", 1);
    turn(); /* now it is open, and takes what the kernel does */
    do
        snprintf(piece, sizeof piece, "%d", ++sent);
    while (errands_cast(&errands, "box", piece, sizeof piece) == 0);
    turn();
    fd = sp_listener_destroy(listener, true);
    is_stuck = false;
    listener = serve(fd);
    snprintf(last, sizeof last, "%d", sent - 1);
    CHECK(UNTIL(!strcmp(heard_text, last)),
          "casts that the kernel had not taken go to the next life");
    CHECK(heard > 10 && heard < sent && atoi(heard_first) == sent - heard,
          "each of them, and nothing that it had (%d of %d)", heard, sent);
    errands_finish(&errands);
    sp_listener_destroy(listener, false);
}

/* There is none. */
static void test_gone_for_good(void)
{
    static char piece[64 << 10];
    struct sp_listener *listener = mailbox("box");

    begin();
    is_stuck = true;
    errands_cast(&errands, "box", "0", 1);
    turn();
    while (errands_cast(&errands, "box", piece, sizeof piece) == 0)
        continue;
    turn();
    sp_listener_destroy(listener, false);
    CHECK(UNTIL(losses > 10) && !strcmp(lost, "box: noproc"), "or are lost, each by name");
    errands_finish(&errands);
}

static void test_time(void)
{
    struct sp_listener *listener = mailbox("box");
    int fd = rundir_listen(dir, "late");

    begin();
    is_mute = true;
    errands_call_ms = 100;
    errands_call(&errands, "box", "ask", 3, &token);
    errands_call(&errands, "late", "ask", 3, &other);
    CHECK(UNTIL(answers == 2) && is_last("!timeout"),
          "a call that is not answered is over in time");
    is_mute = false;
    errands_call_ms = 55000;
    errands_call(&errands, "late", "ask", 3, &other);
    CHECK(rooms == 0 && !errands.is_crowded, "and who was waited for in vain takes no place");
    errands_finish(&errands);
    sp_listener_destroy(listener, false);
    close(fd);
}

static void test_room(void)
{
    static char big[BIG];
    int fd = rundir_listen(dir, "box"), sent = 0;
    struct sp_listener *listener;

    begin();
    while (errands_cast(&errands, "box", big, sizeof big) == 0)
        sent++;
    CHECK(errno == EAGAIN && sent >= 2 && sent < 10, "what waits for a mailbox is bounded (%d)",
          sent);
    CHECK(errands_cast(&errands, "another", "tell", 4) == 0, "and keeps nobody else from theirs");
    listener = serve(fd);
    CHECK(UNTIL(rooms == 1) && UNTIL(heard == sent), "then there is room, which is said");
    errands_finish(&errands);
    sp_listener_destroy(listener, false);
}

static void test_crowd(void)
{
    int fds[TARGETS];
    char name[8];

    begin();
    for (int i = 0; i < TARGETS; i++) {
        snprintf(name, sizeof name, "box%d", i);
        fds[i] = rundir_listen(dir, name);
        errands_call_ms = 100;
        errands_call(&errands, name, "ask", 3, &token);
    }
    CHECK(errands_cast(&errands, "one more", "tell", 4) < 0 && errno == EAGAIN,
          "mailboxes that are spoken to are bounded in number");
    CHECK(UNTIL(rooms == 1), "it is said when there may be another");
    CHECK(errands_cast(&errands, "one", "tell", 4) == 0, "and there may");
    errands_call_ms = 55000;
    errands_finish(&errands);
    for (int i = 0; i < TARGETS; i++)
        close(fds[i]);
}

int main(void)
{
    char command[sizeof dir + 8];

    if (place_make("errands") < 0)
        return 1;
    test_carried();
    test_nobody();
    test_deaf();
    test_late();
    test_gone();
    test_resting();
    test_gone_on();
    test_gone_for_good();
    test_time();
    test_room();
    test_crowd();
    place_leave();
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? tap_done() : 1;
}
