/* The table of a supervisor: whose a slot is, when more names come and go than there are slots. */
#include "table.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 3, NAMES = 500 };

static char dir[] = "/tmp/table.XXXXXX";

/* As a child's life does: the name comes, lives so often, and is gone at that time. */
static struct table_slot *appear(struct table *table, const char *name)
{
    struct table_slot *slot = table_slot(table, name);

    if (slot)
        slot->present = 1;
    return slot;
}

static void vanish(struct table_slot *slot, int64_t when_us)
{
    slot->present = 0;
    slot->since_us = when_us;
}

static void test_room(struct table *table)
{
    struct table_slot *a = appear(table, "a"), *b = appear(table, "b"), *c = appear(table, "c");

    CHECK(a && b && c, "there are as many slots as were asked for");
    errno = 0;
    CHECK(!table_slot(table, "d") && errno == ENOSPC, "while all are there, there is no other");
    a->incarnation = 7;
    vanish(a, 20);
    vanish(b, 10);
    CHECK(table_slot(table, "a") == a && a->incarnation == 7,
          "a name that comes back has its numbers");
    CHECK(appear(table, "d") == b, "the name that is gone for longest gives its slot away");
    CHECK(!table_find(table, "b") && table_find(table, "c") == c, "and no other does");
    CHECK(appear(table, "e") == a && a->incarnation == 7,
          "the new name counts on from the old one's");
    CHECK(table_next_number(table) > 7, "so do numbers of those who have no slot");
    vanish(a, 30);
    vanish(b, 40);
    vanish(c, 50);
    table_release(table, b);
    CHECK(appear(table, "f") == b && b->incarnation == 0,
          "one that is free is taken first, and is new");
}

/* Incarnations of a name are seen to grow for as long as the node runs, whoever was there between.
 */
static void test_numbers(struct table *table)
{
    uint64_t highest[10] = {0};
    bool grew = true, had_room = true;

    srandom(1);
    for (int i = 0; i < NAMES; i++) {
        int n = (int)(random() % 10);
        char name[] = {'n', (char)('0' + n), '\0'};
        struct table_slot *slot = appear(table, name);

        had_room &= slot != NULL;
        if (!slot)
            break;
        slot->incarnation += 1 + (uint64_t)random() % 3;
        grew &= slot->incarnation > highest[n];
        highest[n] = slot->incarnation;
        vanish(slot, 100 + i);
    }
    CHECK(had_room, "names may come and go without end");
    CHECK(grew, "and no incarnation of any comes twice");
}

int main(void)
{
    char file[64];
    struct table *table;

    if (!mkdtemp(dir))
        return 1;
    table = table_open(dir, "", SLOTS);
    CHECK(table != NULL, "a table is made");
    if (table) {
        test_room(table);
        vanish(table_find(table, "f"), 60);
        test_numbers(table);
        table_close(table);
    }
    snprintf(file, sizeof file, "%s/.table", dir);
    unlink(file);
    rmdir(dir);
    return tap_done();
}
