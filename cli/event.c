#include "event.h"

#include "control.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const leading[] = {"ts", "level", "path", "pid"};
enum { LEADING = sizeof leading / sizeof leading[0] };

static bool leads(const char *key)
{
    for (size_t i = 0; i < LEADING; i++)
        if (strcmp(key, leading[i]) == 0)
            return true;
    return false;
}

static const struct fact *find(const struct facts *facts, const char *key)
{
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->at[i].key, key) == 0)
            return &facts->at[i];
    return NULL;
}

void event_to_record(const char *event, const struct facts *facts, struct facts *record)
{
    const struct fact *fact;

    for (size_t i = 0; i < LEADING; i++)
        if ((fact = find(facts, leading[i])))
            cli_check_memory(facts_add(record, fact->type, fact->key, fact->value));
    cli_check_memory(facts_add(record, 's', "event", event));
    for (size_t i = 0; i < facts->count; i++) {
        fact = &facts->at[i];
        if (!leads(fact->key) && strcmp(fact->key, "event") != 0)
            cli_check_memory(facts_add(record, fact->type, fact->key, fact->value));
    }
}

void event_of_row(const struct row *row, struct facts *record)
{
    int failed = 0;

    failed |= facts_addf(record, 't', "ts", "%" PRIu64, row->since_us);
    failed |= facts_add(record, 's', "level", "info");
    failed |= facts_add(record, 's', "path", row->path);
    failed |= facts_addf(record, 'n', "pid", "%" PRIu32, row->pid);
    failed |= facts_add(record, 's', "event", "snapshot");
    failed |= facts_addf(record, 'n', "incarnation", "%" PRIu64, row->incarnation);
    failed |= facts_add(record, 's', "state", row_state_text((enum row_state)row->state));
    failed |= facts_addf(record, 'n', "restarts", "%" PRIu64, row->restarts_total);
    if (*row->last)
        failed |= facts_add(record, 's', "last", row->last);
    cli_check_memory(failed);
}

static void print_columns(const struct output *out, const struct facts *record, struct buf *text)
{
    char time[64];

    for (size_t i = 0; i < out->column_count; i++) {
        const struct fact *fact = find(record, out->columns[i]);
        const char *value = !fact               ? ""
                            : fact->type == 't' ? bare_fact(fact, time, sizeof time)
                                                : fact->value;

        buf_printf(text, "%s%s", i ? "\t" : "", *value ? value : "-");
    }
}

void event_print(const struct output *out, const struct facts *record)
{
    struct buf text = {0};

    switch (out->format) {
    case OUTPUT_JSON:
    case OUTPUT_JSONL:
        json_write_line(record, &text);
        break;
    case OUTPUT_PATHS:
        buf_printf(&text, "%s", facts_get(record, "path") ? facts_get(record, "path") : "-");
        break;
    case OUTPUT_COLUMNS:
        print_columns(out, record, &text);
        break;
    default:
        logfmt_write(record, &text);
    }
    cli_check_memory(buf_append(&text, "\n", 1));
    output_write(&text);
    buf_finish(&text);
}

bool event_is_notable(const char *event, const struct facts *facts)
{
    const char *level = facts_get(facts, "level");

    return !level || strcmp(level, "debug") != 0 || strcmp(event, EVENT_CHILD_READY) == 0;
}

static enum colour level_colour(const struct facts *facts)
{
    const char *level = facts_get(facts, "level");

    if (level && strcmp(level, "error") == 0)
        return COLOUR_BAD;
    if (level && strncmp(level, "warn", 4) == 0)
        return COLOUR_BUSY;
    return COLOUR_NONE;
}

static void tell_time(const struct facts *facts, struct buf *text)
{
    const char *ts = facts_get(facts, "ts");
    time_t seconds = ts ? (time_t)(strtoll(ts, NULL, 10) / 1000000) : time(NULL);
    struct tm tm;
    char clock[16];

    localtime_r(&seconds, &tm);
    strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    buf_printf(text, "%s ", clock);
}

void event_tell(const struct output *out, const char *event, const struct facts *facts,
                struct buf *text)
{
    static const char *const known[] = {"event", "incarnation", "state", "kind", "ordered", NULL};
    const char *path = facts_get(facts, "path"), *word = strchr(event, '.');
    enum colour colour = level_colour(facts);
    char value[512], safe[512];

    tell_time(facts, text);
    buf_printf(text, "%s%s %s%s", output_colour(out, colour), path && *path ? path : "node",
               word ? word + 1 : event, colour == COLOUR_NONE ? "" : output_plain(out));
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->at[i];
        bool skip = leads(fact->key) && strcmp(fact->key, "pid") != 0;

        for (size_t k = 0; known[k]; k++)
            skip |= strcmp(fact->key, known[k]) == 0;
        if (skip || !*fact->value || (fact->type == 'n' && strcmp(fact->value, "0") == 0))
            continue;
        show_fact(fact, value, sizeof value);
        text_escape(value, strlen(value), safe, sizeof safe);
        buf_printf(text, "  %s %s", fact->key, safe);
    }
    cli_check_memory(buf_append(text, "\n", 1));
}
