#include "log_plan.h"

#include <stdlib.h>
#include <string.h>

uint64_t log_size_limit(const struct log_limits *limits)
{
    uint64_t half = limits->total_bytes / 2;

    return limits->size_bytes < half ? limits->size_bytes : half;
}

bool log_is_rotation_due(uint64_t size, uint64_t more, uint64_t limit)
{
    return size > 0 && size + more > limit;
}

unsigned log_rotation_steps(unsigned files, struct log_step *steps)
{
    unsigned count = 0;

    if (files <= 1) {
        steps[count++] = (struct log_step){0, 0};
        return count;
    }
    /* Renaming over the oldest removes it. */
    for (unsigned to = files - 1; to > 0; to--)
        steps[count++] = (struct log_step){to - 1, to};
    return count;
}

static int compare_candidates(const void *left, const void *right)
{
    const struct log_candidate *a = left, *b = right;

    if ((a->generation == 0) != (b->generation == 0))
        return a->generation == 0 ? 1 : -1;
    if (a->mtime_ns != b->mtime_ns)
        return a->mtime_ns < b->mtime_ns ? -1 : 1;
    if (a->generation != b->generation)
        return a->generation > b->generation ? -1 : 1;
    return strcmp(a->name, b->name);
}

uint64_t log_choose_removals(struct log_candidate *files, size_t count, uint64_t wanted)
{
    uint64_t left = 0;

    for (size_t i = 0; i < count; i++) {
        left += files[i].size;
        files[i].is_chosen = false;
    }
    if (count > 0)
        qsort(files, count, sizeof *files, compare_candidates);
    for (size_t i = 0; i < count && left > wanted; i++) {
        if (files[i].is_busy)
            continue;
        files[i].is_chosen = true;
        left -= files[i].size;
    }
    return left;
}

/* ---- which files are open ------------------------------------------------------------------ */

static void unlink_slot(struct log_lru *lru, struct log_slot *slot)
{
    if (slot->newer)
        slot->newer->older = slot->older;
    else
        lru->newest = slot->older;
    if (slot->older)
        slot->older->newer = slot->newer;
    else
        lru->oldest = slot->newer;
    slot->newer = slot->older = NULL;
}

static void link_newest(struct log_lru *lru, struct log_slot *slot)
{
    slot->newer = NULL;
    slot->older = lru->newest;
    if (lru->newest)
        lru->newest->newer = slot;
    else
        lru->oldest = slot;
    lru->newest = slot;
}

struct log_slot *log_lru_find(struct log_lru *lru, const char *name)
{
    struct log_slot *slot = NULL;

    HASH_FIND_STR(lru->by_name, name, slot);
    if (!slot || slot == lru->newest)
        return slot;
    unlink_slot(lru, slot);
    link_newest(lru, slot);
    return slot;
}

void log_lru_add(struct log_lru *lru, struct log_slot *slot)
{
    HASH_ADD_KEYPTR(hh, lru->by_name, slot->name, strlen(slot->name), slot);
    link_newest(lru, slot);
    lru->count++;
}

void log_lru_remove(struct log_lru *lru, struct log_slot *slot)
{
    HASH_DELETE(hh, lru->by_name, slot);
    unlink_slot(lru, slot);
    lru->count--;
}

struct log_slot *log_lru_victim(const struct log_lru *lru, unsigned max)
{
    return lru->count >= max ? lru->oldest : NULL;
}
