#include "addr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_plain(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

static bool is_wild(char c)
{
    return c == '*' || c == '?' || c == '[' || c == ']';
}

/* wild: NULL when globs are not allowed, else set when one is met. */
static bool part_ok(const char *text, size_t length, bool *wild)
{
    if (length == 0 || length > ADDR_PART_MAX || text[0] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (is_plain(text[i]))
            continue;
        if (!wild || !is_wild(text[i]))
            return false;
        *wild = true;
    }
    return true;
}

static bool path_ok(const char *text, size_t length, bool *wild)
{
    const char *end = text + length;

    if (length > ADDR_PATH_MAX)
        return false;
    for (;;) {
        const char *slash = memchr(text, '/', (size_t)(end - text));

        if (!part_ok(text, (size_t)((slash ? slash : end) - text), wild))
            return false;
        if (!slash)
            return true;
        text = slash + 1;
    }
}

bool addr_is_part(const char *text, size_t length)
{
    return part_ok(text, length, NULL);
}

bool addr_is_path(const char *text)
{
    return path_ok(text, strlen(text), NULL);
}

static int parse_path(const char *text, size_t length, struct addr *addr, bool *wild,
                      const char **why)
{
    if (length == 1 && text[0] == '.')
        return 0; /* the root */
    if (length == 0) {
        *why = "no path: expected PATH, PATH@NODE or either with #INCARNATION; the root is \".\"";
        return -1;
    }
    if (!path_ok(text, length, wild)) {
        *why = "bad path: expected parts of 1 to 64 characters A-Z a-z 0-9 _ . - joined by \"/\", "
               "none starting with a dot";
        return -1;
    }
    memcpy(addr->path, text, length);
    return 0;
}

static int parse_incarnation(const char *text, struct addr *addr, const char **why)
{
    uint64_t n = 0;

    for (const char *c = text; *c; c++) {
        uint64_t digit = (uint64_t)(*c - '0');

        if (*c < '0' || *c > '9' || n > (UINT64_MAX - digit) / 10)
            goto fail;
        n = n * 10 + digit;
    }
    if (n == 0)
        goto fail;
    addr->incarnation = n;
    return 0;
fail:
    *why = "bad incarnation: expected a number from 1 after \"#\"";
    return -1;
}

static int parse(const char *text, struct addr *addr, bool *wild, const char **why)
{
    size_t path_length = strcspn(text, "@#");
    const char *rest = text + path_length;

    memset(addr, 0, sizeof *addr);
    if (parse_path(text, path_length, addr, wild, why))
        return -1;
    if (*rest == '@') {
        size_t node_length = strcspn(++rest, "#");

        if (!addr_is_part(rest, node_length)) {
            *why = "bad node: expected 1 to 64 characters A-Z a-z 0-9 _ . - after \"@\", not "
                   "starting with a dot";
            return -1;
        }
        memcpy(addr->node, rest, node_length);
        rest += node_length;
    }
    return *rest == '#' ? parse_incarnation(rest + 1, addr, why) : 0;
}

int addr_parse(const char *text, struct addr *addr, const char **why)
{
    return parse(text, addr, NULL, why);
}

int addr_parse_glob(const char *text, struct addr *addr, bool *is_glob, const char **why)
{
    *is_glob = false;
    return parse(text, addr, is_glob, why);
}

int addr_format(const struct addr *addr, char *out, size_t size)
{
    char incarnation[24] = "";

    if (addr->incarnation)
        snprintf(incarnation, sizeof incarnation, "#%" PRIu64, addr->incarnation);
    return snprintf(out, size, "%s%s%s%s", addr->path[0] ? addr->path : ".",
                    addr->node[0] ? "@" : "", addr->node, incarnation);
}

int addr_write(const char *path, uint64_t incarnation, char *out, size_t size)
{
    if (incarnation)
        return snprintf(out, size, "%s#%" PRIu64, *path ? path : ".", incarnation);
    return snprintf(out, size, "%s", *path ? path : ".");
}

const char *addr_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int addr_parent(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;

    if (!*path || length >= size)
        return -1;
    memcpy(out, path, length);
    out[length] = '\0';
    return 0;
}

static bool is_run(const char *path)
{
    return !strncmp(path, ADDR_RUN "/", sizeof ADDR_RUN) && !strchr(path + sizeof ADDR_RUN, '/');
}

int addr_supervisor(const char *path, char *out, size_t size)
{
    if (!is_run(path))
        return addr_parent(path, out, size);
    *out = '\0';
    return 0;
}

const char *addr_child_name(const char *path)
{
    return is_run(path) ? path : addr_name(path);
}

int addr_join(const char *parent, const char *name, char *out, size_t size)
{
    int length = snprintf(out, size, "%s%s%s", parent, *parent ? "/" : "", name);

    if (length < 0 || (size_t)length >= size || length > ADDR_PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

bool addr_is_within(const char *path, const char *ancestor)
{
    size_t length = strlen(ancestor);

    return length == 0 ||
           (!strncmp(path, ancestor, length) && (!path[length] || path[length] == '/'));
}

/* FNV-1a alone leaves the last letters of a text in a few bits. */
static uint64_t scatter(uint64_t hash)
{
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 33;
}

uint64_t addr_hash(const struct addr *addr)
{
    char text[ADDR_TEXT_MAX + 1];
    uint64_t hash = 0xcbf29ce484222325u;

    addr_format(addr, text, sizeof text);
    for (const char *c = text; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    return scatter(hash);
}
