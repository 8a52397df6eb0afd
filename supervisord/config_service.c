/* A map of service keys becomes a supervisor that makes its children of a template when asked. */
#include "config_reader.h"
#include "sharding.h"
#include "texts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* sys/log has one for each actor, and these for itself. */
enum { DESCRIPTORS_BESIDES = 256 };

static const struct backoff_spec default_backoff = {
    .initial_ms = 50, .factor = 2, .max_ms = 1000, .jitter = 0.1, .reset_after_ms = 10000};

/* Enters a key, or the map where it was left out. */
static void enter_key(struct reader *reader, struct scope *scope, const struct config_node *map,
                      const char *name)
{
    const struct config_entry *entry = config_node_entry(map, name);
    const struct config_node *place = entry ? entry->key : map;

    reader_enter(reader, scope, name, place->line, place->column);
}

/* What the descriptors of this machine carry: sys/log holds the pipe of each actor. */
static uint64_t most_instances(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max == RLIM_INFINITY)
        return UINT32_MAX;
    return files.rlim_max > DESCRIPTORS_BESIDES ? files.rlim_max - DESCRIPTORS_BESIDES : 0;
}

static void check_max(struct reader *reader, const struct config_node *map, uint32_t max)
{
    uint64_t most = most_instances();
    struct scope scope;

    if (reader->context->text_only || max <= most)
        return;
    enter_key(reader, &scope, map, "max");
    complain(reader,
             "%u: more than the descriptors of one process carry: expected at most %" PRIu64, max,
             most);
    reader_leave(reader);
}

static void check_instance(struct reader *reader, const struct config_node *map,
                           const struct spec *instance)
{
    struct scope scope;

    if (instance->module) {
        enter_key(reader, &scope, map, "module");
        check_module(reader, instance);
        reader_leave(reader);
    }
    if (instance->has_mailbox)
        return;
    enter_key(reader, &scope, map, "mailbox");
    complain(reader, "false: expected a map of messages and bytes, or nothing");
    reader_leave(reader);
}

/* Takes over the instance. NULL: no memory. */
static struct spec_supervisor *make_supervisor(struct config_service *form)
{
    struct spec_supervisor *supervisor = calloc(1, sizeof *supervisor);
    struct spec_service *service = malloc(sizeof *service);
    struct spec *template = malloc(sizeof *template);

    if (!supervisor || !service || !template) {
        free(supervisor);
        free(service);
        free(template);
        return NULL;
    }
    *service = form->service;
    *template = form->instance;
    form->instance = (struct spec){0};
    *supervisor = (struct spec_supervisor){.intensity = INTENSITY_UNLIMITED,
                                           .period_ms = service->period_ms,
                                           .max_children = service->max,
                                           .template = template,
                                           .service = service};
    return supervisor;
}

/* A shard is the service once more, with a name that no actor can have, and room for its part. */
static int add_shards(const struct spec *child, struct spec_supervisor *front, unsigned count)
{
    struct spec_supervisor inner = *front;
    struct spec shard = *child;
    char name[16];

    inner.max_children = SHARD_ROOM;
    shard.supervisor = &inner;
    shard.restart = RESTART_PERMANENT;
    front->max_children = count;
    front->children = calloc(count, sizeof *front->children);
    for (; front->children && front->child_count < count; front->child_count++) {
        snprintf(name, sizeof name, ".%u", (unsigned)front->child_count);
        if (spec_copy(&shard, name, &front->children[front->child_count]) < 0)
            return -1;
    }
    return front->children ? 0 : -1;
}

/* More actors than one supervisor holds well are spread over several. */
static int spread(struct spec_supervisor *service)
{
    struct spec plain = {.kind = SPEC_SERVICE,
                         .shutdown_ms = SHUTDOWN_INFINITY,
                         .start_timeout_ms = 30000,
                         .umask = -1};
    unsigned count = shards_for(service->service->max);
    int result;

    if (!count)
        return 0;
    plain.link = texts_create();
    plain.groups = texts_create();
    plain.args = texts_create();
    plain.env = texts_create();
    result = plain.link && plain.groups && plain.args && plain.env
                 ? add_shards(&plain, service, count)
                 : -1;
    plain.supervisor = NULL;
    spec_finish(&plain);
    if (result < 0)
        return -1;
    spec_finish(service->template);
    free(service->template);
    service->template = NULL;
    return 0;
}

void read_service(struct reader *reader, const struct config_key *key,
                  const struct config_node *node, void *at)
{
    struct config_service form = {0};
    size_t errors = reader->report->errors;

    if (node->kind != NODE_MAP) {
        complain_of_value(reader, key, node);
        return;
    }
    child_defaults(reader, FOR_MODULE, &form.instance);
    form.instance.at = (struct place){.line = node->line, .column = node->column};
    snprintf(form.instance.at.file, sizeof form.instance.at.file, "%s", reader->label);
    form.instance.restart = RESTART_TEMPORARY;
    form.service.backoff = default_backoff;
    reader_section(reader, SECTION_SERVICE, node, 0, &form);
    check_max(reader, node, form.service.max);
    check_instance(reader, node, &form.instance);
    take_state(reader, node, &form.instance, &form.service.state);
    if (form.service.state)
        check_keeper(reader, node, &form.instance);
    *(struct spec_supervisor **)at = make_supervisor(&form);
    if (!*(struct spec_supervisor **)at ||
        (reader->report->errors == errors && spread(*(struct spec_supervisor **)at) < 0))
        reader_no_memory(reader);
    spec_finish(&form.instance);
}
