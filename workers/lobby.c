/*
 * The lobby of the tables of workers/blackjack.c: finds a seat for who comes, and opens a new table when the
 * last one is full or plays. It keeps the number of that table, and nothing else: who sits where the tables
 * know.
 */
#include <troupe.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 100, CALL_MS = 5000, PATH_MAX_BYTES = 256 };

struct lobby {
    uint64_t table; /* kept: the last that was opened; 0: none yet */
};

/* Somebody who waits for a seat. */
struct guest {
    struct troupe_message *message;
    uint64_t table; /* that was asked */
    unsigned tries;
};

static const struct troupe_stored kept[] = {
    {.name = "table",
     .schema = 1,
     .offset = offsetof(struct lobby, table),
     .size = sizeof(uint64_t),
     .every_message = true},
    {0},
};

static void table_path(struct troupe *self, uint64_t table, char out[PATH_MAX_BYTES])
{
    const char *tables = troupe_arg(self, "tables");

    snprintf(out, PATH_MAX_BYTES, "%.200s/%llu", tables ? tables : "casino/tables",
             (unsigned long long)table);
}

static void ask_table(struct troupe *self, struct guest *guest);

/* Another table may have a seat where this one has none; whatever else is wrong is so at each. */
static bool is_taken(const char *failure)
{
    return strcmp(failure, "error all seats are taken") == 0 ||
           strcmp(failure, "error wait for the end of the round") == 0;
}

static void on_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct lobby *lobby = troupe_state(self);
    struct guest *guest = data;
    const char *failure = troupe_failure(answer);
    char path[PATH_MAX_BYTES];

    if (failure && is_taken(failure) && ++guest->tries < TRIES) {
        if (guest->table == lobby->table)
            lobby->table++; /* the first who finds it full opens the next; the others follow */
        ask_table(self, guest);
        return;
    }
    table_path(self, guest->table, path);
    if (failure)
        troupe_relay(guest->message, answer);
    else
        troupe_reply(guest->message, path);
    free(guest);
}

static void ask_table(struct troupe *self, struct guest *guest)
{
    struct lobby *lobby = troupe_state(self);
    char path[PATH_MAX_BYTES];

    guest->table = lobby->table;
    table_path(self, guest->table, path);
    if (troupe_ask(self, path, CALL_MS, on_answer, guest, "sit", troupe_text(guest->message, 0)) == 0)
        return;
    troupe_fail(guest->message, "no table can be asked");
    free(guest);
}

static void on_seat(struct troupe *self, struct troupe_message *message)
{
    struct lobby *lobby = troupe_state(self);
    struct guest *guest = calloc(1, sizeof *guest);

    if (!guest) {
        troupe_fail(message, "no memory");
        return;
    }
    if (!lobby->table)
        lobby->table = 1;
    guest->message = troupe_keep(message);
    if (guest->message)
        ask_table(self, guest);
    else
        free(guest);
}

static const struct troupe_handler messages[] = {
    {"seat", "s", "s", on_seat, "finds a seat for that player, and tells at which table"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct lobby), .state = kept, .messages = messages);
