/*
 * Decisions about log files, pure: which are open, when to rotate, what to remove. The writer does
 * what they say.
 */
#ifndef TROUPE_LOG_PLAN_H
#define TROUPE_LOG_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

enum { LOG_FILES_MAX = 1000 };

/* What may be kept, as the command line says. */
struct log_limits {
    unsigned files;       /* of one path, the present one included; 1 to LOG_FILES_MAX */
    uint64_t size_bytes;  /* of one file */
    uint64_t total_bytes; /* of all files */
    int64_t patience_ms;  /* how long actors wait for a slow disk */
};

/* The greatest size of one file: two full ones always fit under the total. */
uint64_t log_size_limit(const struct log_limits *limits);

/* Is it time for a new file, when `more` bytes are to follow `size` bytes? An empty file never
 * rotates, so that a line longer than the limit still goes somewhere. */
bool log_is_rotation_due(uint64_t size, uint64_t more, uint64_t limit);

/* One step of a rotation: rename generation `from` to `to`; to == 0 means: remove `from`. */
struct log_step {
    unsigned from, to;
};

/* The steps that make room for a new generation 0, in order; steps has room for `files`. Returns
 * how many. With one file only, the one there is goes. */
unsigned log_rotation_steps(unsigned files, struct log_step *steps);

/* A file that counts towards the total. */
struct log_candidate {
    char *name; /* below the log directory */
    uint64_t size;
    int64_t mtime_ns;
    unsigned generation; /* 0: the present file of its path */
    bool is_busy;        /* being written: never chosen */
    bool is_chosen;
};

/* Sorts files and marks those to remove until at most `wanted` bytes are left: rotated ones first,
 * oldest first; then present ones of paths that have been silent longest. Returns the bytes left.
 */
uint64_t log_choose_removals(struct log_candidate *files, size_t count, uint64_t wanted);

/* ---- which files are open ------------------------------------------------------------------ */

enum { LOG_OPEN_MAX = 256 };

/* A file with something that belongs to it; the user embeds this as the first member. */
struct log_slot {
    UT_hash_handle hh;
    struct log_slot *newer, *older;
    char *name; /* owned by the user */
};

/* Least recently used goes first. Owns nothing; zero it to begin. */
struct log_lru {
    struct log_slot *by_name;
    struct log_slot *newest, *oldest;
    unsigned count;
};

/* The slot called name, now the newest; or NULL. */
struct log_slot *log_lru_find(struct log_lru *lru, const char *name);
/* Adds a slot, whose name is set and not in use, as the newest. */
void log_lru_add(struct log_lru *lru, struct log_slot *slot);
void log_lru_remove(struct log_lru *lru, struct log_slot *slot);
/* The slot to close before another can be added, or NULL while there is room for one more. */
struct log_slot *log_lru_victim(const struct log_lru *lru, unsigned max);

#endif
