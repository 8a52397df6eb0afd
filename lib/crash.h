/*
 * The last words of a crashing actor (SEMANTICS 5): before a fatal signal ends the process, one line
 * `CRASH SIGNAL ADDRESS BASE FRAMES…` goes to its control socket, addresses in hexadecimal. Then the
 * signal's default action takes place, so that the wait status tells the truth. Names are resolved
 * by the supervisor, which has the same image in memory.
 */
#ifndef TROUPE_CRASH_H
#define TROUPE_CRASH_H

#include <stddef.h>
#include <stdint.h>

enum { CRASH_FRAMES_MAX = 32, CRASH_LINE_MAX = 768 };

/* Handles SEGV BUS FPE ILL ABRT SYS TRAP on an alternate stack, until the end of the process. base
 * is where the module lies in memory (0: not known). */
void crash_install(int control_fd, const void *base);

/* Writes the line (no newline) without anything that a signal handler may not use; returns its
 * length. Frames that do not fit are left out. */
size_t crash_format(char out[CRASH_LINE_MAX], const char *signal, uintptr_t address, uintptr_t base,
                    void *const *frames, int count);

#endif
