#include "config_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* ---- memory: everything of a tree is freed at once ---------------------------------------- */

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(max_align_t) char bytes[];
};

enum { BLOCK_SIZE = 16384, ALIGNMENT = _Alignof(max_align_t) };

struct anchor {
    struct anchor *next;
    const char *name;
    struct config_node *node; /* NULL while it is being read: an alias to it would be endless */
};

struct config_yaml {
    struct block *blocks;
    struct anchor *anchors;
    struct config_node *root;
    size_t nodes;
};

static void *take(struct config_yaml *yaml, size_t size)
{
    struct block *block = yaml->blocks;
    void *bytes;

    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

        block = malloc(sizeof *block + room);
        if (!block)
            return NULL;
        *block = (struct block){.next = yaml->blocks, .size = room};
        yaml->blocks = block;
    }
    bytes = block->bytes + block->used;
    block->used += size;
    return memset(bytes, 0, size);
}

char *config_yaml_keep(struct config_yaml *yaml, const char *bytes, size_t length)
{
    char *copy = take(yaml, length + 1);

    if (copy)
        memcpy(copy, bytes, length);
    return copy;
}

void config_yaml_destroy(struct config_yaml *yaml)
{
    struct block *block, *next;

    if (!yaml)
        return;
    for (block = yaml->blocks; block; block = next) {
        next = block->next;
        free(block);
    }
    free(yaml);
}

const struct config_node *config_yaml_root(const struct config_yaml *yaml)
{
    return yaml->root;
}

bool config_node_is_absent(const struct config_node *node)
{
    return node->kind == NODE_SCALAR && !node->quoted && !*node->text;
}

const struct config_entry *config_node_entry(const struct config_node *map, const char *key)
{
    for (size_t i = 0; map->kind == NODE_MAP && i < map->count; i++)
        if (strcmp(map->entries[i].key->text, key) == 0)
            return &map->entries[i];
    return NULL;
}

/* ---- from events to nodes ------------------------------------------------------------------ */

struct builder {
    yaml_parser_t parser;
    struct config_yaml *yaml;
    struct config_yaml_fault *fault;
    unsigned depth;
};

static struct config_node *read_node(struct builder *builder, const yaml_event_t *event);

/* Always returns NULL. The first fault counts. */
__attribute__((format(printf, 3, 4))) static void *
fail_at(struct builder *builder, const yaml_mark_t *mark, const char *format, ...)
{
    struct config_yaml_fault *fault = builder->fault;
    va_list args;

    if (fault->line)
        return NULL;
    fault->line = (int)mark->line + 1;
    fault->column = (int)mark->column + 1;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return NULL;
}

static struct config_node *new_node(struct builder *builder, enum config_node_kind kind,
                                    const yaml_mark_t *mark)
{
    struct config_node *node;

    if (++builder->yaml->nodes > CONFIG_YAML_NODES_MAX)
        return fail_at(builder, mark, "more than %d nodes with all aliases expanded",
                       CONFIG_YAML_NODES_MAX);
    node = take(builder->yaml, sizeof *node);
    if (!node)
        return NULL;
    node->kind = kind;
    node->line = (int)mark->line + 1;
    node->column = (int)mark->column + 1;
    return node;
}

/* A growing array inside the tree's memory: doubling leaves at most as much behind again. */
static int append(struct builder *builder, void **array, size_t count, const void *element,
                  size_t size)
{
    if ((count & (count - 1)) == 0) {
        void *grown = take(builder->yaml, (count ? count * 2 : 1) * size);

        if (!grown)
            return -1;
        if (count)
            memcpy(grown, *array, count * size);
        *array = grown;
    }
    memcpy((char *)*array + count * size, element, size);
    return 0;
}

static int add_item(struct builder *builder, struct config_node *list, struct config_node *item)
{
    void *items = list->items;

    if (append(builder, &items, list->count, &item, sizeof(struct config_node *)) < 0)
        return -1;
    list->items = items;
    list->count++;
    return 0;
}

static int add_entry(struct builder *builder, struct config_node *map, struct config_node *key,
                     struct config_node *value)
{
    struct config_entry entry = {.key = key, .value = value};
    void *entries = map->entries;

    if (append(builder, &entries, map->count, &entry, sizeof entry) < 0)
        return -1;
    map->entries = entries;
    map->count++;
    return 0;
}

/* libyaml tells of bad bytes by their offset alone. */
static yaml_mark_t mark_of_problem(const yaml_parser_t *parser)
{
    const unsigned char *text = parser->input.string.start;
    yaml_mark_t mark = {0};

    if (parser->error != YAML_READER_ERROR)
        return parser->problem_mark;
    for (size_t i = 0; i < parser->problem_offset && text + i < parser->input.string.end; i++) {
        mark.column = text[i] == '\n' ? 0 : mark.column + 1;
        mark.line += text[i] == '\n';
    }
    return mark;
}

static void fail_as_parser(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    const char *problem = parser->problem ? parser->problem : "not understood";
    yaml_mark_t mark = mark_of_problem(parser);

    if (parser->error == YAML_MEMORY_ERROR)
        return;
    if (parser->error == YAML_READER_ERROR)
        fail_at(builder, &mark, "not a text: %s: expected YAML in UTF-8", problem);
    else if (parser->context)
        fail_at(builder, &mark, "not valid YAML: %s, %s that began at %d:%d%s", problem,
                parser->context, (int)parser->context_mark.line + 1,
                (int)parser->context_mark.column + 1,
                strstr(problem, "cannot start any token") ? " (tabs do not indent: expected spaces)"
                                                          : "");
    else
        fail_at(builder, &mark, "not valid YAML: %s", problem);
}

static int next_event(struct builder *builder, yaml_event_t *event)
{
    if (yaml_parser_parse(&builder->parser, event))
        return 0;
    fail_as_parser(builder);
    return -1;
}

/* ---- anchors and aliases ------------------------------------------------------------------- */

static struct anchor *new_anchor(struct builder *builder, const yaml_char_t *name)
{
    const char *text = (const char *)name;
    struct anchor *anchor = take(builder->yaml, sizeof *anchor);

    if (!anchor)
        return NULL;
    anchor->name = config_yaml_keep(builder->yaml, text, strlen(text));
    if (!anchor->name)
        return NULL;
    anchor->next = builder->yaml->anchors;
    builder->yaml->anchors = anchor;
    return anchor;
}

/* A deep copy that shares the texts. The bound on nodes makes it end. */
static struct config_node *copy_node(struct builder *builder, const struct config_node *from)
{
    yaml_mark_t mark = {.line = (size_t)from->line - 1, .column = (size_t)from->column - 1};
    struct config_node *to = new_node(builder, from->kind, &mark);

    if (!to)
        return NULL;
    to->text = from->text;
    to->quoted = from->quoted;
    for (size_t i = 0; i < from->count; i++) {
        bool is_map = from->kind == NODE_MAP;
        struct config_node *part =
            copy_node(builder, is_map ? from->entries[i].value : from->items[i]);

        if (!part || (is_map ? add_entry(builder, to, from->entries[i].key, part)
                             : add_item(builder, to, part)) < 0)
            return NULL;
    }
    return to;
}

static struct config_node *read_alias(struct builder *builder, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;

    for (struct anchor *anchor = builder->yaml->anchors; anchor; anchor = anchor->next) {
        if (strcmp(anchor->name, name) != 0)
            continue;
        if (!anchor->node)
            return fail_at(builder, &event->start_mark, "*%.64s stands inside of &%.64s itself",
                           name, name);
        return copy_node(builder, anchor->node);
    }
    return fail_at(builder, &event->start_mark,
                   "*%.64s: expected an anchor &%.64s further up in the file", name, name);
}

/* ---- maps ---------------------------------------------------------------------------------- */

static bool is_merge_key(const struct config_node *key)
{
    return !key->quoted && strcmp(key->text, "<<") == 0;
}

/* By key, then by place in the map. */
static int compare_entries(const void *left, const void *right)
{
    const struct config_entry *a = *(const struct config_entry *const *)left;
    const struct config_entry *b = *(const struct config_entry *const *)right;
    int order = strcmp(a->key->text, b->key->text);

    return order ? order : (a > b) - (a < b);
}

static int sort_entries(const struct config_node *map, struct config_entry ***sorted)
{
    *sorted = malloc((map->count ? map->count : 1) * sizeof(struct config_entry *));
    if (!*sorted)
        return -1;
    for (size_t i = 0; i < map->count; i++)
        (*sorted)[i] = &map->entries[i];
    qsort(*sorted, map->count, sizeof(struct config_entry *), compare_entries);
    return 0;
}

static int mark_duplicates(struct config_node *map)
{
    struct config_entry **sorted;

    if (sort_entries(map, &sorted) < 0)
        return -1;
    for (size_t i = 1; i < map->count; i++) {
        const struct config_entry *before = sorted[i - 1];

        if (strcmp(before->key->text, sorted[i]->key->text) == 0)
            sorted[i]->first = before->first ? before->first : before;
    }
    free(sorted);
    return 0;
}

/* Takes over what map does not say itself. */
static int merge_map(struct builder *builder, struct config_node *map,
                     const struct config_node *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (!from->entries[i].first && !config_node_entry(map, from->entries[i].key->text) &&
            add_entry(builder, map, from->entries[i].key, from->entries[i].value) < 0)
            return -1;
    return 0;
}

static int merge(struct builder *builder, struct config_node *map, const struct config_node *value)
{
    yaml_mark_t mark = {.line = (size_t)value->line - 1, .column = (size_t)value->column - 1};

    if (value->kind == NODE_MAP)
        return merge_map(builder, map, value);
    for (size_t i = 0; value->kind == NODE_LIST && i < value->count; i++) {
        if (value->items[i]->kind != NODE_MAP)
            goto wrong;
        if (merge_map(builder, map, value->items[i]) < 0)
            return -1;
    }
    if (value->kind == NODE_LIST)
        return 0;
wrong:
    fail_at(builder, &mark, "<<: expected a map or a list of maps");
    return -1;
}

/* The last merge key's values are the weakest. */
static int finish_map(struct builder *builder, struct config_node *map,
                      const struct config_node *merges)
{
    for (size_t i = 0; i < merges->count; i++)
        if (merge(builder, map, merges->items[i]) < 0)
            return -1;
    return mark_duplicates(map);
}

static struct config_node *read_key(struct builder *builder, const yaml_event_t *event)
{
    struct config_node *key = read_node(builder, event);

    if (key && key->kind != NODE_SCALAR)
        return fail_at(builder, &event->start_mark, "a key is a list or a map: expected a text");
    return key;
}

static struct config_node *read_value(struct builder *builder)
{
    struct config_node *node;
    yaml_event_t event;

    if (next_event(builder, &event) < 0)
        return NULL;
    node = read_node(builder, &event);
    yaml_event_delete(&event);
    return node;
}

/* One entry. Returns 1, 0 at the end of the map, or -1. */
static int read_entry(struct builder *builder, struct config_node *map, struct config_node *merges)
{
    struct config_node *key, *value;
    yaml_event_t event;
    bool is_end;

    if (next_event(builder, &event) < 0)
        return -1;
    is_end = event.type == YAML_MAPPING_END_EVENT;
    key = is_end ? NULL : read_key(builder, &event);
    yaml_event_delete(&event);
    if (is_end)
        return 0;
    value = key ? read_value(builder) : NULL;
    if (!value)
        return -1;
    if (is_merge_key(key))
        return add_item(builder, merges, value) < 0 ? -1 : 1;
    return add_entry(builder, map, key, value) < 0 ? -1 : 1;
}

static struct config_node *read_map(struct builder *builder, const yaml_event_t *start)
{
    struct config_node *map = new_node(builder, NODE_MAP, &start->start_mark);
    struct config_node merges = {.kind = NODE_LIST};
    int more = map ? 1 : -1;

    while (more > 0)
        more = read_entry(builder, map, &merges);
    if (more < 0 || finish_map(builder, map, &merges) < 0)
        return NULL;
    return map;
}

/* ---- lists, scalars, documents -------------------------------------------------------------- */

static struct config_node *read_list(struct builder *builder, const yaml_event_t *start)
{
    struct config_node *list = new_node(builder, NODE_LIST, &start->start_mark), *item;
    yaml_event_t event;

    while (list) {
        if (next_event(builder, &event) < 0)
            return NULL;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return list;
        }
        item = read_node(builder, &event);
        yaml_event_delete(&event);
        if (!item || add_item(builder, list, item) < 0)
            return NULL;
    }
    return NULL;
}

static struct config_node *read_scalar(struct builder *builder, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    struct config_node *node = new_node(builder, NODE_SCALAR, &event->start_mark);

    if (!node)
        return NULL;
    if (memchr(text, '\0', length))
        return fail_at(builder, &event->start_mark, "a text with a NUL character in it");
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = config_yaml_keep(builder->yaml, text, length);
    return node->text ? node : NULL;
}

static const char *tag_of(const yaml_event_t *event)
{
    const yaml_char_t *tag =
        event->type == YAML_SCALAR_EVENT           ? event->data.scalar.tag
        : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag
        : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.tag
                                                   : NULL;

    return (const char *)tag;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor
           : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
           : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.anchor
                                                      : NULL;
}

static struct config_node *read_kind(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(builder, event);
    case YAML_MAPPING_START_EVENT:
        return read_map(builder, event);
    case YAML_ALIAS_EVENT:
        return read_alias(builder, event);
    default:
        return fail_at(builder, &event->start_mark, "expected a text, a list or a map");
    }
}

static struct config_node *read_node(struct builder *builder, const yaml_event_t *event)
{
    struct anchor *anchor = NULL;
    struct config_node *node;

    if (tag_of(event))
        return fail_at(builder, &event->start_mark,
                       "the tag %.64s: expected a value without one (texts have no types here)",
                       tag_of(event));
    if (builder->depth == CONFIG_YAML_DEPTH_MAX)
        return fail_at(builder, &event->start_mark, "nested deeper than %d levels",
                       CONFIG_YAML_DEPTH_MAX);
    if (anchor_of(event) && !(anchor = new_anchor(builder, anchor_of(event))))
        return NULL;
    builder->depth++;
    node = read_kind(builder, event);
    builder->depth--;
    if (anchor)
        anchor->node = node;
    return node;
}

/* Reads one event and says whether it was of this type. */
static bool expect(struct builder *builder, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t event;
    bool as_expected;

    if (next_event(builder, &event) < 0)
        return false;
    as_expected = event.type == type;
    if (!as_expected)
        fail_at(builder, &event.start_mark, "%s", otherwise);
    yaml_event_delete(&event);
    return as_expected;
}

static bool read_document(struct builder *builder)
{
    if (!expect(builder, YAML_STREAM_START_EVENT, "not YAML") ||
        !expect(builder, YAML_DOCUMENT_START_EVENT, "nothing in it: expected a map of keys"))
        return false;
    builder->yaml->root = read_value(builder);
    return builder->yaml->root && expect(builder, YAML_DOCUMENT_END_EVENT, "not YAML") &&
           expect(builder, YAML_STREAM_END_EVENT, "a second document: expected one alone");
}

struct config_yaml *config_yaml_parse(const char *text, size_t length,
                                      struct config_yaml_fault *fault)
{
    struct builder builder = {.yaml = calloc(1, sizeof *builder.yaml), .fault = fault};
    bool done;

    *fault = (struct config_yaml_fault){0};
    if (!builder.yaml)
        return NULL;
    if (!yaml_parser_initialize(&builder.parser)) {
        config_yaml_destroy(builder.yaml);
        return NULL;
    }
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, length);
    done = read_document(&builder);
    yaml_parser_delete(&builder.parser);
    if (done)
        return builder.yaml;
    config_yaml_destroy(builder.yaml);
    return NULL;
}
