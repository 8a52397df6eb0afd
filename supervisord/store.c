#include "store.h"

#include <stdalign.h>
#include <stdint.h>
#include <sys/mman.h>

enum { BLOCK_SIZE = 1024 * 1024 };

/* Stands at the beginning of its own pages. */
struct block {
    struct block *next;
    size_t size, used;
};

static struct block *blocks; /* the one that is being filled comes first */

static size_t aligned(size_t size)
{
    const size_t unit = alignof(max_align_t);

    return (size + unit - 1) / unit * unit;
}

static struct block *add_block(size_t wanted)
{
    size_t room = aligned(sizeof(struct block)) + wanted;
    size_t size = room > BLOCK_SIZE ? room : BLOCK_SIZE;
    struct block *block =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED)
        return NULL;
    madvise(block, size, MADV_DONTFORK);
    *block = (struct block){blocks, size, aligned(sizeof *block)};
    blocks = block;
    return block;
}

void *store_take(size_t size)
{
    struct block *block = blocks;
    void *taken;

    if (!block || block->size - block->used < aligned(size))
        block = add_block(aligned(size));
    if (!block)
        return NULL;
    taken = (uint8_t *)block + block->used;
    block->used += aligned(size);
    return taken;
}

void store_lend(bool lent)
{
    for (struct block *block = blocks; block; block = block->next)
        madvise(block, block->size, lent ? MADV_DOFORK : MADV_DONTFORK);
}
