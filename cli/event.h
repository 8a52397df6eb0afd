/*
 * Events as records and lines: the first keys fixed (ts level path pid event), the event's own
 * after them. Pure but for printing.
 */
#ifndef TROUPE_CLI_EVENT_H
#define TROUPE_CLI_EVENT_H

#include "output.h"
#include "wire.h"

/* What an event says, with its name in fifth place. record is to be finished. */
void event_to_record(const char *event, const struct facts *facts, struct facts *record);
/* An actor as it is now, as if it were an event ("snapshot"). */
void event_of_row(const struct row *row, struct facts *record);
/* Prints one record: a line of logfmt, JSON, or bare columns ("-" for what it does not have). */
void event_print(const struct output *out, const struct facts *record);
/* For people who watch: "08:15:30 shop/db ready  took 40ms". A newline at the end. */
void event_tell(const struct output *out, const char *event, const struct facts *facts,
                struct buf *text);
/* Is it for people who watch: info or above, or an actor that became ready? */
bool event_is_notable(const char *event, const struct facts *facts);

#endif
