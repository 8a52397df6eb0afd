/*
 * The program behind a port: a child process of the port's, in the port's own process group, so
 * that its supervisor sees to whatever the two leave behind. Its standard input and output are
 * pipes, its errors go where the port's go. It dies with the port.
 */
#ifndef TROUPE_PORT_PROGRAM_H
#define TROUPE_PORT_PROGRAM_H

#include "reason.h"

#include <stdbool.h>
#include <sys/types.h>

struct port_program {
    pid_t pid; /* 0: there is none, or none any more */
    int in;    /* what it reads, for us to write, without blocking; -1: closed */
    int out;   /* what it writes; -1: closed */
    int end;   /* readable when it has ended (a pidfd); -1 */
};

void port_program_init(struct port_program *program);
/* Closes everything; kills it if it is still there. */
void port_program_finish(struct port_program *program);

/* Starts words[0], looked for in PATH. 0; or -1 with errno of pipe, fork or exec. */
int port_program_start(struct port_program *program, char *const *words);
void port_program_close_input(struct port_program *program);
void port_program_close_output(struct port_program *program);
void port_program_signal(const struct port_program *program, int signal);
/* How it ended (SEMANTICS 4), when it has: then true, once. */
bool port_program_reap(struct port_program *program, char reason[REASON_MAX]);

#endif
