/*
 * One suite for every backend of sys/store: what store_backend.h promises, asked of a real store. A
 * test program says which.
 */
#ifndef TESTS_UNIT_STORE_SUITE_H
#define TESTS_UNIT_STORE_SUITE_H

#include "../../workers/store_backend.h"

#include <sys/types.h>

/* Every operation, then the stale save that races a takeover. */
void store_suite(const struct store_config *config);
/* ---- for the programs' own checks ---------------------------------------------------------------
 */

/* The loop of all stores of this program. */
struct ev_loop *suite_loop(void);
struct store *suite_open(const struct store_config *config);
/* Submits, and runs the loop until it is answered. The answer's value and rows live until the next
 * call. */
const struct store_answer *ask(struct store *store, struct store_request request);
/* Whole requests on state rows of the service `shop/carts`. */
const struct store_answer *get(struct store *store, const char *id);
const struct store_answer *put(struct store *store, const char *id, int64_t epoch, int64_t version,
                               const char *value);
bool holds(const struct store_answer *answer, const char *value);
/* Runs the loop for that long. */
void suite_run(int64_t ms);
/* A scratch directory, removed at the program's end. */
const char *suite_dir(void);
/* Runs a command in a shell; its exit status. */
int suite_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
