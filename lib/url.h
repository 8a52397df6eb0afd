/*
 * Where a node listens or is dialled: `tcp://HOST:PORT` or `tls+tcp://HOST:PORT` (CLUSTER 1,
 * CONFIG). An IPv6 host stands in [ ]. Pure: text in, parts out.
 */
#ifndef TROUPE_URL_H
#define TROUPE_URL_H

#include <stdbool.h>
#include <stdint.h>

enum { URL_HOST_MAX = 253, URL_TEXT_MAX = 10 + 2 + URL_HOST_MAX + 6 };

struct url {
    bool tls;
    char host[URL_HOST_MAX + 1]; /* without [ ] */
    uint16_t port;               /* 0: any that is free (listening only) */
};

/* 0, or -1 with *why, a phrase that says what was expected. */
int url_parse(const char *text, struct url *url, const char **why);
/* Does the text name TLS? For one that is a URL. */
bool url_is_tls(const char *text);
/* Can nobody on the way read what is said there: is it by TLS, or within this host? */
bool url_is_private(const struct url *url);
/* Is it reached from this host only? A name other than localhost is not known to be. */
bool url_is_loopback(const struct url *url);

#endif
