#include "links.h"

#include "addr.h"
#include "control.h"
#include "summons.h"
#include "supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_FIRST_MS = 50, RETRY_MAX_MS = 1000 };

/* What we know of one actor under another supervisor. */
struct target {
    struct target *next;
    char path[ADDR_PATH_MAX + 1];
    bool ready;
};

struct link_source {
    struct link_source *next;
    struct links *links;
    char path[ADDR_PATH_MAX + 1]; /* the other supervisor's */
    struct question events;       /* our subscription; not asked: to be tried again */
    struct target *targets;
};

/* An actor of a service that is not here: where it is, as far as sys/node knows. */
struct link_place {
    struct link_place *next;
    struct links *links;
    struct summons *search;       /* NULL: nobody is asked now */
    char node[ADDR_PART_MAX + 1]; /* "": it is not known to be anywhere */
    char path[ADDR_PATH_MAX + 1];
};

static bool is_ours(const struct links *links, const char *path)
{
    char parent[ADDR_PATH_MAX + 1];

    return addr_supervisor(path, parent, sizeof parent) == 0 &&
           !strcmp(parent, links->supervisor->path) && shards_have(links->supervisor, path);
}

static bool is_linked_to(const struct child *child, const char *path)
{
    for (char **link = child->spec->link; *link; link++)
        if (!strcmp(*link, path))
            return true;
    return false;
}

static void wake_waiting(struct links *links)
{
    struct supervisor *supervisor = links->supervisor;

    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];

        if (child->state == CHILD_WAITING && links_are_up(links, child))
            child_handle(child, CHILD_EV_LINKED);
    }
}

static void end_linked(struct links *links, const char *path, const char *reason)
{
    struct supervisor *supervisor = links->supervisor;
    char cascade[REASON_MAX];

    reason_cascade(path, reason, cascade);
    for (size_t i = 0; i < supervisor->count; i++)
        if (is_linked_to(supervisor->children[i], path))
            child_fault(supervisor->children[i], cascade);
}

/* ---- other supervisors
 * --------------------------------------------------------------------------- */

static void retry_later(struct links *links)
{
    struct ev_loop *loop = links->supervisor->loop;

    if (ev_is_active(&links->retry))
        return;
    ev_now_update(loop);
    ev_timer_set(&links->retry, (double)links->retry_ms / 1000., 0.);
    ev_timer_start(loop, &links->retry);
    links->retry_ms = links->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : links->retry_ms * 2;
}

static struct link_place *find_place(const struct links *links, const char *path)
{
    for (struct link_place *place = links->places; place; place = place->next)
        if (!strcmp(place->path, path))
            return place;
    return NULL;
}

/* It may come back anywhere. */
static void lose_place(struct links *links, const char *path)
{
    struct link_place *place = find_place(links, path);

    if (!place)
        return;
    place->node[0] = '\0';
    retry_later(links);
}

static struct target *find_target(struct link_source *source, const char *path)
{
    for (struct target *t = source->targets; t; t = t->next)
        if (!strcmp(t->path, path))
            return t;
    return NULL;
}

static void set_ready(struct link_source *source, const char *path, bool ready)
{
    struct target *target = find_target(source, path);

    if (target)
        target->ready = ready;
}

static void take_snapshot(struct link_source *source, const struct envelope *env)
{
    struct rows rows;

    if (wire_unpack_rows(env->payload, env->payload_size, &rows) < 0)
        return;
    for (size_t i = 0; i < rows.count; i++)
        set_ready(source, rows.at[i].path, rows.at[i].state == ROW_READY);
    rows_finish(&rows);
    source->links->retry_ms = RETRY_FIRST_MS;
    wake_waiting(source->links);
}

static bool is_abnormal(const char *reason, bool ordered)
{
    return !ordered && strcmp(reason, "normal") != 0;
}

static void take_event(struct link_source *source, const struct envelope *env)
{
    struct facts facts;
    const char *path, *state, *reason, *ordered;

    if (wire_unpack_facts(env->payload, env->payload_size, &facts) < 0)
        return;
    path = facts_get(&facts, "path");
    state = facts_get(&facts, "state");
    reason = facts_get(&facts, "reason");
    ordered = facts_get(&facts, "ordered");
    if (path && state && find_target(source, path)) {
        set_ready(source, path, !strcmp(state, row_state_text(ROW_READY)));
        if (envelope_text_equals(env->type, EVENT_CHILD_EXIT))
            lose_place(source->links, path);
        if (envelope_text_equals(env->type, EVENT_CHILD_EXIT) && reason &&
            is_abnormal(reason, ordered && !strcmp(ordered, "true")))
            end_linked(source->links, path, reason);
        wake_waiting(source->links);
    }
    facts_finish(&facts);
}

/* That supervisor is gone, and with it, by its own promise, everything below it. */
static void lose(struct link_source *source)
{
    for (struct target *t = source->targets; t; t = t->next) {
        if (t->ready)
            end_linked(source->links, t->path, "noconnection");
        t->ready = false;
        lose_place(source->links, t->path);
    }
    retry_later(source->links);
}

static void on_answer(struct question *question, const struct envelope *env, const char *why)
{
    struct link_source *source = container_of(question, struct link_source, events);

    (void)why;
    if (!env)
        lose(source);
    else if (env->kind == ENVELOPE_CONTROL_REPLY)
        take_snapshot(source, env);
    else if (env->kind == ENVELOPE_EVENT)
        take_event(source, env);
}

/* To subscribe anew replaces the subscription and brings a snapshot that knows each target. */
static void subscribe(struct link_source *source)
{
    struct fellows *fellows = &source->links->supervisor->fellows;

    question_forget(&source->events);
    source->events.on_answer = on_answer;
    if (fellows_ask(fellows, source->path, CONTROL_EVENTS, NULL, &source->events) < 0)
        retry_later(source->links);
}

static struct link_source *source_of(struct links *links, const char *supervisor_path)
{
    struct link_source *source;

    for (source = links->sources; source; source = source->next)
        if (!strcmp(source->path, supervisor_path))
            return source;
    source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->links = links;
    snprintf(source->path, sizeof source->path, "%s", supervisor_path);
    source->next = links->sources;
    links->sources = source;
    return source;
}

/* What is known of the actor at `path`, whose supervisor is reached as that of `where`. NULL: no
 * memory. */
static struct target *follow(struct links *links, const char *path, const char *where)
{
    char parent[ADDR_PATH_MAX + 1];
    struct link_source *source;
    struct target *target;

    if (addr_supervisor(where, parent, sizeof parent) < 0 || !(source = source_of(links, parent)))
        return NULL;
    target = find_target(source, path);
    if (target)
        return target;
    target = calloc(1, sizeof *target);
    if (!target)
        return NULL;
    snprintf(target->path, sizeof target->path, "%s", path);
    target->next = source->targets;
    source->targets = target;
    subscribe(source);
    return target;
}

/* ---- actors of services, on whatever node
 * -------------------------------------------------------- */

/* False: nobody is there, or may be reached there. */
static bool write_where(const struct link_place *place, char out[ADDR_PATH_MAX + 1])
{
    return *place->node &&
           snprintf(out, ADDR_PATH_MAX + 1, "%s@%s", place->path, place->node) <= ADDR_PATH_MAX;
}

static void on_found(void *data, const char *node, const char *failure)
{
    struct link_place *place = data;
    struct links *links = place->links;
    char where[ADDR_PATH_MAX + 1];

    place->search = NULL; /* it ends with this */
    if (!failure && strcmp(node, links->supervisor->node->name) != 0)
        snprintf(place->node, sizeof place->node, "%s", node);
    if (!write_where(place, where) || !follow(links, place->path, where))
        retry_later(links);
}

static void search(struct link_place *place)
{
    struct supervisor *supervisor = place->links->supervisor;

    if (!*place->node && !place->search)
        place->search = summons_find(&supervisor->hotlines, place->path, on_found, place);
    if (!*place->node && !place->search)
        retry_later(place->links);
}

static struct link_place *add_place(struct links *links, const char *path)
{
    struct link_place *place = calloc(1, sizeof *place);

    if (!place)
        return NULL;
    place->links = links;
    snprintf(place->path, sizeof place->path, "%s", path);
    place->next = links->places;
    links->places = place;
    return place;
}

/* NULL: it is here, or would be. */
static struct link_place *place_of(struct links *links, const char *path)
{
    struct link_place *place;

    if (!summons_can_find(links->supervisor->node->run_dir, path))
        return NULL;
    place = find_place(links, path);
    return place ? place : add_place(links, path);
}

static bool is_up_elsewhere(struct links *links, const char *path)
{
    struct link_place *place = place_of(links, path);
    char where[ADDR_PATH_MAX + 1];
    const struct target *target;

    if (place)
        search(place);
    if (place && !write_where(place, where))
        return false;
    target = follow(links, path, place ? where : path);
    return target && target->ready;
}

static bool is_needed(const struct links *links, const struct link_source *source)
{
    const char *node = addr_node_part(source->path);

    for (const struct link_place *place = links->places; *node && place; place = place->next)
        if (!strcmp(place->node, node + 1))
            return true;
    return !*node;
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct links *links = container_of(timer, struct links, retry);

    (void)loop;
    (void)revents;
    for (struct link_source *s = links->sources; s; s = s->next)
        if (!s->events.fellow && is_needed(links, s))
            subscribe(s);
    for (struct link_place *place = links->places; place; place = place->next)
        search(place);
    wake_waiting(links);
}

/* ---- the interface
 * ------------------------------------------------------------------------------- */

void links_init(struct links *links, struct supervisor *supervisor)
{
    *links = (struct links){.supervisor = supervisor, .retry_ms = RETRY_FIRST_MS};
    ev_timer_init(&links->retry, on_retry, 0., 0.);
}

void links_finish(struct links *links)
{
    ev_timer_stop(links->supervisor->loop, &links->retry);
    while (links->places) {
        struct link_place *place = links->places;

        links->places = place->next;
        summons_cancel(place->search);
        free(place);
    }
    while (links->sources) {
        struct link_source *source = links->sources;

        links->sources = source->next;
        question_forget(&source->events);
        while (source->targets) {
            struct target *target = source->targets;

            source->targets = target->next;
            free(target);
        }
        free(source);
    }
}

bool links_are_up(struct links *links, struct child *child)
{
    bool up = true;

    for (char **link = child->spec->link; *link; link++) {
        if (is_ours(links, *link)) {
            const struct child *target = supervisor_find(links->supervisor, addr_name(*link));

            up &= target && target->state == CHILD_READY;
        } else {
            up &= is_up_elsewhere(links, *link);
        }
    }
    return up;
}

void links_on_ready(struct links *links, const struct child *child)
{
    (void)child;
    wake_waiting(links);
}

void links_on_end(struct links *links, const struct child *child, const char *reason, bool ordered)
{
    if (is_abnormal(reason, ordered))
        end_linked(links, child->path, reason);
}
