/*
 * What a program does wrong: counted by kind, and told in the log, but no more often than a person
 * would read. Pure.
 */
#ifndef TROUPE_PORT_FAULTS_H
#define TROUPE_PORT_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

enum port_fault {
    PORT_FAULT_UNKNOWN_REF, /* answers a request that there never was */
    PORT_FAULT_LATE,        /* … that was answered already, or whose caller has given up */
    PORT_FAULT_BAD_LINE,
    PORT_FAULT_LONG_LINE,
    PORT_FAULT_HALF_LINE, /* at its end */
    PORT_FAULT_LOST_CAST, /* whose receiver does not keep up, is not there, or did not understand */
    PORT_FAULTS,
};

enum { PORT_FAULTS_TOLD = 10, PORT_FAULTS_WINDOW_MS = 1000 };

struct port_faults {
    uint64_t count[PORT_FAULTS];
    int64_t window_ms; /* when it began */
    unsigned told;     /* in it */
    uint64_t untold;   /* since the last that was told */
};

/* Counts one. True when it is to be told; *untold is then how many were not before it. */
bool port_faults_count(struct port_faults *faults, enum port_fault fault, int64_t now_ms,
                       uint64_t *untold);
/* "unknown_ref" … */
const char *port_fault_name(enum port_fault fault);

#endif
