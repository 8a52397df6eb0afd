#include "log_follow.h"
#include "log_lines.h"
#include "mono.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
    HELD_BYTES_MAX = 4 << 20,
    QUEUED_BYTES_MAX = 4 << 20, /* what waits for a follower that does not read */
    GAP_TRY_MS = 200,
};

struct held {
    STAILQ_ENTRY(held) entry;
    struct wire_image image;
    size_t lines;
};

struct log_follower {
    TAILQ_ENTRY(log_follower) entry;
    struct log_followers *all;
    struct peer *peer;
    uint64_t ref;
    char path[ADDR_PATH_MAX + 1];
    bool is_live;
    STAILQ_HEAD(held_list, held) held;
    size_t held_bytes;
    uint64_t skipped; /* lines it did not get and was not told of */
};

struct log_followers {
    struct ev_loop *loop;
    TAILQ_HEAD(follower_list, log_follower) list;
    ev_timer gap; /* runs while somebody has to be told of a gap */
};

/* ---- one follower ---------------------------------------------------------------------------- */

static void skip(struct log_follower *follower, size_t lines)
{
    follower->skipped += lines;
    if (!ev_is_active(&follower->all->gap))
        ev_timer_again(follower->all->loop, &follower->all->gap);
}

/* Tells of the gap once there is room again. False while there is none. */
static bool mention_gap(struct log_follower *follower)
{
    struct log_lines lines = {0};
    struct wire_image image = {0};
    char text[96];
    bool done = false;

    if (follower->skipped == 0)
        return true;
    if (peer_queued(follower->peer) > QUEUED_BYTES_MAX / 2)
        return false;
    snprintf(text, sizeof text, "%llu lines skipped: this reader is too slow",
             (unsigned long long)follower->skipped);
    if (log_lines_add(&lines, follower->path, "log", wall_now_us(), text) == 0 &&
        log_lines_pack(&lines, &image) == 0 &&
        log_lines_send(follower->peer, follower->ref, &image) == 0) {
        follower->skipped = 0;
        done = true;
    }
    wire_image_finish(&image);
    log_lines_finish(&lines);
    return done;
}

static void hold(struct log_follower *follower, const struct wire_image *image, size_t lines)
{
    struct held *held = NULL;

    if (follower->held_bytes + image->size <= HELD_BYTES_MAX && follower->skipped == 0)
        held = calloc(1, sizeof *held);
    if (held)
        held->image.data = malloc(image->size);
    if (!held || !held->image.data) {
        free(held);
        follower->skipped += lines;
        return;
    }
    memcpy(held->image.data, image->data, image->size);
    held->image.size = image->size;
    held->lines = lines;
    follower->held_bytes += image->size;
    STAILQ_INSERT_TAIL(&follower->held, held, entry);
}

static void deliver(struct log_follower *follower, const struct wire_image *image, size_t lines)
{
    if (!follower->is_live) {
        hold(follower, image, lines);
        return;
    }
    if (!mention_gap(follower) || peer_queued(follower->peer) > QUEUED_BYTES_MAX ||
        log_lines_send(follower->peer, follower->ref, image) < 0)
        skip(follower, lines);
}

static void drop_held(struct log_follower *follower, bool send)
{
    struct held *held;

    while ((held = STAILQ_FIRST(&follower->held))) {
        STAILQ_REMOVE_HEAD(&follower->held, entry);
        if (send && log_lines_send(follower->peer, follower->ref, &held->image) < 0)
            skip(follower, held->lines);
        wire_image_finish(&held->image);
        free(held);
    }
    follower->held_bytes = 0;
}

void log_follower_forget(struct log_follower *follower)
{
    drop_held(follower, false);
    follower->skipped = 0;
}

void log_follower_go_live(struct log_follower *follower)
{
    drop_held(follower, true);
    follower->is_live = true;
    if (!mention_gap(follower))
        skip(follower, 0);
}

static void follower_destroy(struct log_follower *follower)
{
    TAILQ_REMOVE(&follower->all->list, follower, entry);
    drop_held(follower, false);
    free(follower);
}

/* ---- all of them --------------------------------------------------------------------------------
 */

static void on_gap(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct log_followers *followers = container_of(timer, struct log_followers, gap);
    struct log_follower *follower;
    bool is_done = true;

    (void)events;
    TAILQ_FOREACH(follower, &followers->list, entry)
    {
        if (follower->is_live && !mention_gap(follower))
            is_done = false;
    }
    if (is_done)
        ev_timer_stop(loop, timer);
}

/* Everybody who wants them gets the lines collected so far. */
static void deliver_all(struct log_followers *followers, const char *path, struct log_lines *lines)
{
    struct wire_image image = {0};
    struct log_follower *follower;
    bool is_packed = log_lines_pack(lines, &image) == 0;

    TAILQ_FOREACH(follower, &followers->list, entry)
    {
        if (!addr_is_within(path, follower->path))
            continue;
        if (is_packed)
            deliver(follower, &image, lines->count);
        else
            skip(follower, lines->count);
    }
    wire_image_finish(&image);
    log_lines_finish(lines);
}

static bool is_anybody_interested(const struct log_followers *followers, const char *path)
{
    const struct log_follower *follower;

    TAILQ_FOREACH(follower, &followers->list, entry)
    {
        if (addr_is_within(path, follower->path))
            return true;
    }
    return false;
}

void log_followers_chunk(struct log_followers *followers, const struct log_chunk *chunk)
{
    struct log_lines lines = {0};
    char text[LOG_TEXT_SIZE], stream[8];
    struct log_piece piece;
    size_t at = 0;

    if (!is_anybody_interested(followers, chunk->path))
        return;
    while (log_piece_next(chunk->bytes, chunk->size, &at, &piece)) {
        bool goes_on = piece.goes_on || (!piece.is_whole && !chunk->is_final);

        text_escape(piece.at, piece.length, text, sizeof text);
        snprintf(stream, sizeof stream, "%s%s", log_kind_text(chunk->kind), goes_on ? "+" : "");
        log_lines_add(&lines, chunk->path, stream, chunk->wall_us, text);
        if (log_lines_is_full(&lines))
            deliver_all(followers, chunk->path, &lines);
    }
    if (lines.count > 0)
        deliver_all(followers, chunk->path, &lines);
    log_lines_finish(&lines);
}

struct log_follower *log_follower_add(struct log_followers *followers, struct peer *peer,
                                      uint64_t ref, const char *path)
{
    struct log_follower *follower = calloc(1, sizeof *follower);

    if (!follower)
        return NULL;
    follower->all = followers;
    follower->peer = peer;
    follower->ref = ref;
    snprintf(follower->path, sizeof follower->path, "%s", path);
    STAILQ_INIT(&follower->held);
    TAILQ_INSERT_TAIL(&followers->list, follower, entry);
    return follower;
}

void log_followers_remove(struct log_followers *followers, const struct peer *peer)
{
    struct log_follower *follower, *next;

    for (follower = TAILQ_FIRST(&followers->list); follower; follower = next) {
        next = TAILQ_NEXT(follower, entry);
        if (follower->peer == peer)
            follower_destroy(follower);
    }
}

struct log_followers *log_followers_create(struct ev_loop *loop)
{
    struct log_followers *followers = calloc(1, sizeof *followers);

    if (!followers)
        return NULL;
    followers->loop = loop;
    TAILQ_INIT(&followers->list);
    ev_init(&followers->gap, on_gap);
    followers->gap.repeat = GAP_TRY_MS / 1000.0;
    return followers;
}

void log_followers_destroy(struct log_followers *followers)
{
    if (!followers)
        return;
    while (!TAILQ_EMPTY(&followers->list))
        follower_destroy(TAILQ_FIRST(&followers->list));
    ev_timer_stop(followers->loop, &followers->gap);
    free(followers);
}
