/* Hot lines: requests to one mailbox go over one connection. */
#include "hotline.h"
#include "place.h"
#include "rundir.h"
#include "tap.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

static struct sp_listener *listener;
static struct hotlines lines;

/* Who is asked. */
static struct {
    int connections, closed;
    unsigned asked;
    uint64_t refs[HOTLINE_MOST];
    struct peer *peer;
    bool answers;
} server;

struct asker {
    struct hotline_request request;
    char answer[32], why[64];
    unsigned answers, losses;
    bool was_open, asks_again;
};

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    (void)fd;
    server.refs[server.asked++ % HOTLINE_MOST] = env->ref;
    if (server.answers)
        peer_reply_error(peer, env->ref, "one of many");
}

static void on_close(struct peer *peer, const char *why)
{
    (void)why;
    server.closed++;
    if (server.peer == peer)
        server.peer = NULL;
}

static bool accept_peer(struct sp_conn *conn)
{
    static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

    server.connections++;
    server.peer = peer_accept(conn, "shop/carts@east#2", &handlers, NULL);
    return server.peer != NULL;
}

static void on_answer(struct hotline_request *request, const struct envelope *env)
{
    struct asker *asker = container_of(request, struct asker, request);

    asker->answers++;
    snprintf(asker->answer, sizeof asker->answer, "%.*s", (int)env->payload_size,
             (const char *)env->payload);
}

static void ask(struct asker *asker)
{
    if (hotline_ask(&lines, "shop/carts/.supervisor", "activate", NULL, &asker->request) < 0)
        snprintf(asker->why, sizeof asker->why, "not asked");
}

static void on_lost(struct hotline_request *request, const char *why, bool was_open)
{
    struct asker *asker = container_of(request, struct asker, request);

    asker->losses++;
    asker->was_open = was_open;
    snprintf(asker->why, sizeof asker->why, "%s", why);
    if (asker->asks_again)
        ask(asker);
}

static struct asker new_asker(void)
{
    return (struct asker){.request = {.on_answer = on_answer, .on_lost = on_lost}};
}

static void begin(void)
{
    struct sp_handlers sp = peer_sp_handlers(accept_peer);

    memset(&server, 0, sizeof server);
    listener = sp_listen(loop, rundir_listen(dir, "shop/carts/.supervisor"), NULL, &sp, NULL);
    hotlines_init(&lines, loop, dir, "shop/caller@east#1");
}

static void end(void)
{
    hotlines_finish(&lines);
    peer_close(server.peer, false);
    sp_listener_destroy(listener, false);
}

static void test_one_connection(void)
{
    struct asker first = new_asker(), second = new_asker(), third = new_asker();

    begin();
    ask(&first);
    ask(&second);
    CHECK(UNTIL(server.asked == 2) && server.connections == 1, "two requests take one connection");
    peer_reply_error(server.peer, server.refs[1], "two");
    peer_reply_error(server.peer, server.refs[0], "one");
    CHECK(UNTIL(first.answers == 1 && second.answers == 1) && !strcmp(first.answer, "one") &&
              !strcmp(second.answer, "two"),
          "and each gets its own answer");
    ask(&third);
    CHECK(UNTIL(server.asked == 3) && server.connections == 1, "so does one that comes later");
    hotline_cancel(&third.request);
    peer_reply_error(server.peer, server.refs[2], "three");
    ask(&first);
    CHECK(UNTIL(server.asked == 4), "one that is not waited for any more holds nothing up");
    peer_reply_error(server.peer, server.refs[3], "four");
    CHECK(UNTIL(first.answers == 2) && third.answers == 0, "and hears nothing");
    CHECK(UNTIL(server.closed == 1), "the connection ends when nobody has asked for a while");
    end();
}

static void test_end_of_connection(void)
{
    struct asker first = new_asker(), second = new_asker();

    begin();
    first.asks_again = true;
    ask(&first);
    ask(&second);
    CHECK(UNTIL(server.asked == 2 && server.peer), "who is asked has both");
    peer_close(server.peer, false);
    server.peer = NULL;
    CHECK(UNTIL(first.losses == 1 && second.losses == 1) && first.was_open && second.was_open,
          "when the connection ends, all that wait hear of it");
    CHECK(UNTIL(server.asked == 3) && server.connections == 2, "and may ask again, on another");
    end();
    CHECK(!first.request.line, "the end of all lines ends what is under way");
}

static void ask_now(struct ev_loop *of, ev_timer *timer, int revents)
{
    (void)of;
    (void)revents;
    ask(timer->data);
}

/* Between what was written in vain and the end of its connection, another asks. */
static void test_breaking(void)
{
    struct asker first = new_asker(), second = new_asker(), third = new_asker();
    ev_timer before_all;

    begin();
    ask(&first);
    CHECK(UNTIL(server.asked == 1 && server.peer), "a line is there");
    peer_reply_error(server.peer, server.refs[0], "one");
    CHECK(UNTIL(first.answers == 1), "and open");
    peer_close(server.peer, false);
    server.peer = NULL;
    second.asks_again = true;
    ask(&second);
    ev_timer_init(&before_all, ask_now, 0., 0.);
    ev_set_priority(&before_all, EV_MAXPRI);
    before_all.data = &third;
    ev_timer_start(loop, &before_all);
    CHECK(UNTIL(second.losses == 1 && server.asked == 3) && !*third.why && !third.losses,
          "who asks a line that breaks, before it has ended, asks on another");
    end();
}

/* A whole line of requests behind `first`, for the caller to free. */
static struct asker *fill(struct asker *first)
{
    struct asker *many = calloc(HOTLINE_MOST, sizeof *many);

    begin();
    ask(first);
    CHECK(UNTIL(server.asked == 1 && server.peer), "a line is there");
    peer_pause(server.peer, true);
    for (int i = 0; i < HOTLINE_MOST; i++) {
        many[i] = new_asker();
        ask(&many[i]);
    }
    return many;
}

static unsigned count_answered(const struct asker *many)
{
    unsigned answered = 0;

    for (int i = 0; i < HOTLINE_MOST; i++)
        answered += many[i].answers;
    return answered;
}

static void test_no_room(void)
{
    struct asker first = new_asker(), *many = fill(&first), *last = &many[HOTLINE_MOST - 1];

    CHECK(*last->why && !*last[-1].why, "the line takes so many requests, and refuses one more");
    hotline_cancel(&many[0].request);
    errno = 0;
    CHECK(hotline_ask(&lines, "shop/carts/.supervisor", "activate", NULL, &last->request) == 0 &&
              hotline_ask(&lines, "shop/carts/.supervisor", "activate", NULL, &many[0].request) <
                  0 &&
              errno == EAGAIN,
          "who is cancelled makes room for one");
    for (int i = 1; i < HOTLINE_MOST - 1; i++)
        hotline_cancel(&many[i].request);
    server.answers = true;
    peer_pause(server.peer, false);
    CHECK(UNTIL(last->answers == 1) && server.asked < HOTLINE_MOST / 4 && count_answered(many) == 1,
          "of many that are cancelled before they were written, nobody is asked");
    end();
    free(many);
}

/* Processor time, so that a busy machine does not matter; each looked for among all took seconds.
 */
static void test_many(void)
{
    struct asker first = new_asker(), *many = fill(&first);
    clock_t start = clock();

    peer_pause(server.peer, false);
    CHECK(UNTIL(server.asked == HOTLINE_MOST),
          "all of many are asked, as what was written is read");
    for (int i = 0; i < HOTLINE_MOST; i++)
        peer_reply_error(server.peer, server.refs[i], "one of many");
    CHECK(UNTIL(count_answered(many) == HOTLINE_MOST - 1), "each of many has its answer");
    CHECK(clock() - start < CLOCKS_PER_SEC, "in the time of many, not in that of their square");
    tap_note("%ld ms", (long)((clock() - start) * 1000 / CLOCKS_PER_SEC));
    end();
    free(many);
}

static void test_nobody(void)
{
    struct asker asker = new_asker();

    hotlines_init(&lines, loop, dir, "shop/caller@east#1");
    hotline_ask(&lines, "shop/none/.supervisor", "activate", NULL, &asker.request);
    CHECK(UNTIL(asker.losses == 1) && !asker.was_open && !strcmp(asker.why, "noproc"),
          "where nobody listens, that is said");
    hotlines_finish(&lines);
}

int main(void)
{
    char command[128];

    if (place_make("hotline-test"))
        return 1;
    test_one_connection();
    test_end_of_connection();
    test_breaking();
    test_no_room();
    test_many();
    test_nobody();
    place_leave();
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) ? 1 : tap_done();
}
