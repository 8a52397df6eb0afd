/*
 * Specifications: the tree as it is declared (SEMANTICS 1, CONFIG). Made by config.c, read by
 * everybody else, never changed after parsing except for `links`, which share. A spec owns all that
 * it points to; spec_destroy() takes NULL.
 */
#ifndef TROUPE_SPEC_H
#define TROUPE_SPEC_H

#include "backoff.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Where in which file something was said: for messages. */
struct place {
    char file[256];
    int line, column; /* from 1; 0: not in a file */
};

enum spec_kind { SPEC_MODULE, SPEC_PROGRAM, SPEC_SUPERVISOR, SPEC_SERVICE };
enum spec_restart { RESTART_PERMANENT, RESTART_TRANSIENT, RESTART_TEMPORARY };
enum spec_strategy { ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE };
enum spec_auto_shutdown { AUTO_NEVER, AUTO_ANY_SIGNIFICANT, AUTO_ALL_SIGNIFICANT };
enum spec_ready { READY_DEFAULT, READY_NOTIFY, READY_TCP, READY_EXEC, READY_LOG };

enum {
    SHUTDOWN_INFINITY = -1, /* milliseconds otherwise */
    SHUTDOWN_BRUTAL_KILL = -2,
};
#define INTENSITY_UNLIMITED UINT32_MAX

struct spec_limit {
    int resource; /* RLIMIT_… */
    const char *name;
    rlim_t value; /* RLIM_INFINITY for "unlimited" */
};

/* exit_codes: {75: restart_after 30s} */
struct spec_exit_code {
    int code;
    int need; /* enum need */
    int64_t delay_ms;
};

struct spec_supervisor {
    enum spec_strategy strategy;
    uint32_t intensity; /* restarts; INTENSITY_UNLIMITED */
    int64_t period_ms;
    enum spec_auto_shutdown auto_shutdown;
    uint32_t max_children;
    struct spec *children; /* in declared order; replicas are already spread out (farm.1 …) */
    size_t child_count;
    struct spec *template; /* or NULL: simple_one_for_one */
    struct spec_service *service; /* children are made of the template by who asks for them; or NULL */
};

enum spec_placement { PLACE_LOCAL, PLACE_RANDOM, PLACE_HASH, PLACE_LEAST };

/* What a service is besides a supervisor with a template (CLUSTER 4). */
struct spec_service {
    int64_t idle_ms; /* an instance without a message for so long stops; 0: never */
    uint32_t max;    /* instances at a time */
    bool state;      /* they keep their state in the store */
    enum spec_placement placement;
    uint32_t intensity; /* failures of one id within period_ms, before it is refused */
    int64_t period_ms;
    int64_t refuse_ms;           /* … for so long */
    struct backoff_spec backoff; /* of one id, after a failure */
};

struct spec {
    char *name; /* NULL in a template */
    struct place at;
    enum spec_kind kind;
    char *module;   /* MODULE: as written; a path when it holds a slash */
    char **exec;    /* PROGRAM: argv, NULL-terminated */
    struct spec_supervisor *supervisor; /* SUPERVISOR and SERVICE */
    char *description;

    enum spec_restart restart;
    int64_t shutdown_ms; /* or SHUTDOWN_… */
    bool significant;
    int stop_signal; /* SIGTERM */
    enum spec_ready ready;
    char *ready_host, *ready_port; /* TCP */
    char **ready_exec;             /* EXEC: argv; polled until it exits 0 */
    char *ready_log;               /* LOG: extended regular expression */
    int64_t start_timeout_ms;      /* 30 s */
    int64_t watchdog_ms;           /* 0: none */
    struct backoff_spec backoff;   /* .initial_ms 0: none */
    char **link;                   /* paths, NULL-terminated, never NULL */
    char **groups;
    unsigned replica;              /* 1 … n; 0: not one of several */
    unsigned replicas;             /* n of its entry; 0 */
    char **args;                   /* key, value, …, NULL; never NULL */
    char **env;                    /* "K=V", NULL-terminated; added to the node's own */
    char *cwd;                     /* absolute */
    char *stdin_path;              /* NULL: /dev/null */
    bool stderr_separate;
    bool has_mailbox;
    uint64_t mailbox_messages, mailbox_bytes;
    bool raw_bytes, raw_off;
    bool last_state;
    bool keeps_state; /* MODULE: in the store */

    char *user, *group; /* as written; resolved when read */
    bool has_uid;
    uid_t uid;
    gid_t gid;
    int umask;         /* -1: inherited */
    bool has_nice, has_oom;
    int nice, oom_score_adj;
    bool no_new_privs; /* default true */
    struct spec_limit *limits;
    size_t limit_count;
    struct spec_exit_code *exit_codes;
    size_t exit_code_count;
};

struct spec_application {
    char *file;          /* absolute path of its config file; "" when from elsewhere */
    char **depends_on;   /* names of applications, NULL-terminated, never NULL */
    struct spec root;    /* kind SUPERVISOR; name = the application's */
};

struct spec_log {
    unsigned files;        /* 10 */
    uint64_t size_bytes;   /* 10M */
    uint64_t total_bytes;  /* 1G */
    int64_t patience_ms;   /* 1s */
};

enum spec_connect { CONNECT_TRANSITIVE, CONNECT_ISOLATED };

/* How this node speaks to others (CLUSTER 1, 2). Files are absolute paths; NULL: not given. */
struct spec_node {
    bool given;
    char *name; /* or NULL */
    char *listen, *advertise, *cookie_file;
    char **peers; /* NULL-terminated, or NULL */
    char *tls_ca, *tls_cert, *tls_key;
    enum spec_connect connect;
    bool trusted_network;
    unsigned grant; /* RIGHT_ bits: what peers may do here */
    char *gateway_listen;
    unsigned gateway_grant;
    char **gateway_actors;     /* patterns of paths; NULL: all of applications */
    char **gateway_publishers; /* paths, or NULL */
    char *store; /* store_url.h; or NULL */
    char *store_password_file;
    bool store_unsafe;
    int64_t lease_ms; /* of a node that shares services with others */
    uint64_t max_memory; /* percent of the host's, above which none is placed here; 0: no limit */
    double max_load; /* for each processor, the same */
    /* parsed, checked for form, and kept for later issues */
    char *http;
};

/* Does it share services with others: by a store that it names, and sessions? */
bool spec_node_is_clustered(const struct spec_node *node);

/* All that the files given to `up` say together. */
struct spec_tree {
    struct spec_application *applications;
    size_t application_count;
    struct spec_node node;
    struct spec_log log;
    bool log_given;
};

void spec_finish(struct spec *spec);
/* A deep copy; -1 with ENOMEM leaves *to finished. name, when not NULL, replaces the copy's name. */
int spec_copy(const struct spec *from, const char *name, struct spec *to);
/* The same, of what take() gives, which is never freed. -1 with ENOMEM: that was too little, and *to is empty. */
int spec_copy_into(const struct spec *from, struct spec *to, void *(*take)(size_t size));
/* Moves all that is below a supervisor's spec into other memory, which is never freed; where there is
 * too little of that it stays. Pointers to what is below are no longer valid. */
void spec_move_below(struct spec *spec, void *(*take)(size_t size));
void spec_application_finish(struct spec_application *application);
void spec_tree_finish(struct spec_tree *tree);

/* Text of exec, env and cwd as a spawn wants it: ${replica} is replaced by the number, $${
 * becomes ${. Everything else was expanded when the file was read. Returns an allocated text, or NULL with
 * ENOMEM. */
char *spec_expand_replica(const char *text, unsigned replica);

const char *spec_restart_text(enum spec_restart restart);
const char *spec_strategy_text(enum spec_strategy strategy);
const char *spec_kind_text(enum spec_kind kind);
const char *spec_placement_text(enum spec_placement placement);
/* Is it a supervisor, be it a service's? */
bool spec_supervises(const struct spec *spec);

#endif
