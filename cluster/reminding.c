#include "reminding.h"

#include "control.h"
#include "delivery.h"
#include "logline.h"
#include "loop.h"
#include "memory.h"
#include "mono.h"
#include "text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct reminding {
    struct reminding_options options;
    struct ledger *ledger;
    struct reminders *reminders;
    LIST_HEAD(telling_list, telling) telling;
    ev_timer tick;
};

/* A reminder while its actor is called. */
struct telling {
    LIST_ENTRY(telling) entry;
    struct reminding *reminding;
    struct reminder *reminder;
    struct delivery *delivery;
    char node[ADDR_PART_MAX + 1]; /* that is asked; our own: here */
};

/* A reminder while its row is advanced. */
struct advancing {
    struct reminding *reminding;
    struct reminder *reminder;
};

static struct reminders_time now(void)
{
    return (struct reminders_time){wall_now_us(), mono_now().us / 1000};
}

static struct reminders_company company_of(const struct reminding *reminding)
{
    const struct reminding_options *options = &reminding->options;
    struct reminders_company company = {0};

    if (!options->nodes)
        return company;
    company.node = options->node;
    company.count = options->nodes(options->data, &company.rows);
    return company;
}

/* After whatever has happened. */
static void set_timer(struct reminding *reminding)
{
    int64_t in_ms = reminders_due_in_ms(reminding->reminders, now());

    ev_timer_stop(reminding->options.loop, &reminding->tick);
    if (in_ms < 0)
        return;
    ev_now_update(reminding->options.loop);
    ev_timer_set(&reminding->tick, (double)in_ms / 1000, 0.);
    ev_timer_start(reminding->options.loop, &reminding->tick);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct reminding *reminding = container_of(timer, struct reminding, tick);
    struct reminders_company company = company_of(reminding);

    (void)loop;
    (void)events;
    reminders_tick(reminding->reminders, &company, now());
    set_timer(reminding);
}

/* ---- looking --------------------------------------------------------------------------------- */

/* Nobody has to be asked again and again who is not there at all. */
static bool has_store(const struct reminding *reminding)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/sys/store", reminding->options.run_dir);
    return access(path, F_OK) == 0;
}

static void on_rows(void *data, const struct ledger_answer *answer)
{
    struct reminding *reminding = data;
    struct reminders_company company = company_of(reminding);

    if (answer->outcome == LEDGER_DONE)
        reminders_found(reminding->reminders, answer->rows, &company, now());
    else
        reminders_silent(reminding->reminders, has_store(reminding), now());
    set_timer(reminding);
}

static void look(void *data, int64_t until_us, uint32_t limit)
{
    struct reminding *reminding = data;
    const union wire_value values[] = {ledger_number(until_us), ledger_number(limit)};

    ledger_ask(reminding->ledger, &(struct ledger_request){CONTROL_REMINDER_DUE, "II", values, NULL,
                                                           on_rows, reminding});
}

/* ---- telling --------------------------------------------------------------------------------- */

static void log_failure(const struct reminding *reminding, const struct reminder *reminder,
                        const char *failure)
{
    struct buf line = {0};

    logline_begin(&line, "warn", reminding->options.path, "reminder.failed");
    logline_add(&line, "service", reminder->service);
    logline_add(&line, "id", reminder->id);
    logline_add(&line, "name", reminder->name);
    logline_add(&line, "reason", failure);
    if (buf_append(&line, "\n", 1) == 0 &&
        write(STDOUT_FILENO, buf_front(&line), buf_length(&line)) < 0)
        (void)0; /* nobody listens: not our loss */
    buf_finish(&line);
}

static void call(struct telling *telling);

/* Might it be on another node? That is known of none that was not reached. */
static bool go_on(struct telling *telling, const char *failure)
{
    static const char *const heads[] = {"noproc", "noconnection", "denied"};
    const struct reminder *reminder = telling->reminder;
    struct reminders_company company = company_of(telling->reminding);
    const char *next = NULL;

    for (size_t i = 0; failure && company.node && i < sizeof heads / sizeof *heads; i++)
        if (!strncmp(failure, heads[i], strlen(heads[i])))
            next = reminders_node(&company, reminder->service, reminder->id, telling->node);
    if (!next)
        return false;
    snprintf(telling->node, sizeof telling->node, "%s", next);
    call(telling);
    return true;
}

static void on_told(void *data, const char *failure)
{
    struct telling *telling = data;
    struct reminding *reminding = telling->reminding;
    struct reminder *reminder = telling->reminder;

    telling->delivery = NULL; /* it ends with this */
    if (go_on(telling, failure))
        return;
    if (failure && reminder->failures == 0) /* once for all that follow */
        log_failure(reminding, reminder, failure);
    LIST_REMOVE(telling, entry);
    free(telling);
    reminders_told(reminding->reminders, reminder, failure, now());
    set_timer(reminding);
}

/* Its arguments are the name and the count: "sU". */
static void call(struct telling *telling)
{
    const struct reminding_options *options = &telling->reminding->options;
    const struct reminder *reminder = telling->reminder;
    const union wire_value values[] = {ledger_text(reminder->name), {.u = reminder->count}};
    struct delivery_options delivery = {.loop = options->loop,
                                        .run_dir = options->run_dir,
                                        .self = options->self,
                                        .message = reminder->message,
                                        .patience_ms = REMINDING_PATIENCE_MS,
                                        .done = on_told,
                                        .data = telling};
    struct wire_image arguments;
    char path[ADDR_PATH_MAX + 1];

    if (wire_pack_values("sU", values, &arguments) < 0)
        memory_fail();
    snprintf(path, sizeof path, "%s/%s", reminder->service, reminder->id);
    delivery.path = path;
    delivery.node = strcmp(telling->node, options->node) ? telling->node : "";
    delivery.arguments = &arguments;
    telling->delivery = delivery_send(&delivery);
    wire_image_finish(&arguments);
}

static void tell(void *data, struct reminder *reminder)
{
    struct reminding *reminding = data;
    struct telling *telling = memory_zeroed(sizeof *telling);

    telling->reminding = reminding;
    telling->reminder = reminder;
    snprintf(telling->node, sizeof telling->node, "%s", reminding->options.node);
    LIST_INSERT_HEAD(&reminding->telling, telling, entry);
    call(telling);
}

/* ---- advancing ------------------------------------------------------------------------------- */

static void on_advanced(void *data, const struct ledger_answer *answer)
{
    struct advancing *advancing = data;
    struct reminding *reminding = advancing->reminding;

    reminders_advanced(reminding->reminders, advancing->reminder, answer->outcome, now());
    free(advancing);
    set_timer(reminding);
}

static void advance(void *data, struct reminder *reminder)
{
    struct reminding *reminding = data;
    struct advancing *advancing = memory_zeroed(sizeof *advancing);
    const union wire_value values[] = {
        ledger_text(reminder->service), ledger_text(reminder->id), ledger_text(reminder->name),
        ledger_number(reminder->version), ledger_number(reminder->next_us)};

    advancing->reminding = reminding;
    advancing->reminder = reminder;
    ledger_ask(reminding->ledger, &(struct ledger_request){CONTROL_REMINDER_ADVANCE, "sssII",
                                                           values, "I", on_advanced, advancing});
}

/* ---- what sys/store says --------------------------------------------------------------------- */

bool reminding_visit(struct reminding *reminding, const char *verb, const struct visit *visit)
{
    uint64_t due_us;

    if (strcmp(verb, CONTROL_REMINDER_SET) != 0)
        return false;
    if (!visit_has_words(visit, 1, 1, "expected DUE_US"))
        return true;
    if (text_unsigned(visit->words[0], 0, INT64_MAX, &due_us) < 0) {
        visit_refuse(visit, CONTROL_E_BAD, "DUE_US: expected a number");
        return true;
    }
    visit_reply(visit, NULL);
    reminders_set(reminding->reminders, (int64_t)due_us);
    set_timer(reminding);
    return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct reminding *reminding_create(const struct reminding_options *options)
{
    static const struct reminders_hooks hooks = {look, tell, advance};
    struct reminding *reminding = memory_zeroed(sizeof *reminding);

    reminding->options = *options;
    reminding->ledger = ledger_create(options->loop, options->run_dir, options->self);
    reminding->reminders = reminders_create(&hooks, reminding);
    LIST_INIT(&reminding->telling);
    ev_init(&reminding->tick, on_tick);
    set_timer(reminding);
    return reminding;
}

void reminding_destroy(struct reminding *reminding)
{
    struct telling *telling;

    if (!reminding)
        return;
    ev_timer_stop(reminding->options.loop, &reminding->tick);
    while ((telling = LIST_FIRST(&reminding->telling))) {
        LIST_REMOVE(telling, entry);
        delivery_cancel(telling->delivery);
        free(telling);
    }
    ledger_destroy(reminding->ledger);
    reminders_destroy(reminding->reminders);
    free(reminding);
}
