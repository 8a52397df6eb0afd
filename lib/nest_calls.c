/*
 * What is linked with this, and with the linker's --wrap for these calls of libc (NEST_CALLS in
 * sources.mk), takes its memory from the nest, and from the heap what the nest does not have.
 * Blocks may come from either and go anywhere: each is given back to where it was taken. Calls
 * within shared libraries are not seen.
 */
#include "nest.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    void *block = nest_take(size);

    return block ? block : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    size_t all;
    void *block = NULL;

    if (!__builtin_mul_overflow(n, size, &all))
        block = nest_take(all);
    return block ? memset(block, 0, all) : __real_calloc(n, size);
}

void __wrap_free(void *block)
{
    if (nest_has(block))
        nest_give(block);
    else
        __real_free(block);
}

static void *move(void *block, size_t size)
{
    size_t had = nest_size(block);
    void *moved = __wrap_malloc(size);

    if (!moved)
        return NULL;
    memcpy(moved, block, had < size ? had : size);
    nest_give(block);
    return moved;
}

/* What was allocated on the heap stays there. */
void *__wrap_realloc(void *block, size_t size)
{
    if (!block)
        return __wrap_malloc(size);
    if (!nest_has(block))
        return __real_realloc(block, size);
    if (size == 0) {
        nest_give(block);
        return NULL;
    }
    if (size <= nest_size(block) && size >= nest_size(block) / 2)
        return block;
    return move(block, size);
}

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}
