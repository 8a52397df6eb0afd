/*
 * Connections between hosts: nng's streams (`tcp://`, `tls+tcp://`) of nodes (peers.h)
 * and of their guests (gateway.h). Bytes go in and out; what they mean is their owners'. nng has
 * threads of its own: its callbacks here do no more than put themselves on a list and wake our
 * loop; everything else is done in the loop's thread. Of the faults of nng 1.5 (each is in its
 * tracker) these are kept clear of: a listener and a dialer, once made, live until the end; nothing
 * is cancelled but by the end of its stream; signals are blocked before the first call
 * (streams_block_signals).
 */
#ifndef TROUPE_CLUSTER_STREAMS_H
#define TROUPE_CLUSTER_STREAMS_H

#include "auth.h"
#include "error.h"
#include "loop.h"

#include <signal.h>

struct streams;

/* Files in PEM; ca NULL: no TLS here. Both sides show a certificate, always. */
struct streams_tls {
    const char *ca, *cert_and_key;
};

/* What happens. Each may call back into streams_*(). */
struct streams_handlers {
    /* A stranger dialled us. Its number, never used twice, and then comes connected(); 0: it is
     * closed. */
    uint64_t (*accepted)(void *data, const char *remote, bool is_tls);
    void (*connected)(void *data, uint64_t conn);
    void (*received)(void *data, uint64_t conn, const void *bytes, size_t size);
    /* All that was given is on its way. */
    void (*written)(void *data, uint64_t conn);
    /* By the other side, or by an error. */
    void (*ended)(void *data, uint64_t conn, const char *why);
};

/* Before the first call of nng, in the main thread; the old mask is put back after
 * streams_create(). */
void streams_block_signals(sigset_t *old);

struct streams *streams_create(struct ev_loop *loop, const struct streams_tls *tls,
                               struct error *err);
/* After its owner's end: lets last words be said, and closes everything. The process ends after
 * this. */
void streams_destroy(struct streams *streams);

/* Binds and begins to listen; url is replaced by where others reach it when its port was 0. 0 or
 * -1. */
int streams_listen(struct streams *streams, char url[AUTH_URL_MAX + 1], struct error *err);
/* From now on it accepts, and says what happens. handlers and data: borrowed. */
void streams_serve(struct streams *streams, const struct streams_handlers *handlers, void *data);

/* Bytes that were given to that connection and are not on their way yet. */
size_t streams_queued(const struct streams *streams, uint64_t conn);
/* Stops and resumes reading: this is how pressure reaches who sends. At most one more received()
 * comes. */
void streams_pause(struct streams *streams, uint64_t conn, bool is_paused);

/* Members of struct peers_transport; data is the streams. */
int64_t streams_now_ms(void *data);
void streams_random(void *data, void *out, size_t size);
void streams_dial(void *data, uint64_t conn, const char *url);
void streams_send(void *data, uint64_t conn, const void *bytes, size_t size);
void streams_close(void *data, uint64_t conn, bool last_words);

#endif
