#include "columns.h"

#include "mono.h"
#include "place.h"
#include "text.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define VALUE(column)                                                                              \
    static const char *column##_value(const struct row *row, const struct column_view *view,       \
                                      char scratch[COLUMN_TEXT_SIZE])
#define SHOW(column)                                                                               \
    static const char *column##_show(const struct row *row, const struct column_view *view,        \
                                     char scratch[COLUMN_TEXT_SIZE])
#define UNUSED() ((void)view, (void)scratch)

static const char *number(char scratch[COLUMN_TEXT_SIZE], uint64_t value)
{
    snprintf(scratch, COLUMN_TEXT_SIZE, "%" PRIu64, value);
    return scratch;
}

/* A figure that only a live process has. */
/* Of one whose supervisor is silent nothing was measured: 0 would be a claim. */
static const char *number_of_process(const struct row *row, char scratch[COLUMN_TEXT_SIZE],
                                     uint64_t value)
{
    return row->pid && (row->state != ROW_LOST || value) ? number(scratch, value) : "";
}

VALUE(path)
{
    UNUSED();
    return row->path;
}

VALUE(pid)
{
    UNUSED();
    return number_of_process(row, scratch, row->pid);
}

VALUE(state)
{
    UNUSED();
    return row_state_text((enum row_state)row->state);
}

static uint64_t up_ms(const struct row *row, const struct column_view *view)
{
    int64_t us = view->now_us - (int64_t)row->started_us;

    return us > 0 ? (uint64_t)us / 1000 : 0;
}

VALUE(up)
{
    return row->started_us ? number_of_process(row, scratch, up_ms(row, view)) : "";
}

VALUE(rst)
{
    UNUSED();
    return number(scratch, row->restarts_total);
}

SHOW(rst)
{
    UNUSED();
    snprintf(scratch, COLUMN_TEXT_SIZE, "%" PRIu32 "/%" PRIu64, row->restarts_in_window,
             row->restarts_total);
    return scratch;
}

VALUE(window)
{
    UNUSED();
    return number(scratch, row->restarts_in_window);
}

VALUE(last)
{
    UNUSED();
    return row->last;
}

VALUE(mem)
{
    UNUSED();
    return number_of_process(row, scratch, row->memory);
}

VALUE(mbox)
{
    UNUSED();
    return number_of_process(row, scratch, row->mailbox_depth);
}

/* What waits; and for how long the present message has been handled, once that is worth a look. */
SHOW(mbox)
{
    char busy[32];

    UNUSED();
    if (!row->pid)
        return "-";
    if (row->busy_us < 1000000)
        return number(scratch, row->mailbox_depth);
    snprintf(scratch, COLUMN_TEXT_SIZE, "%" PRIu32 " busy %s", row->mailbox_depth,
             show_duration((int64_t)(row->busy_us / 1000), busy, sizeof busy));
    return scratch;
}

VALUE(mbox_bytes)
{
    UNUSED();
    return number_of_process(row, scratch, row->mailbox_bytes);
}

VALUE(busy)
{
    UNUSED();
    return number_of_process(row, scratch, row->busy_us / 1000);
}

VALUE(cpu)
{
    UNUSED();
    return number_of_process(row, scratch, row->cpu_ms);
}

/* Percent of one processor, averaged over its life. */
SHOW(cpu)
{
    uint64_t up = up_ms(row, view);

    if (!row->pid || !up)
        return "-";
    snprintf(scratch, COLUMN_TEXT_SIZE, "%.1f%%", (double)row->cpu_ms * 100 / (double)up);
    return scratch;
}

VALUE(in)
{
    UNUSED();
    return number_of_process(row, scratch, row->messages_in);
}

VALUE(out)
{
    UNUSED();
    return number_of_process(row, scratch, row->messages_out);
}

/* Of who has been looked at twice. */
static bool has_rates(const struct row *row, const struct column_view *view, uint64_t *in, uint64_t *out)
{
    return view->rates && row->pid && rates_of(view->rates, row, in, out);
}

VALUE(in_rate)
{
    uint64_t in, out;

    return has_rates(row, view, &in, &out) ? number(scratch, in) : "";
}

VALUE(out_rate)
{
    uint64_t in, out;

    return has_rates(row, view, &in, &out) ? number(scratch, out) : "";
}

VALUE(expired)
{
    UNUSED();
    return number_of_process(row, scratch, row->expired);
}

VALUE(dropped)
{
    UNUSED();
    return number_of_process(row, scratch, row->dropped);
}

VALUE(node)
{
    UNUSED();
    return place_is_elsewhere(row->path) ? place_node(row->path) : view->node;
}

/* Names are looked up once a change of user: most rows share one. */
VALUE(user)
{
    static char name[64];
    static uint32_t uid;
    struct passwd *entry;

    UNUSED();
    if (!row->pid)
        return "";
    if (!*name || uid != row->uid) {
        entry = getpwuid(row->uid);
        uid = row->uid;
        if (entry)
            snprintf(name, sizeof name, "%s", entry->pw_name);
        else
            snprintf(name, sizeof name, "%" PRIu32, row->uid);
    }
    return name;
}

VALUE(threads)
{
    UNUSED();
    return number_of_process(row, scratch, row->threads);
}

VALUE(fds)
{
    UNUSED();
    return number_of_process(row, scratch, row->fds);
}

VALUE(status)
{
    UNUSED();
    return row->status;
}

VALUE(kind)
{
    UNUSED();
    return row_kind_text((enum row_kind)row->kind);
}

VALUE(incarnation)
{
    UNUSED();
    return number(scratch, row->incarnation);
}

VALUE(restart)
{
    UNUSED();
    return row->restart;
}

static const char *moment(char scratch[COLUMN_TEXT_SIZE], uint64_t us)
{
    return us ? number(scratch, us) : "";
}

VALUE(since)
{
    UNUSED();
    return moment(scratch, row->since_us);
}

VALUE(started)
{
    UNUSED();
    return moment(scratch, row->started_us);
}

VALUE(strategy)
{
    UNUSED();
    return row->strategy;
}

VALUE(intensity)
{
    UNUSED();
    return row_supervises(row) && row->intensity != UINT32_MAX ? number(scratch, row->intensity) : "";
}

VALUE(used)
{
    UNUSED();
    return row_supervises(row) ? number(scratch, row->used) : "";
}

VALUE(period)
{
    UNUSED();
    return row_supervises(row) ? number(scratch, row->period_ms) : "";
}

const struct column columns[] = {
    {"path", "PATH", 's', COLUMN_ALWAYS, false, 16, "where it stands in the tree", path_value,
     NULL},
    {"pid", "PID", 'n', COLUMN_ALWAYS, true, 0, "its process", pid_value, NULL},
    {"state", "STATE", 's', COLUMN_ALWAYS, false, 0,
     "starting waiting ready stopping stopped exited failed backoff paused lost", state_value,
     NULL},
    {"up", "UP", 'd', COLUMN_ALWAYS, true, 0, "how long this incarnation has run", up_value, NULL},
    {"rst", "RST", 'n', COLUMN_ALWAYS, true, 0,
     "restarts: for people within the supervisor's window, and in all; else in all", rst_value,
     rst_show},
    {"last", "LAST", 's', COLUMN_ALWAYS, false, 8, "the last reason of an end", last_value, NULL},
    {"mem", "MEM", 'z', COLUMN_ALWAYS, true, 0, "memory: resident minus shared", mem_value, NULL},
    {"mbox", "MBOX", 'n', COLUMN_ALWAYS, true, 0,
     "messages that wait, and for how long the present one has been handled", mbox_value,
     mbox_show},
    {"cpu", "CPU", 'd', COLUMN_WIDE, true, 0,
     "processor time: for people as a share of its life, else in milliseconds", cpu_value,
     cpu_show},
    {"in", "IN", 'n', COLUMN_WIDE, true, 0, "messages received", in_value, NULL},
    {"out", "OUT", 'n', COLUMN_WIDE, true, 0, "messages sent", out_value, NULL},
    {"in_rate", "IN/S", 'n', COLUMN_RATES, true, 0, "messages received in a second", in_rate_value,
     NULL},
    {"out_rate", "OUT/S", 'n', COLUMN_RATES, true, 0, "messages sent in a second", out_rate_value,
     NULL},
    {"expired", "EXP", 'n', COLUMN_WIDE, true, 0, "messages whose time was up before their turn",
     expired_value, NULL},
    {"dropped", "DROP", 'n', COLUMN_WIDE, true, 0,
     "messages that were refused, or events that were missed", dropped_value, NULL},
    {"node", "NODE", 's', COLUMN_WIDE, false, 0, "the node that it belongs to", node_value, NULL},
    {"user", "USER", 's', COLUMN_WIDE, false, 0, "the user that it runs as", user_value, NULL},
    {"threads", "THR", 'n', COLUMN_WIDE, true, 0, "its threads", threads_value, NULL},
    {"fds", "FDS", 'n', COLUMN_WIDE, true, 0, "its open descriptors", fds_value, NULL},
    {"status", "STATUS", 's', COLUMN_WIDE, false, 8, "what it says of itself", status_value, NULL},
    {"kind", NULL, 's', COLUMN_ALWAYS, false, 0, "module, program, supervisor, service or attached",
     kind_value, NULL},
    {"incarnation", NULL, 'n', COLUMN_ALWAYS, true, 0, "grows with each start", incarnation_value,
     NULL},
    {"restart", NULL, 's', COLUMN_ALWAYS, false, 0, "permanent, transient or temporary",
     restart_value, NULL},
    {"window", NULL, 'n', COLUMN_ALWAYS, true, 0, "restarts within the supervisor's window",
     window_value, NULL},
    {"since", NULL, 't', COLUMN_ALWAYS, false, 0, "when it came into this state", since_value,
     NULL},
    {"started", NULL, 't', COLUMN_ALWAYS, false, 0, "when this incarnation was started",
     started_value, NULL},
    {"mbox_bytes", NULL, 'z', COLUMN_ALWAYS, true, 0, "bytes that wait in its mailbox",
     mbox_bytes_value, NULL},
    {"busy", NULL, 'd', COLUMN_ALWAYS, true, 0, "for how long the present message has been handled",
     busy_value, NULL},
    {"strategy", NULL, 's', COLUMN_ALWAYS, false, 0, "of a supervisor", strategy_value, NULL},
    {"used", NULL, 'n', COLUMN_ALWAYS, true, 0, "of a supervisor: restarts in its present window",
     used_value, NULL},
    {"intensity", NULL, 'n', COLUMN_ALWAYS, true, 0,
     "of a supervisor: restarts that it allows within its period", intensity_value, NULL},
    {"period", NULL, 'd', COLUMN_ALWAYS, true, 0, "of a supervisor: its window", period_value,
     NULL},
};

const size_t column_count = sizeof columns / sizeof columns[0];

const char *const *column_names(void)
{
    static const char *names[sizeof columns / sizeof columns[0] + 1];

    for (size_t i = 0; i < column_count; i++)
        names[i] = columns[i].name;
    return names;
}

const struct column *column_find(const char *name)
{
    for (size_t i = 0; i < column_count; i++)
        if (strcmp(columns[i].name, name) == 0)
            return &columns[i];
    return NULL;
}

void columns_to_facts(const struct row *row, const struct column_view *view, struct facts *facts)
{
    char scratch[COLUMN_TEXT_SIZE];

    for (size_t i = 0; i < column_count; i++)
        cli_check_memory(facts_add(facts, columns[i].type, columns[i].name,
                                   columns[i].value(row, view, scratch)));
}

/* Foreign text may hold anything; a table's cell is one printable line. */
static const char *printable(const char *text, char scratch[COLUMN_TEXT_SIZE])
{
    char safe[COLUMN_TEXT_SIZE];

    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7F) {
            text_escape(text, strlen(text), safe, sizeof safe);
            memcpy(scratch, safe, sizeof safe);
            return scratch;
        }
    }
    return text;
}

const char *column_show(const struct column *column, const struct row *row,
                        const struct column_view *view, char scratch[COLUMN_TEXT_SIZE])
{
    char raw[COLUMN_TEXT_SIZE];
    struct fact fact = {.type = column->type};

    if (column->show)
        return column->show(row, view, scratch);
    fact.value = (char *)column->value(row, view, raw);
    if (!*fact.value)
        return "-";
    if (column->type != 's')
        return show_fact(&fact, scratch, COLUMN_TEXT_SIZE);
    return fact.value == raw ? strcpy(scratch, raw) : printable(fact.value, scratch);
}
