#include "satchel.h"

#include <stdalign.h>
#include <string.h>

static _Alignas(4096) char satchel[SATCHEL_SIZE];
static size_t used;

void satchel_open(void)
{
    used = 0;
}

char *satchel_room(size_t *size)
{
    *size = SATCHEL_SIZE - used;
    return satchel + used;
}

void *satchel_take(size_t size)
{
    const size_t unit = alignof(max_align_t);
    char *taken = satchel + used;

    if (size > SATCHEL_SIZE - used)
        return NULL;
    used += size;
    used = (used + unit - 1) / unit * unit; /* the satchel is whole units */
    return taken;
}

void *satchel_keep(const void *bytes, size_t size)
{
    void *kept = bytes ? satchel_take(size) : NULL;

    return kept ? memcpy(kept, bytes, size) : NULL;
}

char *satchel_keep_text(const char *text)
{
    return satchel_keep(text, text ? strlen(text) + 1 : 0);
}
