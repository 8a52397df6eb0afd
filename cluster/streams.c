#include "streams.h"

#include "buf.h"
#include "memory.h"
#include "mono.h"
#include "url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uthash.h>
#include <utlist.h>

enum {
    READ_SIZE = 65536,
    TURN_JOBS = 256, /* that are handled before the loop goes on with others */
    DIAL_MS = 5000,
    LAST_WORDS_MS = 300,
    ACCEPT_AGAIN_MS = 1000,
};

/* Something that nng does for us. done() is called in the loop's thread when it is over; one at a
 * time. */
struct job {
    nng_aio *aio;
    struct streams *streams;
    void (*done)(struct job *job);
    bool is_busy;
    struct job *next;
};

struct stream {
    struct streams *streams;
    uint64_t conn; /* 0: nobody wants to hear of it */
    nng_stream *nng;
    struct job dial, recv, send;
    struct buf pending, writing;
    bool is_paused; /* nothing more is read for now */
    bool is_to_read; /* at the end of the turn */
    bool is_closed; /* to be freed when no job is busy and nobody is at work on it */
    unsigned depth;
    ev_timer last_words;
    struct stream *prev, *next;
    UT_hash_handle hh;
    uint8_t in[READ_SIZE];
};

/* Made once for a URL, kept until the end. */
struct dialer {
    char url[AUTH_URL_MAX + 1];
    nng_stream_dialer *nng;
    struct dialer *next;
};

struct streams {
    struct ev_loop *loop;
    struct streams_tls tls;
    const struct streams_handlers *handlers; /* NULL: nobody is served */
    void *data;
    nng_stream_listener *listener;
    struct job accept;
    bool is_listener_tls;
    struct dialer *dialers;
    struct stream *by_conn, *all;
    ev_async wake;
    ev_prepare turn; /* while somebody is to be read */
    ev_timer accept_again;

    pthread_mutex_t lock; /* of the list of what is over */
    struct job *first, **last;
};

/* ---- jobs -------------------------------------------------------------------------------- */

/* In a thread of nng's. */
static void on_over(void *arg)
{
    struct job *job = arg;
    struct streams *streams = job->streams;

    pthread_mutex_lock(&streams->lock);
    job->next = NULL;
    *streams->last = job;
    streams->last = &job->next;
    pthread_mutex_unlock(&streams->lock);
    ev_async_send(streams->loop, &streams->wake);
}

static struct job *take_job(struct streams *streams)
{
    struct job *job;

    pthread_mutex_lock(&streams->lock);
    job = streams->first;
    if (job)
        streams->first = job->next;
    if (!streams->first)
        streams->last = &streams->first;
    pthread_mutex_unlock(&streams->lock);
    return job;
}

static void on_wake(struct ev_loop *loop, ev_async *wake, int events)
{
    struct streams *streams = container_of(wake, struct streams, wake);
    struct job *job;
    int left = TURN_JOBS;

    (void)events;
    while (left-- && (job = take_job(streams))) {
        job->is_busy = false;
        job->done(job);
    }
    if (left < 0)
        ev_async_send(loop, wake);
}

static void init_job(struct streams *streams, struct job *job, void (*done)(struct job *))
{
    job->streams = streams;
    job->done = done;
    if (nng_aio_alloc(&job->aio, on_over, job) != 0)
        memory_fail();
}

/* ---- one stream -------------------------------------------------------------------------- */

static struct stream *find(const struct streams *streams, uint64_t conn)
{
    struct stream *stream;

    HASH_FIND(hh, streams->by_conn, &conn, sizeof conn, stream);
    return stream;
}

static void on_received(struct job *job);
static void on_sent(struct job *job);
static void on_dialled(struct job *job);

static void on_last_words(struct ev_loop *loop, ev_timer *timer, int events);

static struct stream *make_stream(struct streams *streams, nng_stream *nng)
{
    struct stream *stream = memory_zeroed(sizeof *stream);

    stream->streams = streams;
    stream->nng = nng;
    init_job(streams, &stream->dial, on_dialled);
    init_job(streams, &stream->recv, on_received);
    init_job(streams, &stream->send, on_sent);
    ev_timer_init(&stream->last_words, on_last_words, LAST_WORDS_MS / 1000.0, 0.);
    DL_APPEND(streams->all, stream);
    return stream;
}

static void know(struct stream *stream, uint64_t conn)
{
    stream->conn = conn;
    HASH_ADD(hh, stream->streams->by_conn, conn, sizeof stream->conn, stream);
}

static void forget(struct stream *stream)
{
    if (!stream->conn)
        return;
    HASH_DELETE(hh, stream->streams->by_conn, stream);
    stream->conn = 0;
}

static void free_stream(struct stream *stream)
{
    if (stream->dial.is_busy || stream->recv.is_busy || stream->send.is_busy || stream->depth)
        return; /* its end will come here again */
    DL_DELETE(stream->streams->all, stream);
    if (stream->nng)
        nng_stream_free(stream->nng);
    nng_aio_free(stream->dial.aio);
    nng_aio_free(stream->recv.aio);
    nng_aio_free(stream->send.aio);
    buf_finish(&stream->pending);
    buf_finish(&stream->writing);
    free(stream);
}

static void close_now(struct stream *stream)
{
    forget(stream);
    ev_timer_stop(stream->streams->loop, &stream->last_words);
    stream->is_closed = true;
    if (stream->nng)
        nng_stream_close(stream->nng);
    free_stream(stream);
}

static void enter(struct stream *stream)
{
    stream->depth++;
}

static void leave(struct stream *stream)
{
    stream->depth--;
    if (stream->is_closed)
        free_stream(stream);
}

static void on_last_words(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    close_now(container_of(timer, struct stream, last_words));
}

/* Of what is wrong with TLS nng says no more than that something is. */
static const char *reason_of(int code)
{
    switch (code) {
    case NNG_ECONNSHUT:
    case NNG_ECLOSED:
        return "end of stream";
    case NNG_ECRYPTO:
    case NNG_EPEERAUTH:
        return "no TLS that both accept: clear text, or a certificate that is out of date, of another "
               "authority or of another host";
    default:
        return nng_strerror(code);
    }
}

/* It has ended by itself: who wants to know is told. */
static void end(struct stream *stream, int code)
{
    uint64_t conn = stream->conn;
    struct streams *streams = stream->streams;

    close_now(stream);
    if (conn)
        streams->handlers->ended(streams->data, conn, reason_of(code));
}

static void set_iov(nng_aio *aio, void *at, size_t size)
{
    nng_iov iov = {.iov_buf = at, .iov_len = size};

    if (nng_aio_set_iov(aio, 1, &iov) != 0)
        memory_fail();
}

static void read_more(struct stream *stream)
{
    if (stream->recv.is_busy || stream->is_paused)
        return;
    set_iov(stream->recv.aio, stream->in, sizeof stream->in);
    stream->recv.is_busy = true;
    nng_stream_recv(stream->nng, stream->recv.aio);
}

/* What has come is handed on first, and who waits for it has the processor sooner. */
static void read_later(struct stream *stream)
{
    struct streams *streams = stream->streams;

    stream->is_to_read = true;
    ev_prepare_start(streams->loop, &streams->turn);
}

static void on_turn(struct ev_loop *loop, ev_prepare *turn, int events)
{
    struct streams *streams = container_of(turn, struct streams, turn);

    (void)events;
    ev_prepare_stop(loop, turn);
    for (struct stream *stream = streams->all; stream; stream = stream->next) {
        if (stream->is_to_read && !stream->is_closed)
            read_more(stream);
        stream->is_to_read = false;
    }
}

static void on_received(struct job *job)
{
    struct stream *stream = container_of(job, struct stream, recv);
    int code = nng_aio_result(job->aio);

    enter(stream);
    if (!stream->is_closed && code != 0)
        end(stream, code);
    job->is_busy = true; /* so to speak: what was read is looked at */
    if (!stream->is_closed && stream->conn)
        stream->streams->handlers->received(stream->streams->data, stream->conn, stream->in,
                                            nng_aio_count(job->aio));
    job->is_busy = false;
    if (!stream->is_closed)
        read_later(stream);
    leave(stream);
}

static void write_more(struct stream *stream)
{
    if (stream->send.is_busy || stream->is_closed || !stream->nng)
        return;
    if (!buf_length(&stream->writing)) {
        struct buf empty = stream->writing;

        stream->writing = stream->pending;
        stream->pending = empty;
        stream->pending.start = stream->pending.end = 0;
    }
    if (!buf_length(&stream->writing))
        return;
    set_iov(stream->send.aio, buf_front(&stream->writing), buf_length(&stream->writing));
    stream->send.is_busy = true;
    nng_stream_send(stream->nng, stream->send.aio);
}

static void on_sent(struct job *job)
{
    struct stream *stream = container_of(job, struct stream, send);
    int code = nng_aio_result(job->aio);

    enter(stream);
    if (!stream->is_closed && code != 0)
        end(stream, code);
    if (!stream->is_closed) {
        buf_consume(&stream->writing, nng_aio_count(job->aio));
        write_more(stream);
        if (!stream->send.is_busy && stream->conn)
            stream->streams->handlers->written(stream->streams->data, stream->conn);
    }
    leave(stream);
}

/* ---- dialling ---------------------------------------------------------------------------- */

static int set_tls(const struct streams *streams, nng_stream_dialer *dialer, const char *host)
{
    int code = nng_stream_dialer_set_string(dialer, NNG_OPT_TLS_CA_FILE, streams->tls.ca);

    if (code == 0)
        code = nng_stream_dialer_set_string(dialer, NNG_OPT_TLS_CERT_KEY_FILE,
                                            streams->tls.cert_and_key);
    if (code == 0)
        code = nng_stream_dialer_set_string(dialer, NNG_OPT_TLS_SERVER_NAME, host);
    if (code == 0)
        code = nng_stream_dialer_set_int(dialer, NNG_OPT_TLS_AUTH_MODE, NNG_TLS_AUTH_MODE_REQUIRED);
    return code;
}

static int make_dialer(struct streams *streams, const char *text, struct dialer **made)
{
    struct dialer *dialer = memory_zeroed(sizeof *dialer);
    bool is_tls = url_is_tls(text);
    nng_url *url = NULL;
    int code = is_tls && !streams->tls.ca ? NNG_ENOTSUP : nng_url_parse(&url, text);

    snprintf(dialer->url, sizeof dialer->url, "%s", text);
    if (code == 0)
        code = nng_stream_dialer_alloc_url(&dialer->nng, url);
    if (code == 0) /* nng leaves Nagle's waiting on: 40 ms for the second of two small writes */
        code = nng_stream_dialer_set_bool(dialer->nng, NNG_OPT_TCP_NODELAY, true);
    if (code == 0 && is_tls)
        code = set_tls(streams, dialer->nng, url->u_hostname);
    if (url)
        nng_url_free(url);
    if (code != 0) {
        if (dialer->nng)
            nng_stream_dialer_free(dialer->nng);
        free(dialer);
        return code;
    }
    dialer->next = streams->dialers;
    streams->dialers = dialer;
    *made = dialer;
    return 0;
}

static int get_dialer(struct streams *streams, const char *url, struct dialer **found)
{
    for (struct dialer *at = streams->dialers; at; at = at->next)
        if (strcmp(at->url, url) == 0) {
            *found = at;
            return 0;
        }
    return make_dialer(streams, url, found);
}

void streams_dial(void *data, uint64_t conn, const char *url)
{
    struct streams *streams = data;
    struct stream *stream = make_stream(streams, NULL);
    struct dialer *dialer = NULL;
    int code = get_dialer(streams, url, &dialer);

    know(stream, conn);
    stream->dial.is_busy = true;
    nng_aio_set_timeout(stream->dial.aio, DIAL_MS);
    if (code == 0)
        nng_stream_dialer_dial(dialer->nng, stream->dial.aio);
    else if (nng_aio_begin(stream->dial.aio))
        nng_aio_finish(stream->dial.aio, code);
}

/* Both addresses the same: the kernel has connected us to ourselves. */
static bool is_to_itself(nng_stream *nng)
{
    nng_sockaddr local, remote;

    memset(&local, 0, sizeof local);
    memset(&remote, 0, sizeof remote);
    if (nng_stream_get_addr(nng, NNG_OPT_LOCADDR, &local) != 0 ||
        nng_stream_get_addr(nng, NNG_OPT_REMADDR, &remote) != 0)
        return false;
    if (local.s_family == NNG_AF_INET)
        return local.s_in.sa_port == remote.s_in.sa_port &&
               local.s_in.sa_addr == remote.s_in.sa_addr;
    return local.s_family == NNG_AF_INET6 && local.s_in6.sa_port == remote.s_in6.sa_port &&
           memcmp(local.s_in6.sa_addr, remote.s_in6.sa_addr, sizeof local.s_in6.sa_addr) == 0;
}

static void on_dialled(struct job *job)
{
    struct stream *stream = container_of(job, struct stream, dial);
    int code = nng_aio_result(job->aio);

    if (code == 0)
        stream->nng = nng_aio_get_output(job->aio, 0);
    if (code == 0 && is_to_itself(stream->nng))
        code = NNG_ECONNREFUSED;
    enter(stream);
    if (stream->is_closed)
        close_now(stream);
    else if (code != 0)
        end(stream, code);
    else
        stream->streams->handlers->connected(stream->streams->data, stream->conn);
    if (!stream->is_closed) {
        read_more(stream);
        write_more(stream);
    }
    leave(stream);
}

/* ---- listening --------------------------------------------------------------------------- */

static void accept_more(struct streams *streams)
{
    if (streams->accept.is_busy)
        return;
    streams->accept.is_busy = true;
    nng_stream_listener_accept(streams->listener, streams->accept.aio);
}

static void on_accept_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    accept_more(container_of(timer, struct streams, accept_again));
}

static void write_remote(nng_stream *nng, bool is_tls, char *out, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "?";
    nng_sockaddr remote;
    unsigned port = 0;

    memset(&remote, 0, sizeof remote);
    if (nng_stream_get_addr(nng, NNG_OPT_REMADDR, &remote) == 0 && remote.s_family == NNG_AF_INET) {
        inet_ntop(AF_INET, &remote.s_in.sa_addr, text, sizeof text);
        port = ntohs(remote.s_in.sa_port);
    } else if (remote.s_family == NNG_AF_INET6) {
        inet_ntop(AF_INET6, remote.s_in6.sa_addr, text, sizeof text);
        port = ntohs(remote.s_in6.sa_port);
    }
    snprintf(out, size, "%s%s:%u", is_tls ? "tls+tcp://" : "tcp://", text, port);
}

static void welcome(struct streams *streams, nng_stream *nng)
{
    struct stream *stream;
    char remote[AUTH_URL_MAX + 1];
    uint64_t conn;

    write_remote(nng, streams->is_listener_tls, remote, sizeof remote);
    conn = streams->handlers->accepted(streams->data, remote, streams->is_listener_tls);
    if (!conn) {
        nng_stream_free(nng);
        return;
    }
    stream = make_stream(streams, nng);
    know(stream, conn);
    enter(stream);
    streams->handlers->connected(streams->data, conn);
    if (!stream->is_closed)
        read_more(stream);
    leave(stream);
}

static void on_accepted(struct job *job)
{
    struct streams *streams = job->streams;
    int code = nng_aio_result(job->aio);

    if (code == NNG_ECLOSED)
        return;
    if (code != 0) { /* no descriptors, mostly: others will close */
        ev_timer_again(streams->loop, &streams->accept_again);
        return;
    }
    ev_timer_stop(streams->loop, &streams->accept_again);
    if (!streams->handlers) {
        nng_stream_free(nng_aio_get_output(job->aio, 0));
        return;
    }
    welcome(streams, nng_aio_get_output(job->aio, 0));
    accept_more(streams);
}

static int listener_tls(const struct streams *streams, nng_stream_listener *listener)
{
    int code = nng_stream_listener_set_string(listener, NNG_OPT_TLS_CA_FILE, streams->tls.ca);

    if (code == 0)
        code = nng_stream_listener_set_string(listener, NNG_OPT_TLS_CERT_KEY_FILE,
                                              streams->tls.cert_and_key);
    if (code == 0)
        code = nng_stream_listener_set_int(listener, NNG_OPT_TLS_AUTH_MODE,
                                           NNG_TLS_AUTH_MODE_REQUIRED);
    return code;
}

/* tcp://host:0 is tcp://host:PORT from now on. */
static void write_port(nng_stream_listener *listener, char url[AUTH_URL_MAX + 1])
{
    size_t length = strlen(url);
    int port;

    if (length < 2 || strcmp(url + length - 2, ":0") != 0 ||
        nng_stream_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port) != 0)
        return;
    snprintf(url + length - 1, AUTH_URL_MAX + 2 - length, "%d", port);
}

int streams_listen(struct streams *streams, char url[AUTH_URL_MAX + 1], struct error *err)
{
    int code;

    streams->is_listener_tls = url_is_tls(url);
    if (streams->is_listener_tls && !streams->tls.ca)
        return error_set(err, EINVAL, "%s: TLS needs --ca and --cert", url);
    code = nng_stream_listener_alloc(&streams->listener, url);
    if (code == 0)
        code = nng_stream_listener_set_bool(streams->listener, NNG_OPT_TCP_NODELAY, true);
    if (code == 0 && streams->is_listener_tls)
        code = listener_tls(streams, streams->listener);
    if (code == 0)
        code = nng_stream_listener_listen(streams->listener);
    if (code != 0) {
        if (streams->listener) /* it has never listened: nobody is in it */
            nng_stream_listener_free(streams->listener);
        streams->listener = NULL;
        return error_set(err, EIO, "%s: %s", url, nng_strerror(code));
    }
    write_port(streams->listener, url);
    return 0;
}

void streams_serve(struct streams *streams, const struct streams_handlers *handlers, void *data)
{
    streams->handlers = handlers;
    streams->data = data;
    if (streams->listener)
        accept_more(streams);
}

/* ---- what its owner asks for ------------------------------------------------------------------
 */

int64_t streams_now_ms(void *data)
{
    (void)data;
    return mono_now().us / 1000;
}

void streams_random(void *data, void *out, size_t size)
{
    (void)data;
    if (getrandom(out, size, 0) == (ssize_t)size)
        return;
    fputs("node: no random numbers\n", stderr);
    exit(1);
}

void streams_send(void *data, uint64_t conn, const void *bytes, size_t size)
{
    struct stream *stream = find(data, conn);

    if (!stream)
        return;
    if (buf_append(&stream->pending, bytes, size) < 0)
        memory_fail();
    write_more(stream);
}

size_t streams_queued(const struct streams *streams, uint64_t conn)
{
    const struct stream *stream = find(streams, conn);

    return stream ? buf_length(&stream->pending) + buf_length(&stream->writing) : 0;
}

void streams_pause(struct streams *streams, uint64_t conn, bool is_paused)
{
    struct stream *stream = find(streams, conn);

    if (!stream || stream->is_paused == is_paused)
        return;
    stream->is_paused = is_paused;
    if (!is_paused && stream->nng)
        read_more(stream);
}

void streams_close(void *data, uint64_t conn, bool last_words)
{
    struct stream *stream = find(data, conn);

    if (!stream)
        return;
    forget(stream);
    if (last_words && stream->nng)
        ev_timer_start(stream->streams->loop, &stream->last_words);
    else if (stream->dial.is_busy)
        stream->is_closed = true; /* whatever comes of it is closed then */
    else
        close_now(stream);
}

/* ---- the whole --------------------------------------------------------------------------- */

void streams_block_signals(sigset_t *old)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, old);
}

struct streams *streams_create(struct ev_loop *loop, const struct streams_tls *tls,
                               struct error *err)
{
    struct streams *streams = memory_zeroed(sizeof *streams);

    streams->loop = loop;
    streams->tls = *tls;
    streams->last = &streams->first;
    pthread_mutex_init(&streams->lock, NULL);
    ev_async_init(&streams->wake, on_wake);
    ev_async_start(loop, &streams->wake);
    ev_prepare_init(&streams->turn, on_turn);
    ev_set_priority(&streams->turn, EV_MINPRI);
    ev_timer_init(&streams->accept_again, on_accept_again, 0., ACCEPT_AGAIN_MS / 1000.0);
    if (nng_aio_alloc(&streams->accept.aio, on_over, &streams->accept) == 0) {
        streams->accept.streams = streams;
        streams->accept.done = on_accepted;
        return streams;
    }
    error_set(err, ENOMEM, "nng does not start");
    free(streams);
    return NULL;
}

/* Last words are waited for, by their timers; what nng does then ends with the process. */
void streams_destroy(struct streams *streams)
{
    int64_t limit_ms = streams_now_ms(streams) + (int64_t)2 * LAST_WORDS_MS;

    streams->handlers = NULL;
    if (streams->listener)
        nng_stream_listener_close(streams->listener);
    for (struct stream *stream = streams->all, *next; stream; stream = next) {
        next = stream->next;
        if (stream->conn)
            close_now(stream);
    }
    while (streams->all && streams_now_ms(streams) < limit_ms)
        ev_run(streams->loop, EVRUN_ONCE);
}
