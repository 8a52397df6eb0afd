/*
 * Addresses: `path`, `path@node`, or either with `#incarnation` (ARCHITECTURE, Words). Pure: text
 * in, parts out; nothing is allocated. Parts match [A-Za-z0-9_.-]{1,64} and do not start with a dot.
 */
#ifndef TROUPE_ADDR_H
#define TROUPE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ADDR_PART_MAX = 64,  /* characters of one part, and of a node's name */
    ADDR_PATH_MAX = 511, /* characters of a whole path */
    ADDR_TEXT_MAX = ADDR_PATH_MAX + 1 + ADDR_PART_MAX + 1 + 20
};

/* The first part of the paths of what is attached to no supervisor but the root. */
#define ADDR_RUN "run"

struct addr {
    char path[ADDR_PATH_MAX + 1]; /* "" is the root of the tree */
    char node[ADDR_PART_MAX + 1]; /* "" when not said */
    uint64_t incarnation;         /* 0 when not said */
};

/* Is this one part of a path, or a node's name? */
bool addr_is_part(const char *text, size_t length);
/* Is this a whole path of at least one part? */
bool addr_is_path(const char *text);

/* Parses text into addr. Returns 0, or -1 with *why set to a static phrase that says what is wrong
 * and what was expected. The empty text is an error: the root is written ".". */
int addr_parse(const char *text, struct addr *addr, const char **why);
/* The same, but parts of the path may hold the glob characters * ? [ ] (CLI.md: ADDRESS). */
int addr_parse_glob(const char *text, struct addr *addr, bool *is_glob, const char **why);

/* Writes the canonical text; returns its length (snprintf's rules). */
int addr_format(const struct addr *addr, char *out, size_t size);

/* "shop/db#7", or "shop/db" when the incarnation is 0. Returns its length (snprintf's rules). */
int addr_write(const char *path, uint64_t incarnation, char *out, size_t size);

/* The last part of a path, inside it ("shop/web/page" -> "page"). */
const char *addr_name(const char *path);
/* The path above, into out ("shop/web/page" -> "shop/web"; "shop" -> ""). Returns 0, or -1 if path is "". */
int addr_parent(const char *path, char *out, size_t size);
/* Whom to ask about a path: the path of the supervisor that it is under. That is its parent, but what
 * is attached to the node itself, `run/PID`, is the root's. Returns 0, or -1 if path is "". */
int addr_supervisor(const char *path, char *out, size_t size);
/* What that supervisor calls it ("shop/web" -> "web"; "run/12" -> "run/12"), inside the path. */
const char *addr_child_name(const char *path);
/* Joins parent and name ("" + "shop" -> "shop"). Returns 0, or -1 with ENAMETOOLONG. */
int addr_join(const char *parent, const char *name, char *out, size_t size);
/* Is path equal to, or below, ancestor? "" is above everything. */
bool addr_is_within(const char *path, const char *ancestor);

/* 64-bit hash of path@node#incarnation: FNV-1a, then MurmurHash3's last steps, so that those of similar
 * addresses lie far apart, also when small numbers are added to them (call.c). */
uint64_t addr_hash(const struct addr *addr);

#endif
