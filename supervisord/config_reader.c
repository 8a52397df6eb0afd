#include "config_reader.h"

#include "config_expand.h"
#include "text.h"
#include "texts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHERE_SIZE = 1024, SHOWN_SIZE = 128 };

/* ---- where we are ---------------------------------------------------------------------- */

void reader_enter(struct reader *reader, struct scope *scope, const char *text, int line,
                  int column)
{
    *scope = (struct scope){.up = reader->scope, .text = text, .line = line, .column = column};
    reader->scope = scope;
}

void reader_enter_path(struct reader *reader, struct scope *scope, const char *path, int line,
                       int column)
{
    reader_enter(reader, scope, path, line, column);
    scope->is_path = true;
}

void reader_leave(struct reader *reader)
{
    reader->scope = reader->scope->up;
}

/* "shop/web: backoff: initial" */
static size_t write_where(const struct scope *scope, char *out, size_t size)
{
    size_t used = 0;

    if (!scope)
        return 0;
    if (scope->up && !scope->is_path)
        used = write_where(scope->up, out, size);
    if (used && used < size)
        used += (size_t)snprintf(out + used, size - used, ": ");
    if (used < size)
        used += text_escape(scope->text, strlen(scope->text), out + used, size - used);
    return used;
}

static void tell(struct reader *reader, enum report_level level, const char *format, va_list args)
{
    struct report_place place = {.file = reader->file, .label = reader->label};
    char where[WHERE_SIZE] = "", *text;

    if (reader->scope) {
        place.line = reader->scope->line;
        place.column = reader->scope->column;
    }
    write_where(reader->scope, where, sizeof where);
    if (vasprintf(&text, format, args) < 0) {
        reader_no_memory(reader);
        return;
    }
    report_add(reader->report, level, &place, where, "%s", text);
    free(text);
}

void complain(struct reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(reader, REPORT_ERROR, format, args);
    va_end(args);
}

void warn_of(struct reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(reader, REPORT_WARNING, format, args);
    va_end(args);
}

void complain_of_text(struct reader *reader, const char *text, const char *expected)
{
    char shown[SHOWN_SIZE];
    size_t wanted = text_escape(text, strlen(text), shown, sizeof shown);

    complain(reader, "\"%s%s\": expected %s", shown, wanted >= sizeof shown ? "…" : "", expected);
}

/* "permanent, transient or temporary" */
static char *words_as_text(const char *const *words, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; words[i] && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 !i             ? ""
                                 : words[i + 1] ? ", "
                                                : " or ",
                                 words[i]);
    return out;
}

static const char *expected_of(const struct config_key *key, char *out, size_t size)
{
    if (key->expected || !key->choices)
        return key->expected ? key->expected : "a text";
    return words_as_text(key->choices, out, size);
}

void complain_of_value(struct reader *reader, const struct config_key *key,
                       const struct config_node *node)
{
    char expected[256];
    const char *text = expected_of(key, expected, sizeof expected);

    if (node->kind == NODE_SCALAR && !config_node_is_absent(node))
        complain_of_text(reader, node->text, text);
    else
        complain(reader, "%s: expected %s",
                 node->kind == NODE_LIST  ? (node->count ? "a list" : "an empty list")
                 : node->kind == NODE_MAP ? "a map"
                                          : "nothing",
                 text);
}

void reader_no_memory(struct reader *reader)
{
    reader->report->no_memory = true;
    reader->report->errors++;
}

/* ---- texts ------------------------------------------------------------------------------- */

static const char *expand(struct reader *reader, const struct config_key *key,
                          const struct config_node *node, bool for_spawn)
{
    struct expansion expansion = {.environment = reader->context->environment,
                                  .for_spawn = for_spawn,
                                  .replica = reader->replica};
    struct buf out = {0};
    char why[SHOWN_SIZE * 2];
    const char *text = NULL;

    if (node->kind != NODE_SCALAR || config_node_is_absent(node)) {
        complain_of_value(reader, key, node);
        return NULL;
    }
    if (!strchr(node->text, '$'))
        return node->text;
    if (config_expand(&expansion, node->text, &out, why, sizeof why) == 0)
        text = config_yaml_keep(reader->yaml, (char *)buf_front(&out), buf_length(&out) - 1);
    else if (errno == EINVAL)
        complain(reader, "%s", why);
    if (!text && errno == ENOMEM)
        reader_no_memory(reader);
    reader->used_replica = reader->used_replica || expansion.used_replica;
    buf_finish(&out);
    return text;
}

const char *reader_text(struct reader *reader, const struct config_key *key,
                        const struct config_node *node)
{
    return expand(reader, key, node, false);
}

const char *reader_spawn_text(struct reader *reader, const struct config_key *key,
                              const struct config_node *node)
{
    return expand(reader, key, node, true);
}

const char *reader_peek(struct reader *reader, const struct config_node *map, const char *key)
{
    struct expansion expansion = {.environment = reader->context->environment};
    const struct config_entry *entry = config_node_entry(map, key);
    struct buf out = {0};
    const char *text = NULL;
    char why[128];

    if (!entry || entry->value->kind != NODE_SCALAR || config_node_is_absent(entry->value))
        return NULL;
    if (config_expand(&expansion, entry->value->text, &out, why, sizeof why) == 0)
        text = config_yaml_keep(reader->yaml, (char *)buf_front(&out), buf_length(&out) - 1);
    buf_finish(&out);
    return text;
}

void reader_keep(struct reader *reader, char **at, const char *text)
{
    free(*at);
    *at = strdup(text);
    if (!*at)
        reader_no_memory(reader);
}

void reader_append(struct reader *reader, char ***texts, const char *text)
{
    if (texts_append(texts, text) < 0)
        reader_no_memory(reader);
}

const char *reader_absolute(struct reader *reader, const char *path)
{
    char *joined;
    const char *kept;

    if (*path == '/')
        return path;
    if (strncmp(path, "./", 2) == 0)
        path += 2;
    if (asprintf(&joined, "%s/%s", strcmp(reader->folder, "/") == 0 ? "" : reader->folder, path) <
        0) {
        reader_no_memory(reader);
        return NULL;
    }
    kept = config_yaml_keep(reader->yaml, joined, strlen(joined));
    free(joined);
    if (!kept)
        reader_no_memory(reader);
    return kept;
}

void reader_remark(struct reader *reader, const char *text)
{
    struct remark *grown =
        realloc(reader->remarks, (reader->remark_count + 1) * sizeof *reader->remarks);
    char *copy = strdup(text);

    if (grown)
        reader->remarks = grown;
    if (!grown || !copy) {
        free(copy);
        reader_no_memory(reader);
        return;
    }
    grown[reader->remark_count++] =
        (struct remark){.file = reader->file,
                        .owner_line = reader->owner ? reader->owner->line : 0,
                        .owner_column = reader->owner ? reader->owner->column : 0,
                        .text = copy,
                        .line = reader->scope->line,
                        .column = reader->scope->column};
}

/* ---- maps, by the table of keys ------------------------------------------------------------ */

static read_value *const readers[TYPE_COUNT_OF_TYPES] = {
    [TYPE_FORMAT] = read_nothing,
    [TYPE_NAME] = read_name,
    [TYPE_UNKEPT] = read_unkept,
    [TYPE_TEXT] = read_text,
    [TYPE_GROUPS] = read_groups,
    [TYPE_URL] = read_url,
    [TYPE_URLS] = read_urls,
    [TYPE_STORE] = read_store,
    [TYPE_RIGHTS] = read_rights,
    [TYPE_PATTERNS] = read_patterns,
    [TYPE_PATHS] = read_paths,
    [TYPE_FOLDER] = read_folder,
    [TYPE_FILE_PATH] = read_file_path,
    [TYPE_BOOL] = read_bool,
    [TYPE_WHOLE] = read_whole,
    [TYPE_OCTAL] = read_octal,
    [TYPE_NUMBER] = read_number,
    [TYPE_COUNT] = read_count,
    [TYPE_DURATION] = read_duration,
    [TYPE_SIZE] = read_size,
    [TYPE_CHOICE] = read_choice,
    [TYPE_SIGNAL] = read_signal,
    [TYPE_INTENSITY] = read_intensity,
    [TYPE_SHUTDOWN] = read_shutdown,
    [TYPE_ADDRESS] = read_address,
    [TYPE_REGEX] = read_regex,
    [TYPE_EXEC] = read_exec,
    [TYPE_COMMAND] = read_exec,
    [TYPE_SECTION] = read_map,
    [TYPE_BACKOFF] = read_backoff,
    [TYPE_READY] = read_ready,
    [TYPE_MAILBOX] = read_mailbox,
    [TYPE_MODULE] = read_module,
    [TYPE_SUPERVISOR] = read_supervisor,
    [TYPE_SERVICE] = read_service,
    [TYPE_CHILDREN] = read_children,
    [TYPE_TEMPLATE] = read_template,
    [TYPE_ARGS] = read_args,
    [TYPE_ENV] = read_env,
    [TYPE_ENV_FILE] = read_env_file,
    [TYPE_USER] = read_user,
    [TYPE_GROUP] = read_group,
    [TYPE_LIMITS] = read_limits,
    [TYPE_EXIT_CODES] = read_exit_codes,
    [TYPE_STDIN] = read_stdin,
    [TYPE_RAW] = read_raw,
    [TYPE_NODE] = read_node,
    [TYPE_LOG] = read_log,
};

void reader_value(struct reader *reader, const struct config_key *key,
                  const struct config_node *node, void *into)
{
    readers[key->type](reader, key, node, (char *)into + key->offset);
    if (key->has)
        *(bool *)((char *)into + key->has) = true;
}

void reader_duplicates(struct reader *reader, const struct config_node *map)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct config_entry *entry = &map->entries[i];
        struct scope scope;

        if (!entry->first)
            continue;
        reader_enter(reader, &scope, entry->key->text, entry->key->line, entry->key->column);
        complain(reader, "said twice: expected once (it stands at %s:%d:%d already)", reader->label,
                 entry->first->key->line, entry->first->key->column);
        reader_leave(reader);
    }
}

/* Another section that knows the key, or SECTION_COUNT. */
static enum config_section section_of(const char *name)
{
    enum config_section section = SECTION_FILE;

    while (section < SECTION_COUNT && !config_key_find(section, name))
        section++;
    return section;
}

static void complain_of_key(struct reader *reader, enum config_section section, const char *name)
{
    const char *nearest = config_key_nearest(section, name);
    enum config_section other = section_of(name);

    if (section == SECTION_SERVICE && !strcmp(name, "exec"))
        complain(reader,
                 "not of a service: expected module: port, with the program in its args, see "
                 "troupe-port(7)");
    else if (nearest)
        complain(reader, "unknown key: did you mean %s?", nearest);
    else if (other < SECTION_COUNT)
        complain(reader, "unknown key here: expected in a map of %s keys",
                 config_section_title(other));
    else
        complain(reader, "unknown key: expected a %s key, see troupe.yaml(5)",
                 config_section_title(section));
}

static const char *kind_names(unsigned kinds, char *out, size_t size)
{
    static const char *const names[] = {"module", "exec", "supervisor", "service"};
    const char *words[5];
    size_t n = 0;

    for (size_t i = 0; i < 4; i++)
        if (kinds & 1U << i)
            words[n++] = names[i];
    words[n] = NULL;
    return words_as_text(words, out, size);
}

/* Unknown keys, and keys that such a child does not have. */
static void check_keys(struct reader *reader, enum config_section section,
                       const struct config_node *map, unsigned kinds)
{
    reader_duplicates(reader, map);
    for (size_t i = 0; i < map->count; i++) {
        const struct config_node *name = map->entries[i].key;
        const struct config_key *key = config_key_find(section, name->text);
        char kind[64];
        struct scope scope;

        reader_enter(reader, &scope, name->text, name->line, name->column);
        if (!key)
            complain_of_key(reader, section, name->text);
        else if (kinds && !(key->kinds & kinds))
            complain(reader, "not a key of such a child: expected only beside %s",
                     kind_names(key->kinds, kind, sizeof kind));
        reader_leave(reader);
    }
}

static void read_default(struct reader *reader, const struct config_key *key, void *into)
{
    struct config_node node = {.kind = NODE_SCALAR, .text = key->fallback, .quoted = true};

    if (key->fallback)
        readers[key->type](reader, key, &node, (char *)into + key->offset);
}

void reader_defaults(struct reader *reader, enum config_section section, void *into)
{
    for (const struct config_key *key = config_keys(section); key->name; key++)
        read_default(reader, key, into);
}

static void read_entry(struct reader *reader, const struct config_key *key,
                       const struct config_entry *entry, void *into)
{
    struct scope scope;

    reader_enter(reader, &scope, key->name, entry->key->line, entry->key->column);
    reader_value(reader, key, entry->value, into);
    if (key->later)
        complain(reader, "%s: expected in no file as yet", key->later);
    reader_leave(reader);
}

/* A program in place of the module of a service: that has been said. */
static bool has_instead(enum config_section section, const struct config_key *key,
                        const struct config_node *map)
{
    return section == SECTION_SERVICE && !strcmp(key->name, "module") &&
           config_node_entry(map, "exec");
}

void reader_section(struct reader *reader, enum config_section section,
                    const struct config_node *map, unsigned kinds, void *into)
{
    check_keys(reader, section, map, kinds);
    for (const struct config_key *key = config_keys(section); key->name; key++) {
        const struct config_entry *entry = config_node_entry(map, key->name);

        if (kinds && !(key->kinds & kinds))
            continue;
        if (entry && !config_node_is_absent(entry->value))
            read_entry(reader, key, entry, into);
        else if (!key->required)
            read_default(reader, key, into);
        else if (!has_instead(section, key, map))
            complain(reader, "%s: missing: expected %s", key->name, key->expected);
    }
}

void reader_each(struct reader *reader, const struct config_key *key,
                 const struct config_node *node,
                 void (*read)(struct reader *, const struct config_key *,
                              const struct config_node *, void *),
                 void *at)
{
    char name[32];
    struct scope scope;

    if (node->kind == NODE_SCALAR) {
        read(reader, key, node, at);
        return;
    }
    if (node->kind == NODE_MAP) {
        complain_of_value(reader, key, node);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        snprintf(name, sizeof name, "item %zu", i + 1);
        reader_enter(reader, &scope, name, node->items[i]->line, node->items[i]->column);
        read(reader, key, node->items[i], at);
        reader_leave(reader);
    }
}
