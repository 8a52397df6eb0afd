/*
 * What a supervisor hands to a module that it has forked: the private border between
 * troupe-supervisord and libtroupe's runtime. A module brings the runtime that it was linked
 * against; `abi` says whether the two fit.
 */
#ifndef TROUPE_BOOT_H
#define TROUPE_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TROUPE_BOOT_ABI = 1 };

/* Where a child finds its descriptors after the fork (spawn.c puts them there). */
enum {
    BOOT_FD_MAILBOX = 3, /* listening socket; absent without a mailbox */
    BOOT_FD_CONTROL = 4, /* SEQPACKET to the supervisor */
    BOOT_FD_STATS = 5,   /* a memfd of stats pages; a module closes it when it has mapped its own */
    BOOT_FD_SPARE = 6,   /* readiness pipe, or the pipe that tells an exec's failure */
};

struct troupe_boot {
    uint32_t abi;
    const char *path, *node, *run_dir;
    uint64_t incarnation;
    unsigned replica; /* 0: not one of several */
    int mailbox_fd, control_fd, stats_fd; /* -1: none */
    uint64_t stats_offset;
    size_t mailbox_messages, mailbox_bytes; /* bounds (SEMANTICS 6) */
    uint64_t max_message;
    bool raw_off;   /* `raw: off`: refuse REQ and PUSH */
    bool raw_bytes; /* `raw: bytes`: bodies go to the handler named raw, untouched */
    const char *const *args; /* key, value, key, value, …, NULL */
    const void *last_state;  /* from the last incarnation's end, or NULL */
    size_t last_state_size;
    const uint32_t *uids; /* who else may send (SEMANTICS 10); root and the node's user always may */
    size_t uid_count;
    uint32_t node_uid; /* the node's user: only it speaks for others, as its sys/node does */
    bool is_of_service; /* its incarnation is an epoch */
    int64_t idle_ms;    /* it stops by itself when it has got no message for so long; 0: never */
};

#endif
