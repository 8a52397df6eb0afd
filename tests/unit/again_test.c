/* What happens to messages when their receiver dies, at every byte of a frame (PROTOCOL 1): what was not
 * begun to be handled goes again, whole and in order; what the kernel had taken never does. */
#include "envelope.h"
#include "loop.h"
#include "peer.h"
#include "rundir.h"
#include "sp.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL = 40, LARGE = 600 * 1024, HEADER = 8, MESSAGES = 3 };

/* The sender, as contact.c is one: what is left of a connection goes on the next. */
struct sender {
    struct ev_loop *loop;
    char dir[64];
    struct peer *peer;
    unsigned closed, resent;
};

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    (void)peer;
    (void)env;
    (void)fd;
}

static void on_close(struct peer *peer, const char *why);

static const struct peer_handlers HANDLERS = {.on_envelope = on_envelope, .on_close = on_close};

static void on_close(struct peer *peer, const char *why)
{
    struct sender *sender = peer_data(peer);
    struct buf left = peer_leftover(peer);

    (void)why;
    sender->closed++;
    sender->peer = NULL;
    if (buf_length(&left) > 0) {
        sender->resent++;
        sender->peer =
            peer_dial_mailbox(sender->loop, sender->dir, "x", "me@n#1", &left, &HANDLERS, sender);
    }
    buf_finish(&left);
}

static void send_all(struct sender *sender, size_t size)
{
    uint8_t *payload = malloc(size);

    sender->peer = peer_dial_mailbox(sender->loop, sender->dir, "x", "me@n#1", NULL, &HANDLERS, sender);
    for (int i = 0; i < MESSAGES; i++) {
        struct envelope env = {.kind = ENVELOPE_CAST,
                               .ref = (uint64_t)i + 1,
                               .type = envelope_text("put"),
                               .payload = payload,
                               .payload_size = (uint32_t)size};

        memset(payload, 'a' + i, size);
        peer_send(sender->peer, &env, -1);
    }
    free(payload);
}

static void put_away(struct sender *sender, int listener)
{
    peer_close(sender->peer, false);
    close(listener);
    ev_loop_destroy(sender->loop);
    unlinkat(AT_FDCWD, strcat(sender->dir, "/x"), 0);
    sender->dir[strlen(sender->dir) - 2] = '\0';
    rmdir(sender->dir);
}

/* ---- a receiver that dies on purpose -------------------------------------------------------- */

static void greet(int fd, bool hello)
{
    static const uint8_t features[8];
    struct envelope env = {.kind = ENVELOPE_HELLO,
                           .from = envelope_text("x@n#1"),
                           .payload = features,
                           .payload_size = sizeof features};
    uint8_t bytes[HEADER + SP_FRAME_HEADER + ENVELOPE_HEADER_MAX] = {0};
    size_t size = envelope_encode_header(&env, bytes + HEADER + SP_FRAME_HEADER);

    sp_header_write(SP_PAIR0, bytes);
    memcpy(bytes + HEADER + SP_FRAME_HEADER + size, features, sizeof features);
    size += sizeof features;
    bytes[HEADER] = 1;
    bytes[HEADER + 7] = (uint8_t)(size >> 8);
    bytes[HEADER + 8] = (uint8_t)size;
    if (write(fd, bytes, hello ? HEADER + SP_FRAME_HEADER + size : HEADER) < 0)
        perror("write");
}

static int take_one(struct sender *sender, int listener)
{
    int fd;

    for (int i = 0; i < 1000; i++) {
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            return fd;
        loop_run_for(sender->loop, 5);
    }
    return -1;
}

/* Reads until `wanted` bytes are there, or nothing has come for a while. */
static size_t read_some(struct sender *sender, int fd, uint8_t *bytes, size_t wanted)
{
    size_t have = 0;

    for (int silent = 0; have < wanted && silent < 10;) {
        ssize_t n = read(fd, bytes + have, wanted - have);

        if (n > 0) {
            have += (size_t)n;
            silent = 0;
            loop_run_for(sender->loop, 0);
        } else if (n == 0) {
            break;
        } else {
            silent++;
            loop_run_for(sender->loop, 1);
        }
    }
    return have;
}

/* The refs of the CASTs among whole frames, as digits: "123". */
static void refs_of(const uint8_t *bytes, size_t size, char *out, size_t payload)
{
    struct envelope env;
    const char *why;
    size_t frame;

    for (bytes += HEADER, size -= HEADER < size ? HEADER : size;
         sp_frame_size(bytes, size, &frame) == 0; bytes += frame, size -= frame) {
        if (envelope_decode(bytes + SP_FRAME_HEADER, frame - SP_FRAME_HEADER, &env, &why) < 0)
            *out++ = '?';
        else if (env.kind == ENVELOPE_CAST)
            *out++ = env.payload_size == payload && *(const char *)env.payload == (char)('a' + env.ref - 1)
                         ? (char)('0' + env.ref)
                         : '!';
    }
    if (size > 0)
        *out++ = '+'; /* part of one */
    *out = '\0';
}

struct outcome {
    char first[16], second[16]; /* what each connection brought */
    unsigned closed;
};

/* The receiver reads `cut` bytes and dies; another one at its place reads all that comes. */
static struct outcome die_after(size_t cut, size_t size, bool hello)
{
    static uint8_t bytes[MESSAGES * (LARGE + 1024)];
    struct sender sender = {.loop = loop_create()};
    struct outcome outcome = {0};
    int listener, fd;
    size_t have;

    snprintf(sender.dir, sizeof sender.dir, "/tmp/again.XXXXXX");
    if (!mkdtemp(sender.dir))
        return outcome;
    listener = rundir_listen(sender.dir, "x");
    send_all(&sender, size);
    fd = take_one(&sender, listener);
    greet(fd, hello);
    loop_run_for(sender.loop, 5); /* what the kernel takes, it has taken */
    loop_run_for(sender.loop, 0);
    have = read_some(&sender, fd, bytes, cut);
    refs_of(bytes, have, outcome.first, size);
    close(fd);
    loop_run_for(sender.loop, 5);
    if (sender.peer) {
        fd = take_one(&sender, listener);
        greet(fd, true);
        have = read_some(&sender, fd, bytes, sizeof bytes);
        refs_of(bytes, have, outcome.second, size);
        close(fd);
    }
    outcome.closed = sender.closed;
    put_away(&sender, listener);
    return outcome;
}

/* ---- what must hold ------------------------------------------------------------------------- */

/* The kernel has taken the small ones whole, whether they were read or not: they are lost, never twice. */
static void test_small(void)
{
    size_t hello = HEADER + SP_FRAME_HEADER + ENVELOPE_FIXED_SIZE + strlen("me@n#1") + 8;
    size_t frame = SP_FRAME_HEADER + ENVELOPE_FIXED_SIZE + 3 + SMALL;
    unsigned wrong = 0;

    for (size_t cut = HEADER; cut <= hello + MESSAGES * frame; cut++) {
        struct outcome outcome = die_after(cut, SMALL, true);

        if (*outcome.second || outcome.closed != 1) {
            tap_note("cut at %zu: %s then %s", cut, outcome.first, outcome.second);
            wrong++;
        }
    }
    CHECK(wrong == 0, "what the kernel had taken is not sent again, wherever the receiver died");
}

/* Before its HELLO nothing was handled: everything goes again, in order. */
static void test_unheard(void)
{
    unsigned wrong = 0;

    for (size_t cut = 0; cut < 300; cut += 7) {
        struct outcome outcome = die_after(cut, SMALL, false);

        if (strcmp(outcome.second, "123") != 0 || outcome.closed != 0) {
            tap_note("cut at %zu: %s then %s", cut, outcome.first, outcome.second);
            wrong++;
        }
    }
    CHECK(wrong == 0, "without a HELLO all goes again, whole and in order");
}

/* Ends so many connections of a sender, each after its header or before that; closed: it has given
 * up. */
static struct outcome start_in_vain(unsigned times, bool header)
{
    static uint8_t bytes[MESSAGES * 1024];
    struct sender sender = {.loop = loop_create()};
    struct outcome outcome = {0};
    int listener, fd;

    snprintf(sender.dir, sizeof sender.dir, "/tmp/again.XXXXXX");
    if (!mkdtemp(sender.dir))
        return outcome;
    listener = rundir_listen(sender.dir, "x");
    send_all(&sender, SMALL);
    for (unsigned i = 0; i < times && !sender.closed; i++) {
        fd = take_one(&sender, listener);
        if (header)
            greet(fd, false);
        loop_run_for(sender.loop, 5);
        close(fd);
        loop_run_for(sender.loop, 20);
    }
    outcome.closed = sender.closed;
    if (!sender.closed) {
        fd = take_one(&sender, listener);
        greet(fd, true);
        refs_of(bytes, read_some(&sender, fd, bytes, sizeof bytes), outcome.second, SMALL);
        close(fd);
    }
    put_away(&sender, listener);
    return outcome;
}

static void test_starting(void)
{
    struct outcome starting, refused;

    sp_unheard_ms = 100;
    starting = start_in_vain(30, true);
    refused = start_in_vain(100, false);
    CHECK(starting.closed == 0 && strcmp(starting.second, "123") == 0,
          "who tries to start, again and again, is waited for, and then has everything in order");
    CHECK(refused.closed == 1, "who ends connections without a word is given up");
    sp_starting_ms = 100;
    starting = start_in_vain(100, true);
    CHECK(starting.closed == 1, "and so is who tries to start for too long");
    sp_unheard_ms = 5000;
    sp_starting_ms = 60000;
}

/* Large ones are taken in part: a frame of which the kernel had not all goes again whole. */
static void test_large(void)
{
    unsigned wrong = 0, repeated = 0;

    for (size_t cut = HEADER; cut < LARGE + 400; cut += cut < 200 ? 1 : 29983) {
        struct outcome outcome = die_after(cut, LARGE, true);

        for (const char *ref = "123"; *ref; ref++)
            repeated += strchr(outcome.first, *ref) && strchr(outcome.second, *ref);
        /* of what came whole on the second connection, nothing is missing at the end, or out of order */
        if (strcmp(outcome.second, "123") != 0 && strcmp(outcome.second, "23") != 0 &&
            strcmp(outcome.second, "3") != 0) {
            tap_note("cut at %zu: %s then %s", cut, outcome.first, outcome.second);
            wrong++;
        }
    }
    CHECK(wrong == 0, "a frame that was not wholly taken goes again whole, with those behind it");
    CHECK(repeated == 0, "and none comes twice");
}

int main(void)
{
    test_small();
    test_unheard();
    test_starting();
    test_large();
    return tap_done();
}
