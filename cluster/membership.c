#include "membership.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

/* What we know of a generation beyond its row. */
struct node {
    struct node_row row;
    int64_t still_ms;  /* since when, at the latest, the store had this beat */
    bool is_confirmed; /* it knows us */
    bool has_moved;    /* we have seen it beat: what a troupe-node before us declared is void */
    bool is_released;  /* nothing of it runs */
    bool is_buried;    /* a declaration of its death with this beat may be under way */
    int64_t buried_ms; /* when it was last sent; 0: never */
    uint64_t mark;     /* when it was first heard of */
};

struct membership {
    struct node_row self;
    struct lease *lease;
    membership_ask *ask;
    void *data;
    struct node *nodes; /* of the last table, our own and older generations of ours among them */
    struct node_row *rows;
    size_t count;
    uint64_t reads;        /* how many have begun */
    uint64_t table_number; /* the reading that the table is of; 0: none */
    int64_t read_ms;       /* the last reading */
    int64_t changed_ms;    /* our last request to change our own row */
    int64_t hold_until_ms; /* nobody is declared dead by time */
    uint64_t *released;    /* generations */
    size_t released_count;
    bool is_in;      /* our row was in a table, or was inserted */
    bool is_out;     /* it is dead or left, or gone */
    bool is_leaving; /* by order */
    bool is_drained;
};

struct membership *membership_create(const struct node_row *self, struct lease *lease,
                                     membership_ask *ask, void *data)
{
    struct membership *membership = memory_zeroed(sizeof *membership);

    membership->self = *self;
    membership->lease = lease;
    membership->ask = ask;
    membership->data = data;
    return membership;
}

static void free_nodes(struct node *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)nodes[i].row.services);
    free(nodes);
}

void membership_destroy(struct membership *membership)
{
    if (!membership)
        return;
    free_nodes(membership->nodes, membership->count);
    free(membership->rows);
    free(membership->released);
    free(membership);
}

/* ---- looking ----------------------------------------------------------------------------- */

static bool is_living(enum node_state state)
{
    return state != NODE_DEAD && state != NODE_LEFT;
}

static bool is_self(const struct membership *membership, const struct node *node)
{
    return node->row.generation == membership->self.generation;
}

static struct node *find(const struct membership *membership, uint64_t generation)
{
    for (size_t i = 0; i < membership->count; i++)
        if (membership->nodes[i].row.generation == generation)
            return &membership->nodes[i];
    return NULL;
}

static struct node *find_name(const struct membership *membership, const char *name)
{
    for (size_t i = 0; i < membership->count; i++)
        if (!strcmp(membership->nodes[i].row.name, name))
            return &membership->nodes[i];
    return NULL;
}

enum node_state membership_state(const struct membership *membership)
{
    const struct node *own = find(membership, membership->self.generation);

    if (membership->is_out)
        return own && own->row.state == NODE_LEFT ? NODE_LEFT : NODE_DEAD;
    return own ? own->row.state : NODE_LEFT;
}

const struct node_row *membership_self(const struct membership *membership)
{
    return &membership->self;
}

bool membership_may_start(const struct membership *membership, int64_t now_ms)
{
    return membership_state(membership) == NODE_ALIVE && lease_holds(membership->lease, now_ms);
}

size_t membership_rows(const struct membership *membership, const struct node_row **rows)
{
    for (size_t i = 0; i < membership->count; i++)
        membership->rows[i] = membership->nodes[i].row;
    *rows = membership->rows;
    return membership->count;
}

uint64_t membership_mark(const struct membership *membership)
{
    return membership->reads;
}

enum membership_verdict membership_judge(const struct membership *membership, const char *name,
                                         uint64_t generation, uint64_t mark)
{
    const struct node *node = find(membership, generation);

    if (node && !strcmp(node->row.name, name))
        return is_living(node->row.state) ? MEMBERSHIP_LIVES : MEMBERSHIP_GONE;
    return membership->table_number > mark ? MEMBERSHIP_GONE : MEMBERSHIP_UNKNOWN;
}

/* ---- asking ------------------------------------------------------------------------------ */

static void ask(struct membership *membership, enum membership_what what,
                const struct node_row *row, uint64_t replaced, int64_t now_ms)
{
    struct membership_request request = {.what = what,
                                         .generation = row->generation,
                                         .beat = row->beat,
                                         .replaced = replaced,
                                         .number = membership->reads,
                                         .sent_ms = now_ms};

    memcpy(request.name, row->name, sizeof request.name);
    membership->ask(membership->data, &request);
}

void membership_read(struct membership *membership, int64_t now_ms)
{
    membership->reads++;
    membership->read_ms = now_ms;
    ask(membership, MEMBERSHIP_READ, &membership->self, 0, now_ms);
}

static int64_t pace_ms(const struct membership *membership)
{
    return membership->self.lease_ms / LEASE_BEATS;
}

/* Our own row is changed by one request at a time, made again when it seems lost. */
static void change_own(struct membership *membership, enum membership_what what, uint64_t replaced,
                       int64_t now_ms)
{
    if (membership->changed_ms && now_ms - membership->changed_ms < pace_ms(membership))
        return;
    membership->changed_ms = now_ms;
    ask(membership, what, &membership->self, replaced, now_ms);
}

/* ---- deaths (L3) ------------------------------------------------------------------------- */

/* By its own clock, that may be a fifth slower than ours, its lease has ended after this. */
static int64_t patience_ms(const struct node *node)
{
    return node->is_confirmed ? (node->row.lease_ms * 6 + 4) / 5 : MEMBERSHIP_STRANGER_MS;
}

static bool has_stood_still(const struct membership *membership, const struct node *node,
                            int64_t now_ms)
{
    return now_ms - node->still_ms >= patience_ms(node) && now_ms >= membership->hold_until_ms;
}

/* Whoever is not in yet and finds its name taken can have no lease; but it cannot be asked by the
 * other either, so that it waits for as long as a stranger, which needs no lease. */
static bool may_declare(const struct membership *membership, const struct node *node,
                        int64_t now_ms)
{
    if (lease_holds(membership->lease, now_ms))
        return !membership->is_drained || node->is_buried; /* an answer to that is still wanted */
    return !membership->is_in && !strcmp(node->row.name, membership->self.name);
}

static bool is_to_bury(const struct membership *membership, const struct node *node, int64_t now_ms)
{
    if (!is_living(node->row.state) || is_self(membership, node) || membership->is_out)
        return false;
    return node->is_released ||
           (has_stood_still(membership, node, now_ms) && may_declare(membership, node, now_ms));
}

static void bury(struct membership *membership, struct node *node, int64_t now_ms)
{
    if (node->buried_ms && now_ms - node->buried_ms < pace_ms(membership))
        return;
    node->is_buried = true;
    node->buried_ms = now_ms;
    ask(membership, MEMBERSHIP_BURY, &node->row, 0, now_ms);
}

static void bury_dead(struct membership *membership, int64_t now_ms)
{
    for (size_t i = 0; i < membership->count; i++)
        if (is_to_bury(membership, &membership->nodes[i], now_ms))
            bury(membership, &membership->nodes[i], now_ms);
}

/* A declaration of its death may be under way, ours or that of a troupe-node before us, which has
 * taken the knowledge of it along. */
static bool may_be_buried(const struct node *node)
{
    return node->is_buried || node->is_released || !node->has_moved;
}

static bool is_burying(const struct membership *membership)
{
    for (size_t i = 0; i < membership->count; i++) {
        const struct node *node = &membership->nodes[i];

        if (is_living(node->row.state) && !is_self(membership, node) && may_be_buried(node))
            return true;
    }
    return false;
}

bool membership_promise(struct membership *membership, uint64_t generation, int64_t now_ms)
{
    const struct node *node = find(membership, generation);
    int64_t until_ms;

    if (!node || !is_living(node->row.state) || may_be_buried(node) || membership->is_out ||
        !lease_is_silent(membership->lease, now_ms))
        return false;
    until_ms = now_ms + (node->row.lease_ms * 6 + 4) / 5;
    if (until_ms > membership->hold_until_ms)
        membership->hold_until_ms = until_ms;
    return true;
}

static bool was_released(const struct membership *membership, uint64_t generation)
{
    for (size_t i = 0; i < membership->released_count; i++)
        if (membership->released[i] == generation)
            return true;
    return false;
}

void membership_released(struct membership *membership, uint64_t generation, int64_t now_ms)
{
    struct node *node = find(membership, generation);

    if (was_released(membership, generation))
        return;
    membership->released = memory_resize(membership->released, membership->released_count + 1,
                                         sizeof *membership->released);
    membership->released[membership->released_count++] = generation;
    if (!node)
        return;
    node->is_released = true;
    bury_dead(membership, now_ms);
}

/* ---- our own row ------------------------------------------------------------------------- */

static void insert(struct membership *membership, int64_t now_ms)
{
    const struct node *namesake = find_name(membership, membership->self.name);

    if (!namesake || !is_living(namesake->row.state))
        change_own(membership, MEMBERSHIP_INSERT, namesake ? namesake->row.generation : 0, now_ms);
}

/* Has everybody who is alive confirmed us? */
static bool is_known(const struct membership *membership)
{
    for (size_t i = 0; i < membership->count; i++) {
        const struct node *node = &membership->nodes[i];

        if ((node->row.state == NODE_ALIVE || node->row.state == NODE_LEAVING) &&
            !is_self(membership, node) && !node->is_confirmed)
            return false;
    }
    return true;
}

static void advance(struct membership *membership, int64_t now_ms)
{
    enum node_state state = membership_state(membership);

    if (!membership->table_number || membership->is_out)
        return;
    if (!membership->is_in)
        insert(membership, now_ms);
    else if (membership->is_leaving && (state == NODE_JOINING || state == NODE_ALIVE))
        change_own(membership, MEMBERSHIP_LEAVING, 0, now_ms);
    else if (state == NODE_LEAVING && membership->is_drained && !is_burying(membership))
        change_own(membership, MEMBERSHIP_LEFT, 0, now_ms);
    else if (state == NODE_JOINING && is_known(membership))
        change_own(membership, MEMBERSHIP_ALIVE, 0, now_ms);
}

void membership_leave(struct membership *membership, int64_t now_ms)
{
    membership->is_leaving = true;
    advance(membership, now_ms);
}

void membership_drained(struct membership *membership, int64_t now_ms)
{
    membership->is_drained = membership->is_leaving;
    advance(membership, now_ms);
}

/* ---- acquaintance ------------------------------------------------------------------------ */

bool membership_confirm(struct membership *membership, uint64_t generation, int64_t now_ms)
{
    if (membership->is_out)
        return false;
    lease_confirm(membership->lease, generation, now_ms);
    return true;
}

void membership_confirmed(struct membership *membership, uint64_t generation, int64_t now_ms)
{
    struct node *node = find(membership, generation);

    if (!node)
        return;
    node->is_confirmed = true;
    advance(membership, now_ms);
}

static bool is_to_confirm(const struct membership *membership, const struct node *node)
{
    return membership->is_in && !membership->is_out && is_living(node->row.state) &&
           !is_self(membership, node) && !node->is_confirmed;
}

static void ask_confirmations(struct membership *membership, int64_t now_ms)
{
    for (size_t i = 0; i < membership->count; i++)
        if (is_to_confirm(membership, &membership->nodes[i]))
            ask(membership, MEMBERSHIP_CONFIRM, &membership->nodes[i].row, 0, now_ms);
}

void membership_met(struct membership *membership, const char *name, int64_t now_ms)
{
    const struct node *node = find_name(membership, name);

    if (node && is_to_confirm(membership, node))
        ask(membership, MEMBERSHIP_CONFIRM, &node->row, 0, now_ms);
}

/* ---- tables ------------------------------------------------------------------------------ */

static void copy_services(struct node_row *row)
{
    size_t n =
        row->service_count < MEMBERSHIP_SERVICES_MAX ? row->service_count : MEMBERSHIP_SERVICES_MAX;
    struct node_service *copy = memory_resize(NULL, n, sizeof *copy);

    if (n)
        memcpy(copy, row->services, n * sizeof *copy);
    row->services = copy;
    row->service_count = n;
}

/* A beat that has moved on settles what was under way against the last one. Readings may overtake
 * each other: neither a beat nor a state goes back. */
static struct node take_over(const struct membership *membership, const struct node_row *row,
                             int64_t now_ms)
{
    const struct node *known = find(membership, row->generation);
    struct node node = {.still_ms = now_ms, .mark = membership->reads};

    if (known && known->row.beat >= row->beat) {
        node = *known;
    } else if (known) {
        node.mark = known->mark;
        node.has_moved = true;
        node.is_confirmed = known->is_confirmed;
    }
    if (known && row->state > known->row.state)
        node.buried_ms = 0; /* what was declared of its state before is refused */
    node.row = *row;
    if (known && known->row.beat > row->beat)
        node.row.beat = known->row.beat;
    if (known && known->row.state > row->state)
        node.row.state = known->row.state;
    copy_services(&node.row);
    node.is_released = was_released(membership, row->generation);
    return node;
}

/* What was heard of after the reading began may have come into the store after it was read. */
static size_t keep_newer(struct membership *membership, struct node *nodes, uint64_t number)
{
    size_t kept = 0;

    for (size_t i = 0; i < membership->count; i++) {
        if (membership->nodes[i].mark < number)
            continue;
        nodes[kept++] = membership->nodes[i];
        copy_services(&nodes[kept - 1].row);
    }
    return kept;
}

static struct node *named(struct node *nodes, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(nodes[i].row.name, name))
            return &nodes[i];
    return NULL;
}

static void take_rows(struct membership *membership, const struct node_row *rows, size_t n,
                      uint64_t number, int64_t now_ms)
{
    struct node *nodes = memory_resize(NULL, n + membership->count, sizeof *nodes);
    size_t kept = keep_newer(membership, nodes, number), count = kept;

    for (size_t i = 0; i < n; i++) {
        struct node *newer = named(nodes, kept, rows[i].name);

        if (newer && newer->row.generation != rows[i].generation)
            continue;
        if (newer)
            free((void *)newer->row.services);
        *(newer ? newer : &nodes[count++]) = take_over(membership, &rows[i], now_ms);
    }
    free_nodes(membership->nodes, membership->count);
    membership->nodes = nodes;
    membership->count = count;
    membership->rows = memory_resize(membership->rows, count, sizeof *membership->rows);
}

static void tell_lease(struct membership *membership, int64_t sent_ms)
{
    uint64_t *generations = memory_resize(NULL, membership->count, sizeof *generations);
    size_t n = 0;

    for (size_t i = 0; i < membership->count; i++)
        if (is_living(membership->nodes[i].row.state) &&
            !is_self(membership, &membership->nodes[i]))
            generations[n++] = membership->nodes[i].row.generation;
    lease_table(membership->lease, generations, n, sent_ms);
    free(generations);
}

/* Is it ours no longer, or has it become ours? */
static void look_at_own(struct membership *membership, int64_t now_ms)
{
    const struct node *own = find(membership, membership->self.generation);

    if (own && is_living(own->row.state)) {
        membership->is_in = true;
        lease_begin(membership->lease, now_ms);
    } else if (own || membership->is_in) {
        membership->is_out = true;
        lease_lose(membership->lease);
    }
}

void membership_table(struct membership *membership, const struct membership_request *reading,
                      const struct node_row *rows, size_t n, int64_t now_ms)
{
    enum node_state before = membership_state(membership);

    if (reading->number <= membership->table_number)
        return;
    membership->table_number = reading->number;
    take_rows(membership, rows, n, reading->number, now_ms);
    tell_lease(membership, reading->sent_ms);
    look_at_own(membership, now_ms);
    if (membership_state(membership) != before)
        membership->changed_ms = 0;
    ask_confirmations(membership, now_ms);
    bury_dead(membership, now_ms);
    advance(membership, now_ms);
}

/* Done: it is dead. Not: its beat has moved on, or somebody else was first. */
static void buried(struct membership *membership, const struct membership_request *request,
                   bool is_done, int64_t now_ms)
{
    struct node *node = find(membership, request->generation);

    if (!node || node->row.beat != request->beat)
        return;
    node->is_buried = false;
    node->still_ms = now_ms;
    if (is_done)
        node->row.state = NODE_DEAD;
}

void membership_answered(struct membership *membership, const struct membership_request *request,
                         bool is_done, int64_t now_ms)
{
    if (request->what == MEMBERSHIP_BURY)
        buried(membership, request, is_done, now_ms);
    else
        membership->changed_ms = 0;
    membership_read(membership, now_ms);
}

void membership_tick(struct membership *membership, int64_t now_ms)
{
    if (membership->is_out)
        return;
    bury_dead(membership, now_ms);
    advance(membership, now_ms);
    if (!membership->read_ms || now_ms - membership->read_ms >= pace_ms(membership))
        membership_read(membership, now_ms);
}
