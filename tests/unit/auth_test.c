/*
 * The handshake of two nodes: how it goes well, every message in every state, every bit that can be
 * wrong, and what somebody does who has heard other handshakes but does not know the cookie.
 */
#include "../../cluster/auth.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static const char cookie[] = "a cookie of two nodes";

struct message {
    uint8_t at[AUTH_MESSAGE_MAX];
    size_t size;
};

static struct auth_self make_self(const char *name, uint64_t generation, const char *key)
{
    struct auth_self self = {.identity = {.generation = generation, .instance = generation + 100},
                             .version_min = 1,
                             .version_max = 2,
                             .key = {key, strlen(key)}};

    snprintf(self.identity.name, sizeof self.identity.name, "%s", name);
    snprintf(self.identity.url, sizeof self.identity.url, "tcp://%s:1", name);
    return self;
}

static void start(struct auth *auth, const struct auth_self *self, bool is_dialer)
{
    static uint8_t counter;
    uint8_t nonce[AUTH_NONCE_SIZE];

    memset(nonce, ++counter, sizeof nonce);
    auth_init(auth, self, is_dialer, nonce);
}

static struct message taken(struct auth *auth)
{
    struct message message = {.size = auth->out_size};

    memcpy(message.at, auth->out, auth->out_size);
    auth->out_size = 0;
    return message;
}

static enum auth_outcome give(struct auth *auth, struct message message)
{
    return auth_receive(auth, message.at, message.size);
}

/* Dialer and listener, and all that they said until both are proven. */
struct pair {
    struct auth dialer, listener;
    struct message challenge, hello, welcome, identity;
    enum auth_outcome dialer_says, listener_says;
};

static void prove(struct pair *pair, const struct auth_self *dialer,
                  const struct auth_self *listener)
{
    *pair = (struct pair){0};
    start(&pair->listener, listener, false);
    start(&pair->dialer, dialer, true);
    pair->challenge = taken(&pair->listener);
    give(&pair->dialer, pair->challenge);
    pair->hello = taken(&pair->dialer);
    pair->listener_says = give(&pair->listener, pair->hello);
    pair->welcome = taken(&pair->listener);
    if (pair->welcome.size)
        pair->dialer_says = give(&pair->dialer, pair->welcome);
    pair->identity = taken(&pair->dialer);
    if (pair->identity.size)
        pair->listener_says = give(&pair->listener, pair->identity);
}

/* ---- how it goes well -------------------------------------------------------------------- */

static void check_order_of_admission(bool lower_dials, bool lower_first)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair;
    struct auth *lower, *higher;
    enum auth_outcome higher_says;

    prove(&pair, lower_dials ? &east : &west, lower_dials ? &west : &east);
    lower = lower_dials ? &pair.dialer : &pair.listener;
    higher = lower_dials ? &pair.listener : &pair.dialer;
    if (!lower_first)
        CHECK(auth_admit(higher) == AUTH_WAIT && higher->out_size == 0,
              "the higher-named waits for the choice of the lower");
    CHECK(auth_admit(lower) == AUTH_WAIT && lower->out_size > 0, "the lower-named says READY");
    higher_says = give(higher, taken(lower));
    if (lower_first) {
        CHECK(higher_says == AUTH_WAIT && higher->out_size == 0,
              "READY before one's own judgement is kept");
        higher_says = auth_admit(higher);
    }
    CHECK(higher_says == AUTH_OPEN, "the higher-named is open");
    CHECK(give(lower, taken(higher)) == AUTH_OPEN, "its READY opens the lower-named");
    CHECK(auth_timeout(lower) == AUTH_WAIT && lower->state == AUTH_SESSION,
          "an open one is not late");
}

static void check_good(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair;

    prove(&pair, &east, &west);
    CHECK(pair.listener_says == AUTH_PROVEN && pair.dialer_says == AUTH_PROVEN,
          "two nodes with one cookie prove it to each other");
    tap_is_text(pair.listener.peer.name, "east", "the listener knows the dialer's name");
    tap_is_text(pair.dialer.peer.url, "tcp://west:1",
                "the dialer knows where the listener listens");
    CHECK(pair.dialer.peer.generation == 2 && pair.dialer.peer.instance == 102,
          "generation and instance come across");
    for (int i = 0; i < 4; i++)
        check_order_of_admission(i & 1, i & 2);
}

/* ---- versions ---------------------------------------------------------------------------- */

static enum auth_reason versions(uint16_t min_d, uint16_t max_d, uint16_t min_l, uint16_t max_l,
                                 uint16_t *chosen)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair;

    east.version_min = min_d;
    east.version_max = max_d;
    west.version_min = min_l;
    west.version_max = max_l;
    prove(&pair, &east, &west);
    *chosen = pair.listener_says == AUTH_PROVEN ? pair.dialer.version : 0;
    if (pair.dialer.reason && !pair.dialer.is_told)
        tap_ok(false, "a refusal for a version is told");
    return pair.dialer.reason;
}

static void check_versions(void)
{
    unsigned wrong = 0;

    for (uint16_t i = 0; i < 256; i++) {
        uint16_t a = 1 + i % 4, b = 1 + i / 4 % 4, c = 1 + i / 16 % 4, d = 1 + i / 64 % 4, got;
        uint16_t low = a > c ? a : c, high = b < d ? b : d;
        bool overlap = low <= high;

        if (a > b || c > d)
            continue;
        if (versions(a, b, c, d, &got) != (overlap ? AUTH_NO_REASON : AUTH_VERSION))
            wrong++;
        if (got != (overlap ? high : 0))
            wrong++;
    }
    tap_is_int(wrong, 0, "P06: the highest common version is chosen; none is refused by name");
}

/* ---- who is refused ---------------------------------------------------------------------- */

static void check_cookie(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, "another");
    struct pair pair;

    prove(&pair, &east, &west);
    CHECK(pair.listener_says == AUTH_REFUSED && pair.listener.reason == AUTH_COOKIE,
          "a dialer with another cookie is refused");
    CHECK(pair.welcome.size == 0, "and learns nothing, not even a name");
    CHECK(!*pair.listener.peer.name, "nor has it said its own");
    west = make_self("west", 2, "a cookie of two nodes ");
    prove(&pair, &east, &west);
    CHECK(pair.listener.reason == AUTH_COOKIE, "a cookie that begins the same is another");
}

/* A listener that knows no cookie answers with a mac of its own making. */
static void check_false_listener(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair;
    struct auth dialer;

    prove(&pair, &east, &west);
    start(&dialer, &east, true);
    give(&dialer, pair.challenge);
    CHECK(give(&dialer, pair.welcome) == AUTH_REFUSED && dialer.reason == AUTH_COOKIE,
          "a WELCOME that was heard before is worth nothing");
    CHECK(dialer.out_size == 0, "and its sender is told nothing");
}

static void check_self_and_name(void)
{
    struct auth_self east = make_self("east", 1, cookie), again = make_self("east", 9, cookie);
    struct pair pair;

    prove(&pair, &east, &east);
    CHECK(pair.dialer.reason == AUTH_SELF, "a node that dials itself refuses it: self");
    CHECK(pair.listener.reason == AUTH_SELF && pair.listener.is_told, "and is told so");
    prove(&pair, &again, &east);
    CHECK(pair.dialer.reason == AUTH_NAME_TAKEN, "another node of our name is refused");
    CHECK(pair.listener.reason == AUTH_NAME_TAKEN && pair.listener.is_told, "and told so");
}

/* A dialer that does not look at names: its listener does. It has spoken to one of another name,
 * and of the same nonce, so that its macs are right. */
static void check_name_at_listener(void)
{
    struct auth_self east = make_self("east", 1, cookie), north = make_self("north", 2, cookie);
    struct auth_self again = make_self("east", 9, cookie);

    for (int i = 0; i < 2; i++) {
        struct pair pair;
        struct auth listener;

        prove(&pair, i ? &east : &again, &north);
        auth_init(&listener, &east, false, pair.listener.nonce);
        give(&listener, pair.hello);
        CHECK(give(&listener, pair.identity) == AUTH_REFUSED &&
                  listener.reason == (i ? AUTH_SELF : AUTH_NAME_TAKEN) && listener.out_size > 0,
              "a listener refuses its own name, aloud");
    }
}

/* HELLO is all that a listener hears before it has proven itself. */
static void check_what_a_stranger_hears(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair;

    prove(&pair, &east, &west);
    CHECK(!memmem(pair.hello.at, pair.hello.size, "east", 4), "no name of the dialer in HELLO");
    CHECK(memmem(pair.identity.at, pair.identity.size, "east", 4), "but in IDENTITY");
    CHECK(!memmem(pair.challenge.at, pair.challenge.size, "west", 4), "nor one in CHALLENGE");
}

/* ---- what somebody tries who does not know the cookie ------------------------------------ */

static void check_replay(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair;
    struct auth listener;

    prove(&pair, &east, &west);
    start(&listener, &west, false);
    CHECK(give(&listener, pair.hello) == AUTH_REFUSED && listener.reason == AUTH_COOKIE,
          "a replayed HELLO is refused: the nonce is another");
}

/* The attacker listens where east dials, hands west's challenge on, and reflects what it hears. */
static void check_reflection(void)
{
    struct auth_self east = make_self("east", 1, cookie);
    struct auth victim_listens, victim_dials;
    struct message hello;

    start(&victim_listens, &east, false);
    start(&victim_dials, &east, true);
    give(&victim_dials, taken(&victim_listens));
    hello = taken(&victim_dials);
    CHECK(give(&victim_dials, hello) == AUTH_REFUSED && victim_dials.reason == AUTH_OUT_OF_ORDER,
          "a reflected HELLO is out of order for a dialer");
    CHECK(give(&victim_listens, hello) == AUTH_WAIT, "its own HELLO a node takes for good");
    CHECK(give(&victim_listens, hello) == AUTH_REFUSED && victim_listens.state == AUTH_CLOSED,
          "but nobody without the cookie can go on from there");
}

/* A HELLO's mac, sent back inside a WELCOME: the words in the macs differ. */
static void check_mac_of_other_role(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair;
    struct message forged;
    struct auth dialer;

    prove(&pair, &east, &west);
    start(&dialer, &east, true);
    give(&dialer, pair.challenge);
    forged = pair.welcome;
    memcpy(forged.at + forged.size - MAC_SIZE, dialer.hello + dialer.hello_size - MAC_SIZE,
           MAC_SIZE);
    CHECK(give(&dialer, forged) == AUTH_REFUSED && dialer.reason == AUTH_COOKIE,
          "a dialer's own mac does not prove a listener");
}

static struct message refusal_of(struct auth *auth)
{
    auth_refuse(auth, AUTH_DUPLICATE);
    return taken(auth);
}

static void check_refusals(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair, other;
    struct message refusal;

    prove(&pair, &east, &west);
    refusal = refusal_of(&pair.listener);
    CHECK(pair.listener.state == AUTH_CLOSED && refusal.size > 0, "a proven one is told why");
    CHECK(give(&pair.dialer, refusal) == AUTH_REFUSED && pair.dialer.reason == AUTH_DUPLICATE &&
              pair.dialer.is_told,
          "and hears it");
    prove(&other, &east, &west);
    CHECK(give(&other.dialer, refusal) == AUTH_REFUSED && other.dialer.reason == AUTH_COOKIE &&
              !other.dialer.is_told,
          "a refusal from another handshake is nobody's");
    prove(&other, &east, &west);
    refusal = refusal_of(&other.dialer);
    CHECK(give(&other.dialer, refusal) == AUTH_REFUSED && !other.dialer.is_told,
          "after the end nothing counts");
    prove(&pair, &east, &west);
    refusal = refusal_of(&pair.dialer);
    CHECK(give(&pair.listener, refusal) == AUTH_REFUSED && pair.listener.is_told,
          "a dialer can refuse as well");
    prove(&pair, &east, &west);
    other = pair;
    refusal = refusal_of(&pair.dialer);
    CHECK(give(&other.dialer, refusal) == AUTH_REFUSED && !other.dialer.is_told,
          "a refusal that is reflected is not taken for the other's");
}

static enum auth_outcome refuse_new(bool is_dialer, struct auth *auth, const struct auth_self *self)
{
    start(auth, self, is_dialer);
    return auth_refuse(auth, AUTH_UNWANTED);
}

static void check_silence_to_strangers(void)
{
    struct auth_self east = make_self("east", 1, cookie);
    struct auth auth;

    for (int dialer = 0; dialer < 2; dialer++) {
        CHECK(refuse_new(dialer, &auth, &east) == AUTH_REFUSED && auth.out_size == 0,
              "whoever is not proven is told nothing");
        start(&auth, &east, dialer);
        CHECK(auth_timeout(&auth) == AUTH_REFUSED && auth.reason == AUTH_LATE && auth.out_size == 0,
              "one that says nothing is refused in time");
    }
}

/* ---- every message in every state -------------------------------------------------------- */

enum { KINDS = 8 }; /* the six messages, an unknown one, an empty one */

static const char *const state_names[AUTH_STATES] = {
    "challenged", "greeted", "answered", "welcomed", "judging", "admitted", "session", "closed"};

/* Brings a side (of a lower- or a higher-named node) into a state, and has all messages that would
 * be right for it in some state. False: this state is not one of this side's. */
static bool bring(struct auth *auth, struct message messages[KINDS], enum auth_state state,
                  bool is_dialer, bool is_lower)
{
    static struct auth_self east, west;
    static struct pair pair;
    struct auth *other;
    struct pair scratch;

    east = make_self("east", 1, cookie);
    west = make_self("west", 2, cookie);
    prove(&pair, is_dialer == is_lower ? &east : &west, is_dialer == is_lower ? &west : &east);
    scratch = pair;
    other = is_dialer ? &scratch.listener : &scratch.dialer;
    messages[0] = pair.challenge;
    messages[1] = pair.hello;
    messages[2] = pair.welcome;
    messages[3] = pair.identity;
    messages[4] = (struct message){{1, 5}, 2};
    messages[5] = refusal_of(other);
    messages[6] = (struct message){{1, 9}, 2};
    messages[7] = (struct message){{0}, 0};
    if (state == (is_dialer ? AUTH_GREETED : AUTH_CHALLENGED) ||
        (state == AUTH_ANSWERED && !is_dialer) || (state == AUTH_WELCOMED && is_dialer))
        return false;
    *auth = is_dialer ? pair.dialer : pair.listener;
    if (state < AUTH_JUDGING) { /* the same nonces as in the pair */
        struct auth fresh;

        auth_init(&fresh, auth->self, is_dialer, auth->nonce);
        if (state == AUTH_ANSWERED)
            give(&fresh, pair.challenge);
        if (state == AUTH_WELCOMED)
            give(&fresh, pair.hello);
        *auth = fresh;
    }
    if (state >= AUTH_ADMITTED)
        auth_admit(auth);
    if (state == AUTH_SESSION)
        give(auth, messages[4]);
    if (state == AUTH_CLOSED)
        auth_refuse(auth, AUTH_LATE);
    return auth->state == state;
}

/* What must come of it: W wait, P proven, O open, R refused. Columns: the kinds above. */
static const char *const wanted[AUTH_STATES][2][2] = {
    /* [state][is_dialer][is_lower] */
    [AUTH_CHALLENGED] = {{"", ""}, {"WRRRRRRR", "WRRRRRRR"}},
    [AUTH_GREETED] = {{"RWRRRRRR", "RWRRRRRR"}, {"", ""}},
    [AUTH_ANSWERED] = {{"", ""}, {"RRPRRRRR", "RRPRRRRR"}},
    [AUTH_WELCOMED] = {{"RRRPRRRR", "RRRPRRRR"}, {"", ""}},
    [AUTH_JUDGING] = {{"RRRRWRRR", "RRRRRRRR"}, {"RRRRWRRR", "RRRRRRRR"}},
    [AUTH_ADMITTED] = {{"RRRRORRR", "RRRRORRR"}, {"RRRRORRR", "RRRRORRR"}},
    [AUTH_SESSION] = {{"RRRRRRRR", "RRRRRRRR"}, {"RRRRRRRR", "RRRRRRRR"}},
    [AUTH_CLOSED] = {{"RRRRRRRR", "RRRRRRRR"}, {"RRRRRRRR", "RRRRRRRR"}},
};

static void check_state(enum auth_state state, bool is_dialer, bool is_lower)
{
    static const char letters[] = {
        [AUTH_WAIT] = 'W', [AUTH_PROVEN] = 'P', [AUTH_OPEN] = 'O', [AUTH_REFUSED] = 'R'};
    const char *row = wanted[state][is_dialer][is_lower];
    char got[KINDS + 1] = "";

    for (size_t kind = 0; kind < KINDS && *row; kind++) {
        struct message messages[KINDS];
        struct auth auth;

        if (!bring(&auth, messages, state, is_dialer, is_lower))
            break;
        got[kind] = letters[give(&auth, messages[kind])];
        if (got[kind] == 'R' && auth.state != AUTH_CLOSED)
            got[kind] = '?';
        if (got[kind] == 'R' && state < AUTH_JUDGING && auth.out_size)
            got[kind] = '!';
    }
    if (!tap_ok(!strcmp(got, row), "each message while %s, %s, %s-named", state_names[state],
                is_dialer ? "dialer" : "listener", is_lower ? "lower" : "higher"))
        tap_note("got %s, wanted %s", got, row);
}

static void check_every_message(void)
{
    for (int state = 0; state < AUTH_STATES; state++)
        for (int i = 0; i < 4; i++)
            check_state((enum auth_state)state, i & 1, i & 2);
}

/* The lower-named gives up while the READY of the higher-named, which is open, is on its way. */
static void check_late_refusal(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair;
    struct message ready;

    prove(&pair, &east, &west);
    auth_admit(&pair.dialer);
    ready = taken(&pair.dialer);
    auth_admit(&pair.listener);
    CHECK(give(&pair.listener, ready) == AUTH_OPEN, "one side is open");
    CHECK(auth_timeout(&pair.dialer) == AUTH_REFUSED, "the other has given up");
    CHECK(give(&pair.listener, taken(&pair.dialer)) == AUTH_REFUSED && pair.listener.is_told &&
              pair.listener.reason == AUTH_LATE,
          "and says so to the one that is open");
}

static void check_second_ready(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct message ready = {{1, 5}, 2};
    struct pair pair;

    prove(&pair, &east, &west);
    CHECK(give(&pair.listener, ready) == AUTH_WAIT && give(&pair.listener, ready) == AUTH_REFUSED &&
              pair.listener.reason == AUTH_OUT_OF_ORDER,
          "a second READY is out of order");
    prove(&pair, &east, &west);
    CHECK(auth_admit(&pair.dialer) == AUTH_WAIT && auth_timeout(&pair.dialer) == AUTH_REFUSED &&
              pair.dialer.out_size > 0,
          "a proven one that does not admit us is told that it was late");
}

/* ---- every bit --------------------------------------------------------------------------- */

/* The side that is to hear this message of the pair, in the state in which it is right. */
static struct auth hearer_of(const struct pair *pair, const struct message *message)
{
    bool is_dialer = message == &pair->welcome || message == &pair->challenge;
    const struct auth *old = is_dialer ? &pair->dialer : &pair->listener;
    struct auth auth;

    auth_init(&auth, old->self, is_dialer, old->nonce);
    if (message == &pair->welcome)
        give(&auth, pair->challenge);
    if (message == &pair->identity)
        give(&auth, pair->hello);
    auth.out_size = 0;
    return auth;
}

/* The n-th change: a bit turned, an end cut off, or a byte more. */
static struct message changed(const struct message *good, size_t n)
{
    struct message bad = *good;

    if (n < good->size * 8)
        bad.at[n / 8] ^= (uint8_t)(1 << n % 8);
    else if (n < good->size * 9)
        bad.size = n - good->size * 8;
    else
        bad.size++;
    return bad;
}

static void check_message_bits(const struct pair *pair, const struct message *good,
                               const char *name)
{
    unsigned passed = 0, talked = 0;
    char text[64];

    for (size_t n = 0; n < good->size * 9 + 1; n++) {
        struct auth auth = hearer_of(pair, good);

        passed += give(&auth, changed(good, n)) != AUTH_REFUSED;
        talked += auth.out_size > 0;
    }
    snprintf(text, sizeof text, "each bit and each length of %s counts", name);
    tap_is_int(passed, 0, text);
    tap_is_int(talked, 0, "who sends a wrong one hears nothing");
}

/* A dialer cannot see what is wrong with a challenge: its listener does. */
static void check_challenge_bits(const struct pair *pair)
{
    unsigned passed = 0;

    for (size_t n = 0; n < pair->challenge.size * 9 + 1; n++) {
        struct auth dialer = hearer_of(pair, &pair->challenge);
        struct auth listener = hearer_of(pair, &pair->hello);

        if (give(&dialer, changed(&pair->challenge, n)) != AUTH_REFUSED)
            passed += give(&listener, taken(&dialer)) != AUTH_REFUSED;
    }
    tap_is_int(passed, 0, "each bit and each length of CHALLENGE counts");
}

static void check_bits(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct pair pair;

    prove(&pair, &east, &west);
    check_challenge_bits(&pair);
    check_message_bits(&pair, &pair.hello, "HELLO");
    check_message_bits(&pair, &pair.welcome, "WELCOME");
    check_message_bits(&pair, &pair.identity, "IDENTITY");
}

static void check_lengths(void)
{
    struct auth_self east = make_self("east", 1, cookie), west = make_self("west", 2, cookie);
    struct message big = {.size = AUTH_MESSAGE_MAX};
    struct pair pair;

    memset(east.identity.name, 'e', ADDR_PART_MAX);
    memset(east.identity.url, 'u', AUTH_URL_MAX);
    prove(&pair, &east, &west);
    CHECK(pair.listener_says == AUTH_PROVEN && strlen(pair.listener.peer.url) == AUTH_URL_MAX,
          "the longest name and URL fit");
    snprintf(east.identity.name, sizeof east.identity.name, "no name");
    prove(&pair, &east, &west);
    CHECK(pair.listener.reason == AUTH_MALFORMED && !*pair.listener.peer.name,
          "what cannot be a node's name is not even repeated");
    start(&pair.listener, &west, false);
    CHECK(give(&pair.listener, big) == AUTH_REFUSED, "a full frame of zeros is refused");
    tap_is_text(auth_reason_text((enum auth_reason)200), "unknown reason",
                "a reason of a later version has a text");
}

int main(void)
{
    check_good();
    check_versions();
    check_cookie();
    check_false_listener();
    check_self_and_name();
    check_name_at_listener();
    check_what_a_stranger_hears();
    check_replay();
    check_reflection();
    check_mac_of_other_role();
    check_refusals();
    check_silence_to_strangers();
    check_every_message();
    check_second_ready();
    check_late_refusal();
    check_bits();
    check_lengths();
    return tap_done();
}
