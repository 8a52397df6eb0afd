/*
 * What ps and tree share: collecting the actors that the arguments mean, and every format but the
 * one for people.
 */
#ifndef TROUPE_CLI_LISTING_H
#define TROUPE_CLI_LISTING_H

#include "actors.h"
#include "cli.h"
#include "columns.h"

/* The actors at and below the arguments (all of them when there are none). 0, or an exit status
 * after having said why; actors is to be finished in either case. */
int listing_collect(struct cli *cli, struct actors *actors, struct column_view *view);
/* Everything in the nodes that this one has a session with, by their names; added to actors. As
 * above. */
int listing_collect_others(struct cli *cli, struct actors *actors);
/* Prints JSON, paths or columns and returns true; false when a table is wanted. */
bool listing_print(const struct output *out, const struct actors *actors,
                   const struct column_view *view);

#endif
