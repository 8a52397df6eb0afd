/*
 * Reasons: why an actor ended, one line of text with a machine-readable head (SEMANTICS 4). Pure.
 */
#ifndef TROUPE_REASON_H
#define TROUPE_REASON_H

#include <stdbool.h>
#include <stddef.h>

enum { REASON_MAX = 256 }; /* bytes of a reason with its NUL; longer ones are cut at a character */

/* What an ending actor wants of its supervisor (SEMANTICS 4, Need). */
enum need {
    NEED_NONE,
    NEED_RESTART,
    NEED_RESTART_AFTER, /* with a delay; counts as no restart for intensity */
    NEED_FINISH,
    NEED_ABORT,
};

/* Parses "restart", "restart_after 30s", "finish", "abort". Returns 0, or -1 (*delay_ms untouched). */
int need_parse(const char *text, enum need *need, long *delay_ms);

/* The reason of a wait status: "normal", "exit:N", "signal:SEGV" (with " core").
 * asked: a stop had been asked, with stop_signal: then 0, 128 + stop_signal and that signal are
 * "shutdown". killed: our own SIGKILL was sent: then SIGKILL is "killed". */
void reason_of_status(int wait_status, bool asked, int stop_signal, bool killed, char out[REASON_MAX]);

/* "cascade PATH REASON", where a REASON that is itself a cascade keeps its first cause. Of a PATH
 * that would leave no room for the REASON, parts in its middle are left out: "cascade
 * shop/.../deep/db signal:SEGV". */
void reason_cascade(const char *path, const char *reason, char out[REASON_MAX]);

/* `normal`, `shutdown` and `shutdown TEXT`: what a transient child is not restarted after (OTP). */
bool reason_is_orderly(const char *reason);

/* The status with which a process ends that ends for this reason: 0 when it is orderly, N for
 * `exit:N`, 128 and the signal for `signal:NAME` as a shell has it, else 1. */
int reason_exit_status(const char *reason);

/* What the reason of a supervisor begins with that its auto_shutdown has ended. */
#define REASON_AUTO_SHUTDOWN "shutdown auto_shutdown "

/* Of a service's actor that stopped by itself because nobody sent it anything. */
#define REASON_IDLE "shutdown idle"

/* Of a service's supervisor whose lease has ended, and whose actors ended with it: nobody's failure. */
#define REASON_FENCED "fenced"

/* A supervisor's own end with more to say than `shutdown`: it has given up, or could not start. Only
 * its auto_shutdown is what it was meant to do. */
bool reason_is_defeat(const char *reason);

/* Copies text as a reason: one line, printable, cut at REASON_MAX; "" becomes fallback. */
void reason_copy(const char *text, const char *fallback, char out[REASON_MAX]);

/* "SEGV" of 11; "RTMIN+2"; never NULL (points into a static table or buffer of this thread). */
const char *signal_name(int number);
/* Accepts with or without SIG, or a number. Returns the number, or -1. */
int signal_number(const char *name);

#endif
