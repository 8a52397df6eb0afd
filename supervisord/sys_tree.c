#include "sys_tree.h"

#include "config.h"
#include "rights.h"
#include "rundir.h"
#include "store_url.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static const char *const worker_places[] = {"../workers", "../lib/troupe/workers", NULL};
static const char *const program_places[] = {".", NULL};

/* In the length of a lease: a node that comes back to its store later than the others has nobody any more
 * who promises it anything. */
enum { STORE_TRIES = 5 };

static const struct spec_supervisor nothing_yet = {.max_children = 1000};

/* A program of the node's own: beside the running one, uninstalled or installed. */
static int find_program(const struct node *node, const char *const *places, const char *name,
                        char out[PATH_MAX], struct buf *messages)
{
    const char *slash = strrchr(node->program, '/');
    int length = slash ? (int)(slash - node->program) : 0;

    for (size_t i = 0; places[i]; i++) {
        snprintf(out, PATH_MAX, "%.*s/%s/%s", length, node->program, places[i], name);
        if (access(out, X_OK) == 0)
            return 0;
    }
    buf_printf(messages, "sys: %s: no such program beside %s\n", out, node->program);
    return -1;
}

/* ---- one child, as a map on one line -------------------------------------------------------- */

/* In single quotes, where only one character means something: it is doubled. */
static void quote(struct buf *yaml, const char *text)
{
    buf_printf(yaml, "'");
    for (; *text; text++)
        buf_printf(yaml, *text == '\'' ? "''" : "%c", *text);
    buf_printf(yaml, "'");
}

static void add_option(struct buf *yaml, const char *option, const char *value)
{
    if (!value)
        return;
    buf_printf(yaml, ", %s, ", option);
    quote(yaml, value);
}

static void begin_child(struct buf *yaml, const char *name, const char *program)
{
    buf_printf(
        yaml, "{name: %s, mailbox: true, ready: notify, backoff: {initial: 50ms, max: 1s}, exec: [",
        name);
    quote(yaml, program);
}

static void write_log(const struct node *node, const struct spec_log *log, const char *program,
                      struct buf *yaml)
{
    char dir[PATH_MAX + sizeof "/log"];

    snprintf(dir, sizeof dir, "%s/log", node->state_dir);
    begin_child(yaml, "log", program);
    add_option(yaml, "--dir", dir);
    buf_printf(yaml, ", --files, '%u', --size, '%llu', --total, '%llu', --patience-ms, '%lld']}",
               log->files, (unsigned long long)log->size_bytes,
               (unsigned long long)log->total_bytes, (long long)log->patience_ms);
}

static void add_rights(struct buf *yaml, const char *option, unsigned rights)
{
    char value[32] = "";

    for (unsigned i = 0; rights_words[i]; i++)
        if (rights & 1U << i)
            strcat(strcat(value, *value ? " " : ""), rights_words[i]);
    add_option(yaml, option, value);
}

static void add_gateway(struct buf *yaml, const struct spec_node *spec)
{
    if (!spec->gateway_listen)
        return;
    add_option(yaml, "--gateway", spec->gateway_listen);
    add_rights(yaml, "--gateway-grant", spec->gateway_grant);
    for (char **actor = spec->gateway_actors; actor && *actor; actor++)
        add_option(yaml, "--gateway-actor", *actor);
    for (char **publisher = spec->gateway_publishers; publisher && *publisher; publisher++)
        add_option(yaml, "--gateway-publisher", *publisher);
}

static void write_limits(const struct spec_node *spec, struct buf *yaml)
{
    buf_printf(yaml, ", --lease-ms, '%lld'", (long long)spec->lease_ms);
    if (spec->max_memory)
        buf_printf(yaml, ", --max-memory, '%llu'", (unsigned long long)spec->max_memory);
    if (spec->max_load > 0)
        buf_printf(yaml, ", --max-load, '%.6f'", spec->max_load);
}

/* With 75 it says that the host refuses something (its port is taken): it tries again, which weighs on
 * nobody. With 78, that it was told nonsense (a certificate that is none): it stays down, and the rest of
 * the node goes on. */
static void write_node(const struct node *node, const struct spec_node *spec, const char *program,
                       struct buf *yaml)
{
    begin_child(yaml, "node", program);
    add_option(yaml, "--listen", spec->listen);
    add_option(yaml, "--advertise", spec->advertise);
    for (char **peer = spec->peers; peer && *peer; peer++)
        add_option(yaml, "--peer", *peer);
    add_option(yaml, "--cookie", spec->cookie_file);
    add_option(yaml, "--ca", spec->tls_ca);
    add_option(yaml, "--cert", spec->tls_cert);
    add_option(yaml, "--key", spec->tls_key);
    if (spec->connect == CONNECT_ISOLATED)
        buf_printf(yaml, ", --isolated");
    if (spec->trusted_network)
        buf_printf(yaml, ", --trusted-network");
    if (node->is_clustered)
        write_limits(spec, yaml);
    if (spec->given)
        add_rights(yaml, "--grant", spec->grant);
    add_gateway(yaml, spec);
    for (size_t i = 0; i < node->rights.send_count; i++)
        buf_printf(yaml, ", --uid, '%u'", (unsigned)node->rights.send_uids[i]);
    buf_printf(yaml, "], env: {TROUPE_GENERATION: '%016llx'}, exit_codes: {75: restart_after 2s, 78: finish}}",
               (unsigned long long)node->generation);
}

/* With 78 it was told nonsense, and stays down; a store that does not answer is waited for by itself. */
static void write_store(const struct node *node, const struct spec_node *spec, const char *program,
                        struct buf *yaml)
{
    char folder[PATH_MAX + sizeof "/store"];
    struct store_url url = {.backend = "sqlite"};
    const char *why;

    if (spec->store)
        store_url_parse(spec->store, &url, &why); /* it was read: config_node.c */
    snprintf(folder, sizeof folder, "%s/store", node->state_dir);
    begin_child(yaml, "store", program);
    add_option(yaml, "--backend", url.backend);
    add_option(yaml, "--where", *url.where ? url.where : folder);
    add_option(yaml, "--password-file", spec->store_password_file);
    if (spec->store_unsafe)
        buf_printf(yaml, ", --unsafe");
    if (node->is_clustered)
        buf_printf(yaml, ", --again-ms, '%lld'", (long long)spec->lease_ms / STORE_TRIES);
    buf_printf(yaml, "], exit_codes: {78: finish}}");
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Is it so of this spec, or of one below it? */
static bool any(const struct spec *spec, bool (*is_so)(const struct spec *spec))
{
    const struct spec_supervisor *supervisor = spec->supervisor;

    if (is_so(spec))
        return true;
    for (size_t i = 0; supervisor && i < supervisor->child_count; i++)
        if (any(&supervisor->children[i], is_so))
            return true;
    return supervisor && supervisor->template && any(supervisor->template, is_so);
}

static bool any_of_tree(const struct spec_tree *tree, bool (*is_so)(const struct spec *spec))
{
    for (size_t i = 0; i < tree->application_count; i++)
        if (any(&tree->applications[i].root, is_so))
            return true;
    return false;
}

static bool names_groups(const struct spec *spec)
{
    return spec->groups && *spec->groups;
}

static bool keeps_state(const struct spec *spec)
{
    return spec->keeps_state ||
           (spec->supervisor && spec->supervisor->service && spec->supervisor->service->state);
}

bool sys_tree_needs_store(const struct spec *spec)
{
    return any(spec, keeps_state);
}

bool sys_tree_has_store(const struct spec_tree *tree)
{
    return tree->node.store || any_of_tree(tree, keeps_state);
}

/* Where there is a store it tells reminders. Otherwise it is started when somebody first joins a group. */
static bool needs_node(const struct spec_tree *tree)
{
    return tree->node.listen || tree->node.peers || tree->node.gateway_listen || sys_tree_has_store(tree) ||
           any_of_tree(tree, names_groups);
}

static int add_node(const struct node *node, const struct spec_node *spec, struct buf *yaml,
                    struct buf *messages)
{
    char program[PATH_MAX];

    if (find_program(node, program_places, "troupe-node", program, messages) < 0)
        return -1;
    write_node(node, spec, program, yaml);
    return 0;
}

static int add_store(const struct node *node, const struct spec_node *spec, struct buf *yaml,
                     struct buf *messages)
{
    char program[PATH_MAX];

    if (find_program(node, worker_places, "store", program, messages) < 0)
        return -1;
    write_store(node, spec, program, yaml);
    return 0;
}

int sys_tree_node(const struct node *node, const struct spec_node *spec, struct buf *yaml,
                  struct buf *messages)
{
    return add_node(node, spec, yaml, messages) < 0 ? -1 : buf_append(yaml, "", 1);
}

int sys_tree_store(const struct node *node, const struct spec_node *spec, struct buf *yaml,
                   struct buf *messages)
{
    return add_store(node, spec, yaml, messages) < 0 ? -1 : buf_append(yaml, "", 1);
}

static int write_children(const struct node *node, const struct spec_tree *tree, struct buf *yaml,
                          struct buf *messages)
{
    char program[PATH_MAX];

    if (find_program(node, worker_places, "log", program, messages) < 0)
        return -1;
    buf_printf(yaml, "    - ");
    write_log(node, &tree->log, program, yaml);
    if (sys_tree_has_store(tree)) {
        buf_printf(yaml, "\n    - ");
        if (add_store(node, &tree->node, yaml, messages) < 0)
            return -1;
    }
    if (!needs_node(tree))
        return 0;
    buf_printf(yaml, "\n    - ");
    return add_node(node, &tree->node, yaml, messages);
}

int sys_tree(const struct node *node, const struct spec_tree *tree, struct spec *sys,
             struct buf *messages)
{
    const struct config_context context = {.environment = environ};
    struct buf yaml = {0};
    int result;

    buf_printf(&yaml, "name: sys\n"
                      "restart: permanent\n"
                      "supervisor:\n"
                      "  intensity: 30\n"
                      "  period: 60s\n"
                      "  max_children: 16\n"
                      "  children:\n");
    result = write_children(node, tree, &yaml, messages);
    if (result == 0)
        result = config_read_child((const char *)buf_front(&yaml), buf_length(&yaml), "sys", "/",
                                   "", &nothing_yet, &context, sys, messages);
    buf_finish(&yaml);
    return result;
}
