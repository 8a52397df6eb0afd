/*
 * What Redis keeps, and the decisions, as scripts there: Redis runs one at a time, which is the
 * lock that a save's test of its place needs. The keys that a script is given have one tag, as a
 * server that is a cluster of one wants it; what some need beside them, the counter and the places
 * of reminders, they find by themselves.
 *
 *   troupe:place:{SERVICE/ID}        hash: node generation epoch writer
 *   troupe:state:{SERVICE/ID}:NAME   hash: value schema version epoch writer saved_us
 *   troupe:{reminders}:SERVICE/ID:NAME   hash: due period message version writer
 *   troupe:{reminders}               sorted set of SERVICE/ID:NAME by due
 *   troupe:{nodes}                   set of NAME:GENERATION
 *   troupe:{nodes}:NAME:GENERATION   hash: state beat url services load
 *   troupe:epoch                     the counter
 *   troupe:schema                    the version
 */
#ifndef TROUPE_STORE_REDIS_SCRIPTS_H
#define TROUPE_STORE_REDIS_SCRIPTS_H

enum redis_script {
    SCRIPT_SCHEMA,
    SCRIPT_STATE_PUT,
    SCRIPT_STATE_REMOVE,
    SCRIPT_STATE_PAGE,
    SCRIPT_PLACE_CLAIM,
    SCRIPT_PLACE_FREE,
    SCRIPT_PLACE_PAGE,
    SCRIPT_REMINDER_PUT,
    SCRIPT_REMINDER_REMOVE,
    SCRIPT_REMINDER_ADVANCE,
    SCRIPT_REMINDER_DUE,
    SCRIPT_NODE_INSERT,
    SCRIPT_NODE_BEAT,
    SCRIPT_NODE_SET,
    SCRIPT_NODE_REMOVE,
    SCRIPT_NODE_LIST,
    REDIS_SCRIPTS
};

extern const char *const redis_scripts[REDIS_SCRIPTS];

#endif
