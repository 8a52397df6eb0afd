#include "spec.h"

#include "texts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the end of one ---------------------------------------------------------------------- */

static void supervisor_destroy(struct spec_supervisor *supervisor)
{
    if (!supervisor)
        return;
    for (size_t i = 0; i < supervisor->child_count; i++)
        spec_finish(&supervisor->children[i]);
    free(supervisor->children);
    if (supervisor->template)
        spec_finish(supervisor->template);
    free(supervisor->template);
    free(supervisor->service);
    free(supervisor);
}

void spec_finish(struct spec *spec)
{
    free(spec->name);
    free(spec->module);
    texts_destroy(spec->exec);
    supervisor_destroy(spec->supervisor);
    free(spec->description);
    free(spec->ready_host);
    free(spec->ready_port);
    texts_destroy(spec->ready_exec);
    free(spec->ready_log);
    texts_destroy(spec->link);
    texts_destroy(spec->groups);
    texts_destroy(spec->args);
    texts_destroy(spec->env);
    free(spec->cwd);
    free(spec->stdin_path);
    free(spec->user);
    free(spec->group);
    free(spec->limits);
    free(spec->exit_codes);
    *spec = (struct spec){0};
}

void spec_application_finish(struct spec_application *application)
{
    free(application->file);
    texts_destroy(application->depends_on);
    spec_finish(&application->root);
    *application = (struct spec_application){0};
}

static void node_finish(struct spec_node *node)
{
    free(node->name);
    free(node->listen);
    free(node->advertise);
    free(node->cookie_file);
    free(node->tls_ca);
    free(node->tls_cert);
    free(node->tls_key);
    free(node->gateway_listen);
    texts_destroy(node->gateway_actors);
    texts_destroy(node->gateway_publishers);
    free(node->http);
    free(node->store);
    free(node->store_password_file);
    texts_destroy(node->peers);
}

void spec_tree_finish(struct spec_tree *tree)
{
    for (size_t i = 0; i < tree->application_count; i++)
        spec_application_finish(&tree->applications[i]);
    free(tree->applications);
    node_finish(&tree->node);
    *tree = (struct spec_tree){0};
}

/* ---- a copy ------------------------------------------------------------------------------ */

/* What copies are made of, and whether there was too little of it. */
struct copier {
    void *(*take)(size_t size);
    bool failed;
};

static void copy_spec(const struct spec *from, struct spec *to, struct copier *copier);

static void *own_bytes(const void *bytes, size_t size, struct copier *copier)
{
    void *copy;

    if (!bytes || copier->failed)
        return NULL;
    copy = copier->take(size ? size : 1);
    if (copy)
        memcpy(copy, bytes, size);
    copier->failed = !copy;
    return copy;
}

/* Each copies what *pointer points to, unless it is NULL or a copy has failed before; what could not
 * be copied becomes NULL, so that the half-made copy can be finished. */
static void own_text(char **pointer, struct copier *copier)
{
    *pointer = own_bytes(*pointer, *pointer ? strlen(*pointer) + 1 : 0, copier);
}

static void own_texts(char ***pointer, struct copier *copier)
{
    char **texts = *pointer, **copies;
    size_t n = texts_count(texts);

    copies = own_bytes(texts, (n + 1) * sizeof *texts, copier);
    for (size_t i = 0; copies && i < n; i++) {
        copies[i] = texts[i];
        own_text(&copies[i], copier);
    }
    *pointer = copies;
}

static void copy_children(const struct spec_supervisor *from, struct spec_supervisor *to,
                          struct copier *copier)
{
    to->child_count = 0;
    to->children = own_bytes(from->child_count ? from->children : NULL,
                             from->child_count * sizeof *from->children, copier);
    for (; to->children && !copier->failed && to->child_count < from->child_count;
         to->child_count++)
        copy_spec(&from->children[to->child_count], &to->children[to->child_count], copier);
}

static void own_supervisor(struct spec_supervisor **pointer, struct copier *copier)
{
    const struct spec_supervisor *from = *pointer;
    struct spec_supervisor *to = own_bytes(from, sizeof *from, copier);

    *pointer = to;
    if (!to)
        return;
    to->template = own_bytes(from->template, sizeof *from->template, copier);
    if (to->template)
        copy_spec(from->template, to->template, copier);
    to->service = own_bytes(from->service, sizeof *from->service, copier);
    copy_children(from, to, copier);
}

static void copy_spec(const struct spec *from, struct spec *to, struct copier *copier)
{
    *to = *from;
    own_text(&to->name, copier);
    own_text(&to->module, copier);
    own_texts(&to->exec, copier);
    own_supervisor(&to->supervisor, copier);
    own_text(&to->description, copier);
    own_text(&to->ready_host, copier);
    own_text(&to->ready_port, copier);
    own_texts(&to->ready_exec, copier);
    own_text(&to->ready_log, copier);
    own_texts(&to->link, copier);
    own_texts(&to->groups, copier);
    own_texts(&to->args, copier);
    own_texts(&to->env, copier);
    own_text(&to->cwd, copier);
    own_text(&to->stdin_path, copier);
    own_text(&to->user, copier);
    own_text(&to->group, copier);
    to->limits = own_bytes(to->limits, to->limit_count * sizeof *to->limits, copier);
    to->exit_codes =
        own_bytes(to->exit_codes, to->exit_code_count * sizeof *to->exit_codes, copier);
}

int spec_copy(const struct spec *from, const char *name, struct spec *to)
{
    struct copier copier = {.take = malloc};
    struct spec named = *from;

    if (name)
        named.name = (char *)name; /* copied like all the others */
    copy_spec(&named, to, &copier);
    if (!copier.failed)
        return 0;
    spec_finish(to);
    errno = ENOMEM;
    return -1;
}

int spec_copy_into(const struct spec *from, struct spec *to, void *(*take)(size_t size))
{
    struct copier copier = {.take = take};

    copy_spec(from, to, &copier);
    if (!copier.failed)
        return 0;
    *to = (struct spec){0};
    errno = ENOMEM;
    return -1;
}

void spec_move_below(struct spec *spec, void *(*take)(size_t size))
{
    struct copier copier = {.take = take};
    struct spec_supervisor *moved = spec->supervisor;

    own_supervisor(&moved, &copier);
    if (copier.failed || !moved)
        return;
    supervisor_destroy(spec->supervisor);
    spec->supervisor = moved;
}

/* ---- ${replica} -------------------------------------------------------------------------- */

char *spec_expand_replica(const char *text, unsigned replica)
{
    static const char marker[] = "${replica}";
    char number[12], *out, *at;
    size_t markers = 0;

    for (const char *hit = text; (hit = strstr(hit, marker)); hit++)
        markers++;
    snprintf(number, sizeof number, "%u", replica);
    out = at = malloc(strlen(text) + markers * strlen(number) + 1);
    while (out && *text) {
        if (strncmp(text, "$${", 3) == 0) {
            at = stpcpy(at, "${");
            text += 3;
        } else if (strncmp(text, marker, strlen(marker)) == 0) {
            at = stpcpy(at, number);
            text += strlen(marker);
        } else {
            *at++ = *text++;
        }
    }
    if (out)
        *at = '\0';
    return out;
}

/* ---- names ------------------------------------------------------------------------------- */

const char *spec_restart_text(enum spec_restart restart)
{
    static const char *const texts[] = {
        [RESTART_PERMANENT] = "permanent",
        [RESTART_TRANSIENT] = "transient",
        [RESTART_TEMPORARY] = "temporary",
    };

    return texts[restart];
}

const char *spec_strategy_text(enum spec_strategy strategy)
{
    static const char *const texts[] = {
        [ONE_FOR_ONE] = "one_for_one",
        [ONE_FOR_ALL] = "one_for_all",
        [REST_FOR_ONE] = "rest_for_one",
    };

    return texts[strategy];
}

const char *spec_kind_text(enum spec_kind kind)
{
    static const char *const texts[] = {
        [SPEC_MODULE] = "module",
        [SPEC_PROGRAM] = "program",
        [SPEC_SUPERVISOR] = "supervisor",
        [SPEC_SERVICE] = "service",
    };

    return texts[kind];
}

bool spec_node_is_clustered(const struct spec_node *node)
{
    return node->store && (node->listen || node->peers);
}

const char *spec_placement_text(enum spec_placement placement)
{
    static const char *const texts[] = {
        [PLACE_LOCAL] = "local",
        [PLACE_RANDOM] = "random",
        [PLACE_HASH] = "hash",
        [PLACE_LEAST] = "least",
    };

    return texts[placement];
}

bool spec_supervises(const struct spec *spec)
{
    return spec->kind == SPEC_SUPERVISOR || spec->kind == SPEC_SERVICE;
}
