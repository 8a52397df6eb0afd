#include "shards.h"

#include "control.h"
#include "shard.h"
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which
 * --------------------------------------------------------------------------------------- */

bool shards_have(const struct supervisor *supervisor, const char *path)
{
    const struct shards *shards = &supervisor->shards;
    char plain[ADDR_PATH_MAX + 1];

    if (!shards->is_shard)
        return shards->count == 0;
    snprintf(plain, sizeof plain, "%.*s", (int)strcspn(path, "@#"), path);
    return shard_of(addr_name(plain), shards->of) == shards->index;
}

/* ---- life
 * ---------------------------------------------------------------------------------------- */

void shards_init(struct shards *shards, struct supervisor *supervisor)
{
    const struct spec_supervisor *spec = supervisor->spec;
    int number = shard_number(addr_name(supervisor->folder));

    *shards = (struct shards){.supervisor = supervisor};
    if (!spec->service)
        return;
    if (!spec->template)
        shards->count = (unsigned)spec->child_count;
    shards->is_shard = spec->template && number >= 0;
    if (!shards->is_shard)
        return;
    shards->index = (unsigned)number;
    shards->of = shards_for(spec->service->max);
}

/* ---- one question, passed on
 * --------------------------------------------------------------------- */

struct relay {
    struct relay *next;
    struct question question;
    struct shards *shards;
    struct peer *peer; /* NULL: a part of a gathering, or the front's own */
    uint64_t ref;
    struct gathering *gathering;
    unsigned shard;
    char verb[32];
    char id[ADDR_PART_MAX + 1]; /* of an activation, which may be asked for again */
    bool lasts;                 /* events follow the reply: a watch, events */
    bool answered;
};

/* Rows of all shards, for one asker. */
struct gathering {
    struct gathering *next;
    struct peer *peer; /* NULL: it has gone */
    uint64_t ref;
    struct words names; /* those that are wanted; none: all */
    struct rows rows;
    unsigned left;
};

static void drop_relay(struct relay *relay)
{
    struct relay **at = &relay->shards->relays;

    while (*at && *at != relay)
        at = &(*at)->next;
    if (*at)
        *at = relay->next;
    question_forget(&relay->question);
    free(relay);
}

static struct relay *make_relay(struct shards *shards, const char *verb, unsigned shard)
{
    struct relay *relay = calloc(1, sizeof *relay);

    if (!relay)
        return NULL;
    relay->shards = shards;
    relay->shard = shard;
    snprintf(relay->verb, sizeof relay->verb, "%s", verb);
    relay->next = shards->relays;
    shards->relays = relay;
    return relay;
}

static void shard_path(const struct supervisor *supervisor, unsigned shard,
                       char out[ADDR_PATH_MAX + 1])
{
    char name[16];

    snprintf(name, sizeof name, ".%u", shard);
    if (addr_join(supervisor->path, name, out, ADDR_PATH_MAX + 1) < 0)
        *out = '\0'; /* nor is there such a child */
}

static int ask(struct relay *relay, const struct words *words)
{
    struct supervisor *supervisor = relay->shards->supervisor;
    char path[ADDR_PATH_MAX + 1];

    shard_path(supervisor, relay->shard, path);
    return fellows_ask(&supervisor->fellows, path, relay->verb, words, &relay->question);
}

/* The answer as it is, with the asker's number. */
static void pass_back(const struct relay *relay, const struct envelope *env)
{
    struct envelope answer = *env;

    answer.ref = relay->ref;
    if (peer_send(relay->peer, &answer, -1) < 0)
        requests_drop(&relay->shards->supervisor->requests, relay->peer);
}

static bool ask_again(struct relay *relay)
{
    char *id = relay->id;
    const struct words words = {1, &id};

    return *relay->id && relay->shards->supervisor->mode != SUPERVISOR_ENDING &&
           ask(relay, &words) == 0;
}

/* The shard has ended, and is started again. What had been asked for is asked for again; who
 * watches or listens hears of it as of any broken connection. */
static void on_lost(struct relay *relay, const char *why)
{
    struct peer *peer = relay->peer;
    uint64_t ref = relay->ref;

    if (strcmp(why, "noconnection") == 0 && ask_again(relay))
        return;
    if (relay->lasts && relay->answered) {
        drop_relay(relay);
        peer_break(peer);
        return;
    }
    drop_relay(relay);
    peer_reply_error(peer, ref, CONTROL_E_REFUSED " its supervisor has ended");
}

static void on_answer(struct question *question, const struct envelope *env, const char *why)
{
    struct relay *relay = container_of(question, struct relay, question);

    if (!env) {
        on_lost(relay, why);
        return;
    }
    relay->answered = true;
    if (relay->lasts && env->kind == ENVELOPE_CONTROL_REPLY) {
        pass_back(relay, env);
        return;
    }
    pass_back(relay, env);
    drop_relay(relay);
}

static void pass_on(const struct request *request, const char *verb, const char *id, bool lasts)
{
    struct shards *shards = &request->supervisor->shards;
    struct relay *relay = make_relay(shards, verb, shard_of(id, shards->count));

    if (!relay) {
        request_refuse(request, CONTROL_E_REFUSED, "out of memory");
        return;
    }
    relay->peer = request->peer;
    relay->ref = request->ref;
    relay->lasts = lasts;
    relay->question.on_answer = on_answer;
    if (!strcmp(verb, CONTROL_ACTIVATE))
        snprintf(relay->id, sizeof relay->id, "%s", id);
    if (ask(relay, &request->words) == 0)
        return;
    drop_relay(relay);
    request_refuse(request, CONTROL_E_REFUSED, "%s", strerror(errno));
}

/* A watch is taken back where it was passed on to. */
static void take_back(struct relay *relay)
{
    struct supervisor *supervisor = relay->shards->supervisor;
    char number[24], path[ADDR_PATH_MAX + 1], *word = number;
    const struct words words = {1, &word};

    snprintf(number, sizeof number, "%llu", (unsigned long long)relay->question.ref);
    shard_path(supervisor, relay->shard, path);
    if (relay->lasts)
        fellows_tell(&supervisor->fellows, path, CONTROL_UNWATCH, &words);
    drop_relay(relay);
}

static void unwatch(const struct request *request)
{
    uint64_t ref = request->words.count ? strtoull(request->words.at[0], NULL, 10) : 0;
    struct relay *relay = request->supervisor->shards.relays;

    while (relay && (relay->peer != request->peer || relay->ref != ref || !relay->lasts))
        relay = relay->next;
    if (relay)
        take_back(relay);
    request_done(request, "");
}

/* ---- all of them
 * --------------------------------------------------------------------------------- */

static bool is_wanted(const struct gathering *gathering, const struct row *row)
{
    for (size_t i = 0; i < gathering->names.count; i++)
        if (!strcmp(gathering->names.at[i], addr_name(row->path)))
            return true;
    return gathering->names.count == 0;
}

/* Takes the rows over, but for their list. */
static void add_rows(struct gathering *gathering, struct rows *more)
{
    struct row *grown =
        realloc(gathering->rows.at, (gathering->rows.count + more->count + 1) * sizeof *grown);

    if (!grown) {
        rows_finish(more);
        return;
    }
    gathering->rows.at = grown;
    for (size_t i = 0; i < more->count; i++) {
        if (is_wanted(gathering, &more->at[i]))
            grown[gathering->rows.count++] = more->at[i];
        else
            row_finish(&more->at[i]);
    }
    free(more->at);
}

static void finish_gathering(struct shards *shards, struct gathering *gathering)
{
    struct gathering **at = &shards->gatherings;

    while (*at != gathering)
        at = &(*at)->next;
    *at = gathering->next;
    if (gathering->peer)
        peer_reply_rows(gathering->peer, gathering->ref, &gathering->rows);
    rows_finish(&gathering->rows);
    words_finish(&gathering->names);
    free(gathering);
}

static void on_rows(struct question *question, const struct envelope *env, const char *why)
{
    struct relay *relay = container_of(question, struct relay, question);
    struct gathering *gathering = relay->gathering;
    struct shards *shards = relay->shards;
    struct rows rows;

    (void)why; /* one that has just ended has nobody to show */
    if (env && env->kind == ENVELOPE_CONTROL_REPLY &&
        wire_unpack_rows(env->payload, env->payload_size, &rows) == 0)
        add_rows(gathering, &rows);
    drop_relay(relay);
    if (--gathering->left == 0)
        finish_gathering(shards, gathering);
}

static int copy_names(const struct words *from, struct words *to)
{
    to->at = calloc(from->count + 1, sizeof *to->at);
    for (; to->at && to->count < from->count; to->count++)
        if (!(to->at[to->count] = strdup(from->at[to->count])))
            break;
    return to->at && to->count == from->count ? 0 : -1;
}

static void gather(const struct request *request, const char *verb, const struct words *names)
{
    struct shards *shards = &request->supervisor->shards;
    struct gathering *gathering = calloc(1, sizeof *gathering);

    if (!gathering || (names && copy_names(names, &gathering->names) < 0)) {
        if (gathering)
            words_finish(&gathering->names);
        free(gathering);
        request_refuse(request, CONTROL_E_REFUSED, "out of memory");
        return;
    }
    gathering->peer = request->peer;
    gathering->ref = request->ref;
    gathering->left = 1;
    gathering->next = shards->gatherings;
    shards->gatherings = gathering;
    for (unsigned i = 0; i < shards->count; i++) {
        struct relay *relay = make_relay(shards, verb, i);

        if (!relay)
            continue;
        relay->gathering = gathering;
        relay->question.on_answer = on_rows;
        gathering->left++;
        if (ask(relay, NULL) < 0) {
            gathering->left--;
            drop_relay(relay);
        }
    }
    if (--gathering->left == 0)
        finish_gathering(shards, gathering);
}

/* ---- events
 * -------------------------------------------------------------------------------------- */

static void on_event(struct question *question, const struct envelope *env, const char *why);

static void listen_to(struct shards *shards, unsigned shard)
{
    struct relay *relay = make_relay(shards, CONTROL_EVENTS, shard);

    if (!relay)
        return;
    relay->question.on_answer = on_event;
    if (ask(relay, NULL) < 0)
        drop_relay(relay);
}

static void on_event(struct question *question, const struct envelope *env, const char *why)
{
    struct relay *relay = container_of(question, struct relay, question);
    struct shards *shards = relay->shards;
    unsigned shard = relay->shard;

    (void)why;
    if (env && env->kind == ENVELOPE_EVENT) {
        events_pass(&shards->supervisor->events, env);
    } else if (!env) {
        drop_relay(relay);
        if (shards->supervisor->mode != SUPERVISOR_ENDING)
            listen_to(shards, shard);
    }
}

/* Each shard's are listened to once, from the first who asks on; what is between an event and the
 * rows that are gathered meanwhile is told twice rather than never. */
static void subscribe(const struct request *request)
{
    struct shards *shards = &request->supervisor->shards;

    if (events_add(&request->supervisor->events, request->peer, request->ref) < 0) {
        request_refuse(request, CONTROL_E_REFUSED, "out of memory");
        return;
    }
    if (!shards->is_listening)
        for (unsigned i = 0; i < shards->count; i++)
            listen_to(shards, i);
    shards->is_listening = true;
    gather(request, CONTROL_PS_BRIEF, NULL);
}

/* ---- dispatch
 * ------------------------------------------------------------------------------------ */

static const struct passed {
    const char *verb;
    unsigned word; /* that names the actor */
    bool lasts;
} passed[] = {
    {CONTROL_ACTIVATE, 0, false}, {CONTROL_START, 0, false},  {CONTROL_STOP, 0, false},
    {CONTROL_RESTART, 0, false},  {CONTROL_REMOVE, 0, false}, {CONTROL_STATUS, 0, false},
    {CONTROL_WHY, 0, false},      {CONTROL_NOTIFY, 0, false}, {CONTROL_UNNOTIFY, 0, false},
    {CONTROL_WATCH, 2, true},
};

/* "42" of "42", "shop/carts/42" and "shop/carts/42@east#7". */
static bool id_in(const struct request *request, unsigned word, char id[ADDR_PART_MAX + 1])
{
    char path[ADDR_PATH_MAX + 1];

    if (request->words.count <= word)
        return false;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(request->words.at[word], "@#"),
             request->words.at[word]);
    snprintf(id, ADDR_PART_MAX + 1, "%s", addr_name(path));
    return addr_is_part(id, strlen(id));
}

static bool pass_by_id(const struct request *request, const char *verb)
{
    char id[ADDR_PART_MAX + 1];

    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        if (strcmp(passed[i].verb, verb) != 0)
            continue;
        if (id_in(request, passed[i].word, id))
            pass_on(request, verb, id, passed[i].lasts);
        else
            request_refuse(request, CONTROL_E_BAD, "%s: expected a name", verb);
        return true;
    }
    return false;
}

bool shards_take(const struct request *request, const char *verb)
{
    bool is_ps = !strcmp(verb, CONTROL_PS) || !strcmp(verb, CONTROL_PS_BRIEF);
    char id[ADDR_PART_MAX + 1];

    if (!request->supervisor->shards.count)
        return false;
    if (is_ps && request->words.count == 1 && id_in(request, 0, id))
        pass_on(request, verb, id, false);
    else if (is_ps)
        gather(request, verb, &request->words);
    else if (!strcmp(verb, CONTROL_EVENTS))
        subscribe(request);
    else if (!strcmp(verb, CONTROL_UNWATCH))
        unwatch(request);
    else
        return pass_by_id(request, verb);
    return true;
}

/* ---- the end
 * ------------------------------------------------------------------------------------- */

void shards_drop_peer(struct shards *shards, const struct peer *peer)
{
    struct relay *relay, *next;

    for (struct gathering *gathering = shards->gatherings; gathering; gathering = gathering->next)
        if (gathering->peer == peer)
            gathering->peer = NULL;
    for (relay = shards->relays; relay; relay = next) {
        next = relay->next;
        if (relay->peer == peer)
            take_back(relay);
    }
}

void shards_finish(struct shards *shards)
{
    struct gathering *gathering;

    while (shards->relays)
        drop_relay(shards->relays);
    while ((gathering = shards->gatherings)) {
        gathering->peer = NULL;
        finish_gathering(shards, gathering);
    }
}
