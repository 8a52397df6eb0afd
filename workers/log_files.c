#include "log_files.h"
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    struct log_slot slot; /* first: see container_of below */
    int fd;
};

struct log_files {
    int dir_fd;
    struct log_limits limits;
    struct log_ring *ring;
    struct log_lru lru;
    uint64_t total; /* bytes of all log files, as far as is known */
};

enum { NAME_SIZE = LOG_FILE_MAX + 16 };

static struct file *file_of(struct log_slot *slot)
{
    return (struct file *)slot;
}

static void file_close(struct log_files *files, struct file *file)
{
    log_lru_remove(&files->lru, &file->slot);
    close(file->fd);
    free(file->slot.name);
    free(file);
}

static void generation_name(const char *name, unsigned generation, char out[NAME_SIZE])
{
    if (generation == 0)
        snprintf(out, NAME_SIZE, "%s", name);
    else
        snprintf(out, NAME_SIZE, "%s.%u", name, generation);
}

/* ---- what is there -------------------------------------------------------------------------- */

struct survey {
    struct log_candidate *at;
    size_t count, room;
    uint64_t total;
    bool names_wanted;
};

static int survey_add(struct survey *survey, const char *name, unsigned generation,
                      const struct stat *st)
{
    struct log_candidate *file;

    survey->total += (uint64_t)st->st_size;
    if (!survey->names_wanted)
        return 0;
    if (survey->count == survey->room) {
        size_t room = survey->room ? survey->room * 2 : 64;
        struct log_candidate *more = realloc(survey->at, room * sizeof *more);

        if (!more)
            return -1;
        survey->at = more;
        survey->room = room;
    }
    file = &survey->at[survey->count];
    *file = (struct log_candidate){
        .name = strdup(name),
        .size = (uint64_t)st->st_size,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .generation = generation,
    };
    if (!file->name)
        return -1;
    survey->count++;
    return 0;
}

/* Adds the log files below the folder `name` ("" for the directory itself). */
static int survey_folder(struct survey *survey, int dir_fd, const char *name)
{
    int fd = openat(dir_fd, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int result = 0;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while (result == 0 && (entry = readdir(dir))) {
        char below[NAME_SIZE], part[ADDR_PART_MAX + 1];
        unsigned generation;
        struct stat st;

        if (entry->d_name[0] == '.' ||
            snprintf(below, sizeof below, "%s%s%s", name, *name ? "/" : "", entry->d_name) >=
                (int)sizeof below ||
            fstatat(dir_fd, below, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            survey_folder(survey, dir_fd, below);
        else if (S_ISREG(st.st_mode) && log_name_parse(entry->d_name, part, &generation))
            result = survey_add(survey, below, generation, &st);
    }
    closedir(dir);
    return result;
}

static void survey_finish(struct survey *survey)
{
    for (size_t i = 0; i < survey->count; i++)
        free(survey->at[i].name);
    free(survey->at);
}

/* ---- the cap -------------------------------------------------------------------------------- */

static void remove_file(struct log_files *files, const struct log_candidate *chosen)
{
    struct log_slot *open_slot = log_lru_find(&files->lru, chosen->name);

    if (open_slot)
        file_close(files, file_of(open_slot));
    unlinkat(files->dir_fd, chosen->name, 0);
}

/* Down to nine tenths of the total: so that not every append has to look at all the files. */
static void keep_cap(struct log_files *files, const char *busy_name)
{
    struct survey survey = {.names_wanted = true};
    uint64_t wanted = files->limits.total_bytes / 10 * 9;

    survey_folder(&survey, files->dir_fd, "");
    for (size_t i = 0; i < survey.count; i++)
        survey.at[i].is_busy = !strcmp(survey.at[i].name, busy_name);
    files->total = survey.total;
    if (survey.total > files->limits.total_bytes) {
        files->total = log_choose_removals(survey.at, survey.count, wanted);
        for (size_t i = 0; i < survey.count; i++) {
            if (survey.at[i].is_chosen)
                remove_file(files, &survey.at[i]);
        }
    }
    survey_finish(&survey);
}

/* ---- opening and rotating ----------------------------------------------------------------------
 */

/* Makes the folders above name. */
static int make_folders(int dir_fd, const char *name)
{
    char folder[NAME_SIZE];

    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - name), name);
        if (mkdirat(dir_fd, folder, 0750) < 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

static int open_for_append(int dir_fd, const char *name)
{
    enum { FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };
    int fd = openat(dir_fd, name, FLAGS, 0640);

    if (fd < 0 && errno == ENOENT && make_folders(dir_fd, name) == 0)
        fd = openat(dir_fd, name, FLAGS, 0640);
    return fd;
}

static struct file *file_open(struct log_files *files, const char *name)
{
    struct log_slot *slot = log_lru_find(&files->lru, name);
    struct file *file;

    if (slot)
        return file_of(slot);
    slot = log_lru_victim(&files->lru, LOG_OPEN_MAX);
    if (slot)
        file_close(files, file_of(slot));
    file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    file->fd = -1;
    file->slot.name = strdup(name);
    if (file->slot.name)
        file->fd = open_for_append(files->dir_fd, name);
    if (file->fd < 0) {
        free(file->slot.name);
        free(file);
        return NULL;
    }
    log_lru_add(&files->lru, &file->slot);
    return file;
}

static void rotate(struct log_files *files, const char *name)
{
    struct log_step steps[LOG_FILES_MAX];
    unsigned count = log_rotation_steps(files->limits.files, steps);
    char from[NAME_SIZE], to[NAME_SIZE];
    struct stat st;

    for (unsigned i = 0; i < count; i++) {
        generation_name(name, steps[i].from, from);
        generation_name(name, steps[i].to, to);
        /* What the first step renames over, or removes, no longer counts. */
        if (i == 0 && fstatat(files->dir_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
            files->total -=
                (uint64_t)st.st_size < files->total ? (uint64_t)st.st_size : files->total;
        if (steps[i].to == 0)
            unlinkat(files->dir_fd, from, 0);
        else
            renameat(files->dir_fd, from, files->dir_fd, to);
    }
}

/* The file of name with room for `more` bytes, and what it is now. Somebody may have removed it
 * meanwhile: then it is made again. */
static struct file *file_with_room(struct log_files *files, const char *name, size_t more,
                                   struct stat *st)
{
    for (int attempt = 0; attempt < 3; attempt++) {
        struct file *file = file_open(files, name);

        if (!file || fstat(file->fd, st) < 0)
            return NULL;
        if (!S_ISREG(st->st_mode)) {
            file_close(files, file);
            errno = EINVAL;
            return NULL;
        }
        if (st->st_nlink > 0 &&
            !log_is_rotation_due((uint64_t)st->st_size, more, log_size_limit(&files->limits)))
            return file;
        file_close(files, file);
        if (st->st_nlink > 0)
            rotate(files, name);
    }
    errno = EBUSY;
    return NULL;
}

/* ---- appending ----------------------------------------------------------------------------------
 */

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = fault_hits("write") ? -1 : write(fd, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return -1;
        }
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

static int append_whole(struct log_files *files, const char *name, const struct file *file,
                        const struct stat *st, const char *lines, size_t size)
{
    int error;

    log_ring_journal_set(files->ring, name, st->st_ino, (uint64_t)st->st_size);
    if (write_all(file->fd, lines, size) == 0)
        return 0;
    error = errno;
    /* Half a write is taken back: a torn line helps nobody, and the lines are tried again. */
    if (ftruncate(file->fd, st->st_size) == 0)
        log_ring_journal_clear(files->ring);
    errno = error;
    return -1;
}

int log_files_append(struct log_files *files, const char *path, const char *lines, size_t size)
{
    char name[LOG_FILE_MAX];
    struct file *file;
    struct stat st;

    log_file_of_path(path, name);
    file = file_with_room(files, name, size, &st);
    if (!file || append_whole(files, name, file, &st, lines, size) < 0)
        return -1;
    files->total += size;
    if (files->total > files->limits.total_bytes)
        keep_cap(files, name);
    return 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

/* A predecessor was killed in an append: what it wrote will be written again. */
static void take_back(struct log_files *files)
{
    struct log_journal journal;
    struct stat st;
    int fd;

    if (!log_ring_journal_get(files->ring, &journal))
        return;
    fd = openat(files->dir_fd, journal.file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_ino == journal.inode && (uint64_t)st.st_size > journal.size &&
        ftruncate(fd, (off_t)journal.size) == 0)
        log_ring_journal_clear(files->ring);
    close(fd);
}

static int open_dir(const char *dir)
{
    char above[4096];

    if (snprintf(above, sizeof above, "%s/", dir) >= (int)sizeof above) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *slash = strchr(above + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(above, 0750) < 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct log_files *log_files_create(const char *dir, const struct log_limits *limits,
                                   struct log_ring *ring)
{
    struct log_files *files = calloc(1, sizeof *files);
    struct survey survey = {0};

    if (!files)
        return NULL;
    files->limits = *limits;
    files->ring = ring;
    files->dir_fd = open_dir(dir);
    if (files->dir_fd < 0) {
        free(files);
        return NULL;
    }
    take_back(files);
    survey_folder(&survey, files->dir_fd, "");
    files->total = survey.total;
    return files;
}

void log_files_destroy(struct log_files *files)
{
    if (!files)
        return;
    while (files->lru.oldest)
        file_close(files, file_of(files->lru.oldest));
    close(files->dir_fd);
    free(files);
}
