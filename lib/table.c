#include "table.h"

#include "rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "troupe1";

struct header {
    char magic[8];
    uint32_t slot_size, slots;
    uint64_t next_number;
    uint64_t forgotten; /* the highest incarnation of a name whose slot serves another by now */
    uint32_t gone_count;
    struct table_gone gone[TABLE_GONE];
};

struct table {
    int fd;
    struct header *header;
    size_t mapped;
    bool *ready; /* this process has made sure that the slot's pages exist */
};

enum { PAGE = 4096 };

static size_t round_up(size_t n)
{
    return (n + PAGE - 1) / PAGE * PAGE;
}

static size_t slots_offset(void)
{
    return round_up(sizeof(struct header));
}

static size_t slot_stride(void)
{
    return round_up(sizeof(struct table_slot));
}

static size_t states_offset(const struct header *header)
{
    return slots_offset() + slot_stride() * header->slots;
}

static struct table_slot *slot_at(struct header *header, unsigned i)
{
    return (struct table_slot *)((char *)header + slots_offset() + slot_stride() * i);
}

static unsigned slot_index(const struct table *table, const struct table_slot *slot)
{
    size_t offset = (size_t)((const char *)slot - (const char *)table->header);

    return (unsigned)((offset - slots_offset()) / slot_stride());
}

static bool is_valid(const struct header *header, size_t size)
{
    return size >= slots_offset() && !memcmp(header->magic, magic, sizeof magic) &&
           header->slot_size == sizeof(struct table_slot) && header->slots <= 1000000 &&
           size >= states_offset(header);
}

static struct header *map(int fd, size_t size, int protection)
{
    struct header *header = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

    return header == MAP_FAILED ? NULL : header;
}

/* A file of another layout, or none: begin anew. */
static int format(struct table *table, unsigned max)
{
    size_t size = slots_offset() + slot_stride() * max;
    int err;

    if (ftruncate(table->fd, 0) < 0 || ftruncate(table->fd, (off_t)size) < 0)
        return -1;
    err = posix_fallocate(table->fd, 0, (off_t)slots_offset());
    if (err) {
        errno = err;
        return -1;
    }
    table->header = map(table->fd, size, PROT_READ | PROT_WRITE);
    if (!table->header)
        return -1;
    table->mapped = size;
    table->header->slot_size = sizeof(struct table_slot);
    table->header->slots = max;
    table->header->next_number = 1;
    memcpy(table->header->magic, magic, sizeof magic);
    return 0;
}

static int adopt(struct table *table, unsigned max)
{
    struct stat st;

    if (fstat(table->fd, &st) < 0)
        return -1;
    if ((size_t)st.st_size < slots_offset())
        return format(table, max);
    table->mapped = (size_t)st.st_size;
    table->header = map(table->fd, table->mapped, PROT_READ | PROT_WRITE);
    if (!table->header)
        return -1;
    if (is_valid(table->header, table->mapped) && table->header->slots >= max)
        return 0;
    munmap(table->header, table->mapped);
    table->header = NULL;
    return format(table, max);
}

struct table *table_open(const char *run_dir, const char *path, unsigned max)
{
    struct table *table = calloc(1, sizeof *table);
    char file[PATH_MAX];

    if (!table)
        return NULL;
    table->fd = -1;
    if (snprintf(file, sizeof file, "%s/%s%s%s", run_dir, path, *path ? "/" : "", RUNDIR_TABLE) >=
        (int)sizeof file) {
        errno = ENAMETOOLONG;
        goto fail;
    }
    table->fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (table->fd < 0 || adopt(table, max) < 0)
        goto fail;
    madvise(table->header, table->mapped, MADV_DONTFORK);
    table->ready = calloc(table->header->slots, sizeof *table->ready);
    if (!table->ready)
        goto fail;
    return table;
fail:
    table_close(table);
    return NULL;
}

void table_close(struct table *table)
{
    if (!table)
        return;
    if (table->header)
        munmap(table->header, table->mapped);
    if (table->fd >= 0)
        close(table->fd);
    free(table->ready);
    free(table);
}

/* Touching a hole of a full file system would be SIGBUS; asking for its pages first is an error. */
static bool make_ready(struct table *table, unsigned i)
{
    off_t offset = (off_t)(slots_offset() + slot_stride() * i);
    int err;

    if (table->ready[i])
        return true;
    err = posix_fallocate(table->fd, offset, (off_t)slot_stride());
    if (err) {
        errno = err;
        return false;
    }
    table->ready[i] = true;
    return true;
}

void table_begin(struct table *table)
{
    for (unsigned i = 0; i < table->header->slots; i++) {
        struct table_slot *slot = slot_at(table->header, i);

        if (!make_ready(table, i) || !slot->name[0])
            return;
        slot->present = 0;
    }
}

struct table_slot *table_find(struct table *table, const char *name)
{
    for (unsigned i = 0; i < table->header->slots; i++) {
        struct table_slot *slot = slot_at(table->header, i);

        if (!make_ready(table, i) || !slot->name[0])
            return NULL; /* slots fill from the front */
        if (!strcmp(slot->name, name))
            return slot;
    }
    return NULL;
}

static struct table_slot *claim(struct table_slot *slot, const char *name)
{
    memset(slot, 0, sizeof *slot);
    snprintf(slot->name, sizeof slot->name, "%s", name);
    return slot;
}

static bool is_free(const struct table_slot *slot)
{
    return !strcmp(slot->name, ".");
}

/* The better of two to serve another name: one that is free, else the one that is gone for longest.
 * NULL: neither may. */
static struct table_slot *better_to_reuse(struct table_slot *a, struct table_slot *b)
{
    if (b->present)
        return a;
    if (!a || is_free(b))
        return b;
    return is_free(a) || a->since_us <= b->since_us ? a : b;
}

/* Its old name may come back, and its numbers must not: whoever has a slot at second hand counts on
 * from the highest that is forgotten. */
static struct table_slot *reuse(struct table *table, struct table_slot *slot, const char *name)
{
    bool was_free = is_free(slot);

    if (!was_free && table->header->forgotten < slot->incarnation)
        table->header->forgotten = slot->incarnation;
    claim(slot, name);
    slot->incarnation = was_free ? 0 : table->header->forgotten;
    return slot;
}

struct table_slot *table_slot(struct table *table, const char *name)
{
    struct table_slot *reusable = NULL;

    for (unsigned i = 0; i < table->header->slots; i++) {
        struct table_slot *slot = slot_at(table->header, i);

        if (!make_ready(table, i))
            return NULL;
        if (!strcmp(slot->name, name))
            return slot;
        if (!slot->name[0])
            return claim(slot, name);
        reusable = better_to_reuse(reusable, slot);
    }
    if (reusable)
        return reuse(table, reusable, name);
    errno = ENOSPC;
    return NULL;
}

void table_release(struct table *table, struct table_slot *slot)
{
    (void)table;
    memset(slot, 0, sizeof *slot);
    strcpy(slot->name, "."); /* no part of a path starts with a dot: free for another */
}

void table_record_end(struct table_slot *slot, const struct table_end *end)
{
    slot->ends[slot->end_count % TABLE_ENDS] = *end;
    slot->end_count++;
    memcpy(slot->last, end->reason, sizeof slot->last);
}

const struct table_end *table_end(const struct table_slot *slot, unsigned i)
{
    if (i >= slot->end_count || i >= TABLE_ENDS)
        return NULL;
    return &slot->ends[(slot->end_count - 1 - i) % TABLE_ENDS];
}

void table_record_gone(struct table *table, const char *name, const struct table_end *end)
{
    struct table_gone *gone = &table->header->gone[table->header->gone_count % TABLE_GONE];

    snprintf(gone->name, sizeof gone->name, "%s", name);
    gone->end = *end;
    table->header->gone_count++;
}

const struct table_gone *table_gone(struct table *table, const char *name)
{
    uint32_t count = table->header->gone_count;

    for (uint32_t i = 0; i < count && i < TABLE_GONE; i++) {
        struct table_gone *gone = &table->header->gone[(count - 1 - i) % TABLE_GONE];

        if (!strcmp(gone->name, name))
            return gone;
    }
    return NULL;
}

static off_t state_offset(const struct table *table, const struct table_slot *slot)
{
    return (off_t)(states_offset(table->header) +
                   (size_t)slot_index(table, slot) * TABLE_LAST_STATE);
}

int table_set_last_state(struct table *table, struct table_slot *slot, const void *bytes, size_t size)
{
    if (size > TABLE_LAST_STATE) {
        errno = EMSGSIZE;
        return -1;
    }
    /* By pwrite beyond the mapping: the states of children that keep none take no room at all. */
    if (size && pwrite(table->fd, bytes, size, state_offset(table, slot)) != (ssize_t)size)
        return -1;
    slot->last_state_size = (uint32_t)size;
    return 0;
}

void *table_last_state(struct table *table, const struct table_slot *slot, size_t *size)
{
    void *bytes;

    *size = slot->last_state_size;
    if (!*size || *size > TABLE_LAST_STATE)
        return NULL;
    bytes = malloc(*size);
    if (bytes && pread(table->fd, bytes, *size, state_offset(table, slot)) != (ssize_t)*size) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

uint64_t table_next_number(struct table *table)
{
    if (table->header->next_number <= table->header->forgotten)
        table->header->next_number = table->header->forgotten + 1;
    return table->header->next_number++;
}

/* ---- the reader ---------------------------------------------------------------------------- */

static char *text_at(const char *text, size_t size)
{
    return strndup(text, strnlen(text, size));
}

/* Of one that was down when its supervisor fell silent there is nothing else to be known. */
static bool is_down(uint8_t state)
{
    return state == ROW_STOPPED || state == ROW_EXITED || state == ROW_FAILED;
}

static int row_of_slot(const struct table_slot *slot, const char *parent, struct row *row)
{
    char name[ADDR_PART_MAX + 1], path[ADDR_PATH_MAX + 1];

    memset(row, 0, sizeof *row);
    memcpy(name, slot->name, sizeof name);
    name[sizeof name - 1] = '\0';
    if (addr_join(parent, name, path, sizeof path) < 0)
        return -1;
    row->path = strdup(path);
    row->last = text_at(slot->last, sizeof slot->last);
    row->status = text_at(slot->status, sizeof slot->status);
    row->restart = strdup("");
    row->strategy = strdup("");
    row->kind = slot->kind;
    row->state = is_down(slot->state) ? slot->state : ROW_LOST;
    row->pid = slot->pid;
    row->incarnation = slot->incarnation;
    row->restarts_total = slot->restarts_total;
    row->since_us = (uint64_t)slot->since_us;
    row->started_us = (uint64_t)slot->started_us;
    return row->path && row->last && row->status && row->restart && row->strategy ? 0 : -1;
}

static int collect(struct header *header, size_t size, const char *parent, struct rows *rows)
{
    for (unsigned i = 0; i < header->slots; i++) {
        struct table_slot *slot = slot_at(header, i);
        struct row *grown;

        if ((char *)(slot + 1) > (char *)header + size || !slot->name[0])
            break;
        if (!slot->present)
            continue;
        grown = realloc(rows->at, (rows->count + 1) * sizeof *grown);
        if (!grown)
            return -1;
        rows->at = grown;
        if (row_of_slot(slot, parent, &rows->at[rows->count++]) < 0)
            return -1;
    }
    return 0;
}

int table_read(const char *file, const char *parent_path, struct rows *rows)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct header *header = NULL;
    struct stat st;
    int result = -1;

    memset(rows, 0, sizeof *rows);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || (size_t)st.st_size < slots_offset()) {
        errno = EBADMSG;
        goto done;
    }
    header = map(fd, (size_t)st.st_size, PROT_READ);
    if (!header)
        goto done;
    if (!is_valid(header, (size_t)st.st_size)) {
        errno = EBADMSG;
        goto done;
    }
    result = collect(header, (size_t)st.st_size, parent_path, rows);
    if (result < 0)
        rows_finish(rows);
done:
    if (header)
        munmap(header, (size_t)st.st_size);
    close(fd);
    return result;
}
