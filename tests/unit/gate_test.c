/* What guests of the gateway may do, and how their messages lie in the stream. */
#include "../../cluster/gate.h"
#include "../../cluster/sptcp.h"
#include "rights.h"
#include "sp.h"
#include "tap.h"

#include <stdlib.h>

static struct gate_letter letter;

/* The first word of why not; "open" when there is none. */
static const char *verdict(const struct gate *gate, const char *body)
{
    static char word[32];
    const char *why = gate_read(gate, (const uint8_t *)body, strlen(body), &letter);

    snprintf(word, sizeof word, "%.*s", why ? (int)strcspn(why, " ") : 4, why ? why : "open");
    return word;
}

#define IS(gate, body, wanted, sentence) CHECK(!strcmp(verdict(gate, body), wanted), sentence)

static void test_greetings(void)
{
    const struct gate sends = {.grant = RIGHT_SEND}, looks = {.grant = RIGHT_LOOK};

    CHECK(!gate_greet(&sends, SP_REQ) && !gate_greet(&sends, SP_PUSH), "send is REQ and PUSH");
    CHECK(gate_greet(&sends, SP_SUB) != NULL, "and not SUB");
    CHECK(!gate_greet(&looks, SP_SUB), "look is SUB");
    CHECK(gate_greet(&looks, SP_REQ) && gate_greet(&looks, SP_PUSH), "and neither REQ nor PUSH");
    for (int protocol = -1; protocol < 256; protocol++) {
        const struct gate all = {.grant = RIGHT_ALL};
        bool is_one = protocol == SP_REQ || protocol == SP_PUSH || protocol == SP_SUB;

        if (!gate_greet(&all, protocol) != is_one)
            CHECK(false, "there is no other pattern");
    }
}

static void test_all_open(void)
{
    const struct gate gate = {.node = "east", .grant = RIGHT_SEND};

    IS(&gate, "shop/counter\tadd\t5", "open", "an actor of an application");
    CHECK(!strcmp(letter.path, "shop/counter") && letter.size == 5 &&
              !memcmp(letter.message, "add\t5", 5),
          "and what goes to its mailbox is the rest");
    IS(&gate, "shop\t", "open", "an empty message is the actor's affair");
    CHECK(letter.size == 0, "and is empty");
    IS(&gate, "system\tx", "open", "a name that begins like sys is another");
    IS(&gate, "shop/counter@east\tadd", "open", "this node may be named");
    IS(&gate, "shop/counter@west\tadd", "denied", "another may not");
    IS(&gate, "sys\tx", "denied", "the node's own are closed");
    IS(&gate, "sys/log\tx", "denied", "and what is below them");
    IS(&gate, "run/12\tx", "denied", "and what is attached, unless it is named");
    IS(&gate, "shop/counter#2\tx", "bad_message", "an incarnation cannot be asked for");
}

static void test_patterns(void)
{
    static const char *const actors[] = {"shop/counter", "shop/web/*", "run/*", "*", "sys/*"};
    struct gate gate = {.node = "east", .actors = actors, .actor_count = 3};

    IS(&gate, "shop/counter\tx", "open", "a path that is named");
    IS(&gate, "shop/web/page\tx", "open", "one that a pattern matches");
    IS(&gate, "shop/web\tx", "denied", "what is above a pattern is not");
    IS(&gate, "shop/web/page/a\tx", "denied", "a star does not cross a slash");
    IS(&gate, "shop/counter2\tx", "denied", "a path is meant as a whole");
    IS(&gate, "run/12\tx", "open", "what is attached, when it is named");
    gate.actor_count = 5;
    IS(&gate, "shop\tx", "open", "a star alone is one part");
    IS(&gate, "sys\tx", "denied", "and never the node's own");
    IS(&gate, "sys/log\tx", "denied", "not even by name");
}

static void test_no_addresses(void)
{
    static const char *const bodies[] = {
        "",         "shop/counter", "\tx",    ".\tx",    "shop/.supervisor\tx",
        "/shop\tx", "shop//a\tx",   "a b\tx", "*\tx",    "shop/*\tx",
        "@east\tx", "shop@\tx",     "#1\tx",  "shop/\tx"};
    const struct gate gate = {.node = "east"};
    char longest[ADDR_TEXT_MAX + 16];

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        IS(&gate, bodies[i], "bad_message", bodies[i]);
    memset(longest, 'a', sizeof longest);
    memcpy(longest + sizeof longest - 3, "\tx", 3);
    IS(&gate, longest, "bad_message", "an address that is too long");
    CHECK(gate_read(&gate, (const uint8_t *)"shop\0/a\tx", 9, &letter) != NULL,
          "a NUL is no part of an address");
}

static void test_messages(void)
{
    uint8_t bytes[SPTCP_HEAD + 3];
    uint64_t size = 0;
    bool is_patient = true;

    sptcp_head(3, bytes);
    memcpy(bytes + SPTCP_HEAD, "abc", 3);
    for (size_t have = 0; have < sizeof bytes; have++)
        is_patient = is_patient && sptcp_next(bytes, have, 10, &size) == 0;
    CHECK(is_patient, "a message is there when all of it has come");
    CHECK(sptcp_next(bytes, sizeof bytes, 3, &size) == 1 && size == 3, "then it is, with its size");
    CHECK(sptcp_next(bytes, SPTCP_HEAD, 2, &size) == -1 && size == 3,
          "one that is too large is known by its head");
    sptcp_head(UINT64_MAX, bytes);
    CHECK(sptcp_next(bytes, sizeof bytes, SIZE_MAX / 2, &size) == -1 && size == UINT64_MAX,
          "the largest claim is no other");
    sptcp_head(0, bytes);
    CHECK(sptcp_next(bytes, SPTCP_HEAD, 0, &size) == 1 && size == 0, "a message may be empty");
}

#define IS_OF(remote, wanted, sentence)                                                            \
    CHECK((gate_host(remote, host), !strcmp(host, wanted)), sentence)

static void test_hosts(void)
{
    char host[GATE_HOST_MAX + 1];

    IS_OF("tcp://10.0.0.1:5000", "10.0.0.1", "a host of IPv4 is its address");
    IS_OF("tls+tcp://10.0.0.2:5000", "10.0.0.2", "with TLS, too");
    IS_OF("tcp://2001:db8:1:2:3:4:5:6:5000", "2001:db8:1:2::", "one of IPv6 is its network of 64 bits");
    IS_OF("tls+tcp://2001:db8:1:2:ffff::1:80", "2001:db8:1:2::", "whatever comes behind them");
    IS_OF("tcp://2001:db8:1:3::1:80", "2001:db8:1:3::", "and another network is another host");
    IS_OF("tcp://[2001:db8::9]:80", "2001:db8::", "brackets or not");
    IS_OF("tcp://::1:80", "::", "the loopback is one");
    IS_OF("tcp://::ffff:10.0.0.1:80", "10.0.0.1", "IPv4 within IPv6 is no network of all that there are");
    IS_OF("tcp://?:0", "?", "who has no address is of one host");
}

int main(void)
{
    test_hosts();
    test_greetings();
    test_all_open();
    test_patterns();
    test_no_addresses();
    test_messages();
    return tap_done();
}
