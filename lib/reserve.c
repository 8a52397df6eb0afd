#include "reserve.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESERVE_SIZE = 256 * 1024 };

static void *reserve;

/* Touched, so that it is there when it is needed, and not only promised. */
static bool fill(void)
{
    if (!reserve) {
        reserve = malloc(RESERVE_SIZE);
        if (reserve)
            memset(reserve, 0xa5, RESERVE_SIZE);
    }
    return reserve != NULL;
}

bool reserve_is_in_use(void)
{
    return !fill();
}

static void *resize(void *block, size_t size)
{
    void *grown = realloc(block, size);

    if (!grown && reserve) {
        free(reserve);
        reserve = NULL;
        grown = realloc(block, size);
    }
    if (!grown) {
        fputs("out of memory, and the reserve is gone\n", stderr);
        abort();
    }
    return grown;
}

void *reserve_malloc(size_t size)
{
    return resize(NULL, size);
}

/* libev's only way to ask: a size of 0 frees. */
static void *for_libev(void *block, long size) EV_NOEXCEPT
{
    if (size > 0)
        return resize(block, (size_t)size);
    free(block);
    return NULL;
}

int reserve_init(void)
{
    ev_set_allocator(for_libev);
    return fill() ? 0 : -1;
}
