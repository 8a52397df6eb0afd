/*
 * A peer of a supervisor that says whatever it is told to: `stranger MAILBOX [ADDRESS]` dials
 * $TROUPE_RUN/MAILBOX, calls itself that (else `stranger`), and reads commands from standard input,
 * words separated by TABs:
 *
 *   request VERB [WORD…]          a CONTROL envelope with the next ref, from 1
 *   event REF TYPE [WORD…]        an EVENT, which only who was asked may send
 *   call FROM NAME                a CALL with nothing in it, with ref 1, that says it is from there
 *   cast TO NAME                  a CAST with nothing in it, which wants to hear when it is refused
 *   flood N VERB [WORD…]          that request N times, as fast as it is taken; then prints
 *                                 `flooded`
 *   deaf                          reads nothing any more
 *   time                          prints `time NS`, of CLOCK_MONOTONIC, before what comes next
 *
 * What comes back is printed, one envelope a line: `reply REF [WORD…]` (with `fd` first, when a
 * descriptor came along), `error REF TEXT`, `event REF TYPE [WORD…]`; `closed WHY` at the end. Ends
 * at the end of its input, too.
 */
#include "peer.h"
#include "rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct ev_loop *loop;
static struct peer *peer;

/* An actor's answer to the call `who`: a number and a text. */
static void print_who(const struct envelope *env)
{
    union wire_value values[2];

    if (wire_unpack_values("us", env->payload, env->payload_size, values) < 0)
        printf("\tno words");
    else
        printf("\t%llu\t%.*s", (unsigned long long)values[0].u, (int)values[1].bytes.size,
               (const char *)values[1].bytes.at);
}

static void print_words(const struct envelope *env)
{
    struct words words = {0};

    if (wire_unpack_words(env->payload, env->payload_size, &words) < 0)
        print_who(env);
    for (size_t i = 0; i < words.count; i++)
        printf("\t%s", words.at[i]);
    putchar('\n');
    words_finish(&words);
}

static void on_envelope(struct peer *from, const struct envelope *env, int fd)
{
    unsigned long long ref = env->ref;

    (void)from;
    if (env->kind == ENVELOPE_ERROR) {
        printf("error\t%llu\t%.*s\n", ref, (int)env->payload_size, (const char *)env->payload);
    } else if (env->kind == ENVELOPE_EVENT) {
        printf("event\t%llu\t%.*s", ref, env->type.length, env->type.at);
        print_words(env);
    } else {
        printf("reply\t%llu%s", ref, fd >= 0 ? "\tfd" : "");
        print_words(env);
    }
    fflush(stdout);
}

static void on_close(struct peer *from, const char *why)
{
    (void)from;
    printf("closed\t%s\n", why);
    fflush(stdout);
    peer = NULL;
    ev_break(loop, EVBREAK_ALL);
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

static void send_event(uint64_t ref, const char *type, const struct words *words)
{
    struct envelope event = {.kind = ENVELOPE_EVENT, .ref = ref, .type = envelope_text(type)};
    struct wire_image image;

    if (wire_pack_words(words, &image) < 0)
        return;
    event.payload = image.data;
    event.payload_size = (uint32_t)image.size;
    peer_send(peer, &event, -1);
    wire_image_finish(&image);
}

static void send_call(const char *from, const char *name)
{
    const struct envelope call = {.kind = ENVELOPE_CALL,
                                  .ref = 1,
                                  .from = envelope_text(from),
                                  .type = envelope_text(name)};

    peer_send(peer, &call, -1);
}

static void send_cast(const char *to, const char *name)
{
    const struct envelope cast = {.kind = ENVELOPE_CAST,
                                  .flags = ENVELOPE_WANTS_UNDELIVERED,
                                  .to = envelope_text(to),
                                  .type = envelope_text(name)};

    peer_send(peer, &cast, -1);
}

/* One request at each turn of the loop that finds the outbox short. */
static struct {
    struct ev_prepare each_turn;
    struct ev_timer soon;
    unsigned long left;
    char *verb;
    struct words words;
} flood;

static void on_flood(struct ev_loop *l, ev_prepare *prepare, int revents)
{
    enum { OUTBOX_MAX = 1 << 20 };

    (void)revents;
    while (peer && flood.left && peer_queued(peer) < OUTBOX_MAX) {
        peer_request(peer, flood.verb, &flood.words, -1);
        flood.left--;
    }
    if (peer && flood.left)
        return;
    puts("flooded");
    fflush(stdout);
    ev_prepare_stop(l, prepare);
    ev_timer_stop(l, &flood.soon);
}

static void on_soon(struct ev_loop *l, ev_timer *timer, int revents)
{
    (void)l;
    (void)timer;
    (void)revents; /* only so that the loop turns */
}

static void flood_begin(unsigned long n, const char *verb, const struct words *words)
{
    flood.left = n;
    flood.verb = strdup(verb);
    for (size_t i = 0; i < words->count; i++)
        words_append(&flood.words, words->at[i]);
    ev_prepare_init(&flood.each_turn, on_flood);
    ev_prepare_start(loop, &flood.each_turn);
    ev_timer_init(&flood.soon, on_soon, .005, .005);
    ev_timer_start(loop, &flood.soon);
}

static void print_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("time\t%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    fflush(stdout);
}

static void obey(char *line)
{
    char *what = strsep(&line, "\t"), *first = strsep(&line, "\t"), *type = NULL, *word;
    struct words words = {0};

    if (first && (!strcmp(what, "event") || !strcmp(what, "flood") || !strcmp(what, "cast") ||
                  !strcmp(what, "call")))
        type = strsep(&line, "\t");
    while ((word = strsep(&line, "\t")))
        words_append(&words, word);
    if (!strcmp(what, "deaf"))
        peer_pause(peer, true);
    else if (!strcmp(what, "time"))
        print_time();
    else if (type && !strcmp(what, "flood"))
        flood_begin(strtoul(first, NULL, 10), type, &words);
    else if (type && !strcmp(what, "cast"))
        send_cast(first, type);
    else if (type && !strcmp(what, "call"))
        send_call(first, type);
    else if (type)
        send_event(strtoull(first, NULL, 10), type, &words);
    else if (first && !strcmp(what, "request"))
        peer_request(peer, first, &words, -1);
    words_finish(&words);
}

static void on_input(struct ev_loop *l, ev_io *io, int revents)
{
    static char text[65536];
    static size_t used;
    char *newline;
    ssize_t n = read(io->fd, text + used, sizeof text - 1 - used);

    (void)revents;
    if (n <= 0) {
        if (n == 0)
            ev_break(l, EVBREAK_ALL);
        return;
    }
    used += (size_t)n;
    text[used] = '\0';
    while (peer && (newline = strchr(text, '\n'))) {
        *newline = '\0';
        obey(text);
        used -= (size_t)(newline + 1 - text);
        memmove(text, newline + 1, used + 1);
    }
}

int main(int argc, char **argv)
{
    struct ev_io input;
    struct rundir dir;
    struct error err;

    if (argc < 2 || argc > 3 || rundir_find(NULL, &dir, &err) < 0)
        return 2;
    loop = loop_create();
    peer = peer_dial(loop, dir.path, argv[1], argc > 2 ? argv[2] : "stranger", (struct mono){0},
                     &handlers, NULL);
    if (!peer)
        return 1;
    ev_io_init(&input, on_input, STDIN_FILENO, EV_READ);
    ev_io_start(loop, &input);
    ev_run(loop, 0);
    peer_close(peer, true);
    return 0;
}
