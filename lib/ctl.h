/*
 * The control socket between a supervisor and its child (PROTOCOL 4): SEQPACKET datagrams of text
 * lines, first word the verb, so that a shell can speak it. This file is the pure side: splitting
 * datagrams into lines and lines into verb and rest. Nothing is allocated.
 */
#ifndef TROUPE_CTL_H
#define TROUPE_CTL_H

#include <stddef.h>
#include <stdint.h>

enum { CTL_DATAGRAM_MAX = 65536 + 1024 }; /* LAST_STATE: 64 KiB of bytes after its line */

enum ctl_verb {
    /* child to supervisor */
    CTL_READY,      /* READY [TEXT] */
    CTL_IGNORE,     /* IGNORE */
    CTL_STATUS,     /* STATUS TEXT */
    CTL_HEARTBEAT,  /* HEARTBEAT */
    CTL_EXIT,       /* EXIT REASON… [| NEED]: from a child; EXIT FROM REASON from a supervisor */
    CTL_MONITOR,    /* MONITOR REF ADDRESS */
    CTL_DEMONITOR,  /* DEMONITOR REF */
    CTL_ENDED,      /* ENDED REF ADDRESS#N */
    CTL_LINK,       /* LINK MODE ADDRESS */
    CTL_UNLINK,     /* UNLINK MODE ADDRESS */
    CTL_TRAP,       /* TRAP 1, TRAP 0: ends of those it is linked to are told, or are its own, too */
    CTL_JOIN,       /* JOIN SCOPE GROUP [COUNT] */
    CTL_LEAVE,      /* LEAVE SCOPE GROUP [COUNT] */
    CTL_LAST_STATE, /* LAST_STATE, then the bytes after the newline, to the datagram's end */
    CTL_CRASH,      /* CRASH SIGNAL ADDRESS BASE FRAMES… (hexadecimal) */
    /* supervisor to child */
    CTL_STOP,       /* STOP */
    CTL_DOWN,       /* DOWN REF ADDRESS#N REASON; REF 0: of a LINK that could not be made */
    CTL_LINKED,     /* LINKED ADDRESS#N MODE */
    CTL_JOINED,     /* JOINED SCOPE GROUP: sys/node has it */
    CTL_LEFT,       /* LEFT SCOPE GROUP */
    CTL_NOT_JOINED, /* NOT_JOINED SCOPE GROUP REASON: of a JOIN, or of a LEAVE (not_joined) */
    CTL_PING,       /* PING */
    CTL_UNKNOWN,
};

struct ctl_line {
    enum ctl_verb verb;
    char *rest;         /* after the verb and one space, NUL-terminated, "" when nothing */
    const uint8_t *bytes; /* LAST_STATE only */
    size_t bytes_size;
};

/* Takes the next line from a datagram (bytes[size] must be writable: lines are cut in place).
 * *at is the cursor, 0 at first. Returns 1 and fills line; 0 at the end. */
int ctl_next(char *bytes, size_t size, size_t *at, struct ctl_line *line);

/* Cuts the next word off *rest (in place); NULL when there is none. */
char *ctl_word(char **rest);

/* Splits the rest of a child's EXIT line: "error disk full | restart_after 5s" -> reason, need
 * ("" when none). In place. */
void ctl_exit_parts(char *rest, char **reason, char **need);

const char *ctl_verb_text(enum ctl_verb verb);

#endif
