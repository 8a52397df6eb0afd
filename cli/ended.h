/*
 * How a life of an actor ended: asked of its supervisor by who was left without an answer
 * (SEMANTICS 6).
 */
#ifndef TROUPE_CLI_ENDED_H
#define TROUPE_CLI_ENDED_H

#include "client.h"
#include "reason.h"

#include <stdbool.h>

/* The reason for which that incarnation of what stands at a place ended, or will have ended within
 * a second; "unknown" when its supervisor does not know, does not answer, or may not tell. False:
 * there is no session to its node any more, which is all that is known. Runs the client's loop. */
bool ended_reason(struct client *client, const char *place, uint64_t incarnation,
                  char out[REASON_MAX]);

#endif
