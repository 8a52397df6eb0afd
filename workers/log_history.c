#include "log_history.h"
#include "log_plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = LOG_FILE_MAX + 16, TAIL_BYTES = 16 << 10, TEXT_BYTES_MAX = 64 << 20 };

struct line {
    int64_t key_us; /* for the order: never goes back within a path */
    uint64_t sequence;
    int64_t wall_us;
    const char *path; /* owned by the collection */
    char stream[8];
    char *text;
    size_t length;
};

struct path {
    struct path *next;
    char text[];
};

struct collection {
    const struct log_history_request *request;
    int dir_fd;
    struct log_journal journal; /* an append that is under way: not yet lines */
    bool has_journal;
    struct line *lines;
    size_t count, room;
    size_t text_bytes;
    uint64_t sequence;
    struct path *paths;
};

/* ---- the collection ----------------------------------------------------------------------------
 */

static int compare_lines(const void *left, const void *right)
{
    const struct line *a = left, *b = right;

    if (a->key_us != b->key_us)
        return a->key_us < b->key_us ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

/* Sorts, and keeps the last `keep` lines. */
static void trim(struct collection *all, size_t keep)
{
    size_t surplus = all->count > keep ? all->count - keep : 0;

    if (all->count > 0)
        qsort(all->lines, all->count, sizeof *all->lines, compare_lines);
    for (size_t i = 0; i < surplus; i++) {
        all->text_bytes -= all->lines[i].length;
        free(all->lines[i].text);
    }
    if (surplus > 0)
        memmove(all->lines, all->lines + surplus, (all->count - surplus) * sizeof *all->lines);
    all->count -= surplus;
}

static int make_room(struct collection *all)
{
    size_t room = all->room ? all->room * 2 : 256;
    struct line *more;

    if (all->text_bytes > TEXT_BYTES_MAX)
        trim(all, all->count / 2);
    if (all->count >= all->request->count * 2 + 256)
        trim(all, all->request->count);
    if (all->count < all->room)
        return 0;
    more = realloc(all->lines, room * sizeof *more);
    if (!more)
        return -1;
    all->lines = more;
    all->room = room;
    return 0;
}

static int add(struct collection *all, const char *path, const struct log_line *parsed,
               int64_t key_us)
{
    struct line *line;

    /* Files tell milliseconds. */
    if (parsed->wall_us + 999 < all->request->since_us)
        return 0;
    if (make_room(all) < 0)
        return -1;
    line = &all->lines[all->count];
    *line = (struct line){.key_us = key_us,
                          .sequence = all->sequence++,
                          .wall_us = parsed->wall_us,
                          .path = path,
                          .length = parsed->length};
    memcpy(line->stream, parsed->stream, sizeof line->stream);
    line->text = strndup(parsed->text, parsed->length);
    if (!line->text)
        return -1;
    all->text_bytes += line->length;
    all->count++;
    return 0;
}

static const char *keep_path(struct collection *all, const char *text)
{
    struct path *path = malloc(sizeof *path + strlen(text) + 1);

    if (!path)
        return NULL;
    strcpy(path->text, text);
    path->next = all->paths;
    all->paths = path;
    return path->text;
}

static void forget(struct collection *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->lines[i].text);
    while (all->paths) {
        struct path *path = all->paths;

        all->paths = path->next;
        free(path);
    }
    free(all->lines);
    all->lines = NULL;
    all->count = all->room = all->text_bytes = 0;
}

/* ---- one file -------------------------------------------------------------------------------- */

struct block {
    char *bytes;
    size_t size, first; /* where the first wanted line begins */
};

static size_t count_newlines(const char *bytes, size_t size)
{
    size_t count = 0;
    const char *end = bytes + size;

    for (const char *at = bytes; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        count++;
    return count;
}

/* Where the last `wanted` lines begin; lines is how many there are. */
static size_t skip_lines(const char *bytes, size_t size, size_t from, size_t lines, size_t wanted)
{
    while (lines > wanted) {
        const char *newline = memchr(bytes + from, '\n', size - from);

        from = (size_t)(newline - bytes) + 1;
        lines--;
    }
    return from;
}

/* Loads the last lines of an open file of size bytes. Returns how many, or -1. */
static ssize_t load_tail(int fd, size_t size, size_t wanted, struct block *block)
{
    for (size_t span = TAIL_BYTES;; span *= 4) {
        size_t offset = span < size ? size - span : 0, lines;
        char *bytes = realloc(block->bytes, size - offset + 1);
        const char *newline;
        ssize_t n;

        if (!bytes)
            return -1;
        block->bytes = bytes;
        n = pread(fd, bytes, size - offset, (off_t)offset);
        if (n < 0)
            return -1;
        block->size = (size_t)n;
        lines = count_newlines(bytes, block->size);
        if (offset > 0 && lines <= wanted)
            continue; /* the first line is cut, and there are not enough others */
        block->first = 0;
        if (offset > 0) {
            newline = memchr(bytes, '\n', block->size);
            block->first = (size_t)(newline - bytes) + 1;
            lines--;
        }
        block->first = skip_lines(bytes, block->size, block->first, lines, wanted);
        return (ssize_t)(lines < wanted ? lines : wanted);
    }
}

/* The part of a file that is settled. */
static size_t settled_size(const struct collection *all, const char *name, const struct stat *st)
{
    uint64_t size = (uint64_t)st->st_size;

    if (all->has_journal && all->journal.inode == st->st_ino && all->journal.size < size &&
        !strcmp(all->journal.file, name))
        size = all->journal.size;
    return size;
}

/* Loads generation g of the file `name`. Returns the lines, -1 when there is no such file. */
static ssize_t load_generation(const struct collection *all, const char *name, unsigned generation,
                               size_t wanted, struct block *block)
{
    char full[NAME_SIZE];
    struct stat st;
    ssize_t lines = -1;
    int fd;

    if (generation == 0)
        snprintf(full, sizeof full, "%s", name);
    else
        snprintf(full, sizeof full, "%s.%u", name, generation);
    fd = openat(all->dir_fd, full, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        lines = load_tail(fd, settled_size(all, name, &st), wanted, block);
    close(fd);
    return lines;
}

static int add_block(struct collection *all, const char *path, const struct block *block,
                     int64_t *key_us)
{
    const char *at = block->bytes + block->first, *end = block->bytes + block->size, *newline;

    while (at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
        struct log_line line;

        if (log_line_parse(at, (size_t)(newline - at), &line)) {
            if (line.wall_us > *key_us)
                *key_us = line.wall_us;
            if (add(all, path, &line, *key_us) < 0)
                return -1;
        }
        at = newline + 1;
    }
    return 0;
}

enum { GENERATIONS_MAX = 64 }; /* that are looked through for one path */

/* Adds the last lines of a path: from as many of its files as it takes, the oldest of them first.
 */
static int add_path(struct collection *all, const char *path)
{
    struct block blocks[GENERATIONS_MAX] = {0};
    const char *kept = keep_path(all, path);
    size_t wanted = all->request->count;
    char name[LOG_FILE_MAX];
    int64_t key_us = 0;
    unsigned count = 0;
    int result = kept ? 0 : -1;

    log_file_of_path(path, name);
    while (result == 0 && wanted > 0 && count < GENERATIONS_MAX) {
        ssize_t lines = load_generation(all, name, count, wanted, &blocks[count]);

        if (lines < 0 && count > 0)
            break;
        wanted -= lines > 0 ? (size_t)lines : 0;
        count++;
    }
    for (unsigned i = count; i > 0 && result == 0; i--)
        result = add_block(all, kept, &blocks[i - 1], &key_us);
    for (unsigned i = 0; i < GENERATIONS_MAX; i++)
        free(blocks[i].bytes);
    return result;
}

/* ---- all files ------------------------------------------------------------------------------- */

/* Of a path's files one stands for it: the newest that is there. */
static bool stands_for_path(const struct collection *all, const char *folder, const char *part,
                            unsigned generation)
{
    char name[NAME_SIZE];

    for (unsigned newer = 0; newer < generation; newer++) {
        int length = snprintf(name, sizeof name, "%s%s%s.log", folder, *folder ? "/" : "", part);

        if (newer > 0)
            snprintf(name + length, sizeof name - (size_t)length, ".%u", newer);
        if (faccessat(all->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return false;
    }
    return true;
}

static int add_folder(struct collection *all, const char *path);

static int add_entry(struct collection *all, const char *above, const char *folder,
                     const char *entry)
{
    char name[NAME_SIZE], path[ADDR_PATH_MAX + 1], part[ADDR_PART_MAX + 1];
    unsigned generation;
    struct stat st;
    size_t length;

    if (entry[0] == '.' ||
        snprintf(name, sizeof name, "%s%s%s", folder, *folder ? "/" : "", entry) >=
            (int)sizeof name ||
        fstatat(all->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (S_ISDIR(st.st_mode)) {
        length = strlen(entry);
        if (length > 0 && entry[length - 1] == '~')
            length--;
        snprintf(part, sizeof part, "%.*s", (int)length, entry);
        return addr_join(above, part, path, sizeof path) < 0 ? 0 : add_folder(all, path);
    }
    if (!S_ISREG(st.st_mode) || !log_name_parse(entry, part, &generation) ||
        !stands_for_path(all, folder, part, generation) ||
        addr_join(above, part, path, sizeof path) < 0)
        return 0;
    return add_path(all, path);
}

/* Everything below path. */
static int add_folder(struct collection *all, const char *path)
{
    char folder[LOG_FILE_MAX];
    const struct dirent *entry;
    DIR *dir;
    int fd, result = 0;

    log_folder_of_path(path, folder);
    fd = openat(all->dir_fd, *folder ? folder : ".",
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return 0;
    dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return -1;
    }
    while (result == 0 && (entry = readdir(dir)))
        result = add_entry(all, path, folder, entry->d_name);
    closedir(dir);
    return result;
}

static int add_files(struct collection *all)
{
    const struct log_history_request *request = all->request;

    if (*request->path && add_path(all, request->path) < 0)
        return -1;
    return request->exact ? 0 : add_folder(all, request->path);
}

/* ---- the ring -------------------------------------------------------------------------------- */

static int add_record(struct collection *all, const struct log_record *record)
{
    char text[LOG_FORMATTED_MAX];
    const char *path = keep_path(all, record->path);
    struct log_piece piece;
    size_t at = 0;

    if (!path)
        return -1;
    while (log_piece_next(record->bytes, record->size, &at, &piece)) {
        bool goes_on = piece.goes_on || (!piece.is_whole && !record->is_final);
        size_t length =
            log_line_format(record->wall_us, record->kind, goes_on, piece.at, piece.length, text);
        struct log_line line;

        if (log_line_parse(text, length - 1, &line) && add(all, path, &line, line.wall_us) < 0)
            return -1;
    }
    return 0;
}

static int add_ring(struct collection *all)
{
    const struct log_history_request *request = all->request;
    uint64_t at = log_ring_tail(request->ring);
    struct log_record record;

    while (log_ring_next(request->ring, &at, request->end, &record)) {
        bool is_wanted = request->exact ? !strcmp(record.path, request->path)
                                        : addr_is_within(record.path, request->path);

        if (is_wanted && add_record(all, &record) < 0)
            return -1;
    }
    return 0;
}

/* ---- together -------------------------------------------------------------------------------- */

/* Reads files and ring; again when the writer moved something from one to the other meanwhile. */
static int gather(struct collection *all)
{
    int result = -1;

    for (int attempt = 0; attempt < 5; attempt++) {
        uint64_t tail = log_ring_tail(all->request->ring);

        forget(all);
        all->has_journal = log_ring_journal_get(all->request->ring, &all->journal);
        result = add_files(all);
        if (result == 0)
            result = add_ring(all);
        if (log_ring_tail(all->request->ring) == tail)
            break;
    }
    trim(all, all->request->count);
    return result;
}

static int print(const struct collection *all, int fd)
{
    FILE *out = fdopen(fd, "w");

    if (!out)
        return -1;
    for (size_t i = 0; i < all->count; i++) {
        const struct line *line = &all->lines[i];

        fprintf(out, "%s\t%s\t%lld\t%s\n", line->path, line->stream, (long long)line->wall_us,
                line->text);
    }
    return fclose(out) == 0 ? 0 : -1;
}

int log_history_write(const struct log_history_request *request, int fd)
{
    struct collection all = {.request = request};
    int result;

    all.dir_fd = open(request->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    result = gather(&all);
    if (print(&all, fd) < 0)
        result = -1;
    forget(&all);
    if (all.dir_fd >= 0)
        close(all.dir_fd);
    return result;
}
