#include "log_watch.h"
#include "text.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

struct log_watch {
    TAILQ_ENTRY(log_watch) entry;
    struct watched *watched;
    struct peer *peer;
    uint64_t ref;
    uint64_t from[LOG_KINDS];
    regex_t regex;
};

/* A path and those who watch it. */
struct watched {
    UT_hash_handle hh;
    struct log_watches *all;
    TAILQ_HEAD(watch_list, log_watch) list;
    char path[ADDR_PATH_MAX + 1];
};

struct log_watches {
    struct watched *by_path;
};

static void watch_destroy(struct log_watch *watch)
{
    struct watched *watched = watch->watched;

    TAILQ_REMOVE(&watched->list, watch, entry);
    if (TAILQ_EMPTY(&watched->list)) {
        HASH_DELETE(hh, watched->all->by_path, watched);
        free(watched);
    }
    regfree(&watch->regex);
    free(watch);
}

bool log_watch_line(struct log_watch *watch, const char *text)
{
    char *word = (char *)text;
    struct words words = {.count = 1, .at = &word};

    if (regexec(&watch->regex, text, 0, NULL, 0) != 0)
        return false;
    peer_reply_words(watch->peer, watch->ref, &words, -1);
    watch_destroy(watch);
    return true;
}

/* Shows a piece to a watch, without what came before the watch. True when it is over. */
static bool watch_piece(struct log_watch *watch, const struct log_chunk *chunk,
                        const struct log_piece *piece)
{
    uint64_t begin = chunk->offset + (uint64_t)(piece->at - chunk->bytes);
    uint64_t from = watch->from[chunk->kind];
    char text[LOG_TEXT_SIZE];
    size_t before = 0;

    if (from > begin) {
        if (from >= begin + piece->length)
            return false;
        before = (size_t)(from - begin);
    }
    text_escape(piece->at + before, piece->length - before, text, sizeof text);
    return log_watch_line(watch, text);
}

static void watch_chunk(struct log_watch *watch, const struct log_chunk *chunk)
{
    struct log_piece piece;
    size_t at = 0;

    while (log_piece_next(chunk->bytes, chunk->size, &at, &piece)) {
        if (watch_piece(watch, chunk, &piece))
            return;
    }
}

void log_watches_chunk(struct log_watches *watches, const struct log_chunk *chunk)
{
    struct log_watch *watch, *next;
    struct watched *watched;

    if (!watches->by_path || chunk->kind == LOG_NOTE)
        return;
    HASH_FIND_STR(watches->by_path, chunk->path, watched);
    if (!watched)
        return;
    for (watch = TAILQ_FIRST(&watched->list); watch; watch = next) {
        next = TAILQ_NEXT(watch, entry);
        watch_chunk(watch, chunk); /* the last match frees the list's head, and next is NULL then */
    }
}

static struct watched *watched_of(struct log_watches *watches, const char *path)
{
    struct watched *watched;

    HASH_FIND_STR(watches->by_path, path, watched);
    if (watched)
        return watched;
    watched = calloc(1, sizeof *watched);
    if (!watched)
        return NULL;
    watched->all = watches;
    TAILQ_INIT(&watched->list);
    snprintf(watched->path, sizeof watched->path, "%s", path);
    HASH_ADD_STR(watches->by_path, path, watched);
    return watched;
}

struct log_watch *log_watch_add(struct log_watches *watches, struct peer *peer, uint64_t ref,
                                const char *path, const char *regex, const uint64_t from[LOG_KINDS],
                                char why[128])
{
    struct log_watch *watch = calloc(1, sizeof *watch);
    int error;

    snprintf(why, 128, "out of memory");
    if (!watch)
        return NULL;
    error = regcomp(&watch->regex, regex, REG_EXTENDED | REG_NOSUB);
    if (error) {
        regerror(error, &watch->regex, why, 128);
        free(watch);
        return NULL;
    }
    watch->watched = watched_of(watches, path);
    if (!watch->watched) {
        regfree(&watch->regex);
        free(watch);
        return NULL;
    }
    watch->peer = peer;
    watch->ref = ref;
    memcpy(watch->from, from, sizeof watch->from);
    TAILQ_INSERT_TAIL(&watch->watched->list, watch, entry);
    return watch;
}

/* Destroys the watches of peer, or all of them (NULL). */
static void remove_all(struct log_watches *watches, const struct peer *peer)
{
    struct watched *watched, *next_watched;
    struct log_watch *watch, *next;

    HASH_ITER (hh, watches->by_path, watched, next_watched) {
        for (watch = TAILQ_FIRST(&watched->list); watch; watch = next) {
            next = TAILQ_NEXT(watch, entry);
            if (!peer || watch->peer == peer)
                watch_destroy(watch);
        }
    }
}

void log_watches_remove(struct log_watches *watches, const struct peer *peer)
{
    remove_all(watches, peer);
}

struct log_watches *log_watches_create(void)
{
    return calloc(1, sizeof(struct log_watches));
}

void log_watches_destroy(struct log_watches *watches)
{
    if (!watches)
        return;
    remove_all(watches, NULL);
    free(watches);
}
