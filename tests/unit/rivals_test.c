/*
 * Connections of one name: the cases by hand, then any order of events, against what must hold
 * whatever happens.
 */
#include "../../cluster/rivals.h"
#include "tap.h"

#include <stdlib.h>

static struct rivals rivals;
static struct rivals_actions did;

/* What was decided, as a text: "end 1, admit 2, refuse 3 name taken". */
static const char *decided(void)
{
    static const char *const words[] = {"admit", "refuse", "ping", "end"};
    static char text[512];
    size_t used = 0;

    text[0] = 0;
    for (size_t i = 0; i < did.count; i++) {
        const struct rivals_action *action = &did.at[i];

        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %d", used ? ", " : "",
                                 words[action->what], (int)action->conn);
        if (action->what == RIVALS_REFUSE)
            used += (size_t)snprintf(text + used, sizeof text - used, " %s",
                                     auth_reason_text(action->reason));
    }
    return text;
}

static const char *proven(uint64_t conn, uint64_t generation, uint64_t instance, int64_t now_ms)
{
    rivals_proven(&rivals, conn, generation, instance, now_ms, &did);
    return decided();
}

static const char *opened(uint64_t conn)
{
    rivals_opened(&rivals, conn, &did);
    return decided();
}

static const char *answered(uint64_t conn)
{
    rivals_answered(&rivals, conn, &did);
    return decided();
}

static const char *gone(uint64_t conn)
{
    rivals_gone(&rivals, conn, &did);
    return decided();
}

static const char *tick(int64_t now_ms)
{
    rivals_tick(&rivals, now_ms, &did);
    return decided();
}

/* A session on connection 1 with generation 7, instance 70. */
static void session(bool is_ours_to_choose)
{
    rivals_init(&rivals, is_ours_to_choose);
    proven(1, 7, 70, 1);
    opened(1);
}

static void check_with_session(bool ours)
{
    session(ours);
    tap_is_text(proven(2, 7, 71, 10), "end 1, admit 2", "a restarted sys/node replaces at once");
    session(ours);
    tap_is_text(proven(2, 7, 70, 10), "ping 1", "a second connection: the first is pinged");
    tap_is_text(answered(1), "refuse 2 duplicate", "answered: the second is a duplicate");
    CHECK(rivals_holder(&rivals) == 1 && !rivals.deadline_ms, "and the first stays the session");
    session(ours);
    tap_is_text(proven(2, 8, 80, 10), "ping 1", "another node of that name: the first is pinged");
    tap_is_text(answered(1), "refuse 2 name taken", "answered: the name is taken");
    session(ours);
    proven(2, 8, 80, 10);
    tap_is_text(tick(1009), "", "a second has not gone by");
    tap_is_text(tick(1010), "end 1, admit 2", "silent for a second: it is replaced");
    tap_is_text(gone(1), "", "what is said of the old one means nothing any more");
    session(ours);
    proven(2, 7, 70, 10);
    tap_is_text(gone(1), "admit 2", "the old one ends while it is waited for: the new one is next");
    session(ours);
    proven(2, 7, 70, 10);
    tap_is_text(gone(2), "", "the newcomer may give up");
    tap_is_text(answered(1), "", "then an answer refuses nobody");
    session(ours);
    proven(2, 7, 70, 10);
    tap_is_text(answered(2), "", "a newcomer cannot answer for the old one");
    tap_is_text(proven(3, 7, 71, 20), "end 1, refuse 2 duplicate, admit 3",
                "a successor of the holder beats those who wait");
}

static void check_at_once_lower(void)
{
    rivals_init(&rivals, true);
    tap_is_text(proven(1, 7, 70, 1), "admit 1", "the lower-named admits the first");
    tap_is_text(proven(2, 7, 70, 2), "ping 1", "and the second must wait for it");
    tap_is_text(tick(1500), "", "longer than for an open one");
    tap_is_text(opened(1), "refuse 2 duplicate", "once it opens the other is refused");
    rivals_init(&rivals, true);
    proven(1, 7, 70, 1);
    proven(2, 7, 70, 2);
    tap_is_text(tick(3002), "end 1, admit 2", "one that never opens is given up for the other");
}

static void check_at_once_higher(void)
{
    rivals_init(&rivals, false);
    tap_is_text(proven(1, 7, 70, 1), "admit 1", "the higher-named admits the first");
    tap_is_text(proven(2, 7, 70, 2), "admit 2", "and the second");
    CHECK(rivals_holder(&rivals) == 0, "and has no session yet");
    tap_is_text(opened(2), "", "the lower-named chooses the second");
    CHECK(rivals_holder(&rivals) == 2, "that is the session");
    tap_is_text(opened(1), "end 2", "should it then choose the first, the second is over");
    rivals_init(&rivals, false);
    proven(1, 7, 70, 1);
    tap_is_text(proven(2, 8, 80, 2), "admit 2", "two nodes of one name at once");
    tap_is_text(opened(2), "refuse 1 name taken", "the first to open has the name");
}

static void check_many(void)
{
    session(true);
    for (uint64_t conn = 2; conn <= RIVALS_MAX; conn++)
        proven(conn, 7, 70, 10);
    tap_is_text(proven(9, 7, 70, 11), "refuse 9 duplicate", "no more than eight are kept waiting");
    rivals_answered(&rivals, 1, &did);
    CHECK(did.count == RIVALS_MAX - 1 && rivals.count == 1, "all that wait get their answer");
}

/* ---- any order of events ----------------------------------------------------------------- */

struct shadow {
    enum { NOBODY, PENDING, LET_IN, OPENED, OUT } is;
    uint64_t generation, instance;
};

enum { CONNS = 60, STEPS = 60, RUNS = 20000 };

static const char *apply(struct shadow conns[CONNS], bool ours)
{
    unsigned held = 0, waiting = 0;

    for (size_t i = 0; i < did.count; i++) {
        struct shadow *conn = &conns[did.at[i].conn];

        if (did.at[i].what == RIVALS_ADMIT && conn->is != PENDING)
            return "what is admitted must have been waiting";
        if (did.at[i].what == RIVALS_REFUSE && conn->is != PENDING && conn->is != LET_IN)
            return "what is refused must not be open";
        if (did.at[i].what == RIVALS_END && conn->is != OPENED && conn->is != LET_IN)
            return "what is ended must have been admitted";
        if (did.at[i].what == RIVALS_PING && conn->is != OPENED && conn->is != LET_IN)
            return "what is pinged must have been admitted";
        if (did.at[i].what == RIVALS_ADMIT)
            conn->is = LET_IN;
        if (did.at[i].what == RIVALS_END || did.at[i].what == RIVALS_REFUSE)
            conn->is = OUT;
    }
    for (size_t i = 1; i < CONNS; i++) {
        held += conns[i].is == OPENED || (ours && conns[i].is == LET_IN);
        waiting += conns[i].is == PENDING;
    }
    if (held > 1)
        return "two sessions with one name";
    if (waiting && !held)
        return "somebody waits for nobody";
    if (waiting && !rivals.deadline_ms)
        return "somebody waits without an end";
    return NULL;
}

static size_t some(const struct shadow conns[CONNS], int is)
{
    size_t start = (size_t)random() % CONNS;

    for (size_t k = 0; k < CONNS; k++)
        if ((int)conns[(start + k) % CONNS].is == is)
            return (start + k) % CONNS;
    return 0;
}

static const char *random_event(struct shadow conns[CONNS], size_t *next, int64_t *now_ms)
{
    size_t conn;

    did.count = 0;
    *now_ms += random() % 700;
    switch (random() % 6) {
    case 0:
    case 1:
        conn = (*next)++;
        conns[conn] = (struct shadow){PENDING, 7 + random() % 2, 70 + random() % 2};
        rivals_proven(&rivals, conn, conns[conn].generation, conns[conn].instance, *now_ms, &did);
        break;
    case 2:
        conn = some(conns, LET_IN);
        if (conn) {
            conns[conn].is = OPENED;
            rivals_opened(&rivals, conn, &did);
        }
        break;
    case 3:
        conn = some(conns, random() % 2 ? OPENED : LET_IN);
        rivals_answered(&rivals, conn, &did);
        break;
    case 4:
        conn = some(conns, 1 + (int)(random() % 3));
        if (conn)
            conns[conn].is = OUT;
        rivals_gone(&rivals, conn, &did);
        break;
    default:
        rivals_tick(&rivals, *now_ms, &did);
    }
    return NULL;
}

static void check_any_order(void)
{
    unsigned wrong = 0;

    for (unsigned seed = 1; seed <= RUNS && wrong < 5; seed++) {
        struct shadow conns[CONNS] = {0};
        size_t next = 1;
        int64_t now_ms = 1;
        const char *why = NULL;
        bool ours = seed & 1;

        srandom(seed);
        rivals_init(&rivals, ours);
        for (int step = 0; step < STEPS && next < CONNS - 1 && !why; step++) {
            random_event(conns, &next, &now_ms);
            why = apply(conns, ours);
        }
        if (why) {
            tap_note("seed %u: %s (%s)", seed, why, decided());
            wrong++;
        }
    }
    tap_is_int(wrong, 0,
               "20000 random lives of a name: one session at most, nobody waits for ever");
}

int main(void)
{
    check_with_session(true);
    check_with_session(false);
    check_at_once_lower();
    check_at_once_higher();
    check_many();
    check_any_order();
    return tap_done();
}
