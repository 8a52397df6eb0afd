/* Where a node listens: the texts that people write. */
#include "tap.h"
#include "url.h"

#include <string.h>

static bool parses(const char *text, bool tls, const char *host, unsigned port)
{
    struct url url;
    const char *why;

    return url_parse(text, &url, &why) == 0 && url.tls == tls && !strcmp(url.host, host) &&
           url.port == port;
}

static bool fails(const char *text, const char *word)
{
    struct url url;
    const char *why = "";

    return url_parse(text, &url, &why) < 0 && strstr(why, word);
}

static bool is_loopback(const char *text)
{
    struct url url;
    const char *why;

    return url_parse(text, &url, &why) == 0 && url_is_loopback(&url);
}

int main(void)
{
    CHECK(parses("tcp://127.0.0.1:4730", false, "127.0.0.1", 4730), "a number");
    CHECK(parses("tls+tcp://east.example.org:1", true, "east.example.org", 1), "a name, TLS");
    CHECK(parses("tcp://[::1]:0", false, "::1", 0), "IPv6, any port");
    CHECK(parses("tcp://[fe80::1%eth0]:65535", false, "fe80::1%eth0", 65535), "IPv6 of a link");
    CHECK(fails("udp://a:1", "tls+tcp"), "another scheme");
    CHECK(fails("127.0.0.1:4730", "begins with"), "no scheme");
    CHECK(fails("tcp://127.0.0.1", "a port"), "no port");
    CHECK(fails("tcp://:4730", "a host"), "no host");
    CHECK(fails("tcp://[::1:4730", "a host"), "an open bracket");
    CHECK(fails("tcp://[::1]4730", "port"), "no colon behind the bracket");
    CHECK(fails("tcp://a b:4730", "a host"), "a space");
    CHECK(fails("tcp://a:65536", "65535"), "too large a port");
    CHECK(fails("tcp://a:4730/x", "65535"), "something behind the port");
    CHECK(fails("tcp://a:", "65535"), "an empty port");
    CHECK(is_loopback("tcp://127.9.0.1:1") && is_loopback("tcp://[::1]:1") &&
              is_loopback("tls+tcp://localhost:1"),
          "loopback");
    CHECK(!is_loopback("tcp://127.example.org:1") && !is_loopback("tcp://0.0.0.0:1") &&
              !is_loopback("tcp://[::]:1") && !is_loopback("tcp://10.0.0.1:1"),
          "not loopback");
    return tap_done();
}
