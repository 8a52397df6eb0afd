/* Ends another actor again and again, and tells how long a whole life of it takes, and how long the
 * notice of its end. The hunted one is a mortal that tells this actor of each of its lives; its
 * supervisor starts it again. */
#include "measure.h"

#include <troupe.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ADDRESS_SIZE = 600, LOOKUP_MS = 5000 };

enum tie { UNTIED, MONITOR, PEER };

/* One hunt. A life is over when the next one has announced itself and, if tied, its end was heard.
 */
struct hunt {
    struct troupe_message *message; /* NULL: no hunt is on */
    char path[ADDRESS_SIZE];
    char nobody[ADDRESS_SIZE]; /* a path of the same supervisor at which there is none */
    bool by_incarnation, by_error;
    enum tie tie;

    int64_t pid;
    char address[ADDRESS_SIZE]; /* by which the present life is tied */
    uint64_t monitor, question;
    int64_t begun, struck;
    bool is_born, is_heard;

    int64_t n, lives;
    int64_t *notices, *cycles;
};

static void hunt_end(struct hunt *hunt, const char *failure)
{
    char text[100];

    if (failure) {
        troupe_fail(hunt->message, "%s", failure);
    } else {
        measure_sort(hunt->notices, hunt->n);
        measure_sort(hunt->cycles, hunt->n);
        snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %" PRId64,
                 measure_quantile(hunt->notices, hunt->n, 50),
                 measure_quantile(hunt->notices, hunt->n, 99),
                 measure_quantile(hunt->cycles, hunt->n, 50));
        troupe_reply(hunt->message, text);
    }
    free(hunt->notices);
    free(hunt->cycles);
    *hunt = (struct hunt){0};
}

/* ---- one life ---------------------------------------------------------------------------------
 */

static void strike(struct troupe *self, struct hunt *hunt)
{
    hunt->is_born = false;
    hunt->is_heard = hunt->tie == UNTIED;
    hunt->struck = measure_now();
    if (hunt->by_error)
        troupe_cast(self, hunt->path, "fail");
    else
        kill((pid_t)hunt->pid, SIGKILL);
}

/* A monitor is asked for and not answered. A question that goes the same way and is answered shows
 * that it stands; a link is answered itself. */
static void tie(struct troupe *self, struct hunt *hunt)
{
    const char *failure;

    switch (hunt->tie) {
    case MONITOR:
        hunt->monitor = troupe_monitor(self, hunt->address);
        hunt->question = troupe_monitor(self, hunt->nobody);
        return;
    case PEER:
        failure = troupe_link(self, TROUPE_LINK_PEER, hunt->address);
        if (failure)
            hunt_end(hunt, failure);
        else
            strike(self, hunt);
        return;
    case UNTIED:
        strike(self, hunt);
    }
}

static void life_begins(struct troupe *self, struct hunt *hunt)
{
    hunt->begun = measure_now();
    tie(self, hunt);
}

static void life_ends(struct troupe *self, struct hunt *hunt)
{
    if (!hunt->is_born || !hunt->is_heard)
        return;
    hunt->cycles[hunt->lives++] = measure_now() - hunt->begun;
    if (hunt->lives == hunt->n)
        hunt_end(hunt, NULL);
    else
        life_begins(self, hunt);
}

static void hear(struct troupe *self, struct hunt *hunt)
{
    hunt->notices[hunt->lives] = measure_now() - hunt->struck;
    hunt->is_heard = true;
    life_ends(self, hunt);
}

static void down(struct troupe *self, uint64_t monitor, const char *who, const char *reason)
{
    struct hunt *hunt = troupe_state(self);

    if (!hunt->message)
        return;
    if (monitor == hunt->question)
        strike(self, hunt);
    else if (monitor == hunt->monitor && strcmp(reason, "noproc") == 0)
        hunt_end(hunt, who); /* ended before: not what is measured */
    else if (monitor == hunt->monitor)
        hear(self, hunt);
}

static void exited(struct troupe *self, const char *who, const char *reason)
{
    struct hunt *hunt = troupe_state(self);

    (void)who;
    (void)reason;
    if (hunt->message && hunt->tie == PEER)
        hear(self, hunt);
}

static void on_here(struct troupe *self, struct troupe_message *message)
{
    struct hunt *hunt = troupe_state(self);
    bool is_first = hunt->pid == 0;

    if (!hunt->message || strcmp(troupe_text(message, 0), hunt->path) != 0)
        return;
    hunt->pid = troupe_int(message, 1);
    snprintf(hunt->address, sizeof hunt->address,
             hunt->by_incarnation ? "%.560s#%" PRIu64 : "%.560s", hunt->path,
             troupe_uint(message, 2));
    hunt->is_born = true;
    if (is_first)
        life_begins(self, hunt);
    else
        life_ends(self, hunt);
}

/* ---- asked for
 * ----------------------------------------------------------------------------------- */

static enum tie tie_of(const char *name)
{
    return strcmp(name, "monitor") == 0 ? MONITOR : strcmp(name, "peer") == 0 ? PEER : UNTIED;
}

/* "shop/nobody" for "shop/db" */
static void name_nobody(const char *path, char out[ADDRESS_SIZE])
{
    const char *slash = strrchr(path, '/');

    snprintf(out, ADDRESS_SIZE, "%.*snobody", slash ? (int)(slash - path + 1) : 0, path);
}

/* hunt PATH HOW TIE END N: HOW is path or incarnation, TIE none, monitor or peer, END drop or
 * error. Replies "NOTICE_P50 NOTICE_P99 LIFE_P50", nanoseconds; notices of none are 0. */
static void on_hunt(struct troupe *self, struct troupe_message *message)
{
    struct hunt *hunt = troupe_state(self);
    int64_t n = troupe_int(message, 4);

    if (hunt->message || n < 1) {
        troupe_fail(message, "not now, or not so many");
        return;
    }
    snprintf(hunt->path, sizeof hunt->path, "%s", troupe_text(message, 0));
    name_nobody(hunt->path, hunt->nobody);
    hunt->by_incarnation = strcmp(troupe_text(message, 1), "incarnation") == 0;
    hunt->tie = tie_of(troupe_text(message, 2));
    hunt->by_error = strcmp(troupe_text(message, 3), "error") == 0;
    hunt->n = n;
    hunt->message = troupe_keep(message);
    hunt->notices = calloc((size_t)n, sizeof *hunt->notices);
    hunt->cycles = calloc((size_t)n, sizeof *hunt->cycles);
    if (!hunt->notices || !hunt->cycles || troupe_cast(self, hunt->path, "tell") < 0)
        hunt_end(hunt, "cannot hunt");
}

/* lookup PATHS N: looks PATHS.1 … PATHS.N up, none of which it has ever talked to. Replies the
 * median, nanoseconds. */
static void on_lookup(struct troupe *self, struct troupe_message *message)
{
    int64_t n = troupe_int(message, 1), *took = calloc((size_t)n + 1, sizeof *took);
    char path[ADDRESS_SIZE], address[ADDRESS_SIZE];
    int failures = 0;

    for (int64_t i = 0; took && i < n; i++) {
        int64_t begin;

        snprintf(path, sizeof path, "%s.%" PRId64, troupe_text(message, 0), i + 1);
        begin = measure_now();
        failures += troupe_lookup(self, path, LOOKUP_MS, address, sizeof address) < 0;
        took[i] = measure_now() - begin;
    }
    if (took && n > 0 && !failures) {
        measure_sort(took, n);
        troupe_reply(message, measure_quantile(took, n, 50));
    } else {
        troupe_fail(message, "%d were not found", failures);
    }
    free(took);
}

static const struct troupe_handler messages[] = {
    {"hunt", "ssssI", "s", on_hunt, "ends PATH N times, tied to it or not"},
    {"lookup", "sI", "I", on_lookup, "looks up PATHS.1 to PATHS.N"},
    {"here", "sIU", "", on_here, "a life has begun: path, pid, incarnation"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct hunt), .messages = messages, .down = down,
             .exited = exited);
