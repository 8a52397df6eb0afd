/* A cart of a shop, one for each customer, as an actor of a service: it is there when somebody
 * calls it (etc/carts.yaml). */
#include <troupe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 100, NAME_MAX_BYTES = 48, LIST_MAX = ITEMS_MAX * (NAME_MAX_BYTES + 24) };

struct item {
    char name[NAME_MAX_BYTES];
    int64_t count;
};

struct cart {
    struct item items[ITEMS_MAX];
    unsigned used;
};

static struct item *find(struct cart *cart, const char *name)
{
    for (unsigned i = 0; i < cart->used; i++)
        if (strcmp(cart->items[i].name, name) == 0)
            return &cart->items[i];
    return NULL;
}

static struct item *put(struct cart *cart, const char *name)
{
    struct item *item = find(cart, name);

    if (item || cart->used == ITEMS_MAX)
        return item;
    item = &cart->items[cart->used++];
    *item = (struct item){0};
    snprintf(item->name, sizeof item->name, "%s", name);
    return item;
}

static void on_add(struct troupe *self, struct troupe_message *message)
{
    const char *name = troupe_text(message, 0);
    struct item *item;

    if (!*name || strlen(name) >= NAME_MAX_BYTES) {
        troupe_fail(message, "an item has a name of 1 to %d bytes", NAME_MAX_BYTES - 1);
        return;
    }
    item = put(troupe_state(self), name);
    if (!item || __builtin_add_overflow(item->count, troupe_int(message, 1), &item->count)) {
        troupe_fail(message, "the cart is full");
        return;
    }
    troupe_reply(message, item->count);
}

static void on_list(struct troupe *self, struct troupe_message *message)
{
    const struct cart *cart = troupe_state(self);
    char text[LIST_MAX] = "";
    size_t length = 0;

    for (unsigned i = 0; i < cart->used; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s %lld", i ? ", " : "",
                                   cart->items[i].name, (long long)cart->items[i].count);
    troupe_reply(message, text);
}

/* What a customer has put into it is there again whenever he comes back. */
static const struct troupe_stored kept[] = {
    {.name = "cart", .schema = 1, .size = sizeof(struct cart), .every_message = true},
    {0},
};

static const struct troupe_handler messages[] = {
    {"add", "sI", "I", on_add, "adds so many of an item, and tells how many there are"},
    {"list", "", "s", on_list, "tells what is in it"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct cart), .state = kept, .messages = messages);
