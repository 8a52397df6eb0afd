/* What can be judged only when all files are read: names, dependencies and links. */
#include "addr.h"
#include "config_reader.h"
#include "control.h"
#include "depends.h"
#include "rundir.h"
#include "texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* The whole, while it is judged. order: applications as they start; NULL when nobody knows. */
struct whole {
    struct reader *readers; /* one a file, in the order of the applications when complete */
    size_t count;
    const struct spec_tree *tree;
    const char *const *existing;
    size_t *order;
};

static bool is_existing(const struct whole *whole, const char *name)
{
    for (const char *const *at = whole->existing; at && *at; at++)
        if (strcmp(*at, name) == 0)
            return true;
    return false;
}

/* May an application that is not in these files be the node's? */
static bool may_exist(const struct whole *whole, const char *name)
{
    return whole->readers[0].context->partial || is_existing(whole, name);
}

/* The application of that name; application_count when there is none. length: of the name. */
static size_t find_application(const struct spec_tree *tree, const char *name, size_t length)
{
    size_t i = 0;

    for (; i < tree->application_count; i++) {
        const char *other = tree->applications[i].root.name;

        if (strncmp(other, name, length) == 0 && !other[length])
            break;
    }
    return i;
}

/* Where text was said of the child at this place (or of the application: NULL). */
static const struct remark *find_remark(const struct reader *reader, const struct place *owner,
                                        const char *text)
{
    for (size_t i = 0; i < reader->remark_count; i++) {
        const struct remark *remark = &reader->remarks[i];

        if (remark->owner_line == (owner ? owner->line : 0) &&
            remark->owner_column == (owner ? owner->column : 0) && strcmp(remark->text, text) == 0)
            return remark;
    }
    return NULL;
}

static void complain_there(struct reader *reader, const char *path, const char *key,
                           const struct place *owner, const char *text, const char *what)
{
    const struct remark *remark = find_remark(reader, owner, text);
    int line = remark ? remark->line : owner ? owner->line : 1;
    int column = remark ? remark->column : owner ? owner->column : 1;
    struct scope scope, inner;

    reader_enter_path(reader, &scope, path, line, column);
    reader_enter(reader, &inner, key, line, column);
    complain(reader, "\"%s\": %s", text, what);
    reader_leave(reader);
    reader_leave(reader);
}

/* ---- applications -------------------------------------------------------------------------- */

static void check_names(const struct whole *whole)
{
    for (size_t i = 0; i < whole->tree->application_count; i++) {
        const struct spec *root = &whole->tree->applications[i].root;
        size_t first = find_application(whole->tree, root->name, strlen(root->name));
        struct reader *reader = &whole->readers[i];
        struct scope scope;

        reader_enter(reader, &scope, "application", root->at.line, root->at.column);
        if (first < i)
            complain(reader, "\"%s\": taken by %s:%d:%d: expected another name", root->name,
                     whole->tree->applications[first].root.at.file,
                     whole->tree->applications[first].root.at.line,
                     whole->tree->applications[first].root.at.column);
        else if (is_existing(whole, root->name))
            complain(reader, "\"%s\": the node has it already: expected another name", root->name);
        reader_leave(reader);
    }
}

static void check_needs(const struct whole *whole, size_t which)
{
    const struct spec_application *application = &whole->tree->applications[which];

    for (char **need = application->depends_on; *need; need++)
        if (find_application(whole->tree, *need, strlen(*need)) == whole->tree->application_count &&
            !may_exist(whole, *need))
            complain_there(&whole->readers[which], application->root.name, "depends_on", NULL,
                           *need, "unknown: expected an application of these files or of the node");
}

static void complain_of_cycle(const struct whole *whole, const size_t *order, size_t cycle)
{
    const struct spec_application *applications = whole->tree->applications;
    size_t first = order[0], second = order[cycle > 1 ? 1 : 0];
    struct buf circle = {0};

    for (size_t i = 0; i < cycle; i++)
        buf_printf(&circle, "%s → ", applications[order[i]].root.name);
    buf_printf(&circle, "%s: a cycle: expected none", applications[first].root.name);
    buf_append(&circle, "", 1);
    if (circle.data)
        complain_there(&whole->readers[first], applications[first].root.name, "depends_on", NULL,
                       applications[second].root.name, (char *)buf_front(&circle));
    buf_finish(&circle);
}

/* Fills whole->order, unless a need is unknown (said elsewhere) or there is a cycle. */
static void check_order(struct whole *whole)
{
    size_t n = whole->tree->application_count, item, cycle;
    struct depends_item *items = calloc(n ? n : 1, sizeof *items);
    size_t *order = calloc(n ? n : 1, sizeof *order);
    const char *need;

    for (size_t i = 0; items && i < n; i++)
        items[i] = (struct depends_item){.name = whole->tree->applications[i].root.name,
                                         .needs = whole->tree->applications[i].depends_on};
    if (!items || !order)
        reader_no_memory(&whole->readers[0]);
    else if (depends_order(items, n, whole->existing, order, &item, &need, &cycle) == 0)
        whole->order = order;
    else if (!need)
        complain_of_cycle(whole, order, cycle);
    if (!whole->order)
        free(order);
    free(items);
}

/* ---- links --------------------------------------------------------------------------------- */

const char *check_link_form(const char *path, const char *link)
{
    if (strcmp(path, link) == 0)
        return "the child itself: expected another";
    if (addr_is_within(path, link))
        return "a supervisor above it: expected an actor that is not";
    if (addr_is_within(link, path))
        return "below itself: expected an actor that is not";
    return NULL;
}

/* The child that the first part of rest names; *rest moves behind it. n when there is none. */
static size_t step_down(const struct spec *supervisor, const char **rest)
{
    size_t length = strcspn(*rest, "/"), i = 0;

    for (; i < supervisor->supervisor->child_count; i++) {
        const char *name = supervisor->supervisor->children[i].name;

        if (strncmp(name, *rest, length) == 0 && !name[length])
            break;
    }
    *rest += length + ((*rest)[length] == '/');
    return i;
}

/* Is there a child at this path below supervisor ("" is supervisor itself), or may there be? */
static bool exists(const struct spec *supervisor, const char *rest)
{
    while (*rest) {
        size_t i;

        if (!supervisor->supervisor)
            return false;
        if (supervisor->supervisor->service)
            return !strchr(rest, '/'); /* whatever its id is; below it there is nothing */
        i = step_down(supervisor, &rest);
        if (i == supervisor->supervisor->child_count)
            return false;
        supervisor = &supervisor->supervisor->children[i];
    }
    return true;
}

static bool are_fellows(const struct spec *children, size_t a, size_t b)
{
    return children[a].replica && children[b].replica &&
           children[a].replicas == children[b].replicas &&
           (long)a - (long)b == (long)children[a].replica - (long)children[b].replica;
}

/* Both paths lie below supervisor: does the target start first? NULL, or what is wrong. */
static const char *check_sibling(const struct spec *supervisor, const char *path, const char *link)
{
    const struct spec *children = supervisor->supervisor->children;
    size_t mine = step_down(supervisor, &path), other = step_down(supervisor, &link);

    if (mine == supervisor->supervisor->child_count || other == supervisor->supervisor->child_count)
        return NULL; /* unknown: said elsewhere */
    if (mine == other)
        return children[mine].supervisor ? check_sibling(&children[mine], path, link) : NULL;
    if (are_fellows(children, mine, other))
        return "a replica of the same entry: expected one that starts before it";
    return other > mine ? "starts after it: expected one that starts before it" : NULL;
}

static bool starts_before(const struct whole *whole, size_t other, size_t mine)
{
    for (size_t i = 0; whole->order && i < whole->tree->application_count; i++)
        if (whole->order[i] == other || whole->order[i] == mine)
            return whole->order[i] == other;
    return true;
}

static const char *check_link(const struct whole *whole, size_t which, const char *path,
                              const char *link)
{
    const struct spec_tree *tree = whole->tree;
    size_t length = strcspn(link, "/");
    size_t target = find_application(tree, link, length);
    const char *rest = link + length + (link[length] == '/');
    const char *wrong = check_link_form(path, link);
    char name[ADDR_PART_MAX + 1];

    if (wrong)
        return wrong;
    snprintf(name, sizeof name, "%.*s", (int)length, link);
    if (target == tree->application_count)
        return may_exist(whole, name) || strcmp(name, "sys") == 0
                   ? NULL
                   : "unknown: expected the path of a child in these files or of the node";
    if (!exists(&tree->applications[target].root, rest))
        return "unknown: expected the path of a declared child";
    if (target == which)
        return check_sibling(&tree->applications[which].root, strchr(path, '/') + 1, rest);
    if (!starts_before(whole, target, which))
        return "starts after it: expected its application in depends_on";
    return NULL;
}

/* Replicas say the same, and of the same place: one of them stands for all. */
static void check_links(const struct whole *whole, size_t which, const struct spec *spec,
                        const char *path)
{
    char below[ADDR_PATH_MAX + 1];

    for (char **link = spec->link; link && *link; link++) {
        const char *wrong = check_link(whole, which, path, *link);

        if (wrong)
            complain_there(&whole->readers[which], path, "link", &spec->at, *link, wrong);
    }
    for (size_t i = 0; spec->supervisor && i < spec->supervisor->child_count; i++) {
        const struct spec *child = &spec->supervisor->children[i];

        if (child->replica <= 1 && addr_join(path, child->name, below, sizeof below) == 0)
            check_links(whole, which, child, below);
    }
}

/* ---- sockets ------------------------------------------------------------------------------- */

/* The longest path below spec that gets a mailbox, into longest; at: whose it is. */
static void find_longest(const struct spec *spec, const char *path, char *longest, struct place *at)
{
    char below[ADDR_PATH_MAX + 1];

    if (spec->has_mailbox && strlen(path) > strlen(longest)) {
        strcpy(longest, path);
        *at = spec->at;
    }
    for (size_t i = 0; spec->supervisor && i < spec->supervisor->child_count; i++) {
        const struct spec *child = &spec->supervisor->children[i];

        if (addr_join(path, child->name, below, sizeof below) == 0)
            find_longest(child, below, longest, at);
    }
}

/* We bind and dial sockets from their folder; whoever dials by the whole path has less room. */
static void check_sockets(const struct whole *whole, size_t which)
{
    enum { SUN_PATH_MAX = sizeof((struct sockaddr_un *)NULL)->sun_path - 1 };
    const struct spec *root = &whole->tree->applications[which].root;
    char longest[ADDR_PATH_MAX + 1] = "";
    struct rundir dir;
    struct place at;
    struct scope scope;
    size_t length;

    find_longest(root, root->name, longest, &at);
    if (!*longest || rundir_resolve(NULL, whole->tree->node.name, &dir, NULL) < 0)
        return;
    length = strlen(dir.path) + 1 + strlen(longest);
    if (length <= SUN_PATH_MAX)
        return;
    reader_enter_path(&whole->readers[which], &scope, longest, at.line, at.column);
    warn_of(&whole->readers[which],
            "its socket's path in %s has %zu characters: expected at most %d, or plain nng "
            "clients cannot dial it",
            dir.path, length, SUN_PATH_MAX);
    reader_leave(&whole->readers[which]);
}

/* ---- services of several nodes ----------------------------------------------------------------
 */

/* So many, and so much of the node's row (node_load.h), do all of them take. */
struct offered {
    size_t count, bytes;
};

static void complain_of_service(struct reader *reader, const char *path, const struct place *at)
{
    struct scope scope, inner;

    reader_enter_path(reader, &scope, path, at->line, at->column);
    reader_enter(reader, &inner, "service", at->line, at->column);
    complain(reader,
             "one too many for a node that shares its services: expected at most %d, and %d bytes "
             "of paths",
             CONTROL_SERVICES_MAX, CONTROL_PATHS_MAX);
    reader_leave(reader);
    reader_leave(reader);
}

/* Each is said to be one too many, from the first on that is. */
static void count_services(struct reader *reader, const struct spec *spec, const char *path,
                           struct offered *offered)
{
    char below[ADDR_PATH_MAX + 1];

    if (spec->kind == SPEC_SERVICE) {
        offered->count++;
        offered->bytes += strlen(path);
        if (offered->count > CONTROL_SERVICES_MAX || offered->bytes > CONTROL_PATHS_MAX)
            complain_of_service(reader, path, &spec->at);
        return; /* its shards are no others */
    }
    for (size_t i = 0; spec->supervisor && i < spec->supervisor->child_count; i++) {
        const struct spec *child = &spec->supervisor->children[i];

        if (addr_join(path, child->name, below, sizeof below) == 0)
            count_services(reader, child, below, offered);
    }
}

static void check_services(const struct whole *whole)
{
    struct offered offered = {0};

    if (!spec_node_is_clustered(&whole->tree->node))
        return;
    for (size_t i = 0; i < whole->count; i++)
        count_services(&whole->readers[i], &whole->tree->applications[i].root,
                       whole->tree->applications[i].root.name, &offered);
}

/* When a file could not be read to the end, what is unknown may well be in it. */
void check_tree(struct reader *readers, size_t count, const struct spec_tree *tree,
                const char *const *existing)
{
    struct whole whole = {.readers = readers, .count = count, .tree = tree, .existing = existing};

    if (tree->application_count != count)
        return;
    check_names(&whole);
    for (size_t i = 0; i < count; i++)
        check_needs(&whole, i);
    check_order(&whole);
    check_services(&whole);
    for (size_t i = 0; i < count; i++) {
        check_links(&whole, i, &tree->applications[i].root, tree->applications[i].root.name);
        if (!readers[i].context->text_only)
            check_sockets(&whole, i);
    }
    free(whole.order);
}
