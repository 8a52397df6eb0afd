/*
 * One line that a program behind a port says. Fields are separated by TABs, in them \t \n \\ stand
 * for those characters (PROTOCOL 1). Pure.
 *
 *     REF VALUE…                       answers the request REF
 *     !REF REASON                      … with an error
 *     cast ADDRESS MESSAGE ARG…        tells another actor
 *     publish TOPIC VALUE…             tells whoever has subscribed
 *     log LEVEL TEXT                   a line for the log
 *     status TEXT                      what `ps` shows
 *     describe NAME ARGS REPLY HELP    a message that it understands, with its types; the last may
 *                                      be left out
 *     ready [TEXT]                     it takes requests now
 */
#ifndef TROUPE_PORT_LINE_H
#define TROUPE_PORT_LINE_H

#include "wire.h"

#include <stddef.h>
#include <stdint.h>

enum port_line_kind {
    PORT_LINE_BAD, /* why; ref if it was to answer a request */
    PORT_LINE_ANSWER,
    PORT_LINE_ERROR,
    PORT_LINE_CAST,
    PORT_LINE_PUBLISH,
    PORT_LINE_LOG,
    PORT_LINE_STATUS,
    PORT_LINE_DESCRIBE,
    PORT_LINE_READY,
};

enum { PORT_LINE_FIELDS = WIRE_VALUES_MAX + 3 };

struct port_line {
    enum port_line_kind kind;
    uint64_t ref;    /* ANSWER, ERROR, perhaps BAD; 0: none */
    const char *why; /* BAD: a static phrase */
    char **fields;   /* what follows the first one, count of them, NULL behind the last */
    int count;
    char *all[PORT_LINE_FIELDS + 1];
};

/* Parses in place: text[size] must be writable, and all of it outlive the line. */
void port_line_parse(char *text, size_t size, struct port_line *line);
/* Which request the line that begins so would answer, well or badly; 0: none. */
uint64_t port_line_ref(const char *text, size_t size);

#endif
