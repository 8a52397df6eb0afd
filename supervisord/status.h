/*
 * What people see of children: rows (ps, tree, events) and facts (status), gathered from the
 * child's record, its stats page and /proc. Never asks the child itself, which may hang.
 */
#ifndef TROUPE_STATUS_H
#define TROUPE_STATUS_H

#include "spec.h"
#include "wire.h"

struct supervisor;
struct child;
struct attached;

enum row_kind spec_row_kind(enum spec_kind kind);

/* Rows of the children that are named (NULL or none: of all), in start order. brief: with one cheap
 * read of /proc a row. 0 or -1 (ENOMEM, or ENOENT for a name that is not there). */
int status_rows(struct supervisor *supervisor, const struct words *names, bool brief,
                struct rows *rows);
/* One row of the supervisor itself. */
int status_self(struct supervisor *supervisor, struct rows *rows);
/* Everything about one child, in the order to be shown. */
int status_facts(struct child *child, struct facts *facts);
/* The same of an attached process. */
int status_attached(struct attached *attached, struct facts *facts);
/* OTP's count_children: specs, active, supervisors, workers. */
int status_counts(const struct supervisor *supervisor, struct facts *facts);

#endif
