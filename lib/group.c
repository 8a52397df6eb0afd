/* Process groups for an author: who is in them, and sending to them (SEMANTICS 8). */
#include "cast.h"
#include "control.h"
#include "runtime.h"
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- asking ---------------------------------------------------------------------------------- */

static const char *which_text(enum troupe_where where)
{
    return where == TROUPE_THIS_NODE ? "local" : "all";
}

int troupe_members(struct troupe *self, const char *group, enum troupe_where where,
                   void (*visit)(const char *member, void *data), void *data)
{
    struct words answer = {0};
    struct group_name name;
    const char *why;
    int count;

    if (group_name_parse(group, &name, &why) < 0) {
        errno = EINVAL;
        return -1;
    }
    if (views_ask(self, CONTROL_MEMBERS,
                  &(struct words){3, (char *[]){(char *)which_text(where), name.scope, name.group}},
                  &answer) < 0)
        return -1;
    count = (int)answer.count;
    for (size_t i = 0; i < answer.count; i++)
        visit(answer.at[i], data);
    words_finish(&answer);
    return count;
}

int troupe_groups(struct troupe *self, const char *scope, enum troupe_where where,
                  void (*visit)(const char *group, void *data), void *data)
{
    struct words answer = {0};
    const char *only = scope ? scope : GROUP_SCOPE;
    int count = 0;

    if (views_ask(self, CONTROL_GROUPS,
                  &(struct words){2, (char *[]){(char *)which_text(where), (char *)only}},
                  &answer) < 0)
        return -1;
    for (size_t i = 0; i + 2 < answer.count; i += 3, count++)
        visit(answer.at[i + 1], data);
    words_finish(&answer);
    return count;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Those who get a message, each once. */
struct audience_of_group {
    const char **members; /* distinct; borrowed from the view */
    size_t count;
};

static bool is_here(const struct troupe *self, const char *member)
{
    const char *node = addr_node_part(member);
    size_t length = *node ? strcspn(++node, "#") : 0;

    return length == 0 ||
           (strlen(self->boot->node) == length && !strncmp(node, self->boot->node, length));
}

static int collect(const struct view *view, struct audience_of_group *audience)
{
    const struct view_member *member = view->members;

    audience->count = 0;
    audience->members = malloc((HASH_COUNT(member) + 1) * sizeof *audience->members);
    if (!audience->members)
        return -1;
    for (; member; member = member->hh.next)
        audience->members[audience->count++] = member->address;
    return 0;
}

static void keep_one(struct audience_of_group *audience)
{
    if (audience->count > 1) {
        audience->members[0] = audience->members[(size_t)random() % audience->count];
        audience->count = 1;
    }
}

static bool is_same_node(const char *a, const char *b)
{
    size_t length = strcspn(addr_node_part(a), "#");

    return length == strcspn(addr_node_part(b), "#") &&
           !strncmp(addr_node_part(a), addr_node_part(b), length);
}

/* One of each node, by chance: each is as likely as any other of its node. */
static void keep_one_a_node(struct audience_of_group *audience)
{
    size_t kept = 0;

    for (size_t i = audience->count; i > 1; i--) { /* shuffled, the first of each node is that */
        size_t j = (size_t)random() % i;
        const char *other = audience->members[i - 1];

        audience->members[i - 1] = audience->members[j];
        audience->members[j] = other;
    }
    for (size_t i = 0; i < audience->count; i++) {
        size_t k = 0;

        while (k < kept && !is_same_node(audience->members[k], audience->members[i]))
            k++;
        if (k == kept)
            audience->members[kept++] = audience->members[i];
    }
    audience->count = kept;
}

/* Those here, when there are any. */
static void keep_nearest(const struct troupe *self, struct audience_of_group *audience)
{
    size_t here = 0;

    for (size_t i = 0; i < audience->count; i++)
        if (is_here(self, audience->members[i])) {
            const char *other = audience->members[here];

            audience->members[here++] = audience->members[i];
            audience->members[i] = other;
        }
    if (here)
        audience->count = here;
}

static void choose(const struct troupe *self, enum troupe_spread spread,
                   struct audience_of_group *audience)
{
    if (spread == TROUPE_TO_ONE_A_NODE)
        keep_one_a_node(audience);
    if (spread == TROUPE_TO_NEAREST)
        keep_nearest(self, audience);
    if (spread == TROUPE_TO_NEAREST || spread == TROUPE_TO_ONE)
        keep_one(audience);
}

static int send_each(struct troupe *self, const struct audience_of_group *audience,
                     const char *name, const struct payload *payload)
{
    int sent = 0;

    for (size_t i = 0; i < audience->count; i++)
        if (cast_payload(self, audience->members[i], name, payload) == 0)
            sent++;
        else if (errno == EINVAL || errno == EMSGSIZE)
            return -1;
    return sent;
}

static void node_of(const char *member, char out[ADDR_PART_MAX + 1])
{
    const char *node = addr_node_part(member);

    node += *node == '@';
    snprintf(out, ADDR_PART_MAX + 1, "%.*s", (int)strcspn(node, "#"), node);
}

/* A message on its way to the members in one other node. */
struct relaying {
    struct troupe *self;
    const char *group; /* SCOPE:GROUP */
    const char *name;
    const struct payload *payload;
};

static uint64_t hash_of(const char *member)
{
    struct addr addr = {0};
    const char *why;

    addr_parse(member, &addr, &why); /* sys/node has written it */
    return addr_hash(&addr);
}

/* Those that this actor has a way of its own to get it by that: there it stays in order with all else that goes
 * to them (following.h). The others by their sys/node, once. Of too many ways to be left out each member gets
 * its own. */
static int send_to_node(const struct relaying *relaying, const char *const *members, size_t count)
{
    struct cast_except except = {.count = 0};
    char node[ADDR_PART_MAX + 1];
    size_t known = 0, sent = 0;

    for (size_t i = 0; i < count; i++)
        known += contact_known(relaying->self, members[i]) != NULL;
    for (size_t i = 0; i < count; i++) {
        if (known <= ENVELOPE_MAX_BLOCKED && !contact_known(relaying->self, members[i]))
            continue;
        if (known <= ENVELOPE_MAX_BLOCKED)
            except.hashes[except.count++] = hash_of(members[i]);
        sent += cast_payload(relaying->self, members[i], relaying->name, relaying->payload) == 0;
    }
    node_of(members[0], node);
    if (known <= ENVELOPE_MAX_BLOCKED && known < count &&
        cast_to_group(relaying->self, node, relaying->group, &except, relaying->name,
                      relaying->payload) == 0)
        sent += count - known;
    return (int)sent;
}

static int compare_nodes(const void *left, const void *right)
{
    return strcmp(addr_node_part(*(const char *const *)left),
                  addr_node_part(*(const char *const *)right));
}

/* Node by node. */
static int send_elsewhere(struct troupe *self, const struct group_name *group,
                          struct audience_of_group *audience, const char *name,
                          const struct payload *payload)
{
    char to[GROUP_TEXT_MAX + 1];
    const struct relaying relaying = {self, to, name, payload};
    int sent = 0;

    snprintf(to, sizeof to, "%s:%s", group->scope, group->group);
    qsort(audience->members, audience->count, sizeof *audience->members, compare_nodes);
    for (size_t i = 0, end; i < audience->count; i = end) {
        for (end = i + 1; end < audience->count &&
                          is_same_node(audience->members[i], audience->members[end]);)
            end++;
        sent += send_to_node(&relaying, audience->members + i, end - i);
    }
    return sent;
}

/* To all: those here directly. */
static int send_all(struct troupe *self, const struct group_name *group,
                    const struct audience_of_group *audience, const char *name,
                    const struct payload *payload)
{
    struct audience_of_group here = {0}, elsewhere = {0};
    int sent = -1;

    here.members = malloc((audience->count + 1) * sizeof *here.members);
    elsewhere.members = malloc((audience->count + 1) * sizeof *elsewhere.members);
    for (size_t i = 0; here.members && elsewhere.members && i < audience->count; i++) {
        struct audience_of_group *side = is_here(self, audience->members[i]) ? &here : &elsewhere;

        side->members[side->count++] = audience->members[i];
    }
    if (here.members && elsewhere.members)
        sent = send_each(self, &here, name, payload);
    if (sent >= 0)
        sent += send_elsewhere(self, group, &elsewhere, name, payload);
    free(here.members);
    free(elsewhere.members);
    return sent;
}

static int send_group(struct troupe *self, const struct group_name *group,
                      enum troupe_spread spread, const char *name, const struct payload *payload)
{
    struct view *view = views_look(self, group);
    struct audience_of_group audience;
    int sent;

    if (!view || collect(view, &audience) < 0)
        return -1;
    choose(self, spread, &audience);
    sent = spread == TROUPE_TO_ALL ? send_all(self, group, &audience, name, payload)
                                   : send_each(self, &audience, name, payload);
    free(audience.members);
    return sent;
}

int troupe_cast_group_values(struct troupe *self, const char *group, enum troupe_spread spread,
                             const char *name, const struct troupe_value *values)
{
    struct payload payload;
    struct group_name to;
    const char *why;
    int sent, saved;

    if (group_name_parse(group, &to, &why) < 0) {
        errno = EINVAL;
        return -1;
    }
    if (values_pack(values, &payload) < 0)
        return -1;
    sent = send_group(self, &to, spread, name, &payload);
    saved = errno;
    wire_image_finish(&payload.image);
    errno = saved;
    return sent;
}
