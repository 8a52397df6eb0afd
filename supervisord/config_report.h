/*
 * What the config reader has to say: messages gathered while files are read, printed together in
 * the order of the files and of the places in them. A message that is there already is not said
 * twice (an anchor that is wrong is wrong wherever it is used).
 */
#ifndef TROUPE_CONFIG_REPORT_H
#define TROUPE_CONFIG_REPORT_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { REPORT_MESSAGES_MAX = 200 }; /* more are counted only */

enum report_level { REPORT_ERROR, REPORT_WARNING };

struct report_message {
    size_t file;      /* number of the file; orders the messages */
    int line, column; /* 0: the file as a whole */
    size_t turn;
    char *text;
};

struct report {
    struct report_message *messages;
    size_t count, unsaid;
    size_t errors;
    bool no_memory;
};

struct report_place {
    size_t file;
    const char *label; /* the file's name as people gave it */
    int line, column;
};

void report_finish(struct report *report);
/* where: the path in the tree, "shop/web: restart", or "" for none. */
void report_add(struct report *report, enum report_level level, const struct report_place *place,
                const char *where, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Appends all of them as lines. 0 or -1 with ENOMEM. */
int report_print(struct report *report, struct buf *out);

#endif
