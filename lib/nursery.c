#include "nursery.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* libev's arrays of a module that has few descriptors; untouched, the rest takes no memory. */
enum { FOR_LIBEV = 16 * 1024, ALIGNMENT = 16 };

static uint8_t *at, *end, *begin;

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

void *nursery_take(size_t size)
{
    uint8_t *taken = at;

    if (aligned(size) > (size_t)(end - at))
        return NULL;
    at += aligned(size);
    return taken;
}

/* libev does not say how long a block was: that stands before it. */
static void *take_sized(size_t size)
{
    uint8_t *block = nursery_take(ALIGNMENT + size);

    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    return block + ALIGNMENT;
}

static bool is_ours(const void *block)
{
    return (const uint8_t *)block >= begin && (const uint8_t *)block < end;
}

static void *move_out(void *block, size_t size)
{
    size_t had;
    void *moved = take_sized(size);

    if (!moved)
        moved = malloc(size);
    if (!moved)
        abort(); /* libev cannot be told */
    memcpy(&had, (uint8_t *)block - ALIGNMENT, sizeof had);
    memcpy(moved, block, had < size ? had : size);
    return moved;
}

/* A size of 0 frees. What was there before the nursery is of the heap. */
static void *for_libev(void *block, long size) EV_NOEXCEPT
{
    void *result;

    if (size <= 0) {
        if (!is_ours(block))
            free(block);
        return NULL;
    }
    if (block && is_ours(block))
        return move_out(block, (size_t)size);
    result = block ? NULL : take_sized((size_t)size);
    if (!result)
        result = realloc(block, (size_t)size);
    if (!result)
        abort();
    return result;
}

int nursery_open(size_t size)
{
    size_t room = aligned(size) + FOR_LIBEV;

    begin = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (begin == MAP_FAILED) {
        begin = NULL;
        return -1;
    }
    at = begin;
    end = begin + room;
    ev_set_allocator(for_libev);
    return 0;
}
