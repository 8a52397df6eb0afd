#include "attached.h"

#include "control.h"
#include "files.h"
#include "rundir.h"
#include "supervisor.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

struct attached_waiter {
    struct attached_waiter *next;
    struct peer *peer;
    uint64_t ref;
};

/* ---- as a party ------------------------------------------------------------------------------ */

static struct attached *attached_of(const struct party *party)
{
    return container_of(party, struct attached, party);
}

static uint64_t party_incarnation(const struct party *party)
{
    return attached_of(party)->incarnation;
}

static bool party_is_alive(const struct party *party)
{
    (void)party;
    return true;
}

/* A datagram becomes one event, a line a word. */
static int party_send(struct party *party, const char *lines, size_t size)
{
    struct attached *attached = attached_of(party);
    struct words words = {0};
    int result = 0, saved;

    for (const char *at = lines, *end = lines + size; at < end && result == 0;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        char line[2048];

        snprintf(line, sizeof line, "%.*s", (int)length, at);
        result = words_append(&words, line);
        at += length + 1;
    }
    if (result == 0)
        result = peer_event_words(attached->peer, attached->ref, EVENT_LINE, &words);
    saved = errno;
    words_finish(&words);
    errno = saved;
    if (result < 0 && errno == EAGAIN) {
        attached->is_full = true;
        backplane_retry(&attached->supervisor->backplane);
    }
    return result;
}

/* We cannot end it; it is told to end, with the cause. */
static void party_end(struct party *party, const char *reason)
{
    static const char cascade[] = "cascade ";
    char line[REASON_MAX + 8];

    snprintf(line, sizeof line, "EXIT %s\n",
             strncmp(reason, cascade, strlen(cascade)) ? reason : reason + strlen(cascade));
    party_order(party, line);
}

static void party_complain(struct party *party, const char *text)
{
    events_attached(attached_of(party), EVENT_CHILD_STATUS, "not_understood", text);
}

static const struct party_kind party_kind = {.incarnation = party_incarnation,
                                             .is_alive = party_is_alive,
                                             .send = party_send,
                                             .end = party_end,
                                             .complain = party_complain};

/* Who asks and does not read the answers is not listened to until it does. */
static void listen_if_it_reads(struct attached *attached)
{
    peer_pause(attached->peer, party_is_glutted(&attached->party));
}

bool attached_tell_all(struct attachments *attachments)
{
    bool full = false;

    for (struct attached *a = attachments->first; a; a = a->next) {
        if (!a->is_full)
            continue;
        a->is_full = false;
        party_drain(&a->party);
        listen_if_it_reads(a);
        full |= a->is_full;
    }
    return full;
}

/* ---- the beginning --------------------------------------------------------------------------- */

struct attached *attached_find(const struct attachments *attachments, const char *name)
{
    for (struct attached *a = attachments->first; a; a = a->next)
        if (!strcmp(addr_child_name(a->path), name))
            return a;
    return NULL;
}

static struct attached *of_peer(const struct attachments *attachments, const struct peer *peer)
{
    struct attached *attached;

    HASH_FIND_PTR(attachments->by_peer, &peer, attached);
    return attached;
}

/* No number of a path is ever used twice: where a child of that name was, it goes on. */
static uint64_t next_incarnation(struct supervisor *supervisor, const char *name)
{
    struct table_slot *slot = table_find(supervisor->table, name);

    return slot ? ++slot->incarnation : table_next_number(supervisor->table);
}

static bool is_taken(const struct supervisor *supervisor, const char *name)
{
    return supervisor_find((struct supervisor *)supervisor, name) ||
           attached_find(&supervisor->attached, name) ||
           (supervisor->is_root && (!strcmp(name, "sys") || !strcmp(name, ADDR_RUN)));
}

/* What it is called: `name`, or run/PID. False when the request was refused. */
static bool choose_name(const struct request *request, uint64_t pid, char name[ADDR_PART_MAX + 1])
{
    struct supervisor *supervisor = request->supervisor;
    const char *wanted = request->words.at[0];

    if (*wanted && !addr_is_part(wanted, strlen(wanted))) {
        request_refuse(request, CONTROL_E_BAD, "\"%s\": expected one part of a path", wanted);
        return false;
    }
    if (!*wanted && !supervisor->is_root) {
        request_refuse(request, CONTROL_E_BAD, "below %s a name is needed", supervisor->path);
        return false;
    }
    if (*wanted)
        snprintf(name, ADDR_PART_MAX + 1, "%s", wanted);
    else
        snprintf(name, ADDR_PART_MAX + 1, ADDR_RUN "/%llu", (unsigned long long)pid);
    if (!is_taken(supervisor, name))
        return true;
    request_refuse(request, CONTROL_E_REFUSED, "%s: the name is taken", name);
    return false;
}

static int bind_mailbox(struct attached *attached)
{
    const char *run_dir = attached->supervisor->node->run_dir;
    int fd;

    if (strchr(addr_child_name(attached->path), '/') && make_directory(run_dir, ADDR_RUN) < 0)
        return -1;
    fd = rundir_listen(run_dir, attached->path);
    attached->has_mailbox = fd >= 0;
    return fd;
}

static void unbind_mailbox(const struct attached *attached)
{
    char path[PATH_MAX + ADDR_PATH_MAX + 2];

    if (!attached->has_mailbox)
        return;
    snprintf(path, sizeof path, "%s/%s", attached->supervisor->node->run_dir, attached->path);
    unlink(path);
}

static struct attached *create(const struct request *request, const char *name, pid_t pid)
{
    struct supervisor *supervisor = request->supervisor;
    struct attached *attached = calloc(1, sizeof *attached);

    if (!attached)
        return NULL;
    if (addr_join(supervisor->path, name, attached->path, sizeof attached->path) < 0) {
        free(attached);
        return NULL;
    }
    attached->supervisor = supervisor;
    attached->peer = request->peer;
    attached->ref = request->ref;
    attached->pid = pid;
    attached->incarnation = next_incarnation(supervisor, name);
    attached->started_us = wall_now_us();
    attached->started = mono_now();
    party_init(&attached->party, &supervisor->backplane, &party_kind, attached->path);
    LL_APPEND(supervisor->attached.first, attached);
    HASH_ADD_PTR(supervisor->attached.by_peer, peer, attached);
    return attached;
}

static void destroy(struct attached *attached)
{
    LL_DELETE(attached->supervisor->attached.first, attached);
    HASH_DEL(attached->supervisor->attached.by_peer, attached);
    unbind_mailbox(attached);
    party_finish(&attached->party);
    while (attached->waiters) {
        struct attached_waiter *waiter = attached->waiters;

        attached->waiters = waiter->next;
        free(waiter);
    }
    free(attached);
}

static void attach(const struct request *request, const char *name, pid_t pid, bool wants_mailbox)
{
    struct attached *attached = create(request, name, pid);
    char text[ADDR_TEXT_MAX + 1];
    struct words words = {1, (char *[]){text}};
    int fd = -1;

    if (!attached || (wants_mailbox && (fd = bind_mailbox(attached)) < 0)) {
        request_refuse(request, CONTROL_E_REFUSED, "%s: %s", name, strerror(errno));
        if (attached)
            destroy(attached);
        return;
    }
    party_text(&attached->party, text);
    events_attached(attached, EVENT_CHILD_ATTACHED, NULL, NULL);
    if (peer_reply_words(request->peer, request->ref, &words, fd) < 0 && fd >= 0)
        close(fd); /* and the connection ends */
}

void attached_attach(const struct request *request)
{
    struct supervisor *supervisor = request->supervisor;
    char *const *words = request->words.at;
    char name[ADDR_PART_MAX + 1];
    uint64_t pid;

    if (request->words.count != 3 || text_unsigned(words[1], 1, INT32_MAX, &pid) < 0)
        request_refuse(request, CONTROL_E_BAD, "expected NAME PID MAILBOX");
    else if (of_peer(&supervisor->attached, request->peer))
        request_refuse(request, CONTROL_E_REFUSED, "this connection is attached already");
    else if (supervisor->mode == SUPERVISOR_ENDING)
        request_refuse(request, CONTROL_E_STOPPING, "%s is stopping", supervisor->self);
    else if (choose_name(request, pid, name))
        attach(request, name, (pid_t)pid, !strcmp(words[2], "1"));
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void note_status(struct attached *attached, const char *text)
{
    text_escape(text, strlen(text), attached->status, sizeof attached->status);
    events_attached(attached, EVENT_CHILD_STATUS, "text", attached->status);
}

static void take_line(struct attached *attached, struct ctl_line *line)
{
    char *reason, *need;

    switch (line->verb) {
    case CTL_READY:
    case CTL_STATUS:
        if (*line->rest || line->verb == CTL_STATUS)
            note_status(attached, line->rest);
        break;
    case CTL_EXIT:
        ctl_exit_parts(line->rest, &reason, &need);
        reason_copy(reason, "normal", attached->said_reason);
        break;
    case CTL_HEARTBEAT:
        break;
    default:
        if (!party_take_line(&attached->party, line))
            events_attached(attached, EVENT_CHILD_STATUS, "not_understood",
                            ctl_verb_text(line->verb));
    }
}

void attached_line(const struct request *request)
{
    struct attached *attached = of_peer(&request->supervisor->attached, request->peer);

    if (!attached) {
        requests_forged(request->supervisor, request->peer, CONTROL_LINE);
        return;
    }
    for (size_t i = 0; i < request->words.count; i++) {
        char *word = request->words.at[i];
        size_t at = 0, size = strlen(word);
        struct ctl_line line;

        while (ctl_next(word, size, &at, &line))
            take_line(attached, &line);
    }
    if (party_is_glutted(&attached->party))
        party_drain(&attached->party); /* what is left then is what its connection does not take */
    listen_if_it_reads(attached);
}

/* ---- the end --------------------------------------------------------------------------------- */

void attached_stop(struct attached *attached, const struct request *request)
{
    struct attached_waiter *waiter = calloc(1, sizeof *waiter);

    if (!waiter) {
        request_refuse(request, CONTROL_E_REFUSED, "out of memory");
        return;
    }
    waiter->peer = request->peer;
    waiter->ref = request->ref;
    LL_PREPEND(attached->waiters, waiter);
    if (!attached->is_stopping)
        party_order(&attached->party, "STOP\n");
    attached->is_stopping = true;
}

void attached_stop_all(struct attachments *attachments)
{
    for (struct attached *a = attachments->first; a; a = a->next) {
        a->is_stopping = true;
        party_order(&a->party, "STOP\n");
    }
}

static void answer_waiters(struct attached *attached)
{
    for (struct attached_waiter *w = attached->waiters; w; w = w->next) {
        struct request request = {
            .supervisor = attached->supervisor, .peer = w->peer, .ref = w->ref};

        if (w->peer != attached->peer)
            request_done(&request, attached->path);
    }
}

static void end(struct attached *attached)
{
    struct supervisor *supervisor = attached->supervisor;
    struct table_end record = {.incarnation = attached->incarnation,
                               .wall_us = wall_now_us(),
                               .ran_ms = mono_diff_ms(mono_now(), attached->started)};

    reason_copy(attached->said_reason, "dropped", record.reason);
    table_record_gone(supervisor->table, addr_child_name(attached->path), &record);
    events_attached_exit(attached, record.reason, record.ran_ms, attached->is_stopping);
    party_on_end(&attached->party, attached->incarnation, record.reason, attached->is_stopping);
    answer_waiters(attached);
    destroy(attached);
}

static void forget_waiters(struct attached *attached, const struct peer *peer)
{
    struct attached_waiter *waiter, *next;

    for (waiter = attached->waiters; waiter; waiter = next) {
        next = waiter->next;
        if (waiter->peer != peer)
            continue;
        LL_DELETE(attached->waiters, waiter);
        free(waiter);
    }
}

void attached_forget_peer(struct attachments *attachments, const struct peer *peer)
{
    struct attached *ended = of_peer(attachments, peer);

    for (struct attached *a = attachments->first; a; a = a->next)
        forget_waiters(a, peer);
    if (ended)
        end(ended);
}

void attached_init(struct attachments *attachments, struct supervisor *supervisor)
{
    *attachments = (struct attachments){.supervisor = supervisor};
}

void attached_finish(struct attachments *attachments)
{
    while (attachments->first)
        destroy(attachments->first);
}
