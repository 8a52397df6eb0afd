/*
 * A list of records, as the verbs of the mesh have them (nodes, groups, members): a table for
 * people, and every other format. One description of the columns serves all; their names are the
 * JSON keys.
 */
#ifndef TROUPE_CLI_RECORDS_H
#define TROUPE_CLI_RECORDS_H

#include "output.h"

struct record_column {
    const char *name; /* NULL after the last */
    const char *header;
    bool is_right, is_wide; /* wide: in the table with -w only */
    unsigned shrinks_to;    /* as in struct grid_column */
    const char *unit;       /* behind a value, for people; or NULL */
};

struct records {
    struct facts *at;
    size_t count, size;
};

/* A new one at the end, to be filled in; a key of every column is expected. Dies of no memory. */
struct facts *records_add(struct records *records);
void records_finish(struct records *records);

/* list is the name in JSON. The first column stands for the paths of -o paths. */
void records_print(const struct output *out, bool wide, const char *list,
                   const struct record_column *columns, const struct records *records);

#endif
