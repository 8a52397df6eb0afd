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

static void test_life(void)
{
    struct port_requests requests;

    port_requests_init(&requests);
    CHECK(!port_requests_front(&requests) && port_requests_next_ref(&requests) == 1,
          "at first there is nothing, and the first call will be number 1");
    add(&requests, message(1), 1000, "1\tadd\n");
    add(&requests, NULL, 0, "-\tcast\n");
    add(&requests, message(2), 1000, "2\tadd\n");
    CHECK(requests.count == 3 && requests.bytes == 19, "lines and calls are counted");
    CHECK(!strcmp(port_requests_front(&requests)->line, "1\tadd\n"), "the first is written first");
    port_requests_wrote(&requests, 2);
    CHECK(port_requests_front(&requests)->written == 2 && requests.bytes == 17,
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
    CHECK(requests.count == 0 && requests.bytes == 0 && !port_requests_front(&requests),
          "and in the end nothing is left");
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
    CHECK(requests.count == 2 && port_requests_front(&requests)->written == 2,
          "a line that was begun is finished");
    port_requests_wrote(&requests, 2);
    CHECK(!strcmp(port_requests_front(&requests)->line, "3\tc\n"),
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
        const struct port_request *front = port_requests_front(&requests), *at;
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
            if (front)
                port_requests_wrote(&requests, 1 + (size_t)rand() % (front->size - front->written));
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
    test_expiry();
    test_property();
    return tap_done();
}
