/* Lines in envelopes of a connection to a `.supervisor`: what an attached process has (PROTOCOL 3).
 */
#include "control.h"
#include "loop.h"
#include "parent.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- from the supervisor ------------------------------------------------------------------- */

static bool is_ours(const struct parent *parent, const struct envelope *env)
{
    return env->kind == ENVELOPE_EVENT && env->ref == parent->ref &&
           envelope_text_equals(env->type, EVENT_LINE);
}

static void take_lines(struct parent *parent, const struct envelope *env)
{
    struct words words;

    if (wire_unpack_words(env->payload, env->payload_size, &words) < 0)
        return;
    for (size_t i = 0; i < words.count; i++)
        parent_take(parent, words.at[i], strlen(words.at[i]));
    words_finish(&words);
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct parent *parent = peer_data(peer);

    if (fd >= 0)
        close(fd);
    if (is_ours(parent, env))
        take_lines(parent, env);
}

static void on_close(struct peer *peer, const char *why)
{
    struct parent *parent = peer_data(peer);

    (void)why;
    parent->peer = NULL;
    parent->way = NULL;
    parent->on_gone(parent);
}

static void poll_peer(struct parent *parent)
{
    peer_poll(parent->peer);
}

/* ---- to the supervisor --------------------------------------------------------------------- */

/* Each line is a word. 0, or -1 with ENOMEM. */
static int words_of_lines(const char *lines, size_t size, struct words *words)
{
    const char *end = lines + size;

    *words = (struct words){0};
    while (lines < end) {
        size_t length = (size_t)((const char *)memchr(lines, '\n', (size_t)(end - lines)) - lines);
        char *line = strndup(lines, length);
        int result = line ? words_append(words, line) : -1;

        free(line);
        if (result < 0)
            return -1;
        lines += length + 1;
    }
    return 0;
}

/* At once, as by a socket: an attached process may be long in coming back to its loop. */
static int send_lines(struct parent *parent, const char *lines, size_t size)
{
    struct words words;
    int result = words_of_lines(lines, size, &words), code;

    if (result == 0 && peer_request(parent->peer, CONTROL_LINE, &words, -1) == 0)
        result = -1;
    code = errno;
    words_finish(&words);
    if (result == 0)
        peer_flush(parent->peer); /* this may be how its end is seen */
    errno = code;
    return result;
}

static void on_drain(struct peer *peer)
{
    parent_flush(peer_data(peer));
}

static bool wait_sent(struct parent *parent, int ms)
{
    if (peer_queued(parent->peer) == 0)
        return false;
    loop_run_for(parent->loop, ms);
    return true;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void start(struct parent *parent)
{
    peer_pause(parent->peer, false);
}

static void finish(struct parent *parent)
{
    peer_close(parent->peer, false);
    parent->peer = NULL;
}

static const struct parent_way BY_PEER = {
    .start = start, .poll = poll_peer, .send = send_lines, .wait = wait_sent, .finish = finish};

static const struct peer_handlers HANDLERS = {
    .on_envelope = on_envelope, .on_close = on_close, .on_drain = on_drain};

void parent_by_peer(struct parent *parent, struct peer *peer, uint64_t ref)
{
    parent->way = &BY_PEER;
    parent->peer = peer;
    parent->ref = ref;
    peer_hand_over(peer, &HANDLERS, parent);
}
