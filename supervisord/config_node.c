/* The node and the log: once for all files that are started together; and what must hold between
 * the node's keys. */
#include "config_reader.h"
#include "addr.h"
#include "cookie.h"
#include "rights.h"
#include "store_url.h"
#include "texts.h"
#include "url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PASSWORD_MAX = 255, GATEWAY_LIST_MAX = 256 };

/* ---- addresses and rights -------------------------------------------------------------------- */

/* The text when it is a URL; NULL after a complaint. */
static const char *url_text(struct reader *reader, const struct config_key *key,
                            const struct config_node *node)
{
    const char *text = reader_text(reader, key, node), *why;
    struct url url;

    if (!text || url_parse(text, &url, &why) == 0)
        return text;
    complain_of_text(reader, text, why);
    return NULL;
}

void read_url(struct reader *reader, const struct config_key *key, const struct config_node *node,
              void *at)
{
    const char *text = url_text(reader, key, node);

    if (text)
        reader_keep(reader, at, text);
}

static void add_url(struct reader *reader, const struct config_key *key,
                    const struct config_node *node, void *at)
{
    const char *text = url_text(reader, key, node);

    if (text)
        reader_append(reader, at, text);
}

void read_urls(struct reader *reader, const struct config_key *key, const struct config_node *node,
               void *at)
{
    char ***urls = at;

    if (!*urls && !(*urls = texts_create()))
        reader_no_memory(reader);
    else
        reader_each(reader, key, node, add_url, urls);
}

static void add_right(struct reader *reader, const struct config_key *key,
                      const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);

    for (unsigned i = 0; text && key->choices[i]; i++)
        if (!strcmp(text, key->choices[i])) {
            *(unsigned *)at |= 1U << i;
            return;
        }
    if (text)
        complain_of_text(reader, text, key->expected);
}

/* An empty list grants nothing. */
void read_rights(struct reader *reader, const struct config_key *key,
                 const struct config_node *node, void *at)
{
    *(unsigned *)at = 0;
    reader_each(reader, key, node, add_right, at);
}

/* A folder is meant from the file's own. */
static void keep_store(struct reader *reader, const struct store_url *url, const char *text, char **at)
{
    const char *folder = *url->where ? reader_absolute(reader, url->where) : "";
    char kept[PATH_MAX + 8];

    if (strcmp(url->backend, "sqlite") != 0) {
        reader_keep(reader, at, text);
    } else if (folder) {
        snprintf(kept, sizeof kept, "sqlite:%s", folder);
        reader_keep(reader, at, kept);
    }
}

void read_store(struct reader *reader, const struct config_key *key, const struct config_node *node,
                void *at)
{
    const char *text = reader_text(reader, key, node), *why;
    struct store_url url;

    if (!text)
        return;
    if (store_url_parse(text, &url, &why) < 0) /* the text is not shown: a password may stand in it */
        complain(reader, "no place for state: expected %s", why);
    else
        keep_store(reader, &url, text, at);
}

static void add_pattern(struct reader *reader, const struct config_key *key,
                        const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node), *why;
    char ***patterns = at;
    struct addr addr;
    bool is_glob;

    if (!text)
        return;
    if (addr_parse_glob(text, &addr, &is_glob, &why) < 0 || !*addr.path || *addr.node ||
        addr.incarnation)
        complain_of_text(reader, text, "a path, in which * ? [ ] may stand for what is within a part");
    else if (addr_is_within(addr.path, "sys"))
        complain_of_text(reader, text, "actors of applications");
    else if (texts_contain(*patterns, text))
        complain_of_text(reader, text, "each one once");
    else
        reader_append(reader, patterns, text);
}

/* An empty list would be none, and that is all: nobody means it so. */
void read_patterns(struct reader *reader, const struct config_key *key,
                   const struct config_node *node, void *at)
{
    if (node->kind == NODE_LIST && node->count == 0)
        complain(reader, "nobody: expected %s", key->expected);
    else
        reader_each(reader, key, node, add_pattern, at);
}

/* ---- what must hold between the keys -------------------------------------------------------- */

static void complain_at(struct reader *reader, const struct config_node *map, const char *key,
                        const char *format, const char *text)
{
    const struct config_entry *entry = config_node_entry(map, key);
    const struct config_node *place = entry ? entry->key : map;
    struct scope scope;

    reader_enter(reader, &scope, key, place->line, place->column);
    complain(reader, format, text);
    reader_leave(reader);
}

static void check_url(struct reader *reader, const struct config_node *map, const char *key,
                      const char *text)
{
    const struct spec_node *node = &reader->tree->node;
    struct url url;
    const char *why;

    if (!text || url_parse(text, &url, &why) < 0)
        return;
    if (url.tls && !node->tls_cert)
        complain_at(reader, map, key, "\"%.100s\": expected tls: {ca, cert, key} beside it", text);
    if (!url_is_private(&url) && !node->trusted_network)
        complain_at(
            reader, map, key,
            "\"%.100s\": readable for whoever is on the way: expected tls+tcp://, a loopback "
            "address, or trusted_network: true",
            text);
}

static void check_gateway(struct reader *reader, const struct config_node *map)
{
    const struct spec_node *node = &reader->tree->node;

    check_url(reader, map, "gateway", node->gateway_listen);
    if (texts_count(node->gateway_actors) > GATEWAY_LIST_MAX ||
        texts_count(node->gateway_publishers) > GATEWAY_LIST_MAX)
        complain_at(reader, map, "gateway", "too long a list: expected %s", "256 paths at most");
    if (texts_count(node->gateway_publishers) && !(node->gateway_grant & RIGHT_LOOK))
        complain_at(reader, map, "gateway", "publishers that nobody may hear: expected %s",
                    "look in grant");
}

/* A file of so many bytes that nobody else may read: NULL, or what it is instead. */
static const char *wrong_secret(const char *file, off_t min, off_t max)
{
    struct stat st;

    if (stat(file, &st) < 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode) || st.st_size > max)
        return "something else";
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return "others may read or write it";
    if (st.st_size < min)
        return "too short";
    return access(file, R_OK) < 0 ? strerror(errno) : NULL;
}

static void check_cookie(struct reader *reader, const struct config_node *map)
{
    const struct spec_node *node = &reader->tree->node;
    struct cookie cookie;
    const char *why;

    if (!node->cookie_file) {
        if (node->listen || node->peers)
            complain_at(reader, map, "cookie_file", "missing: expected %s",
                        "the path of a file, beside listen and peers");
        return;
    }
    if (!reader->context->text_only && cookie_read(node->cookie_file, &cookie, &why) < 0)
        complain_at(
            reader, map, "cookie_file",
            "%s: expected a file of 16 to 4096 bytes that only its owner may read (chmod 600)", why);
}

static void check_file(struct reader *reader, const struct config_node *map, const char *file)
{
    char text[512];

    if (!file || reader->context->text_only || access(file, R_OK) == 0)
        return;
    snprintf(text, sizeof text, "%.400s: %s", file, strerror(errno));
    complain_at(reader, map, "tls", "%s: expected a file that can be read", text);
}

static void check_store(struct reader *reader, const struct config_node *map)
{
    const struct spec_node *node = &reader->tree->node;
    bool is_redis = node->store && strncmp(node->store, "redis:", 6) == 0;
    bool is_embedded = !node->store || strncmp(node->store, "sqlite", 6) == 0;
    const char *wrong = NULL;

    if (node->store_unsafe && !is_redis)
        complain_at(reader, map, "store_unsafe", "only a Redis may be taken so: expected %s",
                    "store: redis://… beside it");
    if (!node->store_password_file)
        return;
    if (is_embedded) {
        complain_at(reader, map, "store_password_file", "nobody asks for it: expected %s",
                    "store: postgres://… or redis://… beside it");
        return;
    }
    if (!reader->context->text_only)
        wrong = wrong_secret(node->store_password_file, 1, PASSWORD_MAX);
    if (wrong)
        complain_at(reader, map, "store_password_file",
                    "%s: expected a file of 1 to 255 bytes that only its owner may read (chmod 600)",
                    wrong);
}

static void check_node(struct reader *reader, const struct config_node *map)
{
    const struct spec_node *node = &reader->tree->node;

    check_url(reader, map, "listen", node->listen);
    check_url(reader, map, "advertise", node->advertise);
    for (char **peer = node->peers; peer && *peer; peer++)
        check_url(reader, map, "peers", *peer);
    check_gateway(reader, map);
    check_cookie(reader, map);
    check_store(reader, map);
    check_file(reader, map, node->tls_ca);
    check_file(reader, map, node->tls_cert);
    check_file(reader, map, node->tls_key);
    if (node->advertise && !node->listen)
        complain_at(reader, map, "advertise", "nobody can be reached there: expected %s",
                    "listen beside it");
}

/* ---- once for all files --------------------------------------------------------------------- */

void read_node(struct reader *reader, const struct config_key *key, const struct config_node *node,
               void *at)
{
    (void)at;
    if (node->kind != NODE_MAP)
        complain_of_value(reader, key, node);
    else if (reader->tree->node.given)
        complain(reader, "said in another file already: expected in one of them");
    else {
        reader->tree->node =
            (struct spec_node){.given = true, .grant = RIGHT_ALL, .gateway_grant = RIGHT_SEND};
        reader_section(reader, SECTION_NODE, node, 0, &reader->tree->node);
        check_node(reader, node);
    }
}

void read_log(struct reader *reader, const struct config_key *key, const struct config_node *node,
              void *at)
{
    (void)at;
    if (node->kind != NODE_MAP)
        complain_of_value(reader, key, node);
    else if (reader->tree->log_given)
        complain(reader, "said in another file already: expected in one of them");
    else {
        reader->tree->log_given = true;
        reader_section(reader, SECTION_LOG, node, 0, &reader->tree->log);
    }
}
