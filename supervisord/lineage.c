#include "lineage.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Sanitizers have terabytes of shadows mapped, and know what lies where. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CAN_LEAVE = false };
#else
enum { CAN_LEAVE = true };
#endif

enum { ESTATES_MAX = 64, CHUNK = 256 };

/* What /proc/self/pagemap tells of a page. */
#define PAGE_IS_PRESENT (UINT64_C(1) << 63)
#define PAGE_IS_SWAPPED (UINT64_C(1) << 62)
#define PAGE_IS_OF_FILE (UINT64_C(1) << 61)

/* A mapping, or several that lie side by side and may be one from now on. */
struct estate {
    uintptr_t begin, end;
    uintptr_t file_end; /* what lies before it may be a file's; what lies behind it is zero until
                           written */
    int rights;         /* PROT_READ … */
};

struct estates {
    struct estate at[ESTATES_MAX];
    size_t count, page; /* page: bytes */
    int pagemap;
};

/* ---- which ---------------------------------------------------------------------------------- */

/* "7f8182608000-7f818260a000 rw-p 001d3000 fd:01 1234 /usr/lib/libc.so.6": false for what the
 * kernel or a file gives to all alike, and for the stack. */
static bool parse(const char *line, struct estate *estate)
{
    unsigned long begin, end, inode;
    char rights[5], first = '\0';

    if (sscanf(line, "%lx-%lx %4s %*x %*s %lu %c", &begin, &end, rights, &inode, &first) < 4 ||
        rights[0] != 'r' || rights[2] != '-' || rights[3] != 'p')
        return false;
    *estate = (struct estate){.begin = begin,
                              .end = end,
                              .file_end = inode ? end : begin,
                              .rights = PROT_READ | (rights[1] == 'w' ? PROT_WRITE : 0)};
    return first != '[' || strstr(line, "[heap]");
}

static bool is_one_with(const struct estate *estate, const struct estate *next)
{
    return estate->end == next->begin && estate->rights == next->rights &&
           estate->rights & PROT_WRITE;
}

static void add(struct estates *estates, const struct estate *estate)
{
    struct estate *last = estates->count ? &estates->at[estates->count - 1] : NULL;

    if (last && is_one_with(last, estate)) {
        last->end = estate->end;
        if (estate->file_end > estate->begin)
            last->file_end = estate->file_end;
    } else if (estates->count < ESTATES_MAX) {
        estates->at[estates->count++] = *estate;
    }
}

static void survey(struct estates *estates)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    struct estate estate;
    char line[PATH_MAX + 128];

    while (maps && fgets(line, sizeof line, maps))
        if (parse(line, &estate))
            add(estates, &estate);
    if (maps)
        fclose(maps);
}

/* ---- copies --------------------------------------------------------------------------------- */

typedef void on_page(const struct estate *estate, uintptr_t page, size_t size, uint64_t what, void *ctx);

/* Each page of it, and what pagemap says of it. False: that is not known. */
static bool each_page(const struct estates *estates, const struct estate *estate, on_page *visit,
                      void *ctx)
{
    const size_t page = estates->page;
    uint64_t what[CHUNK];

    for (uintptr_t at = estate->begin; at < estate->end;) {
        size_t n = (estate->end - at) / page < CHUNK ? (estate->end - at) / page : CHUNK;
        ssize_t size = (ssize_t)(n * sizeof *what);

        if (pread(estates->pagemap, what, (size_t)size, (off_t)(at / page * sizeof *what)) != size)
            return false;
        for (size_t i = 0; i < n; i++, at += page)
            visit(estate, at, page, what[i], ctx);
    }
    return true;
}

/* Somebody of the family has written it. */
static bool is_written(uint64_t what)
{
    return what & PAGE_IS_SWAPPED || (what & PAGE_IS_PRESENT && !(what & PAGE_IS_OF_FILE));
}

static void count(const struct estate *estate, uintptr_t page, size_t size, uint64_t what, void *written)
{
    (void)estate;
    (void)page;
    (void)size;
    *(size_t *)written += is_written(what);
}

static void copy(const struct estate *estate, uintptr_t page, size_t size, uint64_t what, void *to)
{
    if (is_written(what) || page < estate->file_end)
        memcpy((uint8_t *)to + (page - estate->begin), (void *)page, size);
}

static void renew(const struct estates *estates, const struct estate *estate)
{
    size_t size = estate->end - estate->begin, written = 0;
    void *fresh;

    if (!each_page(estates, estate, count, &written) || !written)
        return;
    fresh = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED)
        return;
    if (!each_page(estates, estate, copy, fresh) ||
        (!(estate->rights & PROT_WRITE) && mprotect(fresh, size, estate->rights) < 0) ||
        mremap(fresh, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, estate->begin) == MAP_FAILED)
        munmap(fresh, size);
}

void lineage_leave(void)
{
    struct estates estates = {.page = (size_t)sysconf(_SC_PAGESIZE),
                              .pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};

    if (estates.pagemap < 0)
        return;
    if (CAN_LEAVE)
        survey(&estates);
    for (size_t i = 0; i < estates.count; i++)
        renew(&estates, &estates.at[i]);
    close(estates.pagemap);
}
