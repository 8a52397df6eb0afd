/* The readers of what a process is given: its program, environment, user and limits. */
#include "config_expand.h"
#include "config_reader.h"
#include "reason.h"
#include "text.h"
#include "texts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENV_FILE_MAX = 1 << 20 };

typedef void read_pair(struct reader *reader, const struct config_key *key, const char *name,
                       const struct config_node *value, void *at);

/* A map whose keys are the user's own. */
static void each_pair(struct reader *reader, const struct config_key *key,
                      const struct config_node *node, read_pair *read, void *at)
{
    struct scope scope;

    if (node->kind != NODE_MAP) {
        complain_of_value(reader, key, node);
        return;
    }
    reader_duplicates(reader, node);
    for (size_t i = 0; i < node->count; i++) {
        const struct config_node *name = node->entries[i].key;

        if (node->entries[i].first)
            continue;
        reader_enter(reader, &scope, name->text, name->line, name->column);
        read(reader, key, name->text, node->entries[i].value, at);
        reader_leave(reader);
    }
}

/* ---- programs ---------------------------------------------------------------------------- */

static void add_argument(struct reader *reader, const struct config_key *key,
                         const struct config_node *node, void *at)
{
    static const struct config_key argument = {.expected = "a text"};
    const char *text = key->type == TYPE_EXEC ? reader_spawn_text(reader, &argument, node)
                                              : reader_text(reader, &argument, node);

    if (text)
        reader_append(reader, at, text);
}

void read_exec(struct reader *reader, const struct config_key *key, const struct config_node *node,
               void *at)
{
    char ***argv = at;

    if (node->kind != NODE_LIST || node->count == 0) {
        complain_of_value(reader, key, node);
        return;
    }
    reader_each(reader, key, node, add_argument, argv);
    if (*argv && (*argv)[0] && !*(*argv)[0])
        complain(reader, "\"\": expected the name of a program first");
}

static bool is_program(const char *file)
{
    struct stat st;

    if (stat(file, &st) < 0)
        return errno == EACCES; /* another user may see more than we do */
    return S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

static bool is_in_path(const char *path, const char *program, const char *cwd)
{
    char file[PATH_MAX];

    for (;;) {
        size_t length = strcspn(path, ":");
        bool is_relative = *path != '/';

        snprintf(file, sizeof file, "%s%s%.*s/%s", is_relative ? cwd : "",
                 is_relative && length ? "/" : "", (int)length, path, program);
        if (is_program(file))
            return true;
        if (!path[length])
            return false;
        path += length + 1;
    }
}

void check_program(struct reader *reader, const struct spec *child, const char *program)
{
    char file[PATH_MAX], *name;
    const char *path;

    if (reader->context->text_only || !*program || strstr(child->cwd, "${"))
        return;
    name = spec_expand_replica(program, child->replica);
    if (!name) {
        reader_no_memory(reader);
        return;
    }
    path = config_variable(child->env, "PATH", 4);
    if (!path)
        path = config_variable(reader->context->environment, "PATH", 4);
    if (!path)
        path = "/bin:/usr/bin"; /* execvp's own */
    snprintf(file, sizeof file, "%s%s%s", *name == '/' ? "" : child->cwd, *name == '/' ? "" : "/",
             name + (strncmp(name, "./", 2) == 0 ? 2 : 0));
    if (strchr(name, '/') && !is_program(file))
        complain(reader, "\"%s\": no such program: expected an executable file at %s", name, file);
    else if (!strchr(name, '/') && !is_in_path(path, name, child->cwd))
        complain(reader, "\"%s\": no such program: expected one in PATH, which is %s", name, path);
    free(name);
}

void read_folder(struct reader *reader, const struct config_key *key,
                 const struct config_node *node, void *at)
{
    const char *text = reader_spawn_text(reader, key, node);
    struct stat st;

    if (text && *text)
        text = reader_absolute(reader, text);
    if (!text)
        return;
    if (!reader->context->text_only && !strstr(text, "${") &&
        (stat(text, &st) < 0 || !S_ISDIR(st.st_mode)))
        complain_of_text(reader, text, key->expected);
    else
        reader_keep(reader, at, text);
}

void read_stdin(struct reader *reader, const struct config_key *key, const struct config_node *node,
                void *at)
{
    const char *text = reader_text(reader, key, node);

    if (text && strcmp(text, "null") != 0 && strcmp(text, "~") != 0)
        read_file_path(reader, key, node, at);
}

void read_raw(struct reader *reader, const struct config_key *key, const struct config_node *node,
              void *at)
{
    const char *text = reader_text(reader, key, node);
    struct spec *spec = at;

    if (!text)
        return;
    if (strcmp(text, "bytes") == 0)
        spec->raw_bytes = true;
    else if (strcmp(text, "off") == 0)
        spec->raw_off = true;
    else if (strcmp(text, "on") != 0)
        complain_of_value(reader, key, node);
}

/* ---- arguments and environment ------------------------------------------------------------- */

static void add_arg(struct reader *reader, const struct config_key *key, const char *name,
                    const struct config_node *node, void *at)
{
    static const struct config_key value = {.expected = "a text"};
    const char *text = reader_text(reader, &value, node);

    (void)key;
    if (!text)
        return;
    reader_append(reader, at, name);
    reader_append(reader, at, text);
}

void read_args(struct reader *reader, const struct config_key *key, const struct config_node *node,
               void *at)
{
    each_pair(reader, key, node, add_arg, at);
}

static bool is_variable_name(const char *name, size_t length)
{
    if (length == 0 || isdigit((unsigned char)*name))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return false;
    return true;
}

/* Adds NAME=VALUE, in place of an earlier NAME. */
static void set_variable(struct reader *reader, char ***env, const char *pair)
{
    size_t length = strcspn(pair, "=") + 1;

    for (size_t i = 0; *env && (*env)[i]; i++)
        if (strncmp((*env)[i], pair, length) == 0) {
            reader_keep(reader, &(*env)[i], pair);
            return;
        }
    reader_append(reader, env, pair);
}

static void add_variable(struct reader *reader, const struct config_key *key, const char *name,
                         const struct config_node *node, void *at)
{
    static const struct config_key value = {.expected = "a text"};
    const char *text = reader_spawn_text(reader, &value, node);
    char *pair;

    (void)key;
    if (!is_variable_name(name, strlen(name))) {
        complain(reader, "not a variable's name: expected letters, digits and _");
        return;
    }
    if (!text)
        return;
    if (asprintf(&pair, "%s=%s", name, text) < 0) {
        reader_no_memory(reader);
        return;
    }
    set_variable(reader, at, pair);
    free(pair);
}

void read_env(struct reader *reader, const struct config_key *key, const struct config_node *node,
              void *at)
{
    each_pair(reader, key, node, add_variable, at);
}

/* Reads a whole small file into *text. 0 or -1 with errno. */
static int slurp(const char *file, char **text)
{
    ssize_t got = 0;
    size_t used = 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return -1;
    *text = malloc(ENV_FILE_MAX + 1);
    while (*text && used < ENV_FILE_MAX && (got = read(fd, *text + used, ENV_FILE_MAX - used)) > 0)
        used += (size_t)got;
    close(fd);
    if (!*text || got < 0)
        goto fail;
    if (used == ENV_FILE_MAX) {
        errno = EFBIG;
        goto fail;
    }
    (*text)[used] = '\0';
    return 0;
fail:
    free(*text);
    *text = NULL;
    return -1;
}

static void add_line(struct reader *reader, const char *file, int number, const char *line,
                     char ***env)
{
    struct buf pair = {0};

    if (!*line || *line == '#')
        return;
    if (!strchr(line, '=') || !is_variable_name(line, strcspn(line, "="))) {
        complain(reader, "%s: line %d: expected NAME=VALUE", file, number);
        return;
    }
    if (config_escape_for_spawn(line, &pair) == 0)
        set_variable(reader, env, (char *)buf_front(&pair));
    else
        reader_no_memory(reader);
    buf_finish(&pair);
}

static void add_env_file(struct reader *reader, const struct config_key *key,
                         const struct config_node *node, void *at)
{
    const char *file = reader_text(reader, key, node);
    char *text = NULL, *rest, *line;
    int number = 0;

    if (file)
        file = reader_absolute(reader, file);
    if (!file || reader->context->text_only)
        return;
    if (slurp(file, &text) < 0) {
        complain(reader, "%s: %s: expected %s", file, strerror(errno), key->expected);
        return;
    }
    rest = text;
    while ((line = strsep(&rest, "\n")))
        add_line(reader, file, ++number, line, at);
    free(text);
}

void read_env_file(struct reader *reader, const struct config_key *key,
                   const struct config_node *node, void *at)
{
    reader_each(reader, key, node, add_env_file, at);
}

/* ---- users ------------------------------------------------------------------------------- */

void read_user(struct reader *reader, const struct config_key *key, const struct config_node *node,
               void *at)
{
    const char *text = reader_text(reader, key, node);
    struct spec *spec = at;
    const struct passwd *user = NULL;
    uint64_t number;

    if (!text)
        return;
    reader_keep(reader, &spec->user, text);
    if (reader->context->text_only)
        return;
    spec->has_uid = true;
    if (text_unsigned(text, 0, UINT_MAX - 1, &number) == 0) {
        user = getpwuid((uid_t)number);
        spec->uid = (uid_t)number;
        spec->gid = user ? user->pw_gid : (gid_t)number;
        return;
    }
    user = *text ? getpwnam(text) : NULL;
    if (!user) {
        complain_of_value(reader, key, node);
        return;
    }
    spec->uid = user->pw_uid;
    spec->gid = user->pw_gid;
}

/* Comes after user in the table of keys. */
void read_group(struct reader *reader, const struct config_key *key, const struct config_node *node,
                void *at)
{
    const char *text = reader_text(reader, key, node);
    struct spec *spec = at;
    const struct group *group = NULL;
    uint64_t number;

    if (!text)
        return;
    if (!spec->user)
        complain_of_text(reader, text, "only beside user");
    reader_keep(reader, &spec->group, text);
    if (reader->context->text_only)
        return;
    if (text_unsigned(text, 0, UINT_MAX - 1, &number) == 0) {
        spec->gid = (gid_t)number;
        return;
    }
    group = *text ? getgrnam(text) : NULL;
    if (group)
        spec->gid = group->gr_gid;
    else
        complain_of_value(reader, key, node);
}

/* ---- limits ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    int resource;
} limits[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},         {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},       {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},     {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

enum { LIMITS = sizeof limits / sizeof *limits };

static void complain_of_limit(struct reader *reader, const char *name)
{
    const char *names[LIMITS + 1] = {NULL};
    const char *nearest;

    for (size_t i = 0; i < LIMITS; i++)
        names[i] = limits[i].name;
    nearest = text_nearest(name, names);
    if (strcmp(name, "rttime") == 0)
        complain(reader, "Troupe marks its children by it: expected any other limit");
    else if (nearest)
        complain(reader, "unknown limit: did you mean %s?", nearest);
    else
        complain(reader,
                 "unknown limit: expected one of as, core, cpu, data, fsize, locks, memlock, "
                 "msgqueue, nice, nofile, nproc, rss, rtprio, sigpending and stack");
}

static void append_limit(struct reader *reader, struct spec *spec, size_t which, rlim_t value)
{
    struct spec_limit *grown =
        realloc(spec->limits, (spec->limit_count + 1) * sizeof *spec->limits);

    if (!grown) {
        reader_no_memory(reader);
        return;
    }
    spec->limits = grown;
    grown[spec->limit_count++] = (struct spec_limit){
        .resource = limits[which].resource, .name = limits[which].name, .value = value};
}

static void add_limit(struct reader *reader, const struct config_key *key, const char *name,
                      const struct config_node *node, void *at)
{
    static const struct config_key value = {.expected =
                                                "a number, a size such as 512M, or unlimited"};
    const char *text;
    size_t which = 0;
    uint64_t bytes = RLIM_INFINITY;

    (void)key;
    while (which < LIMITS && strcmp(limits[which].name, name) != 0)
        which++;
    if (which == LIMITS) {
        complain_of_limit(reader, name);
        return;
    }
    text = reader_text(reader, &value, node);
    if (!text)
        return;
    if (strcmp(text, "unlimited") != 0 && text_size(text, &bytes) < 0)
        complain_of_text(reader, text, value.expected);
    else
        append_limit(reader, at, which, bytes);
}

void read_limits(struct reader *reader, const struct config_key *key,
                 const struct config_node *node, void *at)
{
    each_pair(reader, key, node, add_limit, at);
}

/* ---- exit codes -------------------------------------------------------------------------- */

static void add_exit_code(struct reader *reader, const struct config_key *key, const char *name,
                          const struct config_node *node, void *at)
{
    static const struct config_key value = {.expected =
                                                "restart, restart_after TIME, finish or abort"};
    const char *text = reader_text(reader, &value, node);
    struct spec *spec = at;
    struct spec_exit_code *grown;
    uint64_t code;
    enum need need;
    long delay_ms = 0;

    (void)key;
    if (text_unsigned(name, 0, 255, &code) < 0) {
        complain(reader, "not an exit status: expected a number from 0 to 255");
        return;
    }
    if (!text)
        return;
    if (!*text || need_parse(text, &need, &delay_ms) < 0) {
        complain_of_text(reader, text, value.expected);
        return;
    }
    grown = realloc(spec->exit_codes, (spec->exit_code_count + 1) * sizeof *grown);
    if (!grown) {
        reader_no_memory(reader);
        return;
    }
    spec->exit_codes = grown;
    grown[spec->exit_code_count++] =
        (struct spec_exit_code){.code = (int)code, .need = (int)need, .delay_ms = delay_ms};
}

void read_exit_codes(struct reader *reader, const struct config_key *key,
                     const struct config_node *node, void *at)
{
    each_pair(reader, key, node, add_exit_code, at);
}
