/* Where state is kept, as people write it. */
#include "store_url.h"
#include "tap.h"

static const char *parsed(const char *text)
{
    static char out[PATH_MAX + 16];
    struct store_url url;
    const char *why;

    if (store_url_parse(text, &url, &why) < 0)
        return why;
    snprintf(out, sizeof out, "%s %s", url.backend, url.where);
    return out;
}

static bool is_refused(const char *text)
{
    struct store_url url;
    const char *why = NULL;

    return store_url_parse(text, &url, &why) < 0 && why && *why;
}

int main(void)
{
    tap_is_text(parsed("sqlite:"), "sqlite ", "the node's own folder");
    tap_is_text(parsed("sqlite"), "sqlite ", "the same without the colon, which YAML wants quoted");
    tap_is_text(parsed("sqlite:/srv/kept"), "sqlite /srv/kept", "a folder");
    tap_is_text(parsed("postgres://troupe@db.example.org/kept?sslmode=require"),
                "postgres postgres://troupe@db.example.org/kept?sslmode=require",
                "libpq reads its URL itself");
    tap_is_text(parsed("redis://127.0.0.1:7000"), "redis 127.0.0.1:7000", "an address");
    tap_is_text(parsed("redis://localhost"), "redis 127.0.0.1:6379", "Redis's own port");
    tap_is_text(parsed("redis://[::1]:7000"), "redis [::1]:7000", "an IPv6 address");
    tap_is_text(parsed("redis://[::1]"), "redis [::1]:6379", "and its port");
    tap_is_text(parsed("redis:///run/redis.sock"), "redis /run/redis.sock", "a socket");

    tap_ok(is_refused("postgres://me:secret@host/x"),
           "a password is refused, anyone could list it");
    tap_ok(is_refused("postgres://host/x?password=secret"), "also behind the question mark");
    tap_ok(!is_refused("postgres://[::1]:5433/x"), "a port is no password");
    tap_ok(is_refused("redis://:secret@127.0.0.1"), "and that of Redis");
    tap_ok(is_refused("redis://db.example.org"), "a name would be waited for");
    tap_ok(is_refused("redis://127.0.0.1:0"), "no port");
    tap_ok(is_refused("redis://127.0.0.1:7000/3"), "no database by number");
    tap_ok(is_refused("redis:///"), "no socket");
    tap_ok(is_refused("mysql://host"), "another store");
    tap_ok(is_refused(""), "nothing");
    return tap_done();
}
