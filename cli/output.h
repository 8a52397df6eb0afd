/*
 * How results are shown: as a table for people, as JSON (output_json.c), or as bare values. A
 * result is a list of records; a record is a list of typed facts (lib/wire.h), so that one writer
 * serves ps, status, events and log alike. In a pipe nothing is coloured, cut or drawn with box
 * characters.
 */
#ifndef TROUPE_CLI_OUTPUT_H
#define TROUPE_CLI_OUTPUT_H

#include "buf.h"
#include "error.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>

enum output_format {
    OUTPUT_TABLE,
    OUTPUT_WIDE,
    OUTPUT_JSON,
    OUTPUT_JSONL,
    OUTPUT_PATHS,
    OUTPUT_COLUMNS, /* bare values of the named columns, TAB between them, "-" for none */
};

enum { OUTPUT_COLUMNS_MAX = 40 };

struct output {
    enum output_format format;
    char *columns[OUTPUT_COLUMNS_MAX]; /* COLUMNS: names, owned */
    size_t column_count;
    bool is_terminal, has_colour, is_ascii;
    unsigned width; /* display columns; 0: unbounded */
};

/* Reads -o (NULL: table) and looks at stdout and the environment. known: the column names that
 * exist, NULL-terminated; NULL when they are known only from the answer. -1 with err (EINVAL). */
int output_init(struct output *out, const char *format, bool ascii, const char *const *known,
                struct error *err);
void output_finish(struct output *out);

/* Writes out what stdout still holds. The reader of a pipe may be gone: then the program ends here,
 * quietly. -1 with errno for any other failure. */
int output_flush(void);

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_BUSY, COLOUR_FAINT };
/* The escape sequences that begin and end it; "" when there is no colour. */
const char *output_colour(const struct output *out, enum colour colour);
const char *output_plain(const struct output *out);
enum colour output_state_colour(enum row_state state);

/* ---- texts for people ---- */
/* "850ms" "12s" "3m05s" "2h07m" "4d03h" */
char *show_duration(int64_t ms, char *out, size_t size);
/* A fact's value for people. */
char *show_fact(const struct fact *fact, char *out, size_t size);
/* A fact's value for machines: times as RFC 3339, the rest as it is; "" when there is none. */
char *bare_fact(const struct fact *fact, char *out, size_t size);
/* Display columns of UTF-8 text. */
size_t show_width(const char *text);

/* ---- grids ---- */
struct grid_column {
    const char *header; /* NULL in the first column: no header line */
    bool is_right;
    unsigned shrinks_to; /* may be cut down to this when the terminal is narrow; 0: never */
};

struct grid;
struct grid *grid_create(const struct grid_column *columns, size_t count); /* dies of no memory */
void grid_destroy(struct grid *grid);
/* The next cell, row by row. The text is copied. */
void grid_add(struct grid *grid, const char *text, enum colour colour);
/* Appends the laid-out text. Trailing blanks are left out. */
void grid_write(const struct grid *grid, const struct output *out, struct buf *text);

/* ---- records ---- */
/* `ts=… level=…`: one line without its newline. */
void logfmt_write(const struct facts *record, struct buf *text);
/* The values of out->columns, TAB between them. A name that no fact has: -1, *missing is it. */
int bare_write(const struct output *out, const struct facts *record, struct buf *text,
               const char **missing);
/* {"troupe": 1, "NAME": [records]}: begin, then add each with its index, then end. name is ours. */
void json_list_begin(const char *name, struct buf *text);
void json_list_add(const struct facts *record, size_t index, struct buf *text);
void json_list_end(size_t count, struct buf *text);
/* {"troupe": 1, "NAME": {record}} */
void json_write_one(const char *name, const struct facts *record, struct buf *text);
/* {record}: one line of jsonl, without its newline. */
void json_write_line(const struct facts *record, struct buf *text);
/* {"troupe": 1, "NAME": ["…"]} */
void json_write_words(const char *name, const struct words *words, struct buf *text);

/* {"troupe": 1, "NAME": VALUE}: what stands between these two is the value, JSON by itself. */
void json_value_begin(const char *name, struct buf *text);
void json_value_end(struct buf *text);
/* Bytes as JSON text when they are UTF-8, else as {"base64": "…"}. */
void json_write_bytes(const void *bytes, size_t size, struct buf *text);

/* Writes to stdout and empties text. */
void output_write(struct buf *text);
/* Prints one record in the wanted format; people get `key: value` lines. 0, or -1 with err when a
 * wanted column is not in it. */
int output_record(const struct output *out, const char *name, const struct facts *record,
                  struct error *err);
/* Prints words: lines for people, an array in JSON. */
void output_words(const struct output *out, const char *name, const struct words *words);

/* Allocation that ends the program with a message when there is no memory: a short-lived tool has
 * nothing better to do. */
void *cli_alloc(size_t size);
char *cli_strdup(const char *text);
_Noreturn void cli_out_of_memory(void);
static inline void cli_check_memory(int failed)
{
    if (failed)
        cli_out_of_memory();
}

#endif
