#include "requests.h"

#include "askers.h"
#include "config.h"
#include "control.h"
#include "control_right.h"
#include "status.h"
#include "supervisor.h"
#include "sys_tree.h"
#include "why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum wish { WISH_READY, WISH_DOWN, WISH_GONE };

struct waiter {
    struct waiter *next;
    struct peer *peer;
    uint64_t ref;
    struct child *child;
    enum wish wish;
};

void request_done(const struct request *request, const char *text)
{
    char *at[] = {(char *)text};
    struct words words = {1, at};

    peer_reply_words(request->peer, request->ref, &words, -1);
}

void request_refuse(const struct request *request, const char *head, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    peer_reply_error(request->peer, request->ref, "%s %s", head, text);
}

/* ---- waiting ------------------------------------------------------------------------------------- */

static void wait_for(const struct request *request, struct child *child, enum wish wish)
{
    struct requests *requests = &request->supervisor->requests;
    struct waiter *waiter = calloc(1, sizeof *waiter);

    if (!waiter) {
        request_refuse(request, CONTROL_E_REFUSED, "out of memory: the order itself is carried out");
        return;
    }
    *waiter = (struct waiter){requests->waiters, request->peer, request->ref, child, wish};
    requests->waiters = waiter;
}

/* Takes the waiters of a child (NULL: any child; peer NULL: any peer) off the list, each to answer(). */
static void answer_waiters(struct requests *requests, const struct child *child, unsigned wishes,
                           void (*answer)(const struct request *, struct child *, const char *),
                           const char *text)
{
    struct waiter **at = &requests->waiters;

    while (*at) {
        struct waiter *waiter = *at;
        struct request request = {.supervisor = requests->supervisor, .peer = waiter->peer,
                                  .ref = waiter->ref};

        if (waiter->child != child || !(wishes & 1U << waiter->wish)) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        answer(&request, waiter->child, text);
        free(waiter);
    }
}

static void answer_path(const struct request *request, struct child *child, const char *text)
{
    (void)text;
    request_done(request, child->path);
}

static void answer_failed(const struct request *request, struct child *child, const char *text)
{
    request_refuse(request, CONTROL_E_FAILED, "%s: %s", child->path, text);
}

static void answer_stopped(const struct request *request, struct child *child, const char *text)
{
    request_refuse(request, CONTROL_E_STOPPING, "%s: %s", child->path, text);
}

void requests_on_ready(struct requests *requests, struct child *child)
{
    answer_waiters(requests, child, 1U << WISH_READY, answer_path, NULL);
}

/* Went down by order: who waited for that is answered; a start that was under way is cancelled. */
void requests_on_down(struct requests *requests, struct child *child)
{
    answer_waiters(requests, child, 1U << WISH_DOWN, answer_path, NULL);
    if (!child->due && !child->is_claiming)
        answer_waiters(requests, child, 1U << WISH_READY, answer_stopped, "the start was cancelled");
}

void requests_on_start_failure(struct requests *requests, struct child *child, const char *reason)
{
    answer_waiters(requests, child, 1U << WISH_READY, answer_failed, reason);
}

void requests_on_forget(struct requests *requests, struct child *child)
{
    answer_waiters(requests, child, 1U << WISH_GONE | 1U << WISH_DOWN, answer_path, NULL);
    answer_waiters(requests, child, 1U << WISH_READY, answer_stopped, "it was removed");
}

static void drop_waiters(struct requests *requests, const struct peer *peer)
{
    struct waiter **at = &requests->waiters;

    while (*at) {
        struct waiter *waiter = *at;

        if (waiter->peer != peer) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        free(waiter);
    }
}

/* ---- looking --------------------------------------------------------------------------------------- */

static struct attached *named_attached(const struct request *request)
{
    if (!request->words.count)
        return NULL;
    return attached_find(&request->supervisor->attached, request->words.at[0]);
}

static struct child *named_child(const struct request *request)
{
    const char *name = request->words.count ? request->words.at[0] : "";
    struct child *child = supervisor_find(request->supervisor, name);

    if (named_attached(request)) {
        request_refuse(request, CONTROL_E_REFUSED,
                       "%s is attached: it begins and ends by itself; `troupe stop` asks it to",
                       named_attached(request)->path);
        return NULL;
    }
    if (!child || child->doomed) {
        request_refuse(request, CONTROL_E_NOPROC, "%s%s%s: no such child",
                       request->supervisor->path, *request->supervisor->path ? "/" : "", name);
        return NULL;
    }
    return child;
}

static void reply_rows(const struct request *request, bool brief)
{
    struct rows rows;

    if (status_rows(request->supervisor, &request->words, brief, &rows) < 0) {
        request_refuse(request, errno == ENOENT ? CONTROL_E_NOPROC : CONTROL_E_REFUSED, "%s",
                       errno == ENOENT ? "no such child" : strerror(errno));
        return;
    }
    peer_reply_rows(request->peer, request->ref, &rows);
    rows_finish(&rows);
}

static void on_ps(const struct request *request)
{
    reply_rows(request, false);
}

static void on_ps_brief(const struct request *request)
{
    reply_rows(request, true);
}

static void on_self(const struct request *request)
{
    struct rows rows;

    if (status_self(request->supervisor, &rows) == 0)
        peer_reply_rows(request->peer, request->ref, &rows);
    else
        request_refuse(request, CONTROL_E_REFUSED, "out of memory");
    rows_finish(&rows);
}

static void on_status(const struct request *request)
{
    struct child *child;
    struct facts facts;

    if (named_attached(request)) {
        status_attached(named_attached(request), &facts);
    } else {
        child = named_child(request);
        if (!child)
            return;
        status_facts(child, &facts);
    }
    peer_reply_facts(request->peer, request->ref, &facts);
    facts_finish(&facts);
}

static void on_counts(const struct request *request)
{
    struct facts facts;

    status_counts(request->supervisor, &facts);
    peer_reply_facts(request->peer, request->ref, &facts);
    facts_finish(&facts);
}

static void on_why(const struct request *request)
{
    struct words lines;

    if (!request->words.count || why_lines(request->supervisor, request->words.at[0], &lines) < 0) {
        request_refuse(request, CONTROL_E_NOPROC, "%s: no such child, and none is remembered",
                       request->words.count ? request->words.at[0] : "");
        return;
    }
    peer_reply_words(request->peer, request->ref, &lines, -1);
    words_finish(&lines);
}

static void on_service(const struct request *request)
{
    struct facts facts;

    if (!request->supervisor->activations.is_service) {
        request_refuse(request, CONTROL_E_REFUSED, "%s is no service", request->supervisor->path);
        return;
    }
    activations_facts(&request->supervisor->activations, &facts);
    peer_reply_facts(request->peer, request->ref, &facts);
    facts_finish(&facts);
}

static void on_events(const struct request *request)
{
    events_subscribe(&request->supervisor->events, request->peer, request->ref);
}

/* ---- ordering -------------------------------------------------------------------------------------- */

static void start_for_person(const struct request *request, struct child *child)
{
    child->slot->held = false;
    child->asked_by_person = true;
    child->not_before = (struct mono){0};
    child->rest = REST_NEW;
    child->backoff.tries = 0;
    child->due = true;
    wait_for(request, child, WISH_READY);
    supervisor_kick(request->supervisor);
}

/* An application is not started without what it depends on. */
static void start_with_what_it_needs(const struct request *request, struct child *child)
{
    const char *missing = supervisor_missing(child);

    if (missing)
        request_refuse(request, CONTROL_E_REFUSED, "%s depends on %s, which is not ready", child->path,
                       missing);
    else
        start_for_person(request, child);
}

static void on_start(const struct request *request)
{
    struct child *child;

    if (request->supervisor->activations.is_service) {
        activations_ask(request);
        return;
    }
    child = named_child(request);
    if (!child)
        return;
    if (request->supervisor->mode == SUPERVISOR_ENDING || child->state == CHILD_STOPPING ||
        child->state == CHILD_BURYING)
        request_refuse(request, CONTROL_E_STOPPING, "%s is stopping", child->path);
    else if (child->state == CHILD_STARTING || child->state == CHILD_WAITING || child->to_start ||
             (child->due && child->state == CHILD_DOWN))
        request_refuse(request, CONTROL_E_STARTING, "%s is starting", child->path);
    else if (child->state == CHILD_BACKOFF)
        request_refuse(request, CONTROL_E_REFUSED, "%s is restarting", child->path);
    else if (child->state == CHILD_READY)
        request_refuse(request, CONTROL_E_REFUSED, "%s is already running", child->path);
    else
        start_with_what_it_needs(request, child);
}

/* Applications that depend on this one stop first. */
static void stop_with_dependents(struct supervisor *supervisor, struct child *child,
                                 enum child_order order)
{
    supervisor->rank_stops(child);
    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *other = supervisor->children[i];

        if (other == child || other->state == CHILD_DOWN || !supervisor->depends(other, child))
            continue;
        other->to_stop = true;
        other->batch_order = ORDER_PERSON;
    }
    if (child->state == CHILD_DOWN) {
        child_stop(child, order); /* a batch would wait for an end that does not come */
    } else {
        child->to_stop = true;
        child->batch_order = order;
    }
    supervisor_kick(supervisor);
}

static void take_down(struct child *child, enum child_order order)
{
    struct supervisor *supervisor = child->supervisor;

    child->due = child->to_start = false;
    if (supervisor->depends)
        stop_with_dependents(supervisor, child, order);
    else
        child_stop(child, order);
}

/* A template's child is forgotten once it is down: to stop it again is done already (OTP S26). */
static bool is_stopped_for_good(const struct request *request)
{
    struct supervisor *supervisor = request->supervisor;
    const char *name = request->words.count ? request->words.at[0] : "";

    return supervisor->spec->template && !supervisor_find(supervisor, name) &&
           table_gone(supervisor->table, name);
}

/* `sys` and what is below it belong to the node: they can be restarted, not taken away from it. */
static bool is_of_the_node(const struct request *request, const struct child *child)
{
    if (!addr_is_within(child->path, "sys"))
        return false;
    request_refuse(request, CONTROL_E_REFUSED,
                   "%s belongs to the node: `troupe down` ends it, `troupe restart` starts it anew",
                   child->path);
    return true;
}

static void on_stop(const struct request *request)
{
    struct child *child;

    if (named_attached(request)) {
        attached_stop(named_attached(request), request);
        return;
    }
    if (is_stopped_for_good(request)) {
        request_done(request, request->words.at[0]);
        return;
    }
    child = named_child(request);
    if (!child)
        return;
    if (is_of_the_node(request, child))
        return;
    wait_for(request, child, WISH_DOWN);
    take_down(child, ORDER_PERSON);
}

static void on_restart(const struct request *request)
{
    struct child *child = named_child(request);

    if (!child)
        return;
    if (request->supervisor->mode == SUPERVISOR_ENDING) {
        request_refuse(request, CONTROL_E_STOPPING, "%s is stopping", child->path);
    } else if (child->is_claiming) {
        wait_for(request, child, WISH_READY); /* it starts when its place is ours, and not before */
    } else if (child->state == CHILD_DOWN) {
        start_with_what_it_needs(request, child);
    } else {
        child->slot->held = false;
        wait_for(request, child, WISH_READY);
        child_stop(child, ORDER_RESTART);
    }
}

void requests_remove(const struct request *request)
{
    struct child *child = named_child(request);

    if (!child || is_of_the_node(request, child))
        return;
    wait_for(request, child, WISH_GONE);
    take_down(child, ORDER_REMOVE);
}

/* ---- dynamic children ------------------------------------------------------------------------------ */

static void add_spec(const struct request *request, struct spec *spec)
{
    struct supervisor *supervisor = request->supervisor;
    struct child *child;

    if (attached_find(&supervisor->attached, spec->name)) {
        request_refuse(request, CONTROL_E_REFUSED, "%s: a process of that name is attached",
                       spec->name);
        goto refused;
    }
    child = supervisor_find(supervisor, spec->name);
    if (child && !child->doomed) {
        request_refuse(request, CONTROL_E_REFUSED, "%s: %s", child->path,
                       child->state == CHILD_DOWN && !child->due && !child->to_start
                           ? "already_present: it is there, stopped"
                       : child->state == CHILD_BACKOFF ||
                               (child->state == CHILD_STARTING && child->settled)
                           ? "already_present: it is restarting"
                           : "already_started");
        goto refused;
    }
    child = supervisor_add(supervisor, spec, spec);
    if (!child && supervisor->count >= supervisor->spec->max_children) {
        request_refuse(request, CONTROL_E_REFUSED, "%s: max_children is reached: %u", spec->name,
                       supervisor->spec->max_children);
        goto refused;
    }
    if (!child) {
        request_refuse(request, CONTROL_E_REFUSED, "%s: %s", spec->name, strerror(errno));
        goto refused;
    }
    child->dynamic = true;
    if (sys_tree_needs_store(spec))
        fellows_tell(&supervisor->fellows, "", CONTROL_WANT_STORE, NULL);
    events_child(child, EVENT_CHILD_ADDED);
    start_for_person(request, child);
    return;
refused:
    spec_finish(spec);
    free(spec);
}

static void refuse_config(const struct request *request, struct buf *messages)
{
    buf_append(messages, "", 1);
    peer_reply_error(request->peer, request->ref, CONTROL_E_CONFIG " %s",
                     messages->data ? (char *)buf_front(messages) : "out of memory");
}

static bool can_add(const struct request *request, size_t words)
{
    if (request->words.count < words) {
        request_refuse(request, CONTROL_E_BAD, "too few words");
        return false;
    }
    if (request->supervisor->is_root) {
        request_refuse(request, CONTROL_E_REFUSED,
                       "the root's children are applications: use `troupe up FILE`");
        return false;
    }
    if (request->supervisor->activations.is_service) {
        request_refuse(request, CONTROL_E_REFUSED,
                       "%s is a service: the first message to a name makes an actor of it",
                       request->supervisor->path);
        return false;
    }
    if (request->supervisor->mode == SUPERVISOR_ENDING) {
        request_refuse(request, CONTROL_E_STOPPING, "%s is stopping", request->supervisor->path);
        return false;
    }
    return true;
}

static void on_add(const struct request *request)
{
    struct supervisor *supervisor = request->supervisor;
    char *const *words = request->words.at;
    struct config_context context = {.environment = request->words.count > 3 ? words + 3 : environ};
    struct buf messages = {0};
    struct spec *spec;

    if (!can_add(request, 3))
        return;
    if (supervisor->spec->template) {
        request_refuse(request, CONTROL_E_REFUSED,
                       "%s has a template: `troupe add %s [ARG...]` makes children of it",
                       supervisor->path, supervisor->path);
        return;
    }
    spec = calloc(1, sizeof *spec);
    if (spec && config_read_child(words[0], strlen(words[0]), words[1], words[2], supervisor->path,
                                  supervisor->spec, &context, spec, &messages) == 0) {
        add_spec(request, spec);
    } else {
        refuse_config(request, &messages);
        free(spec);
    }
    buf_finish(&messages);
}

/* A number never used before; one that somebody has given as a name is passed over. */
static void next_name(struct supervisor *supervisor, char name[ADDR_PART_MAX + 1])
{
    do
        snprintf(name, ADDR_PART_MAX + 1, "%llu",
                 (unsigned long long)table_next_number(supervisor->table));
    while (supervisor_find(supervisor, name));
}

static void on_add_template(const struct request *request)
{
    struct supervisor *supervisor = request->supervisor;
    struct buf messages = {0};
    struct spec *spec;
    char name[ADDR_PART_MAX + 1];

    if (!can_add(request, 1))
        return;
    if (!supervisor->spec->template) {
        request_refuse(request, CONTROL_E_REFUSED, "%s has no template", supervisor->path);
        return;
    }
    if (*request->words.at[0])
        snprintf(name, sizeof name, "%s", request->words.at[0]);
    else
        next_name(supervisor, name);
    spec = calloc(1, sizeof *spec);
    if (spec && addr_is_part(name, strlen(name)) &&
        config_from_template(supervisor->spec->template, name, request->words.at + 1,
                             request->words.count - 1, spec, &messages) == 0) {
        add_spec(request, spec);
    } else {
        refuse_config(request, &messages);
        free(spec);
    }
    buf_finish(&messages);
}

static void forget_peer(struct supervisor *supervisor, const struct peer *peer)
{
    drop_waiters(&supervisor->requests, peer);
    activations_drop_peer(&supervisor->activations, peer);
    shards_drop_peer(&supervisor->shards, peer);
    attached_forget_peer(&supervisor->attached, peer);
    backplane_forget_peer(&supervisor->backplane, peer);
    events_drop_peer(&supervisor->events, peer);
}

/* ---- forgeries ------------------------------------------------------------------------------------- */

static const char *const told_of_ends[] = {EVENT_DOWN, "exit", "linked", CONTROL_LINE};

/* Requests that there are not, of the names by which we tell of ends. */
static bool is_forgery(const char *name)
{
    for (size_t i = 0; i < sizeof told_of_ends / sizeof *told_of_ends; i++)
        if (!strcmp(told_of_ends[i], name))
            return true;
    return false;
}

void requests_forged(struct supervisor *supervisor, struct peer *peer, const char *what)
{
    const struct ucred *creds = peer_creds(peer);
    char text[128];

    snprintf(text, sizeof text, "%.64s from pid %d of uid %u", what, (int)creds->pid,
             (unsigned)creds->uid);
    events_self(supervisor, EVENT_FORGED, "what", text);
    peer_reply_error(peer, 0, CONTROL_E_DENIED " %s: not yours to tell", what);
    forget_peer(supervisor, peer);
    peer_close(peer, true);
}

/* ---- dispatch -------------------------------------------------------------------------------------- */

static const struct verb {
    const char *name;
    void (*act)(const struct request *request);
} verbs[] = {
    {CONTROL_PS, on_ps},
    {CONTROL_PS_BRIEF, on_ps_brief},
    {CONTROL_SELF, on_self},
    {CONTROL_STATUS, on_status},
    {CONTROL_WHY, on_why},
    {CONTROL_COUNTS, on_counts},
    {CONTROL_SERVICE, on_service},
    {CONTROL_ACTIVATE, activations_ask},
    {CONTROL_EVENTS, on_events},
    {CONTROL_WATCH, askers_watch},
    {CONTROL_UNWATCH, askers_unwatch},
    {CONTROL_NOTIFY, askers_notify},
    {CONTROL_UNNOTIFY, askers_unnotify},
    {CONTROL_ATTACH, attached_attach},
    {CONTROL_LINE, attached_line},
    {CONTROL_START, on_start},
    {CONTROL_STOP, on_stop},
    {CONTROL_RESTART, on_restart},
    {CONTROL_REMOVE, requests_remove},
    {CONTROL_ADD, on_add},
    {CONTROL_ADD_TEMPLATE, on_add_template},
};

static unsigned rights_of_peer(const struct request *request)
{
    const struct ucred *creds = peer_creds(request->peer);

    return rights_of(&request->supervisor->node->rights, creds->uid, creds->gid);
}

static void dispatch(const struct request *request, const char *name)
{
    unsigned rights = rights_of_peer(request);

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(verbs[i].name, name)) {
            if ((rights & control_right(name)) && shards_take(request, name))
                return;
            if (rights & control_right(name))
                verbs[i].act(request);
            else
                request_refuse(request, CONTROL_E_DENIED, "%s: not allowed to uid %u", name,
                               (unsigned)peer_creds(request->peer)->uid);
            return;
        }
    if (!request->supervisor->requests.extra && is_forgery(name))
        requests_forged(request->supervisor, request->peer, name);
    else if (!request->supervisor->requests.extra)
        request_refuse(request, CONTROL_E_UNKNOWN, "%s", name);
    else if (control_right(name) && !(rights & control_right(name)))
        request_refuse(request, CONTROL_E_DENIED, "%s: not allowed to uid %u", name,
                       (unsigned)peer_creds(request->peer)->uid);
    else if (!request->supervisor->requests.extra(name, request))
        request_refuse(request, CONTROL_E_UNKNOWN, "%s", name);
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct request request = {.supervisor = peer_data(peer), .peer = peer, .ref = env->ref};
    char name[256];

    if (fd >= 0)
        close(fd);
    envelope_text_copy(env->type, name, sizeof name);
    if (env->kind != ENVELOPE_CONTROL) {
        requests_forged(request.supervisor, peer, name);
        return;
    }
    if (env->payload_size &&
        wire_unpack_words(env->payload, env->payload_size, &request.words) < 0) {
        request_refuse(&request, CONTROL_E_BAD, "%s: the payload is no list of words", name);
        return;
    }
    dispatch(&request, name);
    words_finish(&request.words);
}

static void on_close(struct peer *peer, const char *why)
{
    (void)why;
    forget_peer(peer_data(peer), peer);
}

void requests_drop(struct requests *requests, struct peer *peer)
{
    forget_peer(requests->supervisor, peer);
    peer_close(peer, false);
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

/* Only who may at least look is let in, and only with Troupe's own envelope. */
static bool on_open(struct sp_conn *conn)
{
    struct supervisor *supervisor = sp_conn_data(conn);
    const struct ucred *creds = sp_conn_creds(conn);

    if (sp_conn_protocol(conn) != SP_PAIR0 ||
        !rights_of(&supervisor->node->rights, creds->uid, creds->gid))
        return false;
    return peer_accept(conn, supervisor->self, &handlers, supervisor) != NULL;
}

int requests_init(struct requests *requests, struct supervisor *supervisor, int mailbox_fd)
{
    static struct sp_handlers sp;
    const struct sp_limits limits = {.max_conns = 4096};

    sp = peer_sp_handlers(on_open);
    *requests = (struct requests){.supervisor = supervisor};
    requests->listener = sp_listen(supervisor->loop, mailbox_fd, &limits, &sp, supervisor);
    return requests->listener ? 0 : -1;
}

void requests_finish(struct requests *requests)
{
    sp_listener_destroy(requests->listener, false);
    requests->listener = NULL;
    while (requests->waiters) {
        struct waiter *waiter = requests->waiters;

        requests->waiters = waiter->next;
        free(waiter);
    }
}
