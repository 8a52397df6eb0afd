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
    free(supervisor);
}

static void service_destroy(struct spec_service *service)
{
    if (service)
        free(service->module);
    free(service);
}

void spec_finish(struct spec *spec)
{
    free(spec->name);
    free(spec->module);
    texts_destroy(spec->exec);
    supervisor_destroy(spec->supervisor);
    service_destroy(spec->service);
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
    free(node->http);
    free(node->store);
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

/* Each copies what *pointer points to, unless it is NULL or *failed is already true; what could
 * not be copied becomes NULL, so that the half-made copy can be finished. */
static void own_text(char **pointer, bool *failed)
{
    const char *text = *pointer;

    *pointer = text && !*failed ? strdup(text) : NULL;
    *failed = *failed || (text && !*pointer);
}

static void own_texts(char ***pointer, bool *failed)
{
    char **texts = *pointer;

    *pointer = texts && !*failed ? texts_copy(texts) : NULL;
    *failed = *failed || (texts && !*pointer);
}

static void *own_bytes(const void *bytes, size_t size, bool *failed)
{
    void *copy;

    if (!bytes || *failed)
        return NULL;
    copy = malloc(size ? size : 1);
    if (copy)
        memcpy(copy, bytes, size);
    *failed = !copy;
    return copy;
}

static void copy_children(const struct spec_supervisor *from, struct spec_supervisor *to,
                          bool *failed)
{
    to->child_count = 0;
    to->children = NULL;
    if (*failed || from->child_count == 0)
        return;
    to->children = calloc(from->child_count, sizeof *to->children);
    *failed = !to->children;
    for (size_t i = 0; !*failed && i < from->child_count; i++) {
        *failed = spec_copy(&from->children[i], NULL, &to->children[i]) < 0;
        to->child_count = i + 1;
    }
}

static void own_supervisor(struct spec_supervisor **pointer, bool *failed)
{
    const struct spec_supervisor *from = *pointer;
    struct spec_supervisor *to = own_bytes(from, sizeof *from, failed);

    *pointer = to;
    if (!to)
        return;
    to->template = from->template ? calloc(1, sizeof *to->template) : NULL;
    if (from->template)
        *failed = !to->template || spec_copy(from->template, NULL, to->template) < 0;
    copy_children(from, to, failed);
}

static void own_service(struct spec_service **pointer, bool *failed)
{
    *pointer = own_bytes(*pointer, sizeof **pointer, failed);
    if (*pointer)
        own_text(&(*pointer)->module, failed);
}

int spec_copy(const struct spec *from, const char *name, struct spec *to)
{
    bool failed = false;

    *to = *from;
    if (name)
        to->name = (char *)name; /* copied like all the others, next */
    own_text(&to->name, &failed);
    own_text(&to->module, &failed);
    own_texts(&to->exec, &failed);
    own_supervisor(&to->supervisor, &failed);
    own_service(&to->service, &failed);
    own_text(&to->description, &failed);
    own_text(&to->ready_host, &failed);
    own_text(&to->ready_port, &failed);
    own_texts(&to->ready_exec, &failed);
    own_text(&to->ready_log, &failed);
    own_texts(&to->link, &failed);
    own_texts(&to->groups, &failed);
    own_texts(&to->args, &failed);
    own_texts(&to->env, &failed);
    own_text(&to->cwd, &failed);
    own_text(&to->stdin_path, &failed);
    own_text(&to->user, &failed);
    own_text(&to->group, &failed);
    to->limits = own_bytes(to->limits, to->limit_count * sizeof *to->limits, &failed);
    to->exit_codes =
        own_bytes(to->exit_codes, to->exit_code_count * sizeof *to->exit_codes, &failed);
    if (!failed)
        return 0;
    spec_finish(to);
    errno = ENOMEM;
    return -1;
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
