/*
 * Where state is kept (CONFIG, `store:`): `sqlite:` or `sqlite:DIR`, `postgres://…` as libpq takes
 * it, `redis://ADDRESS[:PORT]` or `redis:///SOCKET`. Passwords do not stand in it: whoever may list
 * processes would read them. Pure: text in, parts out.
 */
#ifndef TROUPE_STORE_URL_H
#define TROUPE_STORE_URL_H

#include <limits.h>

enum { STORE_URL_REDIS_PORT = 6379 };

struct store_url {
    const char *backend;  /* sqlite, postgres, redis */
    char where[PATH_MAX]; /* as workers/store takes it; "": the node's own folder (sqlite) */
};

/* 0, or -1 with *why, a phrase that says what was expected. */
int store_url_parse(const char *text, struct store_url *url, const char **why);

#endif
