/*
 * What a node says of itself in its row: written and read back, and what others make of nonsense.
 */
#include "../../cluster/node_load.h"
#include "tap.h"

#include <stdlib.h>

static void check_both_ways(void)
{
    struct node_service services[] = {{"shop/carts", 3, 100}, {"games/tables", 0, 4294967295U}};
    struct node_service room[MEMBERSHIP_SERVICES_MAX];
    struct node_row row = {.lease_ms = 1500,
                           .memory_percent = 12,
                           .load_percent = 90,
                           .services = services,
                           .service_count = 2};
    struct node_row read = {0};
    struct buf text = {0};

    CHECK(node_load_write(&row, &text) == 0 &&
              !strcmp((const char *)buf_front(&text), "lease=1500 memory=12 load=90 shop/carts=3/100 "
                                                      "games/tables=0/4294967295"),
          "it is one line of words");
    node_load_read(&read, (const char *)buf_front(&text), room);
    CHECK(read.lease_ms == 1500 && read.memory_percent == 12 && read.load_percent == 90,
          "numbers are read back");
    CHECK(read.service_count == 2 && read.services == room && !strcmp(room[0].path, "shop/carts") &&
              room[0].instances == 3 && room[0].max == 100 && room[1].max == 4294967295U,
          "so are services");
    buf_finish(&text);
}

static void check_bounds(void)
{
    static struct node_service services[MEMBERSHIP_SERVICES_MAX], room[MEMBERSHIP_SERVICES_MAX];
    struct node_row row = {.lease_ms = 5000, .services = services, .service_count = MEMBERSHIP_SERVICES_MAX};
    struct node_row read = {0};
    struct buf text = {0};

    for (int i = 0; i < MEMBERSHIP_SERVICES_MAX; i++) {
        snprintf(services[i].path, sizeof services[i].path, "shop/%045d/%045d", i,
                 i); /* CONTROL_PATHS_MAX, in all */
        services[i].max = services[i].instances = UINT32_MAX;
    }
    memset(row.lock, 'x', sizeof row.lock - 1);
    CHECK(node_load_write(&row, &text) == 0 && buf_length(&text) <= NODE_LOAD_MAX + 1,
          "as many services as there may be fit, with paths as long as they may be");
    node_load_read(&read, (const char *)buf_front(&text), room);
    CHECK(read.service_count == MEMBERSHIP_SERVICES_MAX, "and all of them are read back");
    buf_finish(&text);
    for (int i = 0; i < MEMBERSHIP_SERVICES_MAX; i++)
        snprintf(services[i].path, sizeof services[i].path, "shop/%060d/%060d/%060d", i, i, i);
    CHECK(node_load_write(&row, &text) == 0 && buf_length(&text) <= NODE_LOAD_MAX + 1,
          "what does not fit is not offered");
    node_load_read(&read, (const char *)buf_front(&text), room);
    CHECK(read.service_count > 10 && read.service_count < MEMBERSHIP_SERVICES_MAX, "the rest is");
    buf_finish(&text);
}

static void check_nonsense(void)
{
    struct node_service room[MEMBERSHIP_SERVICES_MAX];
    struct node_row read = {0};

    node_load_read(&read, "", room);
    CHECK(read.lease_ms == LEASE_MAX_MS && read.service_count == 0,
          "a lease that is not told is the longest there may be");
    node_load_read(&read, "lease=1 what ever=1/2/ //=1/2 shop/a=x shop/b=1/2", room);
    CHECK(read.lease_ms == LEASE_MAX_MS, "a lease that may not be is the longest, too");
    CHECK(read.service_count == 2 && !strcmp(room[1].path, "shop/b"),
          "what is no service is passed over");
}

int main(void)
{
    check_both_ways();
    check_bounds();
    check_nonsense();
    return tap_done();
}
