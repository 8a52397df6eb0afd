#include "store_suite.h"
#include "tap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE "shop/carts"

enum { ASK_MS = 15000 };

/* ---- asking -------------------------------------------------------------------------------------
 */

static struct ev_loop *loop;

struct ev_loop *suite_loop(void)
{
    if (!loop)
        loop = loop_create();
    return loop;
}

static void on_trouble(void *data, const char *why)
{
    tap_note("%s: %s", (const char *)data, why ? why : "answers");
}

struct store *suite_open(const struct store_config *config)
{
    struct store_config with = *config;
    struct error err;
    struct store *store;

    with.on_trouble = on_trouble;
    with.data = (void *)config->backend;
    store = store_open(suite_loop(), &with, &err);
    if (!store)
        tap_note("%s", err.text);
    return store;
}

void suite_run(int64_t ms)
{
    struct mono start = mono_now();

    for (int64_t left; (left = ms - mono_diff_ms(mono_now(), start)) > 0;)
        loop_run_for(suite_loop(), left);
}

/* An answer that was taken home. */
struct taken {
    struct store_answer answer;
    bool is_there;
};

static void take(void *data, const struct store_answer *answer)
{
    struct taken *taken = data;

    taken->answer = *answer;
    taken->answer.rows = (struct words){0};
    taken->answer.value = malloc(answer->value_size + 1);
    if (answer->value)
        memcpy(taken->answer.value, answer->value, answer->value_size + 1);
    for (size_t i = 0; i < answer->rows.count; i++)
        words_append(&taken->answer.rows, answer->rows.at[i]);
    taken->is_there = true;
}

static void forget(struct taken *taken)
{
    free(taken->answer.value);
    words_finish(&taken->answer.rows);
    memset(taken, 0, sizeof *taken);
}

static bool submit(struct store *store, struct store_request request, struct taken *taken)
{
    request.on_answer = take;
    request.data = taken;
    if (!mono_is_set(request.deadline))
        request.deadline = mono_add_ms(mono_now(), ASK_MS);
    return store_submit(store, &request) == 0;
}

static void await(const struct taken *taken)
{
    while (!taken->is_there)
        ev_run(suite_loop(), EVRUN_ONCE);
}

const struct store_answer *ask(struct store *store, struct store_request request)
{
    static struct taken taken;

    forget(&taken);
    if (submit(store, request, &taken))
        await(&taken);
    else
        taken.answer.status = (enum store_status) - 1;
    return &taken.answer;
}

const struct store_answer *get(struct store *store, const char *id)
{
    return ask(store, (struct store_request){
                          .op = STORE_STATE_GET, .service = SERVICE, .id = id, .name = "main"});
}

static struct store_request save(const char *id, int64_t epoch, int64_t version, const char *value)
{
    return (struct store_request){.op = STORE_STATE_PUT,
                                  .service = SERVICE,
                                  .id = id,
                                  .name = "main",
                                  .epoch = epoch,
                                  .version = version,
                                  .value = value,
                                  .value_size = strlen(value)};
}

const struct store_answer *put(struct store *store, const char *id, int64_t epoch, int64_t version,
                               const char *value)
{
    return ask(store, save(id, epoch, version, value));
}

static const struct store_answer *drop(struct store *store, const char *id, int64_t epoch,
                                       int64_t version)
{
    return ask(store, (struct store_request){.op = STORE_STATE_REMOVE,
                                             .service = SERVICE,
                                             .id = id,
                                             .name = "main",
                                             .epoch = epoch,
                                             .version = version});
}

bool holds(const struct store_answer *answer, const char *value)
{
    return answer->status == STORE_OK && answer->value_size == strlen(value) &&
           !memcmp(answer->value, value, answer->value_size);
}

static struct store_request claim_of(const char *id, const char *node, int64_t epoch)
{
    return (struct store_request){.op = STORE_PLACE_CLAIM,
                                  .service = SERVICE,
                                  .id = id,
                                  .node = node,
                                  .generation = "g1",
                                  .epoch = epoch};
}

static const struct store_answer *claim(struct store *store, const char *id, const char *node,
                                        int64_t epoch)
{
    return ask(store, claim_of(id, node, epoch));
}

static const struct store_answer *place(struct store *store, enum store_op op, const char *id,
                                        int64_t epoch)
{
    return ask(store,
               (struct store_request){.op = op, .service = SERVICE, .id = id, .epoch = epoch});
}

static const struct store_answer *enter(struct store *store, const char *node,
                                        const char *generation)
{
    return ask(store, (struct store_request){.op = STORE_NODE_INSERT,
                                             .node = node,
                                             .generation = generation,
                                             .state = "alive",
                                             .url = "tcp://127.0.0.1:1",
                                             .services = "shop/carts",
                                             .load = "0.5"});
}

static const struct store_answer *node(struct store *store, enum store_op op, const char *name,
                                       const char *state, int64_t beat, const char *wanted)
{
    return ask(store, (struct store_request){.op = op,
                                             .node = name,
                                             .generation = "g1",
                                             .state = state,
                                             .beat = beat,
                                             .wanted = wanted,
                                             .load = "1.5"});
}

static void declare_dead(struct store *store, const char *name)
{
    node(store, STORE_NODE_SET, name, "alive", STORE_ANY, "dead");
}

/* ---- a scratch directory ------------------------------------------------------------------------
 */

static char scratch[64];
static pid_t scratch_owner;

int suite_shell(const char *format, ...)
{
    char command[4096];
    va_list args;
    int status;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void remove_scratch(void)
{
    if (getpid() == scratch_owner && suite_shell("rm -rf '%s'", scratch) != 0)
        tap_note("%s is left", scratch);
}

const char *suite_dir(void)
{
    if (!*scratch) {
        strcpy(scratch, "/tmp/ts.XXXXXX");
        if (!mkdtemp(scratch))
            abort();
        scratch_owner = getpid();
        atexit(remove_scratch);
    }
    return scratch;
}

/* ---- state rows ---------------------------------------------------------------------------------
 */

static void check_saves(struct store *store)
{
    const struct store_answer *answer;
    int64_t first, second;

    CHECK(get(store, "1")->status == STORE_NOT_FOUND, "what was never saved is not found");
    answer = put(store, "1", STORE_NO_FENCE, STORE_NONE, "a");
    first = answer->version;
    CHECK(answer->status == STORE_OK && first > 0, "a first save is accepted, with a version");
    answer = get(store, "1");
    CHECK(holds(answer, "a") && answer->version == first && answer->saved_us > 0, "and read back");
    answer = put(store, "1", STORE_NO_FENCE, STORE_NONE, "b");
    CHECK(answer->status == STORE_CONFLICT && answer->version == first,
          "another first save is a conflict, which tells the version");
    answer = put(store, "1", STORE_NO_FENCE, first, "c");
    second = answer->version;
    CHECK(answer->status == STORE_OK && second == first + 1,
          "a save over the right version is one more");
    CHECK(put(store, "1", STORE_NO_FENCE, first, "d")->status == STORE_CONFLICT,
          "a save over a version that is past is a conflict");
    CHECK(holds(get(store, "1"), "c"), "and changes nothing");
    CHECK(put(store, "1", STORE_NO_FENCE, STORE_ANY, "e")->status == STORE_OK &&
              holds(get(store, "1"), "e"),
          "a save over any version is accepted");
    CHECK(put(store, "none", STORE_NO_FENCE, 7, "x")->status == STORE_CONFLICT,
          "a save over what is not there is a conflict");
    CHECK(drop(store, "1", STORE_NO_FENCE, second)->status == STORE_CONFLICT,
          "a removal of a version that is past is a conflict");
    CHECK(drop(store, "1", STORE_NO_FENCE, second + 1)->status == STORE_OK,
          "a removal is accepted");
    CHECK(get(store, "1")->status == STORE_NOT_FOUND, "and nothing is left");
    CHECK(drop(store, "1", STORE_NO_FENCE, STORE_ANY)->status == STORE_NOT_FOUND,
          "to be removed again");
    answer = put(store, "1", STORE_NO_FENCE, STORE_NONE, "f");
    CHECK(answer->status == STORE_OK && answer->version > second + 1,
          "a row that is made anew has a version that it never had");
}

static void check_values(struct store *store)
{
    static char bytes[1 << 20];
    struct store_request request = save("bytes", STORE_NO_FENCE, STORE_ANY, "");
    const struct store_answer *answer;

    CHECK(ask(store, request)->status == STORE_OK && holds(get(store, "bytes"), "") &&
              get(store, "bytes")->schema == 0,
          "an empty value is one");
    request.schema = 7;
    ask(store, request);
    CHECK(get(store, "bytes")->schema == 7, "the schema of a value is kept beside it");
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31 >> 3);
    request.value = bytes;
    request.value_size = sizeof bytes;
    ask(store, request);
    answer = get(store, "bytes");
    CHECK(answer->status == STORE_OK && answer->value_size == sizeof bytes &&
              !memcmp(answer->value, bytes, sizeof bytes),
          "a million bytes of every kind come back");
    request.value_size = STORE_VALUE_MAX + 1;
    CHECK(store_submit(store, &request) < 0 && errno == EMSGSIZE, "a value has a bound");
}

static const struct store_answer *list(struct store *store, const char *service, const char *id,
                                       const char *name, uint32_t limit)
{
    return ask(
        store,
        (struct store_request){
            .op = STORE_STATE_LIST, .service = service, .id = id, .name = name, .limit = limit});
}

static void check_list(struct store *store)
{
    static const char *const names[] = {"b", "a", "c"};
    const struct store_answer *answer;

    for (int i = 0; i < 6; i++)
        ask(store, (struct store_request){.op = STORE_STATE_PUT,
                                          .service = i < 3 ? "list" : "list/er",
                                          .id = i == 2 ? "10" : "2",
                                          .name = names[i % 3],
                                          .version = STORE_ANY,
                                          .value = "12345",
                                          .value_size = 5});
    answer = list(store, "list", "", "", 0);
    CHECK(answer->status == STORE_OK && answer->rows.count == 3 * STORE_STATE_COLUMNS,
          "a list holds the rows of its service only");
    if (answer->rows.count != 3 * STORE_STATE_COLUMNS)
        return;
    CHECK(!strcmp(answer->rows.at[0], "10") && !strcmp(answer->rows.at[6], "a") &&
              !strcmp(answer->rows.at[11], "b"),
          "in the order of ids and names");
    CHECK(!strcmp(answer->rows.at[3], "5") && atoll(answer->rows.at[2]) > 0 &&
              atoll(answer->rows.at[4]) > 0,
          "with version, size and time");
    answer = list(store, "list", "2", "a", 1);
    CHECK(answer->rows.count == STORE_STATE_COLUMNS && !strcmp(answer->rows.at[1], "b"),
          "it goes on after a row, and ends at its limit");
    CHECK(list(store, "nothing", "", "", 0)->rows.count == 0,
          "a service without state has an empty list");
}

/* ---- reminders ----------------------------------------------------------------------------------
 */

static struct store_request reminder(enum store_op op, const char *id, int64_t version, int64_t due,
                                     int64_t period)
{
    return (struct store_request){.op = op,
                                  .service = SERVICE,
                                  .id = id,
                                  .name = "tick",
                                  .version = version,
                                  .due = due,
                                  .period = period,
                                  .message = "remind"};
}

static const struct store_answer *remind(struct store *store, enum store_op op, const char *id,
                                         int64_t version, int64_t due)
{
    return ask(store, reminder(op, id, version, due, 500));
}

/* How many are due by then; the first is *id's. */
static size_t due_by(struct store *store, int64_t until, uint32_t limit, const char **id)
{
    struct store_request request = {.op = STORE_REMINDER_DUE, .due = until, .limit = limit};
    const struct store_answer *answer = ask(store, request);

    *id = answer->rows.count ? answer->rows.at[1] : "";
    return answer->rows.count / STORE_REMINDER_COLUMNS;
}

static void check_reminders(struct store *store)
{
    const struct store_answer *answer;
    struct store_request owned = reminder(STORE_REMINDER_PUT, "r3", STORE_ANY, 9000, 0);
    const char *first;
    int64_t version, later;

    answer = remind(store, STORE_REMINDER_PUT, "r1", STORE_NONE, 2000);
    version = answer->version;
    CHECK(answer->status == STORE_OK && version > 0, "a reminder is kept, with a version");
    CHECK(remind(store, STORE_REMINDER_PUT, "r1", STORE_NONE, 2000)->status == STORE_CONFLICT,
          "once for its name");
    CHECK(remind(store, STORE_REMINDER_PUT, "r2", STORE_NONE, 1000)->status == STORE_OK &&
              due_by(store, 999, 0, &first) == 0,
          "before its time nothing is due");
    CHECK(due_by(store, 2000, 0, &first) == 2 && !strcmp(first, "r2"),
          "what is due is listed, the earliest first");
    CHECK(due_by(store, 2000, 1, &first) == 1 && !strcmp(first, "r2"), "up to the limit");
    answer = ask(store, (struct store_request){.op = STORE_REMINDER_DUE, .due = 1000});
    CHECK(answer->rows.count == STORE_REMINDER_COLUMNS && !strcmp(answer->rows.at[0], SERVICE) &&
              !strcmp(answer->rows.at[2], "tick") && !strcmp(answer->rows.at[3], "1000") &&
              !strcmp(answer->rows.at[4], "500") && !strcmp(answer->rows.at[5], "remind"),
          "with all of it");
    answer = remind(store, STORE_REMINDER_ADVANCE, "r1", version, 3000);
    later = answer->version;
    CHECK(answer->status == STORE_OK && later == version + 1 && due_by(store, 2000, 0, &first) == 1,
          "who tells it puts it off");
    CHECK(remind(store, STORE_REMINDER_ADVANCE, "r1", version, 4000)->status == STORE_CONFLICT &&
              due_by(store, 3000, 0, &first) == 2,
          "another who has read it before does not");
    CHECK(remind(store, STORE_REMINDER_ADVANCE, "r1", later, 0)->status == STORE_OK &&
              due_by(store, 9000, 0, &first) == 1,
          "one that is over is gone");
    CHECK(remind(store, STORE_REMINDER_ADVANCE, "r1", later, 5000)->status == STORE_NOT_FOUND,
          "and is not put off any more");
    CHECK(remind(store, STORE_REMINDER_REMOVE, "r2", STORE_ANY, 0)->status == STORE_OK &&
              remind(store, STORE_REMINDER_REMOVE, "r2", STORE_ANY, 0)->status == STORE_NOT_FOUND &&
              due_by(store, 9000, 0, &first) == 0,
          "one is removed, once");
    owned.epoch = 77;
    CHECK(ask(store, owned)->status == STORE_FENCED, "who does not own the place sets none");
}

/* ---- epochs, nodes, places ----------------------------------------------------------------------
 */

static void check_epochs(struct store *store, const struct store_config *config)
{
    static struct taken taken[300];
    struct store *again;
    int64_t last = 0;
    bool grow = true;

    for (int i = 0; i < 300; i++)
        submit(store, (struct store_request){.op = STORE_EPOCH}, &taken[i]);
    for (int i = 0; i < 300; i++) {
        await(&taken[i]);
        grow = grow && taken[i].answer.status == STORE_OK && taken[i].answer.epoch > last;
        last = taken[i].answer.epoch;
        forget(&taken[i]);
    }
    CHECK(grow, "300 epochs that are asked for at once grow");
    again = suite_open(config);
    CHECK(ask(again, (struct store_request){.op = STORE_EPOCH})->epoch > last,
          "and go on above when the store is opened anew");
    store_close(again);
}

static void check_nodes(struct store *store)
{
    const struct store_answer *answer;

    CHECK(node(store, STORE_NODE_BEAT, "east", "alive", 0, NULL)->status == STORE_NOT_FOUND,
          "a node that has no row does not beat");
    CHECK(enter(store, "east", "g1")->status == STORE_OK, "a node enters");
    CHECK(enter(store, "east", "g1")->status == STORE_CONFLICT, "once");
    answer = enter(store, "east", "g2");
    CHECK(answer->status == STORE_CONFLICT && !strcmp(answer->generation, "g1"),
          "another generation of its name is refused while it is not dead");
    node(store, STORE_NODE_BEAT, "east", "alive", 0, NULL);
    answer = node(store, STORE_NODE_BEAT, "east", "alive", 0, NULL);
    CHECK(answer->status == STORE_OK && answer->beat == 2, "each beat is one more");
    answer = node(store, STORE_NODE_BEAT, "east", "draining", 0, NULL);
    CHECK(answer->status == STORE_CONFLICT && !strcmp(answer->state, "alive"),
          "a beat in another state is a conflict, which tells the state");
    answer = ask(store, (struct store_request){.op = STORE_NODE_LIST});
    CHECK(answer->rows.count == STORE_NODE_COLUMNS && !strcmp(answer->rows.at[0], "east") &&
              !strcmp(answer->rows.at[1], "g1") && !strcmp(answer->rows.at[2], "alive") &&
              !strcmp(answer->rows.at[3], "2") &&
              !strcmp(answer->rows.at[4], "tcp://127.0.0.1:1") &&
              !strcmp(answer->rows.at[5], "shop/carts") && !strcmp(answer->rows.at[6], "1.5"),
          "the table tells all of it");
    answer = node(store, STORE_NODE_SET, "east", "alive", 1, "dead");
    CHECK(answer->status == STORE_CONFLICT && answer->beat == 2,
          "who saw an older beat does not set it dead");
    CHECK(node(store, STORE_NODE_REMOVE, "east", NULL, 0, NULL)->status == STORE_CONFLICT,
          "who lives is not removed");
    CHECK(node(store, STORE_NODE_SET, "east", "alive", 2, "dead")->status == STORE_OK,
          "who saw the last beat does");
    CHECK(node(store, STORE_NODE_BEAT, "east", "alive", 0, NULL)->status == STORE_CONFLICT,
          "the dead do not beat");
    CHECK(node(store, STORE_NODE_SET, "east", "dead", STORE_ANY, "alive")->status == STORE_CONFLICT,
          "and do not come to life");
    CHECK(enter(store, "east", "g2")->status == STORE_OK,
          "its name is free for the next generation");
    CHECK(node(store, STORE_NODE_REMOVE, "east", NULL, 0, NULL)->status == STORE_OK &&
              node(store, STORE_NODE_REMOVE, "east", NULL, 0, NULL)->status == STORE_NOT_FOUND,
          "the dead are removed");
    CHECK(node(store, STORE_NODE_SET, "nobody", "alive", STORE_ANY, "dead")->status ==
              STORE_NOT_FOUND,
          "nothing is set of who is not there");
}

static void check_places(struct store *store)
{
    const struct store_answer *answer;
    int64_t first, second;

    CHECK(place(store, STORE_PLACE_READ, "1", 0)->status == STORE_NOT_FOUND,
          "an id without a place is not found");
    CHECK(claim(store, "1", "stranger", 0)->status == STORE_FENCED,
          "a node without a row claims nothing");
    enter(store, "a", "g1");
    enter(store, "b", "g1");
    answer = claim(store, "1", "a", 0);
    first = answer->epoch;
    CHECK(answer->status == STORE_OK && first > 0,
          "a place that is absent is claimed, with an epoch");
    answer = place(store, STORE_PLACE_READ, "1", 0);
    CHECK(answer->status == STORE_OK && answer->epoch == first && !strcmp(answer->node, "a") &&
              !strcmp(answer->generation, "g1"),
          "and read back");
    answer = claim(store, "1", "b", 0);
    CHECK(answer->status == STORE_CONFLICT && !strcmp(answer->node, "a") && answer->epoch == first,
          "another claim is a conflict, which tells the holder");
    CHECK(claim(store, "1", "b", first)->status == STORE_CONFLICT, "also one that knows the epoch");
    CHECK(claim(store, "1", "a", 0)->status == STORE_CONFLICT,
          "and one of the holder that does not");
    answer = claim(store, "1", "a", first);
    second = answer->epoch;
    CHECK(answer->status == STORE_OK && second > first,
          "the holder's own, with its epoch, is a new start");
    CHECK(place(store, STORE_PLACE_FREE, "1", first)->status == STORE_CONFLICT,
          "a past epoch does not free it");
    CHECK(place(store, STORE_PLACE_FREE, "1", second)->status == STORE_OK, "the present one does");
    CHECK(place(store, STORE_PLACE_READ, "1", 0)->status == STORE_NOT_FOUND,
          "and leaves nothing of it");
    CHECK(place(store, STORE_PLACE_FREE, "1", second)->status == STORE_NOT_FOUND,
          "so that it is freed once");
    answer = claim(store, "1", "b", 0);
    CHECK(answer->status == STORE_OK && answer->epoch > second,
          "who claims it after that has a later epoch");
    declare_dead(store, "b");
    CHECK(claim(store, "1", "b", 0)->status == STORE_FENCED, "the dead claim nothing");
    first = claim(store, "1", "a", 0)->epoch;
    CHECK(first > second, "the place of a dead generation is claimed by another");
    CHECK(place(store, STORE_PLACE_FREE, "none", 1)->status == STORE_NOT_FOUND,
          "a place that is absent is not freed");
}

static void check_fence(struct store *store)
{
    int64_t old, new;

    enter(store, "c", "g1");
    enter(store, "d", "g1");
    old = claim(store, "fenced", "c", 0)->epoch;
    CHECK(put(store, "fenced", old, STORE_NONE, "one")->status == STORE_OK, "the owner saves");
    CHECK(get(store, "fenced")->epoch == old, "and the row tells its epoch");
    declare_dead(store, "c");
    CHECK(put(store, "fenced", old, STORE_ANY, "two")->status == STORE_OK,
          "its save is accepted until another has the place");
    new = claim(store, "fenced", "d", 0)->epoch;
    CHECK(put(store, "fenced", old, STORE_ANY, "three")->status == STORE_FENCED,
          "a save of an epoch that is past is refused");
    CHECK(drop(store, "fenced", old, STORE_ANY)->status == STORE_FENCED, "and a removal");
    CHECK(put(store, "fenced", new + 1, STORE_ANY, "four")->status == STORE_FENCED,
          "and a save of an epoch to come");
    CHECK(holds(get(store, "fenced"), "two"), "nothing of them is there");
    CHECK(put(store, "fenced", new, STORE_ANY, "five")->status == STORE_OK, "the new owner saves");
    place(store, STORE_PLACE_FREE, "fenced", new);
    CHECK(put(store, "fenced", new, STORE_ANY, "six")->status == STORE_FENCED,
          "not after it has let go");
    CHECK(put(store, "homeless", new, STORE_NONE, "x")->status == STORE_FENCED,
          "nor does anybody where there is no place");
}

static const struct store_answer *places(struct store *store, const char *service, const char *node,
                                         const char *after, const char *id, uint32_t limit)
{
    return ask(store, (struct store_request){.op = STORE_PLACE_LIST,
                                             .service = service,
                                             .node = node,
                                             .generation = "g1",
                                             .after = after,
                                             .id = id,
                                             .limit = limit});
}

static void check_place_list(struct store *store)
{
    static const char *const services[] = {"lists/b", "lists/a", "lists/a/b"};
    const struct store_answer *answer;
    struct store_request request;

    enter(store, "lister", "g1");
    enter(store, "other", "g1");
    for (int i = 0; i < 6; i++) {
        request = claim_of(i % 2 ? "2" : "1", i == 5 ? "other" : "lister", 0);
        request.service = services[i / 2];
        ask(store, request);
    }
    answer = places(store, "", "lister", "", "", 0);
    CHECK(answer->rows.count == 5 * STORE_PLACE_COLUMNS && !strcmp(answer->rows.at[0], "lists/a") &&
              !strcmp(answer->rows.at[1], "1") && !strcmp(answer->rows.at[2], "lister") &&
              !strcmp(answer->rows.at[3], "g1") && atoll(answer->rows.at[4]) > 0,
          "a node's places are listed, by service and id");
    answer = places(store, "", "lister", "lists/a", "2", 1);
    CHECK(answer->rows.count == STORE_PLACE_COLUMNS && !strcmp(answer->rows.at[0], "lists/a/b"),
          "going on after a row, up to a limit");
    answer = places(store, "lists/a", "", "", "", 0);
    CHECK(answer->rows.count == 2 * STORE_PLACE_COLUMNS && !strcmp(answer->rows.at[6], "2"),
          "those of a service, without those of one below it");
}

/* Save, then free, then another's claim, without waiting: the order is kept. */
static void check_order(struct store *store)
{
    static struct taken taken[3];
    int64_t epoch;

    enter(store, "o1", "g1");
    enter(store, "o2", "g1");
    epoch = claim(store, "order", "o1", 0)->epoch;
    submit(store, save("order", epoch, STORE_NONE, "last words"), &taken[0]);
    submit(store,
           (struct store_request){
               .op = STORE_PLACE_FREE, .service = SERVICE, .id = "order", .epoch = epoch},
           &taken[1]);
    submit(store, claim_of("order", "o2", 0), &taken[2]);
    for (int i = 0; i < 3; i++) {
        await(&taken[i]);
        CHECK(taken[i].answer.status == STORE_OK,
              "request %d of one id goes after the one before it", i + 1);
        forget(&taken[i]);
    }
}

/* ---- a stale save races a takeover ----------------------------------------------------------- */

enum { FIRST_DUE = 1, STALE_DUE };

/* The frozen owner, a process of its own: for each order it saves over the version it knows, or
 * sets the reminder anew. */
struct stale_order {
    int round;
    bool is_reminder;
    int64_t epoch, version;
};

/* As save(), of the race's reminder. */
static const struct store_answer *set(struct store *store, const char *id, int64_t epoch,
                                      int64_t version, int64_t due)
{
    struct store_request request = reminder(STORE_REMINDER_PUT, id, version, due, 0);

    request.epoch = epoch;
    return ask(store, request);
}

static enum store_status write_stale(struct store *store, const char *id,
                                     const struct stale_order *order)
{
    if (order->is_reminder)
        return set(store, id, order->epoch, order->version, STALE_DUE)->status;
    return put(store, id, order->epoch, order->version, "stale")->status;
}

static int64_t write_first(struct store *store, const char *id, const struct stale_order *order)
{
    if (order->is_reminder)
        return set(store, id, order->epoch, STORE_NONE, FIRST_DUE)->version;
    return put(store, id, order->epoch, STORE_NONE, "first")->version;
}

/* Is what is kept of it the stale owner's? */
static bool holds_stale(struct store *store, const char *id, bool is_reminder)
{
    const char *first;

    if (!is_reminder)
        return holds(get(store, id), "stale");
    return due_by(store, FIRST_DUE, 0, &first) == 0;
}

static _Noreturn void be_stale_owner(const struct store_config *config, int orders, int answers)
{
    struct stale_order order;
    struct store *store;
    char id[16];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    loop = loop_create();
    store = store_open(loop, config, NULL);
    while (read(orders, &order, sizeof order) == sizeof order) {
        enum store_status status;

        snprintf(id, sizeof id, "race-%d", order.round);
        status = write_stale(store, id, &order);
        if (write(answers, &status, sizeof status) != sizeof status)
            break;
    }
    _exit(0);
}

struct race {
    int orders, answers;
    pid_t pid;
    bool is_of_reminders;
    int accepted, refused, broken;
};

static void start_stale_owner(struct race *race, const struct store_config *config)
{
    int down[2], up[2];

    if (pipe(down) < 0 || pipe(up) < 0)
        abort();
    race->pid = fork();
    if (race->pid == 0) {
        close(down[1]);
        close(up[0]);
        be_stale_owner(config, down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    race->orders = down[1];
    race->answers = up[0];
}

/* What the new owner read after its claim is what is there in the end: the stale save came before,
 * or never. */
static void race_once(struct store *store, struct race *race, int round)
{
    struct stale_order order = {.round = round, .is_reminder = race->is_of_reminders};
    enum store_status status;
    char id[16];
    bool was_stale, is_stale;

    snprintf(id, sizeof id, "race-%d", round);
    order.epoch = claim(store, id, "old", 0)->epoch;
    order.version = write_first(store, id, &order);
    if (write(race->orders, &order, sizeof order) != sizeof order)
        abort();
    for (int i = 0; i < round % 7; i++) /* at another moment each time */
        place(store, STORE_PLACE_READ, id, 0);
    place(store, STORE_PLACE_FREE, id, order.epoch);
    race->broken += claim(store, id, "new", 0)->status != STORE_OK;
    was_stale = holds_stale(store, id, order.is_reminder);
    if (read(race->answers, &status, sizeof status) != sizeof status)
        abort();
    is_stale = holds_stale(store, id, order.is_reminder);
    race->accepted += status == STORE_OK;
    race->refused += status == STORE_FENCED;
    race->broken += was_stale != is_stale || is_stale != (status == STORE_OK) ||
                    (status != STORE_OK && status != STORE_FENCED);
    if (order.is_reminder)
        remind(store, STORE_REMINDER_REMOVE, id, STORE_ANY, 0);
}

static void check_race(struct store *store, const struct store_config *config, bool is_of_reminders)
{
    struct race race = {.is_of_reminders = is_of_reminders};
    int rounds = 1000;

    start_stale_owner(&race, config);
    for (int i = 0; i < rounds; i++)
        race_once(store, &race, i);
    close(race.orders);
    close(race.answers);
    waitpid(race.pid, NULL, 0);
    CHECK(race.broken == 0, "%d stale %s race a takeover: each came before it, or never", rounds,
          is_of_reminders ? "reminders" : "saves");
    CHECK(race.accepted > 0 && race.refused > 0 && race.accepted + race.refused == rounds,
          "some won (%d), some lost (%d)", race.accepted, race.refused);
}

void store_suite(const struct store_config *config)
{
    struct store *store = suite_open(config);

    if (!tap_ok(store != NULL, "a %s store is opened", config->backend))
        return;
    check_saves(store);
    check_values(store);
    check_list(store);
    check_reminders(store);
    check_epochs(store, config);
    check_nodes(store);
    check_places(store);
    check_fence(store);
    check_place_list(store);
    check_order(store);
    enter(store, "old", "g1");
    enter(store, "new", "g1");
    check_race(store, config, false);
    check_race(store, config, true);
    store_close(store);
}
