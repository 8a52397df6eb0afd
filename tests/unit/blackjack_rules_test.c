/*
 * The rules of the table: what a hand is worth, who wins, whose turn it is, who may sit; and that a
 * table which was written and read again goes on as if nothing had been.
 */
#include "../../workers/blackjack_rules.h"
#include "tap.h"

#include <stdlib.h>

/* "A T 7": ranks, all of clubs. */
static struct blackjack_hand hand_of(const char *ranks)
{
    static const char order[] = "A23456789TJQK";
    struct blackjack_hand hand = {0};

    for (; *ranks; ranks++)
        if (*ranks != ' ')
            hand.cards[hand.count++] = (uint8_t)(strchr(order, *ranks) - order);
    return hand;
}

static void check_value(const char *ranks, unsigned value)
{
    struct blackjack_hand hand = hand_of(ranks);

    CHECK(blackjack_value(&hand) == value, "%s is worth %u", ranks, value);
}

static void check_values(void)
{
    check_value("2 3", 5);
    check_value("J Q", 20);
    check_value("A K", 21);
    check_value("A A", 12);
    check_value("A 5 T", 16);
    check_value("A A 9", 21);
    check_value("T 9 5", 24);
    check_value("A A A A T 7", 21);
}

static void check_scores(void)
{
    CHECK(blackjack_score(4, 4) == 0, "F: 4 against 4 is a draw");
    CHECK(blackjack_score(6, 4) == -1, "F: a dealer's 6 beats 4");
    CHECK(blackjack_score(4, 6) == 1, "F: 6 beats a dealer's 4");
    CHECK(blackjack_score(22, 12) == 1, "a dealer above 21 has lost");
    CHECK(blackjack_score(22, 22) == -1, "who is above 21 has lost before the dealer has");
}

static void check_seats(void)
{
    struct blackjack table = {0};

    CHECK(!blackjack_sit(&table, "ann") && !blackjack_sit(&table, "bob"), "two sit down");
    CHECK(blackjack_sit(&table, "ann") != NULL, "nobody sits down twice");
    CHECK(blackjack_sit(&table, "") && blackjack_sit(&table, "a b") &&
              blackjack_sit(&table, "a name of more than 31 characters"),
          "no name, one with a space, one too long: refused");
    CHECK(!blackjack_sit(&table, "cid") && blackjack_sit(&table, "dan"),
          "the fourth finds no seat");
    CHECK(blackjack_leave(&table, "dan") && blackjack_leave(&table, ""), "only who sits can leave");
    CHECK(!blackjack_leave(&table, "bob") && blackjack_players(&table) == 2, "one leaves");
    CHECK(!blackjack_sit(&table, "dan") && blackjack_players(&table) == 3, "and makes room");
}

static void check_turns(void)
{
    struct blackjack table = {0};
    uint64_t chance = 0;

    CHECK(blackjack_deal(&table, 1) != NULL, "there is no round of nobody");
    blackjack_sit(&table, "ann");
    blackjack_sit(&table, "bob");
    CHECK(blackjack_hit(&table, "ann") != NULL, "no card before a round");
    do { /* until nobody has 21 at once */
        table.phase = BLACKJACK_SEATING;
        blackjack_deal(&table, ++chance);
    } while (blackjack_value(&table.seats[0].hand) == 21 ||
             blackjack_value(&table.seats[1].hand) == 21);
    CHECK(table.seats[0].hand.count == 2 && table.seats[1].hand.count == 2 &&
              table.seats[2].hand.count == 0 && table.dealer.count == 1,
          "two cards for each player, one for the dealer");
    CHECK(!strcmp(blackjack_mover(&table), "ann"), "the first to sit moves first");
    CHECK(blackjack_hit(&table, "bob") != NULL, "the other waits");
    CHECK(blackjack_sit(&table, "cid") && blackjack_leave(&table, "ann") &&
              blackjack_deal(&table, 1),
          "in a round nobody sits down, leaves, or deals");
    CHECK(!blackjack_stand(&table, "ann") && !strcmp(blackjack_mover(&table), "bob"),
          "who stands has moved");
    CHECK(!blackjack_stand(&table, "bob") && table.phase == BLACKJACK_OVER,
          "when all have, it is over");
    CHECK(blackjack_value(&table.dealer) >= 17, "the dealer draws to 17");
    CHECK(table.seats[0].balance == blackjack_score(blackjack_value(&table.dealer),
                                                    blackjack_value(&table.seats[0].hand)),
          "the winner is one up, the loser one down");
    CHECK(!blackjack_deal(&table, 7) && table.round == chance + 1, "and another round");
}

/* One random game to its end, through text after every move. */
static bool play(uint64_t chance)
{
    struct blackjack table = {0}, read;
    char text[BLACKJACK_TEXT_MAX], again[BLACKJACK_TEXT_MAX];

    blackjack_sit(&table, "ann");
    blackjack_sit(&table, "bob");
    blackjack_sit(&table, "cid");
    blackjack_deal(&table, chance);
    while (blackjack_mover(&table)) {
        if (random() % 4)
            blackjack_hit(&table, blackjack_mover(&table));
        else
            blackjack_stand(&table, blackjack_mover(&table));
        blackjack_write(&table, text);
        if (blackjack_read(&read, text) < 0)
            return false;
        blackjack_write(&read, again);
        if (strcmp(text, again) != 0)
            return false;
        table = read;
    }
    return table.phase == BLACKJACK_OVER && table.drawn <= BLACKJACK_DECK;
}

static void check_text(void)
{
    static const char *const wrong[] = {
        "",
        "nonsense",
        "1 1 1 53 0 -\n- 0 0 -\n- 0 0 -\n- 0 0 -",      /* more cards than there are */
        "1 1 1 2 0 00\nann 0 0 00\n- 0 0 -\n- 0 0 -",   /* a card twice */
        "1 1 1 2 0 00\nann 0 0 ff\n- 0 0 -\n- 0 0 -",   /* no card */
        "1 1 1 3 9 00\nann 0 0 0102\n- 0 0 -\n- 0 0 -", /* the turn of no seat */
        "1 1 1 3 1 00\nann 0 0 0102\n- 0 0 -\n- 0 0 -", /* of a free one */
        "9 1 1 3 0 00\nann 0 0 0102\n- 0 0 -\n- 0 0 -", /* no phase */
        "1 1 1 3 0 00\nann 0 0 0102\n- 0 0 -",          /* a seat too few */
    };
    struct blackjack table = {.round = 9};
    bool plays = true;

    for (uint64_t chance = 0; plays && chance < 2000; chance++)
        plays = play(chance);
    CHECK(plays, "2000 games, written and read after every move, come to their end");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(blackjack_read(&table, wrong[i]) == -1 && table.round == 9,
              "no table, wrong text %zu", i + 1);
}

static void check_cards(void)
{
    struct blackjack_hand hand = {.cards = {0, 9, 51}, .count = 3};
    char text[BLACKJACK_HAND_MAX * 3 + 1];
    bool drawn[BLACKJACK_DECK] = {false}, is_new = true;

    blackjack_hand_text(&hand, text);
    CHECK(!strcmp(text, "Ac Tc Ks"), "cards have names");
    for (uint64_t chance = 0; chance < 2000; chance++) {
        struct blackjack table = {0};

        blackjack_sit(&table, "ann");
        blackjack_deal(&table, chance);
        is_new &= table.dealer.cards[0] != table.seats[0].hand.cards[0];
        drawn[table.dealer.cards[0]] = true;
    }
    for (int i = 0; i < BLACKJACK_DECK; i++)
        is_new &= drawn[i];
    CHECK(is_new, "every card can come first, and none twice");
}

int main(void)
{
    srandom(1);
    check_values();
    check_scores();
    check_seats();
    check_turns();
    check_text();
    check_cards();
    return tap_done();
}
