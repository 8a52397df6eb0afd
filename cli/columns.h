/*
 * The columns of ps: one table that gives names (which are the JSON keys), headers, values for
 * machines and texts for people. Pure but for looking up users' names.
 */
#ifndef TROUPE_CLI_COLUMNS_H
#define TROUPE_CLI_COLUMNS_H

#include "output.h"
#include "rates.h"
#include "wire.h"

/* What a column may need besides the row. */
struct column_view {
    const char *node;
    int64_t now_us; /* wall clock */
    const struct rates *rates; /* NULL: nobody has looked twice */
};

enum { COLUMN_TEXT_SIZE = 1024 };

/* Of which tables it is a part. */
enum column_place { COLUMN_ALWAYS, COLUMN_WIDE, COLUMN_RATES };

struct column {
    const char *name;
    const char *header; /* NULL: only by -o */
    char type;          /* as in struct fact */
    enum column_place place;
    bool is_right;
    unsigned shrinks_to;
    const char *text; /* what it means: for help */
    /* The value for machines, "" for none; may be scratch. */
    const char *(*value)(const struct row *row, const struct column_view *view,
                         char scratch[COLUMN_TEXT_SIZE]);
    /* For people; NULL: as show_fact() has it. */
    const char *(*show)(const struct row *row, const struct column_view *view,
                        char scratch[COLUMN_TEXT_SIZE]);
};

extern const struct column columns[];
extern const size_t column_count;
/* The names alone, NULL-terminated. */
const char *const *column_names(void);
/* By name; NULL when there is none. */
const struct column *column_find(const char *name);

/* All columns of one row; facts are to be finished. */
void columns_to_facts(const struct row *row, const struct column_view *view, struct facts *facts);
/* The text for people, printable. */
const char *column_show(const struct column *column, const struct row *row,
                        const struct column_view *view, char scratch[COLUMN_TEXT_SIZE]);

#endif
