#include "config_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_finish(struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->messages[i].text);
    free(report->messages);
    *report = (struct report){0};
}

/* "FILE:LINE:COLUMN: PATH: [warning: ]what is wrong: what was expected" */
static char *message_text(enum report_level level, const struct report_place *place,
                          const char *where, const char *format, va_list args)
{
    char position[32] = "", *what, *text;
    int wanted;

    if (vasprintf(&what, format, args) < 0)
        return NULL;
    if (place->line)
        snprintf(position, sizeof position, ":%d:%d", place->line, place->column);
    wanted = asprintf(&text, "%s%s: %s%s%s%s", place->label, position, where, *where ? ": " : "",
                      level == REPORT_WARNING ? "warning: " : "", what);
    free(what);
    return wanted < 0 ? NULL : text;
}

static bool is_said(const struct report *report, const char *text)
{
    for (size_t i = 0; i < report->count; i++)
        if (strcmp(report->messages[i].text, text) == 0)
            return true;
    return false;
}

/* Takes text over. 0 or -1. */
static int keep(struct report *report, const struct report_place *place, char *text)
{
    struct report_message *grown;

    grown = realloc(report->messages, (report->count + 1) * sizeof *grown);
    if (!grown)
        return -1;
    report->messages = grown;
    grown[report->count] = (struct report_message){.file = place->file,
                                                   .line = place->line,
                                                   .column = place->column,
                                                   .turn = report->count,
                                                   .text = text};
    report->count++;
    return 0;
}

void report_add(struct report *report, enum report_level level, const struct report_place *place,
                const char *where, const char *format, ...)
{
    va_list args;
    char *text;

    report->errors += level == REPORT_ERROR;
    if (report->count == REPORT_MESSAGES_MAX) {
        report->unsaid++;
        return;
    }
    va_start(args, format);
    text = message_text(level, place, where, format, args);
    va_end(args);
    if (text && !is_said(report, text) && keep(report, place, text) == 0)
        return;
    report->no_memory = report->no_memory || !text;
    free(text);
}

static int compare(const void *left, const void *right)
{
    const struct report_message *a = left, *b = right;

    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->line != b->line)
        return a->line - b->line;
    if (a->column != b->column)
        return a->column - b->column;
    return a->turn < b->turn ? -1 : 1;
}

int report_print(struct report *report, struct buf *out)
{
    if (report->count)
        qsort(report->messages, report->count, sizeof *report->messages, compare);
    for (size_t i = 0; i < report->count; i++)
        if (buf_printf(out, "%s\n", report->messages[i].text) < 0)
            return -1;
    if (report->unsaid && buf_printf(out, "… and %zu more\n", report->unsaid) < 0)
        return -1;
    if (report->no_memory && buf_printf(out, "not enough memory to read the config\n") < 0)
        return -1;
    return 0;
}
