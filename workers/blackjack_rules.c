#include "blackjack_rules.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RANKS = 13, BEST = 21, DEALER_STANDS = 17 };

/* ---- cards ---------------------------------------------------------------------------------- */

unsigned blackjack_value(const struct blackjack_hand *hand)
{
    unsigned value = 0, aces = 0;

    for (unsigned i = 0; i < hand->count; i++) {
        unsigned rank = hand->cards[i] % RANKS;

        value += rank >= 9 ? 10 : rank + 1;
        aces += rank == 0;
    }
    return aces && value + 10 <= BEST ? value + 10 : value;
}

int blackjack_score(unsigned dealer, unsigned player)
{
    if (player > BEST)
        return -1;
    if (dealer > BEST)
        return 1;
    return (player > dealer) - (player < dealer);
}

void blackjack_card(unsigned card, char out[3])
{
    out[0] = "A23456789TJQK"[card % RANKS];
    out[1] = "cdhs"[card / RANKS % 4];
    out[2] = '\0';
}

void blackjack_hand_text(const struct blackjack_hand *hand, char out[BLACKJACK_HAND_MAX * 3 + 1])
{
    *out = '\0';
    for (unsigned i = 0; i < hand->count; i++) {
        if (i)
            *out++ = ' ';
        blackjack_card(hand->cards[i], out);
        out += 2;
    }
}

/* Steele's splitmix64: one step of it. */
static uint64_t next_chance(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* The deck is not kept: it is shuffled anew for each card, and always to the same order. */
static uint8_t card_at(uint64_t chance, unsigned at)
{
    uint8_t deck[BLACKJACK_DECK];

    for (unsigned i = 0; i < BLACKJACK_DECK; i++)
        deck[i] = (uint8_t)i;
    for (unsigned i = BLACKJACK_DECK - 1; i > 0; i--) {
        unsigned other = (unsigned)(next_chance(&chance) % (i + 1));
        uint8_t card = deck[i];

        deck[i] = deck[other];
        deck[other] = card;
    }
    return deck[at];
}

static void draw(struct blackjack *table, struct blackjack_hand *hand)
{
    hand->cards[hand->count++] = card_at(table->chance, table->drawn++);
}

/* ---- seats ---------------------------------------------------------------------------------- */

static bool is_name(const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if (!isgraph((unsigned char)text[i]))
            return false;
    return length > 0 && length <= BLACKJACK_NAME_MAX;
}

static struct blackjack_seat *find(struct blackjack *table, const char *player)
{
    for (unsigned i = 0; i < BLACKJACK_SEATS; i++)
        if (!strcmp(table->seats[i].player, player))
            return &table->seats[i];
    return NULL;
}

unsigned blackjack_players(const struct blackjack *table)
{
    unsigned count = 0;

    for (unsigned i = 0; i < BLACKJACK_SEATS; i++)
        count += *table->seats[i].player != '\0';
    return count;
}

const char *blackjack_sit(struct blackjack *table, const char *player)
{
    struct blackjack_seat *seat;

    if (!is_name(player))
        return "a name has 1 to 31 characters and no space";
    if (find(table, player))
        return "you sit here";
    if (table->phase == BLACKJACK_PLAYING)
        return "wait for the end of the round";
    seat = find(table, "");
    if (!seat)
        return "all seats are taken";
    *seat = (struct blackjack_seat){0};
    snprintf(seat->player, sizeof seat->player, "%s", player);
    return NULL;
}

const char *blackjack_leave(struct blackjack *table, const char *player)
{
    struct blackjack_seat *seat = *player ? find(table, player) : NULL;

    if (!seat)
        return "you do not sit here";
    if (table->phase == BLACKJACK_PLAYING)
        return "wait for the end of the round";
    *seat = (struct blackjack_seat){0};
    return NULL;
}

/* ---- a round -------------------------------------------------------------------------------- */

static void settle(struct blackjack *table)
{
    while (blackjack_value(&table->dealer) < DEALER_STANDS)
        draw(table, &table->dealer);
    for (unsigned i = 0; i < BLACKJACK_SEATS; i++)
        if (*table->seats[i].player)
            table->seats[i].balance += blackjack_score(blackjack_value(&table->dealer),
                                                       blackjack_value(&table->seats[i].hand));
    table->phase = BLACKJACK_OVER;
}

static bool can_move(const struct blackjack_seat *seat)
{
    return *seat->player && !seat->has_stood && blackjack_value(&seat->hand) < BEST;
}

/* To the next who can move; when nobody can, the dealer does, and that is the end. */
static void pass_turn(struct blackjack *table)
{
    while (table->turn < BLACKJACK_SEATS && !can_move(&table->seats[table->turn]))
        table->turn++;
    if (table->turn == BLACKJACK_SEATS)
        settle(table);
}

const char *blackjack_deal(struct blackjack *table, uint64_t chance)
{
    if (table->phase == BLACKJACK_PLAYING)
        return "a round is being played";
    if (blackjack_players(table) == 0)
        return "nobody sits here";
    table->phase = BLACKJACK_PLAYING;
    table->round++;
    table->chance = chance;
    table->drawn = table->turn = 0;
    table->dealer = (struct blackjack_hand){0};
    draw(table, &table->dealer);
    for (unsigned i = 0; i < BLACKJACK_SEATS; i++) {
        struct blackjack_seat *seat = &table->seats[i];

        seat->hand = (struct blackjack_hand){0};
        seat->has_stood = false;
        for (unsigned card = 0; card < 2 && *seat->player; card++)
            draw(table, &seat->hand);
    }
    pass_turn(table);
    return NULL;
}

const char *blackjack_mover(const struct blackjack *table)
{
    return table->phase == BLACKJACK_PLAYING ? table->seats[table->turn].player : NULL;
}

static const char *may_move(const struct blackjack *table, const char *player)
{
    const char *mover = blackjack_mover(table);

    if (!mover)
        return "no round is being played";
    return strcmp(mover, player) != 0 ? "it is not your turn" : NULL;
}

const char *blackjack_hit(struct blackjack *table, const char *player)
{
    const char *why = may_move(table, player);

    if (why)
        return why;
    draw(table, &table->seats[table->turn].hand);
    pass_turn(table);
    return NULL;
}

const char *blackjack_stand(struct blackjack *table, const char *player)
{
    const char *why = may_move(table, player);

    if (why)
        return why;
    table->seats[table->turn].has_stood = true;
    pass_turn(table);
    return NULL;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* PHASE ROUND CHANCE DRAWN TURN DEALER, then a line for each seat: PLAYER STOOD BALANCE HAND. A
 * hand is two hexadecimal digits a card, or a dash; so is a free seat. */

static int write_hand(const struct blackjack_hand *hand, char *out)
{
    int length = 0;

    for (unsigned i = 0; i < hand->count; i++)
        length += sprintf(out + length, "%02x", hand->cards[i]);
    return length ? length : sprintf(out, "-");
}

void blackjack_write(const struct blackjack *table, char out[BLACKJACK_TEXT_MAX])
{
    out += sprintf(out, "%d %" PRIu64 " %" PRIu64 " %u %u ", (int)table->phase, table->round,
                   table->chance, table->drawn, table->turn);
    out += write_hand(&table->dealer, out);
    for (unsigned i = 0; i < BLACKJACK_SEATS; i++) {
        const struct blackjack_seat *seat = &table->seats[i];

        out += sprintf(out, "\n%s %d %" PRId64 " ", *seat->player ? seat->player : "-",
                       seat->has_stood, seat->balance);
        out += write_hand(&seat->hand, out);
    }
}

static bool read_hand(struct blackjack_hand *hand, const char *text)
{
    unsigned card;

    *hand = (struct blackjack_hand){0};
    if (!strcmp(text, "-"))
        return true;
    for (; *text; text += 2) {
        if (hand->count == BLACKJACK_HAND_MAX || sscanf(text, "%2x", &card) != 1 || !text[1] ||
            card >= BLACKJACK_DECK)
            return false;
        hand->cards[hand->count++] = (uint8_t)card;
    }
    return true;
}

static bool read_seat(struct blackjack_seat *seat, const char *line)
{
    char hand[BLACKJACK_HAND_MAX * 2 + 1];
    int stood;

    *seat = (struct blackjack_seat){0};
    if (sscanf(line, "%31s %d %" SCNd64 " %24s", seat->player, &stood, &seat->balance, hand) != 4 ||
        !read_hand(&seat->hand, hand))
        return false;
    seat->has_stood = stood;
    if (!strcmp(seat->player, "-"))
        *seat->player = '\0';
    return true;
}

/* Marks them; false when one of them is somewhere already. */
static bool mark_cards(const struct blackjack_hand *hand, uint64_t *seen)
{
    for (unsigned i = 0; i < hand->count; i++) {
        uint64_t bit = UINT64_C(1) << hand->cards[i];

        if (*seen & bit)
            return false;
        *seen |= bit;
    }
    return true;
}

/* What is played on must come from one deck: that bounds every hand. Of rounds that are over,
 * players may have left, with their cards. */
static bool is_sound(const struct blackjack *table)
{
    unsigned count = table->dealer.count;
    uint64_t seen = 0;
    bool is_one_deck = mark_cards(&table->dealer, &seen);

    for (unsigned i = 0; i < BLACKJACK_SEATS; i++) {
        is_one_deck &= mark_cards(&table->seats[i].hand, &seen);
        count += table->seats[i].hand.count;
    }
    if (table->phase > BLACKJACK_OVER || !is_one_deck || count > table->drawn ||
        table->drawn > BLACKJACK_DECK)
        return false;
    return table->phase != BLACKJACK_PLAYING ||
           (count == table->drawn && table->turn < BLACKJACK_SEATS &&
            can_move(&table->seats[table->turn]));
}

int blackjack_read(struct blackjack *table, const char *text)
{
    struct blackjack read = {0};
    char hand[BLACKJACK_HAND_MAX * 2 + 1];
    unsigned phase;

    if (sscanf(text, "%u %" SCNu64 " %" SCNu64 " %u %u %24s", &phase, &read.round, &read.chance,
               &read.drawn, &read.turn, hand) != 6 ||
        !read_hand(&read.dealer, hand))
        return -1;
    read.phase = (enum blackjack_phase)phase;
    for (unsigned i = 0; i < BLACKJACK_SEATS; i++) {
        text = strchr(text, '\n');
        if (!text || !read_seat(&read.seats[i], ++text))
            return -1;
    }
    if (!is_sound(&read))
        return -1;
    *table = read;
    return 0;
}
