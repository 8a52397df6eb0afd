#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void memory_fail(void)
{
    fputs("node: out of memory\n", stderr);
    exit(1);
}

static void *checked(void *memory)
{
    if (!memory)
        memory_fail();
    return memory;
}

void *memory_zeroed(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *memory_resize(void *old, size_t count, size_t size)
{
    return checked(reallocarray(old, count ? count : 1, size));
}

char *memory_text(const char *text)
{
    return checked(strdup(text));
}
