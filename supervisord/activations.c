#include "activations.h"

#include "control.h"
#include "status.h"
#include "supervisor.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <uthash.h>

enum { SECONDS = ACTIVATION_SECONDS };

/* The counts of the service that this process is of, one for each shard; made by its front, or by
 * itself when there is none. */
static struct activation_counts *board;
static unsigned board_size;

struct asker {
    struct asker *next;
    struct peer *peer;
    uint64_t ref;
};

/* All who wait for one id. */
struct awaited {
    UT_hash_handle hh;
    char id[ADDR_PART_MAX + 1];
    struct asker *first, **last;
};

static void on_claimed(struct supervisor *supervisor, const char *id, uint64_t epoch,
                       const char *failure);

static int make_board(unsigned shards)
{
    board_size = shards ? shards : 1;
    board = mmap(NULL, board_size * sizeof *board, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board != MAP_FAILED)
        return 0;
    board = NULL;
    return -1;
}

int activations_init(struct activations *activations, struct supervisor *supervisor)
{
    const struct spec_service *spec = supervisor->spec->service;
    const struct shards *shards = &supervisor->shards;

    *activations = (struct activations){.supervisor = supervisor, .is_service = spec != NULL};
    if (!spec)
        return 0;
    if (!shards->is_shard && make_board(shards->count) < 0)
        return -1;
    if (!shards->count) /* shards count there, and no actor */
        madvise(board, board_size * sizeof *board, MADV_DONTFORK);
    service_init(&activations->service, spec);
    epochs_init(&activations->epochs, supervisor->node->state_dir);
    claims_init(&activations->claims, supervisor, on_claimed);
    activations->counts = &board[shards->is_shard ? shards->index : 0];
    activations->counts->live = 0; /* of the incarnation before this one, all are gone */
    return 0;
}

/* ---- who waits
 * ----------------------------------------------------------------------------------- */

static struct awaited *find_awaited(const struct activations *activations, const char *id)
{
    struct awaited *awaited;

    HASH_FIND_STR(activations->awaited, id, awaited);
    return awaited;
}

static struct awaited *make_awaited(struct activations *activations, const char *id)
{
    struct awaited *awaited = find_awaited(activations, id);

    if (awaited || !(awaited = calloc(1, sizeof *awaited)))
        return awaited;
    snprintf(awaited->id, sizeof awaited->id, "%s", id);
    awaited->last = &awaited->first;
    HASH_ADD_STR(activations->awaited, id, awaited);
    return awaited;
}

static void drop_awaited(struct activations *activations, struct awaited *awaited)
{
    struct asker *asker;

    HASH_DEL(activations->awaited, awaited);
    while ((asker = awaited->first)) {
        awaited->first = asker->next;
        free(asker);
    }
    free(awaited);
}

/* False: there is no memory. */
static bool wait_for(const struct request *request, const char *id)
{
    struct activations *activations = &request->supervisor->activations;
    struct asker *asker = malloc(sizeof *asker);
    struct awaited *awaited = asker ? make_awaited(activations, id) : NULL;

    if (!awaited) {
        free(asker);
        return false;
    }
    *asker = (struct asker){NULL, request->peer, request->ref};
    *awaited->last = asker;
    awaited->last = &asker->next;
    return true;
}

static void forget_peer(struct activations *activations, struct awaited *awaited,
                        const struct peer *peer)
{
    struct asker **at = &awaited->first, *asker;

    while ((asker = *at)) {
        if (asker->peer == peer) {
            *at = asker->next;
            free(asker);
        } else {
            at = &asker->next;
        }
    }
    awaited->last = at;
    if (!awaited->first)
        drop_awaited(activations, awaited);
}

void activations_drop_peer(struct activations *activations, const struct peer *peer)
{
    struct awaited *awaited, *next;

    HASH_ITER (hh, activations->awaited, awaited, next) {
        forget_peer(activations, awaited, peer);
    }
}

void activations_finish(struct activations *activations)
{
    struct awaited *awaited, *next;

    HASH_ITER (hh, activations->awaited, awaited, next) {
        drop_awaited(activations, awaited);
    }
    if (!activations->is_service)
        return;
    claims_finish(&activations->claims);
    service_finish(&activations->service);
}

/* ---- answers
 * ------------------------------------------------------------------------------------- */

static void say_ready(const struct child *child, struct peer *peer, uint64_t ref)
{
    struct addr addr = {.incarnation = child->slot->incarnation};
    char text[ADDR_TEXT_MAX + 1], *word = text;
    struct words words = {1, &word};

    snprintf(addr.path, sizeof addr.path, "%s", child->path);
    snprintf(addr.node, sizeof addr.node, "%s", child->supervisor->node->name);
    addr_format(&addr, text, sizeof text);
    peer_reply_words(peer, ref, &words, -1);
}

static void answer_ready(struct activations *activations, const struct child *child)
{
    struct awaited *awaited = find_awaited(activations, child_name(child));

    if (!awaited)
        return;
    for (const struct asker *asker = awaited->first; asker; asker = asker->next)
        say_ready(child, asker->peer, asker->ref);
    drop_awaited(activations, awaited);
}

static void answer_error(struct activations *activations, const char *id, const char *head,
                         const char *text)
{
    struct awaited *awaited = find_awaited(activations, id);

    if (!awaited)
        return;
    for (const struct asker *asker = awaited->first; asker; asker = asker->next)
        peer_reply_error(asker->peer, asker->ref, "%s %s/%s: %s", head,
                         activations->supervisor->path, id, text);
    drop_awaited(activations, awaited);
}

/* ---- starting
 * ------------------------------------------------------------------------------------ */

static void count_activation(struct activation_counts *counts)
{
    int64_t second = mono_now().us / 1000000;

    for (int64_t s = counts->second + 1; s <= second && s <= counts->second + SECONDS; s++)
        counts->by_second[s % SECONDS] = 0;
    counts->second = second;
    counts->by_second[second % SECONDS]++;
    counts->activations++;
}

uint64_t activations_number(const struct child *child)
{
    struct activations *activations = &child->supervisor->activations;

    if (!activations->is_service || child->supervisor->shards.count)
        return child->slot->incarnation + 1;
    count_activation(activations->counts);
    if (offers_are_on(&child->supervisor->offers))
        return child->epoch;
    return activations->service.spec.state ? child->claimed : epochs_take(&activations->epochs);
}

static void start_now(struct child *child, int64_t delay_ms)
{
    child->not_before = delay_ms > 0 ? mono_add_ms(mono_now(), delay_ms) : (struct mono){0};
    child->rest = REST_NEW;
    child->due = true;
    supervisor_kick(child->supervisor);
}

static void let_go(struct child *child, bool failed);

static void fail_claim(struct child *child, const char *failure)
{
    answer_error(&child->supervisor->activations, child_name(child), CONTROL_E_FAILED, failure);
    requests_on_start_failure(&child->supervisor->requests, child, failure);
    let_go(child, true);
}

/* With state, not before the row of its id is ours: then it has an epoch. */
static void start_in(struct child *child, int64_t delay_ms)
{
    struct activations *activations = &child->supervisor->activations;

    if (!activations->service.spec.state || offers_are_on(&child->supervisor->offers)) {
        start_now(child, delay_ms);
        return;
    }
    child->claimed = 0;
    child->claim_delay_ms = delay_ms;
    child->is_claiming = true;
    child->rest = REST_NEW;
    if (claims_take(&activations->claims, child_name(child)) < 0)
        fail_claim(child, "error store unreachable: sys/store is not there");
}

static void on_claimed(struct supervisor *supervisor, const char *id, uint64_t epoch,
                       const char *failure)
{
    struct child *child = supervisor_find(supervisor, id);

    if (!child || child->doomed || !child->is_claiming || supervisor->mode == SUPERVISOR_ENDING) {
        if (epoch)
            claims_free(&supervisor->activations.claims, id, epoch);
        return;
    }
    child->is_claiming = false;
    child->claimed = epoch;
    if (epoch)
        start_now(child, child->claim_delay_ms);
    else
        fail_claim(child, failure);
}

/* Where services are shared, it needs another epoch, and perhaps another node: what is done here is
 * its end, and sys/node sees to its next life. */
void activations_restart(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;

    if (!offers_are_on(&supervisor->offers)) {
        start_in(child, 0);
        return;
    }
    requests_on_ready(&supervisor->requests, child);
    offers_want(&supervisor->offers, child_name(child));
    let_go(child, false);
}

/* A child of that name, which starts in so many milliseconds. NULL: who waits has been told why not. */
static struct child *make_child(struct activations *activations, const char *id, uint64_t epoch,
                                int64_t delay_ms)
{
    struct supervisor *supervisor = activations->supervisor;
    struct spec spec = *supervisor->spec->template;
    struct child *child;

    spec.name = (char *)id;
    child = supervisor_add(supervisor, &spec, NULL);
    if (!child) {
        activations->counts->live--;
        answer_error(activations, id, errno == ENOSPC ? CONTROL_E_OVERLOADED : CONTROL_E_FAILED,
                     strerror(errno));
        return NULL;
    }
    child->dynamic = true;
    child->epoch = epoch;
    events_child(child, EVENT_CHILD_ADDED);
    start_in(child, delay_ms);
    return child;
}

static void refuse_poison(struct activations *activations, const char *id,
                          const struct service_answer *answer)
{
    char period[32], rest[32], text[REASON_MAX + 128];

    snprintf(text, sizeof text, "refused for %s more: it failed %u times in %s: %s",
             text_of_duration(answer->delay_ms, rest, sizeof rest), answer->failures,
             text_of_duration(activations->service.spec.period_ms, period, sizeof period),
             answer->reason);
    activations->counts->refused++;
    answer_error(activations, id, CONTROL_E_FAILED, text);
}

static void refuse_full(struct activations *activations, const char *id)
{
    char text[64];

    snprintf(text, sizeof text, "%u are live, and no more may be", activations->service.spec.max);
    activations->counts->overloaded++;
    answer_error(activations, id, CONTROL_E_OVERLOADED, text);
}

/* In the whole service. */
static uint32_t live(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < board_size; i++)
        sum += board[i].live;
    return (uint32_t)sum;
}

/* Somebody waits for an id that is not there. It counts before it is looked whether it may, so that
 * two shards do not both take the last seat. */
static void begin(struct activations *activations, const char *id)
{
    struct service_answer answer;

    if (offers_are_on(&activations->supervisor->offers)) {
        offers_want(&activations->supervisor->offers, id);
        return;
    }
    activations->counts->live++;
    answer = service_ask(&activations->service, id, live() - 1, mono_now_ms());
    if (answer.verdict == SERVICE_START || answer.verdict == SERVICE_LATER) {
        make_child(activations, id, 0, answer.delay_ms);
        return;
    }
    activations->counts->live--;
    if (answer.verdict == SERVICE_POISON)
        refuse_poison(activations, id, &answer);
    else
        refuse_full(activations, id);
}

/* ---- where services are shared ------------------------------------------------------------------ */

static void say_where(struct activations *activations, const char *id, const char *node)
{
    struct awaited *awaited = find_awaited(activations, id);
    struct words words = {2, (char *[]){(char *)node, CONTROL_ELSEWHERE}};

    if (!awaited)
        return;
    for (const struct asker *asker = awaited->first; asker; asker = asker->next)
        peer_reply_words(asker->peer, asker->ref, &words, -1);
    drop_awaited(activations, awaited);
}

static void say_failure(struct activations *activations, const char *id, const char *why)
{
    struct awaited *awaited = find_awaited(activations, id);

    if (!awaited)
        return;
    for (const struct asker *asker = awaited->first; asker; asker = asker->next)
        peer_reply_error(asker->peer, asker->ref, "%s", why);
    drop_awaited(activations, awaited);
}

/* Here: who waits is told when it is ready. It may have ended since. */
void activations_on_place(struct activations *activations, const char *id, const char *node, const char *why)
{
    struct supervisor *supervisor = activations->supervisor;

    if (!node)
        say_failure(activations, id, why);
    else if (strcmp(node, supervisor->node->name) != 0)
        say_where(activations, id, node);
    else if (!supervisor_find(supervisor, id))
        say_failure(activations, id, "down it has ended meanwhile");
}

/* NULL: it may start, in so many ms; or why not, which is in text. */
static const char *why_not(struct activations *activations, const char *id, int64_t *delay_ms,
                           char text[REASON_MAX + 32])
{
    struct service_answer answer = service_ask(&activations->service, id, live() - 1, mono_now_ms());

    *delay_ms = answer.delay_ms;
    switch (answer.verdict) {
    case SERVICE_FULL:
        activations->counts->overloaded++;
        return "overloaded no more may be live here";
    case SERVICE_POISON:
        activations->counts->refused++;
        snprintf(text, REASON_MAX + 32, "down refused for a while: %s", answer.reason);
        return text;
    default:
        return NULL;
    }
}

void activations_start(struct activations *activations, const char *id, uint64_t epoch, bool has_lease)
{
    struct supervisor *supervisor = activations->supervisor;
    char text[REASON_MAX + 32];
    const char *why = "down its service is stopping";
    int64_t delay_ms = 0;

    activations->counts->live++;
    if (supervisor->mode != SUPERVISOR_ENDING && has_lease && !supervisor_find(supervisor, id))
        why = why_not(activations, id, &delay_ms, text);
    if (!why) {
        if (make_child(activations, id, epoch, delay_ms))
            return;
        activations->counts->live++; /* it has been taken back there */
        why = "down no memory";
    }
    activations->counts->live--;
    offers_vacated(&supervisor->offers, id, epoch, why);
}

void activations_on_gone(struct child *child, const char *reason)
{
    uint64_t epoch = child->epoch;
    char text[REASON_MAX + 8];

    if (!epoch)
        return;
    child->epoch = 0;
    snprintf(text, sizeof text, "down %s", reason);
    offers_vacated(&child->supervisor->offers, child_name(child), epoch, text);
}

void activations_ask(const struct request *request)
{
    struct supervisor *supervisor = request->supervisor;
    const char *id = request->words.count ? request->words.at[0] : "";
    struct child *child;

    if (!supervisor->activations.is_service)
        request_refuse(request, CONTROL_E_REFUSED, "%s is no service", supervisor->path);
    else if (!addr_is_part(id, strlen(id)))
        request_refuse(request, CONTROL_E_BAD, "\"%.80s\": expected a name", id);
    else if (supervisor->mode == SUPERVISOR_ENDING)
        request_refuse(request, CONTROL_E_STOPPING, "%s is stopping", supervisor->path);
    else if ((child = supervisor_find(supervisor, id)) && child->state == CHILD_READY)
        say_ready(child, request->peer, request->ref);
    else if (!wait_for(request, id))
        request_refuse(request, CONTROL_E_REFUSED, "out of memory");
    else if (!child)
        begin(&supervisor->activations, id);
    /* else it is starting, or will be asked for again when what is ending is gone */
}

/* ---- what children report
 * ------------------------------------------------------------------------ */

void activations_on_ready(struct child *child)
{
    struct activations *activations = &child->supervisor->activations;

    if (!activations->is_service || child->supervisor->shards.count)
        return;
    if (child->epoch)
        offers_placed(&child->supervisor->offers, child_name(child), child->epoch);
    answer_ready(activations, child);
}

/* The last look, at the listen queue: who waits there has dialled, and sent perhaps. */
static bool is_awaited(const struct child *child)
{
    struct pollfd queue = {.fd = child->mailbox_fd, .events = POLLIN};

    if (find_awaited(&child->supervisor->activations, child_name(child)))
        return true;
    return child->mailbox_fd >= 0 && poll(&queue, 1, 0) > 0;
}

static void note_failure(struct child *child, const char *reason)
{
    struct activations *activations = &child->supervisor->activations;
    int64_t ran_ms = child->was_ready ? mono_diff_ms(mono_now(), child->started) : 0;

    activations->counts->failures++;
    service_failed(&activations->service, child_name(child), reason, ran_ms, mono_now_ms(),
                   (double)random() / ((double)RAND_MAX + 1));
}

/* Gone, as far as nobody asks for it: its mailbox goes with it, so that who sends asks for it. */
static void let_go(struct child *child, bool failed)
{
    child->rest = failed ? REST_FAILED : REST_EXITED;
    child->slot->state = (uint8_t)child_row_state(child);
    child->due = child->to_start = child->is_claiming = false;
    events_child(child, failed ? EVENT_CHILD_FAILED : EVENT_CHILD_EXITED);
    supervisor_forget(child->supervisor, child);
}

static void start_again(struct child *child)
{
    struct activations *activations = &child->supervisor->activations;
    struct service_answer answer =
        service_ask(&activations->service, child_name(child), live() - 1, mono_now_ms());

    if (answer.verdict == SERVICE_POISON) {
        refuse_poison(activations, child_name(child), &answer);
        let_go(child, true);
        return;
    }
    child->slot->restarts_total++;
    start_in(child, answer.delay_ms);
}

void activations_on_end(struct child *child, const char *reason)
{
    struct supervisor *supervisor = child->supervisor;
    struct activations *activations = &supervisor->activations;
    bool failed = !reason_is_orderly(reason);
    struct service_end end = {.was_ready = child->was_ready,
                              .wants_restart =
                                  child->need == NEED_RESTART || child->need == NEED_RESTART_AFTER,
                              .is_awaited = is_awaited(child)};

    activations->counts->idle_stops += strcmp(reason, REASON_IDLE) == 0;
    if (failed || end.wants_restart || !child->was_ready)
        note_failure(child, reason);
    /* Where services are shared, the next life has another epoch, and perhaps another node. */
    if (supervisor->mode != SUPERVISOR_ENDING && !offers_are_on(&supervisor->offers) &&
        service_restarts(&end)) {
        start_again(child);
        return;
    }
    if (!service_restarts(&end))
        answer_error(activations, child_name(child), CONTROL_E_FAILED,
                     child->ignored ? "it does not want to run" : reason);
    let_go(child, failed);
}

void activations_on_forget(struct supervisor *supervisor, const char *id, uint64_t epoch)
{
    struct activations *activations = &supervisor->activations;

    if (!activations->is_service || supervisor->shards.count)
        return;
    activations->counts->live--;
    if (epoch && activations->service.spec.state)
        claims_free(&activations->claims, id, epoch);
    if (!find_awaited(activations, id))
        return;
    if (supervisor->mode == SUPERVISOR_ENDING)
        answer_error(activations, id, CONTROL_E_STOPPING, "its service is stopping");
    else
        begin(activations, id);
}

/* ---- for people
 * ---------------------------------------------------------------------------------- */

/* Of the last whole seconds. */
static double rate_of(const struct activation_counts *counts)
{
    int64_t second = mono_now().us / 1000000;
    uint64_t sum = 0;

    for (int64_t s = second - SECONDS + 1; s < second; s++)
        if (s >= 0 && s <= counts->second && s > counts->second - SECONDS)
            sum += counts->by_second[s % SECONDS];
    return (double)sum / (SECONDS - 1);
}

/* Of the whole service; returns its rate. */
static double sum_up(struct activation_counts *sum)
{
    double rate = 0;

    for (unsigned i = 0; i < board_size; i++) {
        sum->live += board[i].live;
        sum->activations += board[i].activations;
        sum->idle_stops += board[i].idle_stops;
        sum->failures += board[i].failures;
        sum->refused += board[i].refused;
        sum->overloaded += board[i].overloaded;
        rate += rate_of(&board[i]);
    }
    return rate;
}

/* A front has no template of its own. */
static const char *module_of(const struct supervisor *supervisor)
{
    const struct spec_supervisor *spec = supervisor->spec;

    return (spec->template ? spec : spec->children[0].supervisor)->template->module;
}

static void add_count(struct facts *facts, const char *key, uint64_t count)
{
    facts_addf(facts, 'n', key, "%llu", (unsigned long long)count);
}

int activations_facts(struct activations *activations, struct facts *facts)
{
    const struct spec_service *spec = &activations->service.spec;
    struct activation_counts sum = {0};
    double rate = sum_up(&sum);

    *facts = (struct facts){0};
    facts_add(facts, 's', "service", activations->supervisor->path);
    facts_add(facts, 's', "module", module_of(activations->supervisor));
    add_count(facts, "instances", sum.live);
    add_count(facts, "max", spec->max);
    facts_addf(facts, 'n', "rate", "%.1f", rate);
    add_count(facts, "activations", sum.activations);
    add_count(facts, "idle_stops", sum.idle_stops);
    add_count(facts, "failures", sum.failures);
    add_count(facts, "refused", sum.refused);
    add_count(facts, "overloaded", sum.overloaded);
    facts_addf(facts, 'd', "idle", "%lld", (long long)spec->idle_ms);
    return facts_add(facts, 's', "placement", spec_placement_text(spec->placement));
}
