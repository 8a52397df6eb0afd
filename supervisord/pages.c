#include "pages.h"

#include "spawn.h"
#include "supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int pages_init(struct pages *pages, unsigned count)
{
    *pages = (struct pages){.table_fd = stats_create(count), .count = count};
    pages->claimed = calloc(count, sizeof *pages->claimed);
    if (!pages->claimed || pages->table_fd < 0)
        return -1;
    pages->table = stats_map_all(pages->table_fd, count);
    return pages->table ? 0 : -1;
}

static struct pages *pages_of(const struct child *child)
{
    return &child->supervisor->pages;
}

/* A supervisor has a mailbox, and nothing that is counted. */
static bool has_page(const struct child *child)
{
    return child->mailbox_fd >= 0 && !spec_supervises(child->spec);
}

static void close_own(struct child *child)
{
    if (child->page.own_fd >= 0)
        close(child->page.own_fd);
    child->page.own_fd = -1;
}

int pages_claim(struct child *child)
{
    struct pages *pages = pages_of(child);

    for (unsigned i = 0; i < pages->count; i++)
        if (!pages->claimed[i]) {
            pages->claimed[i] = true;
            child->page.index = (int)i;
            pages_reset(child);
            return 0;
        }
    errno = ENOSPC;
    return -1;
}

void pages_release(struct child *child)
{
    if (child->page.index < 0)
        return;
    close_own(child);
    pages_of(child)->claimed[child->page.index] = false;
    child->page.index = -1;
}

/* ---- an incarnation's ------------------------------------------------------------------------------ */

int pages_prepare(struct child *child)
{
    close_own(child);
    if (!has_page(child) || !spawn_execs(child))
        return 0;
    child->page.own_fd = stats_create(1);
    return child->page.own_fd < 0 ? -1 : 0;
}

int pages_fd(const struct child *child)
{
    if (!has_page(child))
        return -1;
    return child->page.own_fd >= 0 ? child->page.own_fd : pages_of(child)->table_fd;
}

uint64_t pages_offset(const struct child *child)
{
    return child->page.own_fd >= 0 ? 0 : (uint64_t)child->page.index * STATS_PAGE_SIZE;
}

static struct stats_page *in_table(const struct child *child)
{
    return stats_of(pages_of(child)->table, (unsigned)child->page.index);
}

struct stats_page pages_read(const struct child *child)
{
    struct stats_page page = {0};

    if (!has_page(child) || !child->pid)
        return page;
    if (child->page.own_fd < 0)
        memcpy((void *)&page, in_table(child), sizeof page);
    else if (pread(child->page.own_fd, &page, sizeof page, 0) != (ssize_t)sizeof page)
        memset((void *)&page, 0, sizeof page);
    return page;
}

/* A page that was never written is left alone: it takes no memory. */
void pages_reset(struct child *child)
{
    if (has_page(child) && !spawn_execs(child) && child->slot && child->slot->incarnation)
        memset((void *)in_table(child), 0, sizeof(struct stats_page));
    close_own(child);
}
