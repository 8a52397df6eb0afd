#include "actors.h"

#include "control.h"
#include "output.h"
#include "table.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

enum { ASK_MS = 1000, ASK_WINDOW = 400 };

/* One supervisor found on disk. */
struct found {
    char path[ADDR_PATH_MAX + 1];
    size_t ask; /* for its children; the next one is for itself */
    bool is_shown;
    UT_hash_handle hh;
};

struct survey {
    struct client *client;
    struct found *by_path;
    const char *verb; /* what is asked of each supervisor */
    struct ask *asks;
    size_t count, size;
    struct actors *actors;
};

/* ---- walking ---------------------------------------------------------------------------- */

static void add_ask(struct survey *survey, const char *path, const char *verb)
{
    struct ask *ask;

    if (survey->count == survey->size) {
        survey->size = survey->size ? survey->size * 2 : 16;
        survey->asks = realloc(survey->asks, survey->size * sizeof *survey->asks);
        cli_check_memory(!survey->asks);
    }
    ask = &survey->asks[survey->count++];
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): size > 0 means asks */
    *ask = (struct ask){.verb = verb};
    client_supervisor(path, ask->mailbox);
}

static void add_found(struct survey *survey, const char *path)
{
    struct found *found = cli_alloc(sizeof *found);

    snprintf(found->path, sizeof found->path, "%s", path);
    found->ask = survey->count;
    HASH_ADD_STR(survey->by_path, path, found);
    add_ask(survey, path, survey->verb);
    add_ask(survey, path, CONTROL_SELF);
}

static bool is_directory(int dir, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Takes fd over. Only directories that hold a supervisor's mailbox, or its table, are of interest;
 * what is below others is nobody's. */
static void walk(struct survey *survey, int fd, const char *path)
{
    DIR *dir = fdopendir(fd);
    char below[ADDR_PATH_MAX + 1];
    struct dirent *entry;
    struct stat st;

    if (!dir) {
        close(fd);
        return;
    }
    if (fstatat(fd, RUNDIR_SUPERVISOR, &st, 0) == 0 || fstatat(fd, RUNDIR_TABLE, &st, 0) == 0)
        add_found(survey, path);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || !is_directory(fd, entry) ||
            addr_join(path, entry->d_name, below, sizeof below) != 0)
            continue;
        int child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (child >= 0)
            walk(survey, child, below);
    }
    closedir(dir);
}

static void walk_scope(struct survey *survey, const char *scope)
{
    char path[PATH_MAX + ADDR_PATH_MAX + 2];
    int fd;

    snprintf(path, sizeof path, "%s/%s", survey->client->dir.path, scope);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        walk(survey, fd, scope);
}

/* ---- putting the answers together ------------------------------------------------------- */

static struct found *find(struct survey *survey, const char *path)
{
    struct found *found;

    HASH_FIND_STR(survey->by_path, path, found);
    return found;
}

static bool is_silent(const struct survey *survey, const struct found *found)
{
    return survey->asks[found->ask].answer.kind != ANSWER_ROWS;
}

static void emit_children(struct survey *survey, struct found *found, unsigned depth);

/* How many restarts of its window are used up, a supervisor knows only of itself. Where its parent
 * is silent, and the row is from that one's table, its own word is also the newest there is. */
static void take_own_word(const struct survey *survey, const struct found *found, struct row *row)
{
    const struct answer *answer = &survey->asks[found->ask + 1].answer;
    const struct row *self = answer->rows.at;

    if (answer->kind != ANSWER_ROWS || answer->rows.count != 1)
        return;
    row->used = self->used;
    if (row->state != ROW_LOST)
        return;
    row->state = self->state;
    row->pid = self->pid;
    row->incarnation = self->incarnation;
    row->memory = self->memory;
    row->cpu_ms = self->cpu_ms;
    row->threads = self->threads;
    row->fds = self->fds;
    row->uid = self->uid;
    row->intensity = self->intensity;
    row->period_ms = self->period_ms;
    free(row->strategy);
    row->strategy = cli_strdup(self->strategy);
}

/* What a supervisor that is down had below it is gone, though its table may still be there. */
static bool is_down(const struct row *row)
{
    return row->state == ROW_STOPPED || row->state == ROW_EXITED || row->state == ROW_FAILED;
}

/* Takes the row's texts over. */
static void emit(struct survey *survey, struct row *row, unsigned depth, bool is_last)
{
    struct actors *actors = survey->actors;
    struct found *below = is_down(row) ? NULL : find(survey, row->path);

    if (actors->count == actors->size) {
        actors->size = actors->size ? actors->size * 2 : 256;
        actors->at = realloc(actors->at, actors->size * sizeof *actors->at);
        cli_check_memory(!actors->at);
    }
    /* Its parent takes it for ready, but it does not answer. */
    if (below && row->state == ROW_READY && is_silent(survey, below))
        row->state = ROW_LOST;
    if (below)
        take_own_word(survey, below, row);
    actors->at[actors->count++] = (struct actor){*row, depth, is_last};
    *row = (struct row){0};
    if (below)
        emit_children(survey, below, depth + 1);
}

static bool is_sys(const struct row *row)
{
    return row->path && strcmp(row->path, "sys") == 0;
}

static void emit_rows(struct survey *survey, struct rows *rows, unsigned depth)
{
    size_t last = rows->count, sys = rows->count;

    for (size_t i = 0; i < rows->count; i++) {
        if (is_sys(&rows->at[i]))
            sys = i;
        else
            last = i;
    }
    for (size_t i = 0; i < rows->count; i++)
        if (i != sys)
            emit(survey, &rows->at[i], depth, i == last && sys == rows->count);
    if (sys < rows->count)
        emit(survey, &rows->at[sys], depth, true);
}

/* The children of the supervisor at path as its table knows them. */
static void read_table(const struct survey *survey, const char *path, struct rows *rows)
{
    char file[PATH_MAX + ADDR_PATH_MAX + 16];

    snprintf(file, sizeof file, "%s/%s/%s", survey->client->dir.path, path, RUNDIR_TABLE);
    if (table_read(file, path, rows) != 0)
        *rows = (struct rows){0};
}

static void emit_children(struct survey *survey, struct found *found, unsigned depth)
{
    struct answer *answer = &survey->asks[found->ask].answer;

    if (found->is_shown)
        return;
    found->is_shown = true;
    if (is_silent(survey, found)) {
        answer_finish(answer);
        read_table(survey, found->path, &answer->rows);
    }
    emit_rows(survey, &answer->rows, depth);
}

/* Is the supervisor at path down, by the table of the one above it? Then it is not merely silent. */
static bool is_known_down(const struct survey *survey, const char *path)
{
    char above[ADDR_PATH_MAX + 1];
    struct rows rows = {0};
    bool down = false;

    if (addr_parent(path, above, sizeof above) < 0)
        return false;
    read_table(survey, above, &rows);
    for (size_t i = 0; i < rows.count; i++)
        down |= strcmp(rows.at[i].path, path) == 0 && is_down(&rows.at[i]);
    rows_finish(&rows);
    return down;
}

/* The actor at scope itself with what is below it, as its parent knows it; a parent that is silent
 * has its table. */
static void emit_own(struct survey *survey, const char *scope, struct answer *answer)
{
    char parent[ADDR_PATH_MAX + 1];
    struct rows rows = {0};

    if (answer->kind == ANSWER_ROWS) {
        emit_rows(survey, &answer->rows, 0);
    } else if (answer->kind == ANSWER_NONE) {
        addr_parent(scope, parent, sizeof parent);
        if (!is_known_down(survey, parent))
            read_table(survey, parent, &rows);
        for (size_t i = 0; i < rows.count; i++)
            if (strcmp(rows.at[i].path, scope) == 0)
                emit(survey, &rows.at[i], 0, true);
        rows_finish(&rows);
    }
}

static void finish(struct survey *survey)
{
    struct found *found, *next;

    HASH_ITER (hh, survey->by_path, found, next) {
        HASH_DEL(survey->by_path, found);
        free(found);
    }
    for (size_t i = 0; i < survey->count; i++) {
        words_finish(&survey->asks[i].words);
        answer_finish(&survey->asks[i].answer);
    }
    free(survey->asks);
}

int actors_collect(struct client *client, const char *scope, bool brief, struct actors *actors)
{
    struct survey survey = {
        .client = client, .verb = brief ? CONTROL_PS_BRIEF : CONTROL_PS, .actors = actors};
    char parent[ADDR_PATH_MAX + 1];
    struct found *top;
    size_t own;
    int status;

    *actors = (struct actors){0};
    walk_scope(&survey, scope);
    own = survey.count;
    if (*scope) {
        addr_supervisor(scope, parent, sizeof parent);
        add_ask(&survey, parent, survey.verb);
        cli_check_memory(words_append(&survey.asks[own].words, addr_child_name(scope)));
    }
    status = client_gather(client, survey.asks, survey.count, ASK_WINDOW, ASK_MS);
    top = find(&survey, scope);
    if (*scope)
        emit_own(&survey, scope, &survey.asks[own].answer);
    if (top && !actors->count) /* the root, or a supervisor whose parent knows nothing of it */
        emit_children(&survey, top, 0);
    finish(&survey);
    return status;
}

void actors_finish(struct actors *actors)
{
    struct rows rows = {0};

    rows.at = cli_alloc(actors->count * sizeof *rows.at);
    for (; rows.count < actors->count; rows.count++)
        rows.at[rows.count] = actors->at[rows.count].row;
    rows_finish(&rows);
    free(actors->at);
    *actors = (struct actors){0};
}

/* ---- globs ------------------------------------------------------------------------------ */

/* A star does not cross a slash; FNM_PERIOD is not wanted: parts never start with a dot. */
bool actors_match(const char *pattern, const char *path, bool below)
{
    int flags = FNM_PATHNAME | FNM_NOESCAPE;

    return fnmatch(pattern, path, below ? flags | FNM_LEADING_DIR : flags) == 0;
}

void actors_fixed_part(const char *pattern, char out[ADDR_PATH_MAX + 1])
{
    size_t glob = strcspn(pattern, "*?[");

    snprintf(out, ADDR_PATH_MAX + 1, "%.*s", (int)glob, pattern);
    if (!pattern[glob])
        return;
    while (glob > 0 && out[glob - 1] != '/')
        glob--;
    out[glob ? glob - 1 : 0] = '\0';
}
