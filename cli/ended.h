/*
 * How a life of an actor ended: asked of its supervisor by who was left without an answer
 * (SEMANTICS 6).
 */
#ifndef TROUPE_CLI_ENDED_H
#define TROUPE_CLI_ENDED_H

#include "client.h"
#include "reason.h"

/* The reason for which path#incarnation ended, or will have ended within a second; "unknown" when
 * its supervisor does not know, does not answer, or may not tell. Runs the client's loop. */
void ended_reason(struct client *client, const char *path, uint64_t incarnation,
                  char out[REASON_MAX]);

#endif
