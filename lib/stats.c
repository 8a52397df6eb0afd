#include "stats.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(sizeof(struct stats_page) <= STATS_PAGE_SIZE, "a stats page is one page");

int stats_create(unsigned n)
{
    int fd = memfd_create("troupe-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    /* Children hold it too: none of them shall cut it short under everybody's mappings. */
    if (ftruncate(fd, (off_t)n * STATS_PAGE_SIZE) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

struct stats_page *stats_map_all(int fd, unsigned n)
{
    size_t size = (size_t)n * STATS_PAGE_SIZE;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return NULL;
    madvise(at, size, MADV_DONTFORK); /* at worst the forks are slower */
    return at;
}

struct stats_page *stats_of(struct stats_page *all, unsigned index)
{
    return (struct stats_page *)((char *)all + (size_t)index * STATS_PAGE_SIZE);
}

struct stats_page *stats_map_one(int fd, uint64_t offset)
{
    void *at = mmap(NULL, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

    return at == MAP_FAILED ? NULL : at;
}
