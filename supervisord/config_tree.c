/* Supervisors and children: maps become specs, and the rules that hold between neighbours. */
#include "addr.h"
#include "config_reader.h"
#include "elf_symbols.h"
#include "text.h"
#include "texts.h"
#include "troupe.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- looking ahead ------------------------------------------------------------------------- */

static const char *peek_name(struct reader *reader, const struct config_node *map)
{
    const char *name = reader_peek(reader, map, "name");

    return name && addr_is_part(name, strlen(name)) ? name : NULL;
}

static unsigned peek_replicas(struct reader *reader, const struct config_node *map)
{
    const char *text = reader_peek(reader, map, "replicas");
    uint64_t n;

    return text && text_unsigned(text, 1, 100000, &n) == 0 ? (unsigned)n : 0;
}

static bool is_given(const struct config_node *map, const char *key)
{
    const struct config_entry *entry = config_node_entry(map, key);

    return entry && !config_node_is_absent(entry->value);
}

/* Enters a key that may have been left out: then its map is the place. */
static void enter_key(struct reader *reader, struct scope *scope, const struct config_node *map,
                      const char *key)
{
    const struct config_entry *entry = config_node_entry(map, key);
    const struct config_node *place = entry ? entry->key : map;

    reader_enter(reader, scope, key, place->line, place->column);
}

/* ---- maps inside of a child ------------------------------------------------------------------ */

void read_map(struct reader *reader, const struct config_key *key, const struct config_node *node,
              void *at)
{
    if (node->kind == NODE_MAP)
        reader_section(reader, key->section, node, 0, at);
    else
        complain_of_value(reader, key, node);
}

void read_backoff(struct reader *reader, const struct config_key *key,
                  const struct config_node *node, void *at)
{
    struct backoff_spec *backoff = at;
    struct scope scope;
    char initial[32];

    read_map(reader, key, node, at);
    if (node->kind != NODE_MAP)
        return;
    if (!is_given(node, "reset_after"))
        backoff->reset_after_ms = 10 * backoff->max_ms;
    if (!is_given(node, "max") || backoff->max_ms >= backoff->initial_ms)
        return;
    enter_key(reader, &scope, node, "max");
    complain(reader, "shorter than initial: expected %s or more",
             text_of_duration(backoff->initial_ms, initial, sizeof initial));
    reader_leave(reader);
}

void read_ready(struct reader *reader, const struct config_key *key, const struct config_node *node,
                void *at)
{
    struct spec *spec = at;
    const char *text;

    if (node->kind == NODE_SCALAR) {
        text = reader_text(reader, key, node);
        spec->ready = READY_NOTIFY;
        if (text && strcmp(text, "notify") != 0)
            complain_of_text(reader, text, key->expected);
        return;
    }
    read_map(reader, key, node, at);
    if (node->kind == NODE_MAP && node->count != 1)
        complain(reader, "%zu keys: expected one of tcp, exec and log", node->count);
    spec->ready = is_given(node, "tcp")    ? READY_TCP
                  : is_given(node, "exec") ? READY_EXEC
                                           : READY_LOG;
}

void read_mailbox(struct reader *reader, const struct config_key *key,
                  const struct config_node *node, void *at)
{
    struct spec *spec = at;
    const char *text;

    if (node->kind != NODE_SCALAR) {
        read_map(reader, key, node, at);
        spec->has_mailbox = true;
        return;
    }
    text = reader_text(reader, key, node);
    if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        complain_of_text(reader, text, key->expected);
    spec->has_mailbox = text && strcmp(text, "true") == 0;
}

void read_module(struct reader *reader, const struct config_key *key,
                 const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);

    if (text && strchr(text, '/'))
        text = reader_absolute(reader, text);
    else if (text && !addr_is_part(text, strlen(text))) {
        complain_of_text(reader, text, key->expected);
        return;
    }
    if (text)
        reader_keep(reader, at, text);
}

/* ---- the rules for one child ---------------------------------------------------------------- */

void check_module(struct reader *reader, const struct spec *child)
{
    char file[PATH_MAX];
    int exports;

    if (reader->context->text_only)
        return;
    if (config_module_path(child->module, reader->folder, file) < 0) {
        if (strchr(child->module, '/'))
            complain(reader, "no such file: expected a module at %s", file);
        else
            complain(reader, "\"%s\": no such module: expected %s.so in one of %s", child->module,
                     child->module, file);
        return;
    }
    exports = elf_exports(file, "troupe_actor");
    if (exports < 0)
        complain(reader, "%s: %s: expected a shared object for this machine", file,
                 errno == ENOEXEC ? "something else" : strerror(errno));
    else if (exports == 0)
        complain(reader, "%s: no symbol troupe_actor: expected a module made by TROUPE_ACTOR()",
                 file);
}

static bool has_state(const struct reader *reader, const struct spec *child)
{
    char file[PATH_MAX];

    return !reader->context->text_only && child->module &&
           config_module_path(child->module, reader->folder, file) == 0 &&
           elf_points(file, "troupe_actor", offsetof(struct troupe_actor, state)) > 0;
}

void take_state(struct reader *reader, const struct config_node *map, const struct spec *child,
                bool *state)
{
    struct scope scope;

    if (*state || !has_state(reader, child))
        return;
    if (is_given(map, "state")) {
        enter_key(reader, &scope, map, "state");
        complain(reader, "false: the module keeps state: expected true, or nothing");
        reader_leave(reader);
    }
    *state = true;
}

void check_keeper(struct reader *reader, const struct config_node *map, const struct spec *child)
{
    bool is_said = is_given(map, "state");
    struct scope scope;

    if (!child->has_uid || child->uid == getuid())
        return;
    enter_key(reader, &scope, map, is_said ? "state" : "user");
    if (is_said)
        complain(reader, "true: the store serves the node's own user only: expected no user beside it");
    else
        complain(reader, "the module keeps state, and the store serves the node's own user only: "
                         "expected no user");
    reader_leave(reader);
}

static void check_significant(struct reader *reader, const struct spec *child)
{
    if (reader->supervisor->auto_shutdown == AUTO_NEVER)
        complain(reader, "true: expected false, or auto_shutdown: any_significant or "
                         "all_significant at its supervisor");
    if (child->restart == RESTART_PERMANENT)
        complain(reader, "true: expected false, or restart: transient or temporary (a permanent "
                         "child never ends for good)");
}

static void check_backoff(struct reader *reader, const struct spec *child)
{
    const struct spec_supervisor *supervisor = reader->supervisor;
    char period[32], smallest[32];
    int64_t smallest_ms;

    if (child->backoff.max_ms < child->backoff.initial_ms ||
        backoff_fits_intensity(&child->backoff, supervisor->intensity, supervisor->period_ms,
                               &smallest_ms))
        return;
    complain(reader,
             "more than %u restarts within %s can never be: expected a period of %s or more, "
             "or intensity: unlimited",
             supervisor->intensity, text_of_duration(supervisor->period_ms, period, sizeof period),
             text_of_duration(smallest_ms, smallest, sizeof smallest));
}

static void check_program_of(struct reader *reader, const struct spec *child,
                             const struct config_node *map)
{
    const struct config_entry *ready = config_node_entry(map, "ready");
    struct scope scope, inner;

    enter_key(reader, &scope, map, "exec");
    if (child->exec && child->exec[0])
        check_program(reader, child, child->exec[0]);
    reader_leave(reader);
    if (!child->ready_exec || !child->ready_exec[0])
        return;
    enter_key(reader, &scope, map, "ready");
    enter_key(reader, &inner, ready->value, "exec");
    check_program(reader, child, child->ready_exec[0]);
    reader_leave(reader);
    reader_leave(reader);
}

static void check_child(struct reader *reader, const struct spec *child,
                        const struct config_node *map)
{
    const struct spec_supervisor *supervisor = reader->supervisor;
    bool is_restarted = child->restart != RESTART_TEMPORARY;
    struct scope scope;

    if (child->kind == SPEC_PROGRAM)
        check_program_of(reader, child, map);
    if (child->kind == SPEC_MODULE && child->module) {
        enter_key(reader, &scope, map, "module");
        check_module(reader, child);
        reader_leave(reader);
    }
    if (child->significant) {
        enter_key(reader, &scope, map, "significant");
        check_significant(reader, child);
        reader_leave(reader);
    }
    if (child->keeps_state)
        check_keeper(reader, map, child);
    enter_key(reader, &scope, map, "backoff");
    if (child->backoff.initial_ms && is_restarted && supervisor->intensity != INTENSITY_UNLIMITED)
        check_backoff(reader, child);
    if (!is_given(map, "backoff") && is_restarted && supervisor->intensity == INTENSITY_UNLIMITED)
        complain(reader, "missing: expected one, because its supervisor has intensity: unlimited");
    reader_leave(reader);
}

/* ---- one child ----------------------------------------------------------------------------- */

/* What a child is, as a bit of FOR_…; 0 after a complaint. */
static unsigned kind_of(struct reader *reader, const struct config_node *map)
{
    static const char *const names[] = {"module", "exec", "supervisor", "service"};
    unsigned kinds = 0, n = 0;
    struct scope scope;

    for (unsigned i = 0; i < 4; i++) {
        if (!is_given(map, names[i]))
            continue;
        kinds |= 1U << i;
        if (n++ == 0)
            continue;
        enter_key(reader, &scope, map, names[i]);
        complain(reader, "one too many: expected one of module, exec, supervisor and service");
        reader_leave(reader);
    }
    if (n == 0)
        complain(reader, "nothing to run: expected one of module, exec, supervisor and service");
    return n == 1 ? kinds : 0;
}

static char **empty_list(struct reader *reader)
{
    char **texts = texts_create();

    if (!texts)
        reader_no_memory(reader);
    return texts;
}

void child_defaults(struct reader *reader, unsigned kinds, struct spec *child)
{
    enum { DEFAULT_SHUTDOWN_MS = 5000 };

    *child = (struct spec){.umask = -1};
    reader_defaults(reader, SECTION_CHILD, child);
    reader_defaults(reader, SECTION_MAILBOX, child);
    child->kind = kinds & FOR_SUPERVISOR ? SPEC_SUPERVISOR
                  : kinds & FOR_SERVICE  ? SPEC_SERVICE
                  : kinds & FOR_PROGRAM  ? SPEC_PROGRAM
                                         : SPEC_MODULE;
    child->shutdown_ms = kinds & (FOR_SUPERVISOR | FOR_SERVICE) ? SHUTDOWN_INFINITY : DEFAULT_SHUTDOWN_MS;
    child->has_mailbox = kinds & FOR_MODULE;
    child->link = empty_list(reader);
    child->groups = empty_list(reader);
    child->args = empty_list(reader);
    child->env = empty_list(reader);
    reader_keep(reader, &child->cwd, reader->folder);
}

static void set_place(const struct reader *reader, const struct config_node *node,
                      struct place *place)
{
    snprintf(place->file, sizeof place->file, "%s", reader->label);
    place->line = node->line;
    place->column = node->column;
}

/* A name is needed by who is declared, replicas by nobody else. */
static void check_name(struct reader *reader, const struct config_node *map, bool declared)
{
    static const char *const needless[] = {"name", "replicas", NULL};
    struct scope scope;

    if (declared && !is_given(map, "name"))
        complain(reader, "name: missing: expected %s",
                 config_key_find(SECTION_CHILD, "name")->expected);
    for (size_t i = 0; !declared && needless[i]; i++) {
        if (!is_given(map, needless[i]))
            continue;
        enter_key(reader, &scope, map, needless[i]);
        complain(reader, "given to a template: expected only in a list of children");
        reader_leave(reader);
    }
}

void read_child(struct reader *reader, const struct config_node *map, bool declared,
                struct spec *child)
{
    struct spec_supervisor *supervisor = reader->supervisor;
    const struct config_node *owner = reader->owner;
    unsigned kinds;

    *child = (struct spec){0};
    if (map->kind != NODE_MAP) {
        complain(reader, "not a map: expected a map of child keys");
        return;
    }
    reader->owner = map;
    kinds = kind_of(reader, map);
    child_defaults(reader, kinds, child);
    set_place(reader, map, &child->at);
    reader_section(reader, SECTION_CHILD, map, kinds ? kinds : FOR_ALL, child);
    check_name(reader, map, declared);
    child->replica = reader->replica;
    take_state(reader, map, child, &child->keeps_state);
    reader->supervisor = supervisor;
    reader->owner = owner;
    if (kinds && !reader->report->no_memory)
        check_child(reader, child, map);
}

/* ---- the children of a supervisor ---------------------------------------------------------- */

static size_t count_specs(const struct spec *spec)
{
    size_t n = 1;

    for (size_t i = 0; spec->supervisor && i < spec->supervisor->child_count; i++)
        n += count_specs(&spec->supervisor->children[i]);
    return n;
}

/* Takes child over. The array grows by doubling. */
static void append_child(struct reader *reader, struct spec_supervisor *supervisor,
                         struct spec *child)
{
    size_t n = supervisor->child_count;
    struct spec *grown = supervisor->children;

    if ((n & (n - 1)) == 0)
        grown = realloc(grown, (n ? n * 2 : 1) * sizeof *grown);
    if (!grown) {
        reader_no_memory(reader);
        spec_finish(child);
        return;
    }
    supervisor->children = grown;
    grown[supervisor->child_count++] = *child;
}

/* "farm.7" */
static void name_replica(struct reader *reader, struct spec *child, const char *base,
                         unsigned replica)
{
    free(child->name);
    if (asprintf(&child->name, "%s.%u", base, replica) < 0) {
        child->name = NULL;
        reader_no_memory(reader);
    }
    child->replica = replica;
}

/* Replica 2 … n of an entry: a copy of the first, or read anew when the number is in its values. */
static int read_replica(struct reader *reader, const struct config_node *map,
                        const struct spec *first, bool anew, unsigned replica, struct spec *child)
{
    if (anew) {
        reader->replica = replica;
        read_child(reader, map, true, child);
        return child->name ? 0 : -1;
    }
    if (spec_copy(first, NULL, child) == 0)
        return 0;
    reader_no_memory(reader);
    return -1;
}

/* Takes over `first`, and makes farm.1 … farm.n of it. What was wrong once is not tried again. */
static void spread(struct reader *reader, const struct config_node *map, unsigned replicas,
                   bool is_wrong, struct spec_supervisor *supervisor, struct spec *first)
{
    size_t at = supervisor->child_count;
    bool anew = reader->used_replica && !is_wrong;
    char *base = first->name;
    struct spec child;

    first->name = NULL;
    name_replica(reader, first, base, 1);
    append_child(reader, supervisor, first);
    for (unsigned i = 2; i <= replicas && supervisor->child_count > at; i++) {
        if (read_replica(reader, map, &supervisor->children[at], anew, i, &child) < 0) {
            spec_finish(&child);
            break;
        }
        name_replica(reader, &child, base, i);
        append_child(reader, supervisor, &child);
    }
    free(base);
}

static void check_replica_names(struct reader *reader, const char *name, unsigned replicas)
{
    char number[12];
    int length = snprintf(number, sizeof number, ".%u", replicas);

    if (strlen(name) + (size_t)length > ADDR_PART_MAX)
        complain(reader, "name: too long with %s behind it: expected at most %d characters", number,
                 ADDR_PART_MAX);
}

static bool is_over_the_bound(struct reader *reader, const struct spec *first, unsigned replicas)
{
    bool was_over = reader->specs > CONFIG_SPECS_MAX;

    reader->specs += count_specs(first) * (replicas ? replicas : 1);
    if (reader->specs <= CONFIG_SPECS_MAX)
        return false;
    if (!was_over)
        complain(reader, "%zu children in this file: expected at most %d", reader->specs,
                 CONFIG_SPECS_MAX);
    return true;
}

/* One entry of children: one child, or as many as it has replicas. */
static void read_entry(struct reader *reader, const struct config_node *map, unsigned replicas,
                       bool is_full, struct spec_supervisor *supervisor)
{
    unsigned outer_replica = reader->replica;
    bool outer_used = reader->used_replica;
    size_t errors = reader->report->errors;
    struct spec first;

    reader->used_replica = false;
    reader->replica = replicas ? 1 : 0;
    read_child(reader, map, true, &first);
    if (replicas && first.name)
        check_replica_names(reader, first.name, replicas);
    if (is_over_the_bound(reader, &first, replicas) || is_full || !first.name)
        spec_finish(&first);
    else if (replicas)
        spread(reader, map, replicas, reader->report->errors != errors, supervisor, &first);
    else
        append_child(reader, supervisor, &first);
    reader->replica = outer_replica;
    reader->used_replica = outer_used;
}

static void warn_of_replicas(struct reader *reader, const struct config_node *item,
                             unsigned replicas)
{
    struct scope scope;

    if (replicas <= reader->supervisor->intensity)
        return;
    enter_key(reader, &scope, item, "replicas");
    warn_of(reader,
            "%u, more than the intensity of %u: if all of them fail at once, the supervisor "
            "gives up",
            replicas, reader->supervisor->intensity);
    reader_leave(reader);
}

/* Enters the child by its path, or by its number when its name is not known. */
static void read_item(struct reader *reader, const struct config_node *item, size_t number,
                      bool is_full, struct spec_supervisor *supervisor)
{
    const char *name = item->kind == NODE_MAP ? peek_name(reader, item) : NULL;
    const char *parent = reader->path;
    char path[ADDR_PATH_MAX + 1], text[32];
    struct scope scope;

    if (name && addr_join(parent, name, path, sizeof path) < 0) {
        reader_enter(reader, &scope, name, item->line, item->column);
        complain(reader, "the path is too long: expected at most %d characters", ADDR_PATH_MAX);
    } else if (name) {
        reader_enter_path(reader, &scope, path, item->line, item->column);
        reader->path = path;
        read_entry(reader, item, peek_replicas(reader, item), is_full, supervisor);
        reader->supervisor = supervisor;
        warn_of_replicas(reader, item, peek_replicas(reader, item));
    } else {
        snprintf(text, sizeof text, "item %zu", number);
        reader_enter(reader, &scope, text, item->line, item->column);
        read_entry(reader, item, 0, is_full, supervisor);
    }
    reader_leave(reader);
    reader->path = parent;
}

/* ---- the rules among siblings ---------------------------------------------------------------- */

static int compare_names(const void *left, const void *right)
{
    const struct spec *a = *(const struct spec *const *)left;
    const struct spec *b = *(const struct spec *const *)right;
    int order = strcmp(a->name, b->name);

    return order ? order : (a > b) - (a < b);
}

static void complain_of_twin(struct reader *reader, const struct spec *first,
                             const struct spec *second)
{
    char path[ADDR_PATH_MAX + 1];
    struct scope scope;

    if (addr_join(reader->path, second->name, path, sizeof path) < 0)
        return;
    reader_enter_path(reader, &scope, path, second->at.line, second->at.column);
    complain(reader, "name: \"%s\": taken by the child at %s:%d:%d: expected another", second->name,
             first->at.file, first->at.line, first->at.column);
    reader_leave(reader);
}

static void check_twins(struct reader *reader, const struct spec_supervisor *supervisor)
{
    size_t n = supervisor->child_count;
    const struct spec **sorted = malloc((n ? n : 1) * sizeof(const struct spec *));

    if (!sorted) {
        reader_no_memory(reader);
        return;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = &supervisor->children[i];
    qsort(sorted, n, sizeof(const struct spec *), compare_names);
    for (size_t i = 1; i < n; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            complain_of_twin(reader, sorted[i - 1], sorted[i]);
    free(sorted);
}

void read_children(struct reader *reader, const struct config_key *key,
                   const struct config_node *node, void *at)
{
    struct spec_supervisor *supervisor = reader->supervisor;
    uint64_t wanted = 0;

    (void)at;
    if (node->kind != NODE_LIST) {
        complain_of_value(reader, key, node);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct config_node *item = node->items[i];
        unsigned replicas = item->kind == NODE_MAP ? peek_replicas(reader, item) : 0;

        wanted += replicas ? replicas : 1;
        read_item(reader, item, i + 1, wanted > supervisor->max_children, supervisor);
        reader->supervisor = supervisor;
    }
    if (wanted > supervisor->max_children)
        complain(reader, "%llu children: expected at most %u (max_children)",
                 (unsigned long long)wanted, supervisor->max_children);
    check_twins(reader, supervisor);
}

/* ---- templates and supervisors -------------------------------------------------------------- */

static void check_template(struct reader *reader)
{
    if (reader->supervisor->auto_shutdown != AUTO_NEVER)
        complain(reader, "with auto_shutdown: expected auto_shutdown: never beside a template");
    if (reader->supervisor->strategy != ONE_FOR_ONE)
        complain(reader, "with strategy: %s: expected one_for_one beside a template",
                 spec_strategy_text(reader->supervisor->strategy));
}

void read_template(struct reader *reader, const struct config_key *key,
                   const struct config_node *node, void *at)
{
    unsigned outer_replica = reader->replica;
    struct spec *template;

    if (node->kind != NODE_MAP) {
        complain_of_value(reader, key, node);
        return;
    }
    check_template(reader);
    template = calloc(1, sizeof *template);
    if (!template) {
        reader_no_memory(reader);
        return;
    }
    *(struct spec **)at = template;
    reader->replica = 0;
    read_child(reader, node, false, template);
    reader->replica = outer_replica;
    free(template->name);
    template->name = NULL;
}

void read_supervisor(struct reader *reader, const struct config_key *key,
                     const struct config_node *node, void *at)
{
    struct spec_supervisor *supervisor;
    struct scope scope;

    if (node->kind != NODE_MAP) {
        complain_of_value(reader, key, node);
        return;
    }
    supervisor = calloc(1, sizeof *supervisor);
    if (!supervisor) {
        reader_no_memory(reader);
        return;
    }
    *(struct spec_supervisor **)at = supervisor;
    reader->supervisor = supervisor;
    reader_section(reader, SECTION_SUPERVISOR, node, 0, supervisor);
    if (!is_given(node, "template") || !is_given(node, "children"))
        return;
    enter_key(reader, &scope, node, "template");
    complain(reader, "beside children: expected one of the two");
    reader_leave(reader);
}
