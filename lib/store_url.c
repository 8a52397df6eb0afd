#include "store_url.h"

#include "text.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ONE_OF "sqlite:, sqlite:FOLDER, postgres://…, redis://ADDRESS:PORT or redis:///SOCKET"

static int refuse(const char **why, const char *expected)
{
    *why = expected;
    return -1;
}

/* The user part of a URL, up to the @, as libpq understands it. */
static bool has_password(const char *rest)
{
    size_t authority = strcspn(rest, "/?");
    const char *at = memchr(rest, '@', authority);
    const char *query = strchr(rest, '?');

    return (at && memchr(rest, ':', (size_t)(at - rest))) || (query && strstr(query, "password="));
}

static int read_postgres(const char *text, const char *rest, struct store_url *url,
                         const char **why)
{
    url->backend = "postgres";
    if (has_password(rest))
        return refuse(why, "no password in it: store_password_file says where it stands");
    snprintf(url->where, sizeof url->where, "%s", text);
    return 0;
}

static bool is_address(const char *text)
{
    unsigned char binary[16];

    return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

/* HOST or HOST:PORT, an IPv6 address in [ ]: the address, and the port's text or NULL. */
static const char *split_port(char *host)
{
    char *end = *host == '[' ? strchr(host, ']') : NULL;
    char *colon = end ? (end[1] == ':' ? end + 1 : NULL) : strrchr(host, ':');

    if (colon)
        *colon = '\0';
    if (end) {
        *end = '\0';
        memmove(host, host + 1, strlen(host));
    }
    return colon ? colon + 1 : NULL;
}

static int read_redis_host(const char *rest, struct store_url *url, const char **why)
{
    uint64_t port = STORE_URL_REDIS_PORT;
    char host[128];
    const char *number;

    if (snprintf(host, sizeof host, "%s", rest) >= (int)sizeof host)
        return refuse(why, ONE_OF);
    number = split_port(host);
    if (!strcmp(host, "localhost"))
        strcpy(host, "127.0.0.1");
    if (!is_address(host))
        return refuse(why, "redis:// with a numeric address, or redis:///SOCKET");
    if (number && text_unsigned(number, 1, 65535, &port) < 0)
        return refuse(why, "a port from 1 to 65535");
    snprintf(url->where, sizeof url->where, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
             (unsigned)port);
    return 0;
}

static int read_redis(const char *rest, struct store_url *url, const char **why)
{
    url->backend = "redis";
    if (strchr(rest, '@'))
        return refuse(why, "no user and password in it: store_password_file says where it stands");
    if (*rest != '/')
        return read_redis_host(rest, url, why);
    if (!rest[1])
        return refuse(why, ONE_OF);
    snprintf(url->where, sizeof url->where, "%s", rest);
    return 0;
}

/* What follows a prefix; NULL: it is not there. */
static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

int store_url_parse(const char *text, struct store_url *url, const char **why)
{
    const char *rest;

    *url = (struct store_url){.backend = "sqlite"};
    if (strlen(text) >= sizeof url->where)
        return refuse(why, ONE_OF);
    if (!strcmp(text, "sqlite"))
        return 0;
    if ((rest = after(text, "sqlite:"))) {
        snprintf(url->where, sizeof url->where, "%s", rest);
        return 0;
    }
    if ((rest = after(text, "postgres://")) || (rest = after(text, "postgresql://")))
        return read_postgres(text, rest, url, why);
    if ((rest = after(text, "redis://")))
        return read_redis(rest, url, why);
    return refuse(why, ONE_OF);
}
