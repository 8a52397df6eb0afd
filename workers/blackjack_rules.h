/*
 * The rules of the table in workers/blackjack.c: one deck, a dealer who draws to 17, and three
 * seats. Pure: what chance there is comes in as a number, and a table of the same number and the
 * same moves is the same table on whatever host it goes on.
 *
 * A round's way:  seating → playing → over → playing …; seats are taken, and left, between rounds.
 */
#ifndef TROUPE_WORKERS_BLACKJACK_RULES_H
#define TROUPE_WORKERS_BLACKJACK_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BLACKJACK_SEATS = 3,
    BLACKJACK_NAME_MAX = 31,
    BLACKJACK_HAND_MAX = 12, /* of one deck no more can be drawn: eleven cards may make 21 */
    BLACKJACK_DECK = 52,
    BLACKJACK_TEXT_MAX = 1024, /* what blackjack_write() writes, its NUL included */
};

/* Card c: rank c % 13, the ace being 0 and the king 12; suit c / 13. */
struct blackjack_hand {
    uint8_t cards[BLACKJACK_HAND_MAX];
    unsigned count;
};

struct blackjack_seat {
    char player[BLACKJACK_NAME_MAX + 1]; /* "": free */
    struct blackjack_hand hand;
    bool has_stood;
    int64_t balance; /* rounds won, less rounds lost, since it was taken */
};

struct blackjack {
    enum blackjack_phase { BLACKJACK_SEATING, BLACKJACK_PLAYING, BLACKJACK_OVER } phase;
    uint64_t round; /* the first is 1 */
    uint64_t chance;
    unsigned drawn; /* cards of this round's deck */
    unsigned turn;  /* while playing: the seat that is to move */
    struct blackjack_hand dealer;
    struct blackjack_seat seats[BLACKJACK_SEATS];
};

/* An ace is 11, or 1 when 11 would be too much. Above 21 it is lost. */
unsigned blackjack_value(const struct blackjack_hand *hand);
/* 1 when the player has won, -1 when the dealer has, 0 for a draw. Who is above 21 has lost, the
 * player first. */
int blackjack_score(unsigned dealer, unsigned player);

/* "7h", "Ts", "Ad". */
void blackjack_card(unsigned card, char out[3]);
/* "7h As", or "". */
void blackjack_hand_text(const struct blackjack_hand *hand, char out[BLACKJACK_HAND_MAX * 3 + 1]);

/* These return NULL; or why not, in words for the player, and nothing has changed.
 * A name is 1 to 31 printable characters without a space. */
const char *blackjack_sit(struct blackjack *table, const char *player);
const char *blackjack_leave(struct blackjack *table, const char *player);
/* Begins a round with those who sit there. chance: any 64 random bits. */
const char *blackjack_deal(struct blackjack *table, uint64_t chance);
const char *blackjack_hit(struct blackjack *table, const char *player);
const char *blackjack_stand(struct blackjack *table, const char *player);

/* Whose turn it is; NULL when no round is played. */
const char *blackjack_mover(const struct blackjack *table);
/* How many seats are taken. */
unsigned blackjack_players(const struct blackjack *table);

/* The table as text, and back: 0, or -1 when it is no table (which then is untouched). */
void blackjack_write(const struct blackjack *table, char out[BLACKJACK_TEXT_MAX]);
int blackjack_read(struct blackjack *table, const char *text);

#endif
