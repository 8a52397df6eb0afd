#include "nest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum {
    GRAIN = 16,
    STEPS = 4,     /* sizes between a power of two and the next */
    FINE = 8,      /* sizes of so many grains are all kept apart */
    FINE_BITS = 7, /* FINE grains in bits */
    LARGEST_BITS = 17,
    CLASSES = FINE + STEPS * (LARGEST_BITS - FINE_BITS),
    PAGE = 4096,
};

/* Stands before each block. */
struct head {
    _Alignas(GRAIN) struct head *next; /* of those that were given back */
    uint32_t class;
};

_Static_assert(sizeof(struct head) == GRAIN, "a block behind its head is aligned for everything");

static uint8_t *begin, *end;
static uint8_t *life; /* where this life begins: what lies before it is of an earlier one */
static uint8_t *at;
static struct head *given[CLASSES];
static _Atomic(struct head *) given_by_others;
static pthread_t owner;

/* ---- sizes: the head included --------------------------------------------------------------- */

static unsigned class_of(size_t size)
{
    unsigned bits;

    if (size <= (size_t)FINE * GRAIN)
        return (unsigned)((size + GRAIN - 1) / GRAIN) - 1;
    bits = 63 - (unsigned)__builtin_clzl(size - 1); /* 2^bits < size <= 2^(bits+1) */
    return FINE + (bits - FINE_BITS) * STEPS + (unsigned)((size - 1) >> (bits - 2)) % STEPS;
}

static size_t size_of(unsigned class)
{
    unsigned bits, step;

    if (class < FINE)
        return (size_t)(class + 1) * GRAIN;
    bits = FINE_BITS + (class - FINE) / STEPS;
    step = (class - FINE) % STEPS;
    return ((size_t)1 << bits) + ((size_t)(step + 1) << (bits - 2));
}

/* ---- life ----------------------------------------------------------------------------------- */

static void forget_given(void)
{
    memset(given, 0, sizeof given);
    atomic_store(&given_by_others, NULL);
}

static void begin_next_life(void)
{
    size_t used = (size_t)(at - begin + PAGE - 1) / PAGE * PAGE;

    forget_given();
    life = at = begin + used; /* the nest is whole pages */
}

int nest_open(size_t room)
{
    void *pages;

    owner = pthread_self();
    if (begin) {
        begin_next_life();
        return 0;
    }
    room = (room + PAGE - 1) / PAGE * PAGE;
    pages = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    if (pages == MAP_FAILED)
        return -1;
    begin = life = at = pages;
    end = begin + room;
    return 0;
}

void nest_leave(void)
{
    if (begin)
        munmap(begin, (size_t)(end - begin));
    begin = end = life = at = NULL;
    forget_given();
}

void nest_withhold(bool withheld)
{
    if (begin)
        madvise(begin, (size_t)(end - begin), withheld ? MADV_DONTFORK : MADV_DOFORK);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static struct head *head_of(const void *block)
{
    return (struct head *)block - 1;
}

bool nest_has(const void *block)
{
    return (const uint8_t *)block >= begin && (const uint8_t *)block < end;
}

size_t nest_size(const void *block)
{
    return size_of(head_of(block)->class) - sizeof(struct head);
}

static void put(struct head *head)
{
    head->next = given[head->class];
    given[head->class] = head;
}

static void collect_from_others(void)
{
    struct head *head = atomic_exchange(&given_by_others, NULL), *next;

    for (; head; head = next) {
        next = head->next;
        put(head);
    }
}

static struct head *cut(unsigned class)
{
    struct head *head = (struct head *)at;

    if (size_of(class) > (size_t)(end - at))
        return NULL;
    at += size_of(class);
    head->class = class;
    return head;
}

void *nest_take(size_t size)
{
    struct head *head;
    unsigned class;

    if (size > ((size_t)1 << LARGEST_BITS) - sizeof *head || !at ||
        !pthread_equal(owner, pthread_self()))
        return NULL;
    class = class_of((size ? size : 1) + sizeof *head); /* never just where the nest ends */
    if (!given[class] && atomic_load_explicit(&given_by_others, memory_order_relaxed))
        collect_from_others();
    head = given[class];
    if (head)
        given[class] = head->next;
    else
        head = cut(class);
    return head ? head + 1 : NULL;
}

static void give_from_elsewhere(struct head *head)
{
    head->next = atomic_load(&given_by_others);
    while (!atomic_compare_exchange_weak(&given_by_others, &head->next, head))
        ;
}

void nest_give(void *block)
{
    if ((uint8_t *)block < life)
        return;
    if (pthread_equal(owner, pthread_self()))
        put(head_of(block));
    else
        give_from_elsewhere(head_of(block));
}
