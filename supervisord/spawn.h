/*
 * Spawning: how a child comes into being. The supervisor makes the descriptors, forks, and the
 * child puts itself in order step by step; a step that fails is reported with its name and errno.
 * Policy (when, whether again) is child.c's.
 */
#ifndef TROUPE_SPAWN_H
#define TROUPE_SPAWN_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

struct child;

/* What the child of a spawn tells of a step that failed, over the pipe of its probe. */
struct spawn_failure {
    char mark;    /* '!' : not s6's newline */
    uint8_t step; /* enum spawn_step */
    uint16_t detail; /* of a limit: its index */
    int32_t error;
};

enum spawn_step {
    STEP_SESSION,
    STEP_DESCRIPTORS,
    STEP_MARK,
    STEP_LIMITS,
    STEP_CWD,
    STEP_NICE,
    STEP_OOM,
    STEP_GROUPS,
    STEP_USER,
    STEP_STDIN,
    STEP_PRIVILEGES,
    STEP_PARENT,
    STEP_EXEC,
    STEP_STATE,
    STEP_ENVIRONMENT,
    SPAWN_STEPS
};

/* Forks the child's next incarnation. 0; or -1 with err: the code says whether it was for want of
 * resources (spawn_is_scarcity). */
int spawn_child(struct child *child, struct error *err);
bool spawn_is_scarcity(int error);
/* Whether it becomes another image: a program does, and a module that runs as another user, who shall
 * not have the supervisor's memory. */
bool spawn_execs(const struct child *child);
/* "exec: redis-server: No such file or directory", into out. */
void spawn_failure_text(const struct child *child, const struct spawn_failure *failure, char *out,
                        unsigned size);

/* A plain helper process (the readiness command, with its output in the child's log), or -1. */
int spawn_helper(struct child *child);

#endif
