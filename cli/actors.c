#include "actors.h"

#include "control.h"
#include "output.h"
#include "place.h"
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
    char path[ADDR_PATH_MAX + 1] = "";

    if (row->path)
        place_path(row->path, path);
    return strcmp(path, "sys") == 0;
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

/* Is the supervisor at path down, by the table of the one above it? Then it is not merely silent.
 */
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

/* ---- another node ----------------------------------------------------------------------- */

/* The supervisors among the children that the asks from the first-th on have told of. */
static void find_below(struct survey *survey, size_t first, size_t end)
{
    for (size_t a = first; a < end; a++)
        for (size_t i = 0; i < survey->asks[a].answer.rows.count; i++) {
            const struct row *row = &survey->asks[a].answer.rows.at[i];

            if (row_supervises(row) && !is_down(row) && !find(survey, row->path))
                add_found(survey, row->path);
        }
}

/* Asks what is still to be asked, and then those who are found that way. */
static int descend(struct survey *survey)
{
    size_t first = 0, end;

    while (first < survey->count) {
        end = survey->count;
        if (client_gather(survey->client, survey->asks + first, end - first, ASK_WINDOW, ASK_MS) !=
            0)
            return -1;
        find_below(survey, first, end);
        first = end;
    }
    return 0;
}

static bool is_noproc(const struct answer *answer)
{
    const char *why = answer->kind == ANSWER_ERROR ? answer->head : answer->text;

    return answer->kind != ANSWER_ROWS && why && strcmp(why, CONTROL_E_NOPROC) == 0;
}

/* Who was asked first speaks for the node: without an answer of his there is none at all. */
static void take_refusal(struct survey *survey)
{
    struct answer *first = &survey->asks[0].answer;

    if (first->kind == ANSWER_ROWS || is_noproc(first))
        return;
    survey->actors->refusal = *first;
    if (first->kind == ANSWER_NONE)
        survey->actors->refusal =
            (struct answer){.kind = ANSWER_CLOSED, .text = cli_strdup("timeout")};
    *first = (struct answer){0};
}

/* ---- both ------------------------------------------------------------------------------- */

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

/* About the actor at scope itself. */
static void ask_parent(struct survey *survey, const char *scope)
{
    char parent[ADDR_PATH_MAX + 1], name[ADDR_PATH_MAX + 1];

    addr_supervisor(scope, parent, sizeof parent);
    add_ask(survey, parent, survey->verb);
    place_child_name(scope, name);
    cli_check_memory(words_append(&survey->asks[survey->count - 1].words, name));
}

static int ask_here(struct survey *survey, const char *scope)
{
    walk_scope(survey, scope);
    if (!place_is_root(scope))
        ask_parent(survey, scope);
    return client_gather(survey->client, survey->asks, survey->count, ASK_WINDOW, ASK_MS);
}

static int ask_elsewhere(struct survey *survey, const char *scope)
{
    int status;

    if (place_is_root(scope))
        add_found(survey, scope);
    else
        ask_parent(survey, scope);
    status = descend(survey);
    if (!status)
        take_refusal(survey);
    return status;
}

/* Which of the answers is ask_parent()'s. */
static struct answer *answer_of_parent(struct survey *survey, const char *scope)
{
    return &survey->asks[place_is_elsewhere(scope) ? 0 : survey->count - 1].answer;
}

int actors_collect(struct client *client, const char *scope, bool brief, struct actors *actors)
{
    struct survey survey = {
        .client = client, .verb = brief ? CONTROL_PS_BRIEF : CONTROL_PS, .actors = actors};
    struct found *top;
    int status;

    *actors = (struct actors){0};
    status = place_is_elsewhere(scope) ? ask_elsewhere(&survey, scope) : ask_here(&survey, scope);
    top = find(&survey, scope);
    if (!place_is_root(scope))
        emit_own(&survey, scope, answer_of_parent(&survey, scope));
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
    answer_finish(&actors->refusal);
    free(actors->at);
    *actors = (struct actors){0};
}

/* ---- globs ------------------------------------------------------------------------------ */

/* A star does not cross a slash; FNM_PERIOD is not wanted: parts never start with a dot. */
bool actors_match(const char *pattern, const char *path, bool below)
{
    char parts[ADDR_PATH_MAX + 1], name[ADDR_PATH_MAX + 1];
    int flags = FNM_PATHNAME | FNM_NOESCAPE;

    place_path(pattern, parts);
    place_path(path, name);
    return fnmatch(parts, name, below ? flags | FNM_LEADING_DIR : flags) == 0;
}

void actors_fixed_part(const char *pattern, char out[ADDR_PATH_MAX + 1])
{
    size_t glob = strcspn(pattern, "*?[");

    if (pattern[glob]) {
        while (glob > 0 && pattern[glob - 1] != '/')
            glob--;
        glob -= glob > 0;
        snprintf(out, ADDR_PATH_MAX + 1, "%.*s%s", (int)glob, pattern, addr_node_part(pattern));
    } else {
        snprintf(out, ADDR_PATH_MAX + 1, "%s", pattern);
    }
}
