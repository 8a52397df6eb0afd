#include "config.h"

#include "addr.h"
#include "config_expand.h"
#include "config_reader.h"
#include "texts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_FILE_MAX = 16 << 20 };

/* ---- files ------------------------------------------------------------------------------- */

static void complain_of_file(struct reader *reader, const char *what)
{
    complain(reader, "%s: expected a config file", what);
}

/* Opened without waiting for the other end of a FIFO; read with waiting. */
static int open_file(struct reader *reader, const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0) {
        complain_of_file(reader, strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode))) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        return fd;
    }
    complain_of_file(reader, S_ISDIR(st.st_mode) ? "a folder" : "neither a file nor a pipe");
    close(fd);
    return -1;
}

/* All of it, once. 0 or -1 after a complaint. */
static int read_whole_file(struct reader *reader, const char *name, struct buf *text)
{
    enum { PIECE = 65536 };
    int fd = open_file(reader, name);
    ssize_t got = 1;

    while (fd >= 0 && got > 0 && buf_length(text) <= CONFIG_FILE_MAX) {
        uint8_t *piece = buf_reserve(text, PIECE);

        got = piece ? read(fd, piece, PIECE) : -1;
        if (got > 0)
            text->end += (size_t)got;
    }
    if (fd < 0)
        return -1;
    if (got < 0)
        complain_of_file(reader, strerror(errno));
    else if (got > 0)
        complain_of_file(reader, "larger than 16 MiB");
    close(fd);
    return got == 0 ? 0 : -1;
}

/* The absolute name of a file, and its folder. "" for what has none (a pipe). */
static int locate(const char *name, char *file, char *folder)
{
    struct stat st;
    char *slash;

    if (stat(name, &st) < 0 || !S_ISREG(st.st_mode) || !realpath(name, file)) {
        *file = '\0';
        return getcwd(folder, PATH_MAX) ? 0 : -1;
    }
    strcpy(folder, file);
    slash = strrchr(folder, '/');
    slash[slash == folder ? 1 : 0] = '\0';
    return 0;
}

/* ---- one application ------------------------------------------------------------------------ */

static struct config_yaml *parse(struct reader *reader, const char *text, size_t length)
{
    struct config_yaml_fault fault;
    struct config_yaml *yaml = config_yaml_parse(text, length, &fault);
    struct scope scope;

    if (!yaml && !*fault.text)
        reader_no_memory(reader);
    if (yaml || !*fault.text)
        return yaml;
    reader_enter(reader, &scope, "", fault.line, fault.column);
    complain(reader, "%s", fault.text);
    reader_leave(reader);
    return NULL;
}

/* The format's version, before anything else: another one may mean anything. */
static int check_format(struct reader *reader, const struct config_node *root)
{
    const struct config_entry *entry = config_node_entry(root, "troupe");
    struct scope scope;

    if (entry && entry->value->kind == NODE_SCALAR && strcmp(entry->value->text, "1") == 0)
        return 0;
    if (!entry) {
        reader_enter(reader, &scope, "", root->line, root->column);
        complain(reader, "%s: expected troupe: 1, the version of the format",
                 root->kind == NODE_MAP ? "troupe: missing" : "not a map of keys");
    } else {
        reader_enter(reader, &scope, "troupe", entry->key->line, entry->key->column);
        complain_of_value(reader, config_key_find(SECTION_FILE, "troupe"), entry->value);
    }
    reader_leave(reader);
    return -1;
}

static void check_name(struct reader *reader, const struct spec *root)
{
    struct scope scope;

    if (!root->name || (strcmp(root->name, "sys") != 0 && strcmp(root->name, ADDR_RUN) != 0))
        return;
    reader_enter(reader, &scope, "application", root->at.line, root->at.column);
    complain(reader, "\"%s\": taken by the node itself: expected another name", root->name);
    reader_leave(reader);
}

/* What an application is before anything is said of it. */
static void init_application(struct reader *reader, const struct config_node *root,
                             struct spec_application *application)
{
    const struct config_entry *name = config_node_entry(root, "application");
    const struct config_node *place = name ? name->key : root;
    struct spec *spec = &application->root;

    child_defaults(reader, FOR_SUPERVISOR, spec);
    snprintf(spec->at.file, sizeof spec->at.file, "%s", reader->label);
    spec->at.line = place->line;
    spec->at.column = place->column;
    application->depends_on = texts_create();
    if (!application->depends_on)
        reader_no_memory(reader);
}

/* Its name is looked up before the rest is read: the messages begin with it. */
static void read_application(struct reader *reader, const struct config_node *root,
                             struct spec_application *application)
{
    const char *name = reader_peek(reader, root, "application");
    struct scope scope;

    init_application(reader, root, application);
    if (name && addr_is_part(name, strlen(name))) {
        reader->path = name;
        reader_enter_path(reader, &scope, name, root->line, root->column);
    } else {
        reader->path = "";
        reader_enter(reader, &scope, "", root->line, root->column);
    }
    reader_section(reader, SECTION_FILE, root, 0, application);
    check_name(reader, &application->root);
    reader_leave(reader);
}

/* Appends an empty application to the tree; NULL after a complaint. */
static struct spec_application *new_application(struct reader *reader, struct spec_tree *tree)
{
    size_t n = tree->application_count;
    struct spec_application *grown =
        realloc(tree->applications, (n + 1) * sizeof *tree->applications);

    if (!grown) {
        reader_no_memory(reader);
        return NULL;
    }
    tree->applications = grown;
    tree->application_count++;
    grown[n] = (struct spec_application){0};
    return &grown[n];
}

static void read_text_of_file(struct reader *reader, const char *text, size_t length,
                              const char *file, struct spec_tree *tree)
{
    struct spec_application *application;

    reader->yaml = parse(reader, text, length);
    if (!reader->yaml)
        return;
    if (check_format(reader, config_yaml_root(reader->yaml)) == 0 &&
        (application = new_application(reader, tree))) {
        reader_keep(reader, &application->file, file);
        read_application(reader, config_yaml_root(reader->yaml), application);
        if (!application->root.name) {
            spec_application_finish(application);
            tree->application_count--;
        }
    }
    config_yaml_destroy(reader->yaml);
    reader->yaml = NULL;
}

static void read_file(struct reader *reader, const char *name, struct spec_tree *tree)
{
    char file[PATH_MAX], folder[PATH_MAX];
    struct buf text = {0};

    reader->folder = folder;
    if (locate(name, file, folder) < 0)
        complain_of_file(reader, strerror(errno));
    else if (read_whole_file(reader, name, &text) == 0)
        read_text_of_file(reader, text.data ? (char *)buf_front(&text) : "", buf_length(&text),
                          file, tree);
    buf_finish(&text);
}

/* ---- all together --------------------------------------------------------------------------- */

static void reader_init(struct reader *reader, struct report *report,
                        const struct config_context *context, size_t number, const char *label,
                        struct spec_tree *tree)
{
    *reader = (struct reader){.report = report,
                              .context = context,
                              .file = number,
                              .label = label,
                              .path = "",
                              .tree = tree};
}

static void reader_finish(struct reader *reader)
{
    for (size_t i = 0; i < reader->remark_count; i++)
        free(reader->remarks[i].text);
    free(reader->remarks);
}

/* Prints the messages, and gives up the report. 0 when there was no error, else -1. */
static int conclude(struct report *report, struct buf *messages)
{
    bool failed = report_print(report, messages) < 0 || report->errors > 0;
    bool no_memory = report->no_memory;

    report_finish(report);
    if (!failed)
        return 0;
    errno = no_memory ? ENOMEM : EINVAL;
    return -1;
}

static void log_defaults(struct report *report, const struct config_context *context,
                         struct spec_tree *tree)
{
    struct reader reader;

    reader_init(&reader, report, context, 0, "", tree);
    reader_defaults(&reader, SECTION_LOG, &tree->log);
}

int config_read(char *const *files, size_t count, const struct config_context *context,
                const char *const *existing, struct spec_tree *tree, struct buf *messages)
{
    struct reader *readers = calloc(count ? count : 1, sizeof *readers);
    struct report report = {0};
    int result;

    *tree = (struct spec_tree){0};
    if (!readers)
        return -1;
    log_defaults(&report, context, tree);
    for (size_t i = 0; i < count; i++) {
        reader_init(&readers[i], &report, context, i, files[i], tree);
        read_file(&readers[i], files[i], tree);
    }
    check_tree(readers, count, tree, existing);
    for (size_t i = 0; i < count; i++)
        reader_finish(&readers[i]);
    free(readers);
    result = conclude(&report, messages);
    if (result < 0)
        spec_tree_finish(tree);
    return result;
}

int config_read_text(const char *text, size_t length, const char *label, const char *folder,
                     const struct config_context *context, const char *const *existing,
                     struct spec_tree *tree, struct buf *messages)
{
    struct report report = {0};
    struct reader reader;
    int result;

    *tree = (struct spec_tree){0};
    log_defaults(&report, context, tree);
    reader_init(&reader, &report, context, 0, label, tree);
    reader.folder = folder;
    read_text_of_file(&reader, text, length, "", tree);
    check_tree(&reader, 1, tree, existing);
    reader_finish(&reader);
    result = conclude(&report, messages);
    if (result < 0)
        spec_tree_finish(tree);
    return result;
}

/* ---- children that are added ---------------------------------------------------------------- */

static void check_links_of(struct reader *reader, const char *path, const struct spec *child)
{
    for (char **link = child->link; link && *link; link++) {
        const char *wrong = check_link_form(path, *link);

        if (wrong)
            complain(reader, "link: \"%s\": %s", *link, wrong);
    }
}

static void read_added(struct reader *reader, const struct config_node *root, struct spec *child)
{
    const struct config_entry *replicas = config_node_entry(root, "replicas");
    const char *name = reader_peek(reader, root, "name"), *parent = reader->path;
    char path[ADDR_PATH_MAX + 1];
    struct scope scope;

    if (!name || !addr_is_part(name, strlen(name)) ||
        addr_join(parent, name, path, sizeof path) < 0)
        snprintf(path, sizeof path, "%s", parent);
    reader_enter_path(reader, &scope, path, root->line, root->column);
    reader->path = path;
    read_child(reader, root, true, child);
    if (replicas)
        complain(reader, "replicas: expected only in a config file");
    check_links_of(reader, path, child);
    reader->path = parent;
    reader_leave(reader);
}

int config_read_child(const char *text, size_t length, const char *label, const char *cwd,
                      const char *parent, const struct spec_supervisor *supervisor,
                      const struct config_context *context, struct spec *child,
                      struct buf *messages)
{
    struct report report = {0};
    struct reader reader;
    int result;

    *child = (struct spec){0};
    reader_init(&reader, &report, context, 0, label, NULL);
    reader.folder = cwd;
    reader.path = parent;
    reader.supervisor = (struct spec_supervisor *)supervisor; /* looked at, never changed */
    reader.yaml = parse(&reader, text, length);
    if (reader.yaml)
        read_added(&reader, config_yaml_root(reader.yaml), child);
    config_yaml_destroy(reader.yaml);
    reader_finish(&reader);
    result = conclude(&report, messages);
    if (result < 0)
        spec_finish(child);
    return result;
}

/* ---- children of templates ------------------------------------------------------------------ */

static int no_memory(struct buf *messages)
{
    buf_printf(messages, "not enough memory for another child\n");
    errno = ENOMEM;
    return -1;
}

/* An argument KEY=VALUE, in place of the template's own of that key. */
static int set_arg(struct spec *child, const char *word, const char *value)
{
    size_t length = (size_t)(value - word) - 1;
    char *copy;

    for (char **arg = child->args; *arg; arg += 2) {
        if (strncmp(arg[0], word, length) != 0 || arg[0][length])
            continue;
        copy = strdup(value);
        if (!copy)
            return -1;
        free(arg[1]);
        arg[1] = copy;
        return 0;
    }
    copy = strndup(word, length);
    if (!copy || texts_append(&child->args, copy) < 0 || texts_append(&child->args, value) < 0) {
        free(copy);
        return -1;
    }
    free(copy);
    return 0;
}

/* A further argument of a program. People's words are taken as they stand: nothing is expanded. */
static int add_argument(struct spec *child, const char *word)
{
    struct buf escaped = {0};
    int result = -1;

    if (config_escape_for_spawn(word, &escaped) == 0)
        result = texts_append(&child->exec, (char *)buf_front(&escaped));
    buf_finish(&escaped);
    return result;
}

static int add_word(struct spec *child, const char *word, struct buf *messages)
{
    const char *equals = strchr(word, '=');

    if (child->kind == SPEC_PROGRAM)
        return add_argument(child, word) < 0 ? no_memory(messages) : 0;
    if (child->kind != SPEC_MODULE)
        buf_printf(messages, "\"%s\": a %s takes no arguments: expected none\n", word,
                   spec_kind_text(child->kind));
    else if (!equals || equals == word)
        buf_printf(messages, "\"%s\": not an argument of a module: expected NAME=VALUE\n", word);
    else
        return set_arg(child, word, equals + 1) < 0 ? no_memory(messages) : 0;
    return -1;
}

int config_from_template(const struct spec *template, const char *name, char *const *words,
                         size_t count, struct spec *child, struct buf *messages)
{
    if (!addr_is_part(name, strlen(name))) {
        buf_printf(messages, "\"%s\": not a name: expected %s\n", name,
                   config_key_find(SECTION_CHILD, "name")->expected);
        errno = EINVAL;
        return -1;
    }
    if (spec_copy(template, name, child) < 0)
        return no_memory(messages);
    errno = 0;
    for (size_t i = 0; i < count; i++)
        if (add_word(child, words[i], messages) < 0) {
            spec_finish(child);
            errno = errno == ENOMEM ? ENOMEM : EINVAL;
            return -1;
        }
    return 0;
}
