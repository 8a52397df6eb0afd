/* Messages are only addresses here: bytes of an array. */
#include "../../workers/port_requests.h"
#include "tap.h"

#include <stdlib.h>

static char room[1000];
static int gone;

static struct troupe_message *message(int n)
{
    return (struct troupe_message *)(void *)(room + n);
}

static void expired(struct troupe_message *given_up)
{
    (void)given_up;
    gone++;
}

static void add(struct port_requests *requests, struct troupe_message *call, int64_t until_ms,
                const char *line)
{
    port_requests_add(requests, call, until_ms, strdup(line), strlen(line));
}

/* The line to be written now, from where it is written on; NULL: none. */
static const char *next_line(const struct port_requests *requests)
{
    struct iovec piece;

    return port_requests_pieces(requests, &piece, 1) ? piece.iov_base : NULL;
}

static void test_life(void)
{
    struct port_requests requests;

    port_requests_init(&requests);
    CHECK(!port_requests_wait(&requests) && port_requests_next_ref(&requests) == 1,
          "at first there is nothing, and the first call will be number 1");
    add(&requests, message(1), 1000, "1\tadd\n");
    add(&requests, NULL, 0, "-\tcast\n");
    add(&requests, message(2), 1000, "2\tadd\n");
    CHECK(requests.count == 3 && requests.bytes == 19, "lines and calls are counted");
    CHECK(!strcmp(next_line(&requests), "1\tadd\n"), "the first is written first");
    port_requests_wrote(&requests, 2);
    CHECK(!strcmp(next_line(&requests), "add\n") && requests.bytes == 17,
          "as far as it is taken");
    port_requests_wrote(&requests, 4);
    CHECK(requests.count == 3 && requests.bytes == 13, "a call that was written is asked still");
    CHECK(port_requests_answered(&requests, 1) == message(1) && requests.count == 2,
          "until it is answered");
    CHECK(!port_requests_answered(&requests, 1) && port_requests_knew(&requests, 1), "once");
    CHECK(!port_requests_answered(&requests, 3) && !port_requests_knew(&requests, 3) &&
              !port_requests_knew(&requests, 0),
          "what was never asked is not known");
    CHECK(port_requests_answered(&requests, 2) == message(2) && requests.count == 2,
          "an answer may come before the question is taken");
    port_requests_wrote(&requests, 7);
    tap_is_int((long long)requests.count, 1, "a cast is done when it is written");
    port_requests_wrote(&requests, 6);
    CHECK(requests.count == 0 && requests.bytes == 0 && !port_requests_wait(&requests),
          "and in the end nothing is left");
    port_requests_finish(&requests);
}

static void test_several(void)
{
    struct port_requests requests;
    struct iovec pieces[3];

    port_requests_init(&requests);
    tap_is_int(port_requests_pieces(&requests, pieces, 3), 0, "nothing is no piece");
    add(&requests, message(1), 1000, "1\ta\n");
    add(&requests, NULL, 0, "-\tb\n");
    add(&requests, message(2), 1000, "2\tc\n");
    add(&requests, message(3), 1000, "3\td\n");
    CHECK(port_requests_pieces(&requests, pieces, 3) == 3 && pieces[2].iov_len == 4 &&
              !memcmp(pieces[2].iov_base, "2\tc\n", 4),
          "several lines are written at once, in order, and no more than are asked for");
    port_requests_wrote(&requests, 9);
    CHECK(port_requests_pieces(&requests, pieces, 3) == 2 && pieces[0].iov_len == 3 &&
              !memcmp(pieces[0].iov_base, "\tc\n", 3) && requests.count == 3,
          "what was taken of them may end within one");
    port_requests_wrote(&requests, 7);
    CHECK(!port_requests_wait(&requests) && requests.count == 3, "or with the last");
    port_requests_finish(&requests);
}

static void test_expiry(void)
{
    struct port_requests requests;

    port_requests_init(&requests);
    add(&requests, message(1), 100, "1\ta\n");
    add(&requests, message(2), 100, "2\tb\n");
    add(&requests, message(3), 200, "3\tc\n");
    port_requests_wrote(&requests, 2);
    port_requests_expire(&requests, 99, expired);
    tap_is_int(gone, 0, "nobody has given up before the time");
    port_requests_expire(&requests, 100, expired);
    CHECK(gone == 2 && !port_requests_answered(&requests, 1), "then they have, each once");
    CHECK(requests.count == 2 && !strcmp(next_line(&requests), "a\n"),
          "a line that was begun is finished");
    port_requests_wrote(&requests, 2);
    CHECK(!strcmp(next_line(&requests), "3\tc\n"),
          "one that was not is never begun");
    port_requests_finish(&requests);
    CHECK(requests.count == 0 && requests.bytes == 0, "the rest is freed");
}

/* Whatever happens in whatever order: the counts are those of what is there. */
static void test_property(void)
{
    struct port_requests requests;
    bool right = true;
    uint64_t asked = 0;

    srand(7);
    port_requests_init(&requests);
    for (int i = 0; i < 20000; i++) {
        const struct port_request *at;
        size_t bytes = 0, unwritten = 0, written_calls = 0;
        struct port_request *call, *next;

        switch (rand() % 5) {
        case 0:
            add(&requests, message(i % 1000), i + 100, "12\tabc\n");
            asked++;
            break;
        case 1:
            add(&requests, NULL, 0, "-\tx\n");
            break;
        case 2:
            if (requests.bytes)
                port_requests_wrote(&requests, 1 + (size_t)rand() % (requests.bytes < 20 ? requests.bytes : 20));
            break;
        case 3:
            port_requests_answered(&requests, asked - (uint64_t)rand() % 20);
            break;
        default:
            port_requests_expire(&requests, i, expired);
            break;
        }
        TAILQ_FOREACH(at, &requests.unwritten, in_unwritten)
        {
            bytes += at->size - at->written;
            unwritten++;
        }
        HASH_ITER (hh, requests.asked, call, next)
            written_calls += !call->line;
        right &= requests.bytes == bytes && requests.count == unwritten + written_calls;
    }
    CHECK(right, "20000 random steps: what is counted is what is there");
    port_requests_finish(&requests);
}

int main(void)
{
    test_life();
    test_several();
    test_expiry();
    test_property();
    return tap_done();
}
