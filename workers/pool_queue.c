#include "pool_queue.h"

#include <stdlib.h>

/* ---- the heap of times --------------------------------------------------------------------- */

static void set_place(struct pool_queue *queue, size_t place, struct pool_entry *entry)
{
    queue->heap[place] = entry;
    entry->place = place;
}

static void rise(struct pool_queue *queue, struct pool_entry *entry, size_t place)
{
    while (place > 0) {
        size_t parent = (place - 1) / 2;

        if (queue->heap[parent]->due_us <= entry->due_us)
            break;
        set_place(queue, place, queue->heap[parent]);
        place = parent;
    }
    set_place(queue, place, entry);
}

static void sink(struct pool_queue *queue, struct pool_entry *entry, size_t place)
{
    for (;;) {
        size_t child = 2 * place + 1;

        if (child >= queue->count)
            break;
        if (child + 1 < queue->count && queue->heap[child + 1]->due_us < queue->heap[child]->due_us)
            child++;
        if (queue->heap[child]->due_us >= entry->due_us)
            break;
        set_place(queue, place, queue->heap[child]);
        place = child;
    }
    set_place(queue, place, entry);
}

static int make_room(struct pool_queue *queue)
{
    size_t room = queue->room ? queue->room * 2 : 64;
    struct pool_entry **heap;

    if (queue->count < queue->room)
        return 0;
    heap = realloc(queue->heap, room * sizeof(struct pool_entry *));
    if (!heap)
        return -1;
    queue->heap = heap;
    queue->room = room;
    return 0;
}

/* The last one takes the place that became free. */
static void leave_heap(struct pool_queue *queue, const struct pool_entry *entry)
{
    struct pool_entry *last = queue->heap[--queue->count];

    if (last == entry)
        return;
    if (entry->place > 0 && queue->heap[(entry->place - 1) / 2]->due_us > last->due_us)
        rise(queue, last, entry->place);
    else
        sink(queue, last, entry->place);
}

/* ---- lists --------------------------------------------------------------------------------- */

static void init_lists(struct pool_entries lists[POOL_PRIORITIES])
{
    for (int i = 0; i < POOL_PRIORITIES; i++)
        TAILQ_INIT(&lists[i]);
}

void pool_lane_init(struct pool_lane *lane)
{
    init_lists(lane->at);
}

bool pool_lane_is_empty(const struct pool_lane *lane)
{
    for (int i = 0; i < POOL_PRIORITIES; i++)
        if (!TAILQ_EMPTY(&lane->at[i]))
            return false;
    return true;
}

/* In the order of numbers; what is put back is looked for from the front, where it stood. */
static void insert_in_level(struct pool_entries *level, struct pool_entry *entry)
{
    struct pool_entry *at;

    TAILQ_FOREACH(at, level, in_level)
    if (at->number > entry->number) {
        TAILQ_INSERT_BEFORE(at, entry, in_level);
        return;
    }
    TAILQ_INSERT_TAIL(level, entry, in_level);
}

static void insert_in_lane(struct pool_entries *lane, struct pool_entry *entry)
{
    struct pool_entry *at;

    TAILQ_FOREACH(at, lane, in_lane)
    if (at->number > entry->number) {
        TAILQ_INSERT_BEFORE(at, entry, in_lane);
        return;
    }
    TAILQ_INSERT_TAIL(lane, entry, in_lane);
}

static void count_in(struct pool_queue *queue, const struct pool_entry *entry)
{
    queue->bytes += entry->bytes;
    queue->level_bytes[entry->priority] += entry->bytes;
}

static void leave(struct pool_queue *queue, struct pool_entry *entry)
{
    queue->bytes -= entry->bytes;
    queue->level_bytes[entry->priority] -= entry->bytes;
    TAILQ_REMOVE(&queue->levels[entry->priority], entry, in_level);
    TAILQ_REMOVE(&entry->lane->at[entry->priority], entry, in_lane);
    leave_heap(queue, entry);
    entry->lane = NULL;
}

/* ---- coming -------------------------------------------------------------------------------- */

/* The most urgent that may go for one of this priority; POOL_PRIORITIES: none may. */
static unsigned first_to_go(const struct pool_queue *queue, unsigned priority)
{
    if (queue->full == POOL_REFUSE)
        return POOL_PRIORITIES;
    return queue->full == POOL_NEWEST ? priority + 1 : priority;
}

/* Bytes that would be free if all went that may. */
static size_t most_free(const struct pool_queue *queue, unsigned priority)
{
    size_t bytes = queue->bytes;

    for (unsigned i = first_to_go(queue, priority); i < POOL_PRIORITIES; i++)
        bytes -= queue->level_bytes[i];
    return bytes < queue->max_bytes ? queue->max_bytes - bytes : 0;
}

/* Who goes: NULL is the one that comes. */
static struct pool_entry *choose_victim(const struct pool_queue *queue,
                                        const struct pool_entry *entry)
{
    unsigned first = first_to_go(queue, entry->priority), last = POOL_PRIORITIES - 1;

    if (queue->count == 0 || entry->bytes > most_free(queue, entry->priority))
        return NULL;
    while (TAILQ_EMPTY(&queue->levels[last]))
        last--;
    if (last < first)
        return NULL;
    if (queue->full == POOL_NEWEST)
        return TAILQ_LAST(&queue->levels[last], pool_entries);
    return TAILQ_FIRST(&queue->levels[last]);
}

void pool_queue_number(struct pool_queue *queue, struct pool_entry *entry)
{
    entry->number = ++queue->last;
}

static void enter(struct pool_queue *queue, struct pool_lane *lane, struct pool_entry *entry)
{
    pool_queue_number(queue, entry);
    entry->lane = lane;
    TAILQ_INSERT_TAIL(&queue->levels[entry->priority], entry, in_level);
    TAILQ_INSERT_TAIL(&lane->at[entry->priority], entry, in_lane);
    rise(queue, entry, queue->count++);
    count_in(queue, entry);
}

static bool has_room(const struct pool_queue *queue, size_t bytes)
{
    return queue->count < queue->max && queue->bytes <= queue->max_bytes &&
           bytes <= queue->max_bytes - queue->bytes;
}

struct pool_entry *pool_queue_make_way(struct pool_queue *queue, struct pool_entry *entry)
{
    struct pool_entry *victim;

    if (has_room(queue, entry->bytes))
        return NULL;
    victim = choose_victim(queue, entry);
    if (!victim)
        return entry;
    leave(queue, victim);
    return victim;
}

int pool_queue_put(struct pool_queue *queue, struct pool_lane *lane, struct pool_entry *entry)
{
    if (make_room(queue) < 0)
        return -1;
    enter(queue, lane, entry);
    return 0;
}

int pool_queue_return(struct pool_queue *queue, struct pool_lane *lane, struct pool_entry *entry)
{
    if (make_room(queue) < 0)
        return -1;
    entry->lane = lane;
    insert_in_level(&queue->levels[entry->priority], entry);
    insert_in_lane(&lane->at[entry->priority], entry);
    rise(queue, entry, queue->count++);
    count_in(queue, entry);
    return 0;
}

/* ---- going --------------------------------------------------------------------------------- */

static struct pool_entry *take(struct pool_queue *queue, struct pool_entry *entry)
{
    if (entry)
        leave(queue, entry);
    return entry;
}

struct pool_entry *pool_queue_take(struct pool_queue *queue, struct pool_lane *own,
                                   struct pool_lane *common)
{
    for (int i = 0; i < POOL_PRIORITIES; i++) {
        struct pool_entry *mine = TAILQ_FIRST(&own->at[i]), *any = TAILQ_FIRST(&common->at[i]);

        if (mine && any)
            return take(queue, mine->number < any->number ? mine : any);
        if (mine || any)
            return take(queue, mine ? mine : any);
    }
    return NULL;
}

struct pool_entry *pool_queue_expire(struct pool_queue *queue, int64_t now_us)
{
    return pool_queue_due(queue) <= now_us ? take(queue, queue->heap[0]) : NULL;
}

struct pool_entry *pool_queue_any(struct pool_queue *queue)
{
    return queue->count > 0 ? take(queue, queue->heap[queue->count - 1]) : NULL;
}

int64_t pool_queue_due(const struct pool_queue *queue)
{
    return queue->count > 0 ? queue->heap[0]->due_us : INT64_MAX;
}

void pool_queue_reroute(struct pool_queue *queue, pool_lane_of *lane_of, void *data)
{
    struct pool_entry *entry;

    /* Oldest first: whatever a lane still holds of the old order is taken out before it matters. */
    for (int i = 0; i < POOL_PRIORITIES; i++)
        TAILQ_FOREACH(entry, &queue->levels[i], in_level)
        {
            struct pool_lane *lane = lane_of(entry, data);

            TAILQ_REMOVE(&entry->lane->at[i], entry, in_lane);
            TAILQ_INSERT_TAIL(&lane->at[i], entry, in_lane);
            entry->lane = lane;
        }
}

/* ---- life ---------------------------------------------------------------------------------- */

void pool_queue_init(struct pool_queue *queue, size_t max, size_t max_bytes, enum pool_full full)
{
    *queue = (struct pool_queue){.max = max, .max_bytes = max_bytes, .full = full};
    init_lists(queue->levels);
}

void pool_queue_finish(struct pool_queue *queue)
{
    free(queue->heap);
    queue->heap = NULL;
}
