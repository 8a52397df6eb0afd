#include "records.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 1024 };

struct facts *records_add(struct records *records)
{
    if (records->count == records->size) {
        records->size = records->size ? records->size * 2 : 16;
        records->at = realloc(records->at, records->size * sizeof *records->at);
        cli_check_memory(!records->at);
    }
    records->at[records->count] = (struct facts){0};
    return &records->at[records->count++];
}

void records_finish(struct records *records)
{
    for (size_t i = 0; i < records->count; i++)
        facts_finish(&records->at[i]);
    free(records->at);
    *records = (struct records){0};
}

static const struct fact *find(const struct facts *record, const char *name)
{
    for (size_t i = 0; i < record->count; i++)
        if (strcmp(record->at[i].key, name) == 0)
            return &record->at[i];
    return NULL;
}

/* ---- for people ------------------------------------------------------------------------- */

/* What others say must not drive a terminal. */
static void add_cell(struct grid *grid, const struct record_column *column,
                     const struct facts *record)
{
    const struct fact *fact = find(record, column->name);
    char value[CELL], cell[CELL];
    size_t length;

    if (!fact || !*fact->value) {
        grid_add(grid, "-", COLOUR_NONE);
        return;
    }
    show_fact(fact, value, sizeof value);
    text_escape(value, strlen(value), cell, sizeof cell);
    length = strlen(cell);
    snprintf(cell + length, sizeof cell - length, "%s", column->unit ? column->unit : "");
    grid_add(grid, cell, COLOUR_NONE);
}

static size_t choose(const struct record_column *columns, bool wide,
                     const struct record_column *chosen[], struct grid_column shown[])
{
    size_t count = 0;

    for (; columns->name && count < OUTPUT_COLUMNS_MAX; columns++) {
        if (columns->is_wide && !wide)
            continue;
        chosen[count] = columns;
        shown[count++] =
            (struct grid_column){columns->header, columns->is_right, columns->shrinks_to};
    }
    return count;
}

static void write_table(const struct output *out, bool wide, const struct record_column *columns,
                        const struct records *records, struct buf *text)
{
    const struct record_column *chosen[OUTPUT_COLUMNS_MAX];
    struct grid_column shown[OUTPUT_COLUMNS_MAX];
    size_t count = choose(columns, wide, chosen, shown);
    struct grid *grid = grid_create(shown, count);

    for (size_t i = 0; i < records->count; i++)
        for (size_t c = 0; c < count; c++)
            add_cell(grid, chosen[c], &records->at[i]);
    grid_write(grid, out, text);
    grid_destroy(grid);
}

/* ---- for programs ----------------------------------------------------------------------- */

static void write_bare(const struct facts *record, char *const *names, size_t count,
                       struct buf *text)
{
    char value[CELL];

    for (size_t i = 0; i < count; i++) {
        const struct fact *fact = find(record, names[i]);
        const char *bare = fact ? bare_fact(fact, value, sizeof value) : "";

        buf_printf(text, "%s%s", i ? "\t" : "", *bare ? bare : "-");
    }
}

static void write_line(const struct output *out, const struct record_column *columns,
                       const struct facts *record, struct buf *text)
{
    char *first = (char *)columns->name;

    if (out->format == OUTPUT_JSONL)
        json_write_line(record, text);
    else if (out->format == OUTPUT_PATHS)
        write_bare(record, &first, 1, text);
    else
        write_bare(record, out->columns, out->column_count, text);
    cli_check_memory(buf_append(text, "\n", 1));
}

static void write_json(const char *list, const struct records *records, struct buf *text)
{
    json_list_begin(list, text);
    for (size_t i = 0; i < records->count; i++)
        json_list_add(&records->at[i], i, text);
    json_list_end(records->count, text);
}

void records_print(const struct output *out, bool wide, const char *list,
                   const struct record_column *columns, const struct records *records)
{
    struct buf text = {0};

    if (out->format == OUTPUT_TABLE || out->format == OUTPUT_WIDE)
        write_table(out, wide || out->format == OUTPUT_WIDE, columns, records, &text);
    else if (out->format == OUTPUT_JSON)
        write_json(list, records, &text);
    for (size_t i = 0; i < records->count && out->format != OUTPUT_TABLE &&
                       out->format != OUTPUT_WIDE && out->format != OUTPUT_JSON;
         i++)
        write_line(out, columns, &records->at[i], &text);
    output_write(&text);
    buf_finish(&text);
}
