/*
 * A table of blackjack, one actor of a service for each (etc/blackjack.yaml): three seats, a deck, a dealer.
 * Who sits down is dealt to as soon as the table is full, or has waited for a while; who lets his turn go by
 * stands. What goes on is published, and shared for those who come later. The table is kept after every move,
 * and its time-outs are reminders: when its host dies, it goes on upon another in the middle of a round.
 */
#include "blackjack_rules.h"

#include <troupe.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { TURN_MS = 15000, START_MS = 5000, TEXT_MAX = 1024 };

#define CLOCK "clock" /* the one reminder, and the message that it sends */

/* ---- what is kept ---------------------------------------------------------------------------- */

static void save(struct troupe *self, struct troupe_image *image)
{
    char text[BLACKJACK_TEXT_MAX];

    blackjack_write(troupe_state(self), text);
    troupe_put(image, text, strlen(text));
}

static int load(struct troupe *self, struct troupe_bytes value)
{
    char text[BLACKJACK_TEXT_MAX];

    if (value.size >= sizeof text)
        return -1;
    memcpy(text, value.at, value.size);
    text[value.size] = '\0';
    return blackjack_read(troupe_state(self), text);
}

static const struct troupe_stored kept[] = {
    {.name = "table", .schema = 1, .save = save, .load = load, .every_message = true},
    {0},
};

/* ---- what is seen ---------------------------------------------------------------------------- */

static int add_hand(char *out, size_t size, const char *name, const struct blackjack_hand *hand)
{
    char cards[BLACKJACK_HAND_MAX * 3 + 1];

    blackjack_hand_text(hand, cards);
    if (!hand->count)
        return snprintf(out, size, "; %s", name);
    return snprintf(out, size, "; %s %s = %u", name, cards, blackjack_value(hand));
}

/* "round 2, ann to move; dealer 7h = 7; ann Ts 5d = 15 (+1); bob Ac 4d = 15 (0)" */
static void show(const struct blackjack *table, char out[TEXT_MAX])
{
    static const char *const phases[] = {"waiting", "", "over"};
    const char *mover = blackjack_mover(table);
    int n = snprintf(out, TEXT_MAX, "round %llu, %s%s", (unsigned long long)table->round,
                     mover ? mover : phases[table->phase], mover ? " to move" : "");

    if (table->dealer.count)
        n += add_hand(out + n, (size_t)(TEXT_MAX - n), "dealer", &table->dealer);
    for (unsigned i = 0; i < BLACKJACK_SEATS; i++) {
        const struct blackjack_seat *seat = &table->seats[i];

        if (!*seat->player)
            continue;
        n += add_hand(out + n, (size_t)(TEXT_MAX - n), seat->player, &seat->hand);
        n += snprintf(out + n, (size_t)(TEXT_MAX - n), " (%+lld)", (long long)seat->balance);
    }
}

static void tell(struct troupe *self)
{
    const struct blackjack *table = troupe_state(self);
    char text[TEXT_MAX];

    show(table, text);
    troupe_share(self, "table", text);
    troupe_status(self, "%u players, round %llu", blackjack_players(table),
                  (unsigned long long)table->round);
}

/* ---- time ------------------------------------------------------------------------------------- */

/* Somebody's turn, or those who sit and wait for a round. */
static void wind_clock(struct troupe *self)
{
    const struct blackjack *table = troupe_state(self);
    bool is_turn = table->phase == BLACKJACK_PLAYING;

    if (blackjack_players(table) == 0)
        troupe_reminder_clear(self, CLOCK, NULL, NULL);
    else
        troupe_reminder_set(self, CLOCK, CLOCK,
                            troupe_arg_int(self, is_turn ? "turn" : "start",
                                           is_turn ? TURN_MS : START_MS),
                            0, NULL, NULL);
}

static uint64_t chance(void)
{
    uint64_t bits = 0;

    if (getrandom(&bits, sizeof bits, 0) != sizeof bits)
        abort(); /* it does not fail for so few, once the machine has started */
    return bits;
}

/* ---- messages --------------------------------------------------------------------------------- */

/* why: NULL, or what the rules have against it. */
static void answer(struct troupe *self, struct troupe_message *message, const char *why)
{
    char text[TEXT_MAX];

    if (why) {
        troupe_fail(message, "%s", why);
        return;
    }
    wind_clock(self);
    tell(self);
    show(troupe_state(self), text);
    troupe_reply(message, text);
}

static void on_sit(struct troupe *self, struct troupe_message *message)
{
    struct blackjack *table = troupe_state(self);
    const char *why = blackjack_sit(table, troupe_text(message, 0));

    if (!why && blackjack_players(table) == BLACKJACK_SEATS)
        why = blackjack_deal(table, chance());
    answer(self, message, why);
}

static void on_leave(struct troupe *self, struct troupe_message *message)
{
    struct blackjack *table = troupe_state(self);

    answer(self, message, blackjack_leave(table, troupe_text(message, 0)));
    if (blackjack_players(table) == 0)
        troupe_exit(self, NULL, "normal"); /* it comes again when somebody sits down */
}

static void on_hit(struct troupe *self, struct troupe_message *message)
{
    answer(self, message, blackjack_hit(troupe_state(self), troupe_text(message, 0)));
}

static void on_stand(struct troupe *self, struct troupe_message *message)
{
    answer(self, message, blackjack_stand(troupe_state(self), troupe_text(message, 0)));
}

static void on_show(struct troupe *self, struct troupe_message *message)
{
    char text[TEXT_MAX];

    show(troupe_state(self), text);
    troupe_reply(message, text);
}

/* A turn that nobody took, or players who have waited. A reminder may come twice: then it takes one turn too
 * many, as a slow player's would be. */
static void on_clock(struct troupe *self, struct troupe_message *message)
{
    struct blackjack *table = troupe_state(self);
    const char *mover = blackjack_mover(table);

    (void)message;
    if (mover)
        blackjack_stand(table, mover);
    else if (blackjack_players(table) > 0)
        blackjack_deal(table, chance());
    wind_clock(self);
    tell(self);
}

static const struct troupe_handler messages[] = {
    {"sit", "s", "s", on_sit, "takes a seat for that player"},
    {"leave", "s", "s", on_leave, "gives the seat up, between rounds"},
    {"hit", "s", "s", on_hit, "that player takes a card"},
    {"stand", "s", "s", on_stand, "that player takes no more"},
    {"show", "", "s", on_show, "tells what lies on the table"},
    {CLOCK, "sU", "", on_clock, "the time is up: by a reminder"},
    {0},
};

static int init(struct troupe *self)
{
    tell(self);
    return TROUPE_READY;
}

TROUPE_ACTOR(.state_size = sizeof(struct blackjack), .state = kept, .init = init, .messages = messages);
